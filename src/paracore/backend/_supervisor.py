# SPDX-License-Identifier: Apache-2.0
"""The supervisor: sockets, policy and accounts. It parses no call of any device class.

One thread, one event loop, and nothing here waits: what may, a write to sysfs, is another thread's. It trusts
neither domains nor workers; it trusts the configuration and the warm parent. Everything that a domain makes it hold
is counted against that domain's limits, everything that a domain makes it do is bounded in rate.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import logging
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from msgspec.structs import replace

from paracore._errors import (
    ConfigError,
    Error,
    GrantError,
    PermissionRefused,
    RemoteProtocolError,
)
from paracore.backend._admission import Admission, Bounds
from paracore.backend._adoption import Adoption, domain_state, states_of
from paracore.backend._changes import changed_devices, changed_domains, changes_parse
from paracore.backend._config import section_attached
from paracore.backend._connection import Connection
from paracore.backend._domain import Domain
from paracore.backend._handover import State
from paracore.backend._hangs import Hangs
from paracore.backend._power import Power
from paracore.backend._sharing import Sharing
from paracore.backend._status import Status, guest_account
from paracore.backend._warm import check_sandbox
from paracore.backend._workers import Workers
from paracore.classes import worker
from paracore.classes.link import Limit, Refusal
from paracore.transport import Refused
from paracore.transport._rate import BoundedLog

if TYPE_CHECKING:
    from collections.abc import Callable

    from paracore.backend._config import Config, DomainSection
    from paracore.backend._warm import Launched
    from paracore.backend._worker_end import WorkerEnd
    from paracore.protocol import Attachment
    from paracore.transport import ChannelDescriptors, Listener, Port
    from paracore.transport.local._listener import LocalListener
    from paracore.transport.xen import XenListener

__all__ = ["Statistics", "Supervisor"]

_log = logging.getLogger("paracore.backend")

_ACCEPTS: Final = 8
"""Arrivals served at a stretch."""
_UNGREETED_MAX: Final = 64
"""Connections of one peer's identity that have not said hello. Bounds what nobody's limits bound yet."""
_NO_DESCRIPTORS: Final = 0.2
"""Seconds without accepting after the host ran out of descriptors."""
_SETTLING: Final = 5.0
"""Seconds that what is under way has to come to an end before a reload. A guest may keep it from that, and a busy xenstored
may take seconds for the look at a device that is under way, without which its guest would have to begin anew."""
_FAREWELL: Final = 2.0
"""Seconds that workers have to end when the backend stops."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """What the supervisor holds now (first group) and what has happened so far (second)."""

    connections: int
    channels: int
    grants: int
    bytes: int
    workers: int

    accepted: int
    refused: int
    violations: int
    channels_opened: int
    workers_started: int
    workers_lost: int
    reloads: int
    reloads_refused: int


class Supervisor:
    """See the module. The ``Host`` of its ports, the owner of connections and domains."""

    def __init__(self, config: Config, launched: Launched) -> None:
        self.config = config
        self.devices: list[dict[str, Any]] = []
        self.sandbox: dict[str, Any] = {}
        self.domains: list[Domain] = []
        self._identities: dict[str, Domain] = {}
        self._loop = asyncio.get_running_loop()
        self.sharing = Sharing(config.device, self._loop)
        self.power = Power(config.device, self.domains, self._loop)
        self.hangs = Hangs([device.name for device in config.device], self.domains)
        self.admission = Admission({device.name: device.pixel_rate for device in config.device})
        for section in config.domain:
            self._enter(section, section.identities())
        self._listeners: list[Listener] = []
        self._processes: LocalListener | None = None
        self._guests: XenListener | None = None
        self._connections: dict[Port, Connection] = {}
        self._ungreeted: Counter[str] = Counter()
        self._numbers = itertools.count(1)
        self._counts: Counter[str] = Counter()
        self._strangers = BoundedLog(_log)
        self._wanted: list[Status] = []
        self._asked = 0
        self._draining = False
        self.reload_complaint: str | None = None
        """Why the last reload was refused; None in a backend that cannot be reloaded."""
        self._stopping = asyncio.Event()
        self._fatal: Error | None = None
        self.workers = Workers(self, launched, self._numbers)

    def statistics(self) -> Statistics:
        """The accounts."""
        quotas = [domain.quota for domain in self.domains]
        counted = ("accepted", "refused", "violations", "channels_opened", "workers_lost", "reloads", "reloads_refused")
        return Statistics(
            connections=len(self._connections),
            channels=sum(quota.channels for quota in quotas),
            grants=sum(quota.buffers for quota in quotas),
            bytes=sum(quota.bytes for quota in quotas),
            workers=len(self.workers.ends),
            workers_started=self.workers.started,
            **{name: self._counts[name] for name in counted},
        )

    def transport_counts(self) -> dict[str, int]:
        """What the transports have counted, in one: their names differ."""
        return {name: count for listener in self._listeners for name, count in listener.counts().items()}

    @property
    def stopping(self) -> bool:
        """Whether it is about to end."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Says goodbye to everybody; ``run`` returns soon."""
        self._stopping.set()

    async def run(self) -> None:
        """Serves until ``stop``.

        Raises:
            ConfigError: a device could not be made.
            DeviceLost: workers cannot be started any more.
        """
        await self._stopping.wait()
        for listener in self._listeners:
            self._loop.remove_reader(listener.fileno())
            listener.close()
        for connection in list(self._connections.values()):
            connection.end(Refusal.SHUTDOWN)
        for domain in self.domains:
            domain.dismiss()
        await self._wait_farewell()
        for listener in self._listeners:
            await listener.wait_closed()
        self.workers.close()
        self.power.close()
        if self._fatal:
            raise self._fatal

    async def _wait_farewell(self) -> None:
        """Workers end by themselves, peers read their goodbyes; whoever does not is not waited for."""
        until = self._loop.time() + _FAREWELL
        while (self.workers.ends or self._connections) and self._loop.time() < until:  # noqa: ASYNC110 - of two kinds, once
            await asyncio.sleep(0.01)

    # --- arrivals -----------------------------------------------------------------------------------

    def listen(self, processes: LocalListener, guests: XenListener | None = None) -> None:
        """Serves whoever arrives there, from now on; the listeners become the supervisor's to close."""
        self._processes, self._guests = processes, guests
        for listener in (processes, guests):
            if listener:
                self._listeners.append(listener)
                self._resume(listener)

    def _resume(self, listener: Listener) -> None:
        if not self._stopping.is_set() and not self._draining:
            self._loop.add_reader(listener.fileno(), self._accept, listener)

    def _accept(self, listener: Listener) -> None:
        for _ in range(_ACCEPTS):
            try:
                port = listener.accept(self)
            except OSError as error:
                self._strangers.write(logging.ERROR, "no connection can be accepted: %s", error.strerror)
                self._loop.remove_reader(listener.fileno())
                self._loop.call_later(_NO_DESCRIPTORS, self._resume, listener)
                return
            if port is None:
                return
            self._arrived(port)

    def _arrived(self, port: Port) -> None:
        identity = port.peer.identities[0]
        if self._ungreeted[identity] >= _UNGREETED_MAX:
            self._count_refused(port, "too many connections without a hello")
            port.goodbye(Refusal.LIMIT, Limit.CHANNELS)
            port.close()
            return
        self._counts["accepted"] += 1
        self._ungreeted[identity] += 1
        self._connections[port] = Connection(self, port)

    def _greeted(self, port: Port) -> None:
        identity = port.peer.identities[0]
        self._ungreeted[identity] -= 1
        if not self._ungreeted[identity]:
            del self._ungreeted[identity]

    # --- across a reload ----------------------------------------------------------------------------

    def hand_over(self, file: Config) -> State:
        """All that there is, for the next program image, if it were now. `file` is the configuration as it was read.

        Changes nothing, but takes a number.
        """
        assert self._processes is not None  # it listens
        connections = states_of(self._connections.values())
        return State(
            file=file,
            config=self.config,
            listener=self._processes.hand_over(),
            number=next(self._numbers),
            counts=dict(self._counts),
            workers_started=self.workers.started,
            domains=tuple(domain_state(self, domain, connections[domain]) for domain in self.domains),
            guests=self._guests.hand_over() if self._guests else (),
            strangers=tuple(connections[None]),
            warm=self.workers.hand_over(),
            hangs=self.hangs.hand_over(),
            power=self.power.hand_over(),
        )

    def refuse_reload(self, complaint: str) -> None:
        """It is not to be, and nothing has changed."""
        self._counts["reloads_refused"] += 1
        self.reload_complaint = complaint
        _log.error("the reload is refused, and nothing has changed: %s", complaint)

    async def pause(self) -> None:
        """Comes to a point where all that is under way can be handed over; what cannot be ends.

        Those who ask for something wait in their sockets and rings, those who arrive in the listener's. Workers are
        heard on.
        """
        self._draining = True
        for listener in self._listeners:
            self._loop.remove_reader(listener.fileno())
            listener.pause()
        for connection in self._connections.values():
            connection.pause()
        await self._wait_settled()
        for connection in list(self._connections.values()):
            if not connection.hand_over():
                connection.end(Refusal.SHUTDOWN)

    async def _wait_settled(self) -> None:
        """Guests that are not by then cannot be handed over. Who asked for the status gets it: workers' patience is bounded."""
        until = self._loop.time() + _SETTLING
        while not self._stopping.is_set() and (self._asked or not self._is_settled(until)):  # noqa: ASYNC110 - once
            await asyncio.sleep(0.01)

    def _is_settled(self, until: float) -> bool:
        return self._loop.time() >= until or all(listener.settled for listener in self._listeners)

    def adopt(self, state: State, listener: LocalListener, guests: XenListener | None) -> None:
        """Has all of it again that the last program image has handed over."""
        self._counts.update(state.counts)
        self._counts["reloads"] += 1
        self._numbers = self.workers.numbers = itertools.count(state.number)
        self.workers.started = state.workers_started
        self.workers.adopt_warm(state.warm)
        self.hangs.adopt(state.hangs)
        adoption = Adoption(self, (listener, guests), self._connections, self._ungreeted)
        adoption.all(state)
        for section in self.config.device:
            self.sharing.begin(section)
        self.power.adopt(state.power)
        self.workers.part()

    # --- domains that come and go -------------------------------------------------------------------

    def _enter(self, section: DomainSection, identities: tuple[str, ...]) -> None:
        domain = Domain(section, identities, self, self.config.backend.worker_linger)
        self.domains.append(domain)
        self.sharing.enter(domain)
        self._identities.update(dict.fromkeys(identities, domain))

    def attach(self, identity: str, attachment: Attachment) -> None:
        section = section_attached(attachment, self.config)
        self._enter(section, (identity,))
        _log.info("domain %s (%s) is attached", section.name, identity)

    def detach(self, identity: str, *, destroyed: bool) -> None:
        domain = self._identities.pop(identity)
        self.domains.remove(domain)
        domain.detach(destroyed=destroyed)
        self.sharing.leave(domain)
        _log.info("domain %s (%s) is %s", domain.name, identity, "taken away" if destroyed else "detached")

    def drain(self, identity: str, ended: Callable[[], None]) -> None:
        self._identities[identity].drain(ended)

    def violated(self, identity: str, text: str) -> None:
        self._violated(self._identities[identity], identity, text)

    def account(self, identity: str) -> dict[str, int]:
        domain = self._identities[identity]
        return guest_account(domain, self.sharing.account(domain))

    # --- what ports ask -----------------------------------------------------------------------------

    def admit(self, port: Port) -> str:
        domain = next((self._identities[known] for known in port.peer.identities if known in self._identities), None)
        if domain is None and not port.peer.administrator:
            raise Refused(Refusal.UNKNOWN_PEER)
        connection = self._connections[port]
        if domain:
            domain.admit(connection)
        connection.hello(domain)
        self._greeted(port)
        return domain.name if domain else ""

    def channel_open(self, port: Port, ring_order: int, descriptors: ChannelDescriptors) -> int:
        connection = self._connections[port]
        if connection.domain is None:
            raise Refused(Refusal.UNKNOWN_PEER)
        channel = next(self._numbers)
        connection.domain.channel_open(connection, channel, ring_order, descriptors)
        self._counts["channels_opened"] += 1
        return channel

    def grant(self, port: Port, length: int) -> None:
        self._domain(port).quota.enter_grant(length)

    def ungrant(self, port: Port, length: int) -> None:
        self._domain(port).quota.leave_grant(length)

    def revoking(self, port: Port) -> None:
        self._domain(port).hear()

    def status(self, port: Port, answer: Callable[[bytes], None]) -> None:  # noqa: ARG002 - everybody gets the same
        self._asked += 1
        wanted = Status(self, partial(self._answered, answer))
        if self.sandbox:
            wanted.gather()
        else:
            self._wanted.append(wanted)  # the warm parent is about to say what devices there are

    def _answered(self, answer: Callable[[bytes], None], text: bytes) -> None:
        self._asked -= 1
        answer(text)

    def configure(self, port: Port, changes: bytes) -> None:
        wanted = changes_parse(changes)
        devices = changed_devices(wanted, self.config.device)
        domains = changed_domains(wanted, [domain.section for domain in self.domains])
        self.config = replace(self.config, device=tuple(devices.get(each.name, each) for each in self.config.device))
        for section in devices.values():
            self.sharing.change_device(section)
            self.admission.change(section.name, section.pixel_rate)
        for domain in self.domains:
            if rights := domains.get(domain.name):
                domain.change(rights)
                self.sharing.change_domain(domain)
        _log.warning("%s changed settings: %s", port.peer.text, changes.decode())

    def trace(self, port: Port, domain: str) -> tuple[int, str]:
        connection = self._connections[port]
        traced = self._traced(connection, domain)
        if traced in connection.traced:
            raise GrantError(errno.EBUSY, f"domain {traced.name} is traced already")
        descriptor = traced.trace_enter()
        connection.traced.add(traced)
        traced.log.write(logging.INFO, "%s traces domain %s", port.peer.text, traced.name)
        return descriptor, traced.name

    def _traced(self, connection: Connection, name: str) -> Domain:
        """A domain that this peer may know everything of."""
        own = connection.domain
        if own and name in {"", own.name}:
            return own
        if not connection.port.peer.administrator:
            raise PermissionRefused("other domains are the administrator's to trace")
        found = next((domain for domain in self.domains if domain.name == name), None)
        if found is None:
            raise GrantError(errno.ENOENT, f"there is no domain {name}")
        return found

    def _domain(self, port: Port) -> Domain:
        domain = self._connections[port].domain
        assert domain is not None  # only an open channel has grants
        return domain

    # --- what connections tell ----------------------------------------------------------------------

    def refused(self, connection: Connection, refusal: Refused) -> None:
        self._count_refused(connection.port, str(refusal))

    def broken(self, connection: Connection, text: str) -> None:
        self._violated(connection.domain, connection.port.peer.text, text)

    def ended(self, connection: Connection) -> None:
        if not connection.greeted:
            self._greeted(connection.port)
        if connection.domain:
            connection.domain.leave(connection)
        while connection.traced:
            connection.traced.pop().trace_leave()

    def closed(self, connection: Connection) -> None:
        del self._connections[connection.port]

    def _violated(self, domain: Domain | None, who: str, text: str) -> None:
        self._counts["violations"] += 1
        if domain:
            domain.violations += 1
        log, name = (domain.log, domain.name) if domain else (self._strangers, "-")
        log.write(logging.WARNING, "domain %s, %s: broke the protocol: %s", name, who, text)

    def _count_refused(self, port: Port, why: str) -> None:
        self._counts["refused"] += 1
        self._strangers.write(logging.WARNING, "%s: %s", port.peer.text, why)

    # --- workers ------------------------------------------------------------------------------------

    def order_worker(self, domain: Domain) -> WorkerEnd:
        return self.workers.order(domain)

    def worker_lost(self, domain: Domain, end: WorkerEnd, why: str) -> None:
        self._counts["workers_lost"] += 1
        domain.log.write(logging.ERROR, "domain %s: worker %d is lost: %s", domain.name, end.pid, why)

    def worker_left(self, domain: Domain) -> None:
        domain.worker_left_at = time.monotonic_ns()
        self.admission.leave(domain)
        self.sharing.rest(domain)
        self.power.leave(domain)

    def device_want(self, domain: Domain, device: int) -> None:
        self.sharing.want(domain, device)

    def device_release(self, domain: Domain, device: int, lease: int, *, wants: bool) -> None:
        self.sharing.release(domain, device, lease, wants=wants)

    def device_used(self, domain: Domain, device: int, used: int) -> None:
        self.sharing.use(domain, device, used)
        self.power.work(domain, device, used)

    def device_pace(self, domain: Domain, device: int, period: int) -> None:
        self.sharing.pace(domain, device, period)

    def device_hang(self, domain: Domain, device: int, *, stuck: bool) -> None:
        self.hangs.hang(domain, device, stuck=stuck)

    def device_use(self, domain: Domain, device: int, *, used: bool) -> None:
        self.power.use(domain, device, used=used)

    def worker_blocked(self, domain: Domain, device: int | None) -> None:
        self.hangs.blocked(domain, device)

    def reserve(self, domain: Domain, request: worker.Reserve) -> worker.Failure | None:
        names = domain.section.device_names(self.admission.budgets)
        if request.device >= len(names):
            raise RemoteProtocolError(f"there is no device {request.device}")
        limits = domain.section.limits
        bounds = Bounds(limits.sessions, limits.pixel_rate)
        most = self.admission.reserve(domain, names[request.device], request.session, request.rate, bounds)
        return None if most is None else worker.Failure(worker.Error.NO_SPACE, worker.Limit.PIXEL_RATE, most)

    def drivers_ready(self, said: dict[str, Any]) -> None:
        self.devices = said.pop("ready")
        self.hangs.spare(device["name"] for device in self.devices if not device.pop("carries"))
        self.sharing.measure(device["name"] for device in self.devices if device["time"] == "jobs")
        self.power.manage({device["name"]: device.pop("kernel_devices") for device in self.devices})
        self.sandbox = said
        for lack in said["missing"]:
            _log.warning("the sandbox of workers is weaker than it could be: %s", lack)
        try:
            check_sandbox(self.config, said)
        except ConfigError as error:
            self.give_up(error)
        while self._wanted:
            self._wanted.pop().gather()

    def give_up(self, error: Error) -> None:
        """Ends by this error."""
        self._fatal = self._fatal or error
        self.stop()
