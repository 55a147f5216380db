# SPDX-License-Identifier: Apache-2.0
"""Programs on a backend that lies to the shims: each gets its API's error or correct data, and ends within seconds."""

import os
import shutil
import subprocess
from functools import partial
from pathlib import Path

import pytest

from paracore.classes import video
from tests import clips
from tests.integration.shims.conftest import NATIVE
from tests.integration.shims.liar import FORMAT, OPENING, PACKET, SIZE, WORK, Liar, dies_at, format_set, honest, shade
from tests.integration.shims.lies import EVENTS, FORMATS, HARMLESS, REPLIES, drained_at_any_time

pytestmark = pytest.mark.timeout(60)

SECONDS = 15
COUNT = 20
ALL = bytes(shade(number) for number in range(COUNT))

# --- programs -------------------------------------------------------------------------------------------------

SINK = "fdsink async=false"
"""gst-launch 1.22 waits for ever, now and then, for a pipeline that ends by an error before its sink has anything to begin with."""
I420 = f"videoconvert ! video/x-raw,format=I420 ! {SINK}"
SOURCE = "videotestsrc num-buffers=20 ! video/x-raw,format=I420,width=176,height=144,framerate=25/1"
PICTURES = "ffmpeg -nostdin -v error -f lavfi -i testsrc2=s=176x144:r=25 -frames:v 20 -pix_fmt yuv420p"
DECODERS = {
    "ffmpeg": "ffmpeg -nostdin -v error -c:v h264_v4l2m2m -i {clip} -fps_mode passthrough -f rawvideo -",
    "v4l2h264dec": f"gst-launch-1.0 -q --no-fault filesrc location={{clip}} ! h264parse ! v4l2h264dec ! {I420}",
    "omxh264dec": f"gst-launch-1.0 -q --no-fault filesrc location={{clip}} ! h264parse ! omxh264dec ! {I420}",
}
ENCODERS = {
    "ffmpeg": f"{PICTURES} -c:v h264_v4l2m2m -f rawvideo -",
    "h264_omx": f"{PICTURES} -c:v h264_omx -omx_libname {{core}} -f rawvideo -",
    "v4l2h264enc": f"gst-launch-1.0 -q --no-fault {SOURCE} ! v4l2h264enc ! video/x-h264,profile=high ! {SINK}",
    "omxh264enc": f"gst-launch-1.0 -q --no-fault {SOURCE} ! omxh264enc ! {SINK}",
}

_OMX = """[omxh264{0}]
type-name=GstOMXH264{1}
core-name={2}
component-name=OMX.paracore.video_{3}.avc
rank=0
in-port-index=0
out-port-index=1

"""


_STREAM = """
node=$(v4l2-ctl --list-devices | grep -A 1 '(decoder)' | grep -o '/dev/video.*')
test -n "$node" || exit 2
exec v4l2-ctl -d $node --stream-mmap --stream-out-mmap --stream-from $1 --stream-to /dev/null
"""


@pytest.fixture(scope="module")
def gst_omx(tmp_path_factory):
    """Where gst-omx finds its settings, and GStreamer what it found: looking takes it longer than each of these tests."""
    folder, library = tmp_path_factory.mktemp("gst-omx"), NATIVE / "libparacore-omx.so"
    sections = [_OMX.format("dec", "Dec", library, "decoder"), _OMX.format("enc", "Enc", library, "encoder")]
    (folder / "gstomx.conf").write_text("".join(sections), encoding="utf-8")
    return {"GST_OMX_CONFIG_DIR": str(folder), "GST_REGISTRY": str(folder / "registry.bin")}


@pytest.fixture
def run(tmp_path, gst_omx):
    """Runs a program on a liar to its end, which may be any but a crash."""
    library = NATIVE / "libparacore-omx.so"

    def launch(command, lie=honest, **answers):
        words = command.format(clip=clips.clip("h264").path, core=library).split()
        if shutil.which(words[0]) is None or not any(Path("/usr/lib").glob("*/gstreamer-1.0/libgstomx.so")):
            pytest.skip(f"there is no {words[0]}, or no gst-omx, here: packaging/install-packages test")
        more = dict(gst_omx)
        if "omx" not in command:
            more["LD_PRELOAD"] = str(NATIVE / "libparacore-v4l2.so")
        with Liar(tmp_path, lie, **answers) as backend:
            environment = os.environ | more | {"PARACORE_SOCKET": backend.address}
            done = subprocess.run(words, env=environment, capture_output=True, timeout=SECONDS, check=False)
            assert done.returncode >= 0, (done.returncode, done.stderr[-2000:])
            return done

    return launch


def shades(octets):
    """Of the pictures; each must be of one shade."""
    assert len(octets) % SIZE == 0
    shown = octets[::SIZE]
    assert octets == b"".join(bytes([each]) * SIZE for each in shown)
    return shown


