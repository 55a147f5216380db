# SPDX-License-Identifier: Apache-2.0
"""What is outstanding on the control ring: the rules of class ``bridge`` for the daemon; no descriptor is touched here.

Rules (docs/protocol/bridge.md): a connection has at most one call outstanding and is one from its ``connect``
until its ``disconnect`` is answered. A goodbye ends it, with whatever it had asked; a late answer to that is
taken and means nothing. The backend is not trusted: an answer that nobody waits for, to another call, or of
another shape raises ``RemoteProtocolError``, and the device is as good as gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from paracore._errors import LocalProtocolError, RemoteProtocolError
from paracore.classes import bridge
from paracore.protocol import EVENT, FAILURE, REPLY, REQUEST, message, split

if TYPE_CHECKING:
    from paracore.classes._payload import Payload
    from paracore.protocol import Header

__all__ = ["DEVICE", "Answer", "Farewell", "Outstanding"]

DEVICE = 0
"""The connection that is none: the device itself, for ``ping``."""

_MODULUS = 1 << 32


class Answer(NamedTuple):
    """To the call that a connection had outstanding: its reply, or why there is none."""

    connection: int
    reply: Payload | None
    failure: bridge.Failure | None


class Farewell(NamedTuple):
    """The backend has ended a connection."""

    connection: int
    goodbye: bridge.Goodbye


_Told: TypeAlias = Answer | Farewell | None


class Outstanding:
    """Makes the messages that go and reads those that come."""

    def __init__(self) -> None:
        self._connections: set[int] = {DEVICE}
        self._calls: dict[int, tuple[int, int]] = {}
        self._abandoned: dict[tuple[int, int], int] = {}
        self._last = 0

    def __contains__(self, connection: int) -> bool:
        """Whether a connection has a call outstanding."""
        return connection in self._calls

    def call(self, connection: int, request: Payload) -> bytes:
        """The message that makes a call."""
        if connection in self._calls:
            raise LocalProtocolError(f"connection {connection} has a call outstanding")
        self._connections.add(connection)
        self._last = self._last % (_MODULUS - 1) + 1
        self._calls[connection] = request.OPCODE, self._last
        return message(request.OPCODE, REQUEST, connection, self._last, request.pack())

    def receive(self, octets: bytes) -> _Told:
        """What one message of the backend's tells; None when it means nothing any more.

        Raises:
            RemoteProtocolError: it could not have sent that.
        """
        header, payload = split(octets)
        if header.flags == EVENT:
            return self._farewell(header, payload)
        if self._calls.get(header.object) != (header.opcode, header.serial):
            self._forget(header)
            return None
        del self._calls[header.object]
        return self._answer(header, payload)

    def _farewell(self, header: Header, payload: memoryview) -> Farewell:
        if header.opcode != bridge.Goodbye.OPCODE or header.object not in self._connections - {DEVICE}:
            raise RemoteProtocolError(f"an event {header.opcode:#06x} for connection {header.object}")
        goodbye = bridge.Goodbye.unpack(payload)
        call = self._calls.get(header.object)
        if call and call[0] != bridge.Disconnect.OPCODE:
            opcode, serial = self._calls.pop(header.object)
            self._abandoned[header.object, serial] = opcode
        return Farewell(header.object, goodbye)

    def _forget(self, header: Header) -> None:
        """A late answer to a call that a goodbye had overtaken."""
        if self._abandoned.pop((header.object, header.serial), None) != header.opcode:
            raise RemoteProtocolError(
                f"an answer {header.opcode:#06x} to connection {header.object}, which waits for none"
            )

    def _answer(self, header: Header, payload: memoryview) -> Answer:
        reply_type = bridge.MESSAGES[header.opcode].reply
        assert reply_type is not None  # only calls are outstanding
        if header.opcode == bridge.Disconnect.OPCODE:
            self._leave(header.object)
        if header.flags == FAILURE:
            return Answer(header.object, None, bridge.Failure.unpack(payload))
        if header.flags != REPLY:
            raise RemoteProtocolError(f"an answer with flags {header.flags:#x}")
        return Answer(header.object, reply_type.unpack(payload), None)

    def _leave(self, connection: int) -> None:
        """Its number is free again; what was overtaken will not be answered any more."""
        self._connections.discard(connection)
        self._abandoned = {key: opcode for key, opcode in self._abandoned.items() if key[0] != connection}
