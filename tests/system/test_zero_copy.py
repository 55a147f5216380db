# SPDX-License-Identifier: Apache-2.0
"""On real Xen, by the pages themselves: a picture is in the guest's granted pages, and nowhere in the worker's memory.

The local transport's tests watch the codec write (``tests/integration/test_zero_copy.py``). Here the worker's memory
is searched: a codec that worked elsewhere would have left the picture there.
"""

import json
from pathlib import Path

import pytest

from testbed import Scene
from tests.unit.media.films import film

pytestmark = pytest.mark.timeout(900)

GUEST = "d1"
PATIENCE = 200
KNOWN = b"paracore".hex()
"""What is in every worker's memory: the search finds what is there."""


@pytest.fixture(scope="module")
def scene(board):
    with Scene(board) as scene:
        scene.serve()
        scene.frontend(GUEST)
        scene.attach(GUEST, "vpu0", "vpu1")
        yield scene
        scene.detach(GUEST, "--force", timeout=PATIENCE)


@pytest.mark.parametrize("words", [("decode", "/tmp/film.mp4"), ("encode",)], ids=["libav", "v4l2"])
def test_a_picture_is_in_the_guests_pages_alone(scene, words):
    board = scene.board
    board.write_file(GUEST, "/tmp/film.mp4", Path(film("h264.mp4")).read_bytes())
    command = ("python3", "-m", "tests.system.painter", *words)
    with board.start(GUEST, *command, directory="/opt/paracore") as painter:
        said = json.loads(painter.wait_output("\n", timeout=PATIENCE).splitlines()[0])
        assert said["mapping"].startswith("/dev/xen/gntalloc")
        (worker,) = (domain["worker"] for domain in scene.status()["domains"] if domain["name"] == GUEST)
        seeking = ("python3", "-m", "tests.system.seeker", str(worker["pid"]), said["piece"], KNOWN)
        places, known = board.run("dom0", *seeking, directory="/opt/paracore", timeout=PATIENCE).output.splitlines()
        assert json.loads(known)
        assert json.loads(places) == ["/dev/xen/gntdev"]
        assert worker["report"]["counts"]["copies"] == 0
        painter.write(b"\n")
        assert not painter.wait(PATIENCE).status
