# SPDX-License-Identifier: Apache-2.0
"""A backend small enough to be made to misbehave: one thread per connection, one table of answers.

It speaks the link protocol and the ring through the native ring, so that what libparacore is tested
against is the memory ordering it will meet. Each answer can be replaced by a test.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import queue
import select
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from paracore._native._core import ffi, lib
from paracore.classes import core, link, video
from paracore.protocol._message import EVENT, FAILURE, REPLY, Header, message, split

if TYPE_CHECKING:
    from pathlib import Path

    from paracore.classes._payload import Payload

RING_ORDER = 4
SEALS = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW


def sealed(size: int, seals: int = SEALS) -> int:
    """A memfd of this size that cannot be made smaller."""
    fd = os.memfd_create("paracore-test", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    os.ftruncate(fd, size)
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals)
    return fd


def reply(header: Header, payload: bytes = b"") -> bytes:
    """The reply to a call."""
    return message(header.opcode, REPLY, header.object, header.serial, payload)


def failure(header: Header, error: core.Error, limit: core.Limit = core.Limit.NONE, allowed: int = 0) -> bytes:
    """The reply that refuses a call."""
    return message(header.opcode, FAILURE, header.object, header.serial, core.Failure(error, limit, allowed).pack())


def event(payload: Payload, of: int = 0) -> bytes:
    """An event."""
    return message(payload.OPCODE, EVENT, of, 0, payload.pack())


@dataclass
class Connection:
    """One frontend."""

    backend: FakeBackend
    socket: socket.socket
    ring: object = None
    start: object = None
    memory: mmap.mmap | None = None
    doorbell_in: int = -1
    doorbell_out: int = -1
    buffers: int = 0
    grants: dict[int, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    finished: threading.Event = field(default_factory=threading.Event)
    over: bool = False

    def open_rings(self, ring_order: int = RING_ORDER) -> int:
        """Makes and attaches the shared pages; returns their descriptor."""
        size = lib.paracore_ring_mapping_size(ring_order)
        pages = sealed(size)
        self.memory = mmap.mmap(pages, size)
        self.ring = ffi.new("struct paracore_ring *")
        self.start = ffi.from_buffer(self.memory)
        lib.paracore_ring_format(self.start, ring_order)
        assert lib.paracore_ring_attach(self.ring, self.start, ring_order, lib.PARACORE_BACKEND) == 0
        self.doorbell_in = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self.doorbell_out = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        return pages

    def send(self, *messages: bytes) -> None:
        """Puts messages into the ring, shows them at once, and rings if asked to."""
        with self.lock:
            for octets in messages:
                part = ffi.new("struct iovec *", {"iov_base": ffi.from_buffer(octets), "iov_len": len(octets)})
                assert lib.paracore_ring_push(self.ring, part, 1) == 0
            if lib.paracore_ring_publish(self.ring):
                os.eventfd_write(self.doorbell_out, 1)

    def receive(self) -> Iterator[tuple[Header, bytes]]:
        """All messages that wait."""
        octets = bytearray(4096)
        while (size := lib.paracore_ring_pop(self.ring, ffi.from_buffer(octets))) > 0:
            yield split(bytes(octets[:size]))
        assert size == 0

    def release(self) -> None:
        """Gives back the room of what was received."""
        if lib.paracore_ring_release(self.ring):
            os.eventfd_write(self.doorbell_out, 1)

    def close(self) -> None:
        """Gives back all that it held."""
        for fd in [*self.grants.values(), self.doorbell_in, self.doorbell_out]:
            if fd >= 0:
                os.close(fd)
        if self.memory is not None:
            ffi.release(self.start)
            self.memory.close()
        self.finished.set()

    def goodbye(self, reason: link.Refusal) -> None:
        """Says why, and hangs up: as of a worker that has died, nothing comes any more."""
        self.over = True
        with contextlib.suppress(OSError):
            self.socket.send(event(link.Goodbye(reason, link.Limit.NONE)))
            self.socket.shutdown(socket.SHUT_RDWR)


Answer = Callable[[Connection, Header, bytes], None]


def hello(connection: Connection, header: Header, _payload: bytes) -> None:
    connection.socket.send(reply(header, link.HelloReply(1, "test").pack()))


def channel_open(connection: Connection, header: Header, _payload: bytes) -> None:
    pages = connection.open_rings()
    fds = [pages, connection.doorbell_in, connection.doorbell_out]
    socket.send_fds(connection.socket, [reply(header, link.ChannelOpenReply(1, RING_ORDER, 0).pack())], fds)
    os.close(pages)
    connection.backend.connected.put(connection)


def grant(connection: Connection, header: Header, payload: bytes) -> None:
    number = len(connection.grants) + 1
    connection.grants[number] = sealed(link.Grant.unpack(payload).length)
    socket.send_fds(connection.socket, [reply(header, link.GrantReply(number).pack())], [connection.grants[number]])


def revoke(connection: Connection, header: Header, payload: bytes) -> None:
    os.close(connection.grants.pop(link.Revoke.unpack(payload).grant))
    connection.socket.send(reply(header))


def ping(connection: Connection, header: Header, payload: bytes) -> None:
    connection.send(reply(header, payload))


def limits_query(connection: Connection, header: Header, _payload: bytes) -> None:
    connection.send(reply(header, core.LimitsQueryReply(1, 2, 3, 4, 5).pack()))


def device_query(connection: Connection, header: Header, _payload: bytes) -> None:
    connection.send(failure(header, core.Error.NO_ENTRY))


def buffer_attach(connection: Connection, header: Header, _payload: bytes) -> None:
    connection.buffers += 1
    connection.send(reply(header, core.BufferAttachReply(connection.buffers).pack()))


def buffer_detach(connection: Connection, header: Header, _payload: bytes) -> None:
    connection.send(reply(header))


ANSWERS: dict[int, Answer] = {
    link.Hello.OPCODE: hello,
    link.ChannelOpen.OPCODE: channel_open,
    link.Grant.OPCODE: grant,
    link.Revoke.OPCODE: revoke,
    core.Ping.OPCODE: ping,
    core.LimitsQuery.OPCODE: limits_query,
    core.DeviceQuery.OPCODE: device_query,
    core.BufferAttach.OPCODE: buffer_attach,
    core.BufferDetach.OPCODE: buffer_detach,
}


class FakeBackend:
    """Listens until it is closed. ``connected`` gives each connection once its channel is open."""

    def __init__(self, directory: Path, **answers: Answer) -> None:
        self.address = str(directory / "fake.sock")
        self.answers = {**ANSWERS, **{opcode_of(name): answer for name, answer in answers.items()}}
        self.connected: queue.Queue[Connection] = queue.Queue()
        self.errors: list[BaseException] = []
        self._stop = os.eventfd(0, os.EFD_CLOEXEC)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(self.address)
        self._listener.listen()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.eventfd_write(self._stop, 1)
        for thread in self._threads:
            thread.join()
        self._listener.close()
        os.close(self._stop)
        assert not self.errors, self.errors

    def _accept(self) -> None:
        while self._listener in select.select([self._listener, self._stop], [], [])[0]:
            thread = threading.Thread(target=self._serve, args=(Connection(self, self._listener.accept()[0]),))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: Connection) -> None:
        try:
            with connection.socket:
                while self._serve_once(connection):
                    pass
        except BaseException as error:  # noqa: BLE001  # told to the test by __exit__
            self.errors.append(error)
        finally:
            connection.close()

    def _serve_once(self, connection: Connection) -> bool:
        """Waits for one thing to happen. False when the connection is over."""
        waiting = [connection.socket, self._stop]
        if connection.doorbell_in >= 0:
            waiting.append(connection.doorbell_in)
            if not lib.paracore_ring_arm(connection.ring):
                self._answer_ring(connection)
                return not connection.over
        ready = select.select(waiting, [], [])[0]
        if self._stop in ready:
            return False
        if connection.doorbell_in in ready:
            os.eventfd_read(connection.doorbell_in)
            self._answer_ring(connection)
        if connection.socket in ready:
            octets = connection.socket.recv(4096)
            if not octets:
                return False
            self._answer(connection, *split(octets))
        return not connection.over

    def _answer_ring(self, connection: Connection) -> None:
        for header, payload in connection.receive():
            self._answer(connection, header, payload)
            if connection.over:
                return
        connection.release()

    def _answer(self, connection: Connection, header: Header, payload: bytes) -> None:
        answer = self.answers.get(header.opcode)
        if answer is not None:
            answer(connection, header, payload)


def opcode_of(name: str) -> int:
    """The opcode of ``class_message``."""
    of, _, rest = name.partition("_")
    row = next(row for row in {"core": core, "link": link, "video": video}[of].MESSAGES.values() if row.name == rest)
    return row.opcode
