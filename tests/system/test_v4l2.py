# SPDX-License-Identifier: Apache-2.0
"""A guest uses the kernel's own codec, which is in dom0: each octet as ``v4l2-ctl`` makes it there, none copied."""

import numpy as np
import pytest

from testbed import Scene

WIDTH, HEIGHT, COUNT = 640, 368, 12
GUEST, FOLDER = "d1", "/tmp/v4l2"
FORM = f"width={WIDTH},height={HEIGHT},pixelformat=YU12"
NODES = """
import pathlib
for path in pathlib.Path("/sys/class/video4linux").glob("video*"):
    print((path / "name").read_text().strip(), "/dev/" + path.name)
"""

pytestmark = pytest.mark.timeout(1500)
PATIENCE = 300
"""Seconds; the board shares its processors with whatever else the host does."""


@pytest.fixture(scope="module")
def scene(board):
    with Scene(board) as scene:
        scene.serve()
        scene.frontend(GUEST)
        scene.attach(GUEST, "vpu1")
        yield scene
        scene.detach(GUEST, "--force", timeout=PATIENCE)


@pytest.fixture(scope="module")
def pictures():
    lumas = [np.add.outer(np.arange(HEIGHT), np.arange(WIDTH)) + 9 * number for number in range(COUNT)]
    chroma = np.full(HEIGHT * WIDTH // 2, 128, np.uint8).tobytes()
    return b"".join(luma.astype(np.uint8).tobytes() + chroma for luma in lumas)


def native(board, direction, given, *options):
    """What the codec makes of octets in dom0, without paracore."""
    nodes = board.run("dom0", "python3", "-c", NODES).output.splitlines()
    node = dict(line.split() for line in nodes)[f"stateful-{direction}r"]
    board.write_file("dom0", f"{FOLDER}/given", given)
    stream = ["--stream-mmap", "--stream-out-mmap", f"--stream-from={FOLDER}/given", f"--stream-to={FOLDER}/made"]
    board.run("dom0", "v4l2-ctl", "-d", node, *options, *stream, timeout=PATIENCE)
    return board.read_file("dom0", f"{FOLDER}/made")


def through_paracore(board, verb, given, suffixes, *options):
    """The same in the guest."""
    names = [f"{FOLDER}/{name}{suffix}" for name, suffix in zip(("given", "made"), suffixes, strict=True)]
    board.write_file(GUEST, names[0], given)
    board.run(GUEST, "paracore", verb, names[0], "-o", names[1], "--quiet", *options, timeout=PATIENCE)
    return board.read_file(GUEST, names[1])


def copies(scene):
    """Pictures that workers have copied."""
    workers = filter(None, (domain["worker"] for domain in scene.status()["domains"]))
    return sum(worker["report"]["counts"]["copies"] for worker in workers)


def test_a_backend_of_dom0_s_own(board, run_tests):
    board.run("dom0", "modprobe", "-a", "vicodec")
    assert "skipped" not in run_tests("dom0", "tests/integration/test_v4l2.py", timeout=1400)


def test_a_guest_gets_what_v4l2_ctl_gets_in_dom0(scene, board, pictures):
    size = ("--size", f"{WIDTH}x{HEIGHT}", "--rate", "25", "--codec", "fwht")
    stream = through_paracore(board, "encode", pictures, (".yuv", ".fwht"), *size)
    assert stream == native(board, "encode", pictures, "-x", FORM)
    decoded = through_paracore(board, "decode", stream, (".fwht", ".yuv"))
    assert len(decoded) == len(pictures)
    assert decoded == native(board, "decode", stream)
    assert copies(scene) == 0
