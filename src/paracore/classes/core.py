# SPDX-License-Identifier: Apache-2.0
"""Device class core, number 0.

The channel: liveness, devices, buffers. Object 0.

Made by codegen from specs/paracore.toml; do not edit.
To make it again: make gen
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from struct import error as StructError  # noqa: N812
from typing import TYPE_CHECKING, ClassVar, NamedTuple, TypeAlias

from paracore.classes._common import BufferFlag, Error, Failure, Limit
from paracore.classes._payload import Kind, MessageType, malformed, name_octets, name_text, unsendable, zero

if TYPE_CHECKING:
    from typing import Self

    from typing_extensions import Buffer

__all__ = [
    "MESSAGES",
    "BufferAttach",
    "BufferAttachReply",
    "BufferDetach",
    "BufferDetachReply",
    "BufferFlag",
    "DeviceClass",
    "DeviceQuery",
    "DeviceQueryReply",
    "Error",
    "Event",
    "Failure",
    "Limit",
    "LimitsQuery",
    "LimitsQueryReply",
    "Ping",
    "PingReply",
    "PostFailed",
]


class DeviceClass(IntEnum):
    """What a device does."""

    VIDEO = 1
    """Video codec."""


class _PingFields(NamedTuple):
    """Fields of ``Ping``."""

    cookie: int
    """Any number."""


_PING = Struct("<Q")


class Ping(_PingFields):
    """``core.ping``: Answered by the worker's native loop, without the interpreter."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x0001
    NAME: ClassVar[str] = "ping"
    KIND: ClassVar[Kind] = Kind.CALL
    SIZE: ClassVar[int] = 8

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _PING.pack(self.cookie)
        except (StructError, ValueError) as error:
            raise unsendable("core.ping", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            (cookie,) = _PING.unpack(payload)
            return cls(cookie)
        except (StructError, ValueError) as error:
            raise malformed("core.ping", error) from None


class _PingReplyFields(NamedTuple):
    """Fields of ``PingReply``."""

    cookie: int
    """The same number."""


_PING_REPLY = Struct("<Q")


class PingReply(_PingReplyFields):
    """Reply to ``core.ping``."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x0001
    NAME: ClassVar[str] = "ping_reply"
    KIND: ClassVar[Kind] = Kind.REPLY
    SIZE: ClassVar[int] = 8

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _PING_REPLY.pack(self.cookie)
        except (StructError, ValueError) as error:
            raise unsendable("core.ping_reply", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            (cookie,) = _PING_REPLY.unpack(payload)
            return cls(cookie)
        except (StructError, ValueError) as error:
            raise malformed("core.ping_reply", error) from None


class _DeviceQueryFields(NamedTuple):
    """Fields of ``DeviceQuery``."""

    index: int  # type: ignore[assignment]  # tuple's own method
    """0, 1, ..."""


_DEVICE_QUERY = Struct("<II")


class DeviceQuery(_DeviceQueryFields):
    """``core.device_query``: Describes the device with this index; `no_entry` beyond the last."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x0002
    NAME: ClassVar[str] = "device_query"
    KIND: ClassVar[Kind] = Kind.CALL
    SIZE: ClassVar[int] = 8

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _DEVICE_QUERY.pack(self.index, 0)
        except (StructError, ValueError) as error:
            raise unsendable("core.device_query", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            index, reserved0 = _DEVICE_QUERY.unpack(payload)
            zero(reserved0)
            return cls(index)
        except (StructError, ValueError) as error:
            raise malformed("core.device_query", error) from None


class _DeviceQueryReplyFields(NamedTuple):
    """Fields of ``DeviceQueryReply``."""

    name: str
    """The device's name, UTF-8, zero-padded."""
    driver: str
    """The driver behind it."""
    device_class: DeviceClass
    """Its class."""
    capability_count: int
    """How many `video.capability_query` indices there are."""


_DEVICE_QUERY_REPLY = Struct("<32s32sII")


class DeviceQueryReply(_DeviceQueryReplyFields):
    """Reply to ``core.device_query``."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x0002
    NAME: ClassVar[str] = "device_query_reply"
    KIND: ClassVar[Kind] = Kind.REPLY
    SIZE: ClassVar[int] = 72

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _DEVICE_QUERY_REPLY.pack(
                name_octets(self.name, 32), name_octets(self.driver, 32), self.device_class, self.capability_count
            )
        except (StructError, ValueError) as error:
            raise unsendable("core.device_query_reply", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            name, driver, device_class, capability_count = _DEVICE_QUERY_REPLY.unpack(payload)
            return cls(name_text(name), name_text(driver), DeviceClass(device_class), capability_count)
        except (StructError, ValueError) as error:
            raise malformed("core.device_query_reply", error) from None


class _BufferAttachFields(NamedTuple):
    """Fields of ``BufferAttach``."""

    grant: int
    """What the transport named the granted pages."""
    flags: BufferFlag
    """Must repeat the grant's."""
    length: int
    """Octets; a multiple of `page_size`, at most `buffer_max` and at most what was granted."""


_BUFFER_ATTACH = Struct("<IIQ")


class BufferAttach(_BufferAttachFields):
    """``core.buffer_attach``: Maps granted pages once, for as long as the buffer is attached."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x0003
    NAME: ClassVar[str] = "buffer_attach"
    KIND: ClassVar[Kind] = Kind.CALL
    SIZE: ClassVar[int] = 16

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _BUFFER_ATTACH.pack(self.grant, self.flags, self.length)
        except (StructError, ValueError) as error:
            raise unsendable("core.buffer_attach", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            grant, flags, length = _BUFFER_ATTACH.unpack(payload)
            return cls(grant, BufferFlag(flags), length)
        except (StructError, ValueError) as error:
            raise malformed("core.buffer_attach", error) from None


class _BufferAttachReplyFields(NamedTuple):
    """Fields of ``BufferAttachReply``."""

    buffer: int
    """Names it in spans. Never 0."""


_BUFFER_ATTACH_REPLY = Struct("<II")


class BufferAttachReply(_BufferAttachReplyFields):
    """Reply to ``core.buffer_attach``."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x0003
    NAME: ClassVar[str] = "buffer_attach_reply"
    KIND: ClassVar[Kind] = Kind.REPLY
    SIZE: ClassVar[int] = 8

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _BUFFER_ATTACH_REPLY.pack(self.buffer, 0)
        except (StructError, ValueError) as error:
            raise unsendable("core.buffer_attach_reply", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            buffer, reserved0 = _BUFFER_ATTACH_REPLY.unpack(payload)
            zero(reserved0)
            return cls(buffer)
        except (StructError, ValueError) as error:
            raise malformed("core.buffer_attach_reply", error) from None


class _BufferDetachFields(NamedTuple):
    """Fields of ``BufferDetach``."""

    buffer: int
    """From `buffer_attach`."""


_BUFFER_DETACH = Struct("<II")


class BufferDetach(_BufferDetachFields):
    """``core.buffer_detach``: Unmaps a buffer; `busy` while a session holds a span of it, or its codec still
    reads a picture in it.
    """

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x0004
    NAME: ClassVar[str] = "buffer_detach"
    KIND: ClassVar[Kind] = Kind.CALL
    SIZE: ClassVar[int] = 8

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _BUFFER_DETACH.pack(self.buffer, 0)
        except (StructError, ValueError) as error:
            raise unsendable("core.buffer_detach", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            buffer, reserved0 = _BUFFER_DETACH.unpack(payload)
            zero(reserved0)
            return cls(buffer)
        except (StructError, ValueError) as error:
            raise malformed("core.buffer_detach", error) from None


class _BufferDetachReplyFields(NamedTuple):
    """No field of ``BufferDetachReply``."""


_BUFFER_DETACH_REPLY = Struct("<")


class BufferDetachReply(_BufferDetachReplyFields):
    """Reply to ``core.buffer_detach``."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x0004
    NAME: ClassVar[str] = "buffer_detach_reply"
    KIND: ClassVar[Kind] = Kind.REPLY
    SIZE: ClassVar[int] = 0

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _BUFFER_DETACH_REPLY.pack()
        except (StructError, ValueError) as error:
            raise unsendable("core.buffer_detach_reply", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            _BUFFER_DETACH_REPLY.unpack(payload)
            return cls()
        except (StructError, ValueError) as error:
            raise malformed("core.buffer_detach_reply", error) from None


class _LimitsQueryFields(NamedTuple):
    """No field of ``LimitsQuery``."""


_LIMITS_QUERY = Struct("<")


class LimitsQuery(_LimitsQueryFields):
    """``core.limits_query``: The limits of this domain, so that a frontend can refuse before the backend does."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x0005
    NAME: ClassVar[str] = "limits_query"
    KIND: ClassVar[Kind] = Kind.CALL
    SIZE: ClassVar[int] = 0

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _LIMITS_QUERY.pack()
        except (StructError, ValueError) as error:
            raise unsendable("core.limits_query", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            _LIMITS_QUERY.unpack(payload)
            return cls()
        except (StructError, ValueError) as error:
            raise malformed("core.limits_query", error) from None


class _LimitsQueryReplyFields(NamedTuple):
    """Fields of ``LimitsQueryReply``."""

    channels: int
    """Channels of the domain."""
    sessions: int
    """Sessions of the domain."""
    buffers: int
    """Buffers of the domain."""
    outstanding: int
    """Unanswered calls and queued buffers of a channel."""
    bytes: int
    """Octets granted by the domain."""


_LIMITS_QUERY_REPLY = Struct("<IIIIQ")


class LimitsQueryReply(_LimitsQueryReplyFields):
    """Reply to ``core.limits_query``."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x0005
    NAME: ClassVar[str] = "limits_query_reply"
    KIND: ClassVar[Kind] = Kind.REPLY
    SIZE: ClassVar[int] = 24

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _LIMITS_QUERY_REPLY.pack(self.channels, self.sessions, self.buffers, self.outstanding, self.bytes)
        except (StructError, ValueError) as error:
            raise unsendable("core.limits_query_reply", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            channels, sessions, buffers, outstanding, bytes = _LIMITS_QUERY_REPLY.unpack(payload)
            return cls(channels, sessions, buffers, outstanding, bytes)
        except (StructError, ValueError) as error:
            raise malformed("core.limits_query_reply", error) from None


class _PostFailedFields(NamedTuple):
    """Fields of ``PostFailed``."""

    serial: int
    """The post's."""
    opcode: int
    """The post's."""
    error: Error
    """Why."""
    limit: Limit
    """The limit, if it was one."""


_POST_FAILED = Struct("<IIII")


class PostFailed(_PostFailedFields):
    """``core.post_failed``: A post could not be served. The queued span, if it was one, is given back by this
    event.
    """

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x0006
    NAME: ClassVar[str] = "post_failed"
    KIND: ClassVar[Kind] = Kind.EVENT
    SIZE: ClassVar[int] = 16

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _POST_FAILED.pack(self.serial, self.opcode, self.error, self.limit)
        except (StructError, ValueError) as error:
            raise unsendable("core.post_failed", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            serial, opcode, error, limit = _POST_FAILED.unpack(payload)
            return cls(serial, opcode, Error(error), Limit(limit))
        except (StructError, ValueError) as error:
            raise malformed("core.post_failed", error) from None


Event: TypeAlias = PostFailed
"""What is said unasked."""

MESSAGES: dict[int, MessageType] = {
    0x0001: MessageType(0x0001, "ping", Kind.CALL, True, Ping, PingReply),
    0x0002: MessageType(0x0002, "device_query", Kind.CALL, False, DeviceQuery, DeviceQueryReply),
    0x0003: MessageType(0x0003, "buffer_attach", Kind.CALL, False, BufferAttach, BufferAttachReply),
    0x0004: MessageType(0x0004, "buffer_detach", Kind.CALL, False, BufferDetach, BufferDetachReply),
    0x0005: MessageType(0x0005, "limits_query", Kind.CALL, False, LimitsQuery, LimitsQueryReply),
    0x0006: MessageType(0x0006, "post_failed", Kind.EVENT, False, PostFailed, None),
}
"""Every message of the class by opcode."""
