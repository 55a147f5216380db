# SPDX-License-Identifier: Apache-2.0
"""What comes out of a codec: pictures straight into the domain's pages, or by way of the kernel's own buffers.

A bit stream always takes the second way, since nobody knows how long a unit will be. Pictures take it
when the node does not work in foreign pages.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from ctypes import memmove
from typing import TYPE_CHECKING, NamedTuple

from paracore.drivers import Span  # noqa: TC001 - a field of a NamedTuple
from paracore.drivers.v4l2._buffers import Mapped, Slots
from paracore.drivers.v4l2._uapi import BufferFlag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paracore.drivers.v4l2._node import Dequeued, Node, Side

__all__ = ["Copied", "Direct", "Lent", "Output", "Sink"]


class Lent(NamedTuple):
    """A span that the domain has lent, and the cookie it goes by."""

    span: Span
    cookie: int


class Output(NamedTuple):
    """What has come out. Without octets it is only a mark, which may have no span either."""

    lent: Lent | None
    octets: int
    flags: BufferFlag
    tag: int
    fits: bool = True
    """False: the span is too small for it, and it waits for another."""


class Sink(ABC):
    """The side that comes out."""

    copies = 0
    """Pictures that were copied."""

    def __init__(self, node: Node, side: Side) -> None:
        self._node = node
        self._side = side
        self._waiting: deque[Lent] = deque()

    @abstractmethod
    def lend(self, lent: Lent) -> None:
        """A span for an output."""

    @abstractmethod
    def take(self, *, alone: bool) -> Output | None:
        """The next output, if there is one, and a span for it; `alone`: a mark may come without."""

    @property
    @abstractmethod
    def room(self) -> int:
        """Outputs that the codec can make before the domain has to do something."""

    def again(self, lent: Lent) -> None:
        """A span that came back with nothing goes to the codec again, before all others."""
        self._waiting.appendleft(lent)

    def start(self) -> None:
        """The side runs."""
        self._node.start(self._side)

    @abstractmethod
    def stop(self) -> list[Lent]:
        """The side stands still and forgets its outputs; the spans that it had."""

    @abstractmethod
    def release(self) -> None:
        """Lets go of its buffers."""

    @abstractmethod
    def holds(self, span: Span) -> bool:
        """Whether the kernel has pages of it."""


class Direct(Sink):
    """Pictures are made in the domain's pages; ``pieces`` say where the memory planes lie in a span."""

    def __init__(self, node: Node, side: Side, pieces: Sequence[tuple[int, int]]) -> None:
        super().__init__(node, side)
        self._slots = Slots(node, side, pieces)
        self._lent: dict[int, Lent] = {}

    @property
    def used(self) -> bool:
        """Whether the kernel has ever taken pages."""
        return self._slots.used

    @property
    def room(self) -> int:
        return len(self._lent)

    def lend(self, lent: Lent) -> None:
        self._waiting.append(lent)
        self._pass_on()

    def again(self, lent: Lent) -> None:
        super().again(lent)
        self._pass_on()

    def _pass_on(self) -> None:
        while self._waiting and (slot := self._slots.find(self._waiting[0].span.address)) is not None:
            self._slots.queue(slot, self._waiting[0].span.address, filled=False)
            self._lent[slot] = self._waiting.popleft()

    def take(self, *, alone: bool) -> Output | None:
        while done := self._slots.dequeue():
            lent = self._lent.pop(done.number)
            if done.octets or done.flags & BufferFlag.LAST:
                self._pass_on()
                return Output(lent, done.octets, done.flags, done.tag)
            self.again(lent)  # a picture that could not be made
        return None

    def stop(self) -> list[Lent]:
        self._slots.stop()
        left = [*self._lent.values(), *self._waiting]
        self._lent.clear()
        self._waiting.clear()
        return left

    def release(self) -> None:
        self._slots.release()

    def holds(self, span: Span) -> bool:
        return self._slots.holds(span)


class Copied(Sink):
    """Outputs are copied out of the kernel's buffers; ``pieces`` are none for a bit stream."""

    def __init__(self, node: Node, side: Side, count: int, pieces: Sequence[tuple[int, int]] = ()) -> None:
        super().__init__(node, side)
        self._pieces = pieces
        self._buffers = Mapped(node, side, count)
        self._ready: deque[Dequeued] = deque()

    def start(self) -> None:
        self._buffers.offer()
        super().start()

    @property
    def room(self) -> int:
        return 0 if self._ready else len(self._buffers.areas) - len(self._buffers.free)

    def lend(self, lent: Lent) -> None:
        self._waiting.append(lent)

    def take(self, *, alone: bool) -> Output | None:
        while done := self._buffers.dequeue():
            if done.octets or done.flags & BufferFlag.LAST:
                self._ready.append(done)
            else:
                self._free(done.number)
        if not self._ready or not (self._waiting or (alone and not self._ready[0].octets)):
            return None
        done, lent = self._ready[0], self._waiting.popleft() if self._waiting else None
        if lent and not self._pieces and done.octets > lent.span.length:
            return Output(lent, done.octets, done.flags, done.tag, fits=False)
        self._ready.popleft()
        if lent and done.octets:
            self._copy(done, lent.span)
        self._free(done.number)
        return Output(lent, done.octets, done.flags, done.tag)

    def _copy(self, done: Dequeued, span: Span) -> None:
        pieces = self._pieces or ((0, done.octets),)
        for (start, length), (address, _) in zip(pieces, self._buffers.areas[done.number], strict=False):
            memmove(span.address + start, address, length)
        self.copies += bool(self._pieces)

    def _free(self, index: int) -> None:
        self._buffers.free.append(index)
        self._buffers.offer()

    def stop(self) -> list[Lent]:
        self._buffers.stop()
        self._ready.clear()
        left = list(self._waiting)
        self._waiting.clear()
        return left

    def release(self) -> None:
        self._buffers.release()

    def holds(self, span: Span) -> bool:
        return False
