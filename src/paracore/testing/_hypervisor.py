# SPDX-License-Identifier: Apache-2.0
"""A hypervisor without one: memfds, eventfds and a table of references, for domains that share a process.

``FakeXen`` is the machine; ``FakeXen().domain(3)`` is what domain 3 sees of it. Allocations are sealed
memfds, so that what takes a grant's descriptor (libparacore, a worker) takes these too; event channels are
pairs of eventfds, hence their port on the wire is 0.

It is held to the real one by ``check_hypervisor``, wrong references included: as there, they show only in
the mmap. One thing it cannot do: a descriptor is mapped from offset 0, so ``map`` takes the references of
one allocation in order, from its first; all else, though Xen has it, is EINVAL. The frontend daemon and
honest directories ask for nothing else.
"""

from __future__ import annotations

import errno
import itertools
import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paracore._errors import EventChannelError, GrantError
from paracore.protocol import PAGE_SIZE
from paracore.transport.local._pages import LocalPages
from paracore.transport.xen import Allocation, EventChannel, Hypervisor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paracore.transport._handover import EventsState
    from paracore.transport.xen._hypervisor import Counts

__all__ = ["FakeHypervisor", "FakeXen"]

_FIRST_REFERENCE = 8
"""Xen keeps the ones below for itself."""
_PAGES_MAX = 32768
"""Grants of one domain, as Xen has it by default."""

_memfds = LocalPages()


@dataclass(frozen=True, slots=True)
class _Grant:
    """What the table knows of an allocation: its own descriptor, so that it may outlive the guest's."""

    remote: int
    references: tuple[int, ...]
    descriptor: int
    read_only: bool


@dataclass(frozen=True, slots=True)
class _Offer:
    """An unbound port and the two eventfds that its binder will get."""

    remote: int
    descriptor_in: int
    descriptor_out: int


