# SPDX-License-Identifier: Apache-2.0
"""The grants of one channel on a transport whose backend allocates them: who has which pages.

A grant is mapped at most once at a time and is never revoked while it is; the worker's word that it has
unmapped frees a grant for its own domain only. Numbers are not used twice.
"""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paracore._errors import GrantError
from paracore.classes.link import BufferFlag
from paracore.protocol import BUFFER_MAX, PAGE_SIZE

if TYPE_CHECKING:
    from paracore.transport._transport import Pages

__all__ = ["GrantTable"]


@dataclass(slots=True)
class _Grant:
    descriptor: int
    length: int
    flags: BufferFlag
    mapped: bool = False


class GrantTable:
    """Allocates, lends and takes back; counts nothing, its owner does."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._grants: dict[int, _Grant] = {}
        self._last = 0

    def lengths(self) -> list[int]:
        """Octets of each grant."""
        return [grant.length for grant in self._grants.values()]

    @staticmethod
    def check_length(length: int) -> None:
        """Refuses what is no number of pages that one buffer may have."""
        if length % PAGE_SIZE or not 0 < length <= BUFFER_MAX:
            raise GrantError(errno.EINVAL, f"{length} octets are no grant")

    def allocate(self, length: int, flags: BufferFlag) -> tuple[int, int]:
        """Returns the new grant and its descriptor, which stays the table's."""
        self.check_length(length)
        descriptor = self._pages.allocate(length)
        self._last += 1
        self._grants[self._last] = _Grant(descriptor, length, flags)
        return self._last, descriptor

    def map(self, number: int, length: int, flags: BufferFlag) -> int:
        """A descriptor for the worker, see ``Port.map``."""
        grant = self._find(number)
        if grant.mapped:
            raise GrantError(errno.EBUSY, f"grant {number} is mapped")
        if length % PAGE_SIZE or not 0 < length <= grant.length or flags != grant.flags:
            raise GrantError(errno.EINVAL, f"grant {number} has other pages")
        descriptor = self._pages.duplicate(grant.descriptor, read_only=bool(flags & BufferFlag.READ_ONLY))
        grant.mapped = True
        return descriptor

    def mapped(self, number: int) -> bool:
        """Whether the worker has it, as far as is known."""
        grant = self._grants.get(number)
        return grant is not None and grant.mapped

    def unmap(self, number: int) -> None:
        """The worker's word; about unknown grants it says nothing."""
        if grant := self._grants.get(number):
            grant.mapped = False

    def revoke(self, number: int) -> int:
        """Frees the pages and returns their length."""
        grant = self._find(number)
        if grant.mapped:
            raise GrantError(errno.EBUSY, f"grant {number} is mapped")
        del self._grants[number]
        self._pages.close(grant.descriptor)
        return grant.length

    def close(self) -> None:
        """Frees everything, mapped or not: what a worker still has mapped lives on with it alone."""
        while self._grants:
            _, grant = self._grants.popitem()
            self._pages.close(grant.descriptor)

    def _find(self, number: int) -> _Grant:
        try:
            return self._grants[number]
        except KeyError:
            raise GrantError(errno.ENOENT, f"there is no grant {number}") from None
