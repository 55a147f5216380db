# SPDX-License-Identifier: Apache-2.0
"""libparacore opens a channel, or says why not; whatever the other side answers."""

from __future__ import annotations

import errno
import os
import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from paracore._native._frontend import ffi, lib
from paracore.classes import core, link
from paracore.protocol import EVENT, REPLY, message
from tests.integration.native.channel import PONG, SECOND, Channel
from tests.integration.native.fake_backend import RING_ORDER, FakeBackend, event, failure, reply, sealed

if TYPE_CHECKING:
    from collections.abc import Callable


def test_a_channel_opens_and_answers(tmp_path):
    with FakeBackend(tmp_path) as backend, Channel(backend.address) as channel:
        assert ffi.string(lib.paracore_domain(channel.handle)) == b"test"
        assert channel.ping() == PONG
        assert lib.paracore_goodbye(channel.handle) == link.Refusal.NONE


def test_the_address_comes_from_the_environment(tmp_path, monkeypatch):
    with FakeBackend(tmp_path) as backend:
        monkeypatch.setenv("PARACORE_SOCKET", backend.address)
        with Channel(None) as channel:
            assert channel.ping() == PONG


def test_nobody_there(tmp_path):
    assert Channel(str(tmp_path / "nothing")).error == -errno.ENOENT
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(tmp_path / "dead"))
    assert Channel(str(tmp_path / "dead")).error == -errno.ECONNREFUSED
    listener.close()
    assert Channel("/" + "x" * 200).error == -errno.ENAMETOOLONG


REFUSALS = {
    link.Refusal.UNKNOWN_PEER: errno.EACCES,
    link.Refusal.VERSION: errno.EPROTONOSUPPORT,
    link.Refusal.LIMIT: errno.ENOSPC,
    link.Refusal.SHUTDOWN: errno.EPIPE,
    link.Refusal.PROTOCOL: errno.EPROTO,
}


@pytest.mark.parametrize("when", ["link_hello", "link_channel_open"])
@pytest.mark.parametrize("reason", REFUSALS)
def test_a_refusal_says_why(tmp_path, when, reason):
    refuse = {when: lambda connection, _header, _payload: connection.goodbye(reason)}
    with FakeBackend(tmp_path, **refuse) as backend:
        channel = Channel(backend.address)
        assert (channel.error, channel.reason) == (-REFUSALS[reason], reason)
        assert ffi.string(lib.paracore_refusal_text(channel.reason))


def test_a_refusal_that_comes_before_the_first_word(tmp_path):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(tmp_path / "socket"))
    listener.listen()

    def refuse() -> None:
        peer = listener.accept()[0]
        peer.send(event(link.Goodbye(link.Refusal.UNKNOWN_PEER, link.Limit.NONE)))
        peer.close()

    for _ in range(20):
        thread = threading.Thread(target=refuse)
        thread.start()
        channel = Channel(str(tmp_path / "socket"))
        thread.join()
        assert (channel.error, channel.reason) == (-errno.EACCES, link.Refusal.UNKNOWN_PEER)
    listener.close()


def test_a_limit_told_as_a_failure(tmp_path):
    def full(connection, header, _payload):
        connection.socket.send(failure(header, core.Error.NO_SPACE, core.Limit.CHANNELS, 4))

    with FakeBackend(tmp_path, link_channel_open=full) as backend:
        assert Channel(backend.address).error == -errno.ENOSPC


