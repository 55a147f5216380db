# SPDX-License-Identifier: Apache-2.0
"""Device class worker, number 113.

Between the supervisor and one worker, on a SOCK_SEQPACKET socket pair. Neither side trusts the other: the
worker may have been taken over by its domain.

Made by codegen from specs/paracore.toml; do not edit.
To make it again: make gen
"""

from __future__ import annotations

from struct import Struct
from struct import error as StructError  # noqa: N812
from typing import TYPE_CHECKING, ClassVar, NamedTuple, TypeAlias

from paracore.classes._common import BufferFlag, Error, Failure, Limit
from paracore.classes._payload import Kind, MessageType, malformed, padded, tail, unsendable, zero

if TYPE_CHECKING:
    from typing import Self

    from typing_extensions import Buffer

__all__ = [
    "MESSAGES",
    "BufferFlag",
    "ChannelAdd",
    "ChannelRemove",
    "ChannelRemoved",
    "Counted",
    "DeviceAt",
    "DeviceHang",
    "DeviceLease",
    "DevicePace",
    "DeviceRelease",
    "DeviceReset",
    "DeviceRest",
    "DeviceUse",
    "DeviceUsed",
    "DeviceWant",
    "Drain",
    "Drained",
    "Error",
    "Event",
    "Failure",
    "Limit",
    "Map",
    "MapReply",
    "Rates",
    "RatesOwed",
    "Report",
    "ReportReply",
    "Reserve",
    "ReserveReply",
    "Trace",
    "Unmap",
    "Violation",
]


class _ChannelAddFields(NamedTuple):
    """Fields of ``ChannelAdd``."""

    channel: int
    """Its number."""
    ring_order: int
    """log2 of the ring pages."""
    port: int
    """The event channel's port, for both doorbells; 0 when they are eventfds."""


_CHANNEL_ADD = Struct("<IIII")


