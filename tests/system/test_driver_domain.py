# SPDX-License-Identifier: Apache-2.0
"""The backend in a guest: a driver domain that is not dom0. Needs a board whose Xen lets guests share pages."""

import pytest

from testbed import Board, Options, Scene

pytestmark = pytest.mark.timeout(900)

DRIVERS, GUEST = "drivers", "user"
CONFIGURATION = """
[[device]]
name = "vpu0"
driver = "null"
"""


@pytest.fixture(scope="module")
def scene():
    """A board of its own: Debian's Xen forbids grants between guests otherwise."""
    with Board(options=Options(memory=2048, dom0_memory=512, xen="xsm=dummy")) as board:
        for name in (DRIVERS, GUEST):
            board.create_guest(name)
        with Scene(board, DRIVERS) as scene:
            scene.serve(CONFIGURATION)
            scene.frontend(GUEST)
            scene.attach(GUEST, "vpu0")
            yield scene


def played(board):
    command = ("python3", "-m", "tests.system.player", "5")
    return board.run(GUEST, *command, directory="/opt/paracore", timeout=200).output


def test_a_guest_is_served_by_a_guest(scene):
    assert played(scene.board).endswith("played\n")
    assert [domain["name"] for domain in scene.status()["domains"]] == [GUEST]


def test_it_is_detached_in_dom0(scene):
    scene.detach(GUEST, timeout=200)
    assert scene.status()["domains"] == []
    scene.attach(GUEST, "vpu0")
    assert played(scene.board).endswith("played\n")


def test_a_killed_driver_domain_ends_streams_at_once(scene):
    command = ("python3", "-m", "tests.system.player")
    with scene.board.start(GUEST, *command, directory="/opt/paracore") as player:
        player.wait_output("plays", timeout=200)
        scene.board.destroy_guest(DRIVERS)
        player.wait_output("ended", timeout=200)
