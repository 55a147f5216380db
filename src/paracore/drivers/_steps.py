# SPDX-License-Identifier: Apache-2.0
"""A session whose work is a generator: what a driver in Python needs beside its codec.

The codec's work on one input is a generator that stops (``room``) whenever it has no output to write to, and
goes on when the domain has queued one. All is done at once, in the caller's thread; so it suits devices whose
jobs are short. Order, drain, flush, changes of the format and spans that are too small are taken care of here.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from paracore.classes import video
from paracore.classes.video import Error, OutputFlag, PictureFormat
from paracore.drivers._driver import CallFailed, Notices, Span, VideoSession

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

__all__ = ["StepSession"]

_NO_TIME: Final = -(1 << 63)
_EMPTY_LAST: Final = OutputFlag.EMPTY | OutputFlag.LAST


class StepSession(Notices, VideoSession):
    """See the module. A driver gives ``least``, ``work`` and ``format_set``."""

    def __init__(self, picture_format: PictureFormat) -> None:
        super().__init__()
        self.format = picture_format
        self._generation = 0
        self._inputs: deque[tuple[Any, ...]] = deque()  # span, cookie, timestamp, duration; nothing: a drain
        self._outputs: deque[tuple[Span, int]] = deque()
        self._run = self._steps()

    @abstractmethod
    def least(self) -> int:
        """Octets that an input must have. May raise ``CallFailed``."""

    @abstractmethod
    def work(self, span: Span, timestamp: int, duration: int) -> Generator[None, None, Error | int]:
        """Serves one input; returns what its ``InputDone`` says, 0 when all is well."""

    def format_get(self) -> PictureFormat:
        if not self.format.size:
            raise CallFailed(Error.AGAIN)
        return self.format

    def queue_input(self, span: Span, cookie: int, flags: video.InputFlag, timestamp: int, duration: int) -> None:  # noqa: ARG002
        if span.length < self.least():
            raise CallFailed(Error.INVALID)
        self._inputs.append((span, cookie, timestamp, duration))
        next(self._run)

    def queue_output(self, span: Span, cookie: int) -> None:
        if any(span.address == other.address for other, _ in self._outputs):
            raise CallFailed(Error.BUSY)
        self._outputs.append((span, cookie))
        next(self._run)

    def drain(self) -> None:
        if () in self._inputs:
            raise CallFailed(Error.BUSY)
        self._inputs.append(())
        next(self._run)

    def flush(self) -> None:
        for _, cookie, *_ in filter(None, self._inputs):
            self.tell(video.InputDone(cookie, Error.CANCELLED))
        self._inputs.clear()
        self._run = self._steps()

    def recall(self) -> None:
        while self._outputs:
            self.give(OutputFlag.CANCELLED)

    def room(self, size: int) -> Generator[None, None, int]:
        """The address of the oldest output that is large enough; smaller ones go back."""
        while not self._outputs or self._outputs[0][0].length < size:
            if self._outputs:
                self.give(OutputFlag.CANCELLED, size)
            else:
                yield
        return self._outputs[0][0].address

    def give(self, flags: OutputFlag, size: int = 0, timestamp: int = _NO_TIME, duration: int = 0) -> None:
        """The oldest output goes back."""
        what = (self._generation, size, video.PictureType.INTRA, 0, 0, self.format.width, self.format.height)
        self.tell(video.OutputReady(self._outputs.popleft()[1], flags, timestamp, timestamp, duration, *what))

    def enter(self, met: PictureFormat) -> Iterator[None]:
        """Tells of another format, once the last picture of the one before is marked."""
        if met == self.format:
            return
        if self._generation:
            yield from self.room(0)
            self.give(_EMPTY_LAST)
        self.format = met
        self._generation += 1
        self.tell(video.SourceChange(self._generation, video.ChangeFlag.BUFFERS, met))

    def _steps(self) -> Iterator[None]:
        while True:
            while not self._inputs:
                yield
            unit = self._inputs[0]
            yield from self._serve(*unit) if unit else self._end()
            self._inputs.popleft()

    def _serve(self, span: Span, cookie: int, timestamp: int, duration: int) -> Iterator[None]:
        self.tell(video.InputDone(cookie, (yield from self.work(span, timestamp, duration))))

    def _end(self) -> Iterator[None]:
        if self._outputs:
            self.give(_EMPTY_LAST)
        self.tell(video.Drained())
        yield from ()
