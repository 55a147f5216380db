# SPDX-License-Identifier: Apache-2.0
"""A guest and its backend on a fake hypervisor: what the daemon's parts are tried with."""

import asyncio
import socket
import struct

from paracore.classes import bridge, link
from paracore.frontend._daemon._bridge import Bridge
from paracore.frontend._daemon._holdings import Backend
from paracore.frontend._daemon._offer import Offer
from paracore.frontend._daemon._process import Process
from paracore.protocol import EVENT, FAILURE, PROTOCOL_VERSION, REPLY, REQUEST, Role, mapping_size, message, split
from paracore.testing import FakeXen
from paracore.transport import SocketWire
from paracore.transport._quota import Quota
from paracore.transport._rate import Bucket
from paracore.transport.local import Credentials, LocalPages
from paracore.transport.xen import CONTROL_RING_ORDER, ControlRing, read_directory

GUEST, DRIVER_DOMAIN = 3, 0
HELLO = link.Hello(PROTOCOL_VERSION, PROTOCOL_VERSION)
WRITABLE = link.BufferFlag(0)
PATIENCE = 5.0


async def until(condition):
    """Lets others run until something is so."""
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - of anything, for tests alone
            await asyncio.sleep(0)


class Limits:
    channels = 4
    buffers = 8
    bytes = 1 << 20


class ScriptedBackend:
    """The other end of the control ring: answers by default as a good backend does, and notes what it was told."""

    def __init__(self, xen, nodes):
        self.hypervisor = xen.domain(DRIVER_DOMAIN)
        events = self.hypervisor.interdomain(GUEST, nodes.port)
        references = read_directory(self.hypervisor, GUEST, nodes.ring_reference, 1 + (1 << nodes.ring_order))
        self._descriptor = self.hypervisor.map(GUEST, references)
        mapping = LocalPages().map(self._descriptor, mapping_size(nodes.ring_order), read_only=False)
        self.ring = ControlRing(mapping, nodes.ring_order, Role.BACKEND, events)
        self.heard = []
        self.refuse = {}
        self.silent = set()
        self.held = []
        asyncio.get_running_loop().add_reader(self.ring.fileno(), self._readable)

    def _readable(self):
        for octets in self.ring.receive():
            header, payload = split(octets)
            request = bridge.MESSAGES[header.opcode].request.unpack(payload)
            self.heard.append((header.object, request))
            self._answer(header, request)

    def _answer(self, header, request):
        if type(request) in self.silent:
            self.held.append(header)
        elif failure := self.refuse.get(type(request)):
            self.say(header.opcode, FAILURE, header.object, header.serial, failure.pack())
        else:
            self.reply(header)

    def reply(self, header):
        replies = {
            bridge.Connect: bridge.ConnectReply(PROTOCOL_VERSION, "guest"),
            bridge.ChannelOpen: bridge.ChannelOpenReply(17),
        }
        row = bridge.MESSAGES[header.opcode]
        reply = replies.get(row.request) or row.reply()
        self.say(header.opcode, REPLY, header.object, header.serial, reply.pack())

    def say(self, opcode, flags, of, serial, payload):
        self.ring.send(message(opcode, flags, of, serial, payload))

    def goodbye(self, connection, reason, limit=link.Limit.NONE):
        self.say(bridge.Goodbye.OPCODE, EVENT, connection, 0, bridge.Goodbye(reason, limit).pack())

    def told(self, kind):
        return [request for _, request in self.heard if isinstance(request, kind)]

    def close(self):
        asyncio.get_running_loop().remove_reader(self.ring.fileno())
        self.ring.close()
        self.hypervisor.unmap(self._descriptor)


class Program:
    """A process that speaks class ``link``."""

    def __init__(self, sock):
        self._wire = SocketWire(sock, descriptors_max=3)

    async def receive(self):
        async with asyncio.timeout(PATIENCE):
            while (packet := self._wire.receive()) is None:  # noqa: ASYNC110 - as above
                await asyncio.sleep(0)
            return packet

    def say(self, octets):
        self._wire.send(octets)

    def ask(self, request, serial=1):
        self.say(message(request.OPCODE, REQUEST, 0, serial, request.pack()))

    async def call(self, request):
        """The flags, the payload and the descriptors of the answer."""
        self.ask(request)
        packet = await self.receive()
        header, payload = split(packet.message)
        assert (header.opcode, header.serial) == (request.OPCODE, 1)
        return header.flags, bytes(payload), packet.descriptors

    async def refused(self, request):
        flags, payload, _ = await self.call(request)
        assert flags == FAILURE
        return link.Failure.unpack(payload)

    async def goodbye(self):
        """Why it is told to go; None at the end of all."""
        packet = await self.receive()
        if not packet.message:
            return None
        header, payload = split(packet.message)
        assert header.opcode == link.Goodbye.OPCODE
        return link.Goodbye.unpack(payload)

    def close(self):
        self._wire.close()


class Guest:
    """The daemon's parts without the device: the owner of the processes."""

    def __init__(self, patience=10.0):
        self.xen = FakeXen()
        self.hypervisor = self.xen.domain(GUEST)
        self.offer = Offer(self.hypervisor, DRIVER_DOMAIN)
        self.backend = ScriptedBackend(self.xen, self.offer.nodes)
        self.bridge = Bridge(self.offer.ring, patience)
        self.quota = Quota(Limits())
        self.refusal = None
        self.complaints = []
        self.tasks = []

    def process(self):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        process = Process(self, SocketWire(ours), Credentials(4711, 1000, 100), Bucket(1000, 1000))
        self.tasks.append(asyncio.create_task(process.run()))
        return Program(theirs)

    async def greeted(self):
        program = self.process()
        await program.call(HELLO)
        return program

    async def open(self):
        program = await self.greeted()
        return program, await program.call(link.ChannelOpen(2))

    def admit(self, process):
        if self.refusal:
            raise self.refusal
        return Backend(self.hypervisor, DRIVER_DOMAIN, self.bridge, self.quota)

    def complain(self, process, text):
        self.complaints.append(text)

    async def finished(self):
        """All processes have come to their ends."""
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*self.tasks)

    def held(self):
        """What the guest holds beside the control ring."""
        counts = self.hypervisor.statistics()
        rings = 0 if self.bridge.lost.done() else 1
        return counts.granted - counts.revoked - len(self._control), counts.bound - counts.unbound - rings

    @property
    def _control(self):
        return range(1 + (1 << CONTROL_RING_ORDER) + 1)  # the rings' pages and their directory

    def close(self):
        self.bridge.close(bridge.Refusal.SHUTDOWN, "the test is over")
        self.backend.close()
        self.offer.close()


def fake_page(octets):
    """The words of an interface page's first line: magic, version, order."""
    return struct.unpack_from("<III", octets)
