# SPDX-License-Identifier: Apache-2.0
"""Checks of a driver's encoders."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from paracore.classes import video
from paracore.classes.video import Direction, Error, OutputFlag
from paracore.testing._driver_media import opened, refused
from paracore.testing._player import Memory, Player, Unit

if TYPE_CHECKING:
    from paracore.drivers import Driver
    from paracore.testing._driver_media import DriverMedia

__all__ = ["ENCODING_CHECKS"]


def _wanted(media: DriverMedia) -> video.PictureFormat:
    assert media.encodes
    pixel_format, width, height = media.encodes
    about = (video.FieldOrder.PROGRESSIVE, 1, 1, 1, 1, 0, 1, 1, 25, 1)
    return video.PictureFormat(pixel_format, 0, 0, 0, 0, width, height, 0, (0,) * 4, (0,) * 4, 0, 0, *about)


def _shade(format_: video.PictureFormat, number: int) -> Memory:
    """A picture whose octets are all the same, read-only to the driver."""
    memory = Memory(format_.size, read_only=True)
    memory.map[: format_.size] = bytes([16 + number * 8 % 200]) * format_.size
    return memory


def _encode(player: Player, count: int, keys: tuple[int, ...] = ()) -> None:
    format_ = player.session.format_get()
    for number in range(count):
        player.wait(lambda: len(player.inputs) < format_.buffers_min)
        flags = video.InputFlag.KEY if number in keys else video.InputFlag(0)
        player.queue(_shade(format_, number), 1000 + 40 * number, 40, flags)
    player.session.drain()
    player.wait_drained()


def check_encode(driver: Driver, media: DriverMedia) -> None:
    """What is encoded decodes to as many pictures with the same timestamps; key frames come on demand."""
    if not media.encodes:
        return
    with opened(driver, media, Direction.ENCODE) as session:
        session.format_set(_wanted(media))
        player = Player(session)
        player.lend_new(4, 1 << 18)
        _encode(player, 12, keys=(5,))
    events = [event for event, _ in player.packets]
    assert sorted(event.timestamp for event in events) == [1000 + 40 * number for number in range(12)]
    assert all(event.decode_timestamp <= event.timestamp and event.duration == 40 for event in events)
    assert all(one.decode_timestamp < other.decode_timestamp for one, other in pairwise(events))
    assert {1000, 1200} <= {event.timestamp for event in events if event.flags & OutputFlag.KEY}
    with opened(driver, media) as session:
        pictures = Player(session).play([Unit(octets, event.timestamp, 40) for event, octets in player.packets])
    assert [picture.event.timestamp for picture in pictures] == [1000 + 40 * number for number in range(12)]


def check_small_output(driver: Driver, media: DriverMedia) -> None:
    """A span too small for a packet comes back saying how many octets it takes, and the packet is not lost."""
    if not media.encodes:
        return
    with opened(driver, media, Direction.ENCODE) as session:
        format_ = session.format_set(_wanted(media))
        player = Player(session)
        player.lend(Memory(4))
        player.queue(_shade(format_, 0), 0)
        session.drain()
        player.wait(lambda: player.count(video.OutputReady) > 0)
        given = next(event for event in player.events if isinstance(event, video.OutputReady))
        assert given.flags is OutputFlag.CANCELLED
        assert given.bytes_used > 4
        player.lend_new(2, given.bytes_used + 64)
        player.wait(lambda: player.count(video.Drained) > 0)
        assert [len(octets) for _, octets in player.packets] == [given.bytes_used]


def check_encoder_refusals(driver: Driver, media: DriverMedia) -> None:
    """A picture needs a format first; a format must be one that the codec takes; a short picture is invalid."""
    if not media.encodes:
        return
    with opened(driver, media, Direction.ENCODE) as session:
        player = Player(session)
        with refused(Error.AGAIN):
            session.format_get()
        with refused(Error.INVALID):
            session.format_set(_wanted(media)._replace(width=0))
        with refused(Error.NOT_SUPPORTED):
            session.format_set(_wanted(media)._replace(pixel_format=video.PixelFormat.NONE))
        format_ = session.format_set(_wanted(media))
        with refused(Error.INVALID):
            player.queue(Memory(format_.size - 1), 0)


ENCODING_CHECKS = (check_encode, check_small_output, check_encoder_refusals)
