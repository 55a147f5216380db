# SPDX-License-Identifier: Apache-2.0
"""libparacore's calls, posts and events against a backend that also answers wrongly."""

from __future__ import annotations

import errno
import os
import threading
import time

import pytest

from paracore._native._frontend import ffi, lib
from paracore.classes import core, link, video
from paracore.protocol import EVENT, FAILURE, REPLY, message
from tests.integration.native.channel import PONG, SECOND, Channel
from tests.integration.native.fake_backend import FakeBackend, event, failure, opcode_of, reply


def test_a_refused_call_returns_the_error_and_the_limit(tmp_path):
    def full(connection, header, _payload):
        connection.send(failure(header, core.Error.NO_SPACE, core.Limit.SESSIONS, 3))

    with FakeBackend(tmp_path, video_open=full) as backend, Channel(backend.address) as channel:
        request = video.Open(0, video.Codec.H264, video.Direction.DECODE, video.OpenFlag(0))
        assert channel.call(request) == -errno.ENOSPC
        assert (channel.failure.limit, channel.failure.allowed) == (core.Limit.SESSIONS, 3)
        assert channel.ping() == PONG
        assert channel.failure.error == 0


def test_a_reply_that_does_not_fit(tmp_path):
    with FakeBackend(tmp_path) as backend, Channel(backend.address) as channel:
        assert channel.call(core.LimitsQuery(), room=8) == -errno.EMSGSIZE
        assert channel.ping() == PONG


def test_requests_that_would_break_the_protocol_are_not_sent(tmp_path):
    with FakeBackend(tmp_path) as backend, Channel(backend.address) as channel:
        wrong = [
            (core.Ping.OPCODE, 0, bytes(16)),
            (core.Ping.OPCODE, 1, bytes(8)),
            (video.Drain.OPCODE, 1, b""),
            (video.Drained.OPCODE, 1, b""),
            (link.Hello.OPCODE, 0, bytes(8)),
            (0x0FFF, 0, b""),
            (core.DeviceQuery.OPCODE, 0, bytes(4) + b"\1\0\0\0"),
        ]
        for opcode, of, octets in wrong:
            args = (opcode, of, octets, len(octets))
            assert lib.paracore_call(channel.handle, *args, ffi.NULL, ffi.NULL, ffi.NULL, SECOND) == -errno.EINVAL
        assert lib.paracore_post(channel.handle, 1, 0, bytes(8), 8, ffi.NULL, SECOND) == -errno.EINVAL
        assert channel.statistics().calls == 0
        assert channel.ping() == PONG


