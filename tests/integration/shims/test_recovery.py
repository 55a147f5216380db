# SPDX-License-Identifier: Apache-2.0
"""The worker dies in the middle of a stream, and an unmodified program goes on: what comes is what would have come.

Rows of the failure table in ARCHITECTURE.md.
"""

import hashlib
import os
import re
import signal
import subprocess
import time
from contextlib import suppress
from itertools import pairwise
from pathlib import Path

import pytest

from tests import clips
from tests.integration.backends import Backend, family, needs_root, wait_until
from tests.integration.shims import references
from tests.integration.shims.killing import Killed, expected, pictures_of, played, raw
from tests.integration.shims.seeking import SINK, check_player, player, reference

pytestmark = [needs_root, pytest.mark.timeout(120)]

SOURCE = "-f lavfi -i testsrc2=s=320x240:r=60 -frames:v 150"
X264 = "-c:v libx264 -preset veryfast -threads 1 -bf 3 -g 12"
X265 = "log-level=none:pools=1:keyint=12:bframes=3"
FILMS = {
    "h264": ("closed.mkv", X264),
    "h264 open": ("open.mkv", f"{X264} -x264-params open-gop=1:scenecut=0:b-adapt=0"),
    "hevc": ("hevc.mkv", f"-c:v libx265 -preset ultrafast -x265-params {X265}"),
    "vp9": ("vp9.webm", "-c:v libvpx-vp9 -cpu-used 8 -b:v 200k -auto-alt-ref 1 -lag-in-frames 12 -g 20"),
}
WORKER = "paracore-worker"
RAW = "videocodectestsink location="


def film(kind, source=SOURCE):
    name, words = FILMS[kind]
    folder = clips.FOLDER / "shims-recovery" / hashlib.sha256(source.encode()).hexdigest()[:8]
    return clips.run(f"{source} {words}", folder / name)


@pytest.fixture
def device(make_backend):
    return make_backend(driver="libav")


def decoding(kind, path=None):
    """ffmpeg, which prints a line for each picture as soon as it has it."""
    words = f"ffmpeg -nostdin -v error -re -c:v {kind.split()[0]}_v4l2m2m -i {path or film(kind)} -map 0:v"
    return [*words.split(), "-f", "framemd5", "-flush_packets", "1", "-"]


@pytest.fixture
def start(preloaded, device):
    """Starts a program whose worker is going to be killed."""

    def launch(*words, **options):
        return Killed(preloaded(*words, address=device.address, runner=subprocess.Popen, **options), device)

    return launch


# --- decoders -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "planes"), [*((kind, "multi") for kind in FILMS), ("h264", "single")])
def test_ffmpeg_decodes_on_when_its_worker_is_killed_twice(kind, planes, start, monkeypatch):
    monkeypatch.setenv("PARACORE_V4L2_PLANES", planes)
    with start(*decoding(kind)) as playing:
        shown = playing.read_and_kill(at=(31, 82))
        assert playing.longest < 1
    assert pictures_of(shown) == expected(film(kind))


def test_ffmpeg_decodes_on_when_the_worker_is_killed_at_its_last_picture(start):
    """A drain is under way, or complete."""
    with start(*decoding("h264")) as playing:
        shown = playing.read_and_kill(at=(149,))
    assert pictures_of(shown) == expected(film("h264"))


def test_gstreamer_decodes_on(start, device, tmp_path):
    path, out = film("h264"), tmp_path / "out.yuv"
    words = f"gst-launch-1.0 -q filesrc location={path} ! matroskademux ! h264parse ! v4l2h264dec ! "
    with start(*(words + f"identity sleep-time=15000 ! {RAW}{out}").split()) as playing:
        for number in (20, 60):
            wait_until(lambda many=number: played(device) >= many, "it does not play", 20)
            playing.kill()
        playing.end()
    assert hashlib.md5(out.read_bytes()).digest() == hashlib.md5(raw(path)).digest()


def test_a_stream_that_changes_its_size_goes_on(start, device, tmp_path):
    """Killed before, within and after the piece of another size."""
    parts, whole, out = [], tmp_path / "whole.h264", tmp_path / "out.yuv"
    for number, size in enumerate(("320x240", "640x368", "320x240")):
        parts.append(tmp_path / f"{number}.h264")
        words = ["-f", "lavfi", "-i", f"testsrc2=s={size}:r=25", "-frames:v", "30", "-c:v", "libx264", "-g", "15"]
        subprocess.run(["ffmpeg", "-nostdin", "-v", "error", *words, parts[-1]], check=True)
    whole.write_bytes(b"".join(part.read_bytes() for part in parts))
    words = f"gst-launch-1.0 -q filesrc location={whole} ! h264parse ! v4l2h264dec ! "
    with start(*(words + f"identity sleep-time=20000 ! {RAW}{out}").split()) as playing:
        for number in (10, 20, 30):
            wait_until(lambda many=number: played(device) >= many, "it does not play", 20)
            playing.kill()
        playing.end()
    assert out.read_bytes() == b"".join(raw(part) for part in parts)


