# SPDX-License-Identifier: Apache-2.0
"""What the daemon holds for one process: granted pages and an event channel, counted against the guest's limits.

A grant is given back when the backend has said that it has let go of it, or has gone. The kernel keeps a page
that is mapped elsewhere out of use by itself, so that even a backend which lies is told no secret by it.
"""

from __future__ import annotations

import errno
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from paracore._errors import GrantError, QuotaExceeded
from paracore.classes.link import BufferFlag
from paracore.protocol import format_page, mapping_size
from paracore.transport._grants import GrantTable
from paracore.transport.local import LocalPages

if TYPE_CHECKING:
    from paracore.frontend._daemon._bridge import Bridge
    from paracore.transport._quota import Quota
    from paracore.transport.xen import Allocation, EventChannel, Hypervisor

__all__ = ["Backend", "GuestLimits", "Holdings", "format_pages"]

_pages = LocalPages()


class GuestLimits(NamedTuple):
    """What the toolstack lets this guest hold of one backend."""

    channels: int
    buffers: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Backend:
    """One connected backend: where to allocate for it, how to talk to it, and what this guest may hold of it."""

    hypervisor: Hypervisor
    remote: int
    bridge: Bridge
    quota: Quota


class Holdings:
    """See the module. Gives everything back when it is closed."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._channel = ExitStack()
        self._grants: dict[int, Allocation] = {}
        self._last = 0

    def channel(self, order: int) -> tuple[Allocation, EventChannel]:
        """Formatted ring pages and an unbound port.

        Raises:
            QuotaExceeded: the guest has as many channels, or has granted as many pages, as it may.
            GrantError: the pages cannot be had.
            EventChannelError: there is no port.
        """
        backend = self._backend
        backend.quota.enter_channel()
        with ExitStack() as made:
            made.callback(backend.quota.leave_channel)
            pages = made.enter_context(self._allocate(mapping_size(order), BufferFlag(0)))
            format_pages(pages, order)
            events = made.enter_context(backend.hypervisor.unbound(backend.remote))
            self._channel = made.pop_all()
        return pages, events

    def leave_channel(self) -> None:
        """The backend did not take it."""
        self._channel.close()

    def grant(self, length: int, flags: BufferFlag) -> tuple[int, Allocation]:
        """Pages and their number, which is not used twice.

        Raises:
            QuotaExceeded, GrantError: as ``channel``.
        """
        GrantTable.check_length(length)
        self._backend.quota.enter_grant(length)
        try:
            allocation = self._allocate(length, flags)
        except BaseException:
            self._backend.quota.leave_grant(length)
            raise
        self._last += 1
        self._grants[self._last] = allocation
        return self._last, allocation

    def check(self, number: int) -> None:
        """Refuses the number of no grant."""
        if number not in self._grants:
            raise GrantError(errno.ENOENT, f"there is no grant {number}")

    def revoke(self, number: int) -> None:
        """The backend has let go of a grant, or never took it."""
        allocation = self._grants.pop(number)
        self._backend.quota.leave_grant(allocation.length)
        allocation.close()

    def close(self) -> None:
        """The backend has let go of everything."""
        self._channel.close()
        for number in list(self._grants):
            self.revoke(number)

    def _allocate(self, length: int, flags: BufferFlag) -> Allocation:
        try:
            read_only = bool(flags & BufferFlag.READ_ONLY)
            return self._backend.hypervisor.allocate(self._backend.remote, length, read_only=read_only)
        except GrantError as error:
            if error.errno == errno.ENOSPC:
                raise QuotaExceeded("grants") from error
            raise


def format_pages(pages: Allocation, order: int) -> None:
    """Makes zeroed pages those of a ring."""
    mapping = _pages.map(pages.descriptor, pages.length, read_only=False)
    try:
        with mapping.view() as view:
            format_page(view, order)
    finally:
        mapping.close()
