# SPDX-License-Identifier: Apache-2.0
"""One process of a guest as the supervisor meets it: a connection of class ``bridge`` on the control ring.

The guest has allocated all pages; here they are mapped, for the worker alone. A descriptor is kept of all that
the worker was given, so that what is counted as unmapped is: what the port holds is given back when the worker
has said that it has unmapped it, or has gone.

``fileno`` is a bell that the exchange rings. The connection is over for the supervisor when it closes the port;
its number is free when the daemon has asked for that too (``disconnect``) and nothing is mapped any more.
"""

from __future__ import annotations

import errno
import os
from array import array
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from paracore._errors import EventChannelError, GrantError, PermissionRefused, QuotaExceeded, RemoteProtocolError
from paracore.classes import bridge
from paracore.protocol import (
    PAGE_SIZE,
    PROTOCOL_VERSION,
    RING_ORDER_MAX,
    RING_ORDER_MIN,
    Header,
    mapping_size,
)
from paracore.transport._failure import failure_of
from paracore.transport._grants import Grant, GrantTable
from paracore.transport._handover import ChannelState, EventsState, GrantState, MappedState, PortState, ProcessState
from paracore.transport._transport import ChannelDescriptors, Peer, Port, Refused
from paracore.transport.xen._bridge_rules import BridgeRules, BridgeState
from paracore.transport.xen._directory import REFERENCES_PER_PAGE, read_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from paracore.transport._transport import Host
    from paracore.transport.xen._hypervisor import Hypervisor

__all__ = ["XenPort", "XenPortOwner"]


class XenPortOwner(Protocol):
    """What a port needs of its exchange."""

    identity: str
    remote: int
    hypervisor: Hypervisor

    @property
    def host(self) -> Host: ...

    def send(self, octets: bytes) -> None:
        """One message to the daemon, if it is still there."""

    def charge(self, work: int) -> None:
        """A message made so much more work than others: it counts as that many more."""

    def let_go(self, port: XenPort) -> None:
        """The port is closed and nothing of it is mapped; told again when the daemon has asked for that."""


