# SPDX-License-Identifier: Apache-2.0
"""Layouts of pictures: where planes lie, what a span must have, and that a frontend takes it."""

import ctypes

import pytest

from paracore.classes.video import Codec, FieldOrder, PixelFormat
from paracore.drivers.v4l2._formats import (
    CODECS,
    PIXELS,
    colours,
    fourcc,
    kernel_colours,
    key_of,
    layout_of,
)
from paracore.drivers.v4l2._node import RawFormat
from paracore.drivers.v4l2._uapi import BufferFlag
from paracore.frontend._formats import PIXEL_LAYOUTS
from paracore.frontend._geometry import check_format

WIDTH, HEIGHT = 128, 72
ALL = (0, 0, WIDTH, HEIGHT)
NO_COLOUR = (0, 0, 0, 0)


def whole(name, stride):
    """The kernel's format whose planes lie behind each other."""
    pixels = PIXELS[fourcc(name)]
    rows = sum(stride * plane.stride[0] // plane.stride[1] * -(-HEIGHT // plane.rows) for plane in pixels.planes)
    return RawFormat(fourcc(name), WIDTH, HEIGHT, ((rows, stride),), NO_COLOUR, 1)


@pytest.mark.parametrize("name", ["YU12", "YV12", "422P", "NV12", "P010", "GREY", "Y10 "])
@pytest.mark.parametrize("padding", [0, 64])
def test_one_memory_plane(name, padding):
    sample = PIXEL_LAYOUTS[PIXELS[fourcc(name)].format.name.lower()].sample_size
    raw = whole(name, WIDTH * sample + padding)
    layout = layout_of(raw, ALL, 3, (25, 1))
    check_format(layout.format)
    assert layout.pieces == ((0, raw.planes[0][0]),)
    assert layout.format.size % 4096 == 0
    assert 0 <= layout.format.size - raw.planes[0][0] < 4096
    assert layout.format.buffers_min == 3
    last = max(range(layout.format.plane_count), key=lambda plane: layout.format.plane_offset[plane])
    rows = HEIGHT // (2 if name in {"YU12", "YV12", "NV12", "P010"} else 1)
    end = layout.format.plane_offset[last] + layout.format.plane_stride[last] * rows
    assert end == raw.planes[0][0], "the planes fill the buffer"


def test_chroma_the_other_way_round():
    usual, other = (layout_of(whole(name, WIDTH), ALL, 1, (0, 1)).format for name in ("YU12", "YV12"))
    assert usual.pixel_format is other.pixel_format is PixelFormat.YUV420P
    assert usual.plane_offset[1] == other.plane_offset[2]
    assert usual.plane_offset[2] == other.plane_offset[1]


@pytest.mark.parametrize(("name", "count"), [("YM12", 3), ("YM21", 3), ("YM16", 3), ("YM24", 3), ("NM12", 2)])
def test_several_memory_planes(name, count):
    pixels = PIXELS[fourcc(name)]
    strides = [WIDTH * plane.stride[0] // plane.stride[1] for plane in pixels.planes]
    planes = tuple(
        (stride * -(-HEIGHT // plane.rows), stride) for stride, plane in zip(strides, pixels.planes, strict=True)
    )
    layout = layout_of(RawFormat(fourcc(name), WIDTH, HEIGHT, planes, NO_COLOUR, 1), ALL, 1, (0, 1))
    check_format(layout.format)
    assert len(layout.pieces) == count
    assert all(start % 4096 == 0 for start, _ in layout.pieces)
    assert sorted(layout.format.plane_offset[:count]) == [start for start, _ in layout.pieces]


def test_what_is_seen_and_what_is_not():
    form = layout_of(whole("NV12", WIDTH), (2, 4, 100, 50), 1, (0, 1)).format
    assert (form.crop_left, form.crop_top, form.width, form.height) == (2, 4, 100, 50)
    assert (form.coded_width, form.coded_height) == (WIDTH, HEIGHT)


def test_interlaced_is_not_claimed_to_be_known():
    assert layout_of(whole("NV12", WIDTH), ALL, 1, (0, 1)).format.field_order is FieldOrder.PROGRESSIVE
    interlaced = whole("NV12", WIDTH)._replace(field=4)
    assert layout_of(interlaced, ALL, 1, (0, 1)).format.field_order is FieldOrder.UNKNOWN


@pytest.mark.parametrize(
    ("kernel", "wire"),
    [
        ((0, 0, 0, 0), (2, 2, 2, 0)),
        ((3, 0, 0, 0), (1, 1, 1, 1)),
        ((1, 0, 0, 0), (6, 6, 6, 1)),
        ((7, 0, 0, 0), (1, 13, 6, 2)),
        ((10, 7, 6, 1), (9, 16, 9, 2)),
        ((8, 2, 1, 2), (1, 13, 6, 1)),
    ],
)
def test_colours(kernel, wire):
    assert colours(kernel) == wire


def test_colours_go_back():
    form = layout_of(whole("NV12", WIDTH)._replace(colour=(10, 7, 6, 1)), ALL, 1, (0, 1)).format
    assert kernel_colours(form) == (10, 7, 6, 1)
    plain = layout_of(whole("NV12", WIDTH), ALL, 1, (0, 1)).format
    assert kernel_colours(plain) == NO_COLOUR


@pytest.mark.parametrize(
    ("flags", "key"), [(BufferFlag.KEYFRAME, True), (BufferFlag.PFRAME, False), (BufferFlag(0), False)]
)
def test_key_pictures_by_their_flags(flags, key):
    assert key_of(fourcc("H264"), flags, 0, 0) is key


@pytest.mark.parametrize("key", [True, False])
def test_key_pictures_of_a_codec_that_does_not_flag_them(key):
    header = b"\x4f" * 4 + b"\xff" * 4 + bytes(12) + (1 << 10 if key else 1).to_bytes(4, "big") + bytes(20)
    unit = ctypes.create_string_buffer(header)
    assert key_of(fourcc("FWHT"), BufferFlag(0), ctypes.addressof(unit), len(header)) is key


def test_every_codec_of_the_wire_is_known():
    assert set(CODECS.values()) == set(Codec)
