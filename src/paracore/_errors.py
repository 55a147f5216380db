# SPDX-License-Identifier: Apache-2.0
"""Every exception that paracore raises, by fault and by remedy.

::

    Error
    ├── ProtocolError             abstract: cannot be instantiated
    │   ├── LocalProtocolError    we tried something illegal           (a bug here)
    │   └── RemoteProtocolError   the peer did                         (ends that channel, only that one)
    │       ├── VersionError
    │       ├── MessageError
    │       └── LimitExceeded     the peer went beyond a limit of the protocol
    ├── StateError                not in this state
    ├── TransportError
    │   ├── TransportClosed       you closed it
    │   ├── TransportBroken       the peer or the hypervisor did; the cause is chained
    │   └── GrantError · EventChannelError · XenStoreError    (also OSError: errno is kept)
    ├── DriverError               the API's own failure, with its code
    │   ├── DeviceLost
    │   ├── DeviceTimeout         a job took too long: it hangs
    │   └── OutOfDeviceMemory     (also MemoryError)
    ├── QuotaExceeded             a limit of the domain
    ├── PermissionRefused         the policy says no
    ├── MediaError                the user's file: not a video, truncated, a codec the device lacks
    └── ConfigError               a setting, with its remedy

The invariant, tested and fuzzed: for any octets from a domain the backend either serves a call or ends
that one channel with ``RemoteProtocolError``; never anything else, never another channel.
"""

from __future__ import annotations

from typing import Self

__all__ = [
    "ConfigError",
    "DeviceLost",
    "DeviceTimeout",
    "DriverError",
    "Error",
    "EventChannelError",
    "GrantError",
    "LimitExceeded",
    "LocalProtocolError",
    "MediaError",
    "MessageError",
    "OutOfDeviceMemory",
    "PermissionRefused",
    "ProtocolError",
    "QuotaExceeded",
    "RemoteProtocolError",
    "StateError",
    "TransportBroken",
    "TransportClosed",
    "TransportError",
    "VersionError",
    "XenStoreError",
]


class Error(Exception):
    """The root of all that paracore raises."""


class ProtocolError(Error):
    """A rule of the protocol was broken; says by whom through its subclass."""

    def __new__(cls, *args: object) -> Self:
        if cls is ProtocolError:
            raise TypeError("ProtocolError is abstract: say whose fault it was")
        return super().__new__(cls, *args)


class LocalProtocolError(ProtocolError):
    """This side tried something that the protocol forbids."""


class RemoteProtocolError(ProtocolError):
    """The peer broke the protocol."""


class VersionError(RemoteProtocolError):
    """The peers have no protocol version in common."""


class MessageError(RemoteProtocolError):
    """A message that cannot be: size, opcode, reserved field, enumeration."""


class LimitExceeded(RemoteProtocolError):  # noqa: N818 - says what happened
    """The peer went beyond a limit of the protocol itself."""

    def __init__(self, limit: str, seen: int) -> None:
        super().__init__(f"{limit}: {seen} is beyond the limit")
        self.limit = limit
        self.seen = seen


class StateError(Error):
    """The operation needs another state."""

    def __init__(self, state: str, required: str) -> None:
        super().__init__(f"it is {state}, and must be {required}")
        self.state = state
        self.required = required


class TransportError(Error):
    """Octets or notifications cannot move."""


class TransportClosed(TransportError):  # noqa: N818 - trio's and the field's spelling for a state, not a fault
    """This side has closed it."""


class TransportBroken(TransportError):  # noqa: N818 - as above
    """The peer or the hypervisor has gone."""


class GrantError(TransportError, OSError):
    """A grant could not be made, mapped or taken back."""


class EventChannelError(TransportError, OSError):
    """An event channel could not be bound or notified."""


class XenStoreError(TransportError, OSError):
    """A xenstore node could not be read or written."""


class DriverError(Error):
    """The native API failed.

    Attributes:
        api: whose code it is (``"libav"``, ``"v4l2"``, ``"paracore"``).
        code: the API's own number.
        name: the API's name for it.
    """

    def __init__(self, api: str, code: int, name: str) -> None:
        super().__init__(f"{api}: {name} ({code})")
        self.api = api
        self.code = code
        self.name = name


class DeviceLost(DriverError):  # noqa: N818 - the field's word
    """The device, or the worker that drove it, has gone."""


class DeviceTimeout(DriverError):  # noqa: N818 - as above
    """The device did not finish a job by its deadline: the session is over, another one may do better."""


class OutOfDeviceMemory(DriverError, MemoryError):  # noqa: N818 - the field's word
    """The device has no memory left."""


class QuotaExceeded(Error):  # noqa: N818 - the field's word
    """A limit of this domain is reached.

    Attributes:
        limit: its name in the configuration.
        allowed: its value, 0 when the backend did not say.
    """

    def __init__(self, limit: str, allowed: int = 0) -> None:
        of = f" of {allowed}" if allowed else ""
        remedy = _REMEDIES.get(limit, f"limits.{limit} in the backend's configuration")
        super().__init__(f"the domain's limit{of} on {limit} is reached; raise {remedy}")
        self.limit = limit
        self.allowed = allowed


_REMEDIES = {
    "pixel_rate": "limits.pixel_rate of the domain, or pixel_rate of the device, in the backend's configuration",
    "grants": "/sys/module/xen_gntalloc/parameters/limit in the guest, or gnttab_max_frames= of Xen",
}
"""What is to be raised where that is not the domain's limit of this name alone."""


class PermissionRefused(Error):  # noqa: N818 - the field's word
    """The policy refuses this peer or this operation."""


class MediaError(Error):
    """The user's media cannot be used; the message is one line for a person."""


class ConfigError(Error):
    """A setting is wrong.

    Attributes:
        option: its dotted name.
        hint: what to do about it.
    """

    def __init__(self, option: str, hint: str) -> None:
        super().__init__(f"{option}: {hint}")
        self.option = option
        self.hint = hint
