# SPDX-License-Identifier: Apache-2.0
"""Streams of the kernel's own codec, made by the codec itself: it is the only one that knows its format."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from paracore.classes.video import Codec, Direction, FieldOrder, OpenFlag, PictureFormat, PixelFormat
from paracore.drivers import v4l2
from paracore.testing import DriverMedia, Player, Unit
from paracore.testing._player import Memory

SMALL, LARGE = (640, 360), (1280, 720)
"""The smallest that vicodec takes, and another."""


def nodes() -> list[str]:
    """Those of vicodec on this machine."""
    names = [(path.name, (path / "name").read_text()) for path in Path("/sys/class/video4linux").glob("video*")]
    return sorted(f"/dev/{node}" for node, name in names if re.match("stateful-", name))


def wanted(width: int, height: int, pixel_format: PixelFormat = PixelFormat.YUV420P) -> PictureFormat:
    """A format as a domain asks for it."""
    about = (FieldOrder.PROGRESSIVE, 1, 1, 1, 1, 0, 1, 1, 25, 1)
    return PictureFormat(pixel_format, 0, 0, 0, 0, width, height, 0, (0,) * 4, (0,) * 4, 0, 0, *about)


def picture(format_: PictureFormat, number: int, *, read_only: bool = True) -> Memory:
    """Something that moves: stripes that are another in each picture."""
    memory = Memory(format_.size, read_only=read_only)
    stripe = bytes((number * 9 + step * step) % 220 + 16 for step in range(251))
    memory.map[: format_.size] = (stripe * (format_.size // 251 + 1))[: format_.size]
    return memory


@cache
def stream(count: int, size: tuple[int, int] = SMALL, first: int = 0) -> tuple[Unit, ...]:
    """So many units, 40 apart."""
    session = v4l2.make("made").open(Codec.FWHT, Direction.ENCODE, OpenFlag(0))
    try:
        format_ = session.format_set(wanted(*size))
        player = Player(session)
        player.lend_new(4, 1 << 21)
        for number in range(first, first + count):
            player.wait(lambda: len(player.inputs) < format_.buffers_min)
            player.queue(picture(format_, number), 40 * number, 40)
        session.drain()
        player.wait_drained()
    finally:
        session.close()
    return tuple(Unit(octets, event.timestamp, event.duration) for event, octets in player.packets)


def media() -> DriverMedia:
    """What the shipped checks are fed with."""
    return DriverMedia(
        Codec.FWHT,
        clip=stream(12),
        resized=(*stream(4), *stream(4, LARGE, 4), *stream(4, SMALL, 8)),
        sizes=(SMALL, LARGE, SMALL),
        damaged=b"none of this codec's",
        encodes=(PixelFormat.YUV420P, *SMALL),
    )
