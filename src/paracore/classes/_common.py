# SPDX-License-Identifier: Apache-2.0
"""What the device classes share: enumerations and structs of more than one of them.

Made by codegen from specs/paracore.toml; do not edit.
To make it again: make gen
"""

from __future__ import annotations

from enum import STRICT, IntEnum, IntFlag
from struct import Struct
from struct import error as StructError  # noqa: N812
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from paracore.classes._payload import malformed, unsendable, zero

if TYPE_CHECKING:
    from typing import Self

    from typing_extensions import Buffer

__all__ = [
    "BufferFlag",
    "Error",
    "Failure",
    "Limit",
    "Refusal",
    "TraceEvent",
    "TracePage",
    "TraceRecord",
]


class Error(IntEnum):
    """Why a call failed: the numbers of Xen's errno.h, which are Linux's on ARM and x86."""

    PERMISSION = 1
    """The policy does not allow it (EPERM)."""
    NO_ENTRY = 2
    """No such device, session, buffer or control (ENOENT)."""
    IO = 5
    """The device failed; the session is over (EIO)."""
    AGAIN = 11
    """Not now; ask again (EAGAIN)."""
    NO_MEMORY = 12
    """Out of memory or of a storage limit (ENOMEM)."""
    BUSY = 16
    """In use, or not in this state (EBUSY)."""
    NO_DEVICE = 19
    """The device has gone away (ENODEV)."""
    INVALID = 22
    """An argument is out of range (EINVAL)."""
    NO_SPACE = 28
    """A limit of the domain is reached; `limit` says which (ENOSPC)."""
    PROTOCOL = 71
    """The peer broke the protocol (EPROTO)."""
    NOT_SUPPORTED = 95
    """Not an operation of this device (EOPNOTSUPP)."""
    TIMED_OUT = 110
    """The device did not finish a job by its deadline; the session is over (ETIMEDOUT)."""
    CANCELLED = 125
    """Cancelled by the caller, by a flush or by a close (ECANCELED)."""


class Limit(IntEnum):
    """Which limit of the domain a failure is about. 0: none."""

    NONE = 0
    """No limit."""
    CHANNELS = 1
    """Channels of the domain."""
    SESSIONS = 2
    """Sessions of the domain."""
    BUFFERS = 3
    """Buffers attached or granted by the domain."""
    BYTES = 4
    """Octets granted by the domain."""
    OUTSTANDING = 5
    """Calls and queued buffers of a channel that are not yet answered."""
    GRANTS = 6
    """Pages that a Xen guest may grant: a setting of the guest's kernel or of Xen, not of the backend."""
    PIXEL_RATE = 7
    """Samples a second that sessions may declare: of the domain, or of the device, which others may have
    reserved.
    """


class Refusal(IntEnum):
    """Why the backend ends or refuses a connection."""

    NONE = 0
    """Not refused."""
    UNKNOWN_PEER = 1
    """The peer's credentials match no domain of the configuration."""
    VERSION = 2
    """No protocol version in common."""
    LIMIT = 3
    """A limit of the domain."""
    PROTOCOL = 4
    """The peer broke the protocol."""
    WORKER_LOST = 5
    """The domain's worker died."""
    SHUTDOWN = 6
    """The backend is stopping."""
    DETACHED = 7
    """The administrator detached the domain."""
    NO_BACKEND = 8
    """The guest's frontend daemon has no backend at the moment."""


class TraceEvent(IntEnum):
    """What a trace's record tells of. `posted` and `received` are the domain's, all else is the worker's."""

    OPENED = 1
    """The session exists. `value`: codec x 2^32 + direction."""
    CLOSED = 2
    """It does no longer."""
    INPUT_POSTED = 3
    """A unit has been queued by the application. `value`: input flags x 2^32 + octets."""
    INPUT_SEEN = 4
    """The worker has taken that message out of the ring. `value`: as before."""
    INPUT_THROTTLED = 5
    """The domain has no credit for the unit, which waits before the driver."""
    INPUT_GIVEN = 6
    """The driver has the unit."""
    DEVICE_AWAITED = 7
    """The session waits for its turn at the device."""
    JOB_BEGUN = 8
    """The codec is given the unit. `value`: 1 when it is no unit but what a drain still has to give."""
    JOB_ENDED = 9
    """It wants the next. `value`: as before."""
    WAIT_BEGUN = 10
    """In the midst of a unit: the codec waits for what the domain is to give."""
    WAIT_ENDED = 11
    """It does no longer."""
    INPUT_TOLD = 12
    """The domain is told that a unit's span is its own again. `value`: enum error."""
    INPUT_RECEIVED = 13
    """The application has taken that event."""
    OUTPUT_TOLD = 14
    """The domain is told of a picture, or packet. `value`: output flags x 2^32 + octets."""
    OUTPUT_RECEIVED = 15
    """The application has taken that event. `value`: as before."""
    OUTPUT_POSTED = 16
    """A span for outputs has been queued by the application, mostly one given back. `value`: octets."""
    OUTPUT_MADE = 18
    """The codec has given a picture, or packet, out; it may be told of together with others. `value`: as of
    `output_told`.
    """
    OUTPUT_SEEN = 17
    """The worker has taken that message out of the ring. `value`: octets."""


