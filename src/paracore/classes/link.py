# SPDX-License-Identifier: Apache-2.0
"""Device class link, number 112.

The descriptor protocol, on a SOCK_SEQPACKET Unix socket, never on a ring. One connection is one process's
channel and lives as long as it. Descriptors travel as SCM_RIGHTS.

Made by codegen from specs/paracore.toml; do not edit.
To make it again: make gen
"""

from __future__ import annotations

from struct import Struct
from struct import error as StructError  # noqa: N812
from typing import TYPE_CHECKING, ClassVar, NamedTuple, TypeAlias

from paracore.classes._common import BufferFlag, Error, Failure, Limit, Refusal
from paracore.classes._payload import (
    Kind,
    MessageType,
    malformed,
    name_octets,
    name_text,
    padded,
    tail,
    unsendable,
    zero,
)

if TYPE_CHECKING:
    from typing import Self

    from typing_extensions import Buffer

__all__ = [
    "MESSAGES",
    "BufferFlag",
    "ChannelOpen",
    "ChannelOpenReply",
    "Configure",
    "ConfigureReply",
    "Error",
    "Event",
    "Failure",
    "Goodbye",
    "Grant",
    "GrantReply",
    "Hello",
    "HelloReply",
    "Limit",
    "Refusal",
    "Revoke",
    "RevokeReply",
    "Status",
    "StatusReply",
    "Trace",
    "TraceReply",
]


class _HelloFields(NamedTuple):
    """Fields of ``Hello``."""

    version_min: int
    """Oldest protocol version spoken."""
    version_max: int
    """Newest."""


_HELLO = Struct("<II")


