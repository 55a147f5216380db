# SPDX-License-Identifier: Apache-2.0
"""What devices can do, as the backend describes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from paracore._errors import DriverError, MediaError
from paracore.classes import core, video

if TYPE_CHECKING:
    from paracore.frontend._channel import Channel

__all__ = ["Capability", "DeviceFacts", "query_devices", "query_limits"]


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
        )


class DeviceFacts(NamedTuple):
    """One device."""

    number: int
    name: str
    driver: str
    capabilities: tuple[Capability, ...]

    def require(self, codec: str, direction: str) -> Capability:
        """The capability.

        Raises:
            MediaError: the device lacks it; says what it has.
        """
        able = {each.codec: each for each in self.capabilities if each.direction == direction}
        if codec not in able:
            has = ", ".join(able) or "nothing"
            raise MediaError(f"the device {self.name} cannot {direction} {codec}; it can {direction} {has}")
        return able[codec]

    def open_request(self, codec: str, direction: str, *, low_delay: bool) -> video.Open:
        """What opens a session of that kind.

        Raises:
            MediaError: the device lacks the capability.
        """
        self.require(codec, direction)
        flags = video.OpenFlag.LOW_DELAY if low_delay else video.OpenFlag(0)
        return video.Open(self.number, video.Codec[codec.upper()], video.Direction[direction.upper()], flags)


def query_devices(channel: Channel) -> dict[str, DeviceFacts]:
    """Asks the backend for all devices of the domain."""
    devices: dict[str, DeviceFacts] = {}
    while (reply := _query_device(channel, len(devices))) is not None:
        number = len(devices)
        queries = (video.CapabilityQuery(number, index) for index in range(reply.capability_count))
        replies = [channel.call(query, video.CapabilityQueryReply, "asking for capabilities") for query in queries]
        capabilities = tuple(Capability.of_wire(each) for each in replies)
        devices[reply.name] = DeviceFacts(number, reply.name, reply.driver, capabilities)
    return devices


def _query_device(channel: Channel, number: int) -> core.DeviceQueryReply | None:
    try:
        return channel.call(core.DeviceQuery(number), core.DeviceQueryReply, "asking for devices")
    except DriverError as error:
        if error.code == core.Error.NO_ENTRY:
            return None
        raise


def query_limits(channel: Channel) -> core.LimitsQueryReply:
    """The limits of this domain."""
    return channel.call(core.LimitsQuery(), core.LimitsQueryReply, "asking for limits")
