# SPDX-License-Identifier: Apache-2.0
import io
from fractions import Fraction
from struct import pack

import pytest

from paracore import EncodedPacket, MediaError
from paracore.media import Muxer, demux


def frame(number, *, size=None):
    body = bytes([number]) * (10 + number)
    flags = 1 << 10 if number % 4 == 0 else 0
    length = len(body) if size is None else size
    return pack(">8s9I", b"\x4f" * 4 + b"\xff" * 4, 3, 640, 360, flags, 0, 0, 0, 0, length) + body


FRAMES = [frame(number) for number in range(6)]


def test_frames_go_in_and_come_out(tmp_path):
    path = tmp_path / "x.fwht"
    with Muxer(path, "fwht", width=640, height=360, time_base=Fraction(1, 25)) as muxer:
        for number, octets in enumerate(FRAMES):
            muxer.write(EncodedPacket(octets, number, number, 1, number == 0))
    assert path.read_bytes() == b"".join(FRAMES)
    with demux(path) as stream:
        assert (stream.codec, stream.width, stream.height, stream.time_base) == ("fwht", 640, 360, Fraction(1, 25))
        packets = list(stream)
        assert not stream.cut_short
    assert [bytes(packet.data) for packet in packets] == FRAMES
    assert [packet.timestamp for packet in packets] == [0, 1, 2, 3, 4, 5]
    assert [packet.key for packet in packets] == [True, False, False, False, True, False]


def test_a_file_object_needs_the_codec_s_name():
    with demux(io.BytesIO(FRAMES[0]), codec="fwht") as stream:
        assert len(list(stream.packets)) == 1


@pytest.mark.parametrize("missing", [3, 20])
def test_what_is_cut_short_is_told(missing):
    with demux(io.BytesIO(b"".join(FRAMES)[:-missing]), codec="fwht") as stream:
        assert len(list(stream)) == 5
        assert stream.cut_short


@pytest.mark.parametrize(
    "octets",
    [b"", b"some other file, which is longer than a header", frame(0, size=1 << 30)],
    ids=["empty", "other", "huge"],
)
def test_what_it_is_not(octets):
    with pytest.raises(MediaError):
        demux(io.BytesIO(octets), codec="fwht")


def test_corrupt_in_the_middle():
    with demux(io.BytesIO(FRAMES[0] + FRAMES[1] + b"x" * 60), codec="fwht") as stream, pytest.raises(MediaError):
        list(stream)


def test_no_other_container_holds_it(tmp_path):
    with pytest.raises(MediaError, match=r"try \.fwht"):
        Muxer(tmp_path / "x.mp4", "fwht", width=640, height=360, time_base=Fraction(1, 25))