def check_decoded(done):
    """What is shown is right, and in order. That there was more nobody can know whom the backend does not tell."""
    shown = shades(done.stdout)
    assert list(shown) == sorted(set(shown) & set(ALL))


# --- lies that do no harm -------------------------------------------------------------------------------------


@pytest.mark.parametrize("lie", [*HARMLESS, drained_at_any_time])
@pytest.mark.parametrize("program", DECODERS)
def test_a_decoder_that_is_told_too_much(program, lie, run):
    done = run(DECODERS[program], lie)
    if lie is drained_at_any_time:
        check_decoded(done)
        return
    assert done.returncode == 0, done.stderr
    assert shades(done.stdout) == ALL


@pytest.mark.parametrize("lie", HARMLESS)
@pytest.mark.parametrize("program", ENCODERS)
def test_an_encoder_that_is_told_too_much(program, lie, run):
    done = run(ENCODERS[program], lie)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(PACKET) >= COUNT


# --- a worker that dies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("request_", OPENING + WORK)
@pytest.mark.parametrize("program", DECODERS)
def test_a_worker_that_dies_at_any_request_of_a_decoder(program, request_, run):
    """The program does not notice: it goes on with the next one."""
    done = run(DECODERS[program], **dies_at(request_))
    assert done.returncode == 0, done.stderr
    assert shades(done.stdout) == ALL


@pytest.mark.parametrize("request_", [*OPENING, *WORK, "video_format_set", "video_control_set"])
@pytest.mark.parametrize("program", ENCODERS)
def test_a_worker_that_dies_at_any_request_of_an_encoder(program, request_, run):
    """Likewise."""
    done = run(ENCODERS[program], **dies_at(request_))
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(PACKET) >= COUNT


@pytest.mark.parametrize("request_", [*OPENING[:-1], *WORK[:-1]])
@pytest.mark.parametrize("program", ["ffmpeg", "omxh264dec"])
def test_a_worker_that_dies_at_any_request_after_another_has_died(program, request_, run):
    """Likewise, though the stream was about to be taken up again."""
    done = run(DECODERS[program], **dies_at("video_queue_input", request_))
    assert done.returncode == 0, done.stderr
    assert shades(done.stdout) == ALL


@pytest.mark.parametrize("request_", OPENING + WORK)
@pytest.mark.parametrize("program", [*DECODERS, "v4l2h264enc", "omxh264enc"])
def test_a_program_that_is_told_of_its_worker_at_any_request(program, request_, run, monkeypatch):
    """It ends, as programs do that may go wrong with a device: by a word of theirs, and not by a crash.

    Not ffmpeg's encoders: h264_v4l2m2m of 5.1 ends by its own assertion when a drain comes to nothing, and h264_omx waits for
    buffers that it has not given away, when it hears of an error and of its state at once.
    """
    monkeypatch.setenv("PARACORE_ON_LOSS", "fail")
    done = run((ENCODERS | DECODERS)[program], **dies_at(request_))
    assert done.returncode or done.stderr or done.stdout


# --- formats --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", FORMATS)
@pytest.mark.parametrize("program", DECODERS)
def test_a_decoder_whose_format_cannot_be(program, what, run):
    def lie(payload, _count):
        if isinstance(payload, video.SourceChange):
            yield payload._replace(format=FORMAT._replace(**FORMATS[what]))
        else:
            yield payload

    check_decoded(run(DECODERS[program], lie))


@pytest.mark.parametrize("what", FORMATS)
@pytest.mark.parametrize("program", ENCODERS)
def test_an_encoder_whose_format_cannot_be(program, what, run):
    run(ENCODERS[program], video_format_set=partial(format_set, **FORMATS[what]))


# --- events ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", EVENTS)
@pytest.mark.parametrize("program", DECODERS)
def test_a_decoder_whose_events_cannot_be(program, what, run):
    if what == "a storm of formats" and program == "v4l2h264dec":
        pytest.skip("GStreamer 1.22 crashes by itself when a device fails while it sets up its buffers")
    check_decoded(run(DECODERS[program], EVENTS[what]))


@pytest.mark.parametrize("what", EVENTS)
def test_v4l2_ctl_survives_them(what, run, tmp_path):
    script = tmp_path / "stream"
    script.write_text(_STREAM, encoding="utf-8")
    run(f"sh {script} {{clip}}", EVENTS[what])


@pytest.mark.parametrize("what", EVENTS)
@pytest.mark.parametrize("program", ENCODERS)
def test_an_encoder_whose_events_cannot_be(program, what, run):
    run(ENCODERS[program], EVENTS[what])


# --- replies --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", REPLIES)
@pytest.mark.parametrize("program", [*DECODERS, *ENCODERS])
def test_replies_that_cannot_be(program, what, run):
    run((DECODERS | ENCODERS)[program], **REPLIES[what])
