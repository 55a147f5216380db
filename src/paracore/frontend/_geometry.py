# SPDX-License-Identifier: Apache-2.0
"""Where the visible samples of a picture lie, from the format on the wire.

The backend is not trusted: a format whose planes do not fit into its span is refused here, before
anybody looks through it at memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from paracore._errors import RemoteProtocolError
from paracore.frontend._formats import PIXEL_LAYOUTS, PlaneLayout

if TYPE_CHECKING:
    from paracore.classes import video

__all__ = ["Crop", "PlaneGeometry", "check_format", "plane_geometry"]

#: Octets in a picture's rows and planes are counted in Python's integers, but a stride beyond this
#: cannot be meant: it is ``dimension_max`` with four samples of four octets.
_STRIDE_MAX = 16384 * 16
#: Spans that a device may want at least: each codec thread may hold some, and there are not that many.
_BUFFERS_MAX = 1024


class Crop(NamedTuple):
    """The visible part of a coded picture."""

    left: int
    top: int
    width: int
    height: int


class PlaneGeometry(NamedTuple):
    """A plane as NumPy's array interface describes it, at an offset into a span."""

    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    typestr: str


def check_format(form: video.PictureFormat) -> None:
    """Raises ``RemoteProtocolError`` for a format that cannot be."""
    layout = PIXEL_LAYOUTS.get(form.pixel_format.name.lower())
    if layout is None or len(layout.planes) != form.plane_count:
        raise RemoteProtocolError(f"a format of {form.plane_count} planes for {form.pixel_format.name.lower()}")
    if form.buffers_min > _BUFFERS_MAX:
        raise RemoteProtocolError(f"a format that wants {form.buffers_min} spans")
    _check_crop(form, Crop(form.crop_left, form.crop_top, form.width, form.height))
    for plane, offset, stride in zip(layout.planes, form.plane_offset, form.plane_stride, strict=False):
        rows, columns, channels = plane.shape(form.coded_width, form.coded_height)
        row = columns * channels * layout.sample_size
        if not row <= stride <= _STRIDE_MAX or offset + stride * (rows - 1) + row > form.size:
            raise RemoteProtocolError("a format whose planes do not fit into its size")


def plane_geometry(form: video.PictureFormat, crop: Crop) -> tuple[PlaneGeometry, ...]:
    """The planes of the visible part of a picture.

    Raises:
        RemoteProtocolError: it is not within the coded picture.
    """
    _check_crop(form, crop)
    layout = PIXEL_LAYOUTS[form.pixel_format.name.lower()]
    typestr = "|u1" if layout.sample_size == 1 else "<u2"
    return tuple(
        _plane(plane, crop, offset=offset, stride=stride, sample=layout.sample_size, typestr=typestr)
        for plane, offset, stride in zip(layout.planes, form.plane_offset, form.plane_stride, strict=False)
    )


def _plane(plane: PlaneLayout, crop: Crop, *, offset: int, stride: int, sample: int, typestr: str) -> PlaneGeometry:
    rows, columns, channels = plane.shape(crop.width, crop.height)
    pixel = channels * sample
    first = offset + (crop.top >> plane.height_shift) * stride + (crop.left >> plane.width_shift) * pixel
    if channels == 1:
        return PlaneGeometry(first, (rows, columns), (stride, sample), typestr)
    return PlaneGeometry(first, (rows, columns, channels), (stride, pixel, sample), typestr)


def _check_crop(form: video.PictureFormat, crop: Crop) -> None:
    fits = crop.left + crop.width <= form.coded_width and crop.top + crop.height <= form.coded_height
    if not (fits and crop.width and crop.height):
        raise RemoteProtocolError("a picture whose visible part is not within its coded one")
