# SPDX-License-Identifier: Apache-2.0
"""On the real hypervisor: two guests that want all of a coprocessor have it by weight, and it is changed meanwhile.

How exactly is measured elsewhere (``shares-off`` of the benchmarks): here a guest's emulated processor, on which whatever else
the host does counts as well, may be too slow to want all of what it is due.
"""

import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from testbed import CONFIGURATION, Scene
from tests import clips
from tests.system.conftest import GUESTS, PLACE

pytestmark = pytest.mark.timeout(1500)
PATIENCE = 300
"""Seconds; the board shares its processors with whatever else the host does."""

ONE_AT_A_TIME = CONFIGURATION.replace('driver = "', 'slots = 1\ndriver = "')
FILM = "/tmp/greedy.mkv"
"""Longer than a test: who begins anew wants nothing for a moment."""
MEASURED = 20
"""Seconds: some dozens of turns, as slow as an emulated processor is."""


@pytest.fixture(scope="module")
def scene(board):
    with Scene(board) as scene:
        scene.serve(ONE_AT_A_TIME)
        for guest in GUESTS:
            if guest not in board.guests():
                board.create_guest(guest)
            scene.frontend(guest, "--backend-timeout", "60")
            scene.attach(guest, "vpu0", "vpu1")
            board.write_file(guest, FILM, Path(clips.film("h264", size="1280x720", pictures=600)).read_bytes())
        yield scene
        for guest in GUESTS:
            scene.detach(guest, "--force", timeout=PATIENCE)


def used(scene, device):
    """Milliseconds of the device that each guest has had."""
    return {domain["name"]: domain["time"][device]["used_ms"] for domain in scene.status()["domains"]}


def used_by_turns(scene, device):
    before = used(scene, device)
    time.sleep(MEASURED)  # the measure itself
    after = used(scene, device)
    return [after[guest] - before[guest] for guest in GUESTS]


def weigh(board, weight):
    board.run("dom0", "paracore", "domain", "set", GUESTS[1], "--weight", str(weight), timeout=PATIENCE)


@pytest.mark.parametrize(("device", "words"), [("vpu0", ("decode", FILM)), ("vpu1", ("encode",))])
def test_guests_share_a_device_by_weight(device, words, scene, board):
    with ExitStack() as stack:
        stack.callback(weigh, board, 100)
        for guest in GUESTS:
            command = ("python3", "-m", "tests.system.greedy", *words)
            program = board.start(guest, *command, directory=PLACE)
            stack.callback(program.close)
            program.wait_output("works", timeout=PATIENCE)
        first, second = used_by_turns(scene, device)
        assert first == pytest.approx(second, rel=0.2)
        weigh(board, 300)
        first, second = used_by_turns(scene, device)
        assert 2 * first < second < 3.3 * first
        assert all(domain["workers_lost"] == 0 for domain in scene.status()["domains"])
