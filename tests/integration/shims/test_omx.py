# SPDX-License-Identifier: Apache-2.0
"""The OpenMAX IL core: a client in C that looks closely, and unmodified programs, whose pictures must be ffmpeg's own.

gst-omx gets none of its ``hacks=``.
"""

import contextlib
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import clips
from tests.integration.backends import wait_until
from tests.integration.shims.conftest import NATIVE, PATIENCE
from tests.integration.shims.killing import played
from tests.integration.shims.references import coded_directly, decoded, ffmpeg, film, pictures, psnr, raw_pictures
from tests.integration.shims.seeking import SINK, check_player, player, reference
from tests.unit.native.test_builds import BUILD, meson, run

ROOT = Path(__file__).parents[3]
CORE = NATIVE / "libparacore-omx.so"
MAP = ROOT / "native/shims/omx/omx.map"
PLUGIN = "gstreamer-1.0/libgstomx.so"

TOLD = {"PARACORE_ON_LOSS": "fail"}
"""Of a client that wants to know."""

SECTIONS = {
    "omxh264dec": ("GstOMXH264Dec", "video_decoder.avc"),
    "omxmpeg2videodec": ("GstOMXMPEG2VideoDec", "video_decoder.mpeg2"),
    "omxmpeg4videodec": ("GstOMXMPEG4VideoDec", "video_decoder.mpeg4"),
    "omxmjpegdec": ("GstOMXMJPEGDec", "video_decoder.mjpeg"),
    "omxh264enc": ("GstOMXH264Enc", "video_encoder.avc"),
}


def said(*words):
    return subprocess.run([str(word) for word in words], capture_output=True, text=True, check=True).stdout


# --- the library --------------------------------------------------------------------------------


def test_it_exports_what_its_map_says():
    symbols = {line.split()[-1] for line in said("nm", "-D", "--defined-only", CORE).splitlines()}
    assert symbols == set(re.findall(r"^ +(OMX_\w+);$", MAP.read_text(encoding="utf-8"), re.MULTILINE))
    assert len(symbols) == 9


def test_it_needs_nothing_beside_it():
    needed = set(re.findall(r"\(NEEDED\).*\[(.*)\]", said("readelf", "-d", CORE)))
    assert needed <= {"libc.so.6", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}


LIST = """
import ctypes, sys
core = ctypes.CDLL(sys.argv[1])
assert core.OMX_Init() == 0
name = ctypes.create_string_buffer(128)
index = ctypes.c_ulong(0)
while core.OMX_ComponentNameEnum(name, ctypes.c_ulong(128), index) == 0:
    print(name.value.decode())
    index.value += 1
"""


