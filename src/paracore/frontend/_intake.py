# SPDX-License-Identifier: Apache-2.0
"""Room for a decoder's access units, sans-I/O: the arena that they are copied into, and how many may be with the device.

The driver copies them out again before it parses, kilobytes each. They are taken in batches: waking the backend is
the larger part of a picture's cost.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paracore.frontend._buffers import Arena, Memory, Region, aligned
from paracore.frontend._session import MemoryRequest

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["BATCH", "INPUT_DEPTH", "Intake"]

#: Access units in flight: enough to keep every codec thread busy through a scheduling gap.
INPUT_DEPTH = 16
#: Access units given, and spans given back, at once while the device has enough of them.
BATCH = 4
#: The first arena: sixteen access units of 128 KiB, which is 1080p at 30 Mb/s.
ARENA_LENGTH = 2 << 20


class Intake:
    """See the module.

    Args:
        outstanding_limit: inputs and spans that may be with the device.

    Attributes:
        depth: access units that may be with it.
    """

    def __init__(self, outstanding_limit: int) -> None:
        self.depth = max(BATCH, min(INPUT_DEPTH, outstanding_limit // 4))
        self._mark = self.depth
        self._arena: Arena | None = None

    def full(self, busy: int) -> bool:
        """Whether as many are with the device as shall be; again so until some have come back."""
        return busy >= self._mark

    def reserve(self, length: int, busy: int) -> Region | None:
        """Room for one access unit, when `busy` are with the device; None while there is none."""
        if self.full(busy):
            self._mark = self.depth - BATCH + 1
            return None
        self._mark = self.depth
        return self._arena.allocate(length) if self._arena else None

    def request(self, length: int, busy: int, refuse: Callable[[Exception], None]) -> MemoryRequest | None:
        """The arena for access units of this size, when there is none large enough."""
        if self.full(busy) or (self._arena and length * 2 <= self._arena.memory.length):
            return None
        return MemoryRequest(max(ARENA_LENGTH, aligned(length) * 4), read_only=True, accept=self._accept, refuse=refuse)

    def _accept(self, memory: Memory) -> None:
        self._arena = Arena(memory)  # the old one lives on while regions of it are with the device

    def release(self, region: Region) -> None:
        """An access unit has come back."""
        if self._arena and region.memory is self._arena.memory:
            self._arena.release(region)

    def clear(self) -> None:
        """Lets go of the memory: the device has gone, or wants memory of its own."""
        self._arena = None
        self._mark = self.depth
