# SPDX-License-Identifier: Apache-2.0
"""A hostile domain: everything that a frontend is able to do, whether or not it may.

It speaks the descriptor protocol itself and has the ring's pages in its hands, so that it can say and
write whatever it likes. Whatever it does, the backend serves a call or ends this one channel; nothing
else, and nobody else's (the invariant that ``attack`` is run for).
"""

from __future__ import annotations

import random
import select
import struct
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Final

from paracore._errors import Error, TransportBroken
from paracore.classes import core, link, video
from paracore.protocol import (
    EVENT,
    MESSAGE_MAX,
    PROTOCOL_VERSION,
    REQUEST,
    MessageFlag,
    Ring,
    Role,
    mapping_size,
    message,
    split,
)
from paracore.protocol._wire import HEADER, PAGE_IN_CONS, PAGE_IN_EVENT, PAGE_OUT_PROD, PAGE_OUT_SPACE_EVENT
from paracore.testing._bells import bells_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

    from paracore.transport import Mapping, Packet, Transport

__all__ = ["ATTACKS", "HostileDomain", "attack"]

_PATIENCE: Final = 10.0
_SETTLE: Final = 0.05
"""Seconds that an attack has to be noticed before its connection is closed."""
_WRITABLE: Final = link.BufferFlag(0)


class HostileDomain:
    """One connection of a hostile process, by its own rules.

    Attributes:
        reason: why the backend said goodbye; None before it has.
        gone: whether the connection has ended.
    """

    def __init__(self, transport: Transport, address: str) -> None:
        self.reason: link.Refusal | None = None
        self.gone = False
        self._pages = transport.pages
        self._wire = transport.dial(address)
        self._made = ExitStack()
        self._made.callback(self._wire.close)
        self._serial = 0

    def close(self) -> None:
        """Goes without a word."""
        self._made.close()

    @contextmanager
    def opened(self) -> Iterator[Self]:
        """Gets a channel, and closes in the end."""
        try:
            self.open()
            yield self
        finally:
            self.close()

    # --- by the rules ---------------------------------------------------------------------------

    def hello(self, oldest: int = PROTOCOL_VERSION, newest: int = PROTOCOL_VERSION) -> None:
        """Says who it is."""
        self.link_call(link.Hello.OPCODE, link.Hello(oldest, newest).pack())

    def open(self, ring_order: int = 2) -> None:
        """Gets a channel and maps its ring."""
        self.hello()
        reply, descriptors = self.link_call(link.ChannelOpen.OPCODE, link.ChannelOpen(ring_order).pack())
        opened = link.ChannelOpenReply.unpack(reply)
        for descriptor in descriptors:
            self._made.callback(self._pages.close, descriptor)
        pages, bell_out, bell_in = descriptors
        self.bells = bells_of(bell_out, bell_in, opened.port)
        order = opened.ring_order
        self._mapping = self._pages.map(pages, mapping_size(order), read_only=False)
        self._made.callback(self._mapping.close)
        self.page = self._made.enter_context(self._mapping.view())
        self.ring = Ring(self.page, order, Role.FRONTEND)
        self._made.callback(self._drop_ring)

    def grant(self, length: int, flags: link.BufferFlag = _WRITABLE) -> tuple[int, Mapping]:
        """Gets pages and maps them."""
        reply, descriptors = self.link_call(link.Grant.OPCODE, link.Grant(length, flags).pack())
        mapping = self._pages.map(descriptors[0], length, read_only=False)
        self._made.callback(mapping.close)
        self._pages.close(descriptors[0])
        return link.GrantReply.unpack(reply).grant, mapping

    def link_call(self, opcode: int, payload: bytes) -> tuple[bytes, tuple[int, ...]]:
        """One call of the descriptor protocol; raises ``TransportBroken`` once the backend has ended it."""
        self._serial += 1
        self._wire.send(message(opcode, REQUEST, 0, self._serial, payload))
        while (packet := self.wait_packet()) is not None:
            header, reply = split(packet.message)
            if header.serial == self._serial:
                return bytes(reply), packet.descriptors
        raise TransportBroken(f"the backend has ended it: {self.reason}")

    def call(self, opcode: int, payload: bytes, of: int = 0) -> bytes:
        """One call over the ring, events left aside."""
        self._serial += 1
        self.put(message(opcode, REQUEST, of, self._serial, payload))
        until = time.monotonic() + _PATIENCE
        while True:
            octets = self.ring.pop()
            if octets is None:
                self._wait_bell(until)
                continue
            header, reply = split(octets)
            if header.flags != EVENT:
                return bytes(reply)

    # --- by no rule -----------------------------------------------------------------------------

    def say(self, octets: bytes) -> None:
        """Puts any octets on the descriptor connection."""
        self._wire.send(octets)

    def put(self, octets: bytes) -> None:
        """Pushes octets that are at least a message's length, and rings."""
        if not self.ring.push(octets):
            raise BlockingIOError("the ring is full")
        self.ring.publish()
        self.ring.release()
        self.bells.ring()

    def write(self, place: int, value: int) -> None:
        """Writes a word of the interface page."""
        struct.pack_into("<I", self.page, place, value & 0xFFFFFFFF)

    def scribble(self, at: int, octets: bytes) -> None:
        """Writes anywhere into the ring's pages."""
        self.page[at : at + len(octets)] = octets

    # --- what comes of it -----------------------------------------------------------------------

    def wait_end(self, timeout: float = _PATIENCE) -> link.Refusal | None:
        """Waits until the backend has ended the connection, and says why it did."""
        until = time.monotonic() + timeout
        while not self.gone and time.monotonic() < until:
            self.wait_packet(until - time.monotonic())
        if not self.gone:
            raise TimeoutError("the backend has not ended it")
        return self.reason

    def wait_packet(self, timeout: float = _PATIENCE) -> Packet | None:
        """The next message of the connection, None at its end."""
        poll = select.poll()
        poll.register(self._wire.fileno(), select.POLLIN)
        poll.poll(max(0.0, timeout) * 1000)
        packet = self._wire.receive()
        if packet is None:
            return None
        if not packet.message:
            self.gone = True
            return None
        if split(packet.message)[0].opcode == link.Goodbye.OPCODE:
            self.reason = link.Goodbye.unpack(split(packet.message)[1]).reason
            return self.wait_packet(timeout)
        return packet

    def _wait_bell(self, until: float) -> None:
        """Until something may have come through the ring."""
        self.ring.release()
        if not self.ring.arm():
            return
        poll = select.poll()
        poll.register(self.bells, select.POLLIN)
        poll.register(self._wire.fileno(), select.POLLIN)
        ready = poll.poll(max(0.0, until - time.monotonic()) * 1000)
        if not ready:
            raise TimeoutError("the backend does not answer")
        if any(descriptor != self.bells.fileno() for descriptor, _ in ready):
            self.wait_packet(0)
            raise TransportBroken(f"the backend has ended it: {self.reason}")
        self.bells.answer()

    def _drop_ring(self) -> None:
        del self.ring