def names(backend):
    command = [sys.executable, "-c", LIST, str(CORE)]
    environment = os.environ | {"PARACORE_SOCKET": str(backend.address)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()


def test_the_first_device_has_the_plain_names(make_backend):
    second = '[[device]]\nname = "vpu1"\ndriver = "null"'
    backend = make_backend(driver="libav", options=second)
    found = names(backend)
    assert len(set(found)) == len(found) > 18
    assert "OMX.paracore.video_decoder.avc" in found
    assert "OMX.paracore.vpu1.video_decoder.avc" in found
    assert "OMX.paracore.video_encoder.mpeg2" in found  # of the second, for the first has none


def test_without_a_backend_there_are_no_components(make_backend):
    backend = make_backend()
    backend.stop()
    assert names(backend) == []


# --- the client in C ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def programs():
    """Where they are, under the sanitizers."""
    folder = BUILD / "test-address"
    if not (folder / "build.ninja").exists():
        meson("setup", folder, "-Dbindings=disabled", "-Db_sanitize=address,undefined", "-Db_lundef=false")
    made = [f"native/tests/test-omx-{name}" for name in ("play", "storm", "walk")]
    run("ninja", "-C", folder, *made)  # which meson compile would not know before they are there
    return folder / "native/tests"


@pytest.fixture
def walker(programs):
    return programs / "test-omx-walk"


@pytest.fixture
def start(patience):
    """Starts programs; none outlives the test."""
    started = []

    def launch(*words, backend, env=None, **options):
        environment = os.environ | {"PARACORE_SOCKET": backend.address} | (env or {})
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        command = [str(word) for word in words]
        started.append(subprocess.Popen(command, env=environment, **pipes, **options))
        started[-1].slowness = patience / PATIENCE
        return started[-1]

    yield launch
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdin.close()
        process.stdout.close()


def finish(process, seconds):
    """What it said; it must have ended well, and in time."""
    try:
        output, _ = process.communicate(timeout=seconds * process.slowness)
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail(f"it hangs: {process.communicate()[0]}")
    assert process.returncode == 0, output
    return output


@pytest.mark.timeout(600)
def test_each_transition_and_each_rule(walker, start, make_backend):
    finish(start(walker, backend=make_backend(limits="sessions = 1")), 120)


def test_an_encoders_pictures_change_size_in_mid_stream(walker, start, make_backend):
    finish(start(walker, "encode-sizes", backend=make_backend(limits="sessions = 2")), 60)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_calls_at_random_break_nothing(seed, programs, start, make_backend):
    finish(start(programs / "test-omx-storm", 20000, seed, backend=make_backend()), 60)


@pytest.mark.timeout(1200)
@pytest.mark.long
def test_a_million_calls_at_random_break_nothing(programs, start, make_backend):
    finish(start(programs / "test-omx-storm", 1000000, 4, backend=make_backend()), 1000)


def kill_all(backend):
    """The backend and all that belongs to it; returns when."""
    for pid in backend.processes():
        with contextlib.suppress(ProcessLookupError):  # one that has just ended
            os.kill(pid, signal.SIGKILL)
    return time.monotonic()


def kill_worker(backend):
    os.kill(backend.worker(), signal.SIGKILL)
    return time.monotonic()


@pytest.mark.alone
@pytest.mark.parametrize("what", ["backend", "worker"])
def test_the_loss_of_the_device_is_told_within_a_second_and_another_handle_works(what, walker, start, make_backend):
    backend = make_backend()
    process = start(walker, "loss", backend=backend, env=TOLD)
    line = ""
    while line != "ready\n":
        line = process.stdout.readline()
        assert line, "it ended before"
    killed = kill_all(backend) if what == "backend" else kill_worker(backend)
    assert select.select([process.stdout], [], [], 5)[0], "it says nothing"
    assert process.stdout.readline() == "lost\n"
    assert time.monotonic() - killed < 1
    if what == "backend":
        backend.process.wait()
        backend.process.stdout.close()
        backend.start()
    process.stdin.write("\n")
    process.stdin.flush()
    finish(process, 20)


ROLES = {
    clips.Codec.H264: "avc",
    clips.Codec.HEVC: "hevc",
    clips.Codec.VP8: "vp8",
    clips.Codec.VP9: "vp9",
    clips.Codec.AV1: "av1",
    clips.Codec.MPEG2: "mpeg2",
    clips.Codec.MPEG4: "mpeg4",
    clips.Codec.MJPEG: "mjpeg",
}


@pytest.fixture
def play(programs, start, tmp_path):
    """Decodes clips, one behind the other in one stream; returns how many pictures there were and how many were copied.

    What is to be seen of them must be what ffmpeg decodes.
    """

    def played(*names, backend, options=()):
        parts = [clips.clip(name) for name in names]
        units = [unit.octets for part in parts for unit in part.units]
        (tmp_path / "units").write_bytes(b"".join(len(unit).to_bytes(4, "little") + unit for unit in units))
        words = [f"OMX.paracore.video_decoder.{ROLES[parts[0].codec]}", tmp_path / "units", tmp_path / "pictures"]
        output = finish(start(programs / "test-omx-play", *words, *options, backend=backend), 60)
        form = "yuvj420p" if parts[0].codec is clips.Codec.MJPEG else "yuv420p"
        expected = b"".join(decoded(part.path, tmp_path, form).read_bytes() for part in parts)
        assert (tmp_path / "pictures").read_bytes() == expected, output
        return tuple(int(number) for number in re.findall(r"\d+", output))

    return played


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    "name",
    ["h264", "h264-cropped", "h264-refs", "hevc", "vp8", "vp9", "vp9-altref", "av1", "mpeg2", "mpeg4", "mjpeg"],
)
def test_every_codec_is_decoded_without_a_copy(name, threads, play, make_backend):
    backend = make_backend(driver="libav", options=f"options = {{ threads = {threads} }}")
    count, copied = play(name, backend=backend)
    assert count == len(clips.reference(clips.clip(name).path))
    assert copied == 0


