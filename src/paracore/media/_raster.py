# SPDX-License-Identifier: Apache-2.0
"""Raw pictures in files: what the y4m and raw readers and writers share.

A reader fills planes that somebody else owns, so that an encoder's input is read from the file
straight into the pages it is encoded from. A writer writes a picture whole or not at all.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, Protocol

import numpy as np

from paracore.frontend._formats import PIXEL_LAYOUTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from fractions import Fraction

__all__ = ["PictureFile", "Plane", "Raster", "RasterFormat", "empty_planes", "packed", "read_planes"]

Plane = np.ndarray[tuple[int, ...], np.dtype[np.uint8 | np.uint16]]


class RasterFormat(NamedTuple):
    """What every picture of a raw file has in common."""

    pixel_format: str
    width: int
    height: int
    rate: Fraction | None = None
    aspect: Fraction | None = None
    interlacing: str = "p"
    """As y4m has it: ``p`` progressive, ``t`` top field first, ``b`` bottom field first, ``?`` unknown."""
    chroma: str = "center"
    """Where 4:2:0 chroma lies: ``center``, ``left`` or ``topleft``."""
    color_range: str = ""
    """``limited``, ``full`` or nothing."""


class Raster(Protocol):
    """A picture as far as writers are concerned."""

    @property
    def planes(self) -> tuple[Plane, ...]: ...
    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...
    @property
    def pixel_format(self) -> str: ...


def empty_planes(pixel_format: str, width: int, height: int) -> tuple[Plane, ...]:
    """Fresh planes of that format."""
    layout = PIXEL_LAYOUTS[pixel_format]
    dtype = np.dtype("<u2" if layout.sample_size == 2 else "u1")
    shapes = (plane.shape(width, height) for plane in layout.planes)
    return tuple(np.empty(shape if shape[2] > 1 else shape[:2], dtype) for shape in shapes)


def packed(picture: Raster) -> Iterator[memoryview]:
    """The picture's octets, row after row and plane after plane, in as few pieces as it allows."""
    for plane in picture.planes:
        yield np.ascontiguousarray(plane).data.cast("B")


def read_planes(file: BinaryIO, planes: Sequence[Plane]) -> bool:
    """Fills the planes from a file.

    Returns:
        False at the end of the file.

    Raises:
        EOFError: the file ends within a picture.
    """
    for number, plane in enumerate(planes):
        whole = plane if plane.flags.c_contiguous else np.empty(plane.shape, plane.dtype)
        if not _fill(file, whole.data.cast("B"), at_start=number == 0):
            return False
        if whole is not plane:
            plane[...] = whole
    return True


def _fill(file: BinaryIO, view: memoryview, *, at_start: bool) -> bool:
    done = 0
    while done < len(view):
        got = file.readinto(view[done:])  # type: ignore[attr-defined]
        if not got:
            if at_start and not done:
                return False
            raise EOFError("the file ends within a picture")
        done += got
    return True


class PictureFile:
    """A file of whole pictures: when one cannot be written, what was written of it is taken back."""

    def __init__(self, file: BinaryIO) -> None:
        self._fd = file.fileno()
        self._name = file.name
        self._regular = stat.S_ISREG(os.fstat(self._fd).st_mode)
        self._whole = os.lseek(self._fd, 0, os.SEEK_CUR) if self._regular else 0

    def write(self, pieces: Iterator[memoryview] | Sequence[memoryview]) -> None:
        """Writes one picture."""
        written = 0
        try:
            for piece in pieces:
                written += self._write_all(piece)
        except OSError as error:
            if self._regular:
                os.ftruncate(self._fd, self._whole)
            error.filename = self._name
            raise
        self._whole += written

    def _write_all(self, piece: memoryview) -> int:
        rest = piece
        while rest:
            rest = rest[os.write(self._fd, rest) :]
        return len(piece)