class FakeXen:
    """The machine: who has granted and offered what to whom. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._references = itertools.count(_FIRST_REFERENCE)
        self._ports = itertools.count(1)
        self._grants: dict[tuple[int, int], _Grant] = {}
        self._offers: dict[tuple[int, int], _Offer] = {}

    def __len__(self) -> int:
        """Grants and offers that nobody has taken back."""
        return len(self._grants) + len(self._offers)

    def domain(self, number: int) -> FakeHypervisor:
        """What one domain sees."""
        return FakeHypervisor(self, number)

    def destroy(self, domain: int) -> None:
        """The domain is gone: no new mapping of its pages, no port of its. What is mapped stays."""
        for owner, reference in list(self._grants):
            if owner == domain:
                self.revoke(owner, reference)
        for owner, port in list(self._offers):
            if owner == domain:
                self.withdraw(owner, port)

    def grant(self, owner: int, remote: int, descriptor: int, pages: int, *, read_only: bool) -> tuple[int, ...]:
        """Enters an allocation; its first reference names it from then on."""
        with self._lock:
            if self._held(owner) + pages > _PAGES_MAX:
                raise GrantError(errno.ENOSPC, f"a domain has {_PAGES_MAX} grants here; the real limit can be raised")
            references = tuple(itertools.islice(self._references, pages))
            self._grants[owner, references[0]] = _Grant(remote, references, os.dup(descriptor), read_only)
        return references

    def revoke(self, owner: int, reference: int) -> None:
        """Takes an allocation out again."""
        with self._lock:
            if grant := self._grants.pop((owner, reference), None):
                os.close(grant.descriptor)

    def map(self, owner: int, remote: int, references: tuple[int, ...], *, read_only: bool) -> int:
        """A descriptor of the allocation that begins with these references."""
        with self._lock:
            grant = self._grants.get((owner, references[0]))
            if grant is None or grant.remote != remote:
                return _memfds.allocate(0)  # as on a grant device it shows in the mmap: a file without octets
            if references != grant.references[: len(references)]:
                raise GrantError(errno.EINVAL, "the fake maps the references of one allocation, in order")
            return _memfds.duplicate(grant.descriptor, read_only=read_only or grant.read_only)

    def offer(self, owner: int, offer: _Offer) -> int:
        """Enters an unbound port."""
        with self._lock:
            port = next(self._ports)
            self._offers[owner, port] = offer
        return port

    def take(self, owner: int, port: int, remote: int) -> _Offer:
        """Binds a port: nobody else can."""
        with self._lock:
            offer = self._offers.get((owner, port))
            if offer is None or offer.remote != remote:
                raise EventChannelError(errno.EINVAL, f"domain {owner} offers no port {port}")
            return self._offers.pop((owner, port))

    def withdraw(self, owner: int, port: int) -> None:
        """Takes a port back that nobody has bound."""
        with self._lock:
            if offer := self._offers.pop((owner, port), None):
                os.close(offer.descriptor_in)
                os.close(offer.descriptor_out)

    def _held(self, owner: int) -> int:
        return sum(len(grant.references) for (domain, _), grant in self._grants.items() if domain == owner)


class _FakeAllocation(Allocation):
    def __init__(self, xen: FakeXen, owner: int, remote: int, length: int, counts: Counts, *, read_only: bool) -> None:
        self.length = length
        self.descriptor = _memfds.allocate(length)
        try:
            self.references = xen.grant(owner, remote, self.descriptor, length // PAGE_SIZE, read_only=read_only)
        except GrantError:
            os.close(self.descriptor)
            raise
        self._xen, self._owner, self._counts = xen, owner, counts
        counts.add(granted=len(self.references))

    def close(self) -> None:
        if self.descriptor >= 0:
            self._xen.revoke(self._owner, self.references[0])
            os.close(self.descriptor)
            self.descriptor = -1
            self._counts.add(revoked=len(self.references))


class _FakeEventChannel(EventChannel):
    def __init__(self, descriptor_in: int, descriptor_out: int, counts: Counts) -> None:
        self.descriptor_in = descriptor_in
        self.descriptor_out = descriptor_out
        self.port = 0
        self.remote_port = 0
        self._counts = counts
        counts.add(bound=1)

    def notify(self) -> None:
        with suppress(BlockingIOError):  # it is full, hence rung
            os.eventfd_write(self.descriptor_out, 1)

    def drain(self) -> None:
        with suppress(BlockingIOError):
            os.eventfd_read(self.descriptor_in)

    def close(self) -> None:
        if self.descriptor_in >= 0:
            os.close(self.descriptor_in)
            os.close(self.descriptor_out)
            self.descriptor_in = self.descriptor_out = -1
            self._counts.add(unbound=1)


class _FakeUnbound(_FakeEventChannel):
    """The guest's end, whose offer goes with it."""

    def __init__(self, xen: FakeXen, owner: int, remote: int, counts: Counts) -> None:
        super().__init__(_memfds.doorbell(), _memfds.doorbell(), counts)
        offer = _Offer(remote, os.dup(self.descriptor_out), os.dup(self.descriptor_in))
        self.remote_port = xen.offer(owner, offer)
        self._xen, self._owner = xen, owner

    def close(self) -> None:
        self._xen.withdraw(self._owner, self.remote_port)
        super().close()


class FakeHypervisor(Hypervisor):
    """See ``Hypervisor``."""

    def __init__(self, xen: FakeXen, domain: int) -> None:
        super().__init__()
        self.domain = domain
        self._xen = xen

    def allocate(self, remote: int, length: int, *, read_only: bool = False) -> Allocation:
        if length <= 0 or length % PAGE_SIZE:
            raise GrantError(errno.EINVAL, f"{length} octets are no grant")
        return _FakeAllocation(self._xen, self.domain, remote, length, self._counts, read_only=read_only)

    def _map(self, remote: int, references: Sequence[int], *, read_only: bool) -> int:
        return self._xen.map(remote, self.domain, tuple(references), read_only=read_only)

    def unbound(self, remote: int) -> EventChannel:
        return _FakeUnbound(self._xen, self.domain, remote, self._counts)

    def interdomain(self, remote: int, port: int) -> EventChannel:
        offer = self._xen.take(remote, port, self.domain)
        channel = _FakeEventChannel(offer.descriptor_in, offer.descriptor_out, self._counts)
        os.eventfd_write(channel.descriptor_in, 1)  # Xen does: a notification may have been lost before
        return channel

    def adopt_events(self, state: EventsState) -> EventChannel:
        return _FakeEventChannel(state.descriptor_in, state.descriptor_out, self._counts)
