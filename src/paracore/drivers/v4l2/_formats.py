# SPDX-License-Identifier: Apache-2.0
"""The kernel's formats beside the wire's: codecs, layouts of samples, colours. Tables, and their arithmetic."""

from __future__ import annotations

from ctypes import string_at
from typing import TYPE_CHECKING, Final, NamedTuple

from paracore.classes.video import Codec, FieldOrder, PictureFormat, PixelFormat
from paracore.drivers.v4l2._uapi import BufferFlag

if TYPE_CHECKING:
    from paracore.drivers.v4l2._node import RawFormat

__all__ = ["CODECS", "PIXELS", "Layout", "colours", "fourcc", "kernel_colours", "key_of", "layout_of"]

PAGE: Final = 4096


def fourcc(text: str) -> int:
    """A format's number from its four characters."""
    return int.from_bytes(text.encode(), "little")


CODECS: Final[dict[int, Codec]] = {
    fourcc("H264"): Codec.H264,
    fourcc("HEVC"): Codec.HEVC,
    fourcc("VP80"): Codec.VP8,
    fourcc("VP90"): Codec.VP9,
    fourcc("AV10"): Codec.AV1,
    fourcc("MPG1"): Codec.MPEG2,
    fourcc("MPG2"): Codec.MPEG2,
    fourcc("MPG4"): Codec.MPEG4,
    fourcc("MJPG"): Codec.MJPEG,
    fourcc("JPEG"): Codec.MJPEG,
    fourcc("FWHT"): Codec.FWHT,
}


class _Plane(NamedTuple):
    """A plane of samples beside the picture: its size is divided so, its stride is the first one's times this."""

    rows: int
    stride: tuple[int, int]


_LUMA = _Plane(1, (1, 1))
_HALF = _Plane(2, (1, 2))
_PAIRS = _Plane(2, (1, 1))
_HALF_WIDE = _Plane(1, (1, 2))


class Pixels(NamedTuple):
    """How the kernel lays a format of the wire out; `order` says which plane of the wire comes first."""

    format: PixelFormat
    planes: tuple[_Plane, ...]
    order: tuple[int, ...] = (0, 1, 2)


PIXELS: Final[dict[int, Pixels]] = {
    fourcc("YU12"): Pixels(PixelFormat.YUV420P, (_LUMA, _HALF, _HALF)),
    fourcc("YM12"): Pixels(PixelFormat.YUV420P, (_LUMA, _HALF, _HALF)),
    fourcc("YV12"): Pixels(PixelFormat.YUV420P, (_LUMA, _HALF, _HALF), (0, 2, 1)),
    fourcc("YM21"): Pixels(PixelFormat.YUV420P, (_LUMA, _HALF, _HALF), (0, 2, 1)),
    fourcc("422P"): Pixels(PixelFormat.YUV422P, (_LUMA, _HALF_WIDE, _HALF_WIDE)),
    fourcc("YM16"): Pixels(PixelFormat.YUV422P, (_LUMA, _HALF_WIDE, _HALF_WIDE)),
    fourcc("YM24"): Pixels(PixelFormat.YUV444P, (_LUMA, _LUMA, _LUMA)),
    fourcc("NV12"): Pixels(PixelFormat.NV12, (_LUMA, _PAIRS)),
    fourcc("NM12"): Pixels(PixelFormat.NV12, (_LUMA, _PAIRS)),
    fourcc("P010"): Pixels(PixelFormat.P010LE, (_LUMA, _PAIRS)),
    fourcc("GREY"): Pixels(PixelFormat.GRAY, (_LUMA,)),
    fourcc("Y10 "): Pixels(PixelFormat.GRAY10LE, (_LUMA,)),
}
"""In the order of preference where several carry the same format of the wire."""


class Layout(NamedTuple):
    """A picture in a span.

    Attributes:
        format: as the wire has it.
        pieces: where each memory plane of the kernel's begins, and its length.
    """

    format: PictureFormat
    pieces: tuple[tuple[int, int], ...]


