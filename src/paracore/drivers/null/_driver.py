# SPDX-License-Identifier: Apache-2.0
"""The device: every codec, both ways, one pixel format."""

from __future__ import annotations

from paracore.classes import video
from paracore.drivers import Driver
from paracore.drivers.null._session import Session
from paracore.protocol import DIMENSION_MAX

__all__ = ["NullDriver"]

FLAGS = video.CapabilityFlag.DYNAMIC_RESOLUTION | video.CapabilityFlag.ZERO_COPY
PIXEL_FORMATS = 1 << video.PixelFormat.GRAY


class NullDriver(Driver):
    """See the package."""

    def __init__(self, name: str) -> None:
        self.name = name

    def capabilities(self) -> list[video.CapabilityQueryReply]:
        """Everything, and no controls."""
        ways = [(codec, direction) for codec in video.Codec for direction in video.Direction]
        return [video.CapabilityQueryReply(*way, FLAGS, DIMENSION_MAX, DIMENSION_MAX, PIXEL_FORMATS, 0) for way in ways]

    def open(self, codec: video.Codec, direction: video.Direction, flags: video.OpenFlag) -> Session:
        """A session, whatever the codec."""
        return Session(direction)
