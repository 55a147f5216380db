# SPDX-License-Identifier: Apache-2.0
"""Pages of the memory transport: octets of this process, numbered as a kernel would number descriptors.

The table is the kernel's stand-in: what is left in it after everything was closed has leaked. Doorbells
are true eventfds, so that both ends can be waited for together with anything else.
"""

from __future__ import annotations

import ctypes
import errno
import itertools
import mmap
import os
from dataclasses import dataclass

from paracore._errors import GrantError
from paracore.transport._transport import Mapping, Pages

__all__ = ["MemoryMapping", "MemoryPages"]

_FIRST = 1 << 20
"""Far beyond any descriptor of the kernel's, so that a mix-up fails at once."""


@dataclass(frozen=True, slots=True)
class _Entry:
    store: mmap.mmap
    writable: bool


class MemoryMapping(Mapping):
    """A look at an entry's octets."""

    def __init__(self, store: mmap.mmap, length: int, *, read_only: bool) -> None:
        self._store = store
        # A read-only store has no address to give; the octets are private to this process anyway.
        self.address = ctypes.addressof(ctypes.c_ubyte.from_buffer(store))
        self.length = length
        self.read_only = read_only

    def view(self) -> memoryview:
        view = memoryview(self._store)[: self.length]
        return view.toreadonly() if self.read_only else view

    def close(self) -> None:
        self.address = 0


class MemoryPages(Pages):
    """See ``Pages``. Safe to use from several threads: each step is one dictionary operation."""

    def __init__(self) -> None:
        self._table: dict[int, _Entry] = {}
        self._bells: set[int] = set()
        self._numbers = itertools.count(_FIRST)

    def __len__(self) -> int:
        """Descriptors and doorbells that nobody has closed."""
        return len(self._table) + len(self._bells)

    def allocate(self, length: int) -> int:
        return self._enter(_Entry(mmap.mmap(-1, length), writable=True))

    def duplicate(self, descriptor: int, *, read_only: bool) -> int:
        if descriptor in self._bells:
            bell = os.dup(descriptor)
            self._bells.add(bell)
            return bell
        entry = self._find(descriptor)
        return self._enter(_Entry(entry.store, entry.writable and not read_only))

    def doorbell(self) -> int:
        bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._bells.add(bell)
        return bell

    def map(self, descriptor: int, length: int, *, read_only: bool) -> Mapping:
        entry = self._find(descriptor)
        if len(entry.store) < length:
            raise GrantError(errno.EINVAL, "the pages end before that")
        if not (read_only or entry.writable):
            raise GrantError(errno.EACCES, "the pages may only be read")
        return MemoryMapping(entry.store, length, read_only=read_only)

    def close(self, descriptor: int) -> None:
        if descriptor in self._bells:
            self._bells.remove(descriptor)
            os.close(descriptor)
        else:
            self._find(descriptor)
            del self._table[descriptor]

    def _enter(self, entry: _Entry) -> int:
        number = next(self._numbers)
        self._table[number] = entry
        return number

    def _find(self, descriptor: int) -> _Entry:
        try:
            return self._table[descriptor]
        except KeyError:
            raise GrantError(errno.EBADF, f"{descriptor} is no descriptor") from None
