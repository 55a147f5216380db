# SPDX-License-Identifier: Apache-2.0
"""The worker's loop against frontends that are played by the test, through the native ring."""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from paracore._native._core import ffi, lib
from paracore.classes import core, link, video
from paracore.protocol import EVENT, REPLY, REQUEST, message, split
from paracore.protocol._wire import MESSAGE_MAX

ORDER = 2
HALF = 8192


class Peer:
    """One frontend: its ring and its ends of the doorbells."""

    def __init__(self, loop: Loop, number: int, order: int = ORDER) -> None:
        self.number = number
        size = lib.paracore_ring_mapping_size(order)
        pages = os.memfd_create("paracore-test")
        os.ftruncate(pages, size)
        self.memory = mmap.mmap(pages, size)
        self.start = ffi.from_buffer(self.memory)
        lib.paracore_ring_format(self.start, order)
        self.ring = ffi.new("struct paracore_ring *")
        assert lib.paracore_ring_attach(self.ring, self.start, order, lib.PARACORE_FRONTEND) == 0
        there, self.back = (os.eventfd(0, os.EFD_NONBLOCK) for _ in range(2))
        self.there = os.dup(there)
        self.rung = 0
        assert loop.add(number, order, pages, there, os.dup(self.back)) == 0

    def push(self, octets: bytes) -> int:
        part = ffi.new("struct iovec *", {"iov_base": ffi.from_buffer(octets), "iov_len": len(octets)})
        return lib.paracore_ring_push(self.ring, part, 1)

    def publish(self) -> None:
        if lib.paracore_ring_publish(self.ring):
            self.rung += 1
            os.eventfd_write(self.there, 1)

    def send(self, *messages: bytes) -> None:
        for octets in messages:
            assert self.push(octets) == 0
        self.publish()

    def receive(self) -> list[bytes]:
        messages = []
        octets = bytearray(MESSAGE_MAX)
        while (size := lib.paracore_ring_pop(self.ring, ffi.from_buffer(octets))) > 0:
            messages.append(bytes(octets[:size]))
        if lib.paracore_ring_release(self.ring):
            os.eventfd_write(self.there, 1)
        return messages

    def corrupt(self, place: int, octets: bytes) -> None:
        self.memory[place : place + len(octets)] = octets
        os.eventfd_write(self.there, 1)

    def close(self) -> None:
        os.close(self.there)
        os.close(self.back)
        ffi.release(self.start)
        self.memory.close()


@dataclass
class Entry:
    kind: int
    channel: int
    octets: bytes
    reason: str


class Loop:
    """The native loop in Python's types."""

    def __init__(self, spin_ns: int = 0) -> None:
        made = ffi.new("struct paracore_loop **")
        assert lib.paracore_loop_create(spin_ns, made) == 0
        self.handle = made[0]
        self.peers: list[Peer] = []

    def add(self, *arguments: int, port: int = 0) -> int:
        return lib.paracore_loop_channel_add(self.handle, *arguments, port)

    def peer(self, number: int, order: int = ORDER) -> Peer:
        self.peers.append(Peer(self, number, order))
        return self.peers[-1]

    def wait(self, count: int = 64, timeout_ms: int = 0) -> list[Entry]:
        entries = ffi.new("struct paracore_entry[]", count)
        got = lib.paracore_loop_wait(self.handle, entries, count, timeout_ms)
        assert got >= 0, os.strerror(-got)
        return [self.entry(entries[index]) for index in range(got)]

    def entry(self, entry: object) -> Entry:
        octets = bytes(ffi.buffer(entry.message, entry.size)) if entry.size else b""
        reason = ffi.string(entry.reason).decode() if entry.reason else ""
        return Entry(entry.kind, entry.channel, octets, reason)

    def send(self, channel: int, octets: bytes) -> int:
        return lib.paracore_loop_send(self.handle, channel, octets, len(octets))

    def statistics(self) -> object:
        statistics = ffi.new("struct paracore_loop_statistics *")
        lib.paracore_loop_statistics(self.handle, statistics)
        return statistics

    def close(self) -> None:
        lib.paracore_loop_destroy(self.handle)
        for peer in self.peers:
            peer.close()


@pytest.fixture
def loop():
    made = Loop()
    yield made
    made.close()


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def ping(serial: int = 1, cookie: int = 5) -> bytes:
    return message(core.Ping.OPCODE, REQUEST, 0, serial, core.Ping(cookie).pack())


