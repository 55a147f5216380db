# SPDX-License-Identifier: Apache-2.0
"""Whole messages with descriptors beside them: a SOCK_SEQPACKET socket, in both directions of trust.

Nothing here waits. What is longer than a message or comes with descriptors that nobody asked for is the
peer's fault; descriptors that are not wanted are closed by the kernel before they reach this process.
"""

from __future__ import annotations

import array
import os
import select
import socket
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import NamedTuple

from paracore._errors import RemoteProtocolError, TransportBroken
from paracore.protocol import MESSAGE_MAX

__all__ = ["Packet", "SocketWire", "Wire", "WireFull"]

_INT = array.array("i").itemsize


class WireFull(TransportBroken):
    """The peer does not read what it is sent."""


class Packet(NamedTuple):
    """One message and the descriptors that came with it, which are the receiver's to close."""

    message: bytes
    descriptors: tuple[int, ...] = ()


class Wire(ABC):
    """One end of a descriptor connection. Nothing here waits."""

    @abstractmethod
    def fileno(self) -> int:
        """Polls readable when ``receive`` has something."""

    @abstractmethod
    def send(self, message: bytes, descriptors: tuple[int, ...] = ()) -> None:
        """Sends one message; the descriptors stay the caller's.

        Raises:
            WireFull: the peer does not read.
            TransportBroken: it has gone.
        """

    @abstractmethod
    def receive(self) -> Packet | None:
        """The next message, one with no octets at the end of all.

        Returns None when nothing waits.

        Raises:
            RemoteProtocolError: it is longer than a message can be.
        """

    @abstractmethod
    def finish(self) -> None:
        """Says that nothing more will be sent; what comes in is still to be received."""

    @abstractmethod
    def close(self) -> None: ...


class SocketWire(Wire):
    """A ``Wire`` on a SOCK_SEQPACKET Unix socket."""

    def __init__(self, sock: socket.socket, descriptors_max: int = 0, size_max: int = MESSAGE_MAX) -> None:
        """`descriptors_max` is how many descriptors one message may bring; 0 when none ever may."""
        sock.settimeout(0)
        self._socket = sock
        self._size_max = size_max
        self._room = socket.CMSG_SPACE(descriptors_max * _INT) if descriptors_max else 0

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, message: bytes, descriptors: tuple[int, ...] = ()) -> None:
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        try:
            self._socket.sendmsg([message], ancillary, socket.MSG_NOSIGNAL)
        except BlockingIOError as error:
            raise WireFull("the peer does not read") from error
        except OSError as error:
            raise TransportBroken("the peer has gone") from error

    def send_waiting(self, message: bytes, descriptors: tuple[int, ...] = ()) -> None:
        """As ``send``, but waits for a peer that is behind. Only for peers that are trusted to read."""
        while True:
            try:
                self.send(message, descriptors)
            except WireFull:
                poll = select.poll()
                poll.register(self._socket, select.POLLOUT)
                poll.poll()
            else:
                return

    def receive(self) -> Packet | None:
        try:
            message, ancillary, flags, _ = self._socket.recvmsg(self._size_max, self._room, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return None
        except OSError:
            return Packet(b"")
        packet = Packet(message, _descriptors(ancillary))
        if flags & socket.MSG_TRUNC:
            for descriptor in packet.descriptors:
                os.close(descriptor)
            raise RemoteProtocolError(f"a message is longer than {self._size_max} octets")
        return packet

    def finish(self) -> None:
        with suppress(OSError):  # it has gone: as good as told
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._socket.close()


def _descriptors(ancillary: list[tuple[int, int, bytes]]) -> tuple[int, ...]:
    found = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            found.frombytes(data[: len(data) - len(data) % _INT])
    return tuple(found)
