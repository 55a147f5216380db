# SPDX-License-Identifier: Apache-2.0
"""Device class bridge, number 114.

Between the frontend daemon of a Xen guest and the supervisor, on the device's control ring. `object` is the
connection, numbered by the daemon, one for each process that uses the device. A connection has at most one
call outstanding. Pages are named by the reference of a directory: granted pages which hold the reference of
the next directory page (0: the last) and then up to 1,023 references each, in order. A directory may be taken
back once its call is answered. Whoever breaks these rules loses the control ring: the backend closes it with
all connections and says CLOSING. A number of a grant that does not rise ends only its connection.

Made by codegen from specs/paracore.toml; do not edit.
To make it again: make gen
"""

from __future__ import annotations

from struct import Struct
from struct import error as StructError  # noqa: N812
from typing import TYPE_CHECKING, ClassVar, NamedTuple, TypeAlias

from paracore.classes._common import BufferFlag, Error, Failure, Limit, Refusal
from paracore.classes._payload import Kind, MessageType, malformed, name_octets, name_text, unsendable, zero

if TYPE_CHECKING:
    from typing import Self

    from typing_extensions import Buffer

__all__ = [
    "MESSAGES",
    "BufferFlag",
    "ChannelOpen",
    "ChannelOpenReply",
    "Connect",
    "ConnectReply",
    "Disconnect",
    "DisconnectReply",
    "Error",
    "Event",
    "Failure",
    "Goodbye",
    "Grant",
    "GrantReply",
    "Limit",
    "Ping",
    "PingReply",
    "Refusal",
    "Revoke",
    "RevokeReply",
]


class _ConnectFields(NamedTuple):
    """Fields of ``Connect``."""

    version_min: int
    """Oldest protocol version that it speaks."""
    version_max: int
    """Newest."""
    process: int
    """Its number in the guest, for logs."""
    user: int
    """Its user in the guest, for logs."""


_CONNECT = Struct("<IIII")


