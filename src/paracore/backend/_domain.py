# SPDX-License-Identifier: Apache-2.0
"""One domain in the supervisor, of the configuration or attached: its connections, what they hold, its worker.

A domain has at most one worker. It is ordered with the first channel and lingers a while after the last;
when it dies, the domain's channels end, and the next channel gets a new one at once.
"""

from __future__ import annotations

import asyncio
import errno
import logging
from typing import TYPE_CHECKING, Protocol

from paracore._errors import GrantError
from paracore.backend._config import worker_nice
from paracore.backend._ledger import Ledger
from paracore.backend._trace import Trace
from paracore.classes.link import Limit, Refusal
from paracore.transport import Refused
from paracore.transport._quota import Quota
from paracore.transport._rate import BoundedLog, Bucket

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from paracore.backend._config import DomainSection
    from paracore.backend._connection import Connection
    from paracore.backend._handover import DomainState
    from paracore.backend._worker_end import WorkerEnd
    from paracore.classes import worker
    from paracore.transport import ChannelDescriptors

__all__ = ["Domain", "DomainOwner"]

_CONNECTIONS_SPARE = 8
"""Connections beyond its channels that a domain may have: some just ending, some asking for the status."""
_RATE, _RATE_BURST = 1000.0, 512.0
"""Wake-ups of the supervisor by all connections of one domain, a second and at once."""


class DomainOwner(Protocol):
    """What a domain needs of the supervisor."""

    def order_worker(self, domain: Domain) -> WorkerEnd: ...

    def worker_lost(self, domain: Domain, end: WorkerEnd, why: str) -> None:
        """A worker ended that had channels."""

    def broken(self, connection: Connection, text: str) -> None: ...

    def device_want(self, domain: Domain, device: int) -> None:
        """Its worker has work for a device."""

    def device_release(self, domain: Domain, device: int, lease: int, *, wants: bool) -> None:
        """Its worker has ended the use of a device, and may want it again."""

    def device_used(self, domain: Domain, device: int, used: int) -> None:
        """Its worker says that it has used so many nanoseconds of a device."""

    def device_pace(self, domain: Domain, device: int, period: int) -> None:
        """Nanoseconds between two pictures of its fastest session; 0: none has declared a rate."""

    def device_hang(self, domain: Domain, device: int, *, stuck: bool) -> None:
        """A device hung in its worker, which has to be ended if it is stuck."""

    def device_use(self, domain: Domain, device: int, *, used: bool) -> None:
        """Its worker has sessions of a device, or none any more."""

    def worker_blocked(self, domain: Domain, device: int | None) -> None:
        """Its worker has ended in a driver that did not come back, of this device as it says itself."""

    def reserve(self, domain: Domain, request: worker.Reserve) -> worker.Failure | None:
        """One of its sessions wants so much of a device."""

    def worker_left(self, domain: Domain) -> None:
        """Its worker has gone, or is on its way."""