def query(serial: int = 1) -> bytes:
    return message(core.DeviceQuery.OPCODE, REQUEST, 0, serial, core.DeviceQuery(0).pack())


def drained(of: int = 0) -> bytes:
    return message(video.Drained.OPCODE, EVENT, of, 0)


def test_a_call_is_handed_over_as_it_was_sent(loop):
    loop.peer(7).send(query(3))
    (entry,) = loop.wait()
    assert (entry.kind, entry.channel, entry.octets) == (lib.PARACORE_ENTRY_MESSAGE, 7, query(3))
    assert loop.wait() == []


def test_what_is_sent_arrives_with_the_next_wait_or_flush(loop):
    peer = loop.peer(1)
    assert loop.send(1, drained(4)) == 0
    assert peer.receive() == []
    lib.paracore_loop_flush(loop.handle)
    assert peer.receive() == [drained(4)]
    assert loop.send(1, drained(5)) == 0
    loop.wait()
    assert peer.receive() == [drained(5)]


def test_a_ping_is_answered_without_the_interpreter(loop):
    peer = loop.peer(1)
    peer.send(ping(9, 77))
    assert loop.wait() == []
    header, payload = split(peer.receive()[0])
    assert (header.flags, header.serial, header.opcode) == (REPLY, 9, core.Ping.OPCODE)
    assert core.PingReply.unpack(payload).cookie == 77
    assert loop.statistics().native_calls == 1


def test_every_native_call_of_the_description_has_a_handler(loop):
    for row in [*core.MESSAGES.values(), *video.MESSAGES.values()]:
        if row.native:
            peer = loop.peer(row.opcode)
            peer.send(message(row.opcode, REQUEST, 0, 1, bytes(row.request.SIZE)))
            loop.wait()
            assert len(peer.receive()) == 1, row.name


VIOLATIONS = {
    "an unknown opcode": message(0x0FFF, REQUEST, 0, 1),
    "an event from a frontend": message(core.PostFailed.OPCODE, REQUEST, 0, 1, bytes(16)),
    "the link class on a ring": message(link.Hello.OPCODE, REQUEST, 0, 1, link.Hello(1, 1).pack()),
    "a reply": message(core.Ping.OPCODE, REPLY, 0, 1, bytes(8)),
    "an unknown flag": ping()[:6] + b"\x00\x80" + ping()[8:],
    "a core call for an object": message(core.Ping.OPCODE, REQUEST, 1, 1, bytes(8)),
    "a payload too short": message(core.DeviceQuery.OPCODE, REQUEST, 0, 1),
    "a payload too long": message(core.DeviceQuery.OPCODE, REQUEST, 0, 1, bytes(16)),
    "a reserved field that is not zero": message(core.DeviceQuery.OPCODE, REQUEST, 0, 1, bytes(4) + b"\1" + bytes(3)),
    "an enumeration out of range": message(video.Open.OPCODE, REQUEST, 0, 1, b"\0\0\0\0\x63" + bytes(11)),
}


@pytest.mark.parametrize("octets", VIOLATIONS.values(), ids=VIOLATIONS)
def test_a_malformed_message_ends_its_channel_and_no_other(loop, octets):
    bad, good = loop.peer(1), loop.peer(2)
    bad.send(query(1), octets, query(2))
    good.send(query(3))
    entries = {(entry.kind, entry.channel, entry.octets) for entry in loop.wait()}
    assert entries == {
        (lib.PARACORE_ENTRY_MESSAGE, 1, query(1)),
        (lib.PARACORE_ENTRY_VIOLATION, 1, b""),
        (lib.PARACORE_ENTRY_MESSAGE, 2, query(3)),
    }
    bad.send(query(4))
    good.send(query(5))
    assert [entry.channel for entry in loop.wait()] == [2]
    assert loop.send(1, drained()) == 0
    assert loop.wait() == []
    assert bad.receive() == []
    assert loop.statistics().violations == 1


@pytest.mark.parametrize("index", [1, 8, HALF + 8, 2**31, 2**32 - 8])
def test_an_impossible_producer_index_is_a_violation(loop, index):
    loop.peer(1).corrupt(64, index.to_bytes(4, "little"))
    (entry,) = loop.wait()
    assert entry.kind == lib.PARACORE_ENTRY_VIOLATION
    assert entry.reason == "impossible ring index or message size"
    assert loop.wait() == []


