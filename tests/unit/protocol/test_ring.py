# SPDX-License-Identifier: Apache-2.0
"""The ring model: every interleaving of two honest ends, and whatever a hostile one writes."""

from __future__ import annotations

import struct
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from paracore._errors import LimitExceeded, LocalProtocolError, RemoteProtocolError
from paracore.protocol import (
    HEADER_SIZE,
    MAGIC,
    MESSAGE_MAX,
    PAGE_SIZE,
    PROTOCOL_VERSION,
    REQUEST,
    RING_ORDER_MAX,
    RING_ORDER_MIN,
    Ring,
    Role,
    format_page,
    mapping_size,
    message,
    split,
)
from paracore.protocol._ring import _PLACES

ORDER = RING_ORDER_MIN
SIZE = PAGE_SIZE << (ORDER - 1)
WORDS = st.integers(0, 0xFFFFFFFF)
SIZES = st.one_of(st.sampled_from([0, 8, MESSAGE_MAX - HEADER_SIZE]), st.integers(0, 510).map(lambda n: 8 * n))


def pair(order=ORDER):
    """Both ends of a fresh channel, and its memory."""
    memory = bytearray(mapping_size(order))
    format_page(memory, order)
    return memory, Ring(memory, order, Role.FRONTEND), Ring(memory, order, Role.BACKEND)


def start_at(memory, ring, peer, index):
    """Lets the ring from ``ring`` to ``peer`` begin in mid-life, with both ends awake."""
    ring._produced = ring._published = ring._peer_consumed = index
    peer._consumed = peer._released = peer._peer_produced = index
    own, other = ring._own, peer._own
    for place, value in (
        (own.prod, index),
        (other.cons, index),
        (other.event, index - 1),
        (own.space_event, index - 1),
    ):
        struct.pack_into("<I", memory, place, value % (1 << 32))


def ping(payload=b""):
    return message(1, REQUEST, 0, 0, payload)


# --- the shared memory ----------------------------------------------------------------------------


@pytest.mark.parametrize("order", range(RING_ORDER_MIN, RING_ORDER_MAX + 1))
def test_the_mapping_is_a_page_and_two_rings(order):
    memory, frontend, _ = pair(order)
    assert len(memory) == PAGE_SIZE + 2 * frontend.size
    assert struct.unpack_from("<III", memory) == (MAGIC, PROTOCOL_VERSION, order)
    assert not any(memory[12:])


@pytest.mark.parametrize("order", [-1, RING_ORDER_MIN - 1, RING_ORDER_MAX + 1])
def test_an_order_out_of_limits_is_refused(order):
    with pytest.raises(LocalProtocolError, match="order"):
        Ring(bytearray(mapping_size(8)), order, Role.FRONTEND)


def test_out_is_the_first_half_and_in_the_second():
    memory, frontend, backend = pair()
    frontend.push(ping(b"frontend"))
    backend.push(ping(b"backend!"))
    assert memory[PAGE_SIZE + 16 :][:8] == b"frontend"
    assert memory[PAGE_SIZE + SIZE + 16 :][:8] == b"backend!"


# --- one direction --------------------------------------------------------------------------------


def test_nothing_is_seen_before_it_is_published():
    _, frontend, backend = pair()
    assert frontend.push(ping())
    assert not backend.readable()
    assert backend.pop() is None
    frontend.publish()
    assert backend.readable()
    assert backend.pop() == ping()
    assert backend.pop() is None


def test_the_first_message_notifies_and_the_next_does_not():
    _, frontend, backend = pair()
    frontend.push(ping())
    assert frontend.publish()
    frontend.push(ping())
    assert not frontend.publish()
    assert not frontend.publish(), "there was nothing to publish"
    assert not backend.arm(), "two messages wait"
    while backend.pop():
        pass
    assert backend.arm()
    frontend.push(ping())
    assert frontend.publish()


def test_a_full_ring_takes_no_more_until_room_is_released():
    _, frontend, backend = pair()
    whole = ping(bytes(MESSAGE_MAX - HEADER_SIZE))
    assert frontend.push(whole)
    assert frontend.push(whole[:1024], whole[1024:])
    assert frontend.space() == 0
    assert not frontend.push(ping())
    frontend.publish()
    assert not backend.release(), "nothing was taken"
    assert backend.pop() == whole
    assert not frontend.push(ping()), "the room is not released yet"
    assert frontend.arm_space(16)
    assert backend.release()
    assert frontend.push(ping())
    assert frontend.space() == MESSAGE_MAX - HEADER_SIZE