# --- attacks ------------------------------------------------------------------------------------------


def _garbage(domain: HostileDomain, chance: random.Random) -> None:
    """Octets without any meaning where messages belong."""
    for _ in range(chance.randrange(1, 20)):
        domain.put(chance.randbytes(8 * chance.randrange(2, 64)))


def _near_messages(domain: HostileDomain, chance: random.Random) -> None:
    """Messages that are right but for a field."""
    rows = [*core.MESSAGES.values(), *video.MESSAGES.values()]
    for serial in range(chance.randrange(1, 50)):
        row = chance.choice(rows)
        payload = bytearray(row.request.SIZE)
        for _ in range(chance.randrange(3)):
            if payload:
                payload[chance.randrange(len(payload))] = chance.randrange(256)
        flags = chance.choice((REQUEST, REQUEST, REQUEST, MessageFlag.REPLY, EVENT))
        domain.put(message(row.opcode, flags, chance.randrange(3), serial, bytes(payload)))


def _wrong_sizes(domain: HostileDomain, chance: random.Random) -> None:
    """A header that says another size than there is."""
    size = chance.choice((0, 8, 15, 17, 24, MESSAGE_MAX + 8, 0xFFFFFFFF, chance.randrange(1 << 32)))
    domain.put(HEADER.pack(size, core.Ping.OPCODE, 0, 0, 1) + bytes(8))


def _wild_indices(domain: HostileDomain, chance: random.Random) -> None:
    """Indices that no honest frontend can have."""
    for _ in range(chance.randrange(1, 10)):
        domain.write(chance.choice((PAGE_OUT_PROD, PAGE_IN_CONS)), chance.getrandbits(32))
        domain.bells.ring()


def _moving_thresholds(domain: HostileDomain, chance: random.Random) -> None:
    """Wake-up thresholds that jump while calls go on: at worst it is not woken itself."""
    for _ in range(20):
        domain.write(chance.choice((PAGE_IN_EVENT, PAGE_OUT_SPACE_EVENT)), chance.getrandbits(32))
        domain.put(message(core.Ping.OPCODE, REQUEST, 0, 1, bytes(8)))


