# SPDX-License-Identifier: Apache-2.0
"""Programs that know nothing of paracore decode and encode on /dev/videoN: ffmpeg, GStreamer, PyAV, v4l2-compliance."""

import hashlib
import os
import re
import signal
import struct
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests import clips
from tests.integration.backends import WRITABLE, Stream, wait_until
from tests.integration.shims.killing import expected, pictures_of, played, raw
from tests.integration.shims.references import coded_directly, psnr

pytestmark = pytest.mark.timeout(120)

PARSERS = {"h264": "h264parse !", "hevc": "h265parse !", "vp8": "", "vp9": "vp9parse !"}
ELEMENTS = {"h264": "v4l2h264", "hevc": "v4l2h265", "vp8": "v4l2vp8", "vp9": "v4l2vp9"}
FRIENDLY = 'options = { codecs = "h264 hevc vp8 vp9 mpeg2 mpeg4" }'
"""Without AV1, which Debian's v4l2-compliance does not know: it takes a node that has it for none of a codec's."""


@pytest.fixture(params=["multi", "single"])
def planes(request, monkeypatch):
    """Which of V4L2's two APIs the nodes speak."""
    monkeypatch.setenv("PARACORE_V4L2_PLANES", request.param)
    return request.param


@pytest.fixture
def device(make_backend):
    return make_backend(driver="libav")


@pytest.fixture
def run(preloaded, device):
    """Runs a program to its end; what it wrote to standard output."""

    def launch(*words, address=device.address):
        done = preloaded(*words, address=address)
        assert done.returncode == 0, f"{words[0]}: {done.stderr[-2000:]}"
        return done.stdout

    return launch


# --- decoding -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("planes")
@pytest.mark.parametrize("codec", clips.FILMS)
def test_ffmpeg_decodes(codec, run, tmp_path):
    path = clips.film(codec)
    words = ["-nostdin", "-v", "error", "-c:v", f"{codec}_v4l2m2m", "-i", path, "-map", "0:v", "-f", "framemd5", "-"]
    assert pictures_of(run("ffmpeg", *words)) == expected(path)


@pytest.mark.usefixtures("planes")
def test_ffmpeg_decodes_a_real_film(run, device):
    path = clips.natural("bigbuckbunny").path
    words = ["-nostdin", "-v", "error", "-c:v", "h264_v4l2m2m", "-i", path, "-map", "0:v", "-f", "framemd5", "-"]
    assert pictures_of(run("ffmpeg", *words)) == expected(path)
    assert device.domain()["worker"]["report"]["counts"]["copies"] == 0


_PYAV = """
import hashlib, sys
import av
with av.open(sys.argv[1]) as film:
    stream = film.streams.video[0]
    decoder = av.CodecContext.create(sys.argv[2], "r")
    decoder.extradata = stream.codec_context.extradata
    decoder.width, decoder.height, decoder.pix_fmt = stream.width, stream.height, "yuv420p"
    for packet in film.demux(stream):
        for picture in decoder.decode(packet if packet.size else None):
            print(hashlib.md5(picture.to_ndarray()).hexdigest())
"""


@pytest.mark.parametrize("codec", clips.FILMS)
def test_pyav_decodes(codec, run, tmp_path):
    path = clips.film(codec)
    shown = run(sys.executable, "-c", _PYAV, path, f"{codec}_v4l2m2m").split("\n")
    plain = run(sys.executable, "-c", _PYAV, path, {"vp8": "libvpx", "vp9": "libvpx-vp9"}.get(codec, codec)).split("\n")
    assert len(plain) == 61
    assert shown == plain


def gst(run, source, rest, *, demux="matroskademux"):
    return run("gst-launch-1.0", "-q", *f"filesrc location={source} ! {demux} ! {rest}".split())


@pytest.mark.usefixtures("planes")
@pytest.mark.parametrize("codec", clips.FILMS)
def test_gstreamer_decodes(codec, run, tmp_path):
    path, out = clips.film(codec), tmp_path / "out.yuv"
    gst(run, path, f"{PARSERS[codec]} {ELEMENTS[codec]}dec ! videocodectestsink location={out}")
    assert out.read_bytes() == raw(path)