def test_the_clients_own_memory_costs_one_copy_a_picture(play, codecs):
    count, copied = play("h264", backend=codecs, options=["use"])
    assert count == copied == 20


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize(
    "names",
    [
        ("h264", "h264-cropped", "h264"),
        ("h264-refs", "h264-cropped", "h264-baseline"),
        ("vp9", "vp9-altref", "vp9"),
        ("mpeg2", "mpeg1"),
    ],
)
def test_the_format_changes_without_a_drain(names, threads, play, make_backend):
    """Few pictures are copied: those that the codec finishes while the client sets up its new buffers."""
    backend = make_backend(driver="libav", options=f"options = {{ threads = {threads} }}")
    count, copied = play(*names, backend=backend)
    assert count == sum(len(clips.reference(clips.clip(name).path)) for name in names)
    assert copied <= 20 * (len(names) - 1)


@pytest.mark.parametrize("name", ["h264-10", "h264-444", "vp9-10"])
def test_pictures_without_a_name_are_refused(name, programs, start, codecs, tmp_path):
    clip = clips.clip(name)
    units = b"".join(len(unit.octets).to_bytes(4, "little") + unit.octets for unit in clip.units)
    (tmp_path / "units").write_bytes(units)
    component = f"OMX.paracore.video_decoder.{ROLES[clip.codec]}"
    words = [component, tmp_path / "units", tmp_path / "pictures", "refused"]
    assert "refused" in finish(start(programs / "test-omx-play", *words, backend=codecs), 30)


# --- unmodified programs ------------------------------------------------------------------------


@pytest.fixture
def client(start, gst_registry, tmp_path):
    """Runs a program that finds the core as a user has set it up."""
    folder = tmp_path / "gst-omx"
    folder.mkdir()
    config = "".join(
        f"[{name}]\ntype-name={kind}\ncore-name={CORE}\ncomponent-name=OMX.paracore.{role}\nrank=0\n"
        "in-port-index=0\nout-port-index=1\n\n"
        for name, (kind, role) in SECTIONS.items()
    )
    (folder / "gstomx.conf").write_text(config, encoding="utf-8")
    registry = {"GST_OMX_CONFIG_DIR": str(folder), "GST_REGISTRY": str(gst_registry)}

    def launch(*words, backend, env=None):
        if shutil.which(str(words[0])) is None:
            pytest.skip(f"there is no {words[0]} here: packaging/install-packages test")
        return start(*words, backend=backend, env=registry | (env or {}), cwd=tmp_path)

    return launch


@pytest.fixture
def gst(client):
    """gst-launch with gst-omx."""
    if not any(Path("/usr/lib").glob(f"*/{PLUGIN}")):
        pytest.skip("there is no gst-omx here: packaging/install-packages test")

    def launch(pipeline, *, backend, env=None):
        return client("gst-launch-1.0", "-q", *pipeline.split(), backend=backend, env=env)

    return launch


@pytest.fixture
def h264_omx(client):
    """ffmpeg, if it has the encoder."""
    if shutil.which("ffmpeg") is None or "h264_omx" not in said("ffmpeg", "-v", "error", "-encoders"):
        pytest.skip("there is no ffmpeg with h264_omx here: packaging/install-packages test")

    def encode(*words, backend, env=None):
        command = ["ffmpeg", "-nostdin", "-v", "error", "-y", *words[:-1], "-c:v", "h264_omx", "-omx_libname", CORE]
        return client(*command, words[-1], backend=backend, env=env)

    return encode


@pytest.fixture(scope="module")
def codecs(pytestconfig):
    """A backend with codecs that the tests share. With more threads a rate is not kept the same way twice."""
    from tests.integration.backends import Backend, Elsewhere

    if address := pytestconfig.getoption("--socket"):
        yield Elsewhere(address, driver="libav")
        return
    started = Backend(driver="libav", options="options = { threads = 1 }").start()
    yield started
    started.remove()


@pytest.mark.parametrize(
    ("name", "elements"),
    [
        ("h264", "h264parse ! omxh264dec"),
        ("h264-baseline", "h264parse ! omxh264dec"),
        ("h264-refs", "h264parse ! omxh264dec"),
        ("h264-interlaced", "h264parse ! omxh264dec"),
        ("mpeg2", "mpegvideoparse ! omxmpeg2videodec"),
        ("mpeg4", "mpeg4videoparse ! omxmpeg4videodec"),
        ("mjpeg", "jpegparse ! omxmjpegdec"),
    ],
)
def test_gst_omx_decodes_what_ffmpeg_does(name, elements, gst, codecs, tmp_path):
    clip = clips.clip(name)
    finish(gst(f"filesrc location={clip.path} ! {elements} ! filesink location=out.yuv", backend=codecs), 60)
    reference = decoded(clip.path, tmp_path, "yuvj420p" if name == "mjpeg" else "yuv420p")
    assert pictures(tmp_path / "out.yuv", (176, 144)) == pictures(reference, (176, 144))