def test_an_impossible_consumer_index_is_reported_when_it_is_looked_at(loop):
    peer = loop.peer(1)
    peer.corrupt(68, b"\xf8\xff\xff\xff")
    while loop.wait() == []:
        assert loop.send(1, drained()) == 0
    assert loop.statistics().violations == 1
    assert loop.statistics().messages_out == HALF // 16


def test_a_peer_that_never_reads_stops_only_itself(loop):
    deaf, good = loop.peer(1), loop.peer(2)
    for serial in range(1, HALF // 24 + 2):
        deaf.send(ping(serial))
        loop.wait()
    deaf.send(query(1000))
    good.send(query(1))
    assert [entry.channel for entry in loop.wait()] == [2]
    assert loop.wait() == []
    serials = [split(octets)[0].serial for octets in deaf.receive()]
    assert [entry.octets for entry in loop.wait()] == [query(1000)]
    serials += [split(octets)[0].serial for octets in deaf.receive()]
    assert serials == list(range(1, HALF // 24 + 2))


def test_what_waits_for_room_goes_out_in_order(loop):
    peer = loop.peer(1)
    sent = [message(core.PostFailed.OPCODE, EVENT, 0, 0, core.PostFailed(n, 8, 16, 0).pack()) for n in range(2000)]
    for octets in sent:
        assert loop.send(1, octets) == 0
    received = []
    while len(received) < len(sent):
        assert loop.wait() == []
        got = peer.receive()
        assert got
        received += got
    assert received == sent


def test_more_than_the_backlog_is_refused(loop):
    loop.peer(1)
    octets = message(0x0112, EVENT, 0, 0, bytes(MESSAGE_MAX - 16))
    taken = 0
    while (status := loop.send(1, octets)) == 0:
        taken += 1
    assert status == -errno.ENOBUFS
    assert taken * MESSAGE_MAX == HALF + lib.PARACORE_LOOP_BACKLOG_MAX


def test_a_flood_does_not_starve_a_neighbour(loop):
    flood, quiet = loop.peer(1, order=8), loop.peer(2)
    while flood.push(query()) == 0:
        pass
    flood.publish()
    loop.wait(8)
    quiet.send(query(2))
    assert 2 in [entry.channel for entry in [*loop.wait(8), *loop.wait(8)]]


def test_a_flood_of_pings_does_not_starve_a_neighbour(loop):
    flood, quiet = loop.peer(1, order=8), loop.peer(2)
    quiet.send(query(2))
    stop = threading.Event()

    def keep_pinging():
        while not stop.is_set():
            while flood.push(ping()) == 0:
                pass
            flood.publish()
            flood.receive()

    thread = threading.Thread(target=keep_pinging)
    thread.start()
    try:
        assert [entry.channel for entry in loop.wait(timeout_ms=5000)] == [2]
    finally:
        stop.set()
        thread.join()


def test_a_flood_does_not_starve_a_watched_descriptor(loop):
    flood = loop.peer(1, order=8)
    watched = os.eventfd(1)
    assert lib.paracore_loop_watch(loop.handle, watched, 99) == 0
    while flood.push(query()) == 0:
        pass
    flood.publish()
    assert (lib.PARACORE_ENTRY_FD, 99) in [(entry.kind, entry.channel) for entry in loop.wait(8)]
    assert lib.paracore_loop_unwatch(loop.handle, watched) == 0
    assert lib.paracore_loop_unwatch(loop.handle, watched) == -errno.ENOENT
    assert lib.PARACORE_ENTRY_FD not in [entry.kind for entry in loop.wait(8)]
    os.close(watched)


def test_a_watched_descriptor_is_told_again_until_it_is_read(loop):
    watched = os.eventfd(1)
    assert lib.paracore_loop_watch(loop.handle, watched, 5) == 0
    assert [entry.channel for entry in loop.wait()] == [5]
    assert [entry.channel for entry in loop.wait()] == [5]
    os.eventfd_read(watched)
    assert loop.wait() == []
    os.close(watched)


def test_one_doorbell_is_enough_while_the_loop_is_busy(loop):
    peer = loop.peer(1)
    for serial in range(1, 20):
        peer.send(query(serial))
        assert len(loop.wait()) == 1
    assert peer.rung <= 2  # the first; after that the channel was active all the time


def test_a_sleeping_loop_is_woken(loop):
    peer = loop.peer(1)
    assert loop.wait() == []
    timer = threading.Timer(0.05, peer.send, [query(1)])
    timer.start()
    assert [entry.octets for entry in loop.wait(timeout_ms=5000)] == [query(1)]
    timer.join()
    assert loop.statistics().notifications_in == 1


def test_a_spinning_loop_needs_no_doorbell():
    loop = Loop(spin_ns=5_000_000_000)
    peer = loop.peer(1)
    peer.send(query(1))
    assert len(loop.wait()) == 1
    timer = threading.Timer(0.02, peer.send, [query(2)])
    timer.start()
    assert [entry.octets for entry in loop.wait(timeout_ms=4000)] == [query(2)]
    timer.join()
    assert peer.rung == 1
    loop.close()


def test_wait_ends_at_its_time_limit(loop):
    loop.peer(1)
    assert loop.wait(timeout_ms=30) == []


def test_a_channel_may_be_removed_in_the_middle_of_a_batch(loop):
    peers = [loop.peer(number) for number in range(1, 9)]
    for peer in peers:
        peer.send(query(peer.number))
    entries = ffi.new("struct paracore_entry[64]")
    assert lib.paracore_loop_wait(loop.handle, entries, 64, 0) == 8
    for peer in peers:
        assert lib.paracore_loop_channel_remove(loop.handle, peer.number) == 0
    assert [bytes(ffi.buffer(entries[n].message, entries[n].size)) for n in range(8)] == [query(n) for n in range(1, 9)]
    assert lib.paracore_loop_channel_remove(loop.handle, 1) == -errno.ENOENT
    assert loop.send(1, drained()) == -errno.ENOENT
    for peer in peers:
        peer.send(query())
    assert loop.wait() == []


def test_a_thousand_channels_and_no_more(loop):
    before = descriptors()
    for number in range(lib.PARACORE_LOOP_CHANNELS_MAX):
        loop.peer(number)
    held = descriptors()
    assert loop.add(5000, ORDER, *fresh_descriptors()) == -errno.ENOSPC
    assert descriptors() == held
    loop.peers[1000].send(query())
    assert [entry.channel for entry in loop.wait()] == [1000]
    for number in range(lib.PARACORE_LOOP_CHANNELS_MAX):
        assert lib.paracore_loop_channel_remove(loop.handle, number) == 0
    assert descriptors() - before == 3 * lib.PARACORE_LOOP_CHANNELS_MAX  # the peers' own


def fresh_descriptors(size: int | None = None) -> list[int]:
    pages = os.memfd_create("paracore-test")
    os.ftruncate(pages, lib.paracore_ring_mapping_size(ORDER) if size is None else size)
    return [pages, os.eventfd(0), os.eventfd(0)]


@pytest.mark.parametrize(
    ("number", "order", "error"), [(1, ORDER, errno.EEXIST), (2, 0, errno.EINVAL), (2, 9, errno.EINVAL)]
)
def test_what_cannot_be_added_leaves_nothing_behind(loop, number, order, error):
    loop.peer(1)
    before = descriptors()
    assert loop.add(number, order, *fresh_descriptors()) == -error
    assert descriptors() == before


def test_pages_that_cannot_be_mapped_leave_nothing_behind(loop):
    before = descriptors()
    pages, there, back = fresh_descriptors()
    os.close(pages)
    reader, writer = os.pipe()
    assert loop.add(1, ORDER, reader, there, back) < 0
    os.close(writer)
    assert descriptors() == before


def test_destroying_closes_all():
    before = descriptors()
    loop = Loop()
    for number in range(20):
        loop.peer(number)
    loop.close()
    assert descriptors() == before


@pytest.mark.parametrize("size", [0, 8, 20, MESSAGE_MAX + 8])
def test_an_impossible_message_is_not_sent(loop, size):
    loop.peer(1)
    assert loop.send(1, bytes(size)) == -errno.EINVAL


def test_a_full_doorbell_does_not_block(loop):
    peer = loop.peer(1)
    os.eventfd_write(peer.back, 2**64 - 2)
    assert loop.send(1, drained()) == 0
    assert loop.wait() == []
    assert peer.receive() == [drained()]
    assert fcntl.fcntl(peer.back, fcntl.F_GETFL) & os.O_NONBLOCK
