# SPDX-License-Identifier: Apache-2.0
"""The grants of one channel: who has which pages, wherever they come from.

A grant is mapped at most once at a time and is never revoked while it is; the worker's word that it has
unmapped frees a grant for its own domain only. Numbers are not used twice.
"""

from __future__ import annotations

import errno
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from paracore._errors import GrantError, RemoteProtocolError
from paracore.classes.link import BufferFlag
from paracore.protocol import BUFFER_MAX, PAGE_SIZE
from paracore.transport._handover import GrantState

if TYPE_CHECKING:
    from collections.abc import Callable

    from paracore.transport._handover import PortState
    from paracore.transport._transport import Pages

__all__ = ["AllocatedGrant", "Grant", "GrantTable"]


class Grant(ABC):
    """Pages of a domain that its worker may have mapped.

    Attributes:
        mapped: whether the worker has them, as far as is known.
    """

    def __init__(self, length: int, flags: BufferFlag) -> None:
        self.length = length
        self.flags = flags
        self.mapped = False

    @abstractmethod
    def lend(self, length: int) -> int:
        """A descriptor of the first octets for the worker, which the caller owns."""

    def returned(self) -> None:  # noqa: B027 - most have nothing to do with it
        """The worker says that it has unmapped them."""

    @abstractmethod
    def hand_over(self, number: int) -> GrantState:
        """What the next program image needs to have it."""

    @abstractmethod
    def close(self) -> None:
        """Gives the pages back. What a worker still has mapped lives on with it alone."""


class AllocatedGrant(Grant):
    """Pages that the backend has allocated for the domain."""

    def __init__(self, pages: Pages, length: int, flags: BufferFlag, descriptor: int = -1) -> None:
        """`descriptor` is that of pages that are there already."""
        super().__init__(length, flags)
        self._pages = pages
        self.descriptor = pages.allocate(length) if descriptor < 0 else descriptor

    @classmethod
    def adopted(cls, pages: Pages, state: GrantState) -> AllocatedGrant:
        """One that the last program image has handed over."""
        return cls(pages, state.length, BufferFlag(state.flags), state.descriptor)

    def lend(self, length: int) -> int:  # noqa: ARG002 - the worker maps no more than it asked for
        return self._pages.duplicate(self.descriptor, read_only=bool(self.flags & BufferFlag.READ_ONLY))

    def hand_over(self, number: int) -> GrantState:
        return GrantState(number, self.length, int(self.flags), self.mapped, self.descriptor)

    def close(self) -> None:
        self._pages.close(self.descriptor)


class GrantTable:
    """Enters, lends and takes back; counts nothing, its owner does."""

    def __init__(self) -> None:
        self._grants: dict[int, Grant] = {}
        self._last = 0

    @classmethod
    def adopted(cls, state: PortState, make: Callable[[GrantState], Grant]) -> GrantTable:
        """What another one has handed over; `make` makes one grant of it."""
        table = cls()
        for each in state.grants:
            grant = make(each)
            grant.mapped = each.mapped
            table.enter(grant, each.number)
        table._last = state.last
        return table

    def hand_over(self) -> tuple[int, tuple[GrantState, ...]]:
        """The last number, and all grants."""
        return self._last, tuple(grant.hand_over(number) for number, grant in self._grants.items())

    def lengths(self) -> list[int]:
        """Octets of each grant."""
        return [grant.length for grant in self._grants.values()]

    @staticmethod
    def check_length(length: int) -> None:
        """Refuses what is no number of pages that one buffer may have."""
        if length % PAGE_SIZE or not 0 < length <= BUFFER_MAX:
            raise GrantError(errno.EINVAL, f"{length} octets are no grant")

    def check_number(self, number: int) -> None:
        """Refuses a number that the peer may not give a new grant: they rise."""
        if number <= self._last:
            raise RemoteProtocolError(f"grant {number} after grant {self._last}")

    def enter(self, grant: Grant, number: int = 0) -> int:
        """Takes a grant over and returns its number: the given one, else the next."""
        self._last = number or self._last + 1
        self._grants[self._last] = grant
        return self._last

    def map(self, number: int, length: int, flags: BufferFlag) -> int:
        """A descriptor for the worker, see ``Port.map``."""
        grant = self._find(number)
        if grant.mapped:
            raise GrantError(errno.EBUSY, f"grant {number} is mapped")
        if length % PAGE_SIZE or not 0 < length <= grant.length or flags != grant.flags:
            raise GrantError(errno.EINVAL, f"grant {number} has other pages")
        descriptor = grant.lend(length)
        grant.mapped = True
        return descriptor

    def mapped(self, number: int) -> bool:
        """Whether the worker has it, as far as is known."""
        grant = self._grants.get(number)
        return grant is not None and grant.mapped

    def unmap(self, number: int) -> None:
        """The worker's word; about unknown grants it says nothing."""
        grant = self._grants.get(number)
        if grant is not None and grant.mapped:
            grant.mapped = False
            grant.returned()

    def revoke(self, number: int) -> int:
        """Frees the pages and returns their length."""
        grant = self._find(number)
        if grant.mapped:
            raise GrantError(errno.EBUSY, f"grant {number} is mapped")
        del self._grants[number]
        grant.close()
        return grant.length

    def close(self) -> None:
        """Frees everything, mapped or not."""
        while self._grants:
            _, grant = self._grants.popitem()
            grant.close()

    def _find(self, number: int) -> Grant:
        try:
            return self._grants[number]
        except KeyError:
            raise GrantError(errno.ENOENT, f"there is no grant {number}") from None