def test_a_player_seeks_on(start, tmp_path):
    """The worker dies while the player is at its seeks: flushes, drains, buffers given back."""
    path, said = references.film(tmp_path), []
    words = player(f"filesrc location={path} ! qtdemux ! h264parse ! v4l2h264dec ! {SINK}")
    with start(*words) as playing:
        for line in playing.process.stdout:
            said.append(line)
            if line.startswith("seek") and len(said) % 2:
                playing.kill()
        playing.end()
    check_player("".join(said), reference(path, tmp_path, (176, 144)))


# --- encoders -------------------------------------------------------------------------------------------


def key_pictures(path):
    """Whether each picture of a film is a key picture, in the order of showing; all of them decode."""
    words = ["ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "frame=key_frame", "-of", "csv=p=0"]
    done = subprocess.run([*words, str(path)], check=True, capture_output=True, text=True)
    assert not done.stderr
    return [line.startswith("1") for line in done.stdout.split()]


def test_ffmpeg_encodes_on(start, device, tmp_path):
    """What the codec was not done with is given again, the first as a key frame."""
    out = tmp_path / "out.ts"
    source = "-re -f lavfi -i testsrc2=s=320x240:r=60 -frames:v 120 -pix_fmt yuv420p -c:v h264_v4l2m2m -g 600"
    with start(*f"ffmpeg -nostdin -v error {source} {out}".split()) as playing:
        wait_until(lambda: played(device) >= 20, "it does not play", 20)
        playing.kill()
        playing.end()
    keys = key_pictures(out)
    assert keys.count(True) == 2
    assert keys[0]
    assert 20 <= keys.index(True, 1) < 120
    assert 100 <= len(keys) <= 120


PICTURE = bytes(320 * 240 * 3 // 2)


def numbers(said):
    """What v4l2-ctl says of the ``sequence`` of units that it has got."""
    return [int(number) for number in re.findall(r"^cap dqbuf:.*?seq:\s*(\d+) bytesused: [1-9]", said, re.MULTILINE)]


def test_what_an_encoder_has_lost_is_missing_in_the_sequence(start, preloaded, device):
    listed = preloaded("v4l2-ctl", "--list-devices", address=device.address).stdout
    node = re.search(r"\(encoder\).*?\n\s+(/dev/video\d+)", listed, re.DOTALL)[1]
    words = (
        f"v4l2-ctl -d {node} -x width=320,height=240,pixelformat=YU12 -v pixelformat=H264 -c video_b_frames=2 --verbose"
    )
    streams = "--stream-mmap --stream-out-mmap --stream-from=- --stream-to=/dev/null"
    with start(*words.split(), *streams.split(), text=False, stderr=subprocess.STDOUT) as coding:
        coding.process.stdin.write(90 * PICTURE)
        wait_until(lambda: played(device) >= 20, "it does not play", 20)
        coding.kill()
        said, _ = coding.process.communicate(60 * PICTURE, timeout=40)
    got = numbers(said.decode())
    gaps = [later - before - 1 for before, later in pairwise(got) if later != before + 1]
    assert len(gaps) == 1
    assert 0 < gaps[0] < 90
    assert len(got) + gaps[0] == got[-1] + 1 == 150


# --- the domain's choice, and when it ends nevertheless -------------------------------------------------


def test_who_wants_to_know_is_told(start, device, monkeypatch):
    monkeypatch.setenv("PARACORE_ON_LOSS", "fail")
    with start(*decoding("h264")) as playing:
        wait_until(lambda: played(device) >= 10, "it does not play", 20)
        playing.kill()
        _, said = playing.process.communicate(timeout=20)
    assert "Input/output error" in said


def workers(device):
    """As the machine sees them: asking the backend would take longer than one lives here."""
    for process in family(device.process.pid)[1:]:
        with suppress(FileNotFoundError, ProcessLookupError):
            if Path(f"/proc/{process}/comm").read_text(encoding="utf-8").strip() == WORKER:
                yield process


def test_a_worker_that_dies_again_and_again(start, device):
    """The API's own error, in the end. That it takes three fruitless recoveries at most: native/tests/history.c."""
    killed = set()
    with start(*decoding("h264", clips.film("h264", pictures=3000)), stdout=subprocess.DEVNULL) as playing:
        wait_until(lambda: played(device) >= 10, "it does not play", 20)
        until = time.monotonic() + 30
        while playing.process.poll() is None and "error" not in playing.said().casefold():
            assert time.monotonic() < until, "it goes on for ever"
            for worker in workers(device):
                with suppress(ProcessLookupError):
                    os.kill(worker, signal.SIGKILL)
                killed.add(worker)
    assert len(killed) > 1


def killed(backend):
    for process in reversed(backend.processes()):
        os.kill(process, signal.SIGKILL)


@pytest.mark.parametrize("end", [killed, Backend.stop], ids=["killed", "stopped"])
def test_a_backend_that_is_started_again(end, preloaded, make_backend, tmp_path):
    """Another one listens at the same address when the first ends."""
    first, second, address = make_backend(driver="libav"), make_backend(driver="libav"), tmp_path / "socket"
    address.symlink_to(first.address)

    def replace():
        address.unlink()
        address.symlink_to(second.address)
        end(first)

    program = preloaded(*decoding("h264"), address=address, runner=subprocess.Popen)
    with Killed(program, first) as playing:
        shown = playing.read_and_kill(at=(40,), how=replace)
    assert pictures_of(shown) == expected(film("h264"))
