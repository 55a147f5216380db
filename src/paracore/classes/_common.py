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

from paracore.classes._payload import malformed, unsendable

if TYPE_CHECKING:
    from typing import Self

    from typing_extensions import Buffer

__all__ = [
    "BufferFlag",
    "Error",
    "Failure",
    "Limit",
    "Refusal",
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


class BufferFlag(IntFlag, boundary=STRICT):
    """Flags of a grant and of an attached buffer."""

    READ_ONLY = 0x1
    """The backend may only read it: inputs."""


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