@pytest.mark.parametrize(("wanted", "due"), [(MESSAGE_MAX, True), (MESSAGE_MAX + 8, False)])
def test_room_notifies_once_there_is_enough(wanted, due):
    _, frontend, backend = pair()
    whole = ping(bytes(MESSAGE_MAX - HEADER_SIZE))
    frontend.push(whole)
    frontend.push(whole)
    frontend.publish()
    backend.pop()
    assert frontend.arm_space(wanted)
    assert backend.release() is due


def test_room_that_is_there_already_does_not_let_sleep():
    _, frontend, _ = pair()
    assert not frontend.arm_space(SIZE)


@pytest.mark.parametrize("parts", [(), (bytes(8),), (bytes(16), bytes(4)), (bytes(MESSAGE_MAX + 8),)])
def test_what_is_no_message_is_not_pushed(parts):
    _, frontend, _ = pair()
    with pytest.raises(LocalProtocolError):
        frontend.push(*parts)


# --- honest ends, any interleaving ----------------------------------------------------------------


class HonestRing(RuleBasedStateMachine):
    """One ring with two honest ends. The model: what is in it, and who sleeps."""

    @initialize(index=st.sampled_from([0, 8, SIZE - 16, (1 << 32) - SIZE, (1 << 32) - 24]), backwards=st.booleans())
    def start(self, index, backwards):
        memory, frontend, backend = pair()
        self.producer, self.consumer = (backend, frontend) if backwards else (frontend, backend)
        start_at(memory, self.producer, self.consumer, index)
        self.pushed = deque()  # copied in, not yet shown
        self.shown = deque()
        self.taken = 0  # octets popped and not yet released
        self.serial = 0
        self.consumer_sleeps = self.producer_sleeps = False
        self.wanted = 0

    def used(self):
        return sum(map(len, self.pushed)) + sum(map(len, self.shown)) + self.taken

    @rule(size=SIZES)
    def push(self, size):
        octets = message(1, REQUEST, 0, self.serial, bytes([self.serial & 0xFF]) * size)
        fits = self.used() + len(octets) <= SIZE
        assert self.producer.push(octets) is fits
        if fits:
            self.pushed.append(octets)
            self.serial += 1

    @rule()
    def publish(self):
        moved = bool(self.pushed)
        self.shown += self.pushed
        self.pushed.clear()
        notified = self.producer.publish()
        assert notified or not (moved and self.consumer_sleeps), "a lost wake-up"
        if notified:
            self.consumer_sleeps = False

    @rule()
    def pop(self):
        octets = self.consumer.pop()
        if octets is not None:
            assert octets == self.shown.popleft()
            self.taken += len(octets)
        else:
            assert not self.shown

    @rule()
    def release(self):
        moved, self.taken = bool(self.taken), 0
        notified = self.consumer.release()
        due = moved and self.producer_sleeps and SIZE - self.used() >= self.wanted
        assert notified or not due, "a lost wake-up"
        if notified:
            self.producer_sleeps = False

    @rule()
    def arm(self):
        self.consumer_sleeps = self.consumer.arm()
        assert self.consumer_sleeps is not bool(self.shown)

    @rule(octets=st.integers(1, SIZE // 8).map(lambda n: 8 * n))
    def arm_space(self, octets):
        self.wanted = octets
        self.producer_sleeps = self.producer.arm_space(octets)
        assert self.producer_sleeps is (SIZE - self.used() < octets)

    @precondition(lambda self: hasattr(self, "producer"))
    @invariant()
    def accounts_agree(self):
        assert self.producer.space() == SIZE - self.used()
        assert self.consumer.readable() is bool(self.shown)


HonestRing.TestCase.settings = settings(max_examples=60, stateful_step_count=60)
TestHonestRing = HonestRing.TestCase


# --- a hostile peer -------------------------------------------------------------------------------


class HostilePeer(RuleBasedStateMachine):
    """An end whose peer writes what it likes into the pages: either it keeps the rules or the channel ends."""

    @initialize(role=st.sampled_from(Role))
    def start(self, role):
        self.memory = bytearray(mapping_size(ORDER))
        format_page(self.memory, ORDER)
        self.ring = Ring(self.memory, ORDER, role)
        self.own, self.peer = _PLACES[role], _PLACES[Role(1 - role)]
        self.pushed = self.published = self.popped = 0
        self.over = False

    def write(self, place, value):
        struct.pack_into("<I", self.memory, place, value % (1 << 32))

    @rule(word=st.sampled_from(["prod", "cons", "event", "space_event"]), value=WORDS)
    def write_own_word(self, word, value):
        self.write(getattr(self.peer, word), value)

    @rule(word=st.sampled_from(["prod", "cons", "event", "space_event"]), value=WORDS)
    def write_a_word_of_the_others(self, word, value):
        self.write(getattr(self.own, word), value)

    @rule(octets=st.integers(0, 3 * SIZE).map(lambda n: 8 * n))
    def advance_producer(self, octets):
        self.write(self.peer.prod, self.popped + octets)

    @rule(
        place=st.integers(0, SIZE // 8 - 1),
        octets=st.sampled_from([0, 15, 16, 24, 20, MESSAGE_MAX, MESSAGE_MAX + 8, SIZE]),
    )
    def write_a_size(self, place, octets):
        struct.pack_into("<I", self.memory, PAGE_SIZE + 8 * place, octets)
        struct.pack_into("<I", self.memory, PAGE_SIZE + SIZE + 8 * place, octets)

    @rule()
    def pop(self):
        try:
            octets = self.ring.pop()
        except RemoteProtocolError:
            return
        if octets is not None:
            assert HEADER_SIZE <= len(octets) <= MESSAGE_MAX
            assert int.from_bytes(octets[:4], "little") == len(octets)
            self.popped += len(octets)

    @rule(size=SIZES)
    def push(self, size):
        try:
            if self.ring.push(ping(bytes(size))):
                self.pushed += HEADER_SIZE + size
        except RemoteProtocolError:
            return

    @rule()
    def publish(self):
        self.ring.publish()
        self.published = self.pushed

    @rule()
    def release_and_arm(self):
        self.ring.release()
        self.ring.arm()
        self.ring.arm_space(64)
        self.ring.readable()

    @precondition(lambda self: hasattr(self, "ring"))
    @invariant()
    def own_indices_are_private(self):
        assert self.ring._produced == self.pushed % (1 << 32)
        assert self.ring._consumed == self.popped % (1 << 32)
        try:
            assert 0 <= self.ring.space() <= SIZE
        except RemoteProtocolError:
            assert 0 <= self.ring._room() <= SIZE


HostilePeer.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestHostilePeer = HostilePeer.TestCase


def backend_sees(prod, octets=b""):
    """What the backend makes of this producer index and these octets at the start of ``out``."""
    memory, frontend, backend = pair()
    memory[PAGE_SIZE : PAGE_SIZE + len(octets)] = octets
    struct.pack_into("<I", memory, frontend._own.prod, prod)
    return backend.pop()


@pytest.mark.parametrize("prod", [SIZE + 8, 1 << 31, (1 << 32) - 8])
def test_a_producer_index_out_of_bounds_ends_the_channel(prod):
    with pytest.raises(RemoteProtocolError, match="producer index"):
        backend_sees(prod)


@pytest.mark.parametrize("prod", [1, 8, 15, 17])
def test_a_piece_of_a_message_ends_the_channel(prod):
    with pytest.raises(RemoteProtocolError, match="whole messages"):
        backend_sees(prod)


def test_a_message_that_reaches_beyond_the_index_ends_the_channel():
    with pytest.raises(RemoteProtocolError, match="of which there are 16"):
        backend_sees(16, (24).to_bytes(4, "little"))
    with pytest.raises(LimitExceeded):
        backend_sees(SIZE, (MESSAGE_MAX + 8).to_bytes(4, "little"))


def test_a_producer_index_that_goes_back_ends_the_channel():
    memory, frontend, backend = pair()
    frontend.push(ping())
    frontend.publish()
    backend.pop()
    struct.pack_into("<I", memory, frontend._own.prod, 8)
    with pytest.raises(RemoteProtocolError, match="producer index"):
        backend.pop()


@pytest.mark.parametrize("cons", [8, 16, (1 << 32) - 8])
def test_a_consumer_index_beyond_what_was_shown_ends_the_channel(cons):
    memory, frontend, backend = pair()
    frontend.push(ping())
    struct.pack_into("<I", memory, backend._own.cons, cons)
    with pytest.raises(RemoteProtocolError, match="consumer index"):
        frontend.space()


@given(later=WORDS)
def test_a_message_rewritten_while_it_is_read_has_the_size_that_was_checked(later):
    memory, frontend, backend = pair()
    frontend.push(ping(b"12345678"))
    frontend.publish()
    copy_out = backend._copy_out

    def rewriting(length):
        octets = copy_out(length)
        struct.pack_into("<I", memory, PAGE_SIZE, later)
        return octets

    backend._copy_out = rewriting
    header, payload = split(backend.pop())
    assert header.size == 24
    assert bytes(payload) == b"12345678"