def test_gst_omx_decodes_a_film_with_its_times(gst, codecs, tmp_path):
    path = film(tmp_path)
    finish(
        gst(f"filesrc location={path} ! qtdemux ! h264parse ! omxh264dec ! filesink location=out.yuv", backend=codecs),
        60,
    )
    assert pictures(tmp_path / "out.yuv", (176, 144)) == pictures(decoded(path, tmp_path), (176, 144))


@pytest.mark.usefixtures("gst")
def test_gst_omx_seeks(client, codecs, tmp_path):
    path = film(tmp_path)
    words = player(f"filesrc location={path} ! qtdemux ! h264parse ! omxh264dec ! {SINK}")
    check_player(finish(client(*words, backend=codecs), 60), reference(path, tmp_path, (176, 144)))


def test_gst_omx_follows_a_stream_that_changes_its_size(gst, codecs, tmp_path):
    first = film(tmp_path, "-f", "h264", size="176x144", seconds=1).rename(tmp_path / "first.h264")
    second = film(tmp_path, "-f", "h264", size="320x240", seconds=1).rename(tmp_path / "second.h264")
    both = tmp_path / "both.h264"
    both.write_bytes(first.read_bytes() + second.read_bytes() + first.read_bytes())
    finish(gst(f"filesrc location={both} ! h264parse ! omxh264dec ! filesink location=out.yuv", backend=codecs), 60)
    small, large = decoded(first, tmp_path).read_bytes(), decoded(second, tmp_path).read_bytes()
    assert (tmp_path / "out.yuv").read_bytes() == small + large + small


def test_gst_omx_encodes_as_the_device_does(gst, codecs, tmp_path):
    source = "videotestsrc num-buffers=60 ! video/x-raw,format=I420,width=320,height=240,framerate=25/1"
    branches = "queue ! omxh264enc ! h264parse ! filesink location=out.h264 t. ! queue ! filesink location=source.yuv"
    finish(gst(f"{source} ! tee name=t ! {branches}", backend=codecs), 60)
    raw = tmp_path / "source.yuv"
    assert raw.stat().st_size == 60 * 320 * 240 * 3 // 2
    shown = raw_pictures(tmp_path / "out.h264", tmp_path / "out.yuv")
    assert shown == coded_directly(raw, codecs, tmp_path, gop=250)
    assert psnr(raw, tmp_path / "out.yuv", (320, 240)) > 35


def test_an_encoder_that_the_device_has_no_room_for(gst, make_backend, monkeypatch):
    monkeypatch.setenv("GST_DEBUG", "omx*:2")
    backend = make_backend(driver="libav", device=f"pixel_rate = {320 * 240 * 24}")
    source = "videotestsrc num-buffers=5 ! video/x-raw,format=I420,width=320,height=240,framerate=25/1"
    process = gst(f"{source} ! omxh264enc ! fakesink", backend=backend)
    output, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "nsufficient resources" in output


@pytest.mark.parametrize(("rate", "code"), [("24", 0), ("25", 1)])
def test_a_decoder_whose_rate_somebody_else_says(rate, code, *, gst, make_backend, tmp_path, monkeypatch):
    monkeypatch.setenv("PARACORE_RATE", rate)
    backend = make_backend(driver="libav", device=f"pixel_rate = {176 * 144 * 24}")
    path = film(tmp_path)
    process = gst(f"filesrc location={path} ! qtdemux ! h264parse ! omxh264dec ! fakesink", backend=backend)
    process.communicate(timeout=60)
    assert process.returncode == code


@pytest.mark.parametrize(("room", "code"), [(25, 0), (24, 1)])
def test_gst_omx_declares_the_rate_of_what_it_decodes(room, code, *, gst, make_backend, tmp_path, monkeypatch):
    """And the size, so that it is refused before it begins."""
    monkeypatch.setenv("GST_DEBUG", "omx*:2")
    backend = make_backend(driver="libav", device=f"pixel_rate = {176 * 144 * room}")
    process = gst(f"filesrc location={film(tmp_path)} ! qtdemux ! h264parse ! omxh264dec ! fakesink", backend=backend)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == code
    assert ("nsufficient resources" in output) == bool(code)