def _rewriting(domain: HostileDomain, chance: random.Random) -> None:
    """Rewrites messages after they were shown, while they are being read."""
    for _ in range(20):
        domain.put(message(core.LimitsQuery.OPCODE, REQUEST, 0, 1))
        for _ in range(50):
            domain.scribble(chance.randrange(4096, len(domain.page) - 16), chance.randbytes(16))


def _foreign_buffers(domain: HostileDomain, chance: random.Random) -> None:
    """Grants, buffers and sessions that are nobody's or somebody else's."""
    for _ in range(20):
        number = chance.choice((0, 1, 2, 3, 0xFFFFFFFF, chance.getrandbits(32)))
        attach = core.BufferAttach(number, core.BufferFlag(chance.randrange(2)), 4096 * chance.randrange(4))
        domain.call(core.BufferAttach.OPCODE, attach.pack())
        domain.call(core.BufferDetach.OPCODE, core.BufferDetach(number).pack())
        span = video.Span(number, chance.getrandbits(32), chance.getrandbits(64))
        domain.put(message(video.QueueOutput.OPCODE, REQUEST, number, 1, video.QueueOutput(span, 1).pack()))


def _bad_spans(domain: HostileDomain, chance: random.Random) -> None:
    """Spans that leave their buffer, whose end wraps, or that may not be written."""
    flags = core.BufferFlag(chance.randrange(2))
    grant, _ = domain.grant(4096, flags)
    attach = core.BufferAttach(grant, flags, 4096).pack()
    buffer = core.BufferAttachReply.unpack(domain.call(core.BufferAttach.OPCODE, attach)).buffer
    opening = video.Open(0, video.Codec.H264, video.Direction.DECODE, video.OpenFlag(0)).pack()
    session = video.OpenReply.unpack(domain.call(video.Open.OPCODE, opening)).session
    edges = (0, 1, 4095, 4096, 4097, 2**31, 2**32 - 1, 2**63, 2**64 - 1, 2**64 - 4096)
    for cookie in range(30):
        span = video.Span(buffer, chance.choice(edges[:7]), chance.choice(edges))
        lent = (
            video.QueueOutput(span, cookie) if cookie % 2 else video.QueueInput(span, cookie, video.InputFlag(0), 0, 0)
        )
        domain.put(message(lent.OPCODE, REQUEST, session, cookie, lent.pack()))
        if cookie % 8 == 7:
            domain.call(core.LimitsQuery.OPCODE, b"")


def _flood(domain: HostileDomain, _: random.Random) -> None:
    """Calls without end, and never a reply is read."""
    for serial in range(5000):
        with suppress(BlockingIOError):
            domain.put(message(core.LimitsQuery.OPCODE, REQUEST, 0, serial))


def _link_garbage(domain: HostileDomain, chance: random.Random) -> None:
    """No message at all on the descriptor connection."""
    domain.say(chance.randbytes(chance.randrange(1, 5000)))


def _link_disorder(domain: HostileDomain, chance: random.Random) -> None:
    """Messages of the descriptor protocol that do not belong there."""
    row = chance.choice([*link.MESSAGES.values(), *core.MESSAGES.values()])
    domain.say(message(row.opcode, chance.choice((REQUEST, EVENT)), chance.randrange(2), 1, bytes(row.request.SIZE)))


def _bell_flood(domain: HostileDomain, _: random.Random) -> None:
    """A doorbell that is rung for nothing."""
    for _round in range(2000):
        domain.bells.ring()


def _full_bell(domain: HostileDomain, _: random.Random) -> None:
    """Doorbells filled to the brim, so that whoever rings them would have to wait."""
    domain.bells.fill()
    domain.put(message(core.LimitsQuery.OPCODE, REQUEST, 0, 1))


ATTACKS: Final[tuple[Callable[[HostileDomain, random.Random], None], ...]] = (
    _garbage,
    _near_messages,
    _wrong_sizes,
    _wild_indices,
    _moving_thresholds,
    _rewriting,
    _foreign_buffers,
    _bad_spans,
    _flood,
    _link_garbage,
    _link_disorder,
    _bell_flood,
    _full_bell,
)


def attack(transport: Transport, address: str, seed: int) -> str:
    """One connection that attacks in one way, chosen by `seed`; returns the name of it.

    What the backend does about it is for the caller to look at: it must go on serving others.
    """
    chance = random.Random(seed)  # noqa: S311 - to be repeated, not to be secret
    chosen = ATTACKS[seed % len(ATTACKS)]
    domain = HostileDomain(transport, address)
    try:
        domain.open()
        chosen(domain, chance)
        domain.wait_end(_SETTLE)
    except (Error, OSError):
        pass  # it was ended, went on unharmed, or does not know its own ring any more
    finally:
        domain.close()
    return chosen.__name__.strip("_")
