# SPDX-License-Identifier: Apache-2.0
"""Octets that are kept for a while: put one after another, forgotten in the same order.

A stream passes through here whole. Memory that is asked of the system for each unit, kept for seconds and given back costs
a trap into the kernel for each of its pages, many times what copying costs; so it is divided from chunks, which are used again.
Nothing here is shared with anybody.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["CHUNK", "Shelf"]

#: Octets that are asked of the system at once.
CHUNK = 1 << 20


class _Chunk:
    """A piece of memory that is filled from its beginning, and empty when all that was put there is forgotten."""

    __slots__ = ("filled", "memory", "pieces")

    def __init__(self, length: int) -> None:
        self.memory = memoryview(bytearray(length))
        self.filled = 0
        self.pieces = 0


class Shelf:
    """See the module. What it holds of memory is what it has held at most, which who puts and forgets decides."""

    def __init__(self) -> None:
        self._chunks: deque[_Chunk] = deque([_Chunk(0)])
        self._empty: list[_Chunk] = []

    def put(self, data: Buffer) -> memoryview:
        """Copies it; what is returned is valid until it is forgotten."""
        octets = memoryview(data).cast("B")
        length = len(octets)
        chunk = self._chunks[-1]
        if chunk.filled + length > len(chunk.memory):
            chunk = self._next(length)
        start = chunk.filled
        chunk.filled = end = start + length
        chunk.pieces += 1
        kept = chunk.memory[start:end]
        kept[:] = octets
        return kept

    def _next(self, length: int) -> _Chunk:
        if self._chunks[-1].pieces == 0:
            self._leave(self._chunks.pop())
        chunk = self._empty.pop() if self._empty and length <= CHUNK else _Chunk(max(length, CHUNK))
        self._chunks.append(chunk)
        return chunk

    def forget(self) -> None:
        """Forgets what was put first of all that is here."""
        chunk = self._chunks[0]
        chunk.pieces -= 1
        if chunk.pieces:
            return
        chunk.filled = 0
        if len(self._chunks) > 1:
            self._leave(self._chunks.popleft())

    def _leave(self, chunk: _Chunk) -> None:
        """A chunk of the usual size is used again; of another size it was for one piece."""
        chunk.filled = 0
        if len(chunk.memory) == CHUNK:
            self._empty.append(chunk)