def test_a_client_that_writes_the_default_rate_back_declares_nothing(play, make_backend):
    count, _ = play("h264", backend=make_backend(driver="libav", device="pixel_rate = 1"))
    assert count == 20


@pytest.fixture
def source(tmp_path):
    """Two seconds of raw pictures."""
    raw = tmp_path / "source.yuv"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=320x240:r=25:d=2", "-pix_fmt", "yuv420p", "-f", "rawvideo", raw)
    return raw


def of_source(source):
    return ["-f", "rawvideo", "-s", "320x240", "-r", "25", "-i", source, "-b:v", "1M"]


@pytest.mark.parametrize("words", ["out.mp4", "out.h264", "-zerocopy 1 out.mp4", "-zerocopy 1 out.h264"])
def test_ffmpeg_encodes_as_the_device_does(words, source, h264_omx, codecs, tmp_path):
    """Also into a file whose header wants the parameter sets before the first picture."""
    finish(h264_omx(*of_source(source), *words.split(), backend=codecs), 60)
    shown = raw_pictures(tmp_path / words.split()[-1], tmp_path / "out.yuv")
    assert shown == coded_directly(source, codecs, tmp_path, gop=12, bitrate=1_000_000)
    assert psnr(source, tmp_path / "out.yuv", (320, 240)) > 35


@pytest.mark.parametrize(
    ("properties", "keys", "types", "profile"),
    [
        ("periodicity-idr=10 interval-intraframes=10", range(0, 60, 10), "IP", "High"),
        ("periodicity-idr=20", range(0, 60, 20), "IP", "High"),
        ("interval-intraframes=15", range(0, 60, 16), "IP", "High"),
        ("b-frames=20 interval-intraframes=29", range(0, 60, 30), "BIP", "High"),
        ("! video/x-h264,profile=main", [0], "IP", "Main"),
        ("! video/x-h264,profile=baseline", [0], "IP", "Constrained Baseline"),
        ("control-rate=disable quant-i-frames=40", [0], "IP", "High"),
        ("control-rate=constant target-bitrate=200000", [0], "IP", "High"),
    ],
)
def test_gst_omx_asks_for_settings(properties, keys, types, profile, gst, codecs, tmp_path):  # noqa: PLR0917
    source = "videotestsrc num-buffers=60 ! video/x-raw,format=I420,width=320,height=240,framerate=25/1"
    finish(gst(f"{source} ! omxh264enc {properties} ! filesink location=out.h264", backend=codecs), 60)
    entries = "stream=profile:frame=key_frame,pict_type"
    shown = said("ffprobe", "-v", "error", "-show_entries", entries, tmp_path / "out.h264")
    assert [n for n, key in enumerate(re.findall(r"key_frame=(\d)", shown)) if key == "1"] == list(keys)
    assert "".join(sorted(set(re.findall(r"pict_type=(\w)", shown)))) == types
    assert f"profile={profile}\n" in shown


def test_gst_omx_codes_pictures_that_are_as_large_as_raw_ones(gst, codecs, tmp_path):
    source = "videotestsrc num-buffers=5 pattern=snow ! video/x-raw,format=I420,width=320,height=240,framerate=25/1"
    fine = " ".join(f"quant-{kind}-frames=1" for kind in "ipb")
    finish(gst(f"{source} ! omxh264enc control-rate=disable {fine} ! filesink location=out.h264", backend=codecs), 60)
    assert len(raw_pictures(tmp_path / "out.h264", tmp_path / "out.yuv")) == 5 * 320 * 240 * 3 // 2
    assert (tmp_path / "out.h264").stat().st_size > 5 * 320 * 240 // 2


def test_gst_omx_codes_what_gst_omx_decodes(gst, codecs, tmp_path):
    """Neither waits for the other's buffers."""
    path = film(tmp_path)
    elements = "qtdemux ! h264parse ! omxh264dec ! omxh264enc ! h264parse ! filesink location=out.h264"
    finish(gst(f"filesrc location={path} ! {elements}", backend=codecs), 60)
    assert len(raw_pictures(tmp_path / "out.h264", tmp_path / "out.yuv")) == 75 * 176 * 144 * 3 // 2


