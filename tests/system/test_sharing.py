# SPDX-License-Identifier: Apache-2.0
"""On the real hypervisor: two guests that want all of the kernel's codec have it by weight, and it is changed meanwhile.

How exactly is measured elsewhere (``shares-off`` of the benchmarks): here a guest's emulated processor, on which whatever else
the host does counts as well, may be too slow to want all of what it is due.
"""

import time
from contextlib import ExitStack

import pytest

from testbed import CONFIGURATION, Scene
from tests.system.conftest import GUESTS, PLACE

pytestmark = pytest.mark.timeout(1500)
PATIENCE = 300
"""Seconds; the board shares its processors with whatever else the host does."""

DEVICE = "vpu1"
ONE_AT_A_TIME = CONFIGURATION.replace('driver = "', 'slots = 1\ndriver = "')
MEASURED = 12
"""Seconds: some dozens of turns, as slow as an emulated processor is."""


@pytest.fixture(scope="module")
def scene(board):
    with Scene(board) as scene:
        scene.serve(ONE_AT_A_TIME)
        for guest in GUESTS:
            if guest not in board.guests():
                board.create_guest(guest)
            scene.frontend(guest, "--backend-timeout", "60")
            scene.attach(guest, DEVICE)
        yield scene
        for guest in GUESTS:
            scene.detach(guest, "--force", timeout=PATIENCE)


def used(scene):
    """Milliseconds of the device that each guest has had."""
    return {domain["name"]: domain["time"][DEVICE]["used_ms"] for domain in scene.status()["domains"]}


def used_by_turns(scene):
    before = used(scene)
    time.sleep(MEASURED)  # the measure itself
    after = used(scene)
    return [after[guest] - before[guest] for guest in GUESTS]


def test_guests_share_a_device_by_weight(scene, board):
    with ExitStack() as stack:
        for guest in GUESTS:
            program = board.start(guest, "python3", "-m", "tests.system.greedy", directory=PLACE)
            stack.callback(program.close)
            program.wait_output("works", timeout=PATIENCE)
        first, second = used_by_turns(scene)
        assert first == pytest.approx(second, rel=0.25)
        board.run("dom0", "paracore", "domain", "set", GUESTS[1], "--weight", "300", timeout=PATIENCE)
        first, second = used_by_turns(scene)
        assert 1.5 * first < second < 3.5 * first
        assert all(domain["workers_lost"] == 0 for domain in scene.status()["domains"])
