# SPDX-License-Identifier: Apache-2.0
"""The buffers of one side of a node: the kernel's own, mapped here, or slots for pages of the domain.

A slot keeps to its pages. A codec may know its reference pictures by the slot they came in
(dev-decoder.rst, "Decoding"), and the kernel keeps the pages of a slot pinned until other ones come in
it: so a span that comes again costs neither a pin nor a mapping.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from paracore.drivers.v4l2._node import read_only_pages
from paracore.drivers.v4l2._uapi import BUFFERS_MAX, Memory

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paracore.drivers import Span
    from paracore.drivers.v4l2._node import Dequeued, Node, Side

__all__ = ["Mapped", "Slots", "reads_read_only"]


def reads_read_only(node: Node, side: Side, pieces: Sequence[tuple[int, int]]) -> bool:
    """Whether the codec reads pages that nobody may write; a kernel before 6.2 does not. Found out by trying."""
    slots = Slots(node, side, pieces)
    try:
        with read_only_pages(pieces[-1][0] + pieces[-1][1]) as address:
            slots.queue(0, address, filled=True)
            slots.stop()
    except OSError:
        return False
    else:
        return True
    finally:
        slots.release()


class Mapped:
    """The kernel's own buffers.

    Attributes:
        areas: of each buffer, address and length of its memory planes.
        free: indices of those that the codec does not have.
    """

    def __init__(self, node: Node, side: Side, count: int) -> None:
        self._node = node
        self._side = side
        self.areas: list[list[tuple[int, int]]] = []
        for index in range(node.allocate(side, Memory.MMAP, count)):
            self._map(index)
        self.free = deque(range(len(self.areas)))

    def _map(self, index: int) -> None:
        places = self._node.places(self._side, index)
        self.areas.append([(self._node.map(place), place[1]) for place in places])

    def enlarge(self, size: int) -> None:
        """Makes one more, of this size."""
        index = self._node.enlarge(self._side, Memory.MMAP, size)
        self._map(index)
        self.free.append(index)

    def queue(self, index: int, used: Sequence[int], tag: int = 0) -> None:
        """Gives one to the codec with so many octets in each memory plane."""
        pieces = [(0, length, octets) for (_, length), octets in zip(self.areas[index], used, strict=False)]
        self._node.queue(self._side, Memory.MMAP, index, pieces, tag)

    def offer(self) -> None:
        """Gives all that are free to the codec, to be written into."""
        while self.free:
            self.queue(self.free[0], [0] * len(self.areas[0]))
            self.free.popleft()

    def dequeue(self) -> Dequeued | None:
        """Takes one that is done."""
        return self._node.dequeue(self._side, Memory.MMAP)

    def stop(self) -> None:
        """All are free."""
        self._node.stop(self._side)
        self.free = deque(range(len(self.areas)))

    def release(self) -> None:
        """Lets go of them, once the side has stopped."""
        while self.areas:
            for address, length in self.areas.pop():
                self._node.unmap(address, length)
        self._node.allocate(self._side, Memory.MMAP, 0)


class Slots:
    """Slots for pages of the domain; ``pieces`` say where in a span the memory planes begin, and their lengths."""

    def __init__(self, node: Node, side: Side, pieces: Sequence[tuple[int, int]]) -> None:
        self._node = node
        self._side = side
        self._pieces = pieces
        self._count = node.allocate(side, Memory.USERPTR, BUFFERS_MAX)
        self._length = pieces[-1][0] + pieces[-1][1]
        self._pages: dict[int, int] = {}
        self._free: dict[int, None] = {}

    @property
    def used(self) -> bool:
        """Whether the codec has ever had pages in one."""
        return bool(self._pages)

    @property
    def idle(self) -> bool:
        """Whether there is a slot for pages that the codec does not have."""
        return bool(self._free) or len(self._pages) < self._count

    def find(self, address: int) -> int | None:
        """The slot for these pages: their own, a new one, the one that lay idle longest; None while there is none."""
        if (own := self._pages.get(address)) is not None:
            return own if own in self._free else next(iter(self._free), None)
        if len(self._pages) < self._count:
            return len(self._pages)
        return next(iter(self._free), None)

    def queue(self, slot: int, address: int, *, filled: bool, tag: int = 0) -> None:
        """Gives pages to the codec, to be read when they are filled, to be written otherwise."""
        pieces = [(address + start, length, length if filled else 0) for start, length in self._pieces]
        self._node.queue(self._side, Memory.USERPTR, slot, pieces, tag)
        self._free.pop(slot, None)
        if self._pages.get(address) != slot:
            self._pages = {old: number for old, number in self._pages.items() if number != slot}
            self._pages[address] = slot

    def dequeue(self) -> Dequeued | None:
        """Takes one that is done; its slot is free, and its pages are still pinned."""
        done = self._node.dequeue(self._side, Memory.USERPTR)
        if done:
            self._free[done.number] = None
        return done

    def holds(self, span: Span) -> bool:
        """Whether the kernel has pages of the span pinned."""
        end = span.address + span.length
        return any(address < end and span.address < address + self._length for address in self._pages)

    def stop(self) -> None:
        """All slots are free, and their pages still pinned."""
        self._node.stop(self._side)
        self._free = dict.fromkeys(self._pages.values())

    def release(self) -> None:
        """Lets go of all pages, once the side has stopped."""
        self._node.allocate(self._side, Memory.USERPTR, 0)
        self._pages.clear()
        self._free.clear()
