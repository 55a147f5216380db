# SPDX-License-Identifier: Apache-2.0
"""What the checks of a driver have in common: what to feed it with, and how sessions are opened and refusals caught."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paracore.classes.video import Direction, Error, OpenFlag
from paracore.drivers import CallFailed
from paracore.testing._player import Player, Unit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paracore.classes import video
    from paracore.drivers import Driver, VideoSession
    from paracore.testing._player import Picture

__all__ = ["NO_FLAGS", "DriverMedia", "decoded", "digests", "opened", "refused"]

NO_FLAGS = OpenFlag(0)


@dataclass(frozen=True)
class DriverMedia:
    """What to feed a driver with.

    Attributes:
        codec: of all that follows.
        clip: access units, the first a key picture; timestamps are those of presentation, all different.
        resized: a stream whose resolution changes, each part beginning with a key picture.
        sizes: the resolutions of ``resized``, in order.
        damaged: a unit of which the codec can make nothing.
        encodes: a pixel format and a size that the codec's encoder takes; None: it has none.
    """

    codec: video.Codec
    clip: tuple[Unit, ...]
    resized: tuple[Unit, ...]
    sizes: tuple[tuple[int, int], ...]
    damaged: bytes
    encodes: tuple[video.PixelFormat, int, int] | None = None


@contextmanager
def opened(driver: Driver, media: DriverMedia, direction: Direction = Direction.DECODE) -> Iterator[VideoSession]:
    """A session that is closed in the end."""
    session = driver.open(media.codec, direction, NO_FLAGS)
    try:
        yield session
    finally:
        session.close()


@contextmanager
def refused(error: Error) -> Iterator[None]:
    """What stands in it must fail with this error."""
    refusal: Error | None = None
    try:
        yield
    except CallFailed as failure:
        refusal = failure.error
    assert refusal is error, f"{error.name} was due, and not {refusal and refusal.name}"


def digests(pictures: list[Picture]) -> list[str]:
    """What the pictures look like."""
    return [picture.digest for picture in pictures]


def decoded(driver: Driver, media: DriverMedia) -> list[str]:
    """The clip's pictures, as a new session decodes them."""
    with opened(driver, media) as session:
        return digests(Player(session).play(media.clip))
