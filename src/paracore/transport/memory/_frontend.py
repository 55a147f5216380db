# SPDX-License-Identifier: Apache-2.0
"""A process's own end on the memory transport: libparacore's verbs in Python, for tests.

It is as strict with the backend as libparacore is: a reply must answer what is outstanding.
"""

from __future__ import annotations

import os
import select
import time
from collections import deque
from contextlib import ExitStack
from typing import TYPE_CHECKING

from paracore._errors import RemoteProtocolError, StateError, TransportBroken, TransportClosed
from paracore.classes import core, link
from paracore.protocol import (
    EVENT,
    FAILURE,
    HEADER_SIZE,
    PROTOCOL_VERSION,
    REQUEST,
    Header,
    Ring,
    Role,
    mapping_size,
    message,
    split,
)
from paracore.transport._transport import Buffer, CallRefused, Event, FrontendChannel, Refused

if TYPE_CHECKING:
    from paracore.transport._transport import Mapping, Pages
    from paracore.transport._wire import Packet, Wire

__all__ = ["MemoryFrontendChannel"]


class MemoryBuffer(Buffer):
    """See ``Buffer``."""

    def __init__(self, channel: MemoryFrontendChannel, mapping: Mapping, grant: int, number: int) -> None:
        self.id = number
        self.grant = grant
        self.length = mapping.length
        self._channel = channel
        self._mapping = mapping

    def view(self) -> memoryview:
        return self._mapping.view()

    def close(self) -> None:
        if not self.id:
            return
        if not self._channel.gone:
            try:
                self._channel.call(core.BufferDetach.OPCODE, 0, core.BufferDetach(self.id).pack())
            except CallRefused as error:
                raise StateError("in use by the backend", "given back") from error
            self._channel.link_call(link.Revoke.OPCODE, link.Revoke(self.grant).pack())
        self.id = 0
        self._mapping.close()


