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

__all__ = ["Arena", "Lease", "Memory", "Region", "Span", "spans_of"]


class Memory:
    """One granted, mapped and attached buffer.

    Args:
        identity: names it in spans.
        address: where it is mapped in this process.
        length: octets.
        retire: is told when nothing refers to it any more.
    """

    __slots__ = ("_retire", "address", "identity", "length")

    def __init__(self, identity: int, address: int, length: int, retire: Callable[[int], None]) -> None:
        self.identity = identity
        self.address = address
        self.length = length
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
    """A piece of an arena that holds one input."""

    __slots__ = ("end", "free", "length", "memory", "offset", "serial")

    def __init__(self, memory: Memory, offset: int, length: int, end: int) -> None:
        self.memory = memory
        self.offset = offset
        self.length = length
        self.end = end
        self.free = False
        self.serial = 0


class Arena:
    """Inputs of any length, one after another and round again, in one memory.

    They usually come back in order; one that comes back early waits for those before it.
    """

    def __init__(self, memory: Memory) -> None:
        self.memory = memory
        self._regions: deque[Region] = deque()
        self._head = 0

    def allocate(self, length: int) -> Region | None:
        """A region, or None while there is no room."""
        size = (length + SPAN_ALIGNMENT) & -SPAN_ALIGNMENT  # never nothing
        offset = self._place(size)
        if offset is None:
            return None
        self._head = offset + size
        region = Region(self.memory, offset, length, self._head)
        self._regions.append(region)
        return region

    def _place(self, size: int) -> int | None:
        if not self._regions:
            return 0 if size <= self.memory.length else None
        tail = self._regions[0].offset
        if self._head > tail:
            if self._head + size <= self.memory.length:
                return self._head
            return 0 if size < tail else None
        return self._head if self._head + size < tail else None

    def release(self, region: Region) -> None:
        """Takes a region back."""
        region.free = True
        while self._regions and self._regions[0].free:
            self._regions.popleft()
