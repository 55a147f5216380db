# SPDX-License-Identifier: Apache-2.0
"""The supervisor's end of one guest's control ring: takes calls to the connections that they are for.

The daemon at the other end is hostile. What it may not send, or not now, ends the whole ring: all connections
are hung up and the owner is told, once. It is listened to at a bounded rate, whatever it sends and however often
it rings. A connection that is over keeps its number until the daemon gives it back.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final, Protocol

from paracore._errors import EventChannelError, GrantError, RemoteProtocolError, TransportBroken
from paracore.classes import bridge
from paracore.protocol import PAGE_SIZE, REPLY, REQUEST, Role, mapping_size, message, split
from paracore.transport._handover import ControlState
from paracore.transport._rate import Bucket
from paracore.transport.local import LocalPages
from paracore.transport.xen._control import ControlRing
from paracore.transport.xen._directory import read_directory
from paracore.transport.xen._port import XenPort

if TYPE_CHECKING:
    from paracore.protocol import FrontendNodes, Header
    from paracore.transport._handover import PortState
    from paracore.transport._transport import Host, Mapping
    from paracore.transport.xen._hypervisor import Hypervisor

__all__ = ["Exchange", "ExchangeOwner"]

_CONNECTIONS_MAX: Final = 1024
"""Numbers in use: more than a domain may have channels, and some that are just ending."""
_RATE, _RATE_BURST = 1000.0, 512.0
"""Messages, wake-ups and further pages of directories of one guest, a second and at once."""
_PAUSE: Final = 0.05
"""Seconds that a guest which asks too often is not listened to, at least."""


class ExchangeOwner(Protocol):
    """What an exchange needs of its guest."""

    identity: str
    remote: int
    hypervisor: Hypervisor

    @property
    def host(self) -> Host: ...

    def arrived(self, port: XenPort) -> None:
        """A process has come."""

    def broken(self, text: str) -> None:
        """The daemon broke the protocol; its ring is closed. Called once."""


class Exchange:
    """See the module. The owner of its ports.

    Attributes:
        closed: nobody is listened to any more.
        emptied: set while nothing is mapped or served for any connection.
    """

    def __init__(self, owner: ExchangeOwner, published: FrontendNodes | ControlState) -> None:
        """Maps the control ring: one that the guest has published, or that of the last program image.

        Raises:
            GrantError, EventChannelError: the guest has not granted that.
        """
        self.identity = owner.identity
        self.remote = owner.remote
        self.hypervisor = owner.hypervisor
        self.host = owner.host
        self.emptied = asyncio.Event()
        self.emptied.set()
        self._owner = owner
        self._ports: dict[int, XenPort] = {}
        self._bucket = Bucket(_RATE, _RATE_BURST)
        self._loop = asyncio.get_running_loop()
        self._paused = False
        with ExitStack() as made:
            if isinstance(published, ControlState):
                self._ring = self._take_on(published, made)
            else:
                self._ring = self._take_ring(published, made)
            self._made = made.pop_all()
        self.closed = False
        self._resume()

    def _take_ring(self, published: FrontendNodes, made: ExitStack) -> ControlRing:
        self._order = published.ring_order
        count = mapping_size(self._order) // PAGE_SIZE
        self._references = tuple(read_directory(self.hypervisor, self.remote, published.ring_reference, count))
        mapping = self._map(made)
        events = made.enter_context(self.hypervisor.interdomain(self.remote, published.port))
        return ControlRing(mapping, self._order, Role.BACKEND, events)

    def _map(self, made: ExitStack) -> Mapping:
        descriptor = self.hypervisor.map(self.remote, self._references)
        made.callback(self.hypervisor.unmap, descriptor)
        # SAFETY: the guest may rewrite the pages at any time; ControlRing bounds and copies before it looks.
        mapping = LocalPages().map(descriptor, mapping_size(self._order), read_only=False)
        made.callback(mapping.close)
        return mapping

    # --- across a reload ----------------------------------------------------------------------------

    def _take_on(self, state: ControlState, made: ExitStack) -> ControlRing:
        """A grant device maps once: the next program image has the same pages mapped by another one."""
        self._order, self._references = state.order, state.references
        mapping = self._map(made)
        events = self.hypervisor.adopt_events(state.events)  # the caller's until here
        made.callback(events.close)
        return ControlRing(mapping, self._order, Role.BACKEND, events, state)

    def pause(self) -> None:
        """Listens to nobody any more: what is said from now on waits in the ring."""
        self._paused = True
        if not self.closed:
            self._loop.remove_reader(self._ring.fileno())

    @property
    def settled(self) -> bool:
        """Whether all of it could be handed over."""
        return not self.closed and all(port.settled for port in self._ports.values())

    def hand_over(self) -> tuple[ControlState, tuple[int, ...]]:
        """The ring, and the connections that are over; the others are handed over by who has their ports."""
        ended = tuple(number for number, port in self._ports.items() if port.done)
        return self._ring.hand_over(self._order, self._references), ended

    def adopt(self, state: PortState) -> XenPort:
        """A connection of the last program image."""
        assert state.process is not None  # it is a guest's
        port = self._ports[state.process.number] = XenPort.adopted(self, state)
        self.emptied.clear()
        return port

    def adopt_ended(self, numbers: tuple[int, ...]) -> None:
        """Connections that were over."""
        for number in numbers:
            port = self._ports[number] = XenPort(self, number)
            port.close_unsaid()

    # --- for the guest --------------------------------------------------------------------------------

    def close(self) -> None:
        """Hangs up on everybody and lets go of the ring. What connections have mapped is told by ``emptied``."""
        if self.closed:
            return
        self.closed = True
        self._loop.remove_reader(self._ring.fileno())
        self._ring.close()
        self._made.close()
        for port in self._ports.values():
            port.hang_up()
        self._count()

    # --- for ports ----------------------------------------------------------------------------------

    def send(self, octets: bytes) -> None:
        if self.closed:
            return
        try:
            self._ring.send(octets)
        except (RemoteProtocolError, TransportBroken, EventChannelError) as error:
            self._break(str(error))

    def charge(self, work: int) -> None:
        self._bucket.owe(work)

    def let_go(self, port: XenPort) -> None:
        if port.left:
            del self._ports[port.number]
        self._count()

    def _count(self) -> None:
        if all(port.done for port in self._ports.values()):
            self.emptied.set()

    # --- from the daemon ----------------------------------------------------------------------------

    def _resume(self) -> None:
        if not self.closed and not self._paused:
            self._loop.add_reader(self._ring.fileno(), self._readable)

    def _readable(self) -> None:
        within = self._bucket.take()
        try:
            for octets in self._ring.receive():
                within &= self._bucket.take()
                if not self.closed:  # by an earlier one of them
                    self._hear(octets)
        except (RemoteProtocolError, EventChannelError, GrantError) as error:
            self._break(str(error))
        if not within and not self.closed:
            self._loop.remove_reader(self._ring.fileno())
            self._loop.call_later(max(_PAUSE, self._bucket.wait()), self._resume)

    def _hear(self, octets: bytes) -> None:
        header, _ = split(octets)
        if header.opcode == bridge.Ping.OPCODE:
            self._ping(header)
        elif header.object in self._ports:
            self._ports[header.object].deliver(octets)
        else:
            self._connect(header, octets)

    def _ping(self, header: Header) -> None:
        if header.flags != REQUEST or header.object:
            raise RemoteProtocolError(f"a ping with flags {header.flags:#x} for connection {header.object}")
        self.send(message(bridge.Ping.OPCODE, REPLY, 0, header.serial, bridge.PingReply().pack()))

    def _connect(self, header: Header, octets: bytes) -> None:
        if header.opcode != bridge.Connect.OPCODE or not header.object:
            raise RemoteProtocolError(
                f"message {header.opcode:#06x} for connection {header.object}, which there is not"
            )
        if len(self._ports) >= _CONNECTIONS_MAX:
            raise RemoteProtocolError(f"more than {_CONNECTIONS_MAX} connections")
        port = XenPort(self, header.object)
        try:
            port.deliver(octets)
        except RemoteProtocolError:
            port.close()
            raise
        self._ports[header.object] = port
        self.emptied.clear()
        self._owner.arrived(port)

    def _break(self, text: str) -> None:
        if not self.closed:
            self.close()
            self._owner.broken(text)
