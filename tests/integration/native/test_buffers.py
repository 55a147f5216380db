# SPDX-License-Identifier: Apache-2.0
"""libparacore's buffers, granted or refused."""

from __future__ import annotations

import errno
import os
import socket

import pytest

from paracore._native._frontend import ffi
from paracore.classes import core, link
from tests.integration.native.channel import PONG, Channel
from tests.integration.native.fake_backend import FakeBackend, failure, reply, sealed


def test_a_buffer_is_the_backend_s_memory_too(tmp_path):
    with FakeBackend(tmp_path) as backend, Channel(backend.address) as channel:
        buffer = channel.buffer(5000, core.BufferFlag.READ_ONLY)
        assert (channel.status, buffer.length, buffer.flags) == (0, 8192, core.BufferFlag.READ_ONLY)
        ffi.buffer(buffer.address, 5)[:] = b"hello"
        grants = backend.connected.get().grants
        assert os.pread(grants[buffer.grant], 5, 0) == b"hello"
        os.pwrite(grants[buffer.grant], b"there", 0)
        assert ffi.buffer(buffer.address, 5)[:] == b"there"
        assert channel.statistics().bytes_granted == 8192
        assert channel.destroy(buffer) == 0
        assert grants == {}
        assert channel.statistics().buffers == 0


@pytest.mark.parametrize("length", [0, (1 << 30) + 1, 2**64 - 1])
def test_an_impossible_buffer_is_not_asked_for(tmp_path, length):
    with FakeBackend(tmp_path) as backend, Channel(backend.address) as channel:
        channel.buffer(length)
        assert channel.status == -errno.EINVAL
        channel.buffer(4096, 2)
        assert channel.status == -errno.EINVAL


def test_a_grant_that_is_refused(tmp_path):
    def refuse(connection, header, _payload):
        connection.socket.send(failure(header, core.Error.NO_SPACE, core.Limit.BYTES, 100))

    with FakeBackend(tmp_path, link_grant=refuse) as backend, Channel(backend.address) as channel:
        channel.buffer(4096)
        assert channel.status == -errno.ENOSPC
        assert channel.ping() == PONG


def test_an_attachment_that_is_refused_is_undone(tmp_path):
    def refuse(connection, header, _payload):
        connection.send(failure(header, core.Error.NO_SPACE, core.Limit.BUFFERS, 1))

    with FakeBackend(tmp_path, core_buffer_attach=refuse) as backend, Channel(backend.address) as channel:
        channel.buffer(4096)
        assert channel.status == -errno.ENOSPC
        assert backend.connected.get().grants == {}


def test_a_busy_buffer_stays(tmp_path):
    busy = [True]

    def detach(connection, header, _payload):
        connection.send(failure(header, core.Error.BUSY) if busy[0] else reply(header))

    with FakeBackend(tmp_path, core_buffer_detach=detach) as backend, Channel(backend.address) as channel:
        buffer = channel.buffer(4096)
        assert channel.destroy(buffer) == -errno.EBUSY
        ffi.buffer(buffer.address, 4096)[:] = bytes(4096)
        busy[0] = False
        assert channel.destroy(buffer) == 0


def test_a_grant_that_is_busy_for_a_moment(tmp_path):
    tries = []

    def revoke(connection, header, _payload):
        tries.append(1)
        connection.socket.send(failure(header, core.Error.BUSY) if len(tries) < 5 else reply(header))

    with FakeBackend(tmp_path, link_revoke=revoke) as backend, Channel(backend.address) as channel:
        assert channel.destroy(channel.buffer(4096)) == 0
        assert len(tries) == 5


@pytest.mark.parametrize("size", [0, 4096])
def test_a_grant_smaller_than_asked_for_ends_the_channel_at_most(tmp_path, size):
    def grant(connection, header, _payload):
        fd = sealed(size)
        socket.send_fds(connection.socket, [reply(header, link.GrantReply(1).pack())], [fd])
        os.close(fd)

    def revoke(connection, header, _payload):
        connection.socket.send(reply(header))

    with (
        FakeBackend(tmp_path, link_grant=grant, link_revoke=revoke) as backend,
        Channel(backend.address) as channel,
    ):
        channel.buffer(8192)
        assert channel.status == -errno.EPROTO


@pytest.mark.parametrize("number", [0, 1])
def test_a_buffer_named_as_no_buffer_or_as_another_one_ends_the_channel(tmp_path, number):
    """Else the memory of one would be unmapped when the other is destroyed."""
    numbers = [1, number]

    def attach(connection, header, _payload):
        connection.send(reply(header, core.BufferAttachReply(numbers.pop(0)).pack()))

    with FakeBackend(tmp_path, core_buffer_attach=attach) as backend, Channel(backend.address) as channel:
        first = channel.buffer(4096)
        channel.buffer(4096)
        assert channel.status == -errno.EPROTO
        ffi.buffer(first.address, 4096)[:] = b"x" * 4096
        assert channel.ping() == -errno.EPROTO
        assert channel.destroy(first) == 0
