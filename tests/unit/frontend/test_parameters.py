# SPDX-License-Identifier: Apache-2.0
import pytest

from paracore.frontend._parameters import HEAD, OCTETS_MAX, SETS_MAX, ParameterSets
from tests import clips

START = b"\0\0\0\1"


def nal(first, *octets):
    return START + bytes([first, *octets])


def kept(codec, *units):
    sets = ParameterSets(codec)
    for unit in units:
        sets.take(memoryview(unit))
    return bytes(sets)


SPS, PPS, SEI, IDR, SLICE = nal(0x67, 1), nal(0x68, 2), nal(0x06, 3), nal(0x65, 4), nal(0x41, 5)


def test_only_parameter_sets_are_kept():
    found = kept("h264", SPS + PPS + SEI + IDR + SLICE).split(b"\0\0\1")
    assert [each.strip(b"\0") for each in found] == [b"", SPS[4:], PPS[4:]]


def test_what_stands_behind_a_slice_is_not_looked_for():
    assert kept("h264", SLICE + SPS) == b""


def test_one_that_is_said_again_is_the_last_said():
    other = nal(0x67, 9)
    found = kept("h264", SPS + PPS, other + SLICE, SPS + IDR)
    assert found.index(SPS) > found.index(other) > found.index(PPS)


def test_a_long_one_is_kept_whole():
    long = nal(0x67, *[7] * 2 * HEAD)
    assert kept("h264", PPS + long + IDR).endswith(long[1:] + b"\0")


def test_a_codec_whose_access_points_have_all():
    assert kept("vp9", SPS + PPS + IDR) == b""


@pytest.mark.parametrize("unit", [b"", b"\0", b"\0\0\1", START, b"\0\0\1\x67"])
def test_fragments(unit):
    assert len(kept("h264", unit)) in (0, 5)


def test_they_are_bounded_in_number():
    assert (
        len(kept("h264", *(nal(0x67, number & 255, number >> 8, 1) for number in range(SETS_MAX + 9)))) == 8 * SETS_MAX
    )


def test_they_are_bounded_in_octets():
    large = bytes([7]) * (OCTETS_MAX // 3)
    assert len(kept("h264", *(nal(0x67, number) + large for number in range(9)))) <= OCTETS_MAX + 9


@pytest.mark.parametrize("name", ["h264", "hevc", "mpeg2", "mpeg4"])
def test_those_of_real_streams_are_at_their_head(name):
    """What is kept of a whole stream makes a decoder's head of it: it is found in its first unit."""
    units = [unit.octets for unit in clips.clip(name).units]
    sets = ParameterSets(name)
    sets.take(memoryview(units[0]))
    assert len(bytes(sets)) > 10
    first = bytes(sets)
    for unit in units[1:]:
        sets.take(memoryview(unit))
    assert len(bytes(sets)) == len(first)
