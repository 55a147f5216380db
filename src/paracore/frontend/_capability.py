# SPDX-License-Identifier: Apache-2.0
"""What devices can do, as the backend describes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from paracore._errors import DriverError, MediaError, RemoteProtocolError
from paracore.classes import core, video

if TYPE_CHECKING:
    from paracore.frontend._channel import Channel

__all__ = ["Capability", "DeviceFacts", "describe", "query_capabilities", "query_devices", "query_limits", "require"]


#: Devices, and what one of them can do: a backend that describes more would do so without end.
_DEVICES_MAX = 256
_CAPABILITIES_MAX = 256


class Capability(NamedTuple):
    """One codec in one direction."""

    codec: str
    direction: str
    """``decode`` or ``encode``."""
    pixel_formats: tuple[str, ...]
    controls: tuple[str, ...]
    width_max: int
    height_max: int
    dynamic_resolution: bool
    """The resolution may change in mid-stream."""
    zero_copy: bool
    """Pictures are made in, or read from, the domain's own pages."""
    bitrate_change: bool
    """The bit rate may change in mid-stream."""
    writable_input: bool
    """With ``zero_copy``: an encoder reads pictures in place only if it might also write them, and copies others."""

    @classmethod
    def of_wire(cls, reply: video.CapabilityQueryReply) -> Capability:
        """From the wire's description; bits that this version does not know are left out."""
        flags = reply.flags
        return cls(
            reply.codec.name.lower(),
            reply.direction.name.lower(),
            tuple(form.name.lower() for form in video.PixelFormat if form and reply.pixel_formats >> form & 1),
            tuple(control.name.lower() for control in video.Control if reply.controls >> control & 1),
            reply.width_max,
            reply.height_max,
            bool(flags & video.CapabilityFlag.DYNAMIC_RESOLUTION),
            bool(flags & video.CapabilityFlag.ZERO_COPY),
            bool(flags & video.CapabilityFlag.BITRATE_CHANGE),
            bool(flags & video.CapabilityFlag.WRITABLE_INPUT),
        )


class DeviceFacts(NamedTuple):
    """One device; what it can do is asked when somebody wants to know."""

    number: int
    name: str
    driver: str
    capability_count: int


def query_devices(channel: Channel) -> dict[str, DeviceFacts]:
    """All devices of the domain, for which the backend is asked once in a channel's life."""
    if channel.devices is None:
        devices: dict[str, DeviceFacts] = {}
        while (reply := _query_device(channel, len(devices))) is not None:
            if reply.name in devices or len(devices) == _DEVICES_MAX:
                raise RemoteProtocolError(f"a device after {len(devices)} others that is named {reply.name!r}")
            devices[reply.name] = DeviceFacts(len(devices), reply.name, reply.driver, reply.capability_count)
        channel.devices = devices
    return channel.devices


def describe(channel: Channel, name: str) -> DeviceFacts:
    """A device, which another channel may number otherwise.

    Raises:
        MediaError: it is there no more.
    """
    devices = query_devices(channel)
    if name not in devices:
        raise MediaError(f"there is no device {name} any more; there are {', '.join(devices) or 'none'}")
    return devices[name]


def _query_device(channel: Channel, number: int) -> core.DeviceQueryReply | None:
    try:
        return channel.call(core.DeviceQuery(number), core.DeviceQueryReply, "asking for devices")
    except DriverError as error:
        if error.code == core.Error.NO_ENTRY:
            return None
        raise


def query_capabilities(channel: Channel, device: DeviceFacts) -> tuple[Capability, ...]:
    """Asks what a device can do."""
    if device.capability_count > _CAPABILITIES_MAX:
        raise RemoteProtocolError(f"a device of {device.capability_count} capabilities")
    queries = (video.CapabilityQuery(device.number, index) for index in range(device.capability_count))
    replies = (channel.call(query, video.CapabilityQueryReply, "asking for capabilities") for query in queries)
    return tuple(Capability.of_wire(reply) for reply in replies)


def require(channel: Channel, device: DeviceFacts, codec: str, direction: str) -> Capability:
    """The capability.

    Raises:
        MediaError: the device lacks it; says what it has.
    """
    able = {each.codec: each for each in query_capabilities(channel, device) if each.direction == direction}
    if codec not in able:
        has = ", ".join(able) or "nothing"
        raise MediaError(f"the device {device.name} cannot {direction} {codec}; it can {direction} {has}")
    return able[codec]


def query_limits(channel: Channel) -> core.LimitsQueryReply:
    """The limits of this domain."""
    return channel.call(core.LimitsQuery(), core.LimitsQueryReply, "asking for limits")