class ForeignGrant(Grant):
    """Pages that the guest has allocated and granted; mapped when they are lent."""

    def __init__(self, owner: XenPortOwner, references: Sequence[int], length: int, flags: bridge.BufferFlag) -> None:
        super().__init__(length, flags)
        self._owner = owner
        self._references = array("I", references)
        self._lent = -1

    def lend(self, length: int) -> int:
        read_only = bool(self.flags & bridge.BufferFlag.READ_ONLY)
        references = self._references[: length // PAGE_SIZE]
        descriptor = self._owner.hypervisor.map(self._owner.remote, references, read_only=read_only)
        try:
            passed = os.dup(descriptor)
        except OSError as error:
            self._owner.hypervisor.unmap(descriptor)
            raise GrantError(error.errno, "pages could not be passed on") from error
        self._lent = descriptor
        return passed

    def returned(self) -> None:
        if self._lent >= 0:
            self._owner.hypervisor.unmap(self._lent)
            self._lent = -1

    @classmethod
    def adopted(cls, owner: XenPortOwner, state: GrantState) -> ForeignGrant:
        """One that the last program image has handed over."""
        grant = cls(owner, state.references, state.length, bridge.BufferFlag(state.flags))
        if state.descriptor >= 0:
            grant._lent = owner.hypervisor.adopt_pages(MappedState(state.descriptor, state.lent))
        return grant

    def hand_over(self, number: int) -> GrantState:
        lent = self._owner.hypervisor.pages_of(self._lent) if self._lent >= 0 else 0
        return GrantState(number, self.length, int(self.flags), self.mapped, self._lent, tuple(self._references), lent)

    def close(self) -> None:
        self.returned()


class XenPort(Port):
    """See the module.

    Attributes:
        number: what the daemon calls the connection.
        done: closed, and nothing of it is mapped any more.
        left: the daemon has asked for its end.
    """

    def __init__(self, owner: XenPortOwner, number: int) -> None:
        self.peer = Peer((owner.identity,), administrator=False, text=owner.identity)
        self.number = number
        self._owner = owner
        self._rules = BridgeRules(number)
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._call: tuple[Header, Any] | None = None
        self._leaving: Header | None = None
        self._said = b""
        self._gone = self._closed = self._mapped = self._taken_back = False
        self._grants = GrantTable()
        self._channel = ExitStack()
        self._channel_state: ChannelState | None = None

    # --- across a reload ----------------------------------------------------------------------------

    @classmethod
    def adopted(cls, owner: XenPortOwner, state: PortState) -> XenPort:
        """A connection that the last program image has handed over."""
        assert state.process is not None  # it is a guest's
        port = cls(owner, state.process.number)
        port.peer = Peer(port.peer.identities, administrator=False, text=state.process.text)
        port._rules.state = BridgeState[state.state]
        port._grants = GrantTable.adopted(state, partial(ForeignGrant.adopted, owner))
        port._taken_back = port._rules.ending
        if state.process.channel:
            port._adopt_channel(state.process.channel)
        if state.process.call:
            port.deliver(state.process.call)
        return port

    def _adopt_channel(self, state: ChannelState) -> None:
        hypervisor = self._owner.hypervisor
        self._channel.callback(hypervisor.unmap, hypervisor.adopt_pages(state.pages))
        self._channel.enter_context(hypervisor.adopt_events(state.events))
        self._channel_state = state
        self._mapped = True

    def of(self, owner: XenPortOwner) -> bool:
        """Whether that is its exchange."""
        return self._owner is owner

    @property
    def settled(self) -> bool:
        """Whether it could be handed over: not while a worker has yet to let go of what is taken back."""
        return not (self._mapped and self._rules.ending)

    def hand_over(self) -> PortState | None:
        if not self.settled or self._closed or (self._gone and not self._leaving):
            return None
        said = self._said if self._call or self._leaving else b""
        process = ProcessState(self._owner.identity, self.number, self.peer.text, said, self._channel_state)
        return PortState(-1, self._rules.state.name, *self._grants.hand_over(), process)

    def close_unsaid(self) -> None:
        """It was over in the last program image."""
        self._rules.end()
        self.close()

    # --- how far it is ------------------------------------------------------------------------------

    @property
    def done(self) -> bool:
        return self._closed and not self._mapped

    @property
    def left(self) -> bool:
        return self._leaving is not None

    # --- for the exchange ---------------------------------------------------------------------------

    def deliver(self, octets: bytes) -> None:
        """Takes one call in; the supervisor serves it when it comes to it.

        Raises:
            RemoteProtocolError: the daemon may not send that, or not now.
        """
        if self._rules.ending and Header.unpack(octets).opcode != bridge.Disconnect.OPCODE:
            return  # said before the goodbye was read
        header, request = self._rules.accept(octets)
        if self._call or self._leaving:
            raise RemoteProtocolError(f"connection {self.number} has a call outstanding")
        self._said = octets
        if header.opcode == bridge.Disconnect.OPCODE:
            self._leaving = header
            self._look()
            self.hang_up()
        else:
            self._call = header, request
            self._ring()

    def hang_up(self) -> None:
        """The daemon does not want the connection any more, or has gone itself."""
        self._gone = True
        self._ring()

    # --- for the supervisor -------------------------------------------------------------------------

    def fileno(self) -> int:
        return self._bell

    def receive(self) -> bool:
        with suppress(BlockingIOError):
            os.eventfd_read(self._bell)
        if self._gone:
            return False
        if self._call:
            call, self._call = self._call, None
            self._serve(*call)
        return True

    def goodbye(self, reason: bridge.Refusal, limit: bridge.Limit | None = None) -> None:
        self._call = None
        if not self._gone:
            self._owner.send(self._rules.goodbye(reason, limit))
        self._take_back()

    def map(self, grant: int, length: int, flags: bridge.BufferFlag) -> int:
        return self._grants.map(grant, length, flags)

    def unmap(self, grant: int) -> None:
        self._grants.unmap(grant)

    def released(self) -> None:
        self._grants.close()
        self._channel.close()
        self._channel_state = None
        self._mapped = False
        self._look()

    def close(self) -> None:
        if not self._rules.ending:
            self.goodbye(bridge.Refusal.SHUTDOWN)
        self._rules.end()
        self._take_back()
        self._closed = True
        os.close(self._bell)
        self._look()

    def _ring(self) -> None:
        if not self._closed:
            os.eventfd_write(self._bell, 1)

    def _look(self) -> None:
        """Whether this was the last of it."""
        if not self.done:
            return
        if self._leaving:
            self._owner.send(self._rules.reply(self._leaving, bridge.DisconnectReply().pack()))
        self._owner.let_go(self)

    def _take_back(self) -> None:
        if not self._taken_back:
            self._taken_back = True
            for length in self._grants.lengths():
                self._owner.host.ungrant(self, length)

    # --- calls --------------------------------------------------------------------------------------

    def _serve(self, header: Header, request: Any) -> None:
        try:
            self.HANDLERS[header.opcode](self, request, header)
        except Refused:
            raise
        except (QuotaExceeded, PermissionRefused, GrantError, EventChannelError) as error:
            self._owner.send(self._rules.failure(header, failure_of(error)))

    def _reply(self, call: Header, payload: bytes) -> None:
        self._owner.send(self._rules.reply(call, payload))

    def _connect(self, request: bridge.Connect, header: Header) -> None:
        text = f"{self._owner.identity} process {request.process} user {request.user}"
        self.peer = Peer(self.peer.identities, administrator=False, text=text)
        self._rules.check_version(request)
        domain = self._owner.host.admit(self)
        self._reply(header, bridge.ConnectReply(PROTOCOL_VERSION, domain).pack())

    def _channel_open(self, request: bridge.ChannelOpen, header: Header) -> None:
        if not RING_ORDER_MIN <= request.ring_order <= RING_ORDER_MAX:
            raise GrantError(errno.EINVAL, f"a ring order of {request.ring_order}")
        with ExitStack() as made:
            descriptors = self._map_channel(request, made)
            channel = self._owner.host.channel_open(self, request.ring_order, descriptors)
            self._mapped = True
            self._channel = made.pop_all()
        count = mapping_size(request.ring_order) // PAGE_SIZE
        self._channel_state = ChannelState(MappedState(descriptors[0], count), EventsState(*descriptors[1:]))
        self._reply(header, bridge.ChannelOpenReply(channel).pack())

    def _map_channel(self, request: bridge.ChannelOpen, made: ExitStack) -> ChannelDescriptors:
        hypervisor, remote = self._owner.hypervisor, self._owner.remote
        count = mapping_size(request.ring_order) // PAGE_SIZE
        references = read_directory(hypervisor, remote, request.directory, count)
        pages = hypervisor.map(remote, references)
        made.callback(hypervisor.unmap, pages)
        events = made.enter_context(hypervisor.interdomain(remote, request.port))
        return ChannelDescriptors(pages, events.descriptor_in, events.descriptor_out, events.port)

    def _grant(self, request: bridge.Grant, header: Header) -> None:
        owner = self._owner
        self._grants.check_number(request.grant)
        GrantTable.check_length(request.length)
        owner.host.grant(self, request.length)
        count = request.length // PAGE_SIZE
        owner.charge((count - 1) // REFERENCES_PER_PAGE)
        try:
            references = read_directory(owner.hypervisor, owner.remote, request.directory, count)
        except GrantError:
            owner.host.ungrant(self, request.length)
            raise
        self._grants.enter(ForeignGrant(owner, references, request.length, request.flags), request.grant)
        self._reply(header, bridge.GrantReply().pack())

    def _revoke(self, request: bridge.Revoke, header: Header) -> None:
        if self._grants.mapped(request.grant):
            self._owner.host.revoking(self)
        if self._taken_back:
            return  # the worker's last words were the connection's end, too: all is given back, and nobody is answered
        self._owner.host.ungrant(self, self._grants.revoke(request.grant))
        self._reply(header, bridge.RevokeReply().pack())

    HANDLERS: ClassVar[dict[int, Callable[[XenPort, Any, Header], None]]] = {
        bridge.Connect.OPCODE: _connect,
        bridge.ChannelOpen.OPCODE: _channel_open,
        bridge.Grant.OPCODE: _grant,
        bridge.Revoke.OPCODE: _revoke,
    }
    """What is served, when ``BridgeRules`` let it."""