def layout_of(raw: RawFormat, visible: tuple[int, int, int, int], buffers: int, rate: tuple[int, int]) -> Layout:
    """The layout of the kernel's format.

    A span is a whole number of pages, and so is each memory plane: what a device writes into by itself
    shares its pages with nothing else.
    """
    pixels = PIXELS[raw.fourcc]
    pieces, end = [], 0
    for size, _ in raw.planes:
        pieces.append((end, size))
        end += -(-size // PAGE) * PAGE
    offsets, strides = _planes(raw, pixels, [start for start, _ in pieces])
    left, top, width, height = visible
    primaries, transfer, matrix, limits = colours(raw.colour)
    form = PictureFormat(
        pixels.format,
        coded_width=raw.width,
        coded_height=raw.height,
        crop_left=left,
        crop_top=top,
        width=width,
        height=height,
        plane_count=len(pixels.planes),
        plane_offset=_four(offsets),
        plane_stride=_four(strides),
        size=end,
        buffers_min=buffers,
        field_order=FieldOrder.PROGRESSIVE if raw.field in (0, 1) else FieldOrder.UNKNOWN,
        color_primaries=primaries,
        color_transfer=transfer,
        color_matrix=matrix,
        color_range=limits,
        chroma_location=0,
        aspect_num=0,
        aspect_den=1,
        rate_num=rate[0],
        rate_den=rate[1],
    )
    return Layout(form, tuple(pieces))


def _planes(raw: RawFormat, pixels: Pixels, starts: list[int]) -> tuple[list[int], list[int]]:
    """Offsets and strides of the planes of samples, in the wire's order."""
    offsets, strides = [0] * len(pixels.planes), [0] * len(pixels.planes)
    offset = 0
    for number, plane in enumerate(pixels.planes):
        own = len(starts) > 1
        if own:
            offset = starts[number]
        stride = raw.planes[number][1] if own else raw.planes[0][1] * plane.stride[0] // plane.stride[1]
        place = pixels.order[number]
        offsets[place], strides[place] = offset, stride
        offset += stride * -(-raw.height // plane.rows)
    return offsets, strides


def _four(numbers: list[int]) -> tuple[int, int, int, int]:
    one, two, three, four = (numbers + [0] * 4)[:4]
    return one, two, three, four


# --- colours: the kernel's numbers to those of ISO/IEC 23091-2 -----------------------------------------

_PRIMARIES = {1: (6, 6, 6), 3: (1, 1, 1), 5: (4, 4, 6), 6: (5, 5, 6), 7: (1, 13, 6), 8: (1, 13, 6), 10: (9, 14, 9)}
"""Colour space: primaries, and the transfer function and matrix that go with them."""
_TRANSFERS = {1: 1, 2: 13, 4: 7, 5: 8, 7: 16}
_MATRICES = {1: 6, 2: 1, 6: 9, 7: 10, 8: 7}
_RANGES = {1: 2, 2: 1}
_NOTHING = (2, 2, 2)


def colours(kernel: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """Primaries, transfer, matrix and range as the wire has them."""
    space, transfer, encoding, quantization = kernel
    primaries, usual_transfer, usual_matrix = _PRIMARIES.get(space, _NOTHING)
    return (
        primaries,
        _TRANSFERS.get(transfer, usual_transfer),
        _MATRICES.get(encoding, usual_matrix),
        _RANGES.get(quantization, _usual_range(space)),
    )


def _usual_range(space: int) -> int:
    """Full with JPEG's colour space, limited with all others, unknown without one."""
    return (2 if space == 7 else 1) if space else 0


def kernel_colours(form: PictureFormat) -> tuple[int, int, int, int]:
    """The other way, as near as the kernel can say it."""
    space = next((number for number, usual in _PRIMARIES.items() if usual[0] == form.color_primaries), 0)
    transfer = next((number for number, code in _TRANSFERS.items() if code == form.color_transfer), 0)
    encoding = next((number for number, code in _MATRICES.items() if code == form.color_matrix), 0)
    return space, transfer, encoding, {1: 2, 2: 1}.get(form.color_range, 0)


# --- key pictures ---------------------------------------------------------------------------------------

_FWHT_FLAGS: Final = 20
"""Where a frame's flags stand in its header (codec-fwht.h), big-endian; the magic, version, width and height before."""
_FWHT_I_FRAME: Final = 1 << 10


def key_of(coded: int, flags: BufferFlag, address: int, octets: int) -> bool:
    """Whether an encoder's unit is a key picture. vicodec does not say so; its frames do."""
    if flags & (BufferFlag.KEYFRAME | BufferFlag.PFRAME | BufferFlag.BFRAME) or coded != fourcc("FWHT"):
        return bool(flags & BufferFlag.KEYFRAME)
    header = string_at(address, min(octets, _FWHT_FLAGS + 4))
    return bool(int.from_bytes(header[_FWHT_FLAGS:], "big") & _FWHT_I_FRAME)
