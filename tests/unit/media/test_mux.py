# SPDX-License-Identifier: Apache-2.0
from fractions import Fraction

import pytest

from paracore import EncodedPacket, MediaError
from paracore.media import Muxer, demux
from tests.clips import reference
from tests.unit.media.films import film


def remux(name, target):
    """Puts a film's packets into another file."""
    with demux(film(name)) as stream:
        packets = list(stream)
    with Muxer(
        target, stream.codec, width=stream.width, height=stream.height, time_base=stream.time_base, rate=stream.rate
    ) as muxer:
        for number, packet in enumerate(packets):  # no film here has B-frames
            stamp = number if packet.timestamp is None else packet.timestamp
            muxer.write(EncodedPacket(bytes(packet.data), stamp, stamp, packet.duration, packet.key))


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("h264.avi", "x.mp4"),
        ("h264.avi", "x.mkv"),
        ("h264.avi", "x.h264"),
        ("h264.avi", "x.ts"),
        ("vp8.webm", "x.ivf"),
        ("vp9.webm", "x.mp4"),
        ("vp9.webm", "x.webm"),
        ("av1.ivf", "x.mkv"),
        ("av1.ivf", "x.mp4"),
        ("mjpeg.avi", "x.mkv"),
        ("mpeg4.avi", "x.mp4"),
    ],
)
def test_ffmpeg_decodes_the_same_pictures(tmp_path, name, target):
    remux(name, str(tmp_path / target))
    assert [digest for _, digest in reference(tmp_path / target)] == [digest for _, digest in reference(film(name))]


@pytest.mark.parametrize(("name", "target"), [("h264.avi", "x.264"), ("hevc.hevc", "x.265"), ("vp9.webm", "x.es")])
def test_bare_streams(tmp_path, name, target):
    remux(name, str(tmp_path / target))
    with demux(tmp_path / target) as stream:
        assert stream.codec == name.partition(".")[0].replace("webm", "vp9")
        assert len(list(stream)) == 20


def test_an_unknown_container_is_told(tmp_path):
    with pytest.raises(MediaError, match=r"x\.xyz: no container is known.*\.mp4"):
        Muxer(tmp_path / "x.xyz", "h264", width=16, height=16, time_base=Fraction(1, 25))


def test_a_container_that_cannot_hold_it_is_told(tmp_path):
    with pytest.raises(MediaError, match="cannot hold h264"):
        Muxer(tmp_path / "x.webm", "h264", width=16, height=16, time_base=Fraction(1, 25))


def test_no_such_folder(tmp_path):
    with pytest.raises(FileNotFoundError):
        remux("h264.avi", str(tmp_path / "no" / "x.mp4"))
