# SPDX-License-Identifier: Apache-2.0
"""Pictures in another pixel format or size, by libswscale in the domain.

The only place in paracore that copies pixels, and only when asked to: a picture that already has the
format goes through untouched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import av
import numpy as np

from paracore._errors import MediaError
from paracore.frontend._formats import PIXEL_LAYOUTS, PixelLayout, PlaneLayout

if TYPE_CHECKING:
    from paracore.media._framehash import Timed
    from paracore.media._raster import Plane

__all__ = ["FILE_LAYOUTS", "Converter", "Image"]


def _packed(channels: int, sample_size: int = 1) -> PixelLayout:
    return PixelLayout((PlaneLayout(0, 0, channels),), sample_size, 8 * sample_size)


#: What a raw file may hold: what devices make, and the packed formats that programs like to read.
FILE_LAYOUTS: dict[str, PixelLayout] = PIXEL_LAYOUTS | {
    "rgb24": _packed(3),
    "bgr24": _packed(3),
    "rgba": _packed(4),
    "bgra": _packed(4),
    "argb": _packed(4),
    "abgr": _packed(4),
    "rgb48le": _packed(3, 2),
    "yuyv422": _packed(2),
    "uyvy422": _packed(2),
}


class Image(NamedTuple):
    """A converted picture in memory of its own."""

    planes: tuple[Plane, ...]
    width: int
    height: int
    pixel_format: str
    timestamp: int | None


class Converter:
    """Brings pictures into one format and size; what is not told is as the first picture has it.

    Raises:
        MediaError: no such pixel format.
    """

    def __init__(self, pixel_format: str | None = None) -> None:
        if pixel_format is not None and pixel_format not in FILE_LAYOUTS:
            raise MediaError(
                f"{pixel_format} is not a format that files can be written in; one of: {', '.join(FILE_LAYOUTS)}"
            )
        self._format = pixel_format
        self._size: tuple[int, int] | None = None

    def convert(self, picture: Timed) -> Timed:
        """The picture itself if it fits, else a converted copy."""
        self._format = self._format or picture.pixel_format
        self._size = self._size or (picture.width, picture.height)
        if (picture.pixel_format, (picture.width, picture.height)) == (self._format, self._size):
            return picture
        frame = _frame(picture).reformat(*self._size, format=self._format)
        planes = _planes(frame, self._format)
        return Image(planes, *self._size, self._format, picture.timestamp)


def _frame(picture: Timed) -> av.VideoFrame:
    frame = av.VideoFrame(picture.width, picture.height, picture.pixel_format)
    for target, plane in zip(_planes(frame, picture.pixel_format), picture.planes, strict=True):
        target[...] = plane
    color = getattr(picture, "color", None)
    if color is not None:
        frame.color_range = color.range
        frame.colorspace = color.matrix
    return frame


def _planes(frame: av.VideoFrame, pixel_format: str) -> tuple[Plane, ...]:
    """Views of a libav frame's planes, without their padding."""
    layout = FILE_LAYOUTS[pixel_format]
    dtype = np.dtype("<u2" if layout.sample_size == 2 else "u1")
    return tuple(
        _view(np.frombuffer(memory, dtype), memory.line_size // dtype.itemsize, plane.shape(frame.width, frame.height))
        for memory, plane in zip(frame.planes, layout.planes, strict=True)
    )


def _view(samples: Plane, stride: int, shape: tuple[int, int, int]) -> Plane:
    rows, columns, channels = shape
    plane = samples.reshape(-1, stride)[:rows, : columns * channels]
    return plane.reshape(rows, columns, channels) if channels > 1 else plane
