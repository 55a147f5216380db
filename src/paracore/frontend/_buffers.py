# SPDX-License-Identifier: Apache-2.0
"""Pieces of granted memory and who may touch them.

Rules
-----
A span is at exactly one place: with the device, with the user (behind a lease) or here. It is lent to
the device only from here, and what the user still looks at does not come back here: so a view kept too
long keeps its span out of circulation, and never shows another picture.

A memory lives as long as anything of it does, also beyond its session and its channel's close.

Nothing here blocks or makes a call: finalizers run here, on any thread and at any point.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from paracore.classes import video
from paracore.protocol import SPAN_ALIGNMENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Buffer

    from paracore.frontend._history import Unit

__all__ = ["Arena", "Lease", "Memory", "Region", "Span", "spans_of"]


class Memory:
    """One granted, mapped and attached buffer.

    Args:
        identity: names it in spans.
        address: where it is mapped in this process.
        view: its octets.
        retire: is told when nothing refers to it any more.
    """

    __slots__ = ("_retire", "address", "identity", "length", "view")

    def __init__(self, identity: int, address: int, view: memoryview, retire: Callable[[int], None]) -> None:
        self.identity = identity
        self.address = address
        self.view = view
        self.length = len(view)
        self._retire = retire

    def __del__(self) -> None:
        self._retire(self.identity)


class Span:
    """A fixed piece of a memory, lent to the device again and again."""

    __slots__ = ("address", "cookie", "length", "memory", "message", "offset", "serial", "series")

    def __init__(self, memory: Memory, offset: int, length: int, cookie: int, series: int) -> None:
        self.memory = memory
        self.offset = offset
        self.length = length
        self.cookie = cookie
        self.series = series
        self.address = memory.address + offset
        self.serial = 0
        self.message = video.QueueOutput(video.Span(memory.identity, length, offset), cookie).pack()


def spans_of(memory: Memory, count: int, size: int, first_cookie: int, series: int) -> list[Span]:
    """Divides a memory into spans of ``size`` octets."""
    step = aligned(size)
    return [Span(memory, number * step, size, first_cookie + number, series) for number in range(count)]


def aligned(size: int) -> int:
    """The room that ``size`` octets take."""
    return (size + SPAN_ALIGNMENT - 1) & -SPAN_ALIGNMENT


class Lease:
    """The user's hold on a span: when the last reference goes, the span comes back."""

    __slots__ = ("_returns", "span")

    def __init__(self, span: Span, returns: deque[Span]) -> None:
        self.span = span
        self._returns = returns

    def __del__(self) -> None:
        self._returns.append(self.span)  # atomic: this may run on any thread


class Region:
    """A piece of an arena that holds one input.

    Attributes:
        unit: what the input is in the history of the stream, if one is kept.
    """

    __slots__ = ("free", "length", "memory", "offset", "serial", "unit")

    def __init__(self, memory: Memory, offset: int, length: int) -> None:
        self.memory = memory
        self.offset = offset
        self.length = length
        self.free = False
        self.serial = 0
        self.unit: Unit | None = None

    def fill(self, data: Buffer) -> None:
        """Copies an input into it."""
        self.memory.view[self.offset : self.offset + self.length] = memoryview(data).cast("B")


class Arena:
    """Inputs of any length, one after another and round again, in one memory.

    They usually come back in order; one that comes back early waits for those before it. Memory that was used before is used
    again before any is touched for the first time, which costs a trap into the kernel for each page.
    """

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self._regions: deque[Region] = deque()
        self._head = 0
        self._used = 0  # octets from the beginning on that have been used

    def allocate(self, length: int) -> Region | None:
        """A region, or None while there is no room."""
        size = (length + SPAN_ALIGNMENT) & -SPAN_ALIGNMENT  # never nothing
        offset, end = self._head, self.memory.length
        if not self._regions:
            offset = 0
        else:
            tail = self._regions[0].offset
            if offset <= tail:
                end = tail
            elif offset + size > end or (offset + size > self._used and size <= tail):  # round again
                offset, end = 0, tail
        if offset + size > end:
            return None
        self._head = offset + size
        self._used = max(self._used, self._head)
        region = Region(self.memory, offset, length)
        self._regions.append(region)
        return region

    def release(self, region: Region) -> None:
        """Takes a region back."""
        region.free = True
        while self._regions and self._regions[0].free:
            self._regions.popleft()
