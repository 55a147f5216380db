# SPDX-License-Identifier: Apache-2.0
"""From errno numbers and the wire's errors to exceptions: the one place where that is decided."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from paracore._errors import (
    DeviceLost,
    DeviceTimeout,
    DriverError,
    Error,
    LocalProtocolError,
    OutOfDeviceMemory,
    PermissionRefused,
    QuotaExceeded,
    RemoteProtocolError,
    StateError,
    TransportBroken,
    TransportClosed,
    TransportError,
    VersionError,
)
from paracore.classes import link, video

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FATAL", "call_fault", "departure", "open_fault", "wire_fault"]

#: After these a session cannot go on as it is.
FATAL = (TransportError, DeviceLost, RemoteProtocolError)

_API = "paracore"

#: What an error of the wire is here, told what was attempted.
_BY_ERROR: dict[video.Error, Callable[[str], Exception]] = {
    video.Error.PERMISSION: lambda what: PermissionRefused(f"{what}: the backend's policy does not allow it"),
    video.Error.NO_ENTRY: lambda what: DriverError(_API, errno.ENOENT, f"{what}: no such thing on this device"),
    video.Error.IO: lambda what: DriverError(_API, errno.EIO, f"{what}: the device failed, the session is over"),
    video.Error.AGAIN: lambda what: StateError("not ready", f"ready for {what}"),
    video.Error.NO_MEMORY: lambda what: OutOfDeviceMemory(_API, errno.ENOMEM, f"{what}: the device is out of memory"),
    video.Error.BUSY: lambda what: StateError("in use or under way", f"idle for {what}"),
    video.Error.NO_DEVICE: lambda what: DeviceLost(_API, errno.ENODEV, f"{what}: the device has gone away"),
    video.Error.INVALID: lambda what: LocalProtocolError(f"{what}: an argument is out of range"),
    video.Error.NO_SPACE: lambda _: QuotaExceeded("outstanding"),
    video.Error.PROTOCOL: lambda what: LocalProtocolError(f"{what}: the backend took it for a breach of the protocol"),
    video.Error.NOT_SUPPORTED: lambda what: DriverError(_API, errno.EOPNOTSUPP, f"{what}: the device cannot do that"),
    video.Error.TIMED_OUT: lambda what: DeviceTimeout(
        _API, errno.ETIMEDOUT, f"{what}: the device hung at a job, the session is over"
    ),
    video.Error.CANCELLED: lambda what: TransportClosed(f"{what}: cancelled"),
}

#: Why the backend ended the channel, and what that is here.
_BY_REFUSAL: dict[link.Refusal, Callable[[str], Error]] = {
    link.Refusal.NONE: lambda _: TransportBroken("the backend has gone without a word; is it still running?"),
    link.Refusal.UNKNOWN_PEER: lambda _: PermissionRefused(
        f"the backend knows no domain for user {os.getuid()} and group {os.getgid()}; name one in its configuration"
    ),
    link.Refusal.VERSION: lambda _: VersionError("the backend speaks no protocol version that this library speaks"),
    link.Refusal.LIMIT: lambda _: QuotaExceeded("channels"),
    link.Refusal.PROTOCOL: lambda _: LocalProtocolError("the backend ended the channel for a breach of the protocol"),
    link.Refusal.WORKER_LOST: lambda _: DeviceLost(_API, errno.ENODEV, "the domain's worker died; open a new channel"),
    link.Refusal.SHUTDOWN: lambda _: TransportBroken("the backend is stopping"),
    link.Refusal.DETACHED: lambda _: TransportBroken("the administrator has detached this domain"),
    link.Refusal.NO_BACKEND: lambda _: TransportBroken(
        "this guest has no backend at the moment; attach it in the driver domain with: paracore attach DOMAIN DEVICE"
    ),
}


def wire_fault(error: video.Error, what: str, limit: video.Limit = video.Limit.NONE, allowed: int = 0) -> Exception:
    """The exception for a failure that the backend reported."""
    if limit is not video.Limit.NONE:
        return QuotaExceeded(limit.name.lower(), allowed)
    return _BY_ERROR[error](what)


def departure(reason: int) -> Error:
    """The exception for a channel that the backend has ended."""
    try:
        refusal = link.Refusal(reason)
    except ValueError:
        return RemoteProtocolError(f"the backend ended the channel for an unknown reason, {reason}")
    return _BY_REFUSAL[refusal]("")


def call_fault(status: int, what: str, failure: video.Failure, reason: int) -> Exception:
    """The exception for a negative result of libparacore.

    Args:
        status: the result.
        what: was attempted, for the message.
        failure: what the backend's reply said, all zero when there was none.
        reason: ``paracore_goodbye``'s.
    """
    number = -status
    if number == errno.EPIPE:
        return departure(reason)
    if number == errno.ECANCELED:
        return TransportClosed(f"{what}: the channel is closed")
    if failure.error == number or number in _WIRE_NUMBERS:
        return wire_fault(video.Error(number), what, failure.limit, failure.allowed)
    return TransportError(f"{what}: {os.strerror(number)}")


_WIRE_NUMBERS = frozenset(video.Error) - {video.Error.PROTOCOL}


def open_fault(status: int, address: str, reason: int) -> Exception:
    """The exception for a channel that could not be opened."""
    number = -status
    if reason:
        return departure(reason)
    known = _BY_OPENING.get(number)
    fault = known(address) if known else TransportError(f"{address}: {os.strerror(number)}")
    fault.__cause__ = OSError(number, os.strerror(number), address)
    return fault


def _nobody(address: str) -> Exception:
    return TransportError(f"no backend listens at {address}; start one with: paracore serve --address {address}")


_BY_OPENING: dict[int, Callable[[str], Exception]] = {
    errno.ENOENT: _nobody,
    errno.ECONNREFUSED: _nobody,
    errno.EACCES: lambda at: PermissionRefused(f"{at}: no permission to connect; is this user in the socket's group?"),
    errno.EPROTONOSUPPORT: lambda _: departure(link.Refusal.VERSION),
    errno.ENOSPC: lambda _: QuotaExceeded("channels"),
    errno.EPROTO: lambda at: RemoteProtocolError(f"{at}: what listens there is no paracore backend"),
    errno.EPIPE: lambda at: TransportBroken(f"{at}: the backend went away"),
    errno.ETIMEDOUT: lambda at: TransportError(f"{at}: the backend does not answer"),
}
