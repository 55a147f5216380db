# SPDX-License-Identifier: Apache-2.0
"""The shipped checks of a driver, on each driver."""

from __future__ import annotations

import os
from struct import pack

import pytest

from paracore.backend._gate import UnitGate
from paracore.backend._gated import GatedSession
from paracore.backend._paced import PacedSession
from paracore.backend._throttle import Throttle
from paracore.classes.video import Codec, PixelFormat
from paracore.drivers import libav, null
from paracore.drivers.null import NullDriver
from paracore.testing import DRIVER_CHECKS, DriverMedia, Unit
from tests import clips


class Asked:
    """To be inherited beside a session before which units wait: it always has news, and whoever asks for them is in the
    worker's place.
    """

    _always = -1

    def fileno(self):
        if self._always < 0:
            self._always = os.eventfd(1)
        return self._always

    def close(self):
        super().close()
        if self._always >= 0:
            os.close(self._always)
        self._always = -1


class Paced(Asked, PacedSession):
    """Its units wait for credit: the time passes for him who asks."""

    def __init__(self, driver, direction):
        self._now = 0
        self._rate = Throttle(pictures=(30, 1), since=-(10**15), clock=lambda: self._now)
        super().__init__(driver, direction, self._rate)

    def completions(self):
        self._now += max(0, self._rate.timeout_ms()) * 1_000_000
        self._rate.turn()
        return super().completions()


class Gated(Asked, GatedSession):
    """Its units wait for leases, the smallest that there can be: who asks gives them."""

    def __init__(self, driver, direction):
        self._leases = UnitGate()
        self._leases.lease(1, 1)
        super().__init__(driver, direction, self._leases)

    def completions(self):
        words = self._leases.words()
        if words.want:
            self._leases.lease(words.lease + 1, 1)
        self._leases.turn()
        return super().completions()


class PacedDriver(NullDriver):
    """The null device in a domain with a rate."""

    def open(self, codec, direction, flags):
        return Paced(super().open(codec, direction, flags), direction)


class GatedDriver(NullDriver):
    """The null device, shared out."""

    def open(self, codec, direction, flags):
        return Gated(super().open(codec, direction, flags), direction)


def null_unit(number: int, width: int = 64, height: int = 48) -> Unit:
    return Unit(pack("<4sHHB", b"null", width, height, number), 100 * number, 100)


def null_media() -> DriverMedia:
    sizes = ((64, 48), (32, 16), (96, 80))
    return DriverMedia(
        Codec.H264,
        clip=tuple(null_unit(number) for number in range(10)),
        resized=tuple(null_unit(number, *sizes[number // 4]) for number in range(12)),
        sizes=sizes,
        damaged=b"none of this device",
        encodes=(PixelFormat.GRAY, 64, 48),
    )


def libav_media(codec: Codec, *names: str, encodes: PixelFormat | None = None) -> DriverMedia:
    """The pictures of these clips are in the order of decoding; h264 shows another order."""
    clip = clips.natural("carphone_pristine") if codec is Codec.H264 else clips.clip(names[0])
    sizes = {"h264-cropped": (162, 110), "vp9": (178, 142)}
    return DriverMedia(
        codec,
        clip=tuple(clip.units[:30]),
        resized=tuple(clips.joined(*names).units),
        sizes=tuple(sizes.get(name, (176, 144)) for name in names),
        damaged=b"\0\0\0\1 no unit of anything",
        encodes=(encodes, 176, 144) if encodes else None,
    )


DEVICES = {
    "null": (lambda: null.make("null0"), null_media),
    "null-paced": (lambda: PacedDriver("null0"), null_media),
    "null-gated": (lambda: GatedDriver("null0"), null_media),
    "null-timed": (lambda: null.make("null0", job=0.001), null_media),
    "null-timed-gated": (lambda: GatedDriver("null0", job=0.001), null_media),
    "h264": (
        lambda: libav.make("vpu0", threads=1),
        lambda: libav_media(Codec.H264, "h264", "h264-cropped", "h264", encodes=PixelFormat.YUV420P),
    ),
    "h264-threads": (
        lambda: libav.make("vpu0", threads=4),
        lambda: libav_media(Codec.H264, "h264-cropped", "h264", "h264-cropped", encodes=PixelFormat.NV12),
    ),
    "vp9": (
        lambda: libav.make("vpu0", threads=2),
        lambda: libav_media(Codec.VP9, "vp9", "vp9-altref", "vp9", encodes=PixelFormat.YUV420P),
    ),
}


@pytest.mark.parametrize("check", DRIVER_CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
@pytest.mark.parametrize("device", DEVICES)
def test_driver(device, check):
    make_driver, media = DEVICES[device]
    check(make_driver(), media())
