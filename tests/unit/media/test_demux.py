# SPDX-License-Identifier: Apache-2.0
import io
from fractions import Fraction
from pathlib import Path

import pytest

from paracore import MediaError
from paracore.media import demux
from tests.unit.media.films import FILMS, cut, film, illustrated, sound

PICTURES = 20


def codec_of(name):
    return name.split(".")[0].split("-")[0] if name[0] in "hvam" and "phic" not in name else "h264"


@pytest.mark.parametrize("name", [each for each in FILMS if each not in {"uneven.mp4", "late.mp4"}])
def test_each_film_comes_in_access_units(name):
    with demux(film(name)) as stream:
        packets = list(stream)
    assert stream.codec == codec_of(name)
    assert stream.rate == 25
    assert len(packets) == PICTURES
    assert packets[0].key
    assert not stream.cut_short
    assert not stream.refused


@pytest.mark.parametrize("name", ["h264.mp4", "hevc.mkv", "h264.flv"])
def test_parameter_sets_come_in_band(name):
    with demux(film(name)) as stream:
        first = bytes(next(stream.packets).data)
    assert first.startswith((b"\0\0\0\1", b"\0\0\1"))
    types = {unit[0] & 31 if stream.codec == "h264" else unit[0] >> 1 & 63 for unit in first.split(b"\0\0\1") if unit}
    assert types >= ({7, 8} if stream.codec == "h264" else {32, 33, 34})


@pytest.mark.parametrize("name", ["mpeg4.mp4", "mpeg4.avi", "mpeg2.mkv"])
def test_sequence_headers_come_in_band(name):
    with demux(film(name)) as stream:
        first = bytes(next(stream.packets).data)
    assert first[:4] in {b"\0\0\1\xb0", b"\0\0\1\xb3"}


def test_what_the_container_says():
    with demux(film("anamorphic.mkv")) as stream:
        assert stream.aspect == Fraction(16, 11)
        assert (stream.width, stream.height) == (176, 144)
        assert stream.time_base == Fraction(1, 1000)
    with demux(film("h264.mp4")) as stream:
        assert stream.frames == PICTURES
    with demux(film("mpeg2.ts")) as stream:
        assert stream.start > 1


def test_a_file_object_will_do():
    with demux(io.BytesIO(Path(film("h264.mkv")).read_bytes())) as stream:
        assert len(list(stream)) == PICTURES


def test_a_bare_stream_can_be_named():
    with demux(io.BytesIO(Path(film("hevc.hevc")).read_bytes()), codec="hevc") as stream:
        assert stream.codec == "hevc"
        assert len(list(stream)) == PICTURES


@pytest.mark.parametrize("octets", [b"hello\n", bytes(range(256)) * 40], ids=["text", "noise"])
def test_what_is_no_media_is_told(tmp_path, octets):
    path = tmp_path / "x.mp4"
    path.write_bytes(octets)
    with pytest.raises(MediaError, match=r"x\.mp4: is not a media file"):
        demux(path)


def test_an_empty_file_is_told(tmp_path):
    (tmp_path / "x.mp4").touch()
    with pytest.raises(MediaError, match=r"x\.mp4: is empty"):
        demux(tmp_path / "x.mp4")


def test_no_file_is_told(tmp_path):
    with pytest.raises(FileNotFoundError):
        demux(tmp_path / "x.mp4")


def test_a_folder_is_told(tmp_path):
    with pytest.raises(IsADirectoryError):
        demux(tmp_path)


@pytest.mark.parametrize("make", [sound, illustrated])
def test_no_video_is_told(make):
    with pytest.raises(MediaError, match="holds no video"):
        demux(make())


def test_a_name_is_never_a_url(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "concat:x").write_bytes(Path(film("h264.mkv")).read_bytes())
    with demux("concat:x") as stream:
        assert len(list(stream)) == PICTURES


@pytest.mark.parametrize("name", ["h264-front.mp4", "h264.mkv", "vp9.webm", "mpeg4.avi"])
def test_a_file_cut_short_is_told(tmp_path, name):
    with demux(cut(name, tmp_path)) as stream:
        packets = list(stream)
    assert 0 < len(packets) < PICTURES
    assert stream.cut_short


def test_a_file_without_its_index_is_told(tmp_path):
    with pytest.raises(MediaError, match="cut short"):
        demux(cut("h264.mp4", tmp_path))


def test_a_corrupt_unit_is_left_out(tmp_path):
    octets = bytearray(Path(film("h264-front.mp4")).read_bytes())
    start = octets.index(b"mdat") + 4
    octets[start + 3000 : start + 3200] = b"\xff" * 200
    (tmp_path / "x.mp4").write_bytes(octets)
    with demux(tmp_path / "x.mp4") as stream:
        packets = list(stream)
    assert len(packets) + stream.refused == PICTURES