class Hello(_HelloFields):
    """``link.hello``: First message of a connection."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7001
    NAME: ClassVar[str] = "hello"
    KIND: ClassVar[Kind] = Kind.CALL
    SIZE: ClassVar[int] = 8

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _HELLO.pack(self.version_min, self.version_max)
        except (StructError, ValueError) as error:
            raise unsendable("link.hello", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            version_min, version_max = _HELLO.unpack(payload)
            return cls(version_min, version_max)
        except (StructError, ValueError) as error:
            raise malformed("link.hello", error) from None


class _HelloReplyFields(NamedTuple):
    """Fields of ``HelloReply``."""

    version: int
    """The newest both speak."""
    domain: str
    """The name the backend knows the domain by."""


_HELLO_REPLY = Struct("<II32s")


class HelloReply(_HelloReplyFields):
    """Reply to ``link.hello``."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7001
    NAME: ClassVar[str] = "hello_reply"
    KIND: ClassVar[Kind] = Kind.REPLY
    SIZE: ClassVar[int] = 40

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _HELLO_REPLY.pack(self.version, 0, name_octets(self.domain, 32))
        except (StructError, ValueError) as error:
            raise unsendable("link.hello_reply", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            version, reserved0, domain = _HELLO_REPLY.unpack(payload)
            zero(reserved0)
            return cls(version, name_text(domain))
        except (StructError, ValueError) as error:
            raise malformed("link.hello_reply", error) from None


class _ChannelOpenFields(NamedTuple):
    """Fields of ``ChannelOpen``."""

    ring_order: int
    """log2 of the ring pages wished for."""


_CHANNEL_OPEN = Struct("<II")


class ChannelOpen(_ChannelOpenFields):
    """``link.channel_open``: Opens the connection's channel. With the reply travel three descriptors: the
    interface page followed by the ring pages, the doorbell that the frontend writes, the doorbell it waits
    on.
    """

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7002
    NAME: ClassVar[str] = "channel_open"
    KIND: ClassVar[Kind] = Kind.CALL
    SIZE: ClassVar[int] = 8

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _CHANNEL_OPEN.pack(self.ring_order, 0)
        except (StructError, ValueError) as error:
            raise unsendable("link.channel_open", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            ring_order, reserved0 = _CHANNEL_OPEN.unpack(payload)
            zero(reserved0)
            return cls(ring_order)
        except (StructError, ValueError) as error:
            raise malformed("link.channel_open", error) from None


class _ChannelOpenReplyFields(NamedTuple):
    """Fields of ``ChannelOpenReply``."""

    channel: int
    """For logs."""
    ring_order: int
    """log2 of the ring pages given."""
    port: int
    """The event channel's port, for both doorbells; 0 when they are eventfds."""


_CHANNEL_OPEN_REPLY = Struct("<IIII")


class ChannelOpenReply(_ChannelOpenReplyFields):
    """Reply to ``link.channel_open``."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7002
    NAME: ClassVar[str] = "channel_open_reply"
    KIND: ClassVar[Kind] = Kind.REPLY
    SIZE: ClassVar[int] = 16

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _CHANNEL_OPEN_REPLY.pack(self.channel, self.ring_order, self.port, 0)
        except (StructError, ValueError) as error:
            raise unsendable("link.channel_open_reply", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            channel, ring_order, port, reserved0 = _CHANNEL_OPEN_REPLY.unpack(payload)
            zero(reserved0)
            return cls(channel, ring_order, port)
        except (StructError, ValueError) as error:
            raise malformed("link.channel_open_reply", error) from None


class _GrantFields(NamedTuple):
    """Fields of ``Grant``."""

    length: int
    """Octets; a multiple of `page_size`."""
    flags: BufferFlag
    """What the backend may do with them."""


_GRANT = Struct("<QII")


class Grant(_GrantFields):
    """``link.grant``: Allocates pages and grants them to the backend. With the reply travels their descriptor."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7003
    NAME: ClassVar[str] = "grant"
    KIND: ClassVar[Kind] = Kind.CALL
    SIZE: ClassVar[int] = 16

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _GRANT.pack(self.length, self.flags, 0)
        except (StructError, ValueError) as error:
            raise unsendable("link.grant", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            length, flags, reserved0 = _GRANT.unpack(payload)
            zero(reserved0)
            return cls(length, BufferFlag(flags))
        except (StructError, ValueError) as error:
            raise malformed("link.grant", error) from None


class _GrantReplyFields(NamedTuple):
    """Fields of ``GrantReply``."""

    grant: int
    """Names the pages in `core.buffer_attach`. Never 0."""


_GRANT_REPLY = Struct("<II")


class GrantReply(_GrantReplyFields):
    """Reply to ``link.grant``."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7003
    NAME: ClassVar[str] = "grant_reply"
    KIND: ClassVar[Kind] = Kind.REPLY
    SIZE: ClassVar[int] = 8

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _GRANT_REPLY.pack(self.grant, 0)
        except (StructError, ValueError) as error:
            raise unsendable("link.grant_reply", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            grant, reserved0 = _GRANT_REPLY.unpack(payload)
            zero(reserved0)
            return cls(grant)
        except (StructError, ValueError) as error:
            raise malformed("link.grant_reply", error) from None


class _RevokeFields(NamedTuple):
    """Fields of ``Revoke``."""

    grant: int
    """From `grant`."""


_REVOKE = Struct("<II")


class Revoke(_RevokeFields):
    """``link.revoke``: Takes a grant back; `busy` while the backend has it mapped."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7004
    NAME: ClassVar[str] = "revoke"
    KIND: ClassVar[Kind] = Kind.CALL
    SIZE: ClassVar[int] = 8

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _REVOKE.pack(self.grant, 0)
        except (StructError, ValueError) as error:
            raise unsendable("link.revoke", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            grant, reserved0 = _REVOKE.unpack(payload)
            zero(reserved0)
            return cls(grant)
        except (StructError, ValueError) as error:
            raise malformed("link.revoke", error) from None


class _RevokeReplyFields(NamedTuple):
    """No field of ``RevokeReply``."""


_REVOKE_REPLY = Struct("<")


class RevokeReply(_RevokeReplyFields):
    """Reply to ``link.revoke``."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7004
    NAME: ClassVar[str] = "revoke_reply"
    KIND: ClassVar[Kind] = Kind.REPLY
    SIZE: ClassVar[int] = 0

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _REVOKE_REPLY.pack()
        except (StructError, ValueError) as error:
            raise unsendable("link.revoke_reply", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            _REVOKE_REPLY.unpack(payload)
            return cls()
        except (StructError, ValueError) as error:
            raise malformed("link.revoke_reply", error) from None


class _StatusFields(NamedTuple):
    """No field of ``Status``."""


_STATUS = Struct("<")


class Status(_StatusFields):
    """``link.status``: The backend's state for an administrator (root or the backend's own user); others get
    `permission`. With the reply travels a descriptor of a JSON text.
    """

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7005
    NAME: ClassVar[str] = "status"
    KIND: ClassVar[Kind] = Kind.CALL
    SIZE: ClassVar[int] = 0

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _STATUS.pack()
        except (StructError, ValueError) as error:
            raise unsendable("link.status", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            _STATUS.unpack(payload)
            return cls()
        except (StructError, ValueError) as error:
            raise malformed("link.status", error) from None


class _StatusReplyFields(NamedTuple):
    """Fields of ``StatusReply``."""

    length: int
    """Octets of the text."""


_STATUS_REPLY = Struct("<Q")


class StatusReply(_StatusReplyFields):
    """Reply to ``link.status``."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7005
    NAME: ClassVar[str] = "status_reply"
    KIND: ClassVar[Kind] = Kind.REPLY
    SIZE: ClassVar[int] = 8

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _STATUS_REPLY.pack(self.length)
        except (StructError, ValueError) as error:
            raise unsendable("link.status_reply", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            (length,) = _STATUS_REPLY.unpack(payload)
            return cls(length)
        except (StructError, ValueError) as error:
            raise malformed("link.status_reply", error) from None


class _GoodbyeFields(NamedTuple):
    """Fields of ``Goodbye``."""

    reason: Refusal
    """Why."""
    limit: Limit
    """With `limit`: which."""


_GOODBYE = Struct("<II")


class Goodbye(_GoodbyeFields):
    """``link.goodbye``: The other side is about to close the connection, and why."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7006
    NAME: ClassVar[str] = "goodbye"
    KIND: ClassVar[Kind] = Kind.EVENT
    SIZE: ClassVar[int] = 8

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _GOODBYE.pack(self.reason, self.limit)
        except (StructError, ValueError) as error:
            raise unsendable("link.goodbye", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            reason, limit = _GOODBYE.unpack(payload)
            return cls(Refusal(reason), Limit(limit))
        except (StructError, ValueError) as error:
            raise malformed("link.goodbye", error) from None


class _ConfigureFields(NamedTuple):
    """Fields of ``Configure``."""

    text: bytes
    """JSON, UTF-8."""


_CONFIGURE = Struct("<II")


class Configure(_ConfigureFields):
    """``link.configure``: Changes settings of devices and domains while both are used, for an administrator;
    others get `permission`. The text is a JSON object, `{"device": {NAME: {SETTING: VALUE}}, "domain": {NAME:
    {SETTING: VALUE}}}`, with settings of the configuration. All of it is done, or nothing and the reply says
    why.
    """

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7007
    NAME: ClassVar[str] = "configure"
    KIND: ClassVar[Kind] = Kind.CALL
    SIZE: ClassVar[int] = 8

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _CONFIGURE.pack(len(self.text), 0) + padded(self.text, 4072)
        except (StructError, ValueError) as error:
            raise unsendable("link.configure", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            length, reserved0 = _CONFIGURE.unpack_from(payload)
            zero(reserved0)
            return cls(tail(payload, 8, length))
        except (StructError, ValueError) as error:
            raise malformed("link.configure", error) from None


class _ConfigureReplyFields(NamedTuple):
    """Fields of ``ConfigureReply``."""

    text: bytes
    """What is wrong, one line for a person, UTF-8."""


_CONFIGURE_REPLY = Struct("<II")


class ConfigureReply(_ConfigureReplyFields):
    """Reply to ``link.configure``."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7007
    NAME: ClassVar[str] = "configure_reply"
    KIND: ClassVar[Kind] = Kind.REPLY
    SIZE: ClassVar[int] = 8

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _CONFIGURE_REPLY.pack(len(self.text), 0) + padded(self.text, 4072)
        except (StructError, ValueError) as error:
            raise unsendable("link.configure_reply", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            length, reserved0 = _CONFIGURE_REPLY.unpack_from(payload)
            zero(reserved0)
            return cls(tail(payload, 8, length))
        except (StructError, ValueError) as error:
            raise malformed("link.configure_reply", error) from None


class _TraceFields(NamedTuple):
    """Fields of ``Trace``."""

    domain: str
    """Its name; empty: the caller's own."""


_TRACE = Struct("<32s")


class Trace(_TraceFields):
    """``link.trace``: Traces a domain's sessions for as long as this connection lives, see trace.md: an
    administrator any domain's, others their own; to all else the answer is `permission`. With the reply
    travels a descriptor of the trace's memory, for reading. `busy` when this connection traces it already.
    """

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7010
    NAME: ClassVar[str] = "trace"
    KIND: ClassVar[Kind] = Kind.CALL
    SIZE: ClassVar[int] = 32

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _TRACE.pack(name_octets(self.domain, 32))
        except (StructError, ValueError) as error:
            raise unsendable("link.trace", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            (domain,) = _TRACE.unpack(payload)
            return cls(name_text(domain))
        except (StructError, ValueError) as error:
            raise malformed("link.trace", error) from None


class _TraceReplyFields(NamedTuple):
    """Fields of ``TraceReply``."""

    records: int
    """`trace_records`."""
    domain: str
    """Its name."""


_TRACE_REPLY = Struct("<II32s")


class TraceReply(_TraceReplyFields):
    """Reply to ``link.trace``."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7010
    NAME: ClassVar[str] = "trace_reply"
    KIND: ClassVar[Kind] = Kind.REPLY
    SIZE: ClassVar[int] = 40

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _TRACE_REPLY.pack(self.records, 0, name_octets(self.domain, 32))
        except (StructError, ValueError) as error:
            raise unsendable("link.trace_reply", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            records, reserved0, domain = _TRACE_REPLY.unpack(payload)
            zero(reserved0)
            return cls(records, name_text(domain))
        except (StructError, ValueError) as error:
            raise malformed("link.trace_reply", error) from None


Event: TypeAlias = Goodbye
"""What is said unasked."""

MESSAGES: dict[int, MessageType] = {
    0x7001: MessageType(0x7001, "hello", Kind.CALL, False, Hello, HelloReply),
    0x7002: MessageType(0x7002, "channel_open", Kind.CALL, False, ChannelOpen, ChannelOpenReply),
    0x7003: MessageType(0x7003, "grant", Kind.CALL, False, Grant, GrantReply),
    0x7004: MessageType(0x7004, "revoke", Kind.CALL, False, Revoke, RevokeReply),
    0x7005: MessageType(0x7005, "status", Kind.CALL, False, Status, StatusReply),
    0x7006: MessageType(0x7006, "goodbye", Kind.EVENT, False, Goodbye, None),
    0x7007: MessageType(0x7007, "configure", Kind.CALL, False, Configure, ConfigureReply),
    0x7010: MessageType(0x7010, "trace", Kind.CALL, False, Trace, TraceReply),
}
"""Every message of the class by opcode."""