@pytest.mark.usefixtures("planes")
def test_gstreamer_follows_a_stream_that_changes_its_size(run, tmp_path):
    """Bit stream in one piece, larger and then smaller: each picture is there, in its own size."""
    parts = []
    for name, size in (("a", "320x240"), ("b", "640x368"), ("a", "320x240")):
        (tmp_path / name).mkdir(exist_ok=True)
        parts.append(tmp_path / name / "h264.h264")
        words = ["-f", "lavfi", "-i", f"testsrc2=s={size}:r=25", "-frames:v", "30", "-c:v", "libx264", "-y", parts[-1]]
        subprocess.run(["ffmpeg", "-nostdin", "-v", "error", *words], check=True)
    whole, out = tmp_path / "whole.h264", tmp_path / "out.yuv"
    whole.write_bytes(b"".join(part.read_bytes() for part in parts))
    run(
        *f"gst-launch-1.0 -q filesrc location={whole} ! h264parse ! v4l2h264dec".split(),
        "!",
        "videocodectestsink",
        f"location={out}",
    )
    assert out.read_bytes() == b"".join(raw(part) for part in parts)


# --- encoding -------------------------------------------------------------------------------------------------


def quality(path, source):
    """Pictures and PSNR of an encoded film beside its source, by ffmpeg."""
    words = ["-i", path, "-i", source, "-lavfi", "[0:v][1:v]psnr", "-f", "null", "-"]
    said = subprocess.run(["ffmpeg", "-nostdin", *words], check=True, capture_output=True, text=True).stderr
    frames = re.findall(r"frame=\s*(\d+)", said)
    return int(frames[-1]), float(re.findall(r"average:([0-9.]+)", said)[-1])


@pytest.mark.usefixtures("planes")
def test_ffmpeg_encodes_as_the_device_does(run, device, tmp_path):
    """Picture by picture what the encoder makes when it is used directly, hence the same PSNR."""
    source, coded, decoded = tmp_path / "source.yuv", tmp_path / "coded.ts", tmp_path / "decoded.yuv"
    source.write_bytes(raw(clips.film("h264", size="320x240")))
    words = ["-f", "rawvideo", "-s", "320x240", "-r", "25", "-i", source, "-c:v", "h264_v4l2m2m", "-g", "12"]
    run("ffmpeg", "-nostdin", "-v", "error", *words, "-b:v", "1M", coded)
    decoded.write_bytes(raw(coded))
    assert decoded.stat().st_size == source.stat().st_size
    direct = tmp_path / "direct.yuv"
    coded_directly(source, device, tmp_path, gop=12, bitrate=1_000_000)
    assert abs(psnr(source, decoded, (320, 240)) - psnr(source, direct, (320, 240))) < 0.1


def test_an_encoder_that_the_device_has_no_room_for(preloaded, make_backend, tmp_path):
    backend = make_backend(driver="libav", device=f"pixel_rate = {320 * 240 * 24}")
    words = ["-f", "lavfi", "-i", "testsrc2=s=320x240:r=25:d=1", "-pix_fmt", "yuv420p", "-c:v", "h264_v4l2m2m"]
    done = preloaded("ffmpeg", "-nostdin", *words, tmp_path / "out.ts", address=backend.address)
    assert done.returncode != 0
    assert "VIDIOC_STREAMON failed" in done.stderr


@pytest.mark.parametrize(("rate", "pictures"), [("24", 60), ("25025/1001", 0), ("nonsense", 60)])
def test_a_decoder_whose_rate_somebody_else_says(rate, pictures, *, preloaded, make_backend, tmp_path, monkeypatch):
    monkeypatch.setenv("PARACORE_RATE", rate)
    backend = make_backend(driver="libav", device=f"pixel_rate = {320 * 240 * 24}")
    words = ["-c:v", "h264_v4l2m2m", "-i", clips.film("h264", size="320x240"), "-f", "rawvideo"]
    done = preloaded("ffmpeg", "-nostdin", *words, tmp_path / "out.yuv", address=backend.address)
    assert (tmp_path / "out.yuv").stat().st_size == pictures * 320 * 240 * 3 // 2
    assert (done.returncode == 0) == (pictures > 0)


@pytest.mark.parametrize(
    ("limits", "held", "said"),
    [
        ("sessions = 1", 4096, "VIDIOC_STREAMON returned -1 (Cannot allocate memory)"),
        ("buffers = 3", 4096, "VIDIOC_REQBUFS returned -1 (Cannot allocate memory)"),
        ("bytes = 16000000", 15 << 20, "VIDIOC_REQBUFS returned -1 (Cannot allocate memory)"),
        ("bytes = 16000000", 13 << 20, "capture_setup: in.reqbufs 4 error"),
    ],
)
def test_what_a_domain_may_not_hold_is_no_memory(limits, held, said, *, preloaded, make_backend, tmp_path):
    """Another program of the domain has a session and three buffers. Fewer pictures than a decoder needs are none."""
    backend = make_backend(driver="libav", limits=limits)
    stream = tmp_path / "stream"
    stream.write_bytes(framed([unit.octets for unit in clips.clip("h264").units]))
    node = node_of("decoder", preloaded, backend)
    words = (
        f"v4l2-ctl -d {node} --stream-mmap --stream-out-mmap --stream-from-hdr={stream} --stream-to={tmp_path / 'out'}"
    )
    with backend.connect() as channel:
        Stream(channel)
        channel.buffer(held, WRITABLE)
        done = preloaded(*words.split(), address=backend.address)
    assert said in done.stderr, done.stderr
    done = preloaded(*words.split(), address=backend.address)
    assert "STOP DECODER" in done.stderr, "what the other one had is free"


