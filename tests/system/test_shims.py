# SPDX-License-Identifier: Apache-2.0
"""On the real hypervisor: unmodified programs of a guest use the coprocessor of dom0.

They are the files of the local transport (``tests/integration/shims``), run in the guest; what they ask of a backend's
insides is skipped there.
"""

import re
import subprocess
from pathlib import Path

import pytest

from testbed import Scene
from tests import clips
from tests.integration.shims.killing import expected, pictures_of

pytestmark = pytest.mark.timeout(1500)

GUEST = "d1"
PLACE = "/opt/paracore"
PATIENCE = 1400
"""Seconds: ffmpeg and GStreamer on an emulated processor."""
SOCKET = "/run/paracore/paracore.sock"
ROOT = Path(__file__).parents[2]
SHIMS = ROOT / "tests/integration/shims"
CONFIGURATION = """
[[device]]
name = "vpu0"
driver = "libav"
options = { threads = 1, codecs = "h264 hevc vp8 vp9 mpeg2 mpeg4 mjpeg" }
"""


@pytest.fixture(scope="module")
def scene(board):
    """A guest that has a device."""
    with Scene(board) as scene:
        scene.serve(CONFIGURATION)
        scene.frontend(GUEST)
        scene.attach(GUEST, "vpu0")
        yield scene
        scene.detach(GUEST, "--force", timeout=200)


@pytest.fixture(scope="module")
def guest(scene, run_tests):
    """Runs tests in it; what they said."""

    def run(file, *options):
        return run_tests(
            GUEST, str((SHIMS / file).relative_to(ROOT)), "--socket", SOCKET, "-rs", *options, timeout=PATIENCE
        )

    return run


@pytest.fixture(scope="module")
def films(board):
    """Made here: an emulated processor takes minutes to encode them."""
    films = (clips.film(codec) for codec in clips.FILMS)
    for path in (*films, *(clips.clip(name).path for name in ("h264-baseline", "mpeg2"))):
        board.write_file(GUEST, f"{PLACE}/build/clips/{path.name}", path.read_bytes())


def passed(said):
    return int(re.search(r"(\d+) passed", said)[1])


def test_ffmpeg_and_gstreamer_on_v4l2(guest, films):
    """Every codec by both, and an encoder."""
    wanted = "multi and (ffmpeg_decodes or gstreamer_decodes) and not (real or encodes and (hevc or vp9))"
    assert passed(guest("test_v4l2_programs.py", "-k", wanted)) == 9


def test_v4l2_compliance(guest):
    """Of both nodes."""
    assert passed(guest("test_v4l2_programs.py", "-k", "compliance and multi")) == 2


@pytest.fixture(scope="module")
def static_client(board, tmp_path_factory):
    """For a guest without a compiler."""
    program = tmp_path_factory.mktemp("static") / "static_client"
    compiler = ["aarch64-linux-gnu-gcc", "-static", "-O1", "-pthread"]
    subprocess.run([*compiler, str(SHIMS / "static_client.c"), "-o", str(program)], check=True)
    board.put(GUEST, [program], f"{PLACE}/{SHIMS.relative_to(ROOT)}")


def test_programs_without_a_dynamic_libc(guest, static_client):
    assert passed(guest("test_static.py", "-k", "not musl and not pie")) >= 1


def test_gst_omx(guest, films):
    assert passed(guest("test_omx.py", "-k", "gst_omx_decodes_what and (baseline or mpeg2)")) == 2


def worker(scene):
    """The process of the guest's worker; None while there is none."""
    said = next(each["worker"] for each in scene.status()["domains"] if each["name"] == GUEST)
    return said and said["pid"]


def test_ffmpeg_decodes_on_when_its_worker_is_killed_twice(scene, board):
    """Pages of a guest are granted again, to a worker that maps them. Each command in dom0 takes some pictures' time."""
    path = clips.film("h264", pictures=400)
    place = f"{PLACE}/build/clips/{path.name}"
    board.write_file(GUEST, place, path.read_bytes())
    words = f"ffmpeg -nostdin -v error -re -c:v h264_v4l2m2m -i {place} -map 0:v -f framemd5 -flush_packets 1 -"
    with board.start(GUEST, "paracore", "run", "--", *words.split()) as playing:
        for number in (10, 110):
            playing.wait_output(f"0, {number:10}, ", timeout=PATIENCE)
            board.run("dom0", "kill", "-9", str(worker(scene)))
        said = playing.wait(PATIENCE)
    assert said.status == 0, said.errors.decode()
    assert pictures_of(said.output) == expected(path)
