# SPDX-License-Identifier: Apache-2.0
"""A session of the null device."""

from __future__ import annotations

from ctypes import memmove, memset, string_at
from struct import Struct
from typing import TYPE_CHECKING

from paracore.classes.video import Direction, Error, FieldOrder, OutputFlag, PictureFormat, PixelFormat
from paracore.drivers import CallFailed, Span, StepSession
from paracore.protocol import DIMENSION_MAX

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["Session"]

UNIT = Struct("<4sHHB")  # b"null", width, height, shade


def gray(width: int, height: int) -> PictureFormat:
    """A picture of this size: one plane, nothing known of its colour."""
    planes = (1, (0, 0, 0, 0), (width, 0, 0, 0), width * height, 1, FieldOrder.PROGRESSIVE)
    return PictureFormat(PixelFormat.GRAY, width, height, 0, 0, width, height, *planes, 2, 2, 2, 2, 0, 0, 1, 0, 1)


class Session(StepSession):
    """See the module."""

    def __init__(self, direction: Direction) -> None:
        super().__init__(gray(0, 0))
        self._decodes = direction is Direction.DECODE

    def format_set(self, wanted: PictureFormat) -> PictureFormat:
        if self._decodes or wanted.pixel_format is not PixelFormat.GRAY:
            raise CallFailed(Error.NOT_SUPPORTED)
        if not (0 < wanted.width <= DIMENSION_MAX and 0 < wanted.height <= DIMENSION_MAX):
            raise CallFailed(Error.INVALID, allowed=DIMENSION_MAX)
        self.format = gray(wanted.width, wanted.height)
        return self.format

    def least(self) -> int:
        return UNIT.size if self._decodes else self.format_get().size

    def work(self, span: Span, timestamp: int, duration: int) -> Generator[None, None, Error | int]:
        if self._decodes:
            return (yield from self._decode(span, timestamp, duration))
        unit = UNIT.pack(b"null", self.format.width, self.format.height, string_at(span.address, 1)[0])
        memmove((yield from self.room(UNIT.size)), unit, UNIT.size)
        self.give(OutputFlag.KEY, UNIT.size, timestamp, duration)
        return 0

    def _decode(self, span: Span, *times: int) -> Generator[None, None, Error | int]:
        word, width, height, shade = UNIT.unpack(string_at(span.address, UNIT.size))  # copied, and then parsed
        if word != b"null" or not (0 < width <= DIMENSION_MAX and 0 < height <= DIMENSION_MAX):
            return Error.INVALID
        yield from self.enter(gray(width, height))
        memset((yield from self.room(width * height)), shade, width * height)
        self.give(OutputFlag.KEY, width * height, *times)
        return 0
