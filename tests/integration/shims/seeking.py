# SPDX-License-Identifier: Apache-2.0
"""A player that seeks, made with GStreamer's Python bindings, and what it must have shown.

Pictures leave the pipeline as YV12: no decoder makes that, so that each is repacked without a gap or a stride.
"""

import hashlib
import subprocess

import pytest

from tests.integration.shims.references import decoded

PYTHON = "/usr/bin/python3"
PLACES = (30, 10, 60, 0, 48, 25)
SINK = "videoconvert ! video/x-raw,format=YV12 ! appsink name=sink sync=false"

_PLAYER = """
import hashlib, sys
import gi
gi.require_version("Gst", "1.0")
from gi.repository import Gst
Gst.init(None)
pipeline = Gst.parse_launch(sys.argv[1])
sink = pipeline.get_by_name("sink")

def show():
    sample = sink.emit("try-pull-sample", 10 * Gst.SECOND)
    if sample:
        buffer = sample.get_buffer()
        number = round(sample.get_segment().to_stream_time(Gst.Format.TIME, buffer.pts) * 25 / Gst.SECOND)
        print("picture", number, hashlib.md5(buffer.extract_dup(0, buffer.get_size())).hexdigest(), flush=True)
    return sample

pipeline.set_state(Gst.State.PAUSED)
assert pipeline.get_state(10 * Gst.SECOND)[0] == Gst.StateChangeReturn.SUCCESS
pipeline.set_state(Gst.State.PLAYING)
for place in map(int, sys.argv[2:]):
    for _ in range(3):
        assert show()
    flags = Gst.SeekFlags.FLUSH | Gst.SeekFlags.ACCURATE
    assert pipeline.seek_simple(Gst.Format.TIME, flags, place * Gst.SECOND // 25)
    assert pipeline.get_state(10 * Gst.SECOND)[0] == Gst.StateChangeReturn.SUCCESS
    print("seek", place, flush=True)
while show():
    pass
assert sink.get_property("eos")
pipeline.set_state(Gst.State.NULL)
"""


def player(pipeline):
    """The words of a command that plays a pipeline with ``SINK`` at its end, with a seek after every third picture."""
    probe = [PYTHON, "-c", "import gi; gi.require_version('GstApp', '1.0')"]
    if subprocess.run(probe, check=False, capture_output=True).returncode:
        pytest.skip("there is no PyGObject with GStreamer here: packaging/install-packages test")
    return [PYTHON, "-c", _PLAYER, pipeline, *map(str, PLACES)]


def shown(output):
    """The pictures between seeks, each with its number; the seek's place stands before those that follow it."""
    pieces = [(0, [])]
    for line in output.splitlines():
        match line.split():
            case ["seek", place]:
                pieces.append((int(place), []))
            case ["picture", number, digest]:
                pieces[-1][1].append((int(number), digest))
    return pieces


def reference(path, folder, size):
    """Digests of all pictures of a film as ffmpeg decodes it."""
    octets, luma = decoded(path, folder).read_bytes(), size[0] * size[1]
    pictures = [octets[at : at + luma * 3 // 2] for at in range(0, len(octets), luma * 3 // 2)]
    swapped = (each[:luma] + each[luma * 5 // 4 :] + each[luma : luma * 5 // 4] for each in pictures)
    return [hashlib.md5(each).hexdigest() for each in swapped]


def check_player(output, digests):
    """After each seek the first picture is the one that was asked for; none is missing, and all are ffmpeg's."""
    pieces = shown(output)
    assert [place for place, _ in pieces] == [0, *PLACES], output
    for place, pictures in pieces[:-1]:
        assert pictures == [(number, digests[number]) for number in range(place, place + 3)]
    last, pictures = pieces[-1]
    assert pictures == list(enumerate(digests))[last:]
