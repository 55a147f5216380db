# SPDX-License-Identifier: Apache-2.0
"""libparacore in a poll loop, at the end of a channel, and what it costs."""

from __future__ import annotations

import errno
import fcntl
import os
import select
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from paracore._native import _frontend
from paracore._native._frontend import lib
from paracore.classes import link, video
from tests.integration.native.channel import PONG, SECOND, Channel
from tests.integration.native.fake_backend import FakeBackend, event, reply


def test_a_poll_loop_is_woken_for_each_event(tmp_path):
    with FakeBackend(tmp_path) as backend, Channel(backend.address) as channel:
        connection = backend.connected.get()
        fd = lib.paracore_fd(channel.handle)
        for number in range(5):
            assert lib.paracore_arm(channel.handle) == 1
            assert select.select([fd], [], [], 0)[0] == []
            connection.send(event(video.InputDone(number, 0), 1))
            assert select.select([fd], [], [], 5)[0] == [fd]
            assert channel.next_event(0) == (video.InputDone.OPCODE, 1, video.InputDone(number, 0).pack())
            assert channel.next_event(0) == 0


def test_arming_says_when_an_event_waits_already(tmp_path):
    with FakeBackend(tmp_path) as backend, Channel(backend.address) as channel:
        lib.paracore_fd(channel.handle)
        backend.connected.get().send(event(video.Drained(), 1))
        assert lib.paracore_arm(channel.handle) == 0
        assert channel.next_event(0) == (video.Drained.OPCODE, 1, b"")
        assert lib.paracore_arm(channel.handle) == 1


def test_a_poll_loop_is_woken_by_the_end(tmp_path):
    with FakeBackend(tmp_path) as backend, Channel(backend.address) as channel:
        fd = lib.paracore_fd(channel.handle)
        assert lib.paracore_arm(channel.handle) == 1
        backend.connected.get().goodbye(link.Refusal.DETACHED)
        assert select.select([fd], [], [], 5)[0] == [fd]
        assert lib.paracore_arm(channel.handle) == -errno.EPIPE
        assert lib.paracore_goodbye(channel.handle) == link.Refusal.DETACHED


def test_a_poll_loop_is_woken_for_an_event_that_a_call_of_another_thread_received(tmp_path):
    def answer(connection, header, payload):
        connection.send(event(video.Drained(), 9), reply(header, payload))

    with FakeBackend(tmp_path, core_ping=answer) as backend, Channel(backend.address) as channel:
        fd = lib.paracore_fd(channel.handle)
        assert lib.paracore_arm(channel.handle) == 1
        thread = threading.Thread(target=channel.ping)
        thread.start()
        thread.join()
        assert select.select([fd], [], [], 5)[0] == [fd]
        assert lib.paracore_arm(channel.handle) == 0


@pytest.mark.parametrize("reason", [link.Refusal.WORKER_LOST, link.Refusal.SHUTDOWN, link.Refusal.PROTOCOL])
def test_the_end_wakes_a_call_and_says_why(tmp_path, reason):
    def end(connection, _header, _payload):
        connection.goodbye(reason)

    with FakeBackend(tmp_path, core_ping=end) as backend, Channel(backend.address) as channel:
        assert channel.ping() == -errno.EPIPE
        assert lib.paracore_goodbye(channel.handle) == reason
        assert channel.next_event() == -errno.EPIPE
        assert channel.post(video.Drain()) == -errno.EPIPE
        assert lib.paracore_flush(channel.handle) == -errno.EPIPE
        channel.buffer(4096)
        assert channel.status == -errno.EPIPE


def test_a_backend_that_ends_sees_at_once_that_it_was_heard(tmp_path):
    """It waits for its peers to hang up: one that is about to look for the next backend must not be waited for."""
    with FakeBackend(tmp_path) as backend, Channel(backend.address) as channel:
        connection = backend.connected.get()
        connection.socket.send(event(link.Goodbye(link.Refusal.SHUTDOWN, link.Limit.NONE)))
        assert channel.next_event(5 * SECOND) == -errno.EPIPE
        assert connection.finished.wait(5)
        assert lib.paracore_goodbye(channel.handle) == link.Refusal.SHUTDOWN


def test_what_came_before_the_end_is_still_given_out(tmp_path):
    def end(connection, _header, _payload):
        connection.send(event(video.InputDone(1, 0), 1), event(video.InputDone(2, 0), 1))
        connection.goodbye(link.Refusal.SHUTDOWN)

    with FakeBackend(tmp_path, core_ping=end) as backend, Channel(backend.address) as channel:
        assert channel.ping() == -errno.EPIPE
        assert channel.next_event() == (video.InputDone.OPCODE, 1, video.InputDone(1, 0).pack())
        assert channel.next_event() == (video.InputDone.OPCODE, 1, video.InputDone(2, 0).pack())
        assert channel.next_event() == -errno.EPIPE


def test_a_signal_interrupts_waiting_for_an_event(tmp_path):
    with FakeBackend(tmp_path) as backend, Channel(backend.address) as channel:
        previous = signal.signal(signal.SIGUSR1, lambda *_: None)
        timer = threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGUSR1])
        timer.start()
        try:
            assert channel.next_event(20 * SECOND) in (-errno.EINTR, 0)
        finally:
            timer.join()
            signal.signal(signal.SIGUSR1, previous)


def test_descriptors_do_not_cross_exec(tmp_path):
    with FakeBackend(tmp_path) as backend, Channel(backend.address) as channel:
        lib.paracore_fd(channel.handle)
        channel.buffer(4096)
        for path in Path("/proc/self/fd").iterdir():
            target = str(path.readlink()) if path.is_symlink() else ""
            if "event" in target or "paracore" in target:
                assert fcntl.fcntl(int(path.name), fcntl.F_GETFD) & fcntl.FD_CLOEXEC, target


def test_no_doorbell_is_written_to_a_backend_that_is_awake(tmp_path):
    def slow(connection, header, payload):
        connection.send(reply(header, payload))

    with FakeBackend(tmp_path, core_ping=slow) as backend, Channel(backend.address) as channel:
        for _ in range(50):
            channel.post(video.Drain())
        assert channel.ping() == PONG
        assert channel.statistics().notifications_out <= 3


def test_spinning_needs_no_sleep(tmp_path):
    with FakeBackend(tmp_path) as backend, Channel(backend.address, spin_ns=2 * SECOND) as channel:
        for _ in range(20):
            assert channel.ping() == PONG
        assert channel.statistics().sleeps == 0


def test_the_library_carries_no_python():
    library = Path(str(_frontend.__file__)).with_name("libparacore.so.0")
    dynamic = subprocess.run(["readelf", "-d", library], capture_output=True, text=True, check=True).stdout
    lines = dynamic.splitlines()
    assert [line.split("[")[1][:-1] for line in lines if "NEEDED" in line] == ["libc.so.6"]
    assert [line.split("[")[1][:-1] for line in lines if "SONAME" in line] == ["libparacore.so.0"]
