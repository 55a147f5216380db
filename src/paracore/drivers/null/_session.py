# SPDX-License-Identifier: Apache-2.0
"""A session of the null device: its work is a generator that stops whenever an input or an output is wanting."""

from __future__ import annotations

from collections import deque
from ctypes import memmove, memset, string_at
from struct import Struct
from typing import TYPE_CHECKING, Any

from paracore.classes import video
from paracore.classes.video import Error, OutputFlag, PictureFormat, PixelFormat
from paracore.drivers import CallFailed, Notices, Span, VideoSession
from paracore.protocol import DIMENSION_MAX

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

__all__ = ["Session"]

UNIT = Struct("<4sHHB")  # b"null", width, height, shade
LAST = OutputFlag.EMPTY | OutputFlag.LAST


def gray(width: int, height: int) -> PictureFormat:
    """A picture of this size: one plane, nothing known of its colour."""
    planes = (1, (0, 0, 0, 0), (width, 0, 0, 0), width * height, 1, video.FieldOrder.PROGRESSIVE)
    return PictureFormat(PixelFormat.GRAY, width, height, 0, 0, width, height, *planes, 2, 2, 2, 2, 0, 0, 1, 0, 1)


class Session(Notices, VideoSession):
    """See the module."""

    def __init__(self, direction: video.Direction) -> None:
        super().__init__()
        self._decodes = direction is video.Direction.DECODE
        self._format = gray(0, 0)
        self._generation = 0
        self._inputs: deque[tuple[Any, ...]] = deque()  # span, cookie, timestamp, duration; nothing: a drain
        self._outputs: deque[tuple[Span, int]] = deque()
        self._work = self._run()

    def format_get(self) -> PictureFormat:
        if not self._format.size:
            raise CallFailed(Error.AGAIN)
        return self._format

    def format_set(self, wanted: PictureFormat) -> PictureFormat:
        if self._decodes or wanted.pixel_format is not PixelFormat.GRAY:
            raise CallFailed(Error.NOT_SUPPORTED)
        if not (0 < wanted.width <= DIMENSION_MAX and 0 < wanted.height <= DIMENSION_MAX):
            raise CallFailed(Error.INVALID, allowed=DIMENSION_MAX)
        self._format = gray(wanted.width, wanted.height)
        return self._format

    def queue_input(self, span: Span, cookie: int, flags: video.InputFlag, timestamp: int, duration: int) -> None:
        if span.length < (UNIT.size if self._decodes else self.format_get().size):
            raise CallFailed(Error.INVALID)
        self._inputs.append((span, cookie, timestamp, duration))
        next(self._work)

    def queue_output(self, span: Span, cookie: int) -> None:
        if any(span.address == other.address for other, _ in self._outputs):
            raise CallFailed(Error.BUSY)
        self._outputs.append((span, cookie))
        next(self._work)

    def drain(self) -> None:
        if () in self._inputs:
            raise CallFailed(Error.BUSY)
        self._inputs.append(())
        next(self._work)

    def flush(self) -> None:
        for _, cookie, *_ in filter(None, self._inputs):
            self.tell(video.InputDone(cookie, Error.CANCELLED))
        self._inputs.clear()
        self._work = self._run()

    def _run(self) -> Iterator[None]:
        while True:
            while not self._inputs:
                yield
            unit = self._inputs[0]
            yield from (self._decode if self._decodes else self._encode)(*unit) if unit else self._end()
            self._inputs.popleft()

    def _end(self) -> Iterator[None]:
        if self._outputs:
            self._give(LAST)
        self.tell(video.Drained())
        yield from ()

    def _decode(self, span: Span, cookie: int, *times: int) -> Iterator[None]:
        word, width, height, shade = UNIT.unpack(string_at(span.address, UNIT.size))  # copied, and then parsed
        good = word == b"null" and 0 < width <= DIMENSION_MAX and 0 < height <= DIMENSION_MAX
        if good:
            yield from self._enter(gray(width, height))
            memset((yield from self._room(width * height)), shade, width * height)
            self._give(OutputFlag.KEY, width * height, *times)
        self.tell(video.InputDone(cookie, 0 if good else Error.INVALID))

    def _enter(self, met: PictureFormat) -> Iterator[None]:
        """Tells of another format, once the last picture of the one before is marked."""
        if met == self._format:
            return
        if self._generation:
            yield from self._room(0)
            self._give(LAST)
        self._format = met
        self._generation += 1
        self.tell(video.SourceChange(self._generation, video.ChangeFlag.BUFFERS, met))

    def _encode(self, span: Span, cookie: int, *times: int) -> Iterator[None]:
        unit = UNIT.pack(b"null", self._format.width, self._format.height, string_at(span.address, 1)[0])
        memmove((yield from self._room(UNIT.size)), unit, UNIT.size)
        self._give(OutputFlag.KEY, UNIT.size, *times)
        self.tell(video.InputDone(cookie, 0))

    def _room(self, size: int) -> Generator[None, None, int]:
        """The address of the oldest output that is large enough; smaller ones go back."""
        while not self._outputs or self._outputs[0][0].length < size:
            if self._outputs:
                self._give(OutputFlag.CANCELLED, size)
            else:
                yield
        return self._outputs[0][0].address

    def _give(self, flags: OutputFlag, size: int = 0, timestamp: int = -(1 << 63), duration: int = 0) -> None:
        """The oldest output goes back."""
        what = (self._generation, size, video.PictureType.INTRA, 0, 0, self._format.width, self._format.height)
        self.tell(video.OutputReady(self._outputs.popleft()[1], flags, timestamp, timestamp, duration, *what))