class Connect(_ConnectFields):
    """``bridge.connect``: A process has come. The connection's number must not be in use."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7201
    NAME: ClassVar[str] = "connect"
    KIND: ClassVar[Kind] = Kind.CALL
    SIZE: ClassVar[int] = 16

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _CONNECT.pack(self.version_min, self.version_max, self.process, self.user)
        except (StructError, ValueError) as error:
            raise unsendable("bridge.connect", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            version_min, version_max, process, user = _CONNECT.unpack(payload)
            return cls(version_min, version_max, process, user)
        except (StructError, ValueError) as error:
            raise malformed("bridge.connect", error) from None


class _ConnectReplyFields(NamedTuple):
    """Fields of ``ConnectReply``."""

    version: int
    """The newest both speak."""
    domain: str
    """The name the backend knows the domain by."""


_CONNECT_REPLY = Struct("<II32s")


class ConnectReply(_ConnectReplyFields):
    """Reply to ``bridge.connect``."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7201
    NAME: ClassVar[str] = "connect_reply"
    KIND: ClassVar[Kind] = Kind.REPLY
    SIZE: ClassVar[int] = 40

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _CONNECT_REPLY.pack(self.version, 0, name_octets(self.domain, 32))
        except (StructError, ValueError) as error:
            raise unsendable("bridge.connect_reply", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            version, reserved0, domain = _CONNECT_REPLY.unpack(payload)
            zero(reserved0)
            return cls(version, name_text(domain))
        except (StructError, ValueError) as error:
            raise malformed("bridge.connect_reply", error) from None


class _ChannelOpenFields(NamedTuple):
    """Fields of ``ChannelOpen``."""

    ring_order: int
    """log2 of the ring pages."""
    directory: int
    """Names the interface page and the ring pages."""
    port: int
    """The guest's event-channel port, unbound until now."""


_CHANNEL_OPEN = Struct("<IIII")


class ChannelOpen(_ChannelOpenFields):
    """``bridge.channel_open``: Opens the connection's channel on pages that the guest has formatted."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7202
    NAME: ClassVar[str] = "channel_open"
    KIND: ClassVar[Kind] = Kind.CALL
    SIZE: ClassVar[int] = 16

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _CHANNEL_OPEN.pack(self.ring_order, self.directory, self.port, 0)
        except (StructError, ValueError) as error:
            raise unsendable("bridge.channel_open", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            ring_order, directory, port, reserved0 = _CHANNEL_OPEN.unpack(payload)
            zero(reserved0)
            return cls(ring_order, directory, port)
        except (StructError, ValueError) as error:
            raise malformed("bridge.channel_open", error) from None


class _ChannelOpenReplyFields(NamedTuple):
    """Fields of ``ChannelOpenReply``."""

    channel: int
    """For logs."""


_CHANNEL_OPEN_REPLY = Struct("<II")


class ChannelOpenReply(_ChannelOpenReplyFields):
    """Reply to ``bridge.channel_open``."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7202
    NAME: ClassVar[str] = "channel_open_reply"
    KIND: ClassVar[Kind] = Kind.REPLY
    SIZE: ClassVar[int] = 8

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _CHANNEL_OPEN_REPLY.pack(self.channel, 0)
        except (StructError, ValueError) as error:
            raise unsendable("bridge.channel_open_reply", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            channel, reserved0 = _CHANNEL_OPEN_REPLY.unpack(payload)
            zero(reserved0)
            return cls(channel)
        except (StructError, ValueError) as error:
            raise malformed("bridge.channel_open_reply", error) from None


class _GrantFields(NamedTuple):
    """Fields of ``Grant``."""

    grant: int
    """Names the pages in `core.buffer_attach`; chosen by the daemon, each greater than the one before. Never 0."""
    flags: BufferFlag
    """What the backend may do with them."""
    length: int
    """Octets; a multiple of `page_size`."""
    directory: int
    """Names the pages."""


_GRANT = Struct("<IIQII")


class Grant(_GrantFields):
    """``bridge.grant``: Tells of granted pages, so that the worker can have them mapped."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7203
    NAME: ClassVar[str] = "grant"
    KIND: ClassVar[Kind] = Kind.CALL
    SIZE: ClassVar[int] = 24

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _GRANT.pack(self.grant, self.flags, self.length, self.directory, 0)
        except (StructError, ValueError) as error:
            raise unsendable("bridge.grant", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            grant, flags, length, directory, reserved0 = _GRANT.unpack(payload)
            zero(reserved0)
            return cls(grant, BufferFlag(flags), length, directory)
        except (StructError, ValueError) as error:
            raise malformed("bridge.grant", error) from None


class _GrantReplyFields(NamedTuple):
    """No field of ``GrantReply``."""


_GRANT_REPLY = Struct("<")


class GrantReply(_GrantReplyFields):
    """Reply to ``bridge.grant``."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7203
    NAME: ClassVar[str] = "grant_reply"
    KIND: ClassVar[Kind] = Kind.REPLY
    SIZE: ClassVar[int] = 0

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _GRANT_REPLY.pack()
        except (StructError, ValueError) as error:
            raise unsendable("bridge.grant_reply", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            _GRANT_REPLY.unpack(payload)
            return cls()
        except (StructError, ValueError) as error:
            raise malformed("bridge.grant_reply", error) from None


class _RevokeFields(NamedTuple):
    """Fields of ``Revoke``."""

    grant: int
    """From `grant`."""


_REVOKE = Struct("<II")


class Revoke(_RevokeFields):
    """``bridge.revoke``: Takes a grant back; `busy` while the backend has it mapped."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7204
    NAME: ClassVar[str] = "revoke"
    KIND: ClassVar[Kind] = Kind.CALL
    SIZE: ClassVar[int] = 8

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _REVOKE.pack(self.grant, 0)
        except (StructError, ValueError) as error:
            raise unsendable("bridge.revoke", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            grant, reserved0 = _REVOKE.unpack(payload)
            zero(reserved0)
            return cls(grant)
        except (StructError, ValueError) as error:
            raise malformed("bridge.revoke", error) from None


class _RevokeReplyFields(NamedTuple):
    """No field of ``RevokeReply``."""


_REVOKE_REPLY = Struct("<")


class RevokeReply(_RevokeReplyFields):
    """Reply to ``bridge.revoke``."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7204
    NAME: ClassVar[str] = "revoke_reply"
    KIND: ClassVar[Kind] = Kind.REPLY
    SIZE: ClassVar[int] = 0

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _REVOKE_REPLY.pack()
        except (StructError, ValueError) as error:
            raise unsendable("bridge.revoke_reply", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            _REVOKE_REPLY.unpack(payload)
            return cls()
        except (StructError, ValueError) as error:
            raise malformed("bridge.revoke_reply", error) from None


class _DisconnectFields(NamedTuple):
    """No field of ``Disconnect``."""


_DISCONNECT = Struct("<")


class Disconnect(_DisconnectFields):
    """``bridge.disconnect``: The process has gone, or has been told goodbye. Answered when the backend has
    unmapped all that the connection held; its number is free again then.
    """

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7205
    NAME: ClassVar[str] = "disconnect"
    KIND: ClassVar[Kind] = Kind.CALL
    SIZE: ClassVar[int] = 0

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _DISCONNECT.pack()
        except (StructError, ValueError) as error:
            raise unsendable("bridge.disconnect", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            _DISCONNECT.unpack(payload)
            return cls()
        except (StructError, ValueError) as error:
            raise malformed("bridge.disconnect", error) from None


class _DisconnectReplyFields(NamedTuple):
    """No field of ``DisconnectReply``."""


_DISCONNECT_REPLY = Struct("<")


class DisconnectReply(_DisconnectReplyFields):
    """Reply to ``bridge.disconnect``."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7205
    NAME: ClassVar[str] = "disconnect_reply"
    KIND: ClassVar[Kind] = Kind.REPLY
    SIZE: ClassVar[int] = 0

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _DISCONNECT_REPLY.pack()
        except (StructError, ValueError) as error:
            raise unsendable("bridge.disconnect_reply", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            _DISCONNECT_REPLY.unpack(payload)
            return cls()
        except (StructError, ValueError) as error:
            raise malformed("bridge.disconnect_reply", error) from None


class _GoodbyeFields(NamedTuple):
    """Fields of ``Goodbye``."""

    reason: Refusal
    """Why."""
    limit: Limit
    """With `limit`: which."""


_GOODBYE = Struct("<II")


class Goodbye(_GoodbyeFields):
    """``bridge.goodbye``: The connection is over, and why. Whatever call it had outstanding may stay without an
    answer; a refused `connect` always does. Only `disconnect` is served after it, and has to come: until then
    the number is in use.
    """

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7206
    NAME: ClassVar[str] = "goodbye"
    KIND: ClassVar[Kind] = Kind.EVENT
    SIZE: ClassVar[int] = 8

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _GOODBYE.pack(self.reason, self.limit)
        except (StructError, ValueError) as error:
            raise unsendable("bridge.goodbye", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            reason, limit = _GOODBYE.unpack(payload)
            return cls(Refusal(reason), Limit(limit))
        except (StructError, ValueError) as error:
            raise malformed("bridge.goodbye", error) from None


class _PingFields(NamedTuple):
    """No field of ``Ping``."""


_PING = Struct("<")


class Ping(_PingFields):
    """``bridge.ping``: Asks whether the backend lives, and is answered at once; `object` is 0. A supervisor that
    was killed tells nobody, so the daemon asks when it has heard nothing for a while. At most one is
    outstanding.
    """

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7207
    NAME: ClassVar[str] = "ping"
    KIND: ClassVar[Kind] = Kind.CALL
    SIZE: ClassVar[int] = 0

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _PING.pack()
        except (StructError, ValueError) as error:
            raise unsendable("bridge.ping", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            _PING.unpack(payload)
            return cls()
        except (StructError, ValueError) as error:
            raise malformed("bridge.ping", error) from None


class _PingReplyFields(NamedTuple):
    """No field of ``PingReply``."""


_PING_REPLY = Struct("<")


class PingReply(_PingReplyFields):
    """Reply to ``bridge.ping``."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7207
    NAME: ClassVar[str] = "ping_reply"
    KIND: ClassVar[Kind] = Kind.REPLY
    SIZE: ClassVar[int] = 0

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _PING_REPLY.pack()
        except (StructError, ValueError) as error:
            raise unsendable("bridge.ping_reply", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            _PING_REPLY.unpack(payload)
            return cls()
        except (StructError, ValueError) as error:
            raise malformed("bridge.ping_reply", error) from None


Event: TypeAlias = Goodbye
"""What is said unasked."""

MESSAGES: dict[int, MessageType] = {
    0x7201: MessageType(0x7201, "connect", Kind.CALL, False, Connect, ConnectReply),
    0x7202: MessageType(0x7202, "channel_open", Kind.CALL, False, ChannelOpen, ChannelOpenReply),
    0x7203: MessageType(0x7203, "grant", Kind.CALL, False, Grant, GrantReply),
    0x7204: MessageType(0x7204, "revoke", Kind.CALL, False, Revoke, RevokeReply),
    0x7205: MessageType(0x7205, "disconnect", Kind.CALL, False, Disconnect, DisconnectReply),
    0x7206: MessageType(0x7206, "goodbye", Kind.EVENT, False, Goodbye, None),
    0x7207: MessageType(0x7207, "ping", Kind.CALL, False, Ping, PingReply),
}
"""Every message of the class by opcode."""