@pytest.mark.parametrize(("rate", "refused"), [("60", True), ("24", False)])
def test_a_decoder_that_the_device_has_surely_no_room_for(
    rate, refused, *, preloaded, make_backend, tmp_path, monkeypatch
):
    """The program says of which size it is before the stream does."""
    monkeypatch.setenv("PARACORE_RATE", rate)
    backend = make_backend(driver="libav", device=f"pixel_rate = {176 * 144 * 24}")
    stream = tmp_path / "stream"
    stream.write_bytes(framed([unit.octets for unit in clips.clip("h264").units]))
    node = node_of("decoder", preloaded, backend)
    words = f"v4l2-ctl -d {node} -x width=176,height=144,pixelformat=H264 --stream-mmap --stream-out-mmap"
    done = preloaded(
        *words.split(), f"--stream-from-hdr={stream}", f"--stream-to={tmp_path / 'out'}", address=backend.address
    )
    assert ("VIDIOC_STREAMON returned -1 (Cannot allocate memory)" in done.stderr) == refused, done.stderr


@pytest.mark.usefixtures("planes")
@pytest.mark.parametrize("codec", ["h264", "hevc", "vp9"])
def test_gstreamer_decodes_and_encodes(codec, run, tmp_path):
    """Both on the device at once: what the encoder holds the decoder lacks."""
    path, out = clips.film("h264"), tmp_path / "out.mkv"
    gst(
        run,
        path,
        f"h264parse ! v4l2h264dec ! {ELEMENTS[codec]}enc ! {PARSERS[codec]} matroskamux ! filesink location={out}",
    )
    pictures, psnr = quality(out, path)
    assert pictures == 60
    assert psnr > 30


# --- the command ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("planes", ["single", "multi"])
def test_run_tells_a_program_which_planes(planes, device):
    command = [sys.executable, "-m", "paracore", "run", "--api", "v4l2", "--address", device.address]
    listing = ["sh", "-c", "for node in /dev/video*; do v4l2-ctl -d $node -D; done"]
    done = subprocess.run([*command, "--planes", planes, "--", *listing], check=True, capture_output=True, text=True)
    ours = re.findall(r"Driver name +: paracore\n.*?Video Memory-to-Memory( Multiplanar)?\n", done.stdout, re.DOTALL)
    assert ours == [" Multiplanar" if planes == "multi" else ""] * 2


# --- v4l2-compliance ------------------------------------------------------------------------------------------


def node_of(word, preloaded, backend):
    """The decoder's node, or the encoder's."""
    listed = preloaded("v4l2-ctl", "--list-devices", address=backend.address).stdout
    return re.search(rf"\({word}\).*?\n\s+(/dev/video\d+)", listed, re.DOTALL)[1]


def framed(units):
    """Access units as v4l2-ctl frames them (``--stream-from-hdr``)."""
    mark = int.from_bytes(b"Vhdr", "little")
    return b"".join(struct.pack(">II", mark, len(unit)) + unit for unit in units)


@pytest.mark.parametrize("node", ["decoder", "encoder"])
def test_v4l2_compliance(node, planes, preloaded, make_backend, tmp_path):
    device = make_backend(driver="libav", options=FRIENDLY)
    baseline = [unit.octets for unit in clips.clip("h264-baseline").units]
    stream = tmp_path / "stream"
    stream.write_bytes(framed(baseline))
    path = node_of(node, preloaded, device)
    more = [f"--stream-from-hdr={stream}"] if node == "decoder" else []
    done = preloaded("v4l2-compliance", "-d", path, "-s", *more, address=device.address)
    assert ("Video Memory-to-Memory Multiplanar" in done.stdout) == (planes == "multi")
    failed = set(re.findall(r"test (.*): FAIL", done.stdout))
    assert failed == set(), done.stdout[-3000:]
    total = re.search(r"Total .*: (\d+), Succeeded: (\d+), Failed: (\d+), Warnings: (\d+)", done.stdout)
    assert int(total[1]) > 45
    assert int(total[4]) == 0, done.stdout[-3000:]
    assert re.search(r"test MMAP \(epoll\): OK", done.stdout)
    assert re.search(r"test USERPTR \(select\): OK", done.stdout)