def test_a_call_without_an_answer_times_out_and_its_late_reply_is_dropped(tmp_path):
    late = []

    def keep(connection, header, payload):
        late.append((connection, reply(header, bytes(payload))))

    with FakeBackend(tmp_path, core_ping=keep) as backend, Channel(backend.address) as channel:
        assert channel.ping(timeout_ns=SECOND // 50) == -errno.ETIMEDOUT
        assert channel.ping(timeout_ns=0) == -errno.ETIMEDOUT
        assert isinstance(channel.call(core.LimitsQuery()), bytes)
        for connection, octets in late:
            connection.send(octets)
        assert isinstance(channel.call(core.LimitsQuery()), bytes)
        assert len(late) == 2
        late[0][0].send(late[0][1])  # a second time: now it answers nothing
        assert channel.call(core.LimitsQuery()) == -errno.EPROTO


WRONG_REPLIES = {
    "unknown serial": lambda header: message(header.opcode, REPLY, 0, header.serial + 1, PONG),
    "another opcode": lambda header: message(core.LimitsQuery.OPCODE, REPLY, 0, header.serial, bytes(24)),
    "another object": lambda header: message(header.opcode, REPLY, 5, header.serial, PONG),
    "a payload too long": lambda header: reply(header, PONG + bytes(8)),
    "no payload": reply,
    "a failure without an error": lambda header: message(header.opcode, FAILURE, 0, header.serial, bytes(16)),
    "a failure too short": lambda header: message(header.opcode, FAILURE, 0, header.serial, bytes(8)),
    "an unknown error": lambda header: message(header.opcode, FAILURE, 0, header.serial, b"\x63" + bytes(15)),
    "a call": lambda header: header.pack() + PONG,
    "flags of nothing": lambda header: header.pack()[:6] + b"\x40\0" + header.pack()[8:] + PONG,
    "an event with a serial": lambda header: header._replace(size=16, opcode=0x113, flags=EVENT).pack(),
    "an event that is none": lambda header: message(0x0101, EVENT, 0, 0, bytes(8)),
    "an event of the link": lambda header: message(0x7006, EVENT, 0, 0, bytes(8)),
    "an event too short": lambda header: message(0x0110, EVENT, 0, 0),
    "an unknown event": lambda header: message(0x0FFF, EVENT, 0, 0),
}


@pytest.mark.parametrize("wrong", WRONG_REPLIES.values(), ids=WRONG_REPLIES)
def test_a_reply_that_cannot_be_ends_the_channel(tmp_path, wrong):
    def answer(connection, header, _payload):
        connection.send(wrong(header))

    with FakeBackend(tmp_path, core_ping=answer) as backend, Channel(backend.address) as channel:
        assert channel.ping() == -errno.EPROTO
        assert channel.call(core.LimitsQuery()) == -errno.EPROTO
        assert channel.next_event() == -errno.EPROTO
        assert channel.post(video.Drain()) == -errno.EPROTO


@pytest.mark.parametrize("index", [1, 2**20, 2**32 - 8])
def test_an_impossible_producer_index_ends_the_channel(tmp_path, index):
    def corrupt(connection, _header, _payload):
        connection.memory[128:132] = index.to_bytes(4, "little")
        os.eventfd_write(connection.doorbell_out, 1)

    with FakeBackend(tmp_path, core_ping=corrupt) as backend, Channel(backend.address) as channel:
        assert channel.ping() == -errno.EPROTO


@pytest.mark.parametrize("index", [2**20, 2**32 - 8])
def test_an_impossible_consumer_index_ends_the_channel(tmp_path, index):
    with FakeBackend(tmp_path) as backend, Channel(backend.address) as channel:
        backend.connected.get().memory[132:136] = index.to_bytes(4, "little")
        while (result := channel.post(video.Drain())) > 0:  # it is looked at once the ring seems full
            pass
        assert result == -errno.EPROTO


def test_a_post_is_seen_after_a_flush_and_has_the_serial_it_said(tmp_path):
    seen = []

    def note(connection, header, _payload):
        seen.append((header.serial, header.object))
        connection.send(event(video.Drained(), header.object))

    with FakeBackend(tmp_path, video_drain=note) as backend, Channel(backend.address) as channel:
        serial = channel.post(video.Drain(), of=4)
        assert lib.paracore_flush(channel.handle) == 0
        assert channel.next_event() == (video.Drained.OPCODE, 4, b"")
        assert seen == [(serial, 4)]


def test_events_come_in_order_also_between_replies(tmp_path):
    def answer(connection, header, payload):
        events = [event(video.InputDone(n, 0), 3) for n in range(50)]
        connection.send(*events[:25], reply(header, payload), *events[25:])

    with FakeBackend(tmp_path, core_ping=answer) as backend, Channel(backend.address) as channel:
        assert channel.ping() == PONG
        got = [channel.next_event() for _ in range(50)]
        assert got == [(video.InputDone.OPCODE, 3, video.InputDone(n, 0).pack()) for n in range(50)]
        assert channel.next_event(0) == 0


def test_waiting_for_an_event_ends_at_its_time_limit(tmp_path):
    with FakeBackend(tmp_path) as backend, Channel(backend.address) as channel:
        begin = time.monotonic()
        assert channel.next_event(SECOND // 20) == 0
        assert time.monotonic() - begin >= 0.045


def test_a_full_ring_makes_a_post_wait_for_its_time_limit(tmp_path):
    with FakeBackend(tmp_path) as backend, Channel(backend.address) as channel:
        connection = backend.connected.get()
        gate = threading.Event()
        connection.backend.answers[opcode_of("video_drain")] = lambda *_: gate.wait(5)
        while channel.post(video.Drain(), timeout_ns=SECOND // 20) > 0:
            pass
        assert channel.post(video.Drain(), timeout_ns=SECOND // 100) == -errno.ETIMEDOUT
        gate.set()
        assert channel.post(video.Drain()) > 0
        assert channel.ping() == PONG


def test_events_that_nobody_takes_are_bounded_and_say_so(tmp_path):
    flood = [event(video.InputDone(n, 0), 3) for n in range(400)]

    def answer(connection, header, payload):
        connection.send(*flood, reply(header, payload))

    with FakeBackend(tmp_path, core_ping=answer) as backend, Channel(backend.address) as channel:
        answered = 0
        while (result := channel.ping()) == PONG:
            answered += 1
        assert result == -errno.ENOBUFS
        assert answered == ((1 << 20) - 4096) // (400 * 24)
        assert channel.post(video.Drain()) > 0
        while channel.next_event(0) != 0:
            pass
        assert isinstance(channel.call(core.LimitsQuery()), bytes)
