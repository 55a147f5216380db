# SPDX-License-Identifier: Apache-2.0
"""Players that seek on /dev/videoN: each picture after each seek is the software decoder's."""

import sys

import av
import pytest

from tests.integration.shims.references import film
from tests.integration.shims.seeking import SINK, check_player, player, reference

pytestmark = pytest.mark.timeout(120)

_SEEK = """
import hashlib, sys
import av

def digest(picture):
    return hashlib.md5(picture.to_ndarray()).hexdigest()

with av.open(sys.argv[1]) as film:
    stream = film.streams.video[0]
    decoder = av.CodecContext.create(sys.argv[2], "r")
    decoder.extradata = stream.codec_context.extradata
    decoder.width, decoder.height, decoder.pix_fmt = stream.width, stream.height, "yuv420p"
    decoder.options = {"pkt_timebase": str(stream.time_base)}

    def play(enough):
        count = 0
        for packet in film.demux(stream):
            for picture in decoder.decode(packet if packet.size else None):
                print("picture", picture.pts, digest(picture))
                count += 1
            if count >= enough:
                return

    play(5)
    for place in map(int, sys.argv[3:]):
        film.seek(int(place / 25 / stream.time_base), stream=stream)
        decoder.flush_buffers()
        print("seek", place)
        play(40)
    play(sys.maxsize)
"""
PLACES = (50, 3, 125, 20, 0, 88)
SPOOLED = 16
"""Units that the shim takes from a program before the codec does: native/shims/v4l2/spool.h."""


@pytest.fixture
def device(make_backend):
    return make_backend(driver="libav")


@pytest.fixture
def run(preloaded, device):
    def launch(*words):
        done = preloaded(*words, address=device.address)
        assert done.returncode == 0, f"{words[0]}: {done.stderr[-2000:]}"
        return done.stdout

    return launch


def played(output):
    """What was shown between seeks: each picture's time and digest."""
    pieces = [[]]
    for line in output.splitlines():
        word, *rest = line.split()
        if word == "seek":
            pieces.append([])
        else:
            pieces[-1].append((int(rest[0]), rest[1]))
    return pieces


def key_before(path, place):
    """The time of the key frame that a seek to a place, in pictures, leads to."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        times = [packet.pts for packet in container.demux(stream) if packet.is_keyframe]
        return max(time for time in times if time * stream.time_base * 25 <= place)


def test_pyav_seeks(run, tmp_path):
    """libavcodec's V4L2 decoders have no flush: those pictures come first whose packets they had got before."""
    path = film(tmp_path, seconds=8)
    first, *pieces = played(run(sys.executable, "-c", _SEEK, path, "h264_v4l2m2m", *PLACES))
    (plain,) = played(run(sys.executable, "-c", _SEEK, path, "h264"))
    assert len(plain) == 200
    assert first == plain[: len(first)]
    assert len(pieces) == len(PLACES)
    for place, piece in zip(PLACES, pieces, strict=True):
        times = [time for time, _ in plain]
        start = times.index(key_before(path, place))
        begin = [time for time, _ in piece].index(times[start])
        before, after = piece[:begin], piece[begin:]
        assert set(before) <= set(plain)
        assert len(before) < SPOOLED + 8  # and those in the codec
        assert after == plain[start : start + len(after)]
        assert len(after) > 8
    assert pieces[-1][-1] == plain[-1]


def test_gstreamer_seeks(run, tmp_path):
    path = film(tmp_path)
    words = player(f"filesrc location={path} ! qtdemux ! h264parse ! v4l2h264dec ! {SINK}")
    check_player(run(*words), reference(path, tmp_path, (176, 144)))