# --- faults ---------------------------------------------------------------------------------------------------


@contextmanager
def ended(process):
    """However the test ends."""
    try:
        yield
    finally:
        process.kill()


@pytest.mark.parametrize("whom", ["worker", "backend"])
@pytest.mark.parametrize("kind", ["gstreamer", "ffmpeg", "ffmpeg that goes on"])
def test_the_backend_is_killed(kind, whom, preloaded, device, monkeypatch):
    """The program that wants to be told says what its API says, and ends by itself within a second or so.

    ffmpeg reads its input to the end, whatever its decoder says, unless it is told to stop at an error.
    """
    monkeypatch.setenv("PARACORE_ON_LOSS", "fail")  # how it goes on: test_recovery.py
    path = clips.film("h264", pictures=3000)
    words = {
        "ffmpeg": f"ffmpeg -nostdin -v error -xerror -re -c:v h264_v4l2m2m -i {path} -f null -",
        "ffmpeg that goes on": f"ffmpeg -nostdin -v error -c:v h264_v4l2m2m -i {path} -f null -",
        "gstreamer": f"gst-launch-1.0 filesrc location={path} ! matroskademux ! h264parse ! v4l2h264dec ! "
        "fakesink sync=true",
    }[kind]
    with preloaded(*words.split(), address=device.address, runner=subprocess.Popen) as playing, ended(playing):
        wait_until(lambda: played(device), "it does not play", 20)
        if whom == "worker":
            subprocess.run(["kill", "-9", str(device.worker())], check=True)
        else:
            for process in reversed(device.processes()):
                subprocess.run(["kill", "-9", str(process)], check=True)
            device.process.wait()
            device.process.stdout.close()
            device.process = None
        began = time.monotonic()
        _, said = playing.communicate(timeout=15)
        assert time.monotonic() - began < 5
        assert "error" in said.casefold() or (
            playing.returncode == 1 and "-xerror" in words
        )  # of which it says nothing


def rests(process):
    """Whether its first thread has slept through a while, and not only for a moment at a time."""

    def slept():
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
        return int(status.split("voluntary_ctxt_switches:")[1].split()[0])

    before = slept()
    with suppress(subprocess.TimeoutExpired):
        process.wait(0.2)
    return slept() == before


@pytest.mark.parametrize("whom", ["worker", "backend"])
def test_the_backend_is_killed_while_ffmpeg_drains(whom, preloaded, device, monkeypatch):
    """There ffmpeg only polls: it says no error of poll()'s at this level, and ends well in any case when it ends."""
    monkeypatch.setenv("PARACORE_ON_LOSS", "fail")
    words = f"ffmpeg -nostdin -v error -re -c:v h264_v4l2m2m -i {clips.film('h264', pictures=40)} -f null -"
    with preloaded(*words.split(), address=device.address, runner=subprocess.Popen) as playing, ended(playing):
        wait_until(lambda: played(device) >= 20, "it does not play", 20)
        worker = device.worker()
        os.kill(worker, signal.SIGSTOP)
        wait_until(lambda: rests(playing), "it does not drain", 20)
        assert playing.poll() is None
        os.kill(worker if whom == "worker" else device.process.pid, signal.SIGKILL)
        began = time.monotonic()
        _, said = playing.communicate(timeout=15)
        assert time.monotonic() - began < 5
        assert "DQEVENT" in said


# --- together -------------------------------------------------------------------------------------------------


def test_two_programs_at_once(preloaded, device, tmp_path):
    """On one device: each gets its own pictures, all of them."""
    path, out = clips.film("h264", pictures=200), tmp_path / "out.yuv"
    pipeline = f"gst-launch-1.0 -q filesrc location={path} ! matroskademux ! h264parse ! v4l2h264dec ! "
    sink = ["videocodectestsink", f"location={out}"]
    gstreamer = preloaded(*pipeline.split(), *sink, address=device.address, runner=subprocess.Popen)
    words = ["-nostdin", "-v", "error", "-c:v", "h264_v4l2m2m", "-i", path, "-map", "0:v", "-f", "framemd5", "-"]
    with gstreamer, ended(gstreamer):
        shown = preloaded("ffmpeg", *words, address=device.address).stdout
        assert gstreamer.wait(60) == 0
    assert pictures_of(shown) == expected(path)
    assert hashlib.md5(out.read_bytes()).digest() == hashlib.md5(raw(path)).digest()
