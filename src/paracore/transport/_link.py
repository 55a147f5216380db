# SPDX-License-Identifier: Apache-2.0
"""The descriptor protocol (class ``link``), the side that answers: hands a process its channel and grants.

Each call gets one reply, so that a peer which does not read is found out by a full socket. After a goodbye
only the end of the connection is waited for: a socket closed with calls unread in it would lose the goodbye.

It runs on any transport whose wire carries descriptors and whose backend allocates the pages.
"""

from __future__ import annotations

import errno
from contextlib import ExitStack, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from paracore._errors import (
    ConfigError,
    EventChannelError,
    GrantError,
    PermissionRefused,
    QuotaExceeded,
    RemoteProtocolError,
    TransportBroken,
)
from paracore.classes import link
from paracore.protocol import (
    PROTOCOL_VERSION,
    RING_ORDER_MAX,
    RING_ORDER_MIN,
    TRACE_RECORDS,
    format_page,
    mapping_size,
)
from paracore.transport._failure import failure_of
from paracore.transport._grants import AllocatedGrant, GrantTable
from paracore.transport._handover import PortState
from paracore.transport._link_rules import LinkRules, LinkState
from paracore.transport._transport import ChannelDescriptors, Port, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from paracore.protocol import Header
    from paracore.transport._transport import Host, Pages, Peer
    from paracore.transport._wire import Packet, Wire

__all__ = ["LinkPort"]

_BURST = 4
"""Calls of one connection that are served at a stretch, so that a flood does not keep others waiting."""
_COMPLAINT_MAX = 4000
"""Octets of what is wrong with changed settings; they may name what the administrator wrote."""