class Domain:
    """See the module. A ``WorkerOwner``."""

    def __init__(self, section: DomainSection, identities: tuple[str, ...], owner: DomainOwner, linger: float) -> None:
        self.name = section.name
        self.section = section
        self.identities = identities
        self.quota = Quota(section.limits)
        self.bucket = Bucket(_RATE, _RATE_BURST)
        self.log = BoundedLog(logging.getLogger("paracore.backend"))
        self.connections: set[Connection] = set()
        self.channels: dict[int, Connection] = {}
        self.worker: WorkerEnd | None = None
        self.trace = Trace()
        self.violations = self.workers_lost = 0
        self.worker_left_at = 0
        """By the monotonic clock: since then the domain has done nothing, and gathers credit for its rates."""
        self.ledger = Ledger()
        self._owner = owner
        self._linger = linger
        self._dismissal: asyncio.TimerHandle | None = None
        self._leaving = False
        self._drained: Callable[[], None] | None = None

    def adopt(self, state: DomainState, connections: Iterable[Connection]) -> None:
        """It has that from the last program image, and its worker."""
        self.violations, self.workers_lost = state.violations, state.workers_lost
        self.worker_left_at = state.worker_left_at
        self.ledger.adopt(state.ledger)
        for connection, each in zip(connections, state.connections, strict=True):
            if each.ended:
                continue
            self.connections.add(connection)
            self.quota.buffers += len(each.port.grants)
            self.quota.bytes += sum(grant.length for grant in each.port.grants)
            if each.channel:
                self.channels[each.channel] = connection
                self.quota.channels += 1
        if self.worker and self.section.weight != state.section.weight:
            self.worker.renice(worker_nice(self.section.weight))
        self.rest()

    def admit(self, connection: Connection) -> None:
        """Takes a connection in.

        Raises:
            Refused: the domain has too many, or is about to be detached.
        """
        if self._leaving:
            raise Refused(Refusal.DETACHED)
        if len(self.connections) >= self.section.limits.channels + _CONNECTIONS_SPARE:
            raise Refused(Refusal.LIMIT, Limit.CHANNELS)
        self.connections.add(connection)

    def channel_open(
        self, connection: Connection, channel: int, ring_order: int, descriptors: ChannelDescriptors
    ) -> None:
        """Passes a new channel to the worker, which is ordered if there is none.

        Raises:
            QuotaExceeded: the domain has as many channels as it may have.
            GrantError: the host has run out of what a worker needs.
        """
        self.quota.enter_channel()
        try:
            worker = self._present_worker()
        except OSError as error:
            self.quota.leave_channel()
            raise GrantError(error.errno, "no worker can be started") from error
        self.channels[channel] = connection
        connection.channel = channel
        connection.worker = worker
        worker.channel_add(channel, ring_order, descriptors)

    def _present_worker(self) -> WorkerEnd:
        if self._dismissal:
            self._dismissal.cancel()
            self._dismissal = None
        if self.worker is None:
            self.worker = self._owner.order_worker(self)
            self._carry()
            if self.trace.readers:
                self.worker.trace(self.trace.memory)
        return self.worker

    def leave(self, connection: Connection) -> None:
        """A connection has ended: its channel goes with it."""
        self.connections.discard(connection)
        if self.channels.pop(connection.channel, None) is None:
            return
        self.quota.leave_channel()
        assert connection.worker is not None  # it has a channel
        connection.worker.channel_remove(connection.channel, connection.port.released)
        if not self.channels:
            self.worker_drained()
        self.rest()

    def rest(self) -> None:
        """With no channel left its worker is kept for a while, and until it has said what it has done in the last one."""
        if self.worker and not (self.channels or self._dismissal or self.worker.lets_go):
            self._dismissal = asyncio.get_running_loop().call_later(self._linger, self.dismiss)

    def drain(self, ended: Callable[[], None]) -> None:
        """It is about to be detached: its worker gives out what it was given, and nobody else is let in.

        `ended` is called once, when that is done or nobody is left for whom it would be.
        """
        self._leaving, self._drained = True, ended
        if self.worker and self.channels:
            self.worker.drain()
        else:
            self.worker_drained()

    def detach(self, *, destroyed: bool) -> None:
        """The toolstack took it away, or it is no more: then its worker is not given the time to end by itself."""
        for connection in list(self.connections):
            connection.end(Refusal.DETACHED)
        if destroyed and self.worker:
            self.worker.kill()
        self.dismiss()

    def dismiss(self) -> None:
        """Ends the worker, since nobody needs it."""
        if self._dismissal:
            self._dismissal.cancel()
            self._dismissal = None
        if self.worker:
            self._part()
            leaving, self.worker = self.worker, None
            leaving.dismiss()
            self.trace.rest()

    def _carry(self) -> None:
        """The present worker is charged for what the last one used last."""
        if self.worker:
            self.worker.carry(self.ledger.late)
            self.ledger.late = 0

    def _part(self) -> None:
        self._owner.worker_left(self)
        self.ledger.part()

    def trace_enter(self) -> int:
        """Somebody wants to know what its worker does, as does the next one; returns where to read it."""
        descriptor = self.trace.enter()
        if self.worker:  # also when it is recording: it tells the newcomer which sessions there are
            self.worker.trace(self.trace.memory)
        return descriptor

    def trace_leave(self) -> None:
        """He does not any more."""
        if self.trace.leave():
            if self.worker:
                self.worker.trace(None)
            else:
                self.trace.rest()

    def change(self, section: DomainSection) -> None:
        """Other rights from now on; its worker, if there is one, gets its weight's part of the processors at once."""
        self.section = section
        if self.worker:
            self.worker.renice(worker_nice(section.weight))
            self.worker.rates(section.limits)

    def hear(self) -> None:
        """Hears what the worker has said by now."""
        if self.worker:
            self.worker.hear()

    # --- what the worker says -----------------------------------------------------------------------

    def map(self, request: worker.Map) -> int:
        connection = self.channels.get(request.channel)
        if connection is None:
            raise GrantError(errno.ENOENT, f"channel {request.channel} is not this domain's")
        return connection.port.map(request.grant, request.length, request.flags)

    def unmap(self, request: worker.Unmap) -> None:
        if connection := self.channels.get(request.channel):
            connection.port.unmap(request.grant)

    def device_want(self, device: int) -> None:
        self._owner.device_want(self, device)

    def device_release(self, device: int, lease: int, *, wants: bool) -> None:
        self._owner.device_release(self, device, lease, wants=wants)

    def device_used(self, device: int, used: int) -> None:
        self._owner.device_used(self, device, used)

    def device_pace(self, device: int, period: int) -> None:
        self._owner.device_pace(self, device, period)

    def device_hang(self, device: int, *, stuck: bool) -> None:
        self._owner.device_hang(self, device, stuck=stuck)

    def reserve(self, request: worker.Reserve) -> worker.Failure | None:
        return self._owner.reserve(self, request)

    def rates_owed(self, pictures: float, macroblocks: float) -> None:
        self.ledger.owe(pictures, macroblocks)

    def counted(self, counts: dict[str, int]) -> None:
        self.ledger.count(counts)

    def violation(self, channel: int, text: str) -> None:
        if connection := self.channels.get(channel):
            connection.violated(text)

    def device_use(self, device: int, *, used: bool) -> None:
        self._owner.device_use(self, device, used=used)

    def worker_drained(self) -> None:
        ended, self._drained = self._drained, None
        if ended:
            ended()

    def worker_released(self) -> None:
        self.rest()

    def worker_used(self, late: int) -> None:
        self.ledger.late += late
        self._carry()

    def worker_blocked(self, device: int | None) -> None:
        self._owner.worker_blocked(self, device)

    def worker_ended(self, end: WorkerEnd, why: str) -> None:
        if end is not self.worker:
            return  # it was dismissed
        self._part()
        self.worker = None
        self.trace.rest()
        if self.channels:
            self.workers_lost += 1
            self._owner.worker_lost(self, end, why)
        for connection in list(self.channels.values()):
            connection.end(Refusal.WORKER_LOST)
