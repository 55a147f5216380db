# SPDX-License-Identifier: Apache-2.0
"""What this transport wants of a hypervisor: pages that one domain grants to another, and event channels.

One ``Hypervisor`` is one domain's view. A guest allocates and offers (``allocate``, ``unbound``), the backend
maps and binds (``map``, ``interdomain``). Everything comes as descriptors that can be handed to another
process, which maps the pages at offset 0 and needs no right but that.

SAFETY: the references and ports that a backend is given were written by a hostile guest. Wrong ones end in
``GrantError`` or ``EventChannelError``, here or when the descriptor is mapped, and in nothing else.
"""

from __future__ import annotations

import errno
import os
import threading
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, NamedTuple, Self

from paracore._errors import GrantError
from paracore.transport._handover import EventsState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from paracore.transport._handover import MappedState

__all__ = ["Allocation", "EventChannel", "Hypervisor", "HypervisorStatistics"]


class HypervisorStatistics(NamedTuple):
    """Counts of pages and ports since the view was made; what was taken less what was given back is held."""

    granted: int = 0
    revoked: int = 0
    mapped: int = 0
    unmapped: int = 0
    bound: int = 0
    unbound: int = 0


class Counts:
    """``HypervisorStatistics`` in the making, kept up by what a view has given out; from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = HypervisorStatistics()

    def add(self, **more: int) -> None:
        """Counts on."""
        with self._lock:
            self._now = self._now._replace(**{name: getattr(self._now, name) + count for name, count in more.items()})

    def now(self) -> HypervisorStatistics:
        """The counts so far."""
        return self._now


class _Closing(ABC):
    """What is held until it is closed; also as a context."""

    @abstractmethod
    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Allocation(_Closing):
    """Zeroed pages of this domain, granted to another.

    Attributes:
        descriptor: mmapped from offset 0 it gives the pages, writable here whatever the other may do.
        references: one per page, in order; never 0.
        length: octets.
    """

    descriptor: int
    references: tuple[int, ...]
    length: int

    @abstractmethod
    def close(self) -> None:
        """Takes the grant back and closes the descriptor. Idempotent.

        What is mapped stays mapped, in either domain, and is given to nobody else meanwhile. Once no process
        of this domain has the pages mapped, nothing maps them any more.
        """


class EventChannel(_Closing):
    """One end of an event channel.

    Attributes:
        descriptor_in: polls readable once the other end has notified.
        descriptor_out: for whoever notifies; may be the same descriptor.
        port: what the wire says of both descriptors: this end's port, 0 when they are eventfds.
        remote_port: what the other domain binds; for the guest to publish.
    """

    descriptor_in: int
    descriptor_out: int
    port: int
    remote_port: int

    def hand_over(self) -> EventsState:
        """What the next program image needs to have it."""
        return EventsState(self.descriptor_in, self.descriptor_out, self.port)

    @abstractmethod
    def notify(self) -> None:
        """Wakes the other end. That it has gone is no error: other signs tell it."""

    @abstractmethod
    def drain(self) -> None:
        """Takes what has arrived and lets more arrive. Look at the rings after it, not before."""

    @abstractmethod
    def close(self) -> None:
        """Unbinds, unless somebody else has the descriptors too. Idempotent."""


class Hypervisor(ABC):
    """One domain's view of the hypervisor; it counts what it has given out."""

    def __init__(self) -> None:
        self._mapped: dict[int, int] = {}  # pages, by descriptor
        self._counts = Counts()

    @abstractmethod
    def allocate(self, remote: int, length: int, *, read_only: bool = False) -> Allocation:
        """Pages granted to domain `remote`; with `read_only` it can only read them.

        Raises:
            GrantError: ENOSPC when a limit is reached, and the text names the setting to raise; the
                kernel's errno otherwise.
        """

    def map(self, remote: int, references: Sequence[int], *, read_only: bool = False) -> int:
        """A descriptor through which pages of domain `remote` are mmapped: once, from offset 0, all of them.

        Whether there are such pages may show only in that mmap. To be given back to ``unmap``.

        Raises:
            GrantError: they cannot be mapped.
        """
        if not references:
            raise GrantError(errno.EINVAL, "no references")
        descriptor = self._map(remote, references, read_only=read_only)
        self._count_mapped(descriptor, len(references))
        return descriptor

    @abstractmethod
    def _map(self, remote: int, references: Sequence[int], *, read_only: bool) -> int:
        """As ``map``, of at least one page."""

    def _count_mapped(self, descriptor: int, pages: int) -> None:
        self._mapped[descriptor] = pages
        self._counts.add(mapped=pages)

    def unmap(self, descriptor: int) -> None:
        """Closes a descriptor of ``map`` and counts its pages as unmapped.

        They are unmapped for good once nobody else has the descriptor or the mapping.
        """
        self._counts.add(unmapped=self._mapped.pop(descriptor))
        os.close(descriptor)

    @abstractmethod
    def unbound(self, remote: int) -> EventChannel:
        """A port that domain `remote` may bind.

        Raises:
            EventChannelError: there is none left.
        """

    @abstractmethod
    def interdomain(self, remote: int, port: int) -> EventChannel:
        """Binds a port that domain `remote` has offered. The descriptor can reach no other domain.

        Raises:
            EventChannelError: it offers no such port to this domain.
        """

    def adopt_pages(self, state: MappedState) -> int:
        """The descriptor of ``map`` that the last program image had; counted again, to be given back to ``unmap``."""
        self._count_mapped(state.descriptor, state.pages)
        return state.descriptor

    @abstractmethod
    def adopt_events(self, state: EventsState) -> EventChannel:
        """The event channel of ``interdomain`` that the last program image had; what has rung it rings it still."""

    def pages_of(self, descriptor: int) -> int:
        """How many pages a descriptor of ``map`` is for."""
        return self._mapped[descriptor]

    def statistics(self) -> HypervisorStatistics:
        """Of all that it has given out."""
        return self._counts.now()