class MemoryFrontendChannel(FrontendChannel):
    """See ``FrontendChannel``."""

    def __init__(self, wire: Wire, pages: Pages, ring_order: int = 4, timeout: float = 10.0) -> None:
        self._wire = wire
        self._pages = pages
        self._timeout = timeout
        self._serial = 0
        self._reason = link.Refusal.NONE
        self._events: deque[Event] = deque()
        self.gone = self._closed = False
        self._made = ExitStack()
        self._made.callback(wire.close)
        try:
            self._connect(ring_order)
        except BaseException:
            self._made.close()
            raise

    def fileno(self) -> int:
        return self._bell_in

    def call(self, opcode: int, object: int, payload: bytes, timeout: float = 10.0) -> bytes:  # noqa: A002
        serial = self.post(opcode, object, payload, timeout)
        self.flush()
        until = time.monotonic() + timeout
        while True:
            header, reply = self._wait_message(until)
            if header.flags == EVENT:
                self._events.append(Event(header.opcode, header.object, reply))
            elif (header.opcode, header.object, header.serial) != (opcode, object, serial):
                raise RemoteProtocolError("a reply to nothing that is outstanding")
            elif header.flags == FAILURE:
                raise CallRefused(link.Failure.unpack(reply))
            else:
                return reply

    def post(self, opcode: int, object: int, payload: bytes, timeout: float = 10.0) -> int:  # noqa: A002
        self._check_alive()
        self._serial += 1
        octets = message(opcode, REQUEST, object, self._serial, payload)
        until = time.monotonic() + timeout
        while not self._ring.push(octets):
            self.flush()
            if self._ring.arm_space(len(octets)):
                self._sleep(until)
        return self._serial

    def flush(self) -> None:
        rings = (self._ring.publish(), self._ring.release())
        if any(rings):
            os.eventfd_write(self._bell_out, 1)

    def next_event(self, timeout: float = 0.0) -> Event | None:
        if self._events:
            return self._events.popleft()
        self._check_alive()
        try:
            header, payload = self._wait_message(time.monotonic() + timeout)
        except TimeoutError:
            return None
        if header.flags != EVENT:
            raise RemoteProtocolError("a reply to nothing that is outstanding")
        return Event(header.opcode, header.object, payload)

    def buffer(self, length: int, flags: link.BufferFlag) -> Buffer:
        reply, descriptors = self.link_call(link.Grant.OPCODE, link.Grant(length, flags).pack())
        grant = link.GrantReply.unpack(reply).grant
        mapping = self._pages.map(descriptors[0], length, read_only=False)
        self._pages.close(descriptors[0])
        attach = core.BufferAttach(grant, flags, length).pack()
        try:
            attached = core.BufferAttachReply.unpack(self.call(core.BufferAttach.OPCODE, 0, attach))
        except CallRefused:
            self.link_call(link.Revoke.OPCODE, link.Revoke(grant).pack())
            raise
        return MemoryBuffer(self, mapping, grant, attached.buffer)

    def goodbye(self) -> link.Refusal:
        while not self.gone and self._look_at_link():
            pass
        return self._reason

    def close(self) -> None:
        self._closed = True
        self._made.close()

    def link_call(self, opcode: int, payload: bytes) -> tuple[bytes, tuple[int, ...]]:
        """One call of the descriptor protocol."""
        self._check_alive()
        self._serial += 1
        self._wire.send(message(opcode, REQUEST, 0, self._serial, payload))
        packet = self._wait_packet()
        header, reply = split(packet.message)
        if (header.opcode, header.serial) != (opcode, self._serial):
            raise RemoteProtocolError("a reply to nothing that is outstanding")
        if header.flags == FAILURE:
            raise CallRefused(link.Failure.unpack(reply))
        return bytes(reply), packet.descriptors

    def _connect(self, ring_order: int) -> None:
        hello, _ = self.link_call(link.Hello.OPCODE, link.Hello(PROTOCOL_VERSION, PROTOCOL_VERSION).pack())
        self.domain = link.HelloReply.unpack(hello).domain
        reply, descriptors = self.link_call(link.ChannelOpen.OPCODE, link.ChannelOpen(ring_order).pack())
        order = link.ChannelOpenReply.unpack(reply).ring_order
        pages, self._bell_out, self._bell_in = descriptors
        for descriptor in descriptors:
            self._made.callback(self._pages.close, descriptor)
        mapping = self._pages.map(pages, mapping_size(order), read_only=False)
        self._made.callback(mapping.close)
        self._ring = Ring(self._made.enter_context(mapping.view()), order, Role.FRONTEND)

    def _check_alive(self) -> None:
        if self._closed:
            raise TransportClosed("the channel is closed")
        if self.gone:
            raise TransportBroken("the backend has gone")

    def _wait_message(self, until: float) -> tuple[Header, bytes]:
        while True:
            octets = self._ring.pop()
            if octets is not None:
                self.flush()
                header = Header.unpack(octets)
                return header, octets[HEADER_SIZE:]
            if self._ring.arm():
                self._sleep(until)

    def _sleep(self, until: float) -> None:
        """Waits for the doorbell or the end of the backend."""
        poll = select.poll()
        poll.register(self._bell_in, select.POLLIN)
        poll.register(self._wire.fileno(), select.POLLIN)
        left = until - time.monotonic()
        ready = {descriptor for descriptor, _ in poll.poll(max(0.0, left) * 1000)}
        if self._bell_in in ready:
            os.eventfd_read(self._bell_in)
        elif ready:
            self._look_at_link()
            self._check_alive()
        elif left <= 0:
            raise TimeoutError("the backend did not answer in time")

    def _look_at_link(self) -> bool:
        """Takes one message of the link while no call is under way; False when there is none."""
        packet = self._wire.receive()
        if packet is not None:
            self._note(packet)
        return packet is not None

    def _note(self, packet: Packet) -> None:
        """What the backend says unasked: goodbye, in words or without."""
        if packet.message:
            header, payload = split(packet.message)
            if header.opcode != link.Goodbye.OPCODE:
                raise RemoteProtocolError("a reply to nothing that is outstanding")
            self._reason = link.Goodbye.unpack(payload).reason
        self.gone = True

    def _wait_packet(self) -> Packet:
        poll = select.poll()
        poll.register(self._wire.fileno(), select.POLLIN)
        until = time.monotonic() + self._timeout
        while (packet := self._wire.receive()) is None:
            if not poll.poll(max(0.0, until - time.monotonic()) * 1000):
                raise TimeoutError("the backend did not answer in time")
        if packet.message and split(packet.message)[0].flags != EVENT:
            return packet
        self._note(packet)
        if self._reason:
            raise Refused(self._reason)
        raise TransportBroken("the backend has gone")