def test_ffmpeg_asks_for_key_frames(source, h264_omx, codecs, tmp_path):
    coded = tmp_path / "out.mp4"
    finish(h264_omx(*of_source(source), "-force_key_frames", "0.28,1", "-g", "100", coded, backend=codecs), 60)
    shown = said("ffprobe", "-v", "error", "-show_entries", "frame=key_frame", coded)
    assert [n for n, key in enumerate(re.findall(r"key_frame=(\d)", shown)) if key == "1"] == [0, 7, 25]


def test_ffmpeg_asks_for_a_profile(source, h264_omx, codecs, tmp_path):
    coded = tmp_path / "out.mp4"
    finish(h264_omx(*of_source(source), "-profile:v", "main", "-g", "10", coded, backend=codecs), 60)
    shown = said("ffprobe", "-v", "error", "-show_entries", "stream=profile,has_b_frames:frame=key_frame", coded)
    assert "profile=Main" in shown
    assert "has_b_frames=0" in shown
    assert [n for n, key in enumerate(re.findall(r"key_frame=(\d)", shown)) if key == "1"] == [0, 10, 20, 30, 40]


ENDLESS = {
    "decoder": "filesrc location={film} ! qtdemux ! h264parse ! omxh264dec ! fakesink sync=true",
    "fast decoder": "filesrc location={film} ! qtdemux ! h264parse ! omxh264dec ! identity sleep-time=2000 ! fakesink",
    "encoder": "videotestsrc is-live=true ! video/x-raw,format=I420 ! omxh264enc ! fakesink",
    "fast encoder": "videotestsrc ! video/x-raw,format=I420 ! omxh264enc ! fakesink",
}


@pytest.mark.alone
@pytest.mark.parametrize("kind", ENDLESS)
def test_gst_omx_ends_with_an_error_when_the_backend_is_killed(kind, gst, make_backend, tmp_path):
    backend = make_backend(driver="libav")
    path = film(tmp_path, size="64x64", seconds=60) if "decoder" in kind else None
    process = gst(ENDLESS[kind].format(film=path), backend=backend, env=TOLD)
    expect_orderly_end(process, backend)


@pytest.mark.alone
@pytest.mark.parametrize("options", [["-re"], []])
def test_ffmpeg_ends_with_an_error_when_the_backend_is_killed(options, h264_omx, make_backend):
    backend = make_backend(driver="libav")
    process = h264_omx(
        *options, "-f", "lavfi", "-i", "testsrc2=s=320x240", "-f", "null", "-", backend=backend, env=TOLD
    )
    expect_orderly_end(process, backend)


def expect_orderly_end(process, backend):
    """It plays, and a second after the backend has gone it says why it ends."""
    wait_until(lambda: played(backend) or process.poll() is not None, "it does not begin")
    assert process.poll() is None, process.communicate()[0]
    killed = kill_all(backend)
    try:
        output, _ = process.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        pytest.fail(f"it hangs: {process.communicate()[0]}")
    assert time.monotonic() - killed < 1, output
    assert process.returncode == 1, output
    assert "error" in output.casefold(), output


# --- a worker is killed, and the client goes on --------------------------------------------------


def test_gst_omx_decodes_on_when_its_worker_is_killed_twice(gst, make_backend, tmp_path):
    backend, path, out = make_backend(driver="libav"), film(tmp_path), tmp_path / "out.yuv"
    slowly = f"identity sleep-time=20000 ! videocodectestsink location={out}"
    process = gst(f"filesrc location={path} ! qtdemux ! h264parse ! omxh264dec ! {slowly}", backend=backend)
    for count in (10, 20):
        wait_until(lambda many=count: played(backend) >= many, "it does not play", 20)
        kill_worker(backend)
    finish(process, 40)
    assert out.read_bytes() == decoded(path, tmp_path).read_bytes()


def test_gst_omx_encodes_on(gst, make_backend, tmp_path):
    """With a key picture; of pictures that the codec had taken in few are lost."""
    backend, out = make_backend(driver="libav"), tmp_path / "out.h264"
    source = "videotestsrc num-buffers=90 is-live=true ! video/x-raw,format=I420,framerate=60/1"
    process = gst(f"{source} ! omxh264enc ! h264parse ! filesink location={out}", backend=backend)
    wait_until(lambda: played(backend) >= 20, "it does not play", 20)
    kill_worker(backend)
    finish(process, 40)
    shown = said("ffprobe", "-v", "error", "-show_entries", "frame=key_frame", "-of", "csv=p=0", out).split()
    assert 80 <= len(shown) <= 90
    assert any(line.startswith("1") for line in shown[20:])
