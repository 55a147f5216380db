# SPDX-License-Identifier: Apache-2.0
import pytest

from paracore.media._whole import is_cut_short
from tests.unit.media.films import cut, film

EBML = b"\x1a\x45\xdf\xa3\x80"
SEGMENT = b"\x18\x53\x80\x67"


def check(tmp_path, octets):
    path = tmp_path / "x"
    path.write_bytes(octets)
    return is_cut_short(str(path))


@pytest.mark.parametrize("name", ["h264.mkv", "vp8.webm", "h264.avi", "h264.mp4"])
def test_a_whole_file_is_whole(name):
    assert not is_cut_short(film(name))


@pytest.mark.parametrize("name", ["h264.mkv", "vp8.webm", "h264.avi"])
def test_a_cut_file_is_not(tmp_path, name):
    assert is_cut_short(cut(name, tmp_path, 0.99))


def test_a_segment_of_unknown_size_is_whole(tmp_path):
    assert not check(tmp_path, EBML + SEGMENT + b"\x01" + b"\xff" * 7 + bytes(20))
    assert not check(tmp_path, EBML + SEGMENT + b"\xff" + bytes(20))


def test_a_segments_size_counts(tmp_path):
    assert not check(tmp_path, EBML + SEGMENT + b"\x88" + bytes(8))
    assert check(tmp_path, EBML + SEGMENT + b"\x8c" + bytes(8))


@pytest.mark.parametrize("octets", [b"", b"RIFF", EBML, EBML + SEGMENT, EBML + SEGMENT + bytes(20), b"other"])
def test_what_says_nothing_is_whole(tmp_path, octets):
    assert not check(tmp_path, octets) or octets == b"RIFF"
