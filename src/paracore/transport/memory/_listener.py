# SPDX-License-Identifier: Apache-2.0
"""Arrivals of the memory transport: two queues per connection, and eventfds to wait on.

Every frontend is this process, so its identity is what the test gave the transport.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from typing import TYPE_CHECKING

from paracore._errors import TransportBroken
from paracore.transport._link import LinkPort
from paracore.transport._transport import Listener
from paracore.transport._wire import Packet, Wire, WireFull

if TYPE_CHECKING:
    from collections.abc import Callable

    from paracore.transport._transport import Host, Pages, Peer, Port

__all__ = ["MemoryListener", "MemoryWire"]

_QUEUE_MAX = 64
"""Packets that wait at most, as a socket's buffer has an end."""


class _Lane:
    """One direction: what was sent, and a bell that polls readable while anything is to be received."""

    def __init__(self) -> None:
        self.bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK | os.EFD_SEMAPHORE)
        self._packets: deque[Packet] = deque()
        self._ended = False
        self._lock = threading.Lock()

    def put(self, packet: Packet) -> None:
        with self._lock:
            if self._ended:
                raise TransportBroken("the peer has gone")
            if len(self._packets) >= _QUEUE_MAX:
                raise WireFull("the peer does not read")
            self._packets.append(packet)
            os.eventfd_write(self.bell, 1)

    def end(self) -> None:
        """From here on it always polls readable, as a socket does whose peer has gone."""
        with self._lock:
            if not self._ended:
                self._ended = True
                os.eventfd_write(self.bell, 1)

    def take(self) -> Packet | None:
        with self._lock:
            if self._packets:
                os.eventfd_read(self.bell)
                return self._packets.popleft()
            return Packet(b"") if self._ended else None


class MemoryWire(Wire):
    """One end of a connection within this process. Descriptors arrive duplicated, as by the kernel."""

    def __init__(self, pages: Pages, incoming: _Lane, outgoing: _Lane) -> None:
        self._pages = pages
        self._incoming = incoming
        self._outgoing = outgoing

    @classmethod
    def pair(cls, pages: Pages) -> tuple[MemoryWire, MemoryWire]:
        """Two ends that belong together."""
        one, other = _Lane(), _Lane()
        return cls(pages, one, other), cls(pages, other, one)

    def fileno(self) -> int:
        return self._incoming.bell

    def send(self, message: bytes, descriptors: tuple[int, ...] = ()) -> None:
        passed = tuple(self._pages.duplicate(descriptor, read_only=False) for descriptor in descriptors)
        try:
            self._outgoing.put(Packet(message, passed))
        except TransportBroken:
            self._drop(passed)
            raise

    def receive(self) -> Packet | None:
        return self._incoming.take()

    def finish(self) -> None:
        self._outgoing.end()

    def close(self) -> None:
        """Ends both directions; what was not received any more is closed as the kernel would close it."""
        self._outgoing.end()
        self._incoming.end()
        while (packet := self._incoming.take()) and packet.message:
            self._drop(packet.descriptors)
        os.close(self._incoming.bell)

    def _drop(self, descriptors: tuple[int, ...]) -> None:
        for descriptor in descriptors:
            self._pages.close(descriptor)


class MemoryListener(Listener):
    """See ``Listener``."""

    def __init__(self, pages: Pages, peer: Peer, closed: Callable[[], None]) -> None:
        self._pages = pages
        self._peer = peer
        self._closed = closed
        self._arrivals: deque[MemoryWire] = deque()
        self._bell = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK | os.EFD_SEMAPHORE)

    def fileno(self) -> int:
        return self._bell

    def connect(self) -> MemoryWire:
        """The frontend's end of a new connection."""
        backend, frontend = MemoryWire.pair(self._pages)
        self._arrivals.append(backend)
        os.eventfd_write(self._bell, 1)
        return frontend

    def accept(self, host: Host) -> Port | None:
        if not self._arrivals:
            return None
        os.eventfd_read(self._bell)
        return LinkPort(self._arrivals.popleft(), self._pages, host, self._peer)

    def close(self) -> None:
        self._closed()
        while self._arrivals:
            self._arrivals.popleft().close()
        os.close(self._bell)