class BufferFlag(IntFlag, boundary=STRICT):
    """Flags of a grant and of an attached buffer."""

    READ_ONLY = 0x1
    """The backend may only read it: inputs."""


class _TracePageFields(NamedTuple):
    """Fields of ``TracePage``."""

    version: int
    """Protocol version of the page and its records."""
    records: int
    """`trace_records`."""
    process: int
    """Of the program that writes it; 0: workers, one after the other."""
    begun: int
    """Records begun so far; record n has the place n modulo `records`. Each writer takes a number by adding one."""


_TRACE_PAGE = Struct("<III52sQ56s")


class TracePage(_TracePageFields):
    """The first page of a trace's memory; `trace_records` records follow at `page_size`."""

    __slots__ = ()
    SIZE: ClassVar[int] = 128

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _TRACE_PAGE.pack(self.version, self.records, self.process, b"", self.begun, b"")
        except (StructError, ValueError) as error:
            raise unsendable("trace_page", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            version, records, process, reserved0, begun, reserved1 = _TRACE_PAGE.unpack(payload)
            zero(reserved0, reserved1)
            return cls(version, records, process, begun)
        except (StructError, ValueError) as error:
            raise malformed("trace_page", error) from None


class _TraceRecordFields(NamedTuple):
    """Fields of ``TraceRecord``."""

    sequence: int
    """Its number plus one, written last; 0 while it is being written."""
    time: int
    """Nanoseconds of CLOCK_MONOTONIC."""
    event: TraceEvent
    """What."""
    channel: int
    """The channel's number, which both ends have from `link.channel_open`."""
    session: int
    """The session's number on it."""
    cookie: int
    """The span's, of an input or an output; the device's index of `opened`."""
    timestamp: int
    """The unit's or the picture's; 0 where there is none."""
    value: int
    """See the event."""


_TRACE_RECORD = Struct("<QQIIIIqQ")


class TraceRecord(_TraceRecordFields):
    """One thing that happened to a session, on either side."""

    __slots__ = ()
    SIZE: ClassVar[int] = 48

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _TRACE_RECORD.pack(
                self.sequence,
                self.time,
                self.event,
                self.channel,
                self.session,
                self.cookie,
                self.timestamp,
                self.value,
            )
        except (StructError, ValueError) as error:
            raise unsendable("trace_record", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            sequence, time, event, channel, session, cookie, timestamp, value = _TRACE_RECORD.unpack(payload)
            return cls(sequence, time, TraceEvent(event), channel, session, cookie, timestamp, value)
        except (StructError, ValueError) as error:
            raise malformed("trace_record", error) from None


class _FailureFields(NamedTuple):
    """Fields of ``Failure``."""

    error: Error
    """Why."""
    limit: Limit
    """The limit, if it was one."""
    allowed: int
    """The limit's value, or the largest valid argument; 0 when neither applies."""


_FAILURE = Struct("<IIQ")


class Failure(_FailureFields):
    """Payload of a reply with the `error` flag, whatever the call."""

    __slots__ = ()
    SIZE: ClassVar[int] = 16

    def pack(self) -> bytes:
        """The octets; ``LocalProtocolError`` when a value does not fit."""
        try:
            return _FAILURE.pack(self.error, self.limit, self.allowed)
        except (StructError, ValueError) as error:
            raise unsendable("failure", error) from None

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value; ``MessageError`` when the octets are not wholly valid."""
        try:
            error, limit, allowed = _FAILURE.unpack(payload)
            return cls(Error(error), Limit(limit), allowed)
        except (StructError, ValueError) as error:
            raise malformed("failure", error) from None