def test_a_backend_that_says_nothing(tmp_path):
    with FakeBackend(tmp_path, link_hello=lambda *_: None) as backend:
        assert Channel(backend.address, connect_ns=SECOND // 20).error == -errno.ETIMEDOUT


def test_a_backend_that_accepts_nobody(tmp_path):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(str(tmp_path / "socket"))
    listener.listen(0)
    others = [Channel(str(tmp_path / "socket"), connect_ns=SECOND // 20) for _ in range(3)]
    assert {other.error for other in others} == {-errno.ETIMEDOUT}
    listener.close()


def wrong_opens() -> dict[str, object]:
    """Ways to answer channel_open wrongly."""

    def with_fds(*makers: Callable[[], int], order: int = RING_ORDER, port: int = 0):
        def answer(connection, header, _payload):
            opened = link.ChannelOpenReply(1, order, port)
            fds = [make() for make in makers]
            socket.send_fds(connection.socket, [reply(header, opened.pack())], fds)
            for fd in fds:
                os.close(fd)

        return answer

    def bell() -> int:
        return os.eventfd(0)

    def device() -> int:
        return os.open("/dev/null", os.O_RDWR)

    def unsealed() -> int:
        fd = os.memfd_create("test")
        os.ftruncate(fd, 1 << 20)
        return fd

    def pipe() -> int:
        reader, writer = os.pipe()
        os.close(reader)
        return writer

    def large() -> int:
        return sealed(1 << 20)

    return {
        "no descriptors": with_fds(),
        "two descriptors": with_fds(large, bell),
        "four descriptors": with_fds(large, bell, bell, bell),
        "pages too small": with_fds(lambda: sealed(4096), bell, bell),
        "pages that may shrink": with_fds(unsealed, bell, bell),
        "pages that are a pipe": with_fds(pipe, bell, bell),
        "a doorbell that is a pipe": with_fds(large, pipe, bell),
        "a port, and doorbells that have none": with_fds(large, bell, bell, port=3),
        "doorbells that are devices, and no port": with_fds(large, device, device),
        "a doorbell that is some other device": with_fds(large, device, device, port=3),
        "a ring order of 0": with_fds(large, bell, bell, order=0),
        "a ring order of 31": with_fds(large, bell, bell, order=31),
    }


@pytest.mark.parametrize("name", wrong_opens())
def test_what_cannot_be_a_channel_is_refused(tmp_path, name):
    with FakeBackend(tmp_path, link_channel_open=wrong_opens()[name]) as backend:
        assert Channel(backend.address).error == -errno.EPROTO


WRONG_HELLOS = {
    "garbage": lambda header: b"garbage!",
    "a size that lies": lambda header: reply(header, link.HelloReply(1, "x").pack())[:-8],
    "another opcode": lambda header: message(0x7002, REPLY, 0, header.serial, link.HelloReply(1, "x").pack()),
    "another serial": lambda header: message(0x7001, REPLY, 0, 99, link.HelloReply(1, "x").pack()),
    "another version": lambda header: reply(header, link.HelloReply(2, "x").pack()),
    "an endless name": lambda header: reply(header, b"\1" + bytes(7) + b"x" * 32),
    "a request": lambda header: header.pack() + bytes(header.size - 16),
    "a goodbye for no known reason": lambda header: message(0x7006, EVENT, 0, 0, b"\x63" + bytes(7)),
    "more than fits": lambda header: reply(header, bytes(1024)),
}


@pytest.mark.parametrize("wrong", WRONG_HELLOS.values(), ids=WRONG_HELLOS)
def test_a_hello_that_cannot_be(tmp_path, wrong):
    def answer(connection, header, _payload):
        connection.socket.send(wrong(header))

    with FakeBackend(tmp_path, link_hello=answer) as backend:
        assert Channel(backend.address).error == -errno.EPROTO


def test_opening_and_closing_leaves_nothing_behind(tmp_path):
    def counts() -> tuple[int, int]:
        mappings = Path("/proc/self/maps").read_text(encoding="utf-8").count("memfd:paracore-test")
        return len(list(Path("/proc/self/fd").iterdir())), mappings

    with FakeBackend(tmp_path) as backend:
        seen = []
        for _ in range(3):
            for _ in range(5):
                with Channel(backend.address) as channel:
                    channel.buffer(1 << 20)
                    lib.paracore_fd(channel.handle)
                assert backend.connected.get().finished.wait(5)
            seen.append(counts())
        assert seen[0] == seen[1] == seen[2]