class LinkPort(Port):
    """A ``Port`` behind the descriptor protocol."""

    def __init__(self, wire: Wire, pages: Pages, host: Host, peer: Peer) -> None:
        self.peer = peer
        self.rules = LinkRules()
        self._wire = wire
        self._pages = pages
        self._host = host
        self._grants = GrantTable()
        self._asked = False

    @classmethod
    def adopted(cls, state: PortState, wire: Wire, pages: Pages, host: Host, peer: Peer) -> LinkPort:
        """A port that the last program image has handed over."""
        port = cls(wire, pages, host, peer)
        port.rules.state = LinkState[state.state]
        port._grants = GrantTable.adopted(state, partial(AllocatedGrant.adopted, pages))
        return port

    def hand_over(self) -> PortState:
        return PortState(self._wire.fileno(), self.rules.state.name, *self._grants.hand_over())

    def fileno(self) -> int:
        return self._wire.fileno()

    def receive(self) -> bool:
        for _ in range(_BURST):
            packet = self._wire.receive()
            if packet is None:
                return True
            if not packet.message:
                return False
            if not self.rules.ending:
                self._serve(packet)
        return True

    def goodbye(self, reason: link.Refusal, limit: link.Limit | None = None) -> None:
        farewell = self.rules.goodbye(reason, limit)
        with suppress(TransportBroken):  # it does not read or has gone: the end of the connection tells it as well
            self._wire.send(farewell)
        self._wire.finish()
        self._take_back()

    def map(self, grant: int, length: int, flags: link.BufferFlag) -> int:
        return self._grants.map(grant, length, flags)

    def unmap(self, grant: int) -> None:
        self._grants.unmap(grant)

    def close(self) -> None:
        self.rules.end()
        self._wire.close()
        self._take_back()

    def _take_back(self) -> None:
        for length in self._grants.lengths():
            self._host.ungrant(self, length)
        self._grants.close()

    def _serve(self, packet: Packet) -> None:
        header, request = self.rules.accept(packet.message)
        try:
            self.HANDLERS[header.opcode](self, request, header)
        except Refused:
            raise
        except (QuotaExceeded, PermissionRefused, GrantError, EventChannelError) as error:
            self._send(self.rules.failure(header, failure_of(error)))

    def _reply(self, call: Header, payload: bytes, descriptors: tuple[int, ...] = ()) -> None:
        self._send(self.rules.reply(call, payload), descriptors)

    def _send(self, octets: bytes, descriptors: tuple[int, ...] = ()) -> None:
        try:
            self._wire.send(octets, descriptors)
        except TransportBroken as error:
            raise RemoteProtocolError("it does not read its replies") from error

    def _hello(self, request: link.Hello, header: Header) -> None:
        self.rules.check_version(request)
        self._reply(header, link.HelloReply(PROTOCOL_VERSION, self._host.admit(self)).pack())

    def _channel_open(self, request: link.ChannelOpen, header: Header) -> None:
        order = min(max(request.ring_order, RING_ORDER_MIN), RING_ORDER_MAX)
        with ExitStack() as made:  # the descriptors live on in the messages that carry them
            descriptors = self._make_channel(order, made)
            channel = self._host.channel_open(self, order, descriptors)
            self._reply(header, link.ChannelOpenReply(channel, order, descriptors.port).pack(), descriptors.passed)

    def _make_channel(self, order: int, made: ExitStack) -> ChannelDescriptors:
        """Formatted pages, the bell that the backend waits on, the bell that it rings."""
        length = mapping_size(order)
        makers: tuple[Callable[[], int], ...] = (
            partial(self._pages.allocate, length),
            self._pages.doorbell,
            self._pages.doorbell,
        )
        descriptors = []
        for make in makers:
            descriptors.append(make())
            made.callback(self._pages.close, descriptors[-1])
        mapping = self._pages.map(descriptors[0], length, read_only=False)
        made.callback(mapping.close)
        with mapping.view() as view:
            format_page(view, order)
        return ChannelDescriptors(*descriptors)

    def _grant(self, request: link.Grant, header: Header) -> None:
        GrantTable.check_length(request.length)
        self._host.grant(self, request.length)
        try:
            grant = AllocatedGrant(self._pages, request.length, request.flags)
        except GrantError:
            self._host.ungrant(self, request.length)
            raise
        self._reply(header, link.GrantReply(self._grants.enter(grant)).pack(), (grant.descriptor,))

    def _revoke(self, request: link.Revoke, header: Header) -> None:
        if self._grants.mapped(request.grant):
            self._host.revoking(self)
        self._host.ungrant(self, self._grants.revoke(request.grant))
        self._reply(header, link.RevokeReply().pack())

    def _status(self, _: link.Status, header: Header) -> None:
        if not self.peer.administrator:
            raise PermissionRefused("the status is for the administrator")
        if self._asked:
            raise GrantError(errno.EBUSY, "the status is being made already")
        self._asked = True
        self._host.status(self, partial(self._tell, header))

    def _tell(self, header: Header, text: bytes) -> None:
        """The status is there; by now the asker may have gone."""
        self._asked = False
        if self.rules.ending:
            return
        with (
            ExitStack() as made,
            suppress(RemoteProtocolError, GrantError),
        ):  # suppressed: nobody waits for the answer any more
            descriptor = self._make_text(text, made)
            self._reply(header, link.StatusReply(len(text)).pack(), (descriptor,))

    def _make_text(self, text: bytes, made: ExitStack) -> int:
        descriptor = self._pages.allocate(len(text))
        made.callback(self._pages.close, descriptor)
        mapping = self._pages.map(descriptor, len(text), read_only=False)
        made.callback(mapping.close)
        with mapping.view() as view:
            view[:] = text
        return descriptor

    def _configure(self, request: link.Configure, header: Header) -> None:
        if not self.peer.administrator:
            raise PermissionRefused("settings are the administrator's")
        try:
            self._host.configure(self, request.text)
        except ConfigError as error:
            complaint = str(error).encode()[:_COMPLAINT_MAX]
        else:
            complaint = b""
        self._reply(header, link.ConfigureReply(complaint).pack())

    def _trace(self, request: link.Trace, header: Header) -> None:
        descriptor, domain = self._host.trace(self, request.domain)
        try:
            self._reply(header, link.TraceReply(TRACE_RECORDS, domain).pack(), (descriptor,))
        finally:
            self._pages.close(descriptor)

    HANDLERS: ClassVar[dict[int, Callable[[LinkPort, Any, Header], None]]] = {
        link.Hello.OPCODE: _hello,
        link.ChannelOpen.OPCODE: _channel_open,
        link.Grant.OPCODE: _grant,
        link.Revoke.OPCODE: _revoke,
        link.Status.OPCODE: _status,
        link.Configure.OPCODE: _configure,
        link.Trace.OPCODE: _trace,
    }
    """What is served, when ``LinkRules`` let it."""