class ChannelAdd(_ChannelAddFields):
    """``worker.channel_add``: To the worker, with three descriptors: shared pages, doorbell to wait on, doorbell
    to write.
    """

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7101
    NAME: ClassVar[str] = "channel_add"
    KIND: ClassVar[Kind] = Kind.EVENT
    SIZE: ClassVar[int] = 16

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _CHANNEL_ADD.pack(self.channel, self.ring_order, self.port, 0)
        except (StructError, ValueError) as error:
            raise unsendable("worker.channel_add", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            channel, ring_order, port, reserved0 = _CHANNEL_ADD.unpack(payload)
            zero(reserved0)
            return cls(channel, ring_order, port)
        except (StructError, ValueError) as error:
            raise malformed("worker.channel_add", error) from None


class _ChannelRemoveFields(NamedTuple):
    """Fields of ``ChannelRemove``."""

    channel: int
    """Its number."""


_CHANNEL_REMOVE = Struct("<II")


class ChannelRemove(_ChannelRemoveFields):
    """``worker.channel_remove``: To the worker: the process has gone; close its sessions and unmap its buffers."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7102
    NAME: ClassVar[str] = "channel_remove"
    KIND: ClassVar[Kind] = Kind.EVENT
    SIZE: ClassVar[int] = 8

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _CHANNEL_REMOVE.pack(self.channel, 0)
        except (StructError, ValueError) as error:
            raise unsendable("worker.channel_remove", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            channel, reserved0 = _CHANNEL_REMOVE.unpack(payload)
            zero(reserved0)
            return cls(channel)
        except (StructError, ValueError) as error:
            raise malformed("worker.channel_remove", error) from None


class _MapFields(NamedTuple):
    """Fields of ``Map``."""

    channel: int
    """Whose grant."""
    grant: int
    """Which."""
    length: int
    """Octets."""
    flags: BufferFlag
    """As the domain said."""


_MAP = Struct("<IIQII")


class Map(_MapFields):
    """``worker.map``: From the worker: please map this grant of that channel. With the reply travels a
    descriptor.
    """

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7103
    NAME: ClassVar[str] = "map"
    KIND: ClassVar[Kind] = Kind.CALL
    SIZE: ClassVar[int] = 24

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _MAP.pack(self.channel, self.grant, self.length, self.flags, 0)
        except (StructError, ValueError) as error:
            raise unsendable("worker.map", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            channel, grant, length, flags, reserved0 = _MAP.unpack(payload)
            zero(reserved0)
            return cls(channel, grant, length, BufferFlag(flags))
        except (StructError, ValueError) as error:
            raise malformed("worker.map", error) from None


class _MapReplyFields(NamedTuple):
    """No field of ``MapReply``."""


_MAP_REPLY = Struct("<")


class MapReply(_MapReplyFields):
    """Reply to ``worker.map``."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7103
    NAME: ClassVar[str] = "map_reply"
    KIND: ClassVar[Kind] = Kind.REPLY
    SIZE: ClassVar[int] = 0

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _MAP_REPLY.pack()
        except (StructError, ValueError) as error:
            raise unsendable("worker.map_reply", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            _MAP_REPLY.unpack(payload)
            return cls()
        except (StructError, ValueError) as error:
            raise malformed("worker.map_reply", error) from None


class _UnmapFields(NamedTuple):
    """Fields of ``Unmap``."""

    channel: int
    """Whose grant."""
    grant: int
    """Which."""


_UNMAP = Struct("<II")


class Unmap(_UnmapFields):
    """``worker.unmap``: From the worker: this grant is no longer mapped."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7104
    NAME: ClassVar[str] = "unmap"
    KIND: ClassVar[Kind] = Kind.EVENT
    SIZE: ClassVar[int] = 8

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _UNMAP.pack(self.channel, self.grant)
        except (StructError, ValueError) as error:
            raise unsendable("worker.unmap", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            channel, grant = _UNMAP.unpack(payload)
            return cls(channel, grant)
        except (StructError, ValueError) as error:
            raise malformed("worker.unmap", error) from None


class _ViolationFields(NamedTuple):
    """Fields of ``Violation``."""

    channel: int
    """Whose."""
    text: bytes
    """For the log, UTF-8."""


_VIOLATION = Struct("<II")


class Violation(_ViolationFields):
    """``worker.violation``: From the worker: this channel broke the protocol and is closed."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7105
    NAME: ClassVar[str] = "violation"
    KIND: ClassVar[Kind] = Kind.EVENT
    SIZE: ClassVar[int] = 8

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _VIOLATION.pack(self.channel, len(self.text)) + padded(self.text, 4072)
        except (StructError, ValueError) as error:
            raise unsendable("worker.violation", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            channel, length = _VIOLATION.unpack_from(payload)
            return cls(channel, tail(payload, 8, length))
        except (StructError, ValueError) as error:
            raise malformed("worker.violation", error) from None


class _ReportFields(NamedTuple):
    """No field of ``Report``."""


_REPORT = Struct("<")


class Report(_ReportFields):
    """``worker.report``: To the worker, with the write end of a pipe: say what you hold. The worker writes a
    JSON text into it, at most 64 KiB, closes it and replies. Sessions for which that is too little are left
    out; the text says how many.
    """

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7106
    NAME: ClassVar[str] = "report"
    KIND: ClassVar[Kind] = Kind.CALL
    SIZE: ClassVar[int] = 0

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _REPORT.pack()
        except (StructError, ValueError) as error:
            raise unsendable("worker.report", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            _REPORT.unpack(payload)
            return cls()
        except (StructError, ValueError) as error:
            raise malformed("worker.report", error) from None


class _ReportReplyFields(NamedTuple):
    """Fields of ``ReportReply``."""

    length: int
    """Octets of the text."""


_REPORT_REPLY = Struct("<Q")


class ReportReply(_ReportReplyFields):
    """Reply to ``worker.report``."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7106
    NAME: ClassVar[str] = "report_reply"
    KIND: ClassVar[Kind] = Kind.REPLY
    SIZE: ClassVar[int] = 8

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _REPORT_REPLY.pack(self.length)
        except (StructError, ValueError) as error:
            raise unsendable("worker.report_reply", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            (length,) = _REPORT_REPLY.unpack(payload)
            return cls(length)
        except (StructError, ValueError) as error:
            raise malformed("worker.report_reply", error) from None


class _ChannelRemovedFields(NamedTuple):
    """Fields of ``ChannelRemoved``."""

    channel: int
    """Its number."""


_CHANNEL_REMOVED = Struct("<II")


class ChannelRemoved(_ChannelRemovedFields):
    """``worker.channel_removed``: From the worker: all that the channel held is closed and unmapped."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7107
    NAME: ClassVar[str] = "channel_removed"
    KIND: ClassVar[Kind] = Kind.EVENT
    SIZE: ClassVar[int] = 8

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _CHANNEL_REMOVED.pack(self.channel, 0)
        except (StructError, ValueError) as error:
            raise unsendable("worker.channel_removed", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            channel, reserved0 = _CHANNEL_REMOVED.unpack(payload)
            zero(reserved0)
            return cls(channel)
        except (StructError, ValueError) as error:
            raise malformed("worker.channel_removed", error) from None


class _DeviceWantFields(NamedTuple):
    """Fields of ``DeviceWant``."""

    device: int
    """Its index, as the domain has it."""


_DEVICE_WANT = Struct("<II")


class DeviceWant(_DeviceWantFields):
    """``worker.device_want``: From the worker: there is work for this device, and no lease of its time."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7108
    NAME: ClassVar[str] = "device_want"
    KIND: ClassVar[Kind] = Kind.EVENT
    SIZE: ClassVar[int] = 8

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _DEVICE_WANT.pack(self.device, 0)
        except (StructError, ValueError) as error:
            raise unsendable("worker.device_want", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            device, reserved0 = _DEVICE_WANT.unpack(payload)
            zero(reserved0)
            return cls(device)
        except (StructError, ValueError) as error:
            raise malformed("worker.device_want", error) from None


class _DeviceLeaseFields(NamedTuple):
    """Fields of ``DeviceLease``."""

    device: int
    """Its index."""
    lease: int
    """Its number; it differs from that of the lease before."""
    budget: int
    """Nanoseconds of device time from now, to the end of a unit of work; 2^63 - 1: until another message; 0: to
    the end of this unit.
    """


_DEVICE_LEASE = Struct("<IIQ")


class DeviceLease(_DeviceLeaseFields):
    """``worker.device_lease``: To the worker: it may use the device's time. With a number that it has, the lease
    of this number is changed; if it was given back meanwhile the message is void.
    """

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7109
    NAME: ClassVar[str] = "device_lease"
    KIND: ClassVar[Kind] = Kind.EVENT
    SIZE: ClassVar[int] = 16

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _DEVICE_LEASE.pack(self.device, self.lease, self.budget)
        except (StructError, ValueError) as error:
            raise unsendable("worker.device_lease", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            device, lease, budget = _DEVICE_LEASE.unpack(payload)
            return cls(device, lease, budget)
        except (StructError, ValueError) as error:
            raise malformed("worker.device_lease", error) from None


class _DeviceReleaseFields(NamedTuple):
    """Fields of ``DeviceRelease``."""

    device: int
    """Its index."""
    lease: int
    """Its number."""
    wants: int
    """1: there is work for another lease."""


_DEVICE_RELEASE = Struct("<IIII")


class DeviceRelease(_DeviceReleaseFields):
    """``worker.device_release``: From the worker: the lease is used up, or there is no work and the lease has an
    end.
    """

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x710A
    NAME: ClassVar[str] = "device_release"
    KIND: ClassVar[Kind] = Kind.EVENT
    SIZE: ClassVar[int] = 16

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _DEVICE_RELEASE.pack(self.device, self.lease, self.wants, 0)
        except (StructError, ValueError) as error:
            raise unsendable("worker.device_release", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            device, lease, wants, reserved0 = _DEVICE_RELEASE.unpack(payload)
            zero(reserved0)
            return cls(device, lease, wants)
        except (StructError, ValueError) as error:
            raise malformed("worker.device_release", error) from None


class _DeviceHangFields(NamedTuple):
    """Fields of ``DeviceHang``."""

    device: int
    """Its index."""
    stuck: int
    """1: the job cannot be stopped but by the end of this worker; 0: it has been stopped."""


_DEVICE_HANG = Struct("<II")


class DeviceHang(_DeviceHangFields):
    """``worker.device_hang``: From the worker: a driver was at one job for longer than the device's deadline,
    and the session has failed with `timed_out`.
    """

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x710B
    NAME: ClassVar[str] = "device_hang"
    KIND: ClassVar[Kind] = Kind.EVENT
    SIZE: ClassVar[int] = 8

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _DEVICE_HANG.pack(self.device, self.stuck)
        except (StructError, ValueError) as error:
            raise unsendable("worker.device_hang", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            device, stuck = _DEVICE_HANG.unpack(payload)
            return cls(device, stuck)
        except (StructError, ValueError) as error:
            raise malformed("worker.device_hang", error) from None


class _DeviceResetFields(NamedTuple):
    """Fields of ``DeviceReset``."""

    device: int
    """Its index."""


_DEVICE_RESET = Struct("<II")


class DeviceReset(_DeviceResetFields):
    """``worker.device_reset``: To the worker: the device hangs again and again; reset it, and carry its sessions
    over. A worker whose driver cannot do that ends, if it has any.
    """

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x710C
    NAME: ClassVar[str] = "device_reset"
    KIND: ClassVar[Kind] = Kind.EVENT
    SIZE: ClassVar[int] = 8

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _DEVICE_RESET.pack(self.device, 0)
        except (StructError, ValueError) as error:
            raise unsendable("worker.device_reset", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            device, reserved0 = _DEVICE_RESET.unpack(payload)
            zero(reserved0)
            return cls(device)
        except (StructError, ValueError) as error:
            raise malformed("worker.device_reset", error) from None


class _DeviceUseFields(NamedTuple):
    """Fields of ``DeviceUse``."""

    device: int
    """Its index."""
    used: int
    """1: a session is open; 0: none is."""


_DEVICE_USE = Struct("<II")


class DeviceUse(_DeviceUseFields):
    """``worker.device_use``: From the worker: the first session of this device has been opened, or the last one
    has ended.
    """

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x710D
    NAME: ClassVar[str] = "device_use"
    KIND: ClassVar[Kind] = Kind.EVENT
    SIZE: ClassVar[int] = 8

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _DEVICE_USE.pack(self.device, self.used)
        except (StructError, ValueError) as error:
            raise unsendable("worker.device_use", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            device, used = _DEVICE_USE.unpack(payload)
            return cls(device, used)
        except (StructError, ValueError) as error:
            raise malformed("worker.device_use", error) from None


class _DeviceRestFields(NamedTuple):
    """Fields of ``DeviceRest``."""

    device: int
    """Its index."""


_DEVICE_REST = Struct("<II")


class DeviceRest(_DeviceRestFields):
    """``worker.device_rest``: To the worker: no domain has had a session of this device for a while; its driver
    is to let go of what it keeps.
    """

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x710E
    NAME: ClassVar[str] = "device_rest"
    KIND: ClassVar[Kind] = Kind.EVENT
    SIZE: ClassVar[int] = 8

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _DEVICE_REST.pack(self.device, 0)
        except (StructError, ValueError) as error:
            raise unsendable("worker.device_rest", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            device, reserved0 = _DEVICE_REST.unpack(payload)
            zero(reserved0)
            return cls(device)
        except (StructError, ValueError) as error:
            raise malformed("worker.device_rest", error) from None


class _DeviceAtFields(NamedTuple):
    """Fields of ``DeviceAt``."""

    device: int
    """Its index."""


_DEVICE_AT = Struct("<II")


class DeviceAt(_DeviceAtFields):
    """``worker.device_at``: From the worker: from now on it calls this device's driver where that may not come
    back. Said before the call, and again before one of another device: when the kernel ends the worker for
    it, nobody else knows which device it was.
    """

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x710F
    NAME: ClassVar[str] = "device_at"
    KIND: ClassVar[Kind] = Kind.EVENT
    SIZE: ClassVar[int] = 8

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _DEVICE_AT.pack(self.device, 0)
        except (StructError, ValueError) as error:
            raise unsendable("worker.device_at", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            device, reserved0 = _DEVICE_AT.unpack(payload)
            zero(reserved0)
            return cls(device)
        except (StructError, ValueError) as error:
            raise malformed("worker.device_at", error) from None


class _ReserveFields(NamedTuple):
    """Fields of ``Reserve``."""

    device: int
    """Its index, as the domain has it."""
    session: int
    """Its number, which the worker gives to no other."""
    rate: int
    """Samples a second; 0: it needs nothing any more."""


_RESERVE = Struct("<IIQ")


class Reserve(_ReserveFields):
    """``worker.reserve``: From the worker: a session is going to need so much of a device, instead of what it
    has reserved before. Fails with `no_space` and `pixel_rate` when the device or the domain has not so much
    left; then it keeps what it had.
    """

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7110
    NAME: ClassVar[str] = "reserve"
    KIND: ClassVar[Kind] = Kind.CALL
    SIZE: ClassVar[int] = 16

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _RESERVE.pack(self.device, self.session, self.rate)
        except (StructError, ValueError) as error:
            raise unsendable("worker.reserve", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            device, session, rate = _RESERVE.unpack(payload)
            return cls(device, session, rate)
        except (StructError, ValueError) as error:
            raise malformed("worker.reserve", error) from None


class _ReserveReplyFields(NamedTuple):
    """No field of ``ReserveReply``."""


_RESERVE_REPLY = Struct("<")


class ReserveReply(_ReserveReplyFields):
    """Reply to ``worker.reserve``."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7110
    NAME: ClassVar[str] = "reserve_reply"
    KIND: ClassVar[Kind] = Kind.REPLY
    SIZE: ClassVar[int] = 0

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _RESERVE_REPLY.pack()
        except (StructError, ValueError) as error:
            raise unsendable("worker.reserve_reply", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            _RESERVE_REPLY.unpack(payload)
            return cls()
        except (StructError, ValueError) as error:
            raise malformed("worker.reserve_reply", error) from None


class _DevicePaceFields(NamedTuple):
    """Fields of ``DevicePace``."""

    device: int
    """Its index."""
    period: int
    """Nanoseconds; 0: no session declares a rate."""


_DEVICE_PACE = Struct("<IIQ")


class DevicePace(_DevicePaceFields):
    """``worker.device_pace``: From the worker: how soon one picture follows another, of the session of this
    device that declares the highest rate.
    """

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7111
    NAME: ClassVar[str] = "device_pace"
    KIND: ClassVar[Kind] = Kind.EVENT
    SIZE: ClassVar[int] = 16

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _DEVICE_PACE.pack(self.device, 0, self.period)
        except (StructError, ValueError) as error:
            raise unsendable("worker.device_pace", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            device, reserved0, period = _DEVICE_PACE.unpack(payload)
            zero(reserved0)
            return cls(device, period)
        except (StructError, ValueError) as error:
            raise malformed("worker.device_pace", error) from None


class _DrainFields(NamedTuple):
    """No field of ``Drain``."""


_DRAIN = Struct("<")


class Drain(_DrainFields):
    """``worker.drain``: To the worker: its domain is being detached. No more inputs go to the drivers; what they
    have is given out as after `video.drain`.
    """

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7118
    NAME: ClassVar[str] = "drain"
    KIND: ClassVar[Kind] = Kind.EVENT
    SIZE: ClassVar[int] = 0

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _DRAIN.pack()
        except (StructError, ValueError) as error:
            raise unsendable("worker.drain", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            _DRAIN.unpack(payload)
            return cls()
        except (StructError, ValueError) as error:
            raise malformed("worker.drain", error) from None


class _DrainedFields(NamedTuple):
    """No field of ``Drained``."""


_DRAINED = Struct("<")


class Drained(_DrainedFields):
    """``worker.drained``: From the worker: all that was queued when it was told to drain has been given out."""

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7119
    NAME: ClassVar[str] = "drained"
    KIND: ClassVar[Kind] = Kind.EVENT
    SIZE: ClassVar[int] = 0

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _DRAINED.pack()
        except (StructError, ValueError) as error:
            raise unsendable("worker.drained", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            _DRAINED.unpack(payload)
            return cls()
        except (StructError, ValueError) as error:
            raise malformed("worker.drained", error) from None


class _TraceFields(NamedTuple):
    """Fields of ``Trace``."""

    on: int
    """1: record; 0: stop."""


_TRACE = Struct("<II")


class Trace(_TraceFields):
    """``worker.trace``: To the worker, with the descriptor of the trace's memory when `on` is 1: record what
    happens there, or stop. A worker gets the same memory each time.
    """

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7120
    NAME: ClassVar[str] = "trace"
    KIND: ClassVar[Kind] = Kind.EVENT
    SIZE: ClassVar[int] = 8

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _TRACE.pack(self.on, 0)
        except (StructError, ValueError) as error:
            raise unsendable("worker.trace", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            on, reserved0 = _TRACE.unpack(payload)
            zero(reserved0)
            return cls(on)
        except (StructError, ValueError) as error:
            raise malformed("worker.trace", error) from None


class _DeviceUsedFields(NamedTuple):
    """Fields of ``DeviceUsed``."""

    device: int
    """Its index, as the domain has it."""
    used: int
    """Nanoseconds."""


_DEVICE_USED = Struct("<IIQ")


class DeviceUsed(_DeviceUsedFields):
    """``worker.device_used``: From the worker: so much of a device's time has been used since it said so last.
    Not of a device whose time is the processor's, which the kernel counts.
    """

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7130
    NAME: ClassVar[str] = "device_used"
    KIND: ClassVar[Kind] = Kind.EVENT
    SIZE: ClassVar[int] = 16

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _DEVICE_USED.pack(self.device, 0, self.used)
        except (StructError, ValueError) as error:
            raise unsendable("worker.device_used", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            device, reserved0, used = _DEVICE_USED.unpack(payload)
            zero(reserved0)
            return cls(device, used)
        except (StructError, ValueError) as error:
            raise malformed("worker.device_used", error) from None


class _RatesFields(NamedTuple):
    """Fields of ``Rates``."""

    pictures_per_second: int
    """In the long run; 0: as many as there are."""
    pictures_burst: int
    """At once, after a rest."""
    macroblocks_per_second: int
    """In the long run; 0: as many as there are."""
    macroblocks_burst: int
    """At once, after a rest."""


_RATES = Struct("<QQQQ")


class Rates(_RatesFields):
    """``worker.rates``: To the worker: how fast its domain may give work to the drivers from now on. All in
    thousandths, of pictures and of macroblocks.
    """

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7131
    NAME: ClassVar[str] = "rates"
    KIND: ClassVar[Kind] = Kind.EVENT
    SIZE: ClassVar[int] = 32

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _RATES.pack(
                self.pictures_per_second, self.pictures_burst, self.macroblocks_per_second, self.macroblocks_burst
            )
        except (StructError, ValueError) as error:
            raise unsendable("worker.rates", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            pictures_per_second, pictures_burst, macroblocks_per_second, macroblocks_burst = _RATES.unpack(payload)
            return cls(pictures_per_second, pictures_burst, macroblocks_per_second, macroblocks_burst)
        except (StructError, ValueError) as error:
            raise malformed("worker.rates", error) from None


class _RatesOwedFields(NamedTuple):
    """Fields of ``RatesOwed``."""

    pictures: int
    """0: none."""
    macroblocks: int
    """0: none."""


_RATES_OWED = Struct("<QQ")


class RatesOwed(_RatesOwedFields):
    """``worker.rates_owed``: From the worker: so much more has been let go by now than those rates give, in
    thousandths as well. It is told when it has become more, or less, than time alone makes of what was told
    before: the domain's next worker begins with what is left of it.
    """

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7132
    NAME: ClassVar[str] = "rates_owed"
    KIND: ClassVar[Kind] = Kind.EVENT
    SIZE: ClassVar[int] = 16

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _RATES_OWED.pack(self.pictures, self.macroblocks)
        except (StructError, ValueError) as error:
            raise unsendable("worker.rates_owed", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            pictures, macroblocks = _RATES_OWED.unpack(payload)
            return cls(pictures, macroblocks)
        except (StructError, ValueError) as error:
            raise malformed("worker.rates_owed", error) from None


class _CountedFields(NamedTuple):
    """Fields of ``Counted``."""

    calls: int
    """Calls and posts."""
    refused: int
    """Of these, those that were refused."""
    events: int
    """Told to the domain."""
    sessions: int
    """Opened."""
    sessions_failed: int
    """Ended with an error."""
    hangs: int
    """Jobs that were not done by their deadline."""
    inputs: int
    """Given back."""
    outputs: int
    """Given back."""
    errors: int
    """Inputs given back with an error, other than that they were cancelled."""
    octets_in: int
    """Of the inputs."""
    octets_out: int
    """Of pictures or units in the outputs."""
    copies: int
    """Pictures whose pixels were copied."""
    throttled_ms: int
    """During which any unit waited for the domain's rates."""


_COUNTED = Struct("<QQQQQQQQQQQQQ")


class Counted(_CountedFields):
    """``worker.counted``: From the worker: what it has done so far, all sessions together. Told now and then
    while it works, and before `channel_removed`.
    """

    __slots__ = ()
    OPCODE: ClassVar[int] = 0x7133
    NAME: ClassVar[str] = "counted"
    KIND: ClassVar[Kind] = Kind.EVENT
    SIZE: ClassVar[int] = 104

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _COUNTED.pack(
                self.calls,
                self.refused,
                self.events,
                self.sessions,
                self.sessions_failed,
                self.hangs,
                self.inputs,
                self.outputs,
                self.errors,
                self.octets_in,
                self.octets_out,
                self.copies,
                self.throttled_ms,
            )
        except (StructError, ValueError) as error:
            raise unsendable("worker.counted", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            (
                calls,
                refused,
                events,
                sessions,
                sessions_failed,
                hangs,
                inputs,
                outputs,
                errors,
                octets_in,
                octets_out,
                copies,
                throttled_ms,
            ) = _COUNTED.unpack(payload)
            return cls(
                calls,
                refused,
                events,
                sessions,
                sessions_failed,
                hangs,
                inputs,
                outputs,
                errors,
                octets_in,
                octets_out,
                copies,
                throttled_ms,
            )
        except (StructError, ValueError) as error:
            raise malformed("worker.counted", error) from None


Event: TypeAlias = (
    ChannelAdd
    | ChannelRemove
    | Unmap
    | Violation
    | ChannelRemoved
    | DeviceWant
    | DeviceLease
    | DeviceRelease
    | DeviceHang
    | DeviceReset
    | DeviceUse
    | DeviceRest
    | DeviceAt
    | DevicePace
    | Drain
    | Drained
    | Trace
    | DeviceUsed
    | Rates
    | RatesOwed
    | Counted
)
"""What is said unasked."""

MESSAGES: dict[int, MessageType] = {
    0x7101: MessageType(0x7101, "channel_add", Kind.EVENT, False, ChannelAdd, None),
    0x7102: MessageType(0x7102, "channel_remove", Kind.EVENT, False, ChannelRemove, None),
    0x7103: MessageType(0x7103, "map", Kind.CALL, False, Map, MapReply),
    0x7104: MessageType(0x7104, "unmap", Kind.EVENT, False, Unmap, None),
    0x7105: MessageType(0x7105, "violation", Kind.EVENT, False, Violation, None),
    0x7106: MessageType(0x7106, "report", Kind.CALL, False, Report, ReportReply),
    0x7107: MessageType(0x7107, "channel_removed", Kind.EVENT, False, ChannelRemoved, None),
    0x7108: MessageType(0x7108, "device_want", Kind.EVENT, False, DeviceWant, None),
    0x7109: MessageType(0x7109, "device_lease", Kind.EVENT, False, DeviceLease, None),
    0x710A: MessageType(0x710A, "device_release", Kind.EVENT, False, DeviceRelease, None),
    0x710B: MessageType(0x710B, "device_hang", Kind.EVENT, False, DeviceHang, None),
    0x710C: MessageType(0x710C, "device_reset", Kind.EVENT, False, DeviceReset, None),
    0x710D: MessageType(0x710D, "device_use", Kind.EVENT, False, DeviceUse, None),
    0x710E: MessageType(0x710E, "device_rest", Kind.EVENT, False, DeviceRest, None),
    0x710F: MessageType(0x710F, "device_at", Kind.EVENT, False, DeviceAt, None),
    0x7110: MessageType(0x7110, "reserve", Kind.CALL, False, Reserve, ReserveReply),
    0x7111: MessageType(0x7111, "device_pace", Kind.EVENT, False, DevicePace, None),
    0x7118: MessageType(0x7118, "drain", Kind.EVENT, False, Drain, None),
    0x7119: MessageType(0x7119, "drained", Kind.EVENT, False, Drained, None),
    0x7120: MessageType(0x7120, "trace", Kind.EVENT, False, Trace, None),
    0x7130: MessageType(0x7130, "device_used", Kind.EVENT, False, DeviceUsed, None),
    0x7131: MessageType(0x7131, "rates", Kind.EVENT, False, Rates, None),
    0x7132: MessageType(0x7132, "rates_owed", Kind.EVENT, False, RatesOwed, None),
    0x7133: MessageType(0x7133, "counted", Kind.EVENT, False, Counted, None),
}
"""Every message of the class by opcode."""
