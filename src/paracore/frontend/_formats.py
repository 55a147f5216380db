# SPDX-License-Identifier: Apache-2.0
"""How the samples of each pixel format lie in its planes: one table, by FFmpeg's names.

The names are those of ``video.PixelFormat`` in lower case; a test holds the two together.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

__all__ = ["PIXEL_LAYOUTS", "PixelLayout", "PlaneLayout"]


class PlaneLayout(NamedTuple):
    """One plane beside the picture's size."""

    width_shift: int
    height_shift: int
    channels: int

    def shape(self, width: int, height: int) -> tuple[int, int, int]:
        """Rows, columns and channels of this plane in a picture of that size; odd sizes round up."""
        return -(-height >> self.height_shift), -(-width >> self.width_shift), self.channels


class PixelLayout(NamedTuple):
    """A pixel format."""

    planes: tuple[PlaneLayout, ...]
    sample_size: int
    bits: int

    def packed_size(self, width: int, height: int) -> int:
        """Octets of a picture whose rows follow each other without padding."""
        return self.sample_size * sum(prod(plane.shape(width, height)) for plane in self.planes)


_LUMA = PlaneLayout(0, 0, 1)


def _planar(width_shift: int, height_shift: int, bits: int = 8) -> PixelLayout:
    chroma = PlaneLayout(width_shift, height_shift, 1)
    return PixelLayout((_LUMA, chroma, chroma), (bits + 7) // 8, bits)


def _interleaved(bits: int = 8) -> PixelLayout:
    return PixelLayout((_LUMA, PlaneLayout(1, 1, 2)), (bits + 7) // 8, bits)


PIXEL_LAYOUTS: dict[str, PixelLayout] = {
    "yuv420p": _planar(1, 1),
    "yuv422p": _planar(1, 0),
    "yuv444p": _planar(0, 0),
    "yuv440p": _planar(0, 1),
    "yuv411p": _planar(2, 0),
    "gray": PixelLayout((_LUMA,), 1, 8),
    "nv12": _interleaved(),
    "yuv420p10le": _planar(1, 1, 10),
    "yuv422p10le": _planar(1, 0, 10),
    "yuv444p10le": _planar(0, 0, 10),
    "gray10le": PixelLayout((_LUMA,), 2, 10),
    "p010le": _interleaved(10),
    "yuv420p12le": _planar(1, 1, 12),
    "yuv422p12le": _planar(1, 0, 12),
    "yuv444p12le": _planar(0, 0, 12),
    "gbrp": _planar(0, 0),
    "gbrp10le": _planar(0, 0, 10),
}
