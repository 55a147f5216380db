# SPDX-License-Identifier: Apache-2.0
"""The shipped suite on the real hypervisor: grants of real guests, mapped in dom0, hostile ones included."""

import json
import queue

import pytest

from paracore.testing import HYPERVISOR_CHECKS

pytestmark = pytest.mark.timeout(900)

GUESTS = ("d1", "d2")
PATIENCE = 200
"""Seconds; the board shares its processors with whatever else the host does."""


class Side:
    """One program of ``hypervisor_sides`` and the lines it says."""

    def __init__(self, board, domain, *arguments):
        self._lines = queue.Queue()
        self._begun = b""
        self._errors = b""
        command = ("python3", "-m", "tests.system.hypervisor_sides", *map(str, arguments))
        self._process = board.start(domain, *command, directory="/opt/paracore", receive=self._receive)

    def _receive(self, kind, octets):
        if kind.name == "ERRORS":
            self._errors += octets
            return
        *lines, self._begun = (self._begun + octets).split(b"\n")
        for line in lines:
            self._lines.put(json.loads(line))

    def say(self, words):
        self._process.write(json.dumps(words).encode() + b"\n")

    def hear(self):
        try:
            return self._lines.get(timeout=PATIENCE)
        except queue.Empty:
            pytest.fail(f"it says nothing, but: {self._errors.decode(errors='replace')}")

    def close(self):
        self._process.close()


class Sides:
    """The backend's and those of two guests."""

    def __init__(self, board):
        for name in GUESTS:
            if name not in board.guests():
                board.create_guest(name)
        self._guests = {board.domid(name): Side(board, name, "guest", board.domid(name)) for name in GUESTS}
        self._backend = Side(board, "dom0", "backend", *self._guests)

    def run(self, name):
        """What is wrong, empty when nothing is."""
        self._backend.say({"check": name})
        while "to" in (said := self._backend.hear()):
            guest = self._guests[said.pop("to")]
            guest.say(said)
            self._backend.say(guest.hear())
        return said["fault"]

    def close(self):
        for side in (self._backend, *self._guests.values()):
            side.close()


@pytest.fixture(scope="module")
def sides(board):
    made = Sides(board)
    yield made
    made.close()


@pytest.mark.parametrize("check", HYPERVISOR_CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_check(sides, check):
    assert sides.run(check.__name__) == ""
