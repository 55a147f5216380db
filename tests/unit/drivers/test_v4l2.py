# SPDX-License-Identifier: Apache-2.0
"""The shipped checks on a codec in this process, in all its flavours, and what only such a codec can be made to do."""

from __future__ import annotations

import pytest

from paracore.classes.video import Codec, PixelFormat
from paracore.drivers import v4l2
from paracore.testing import DRIVER_CHECKS, DriverMedia, Unit
from tests.unit.drivers.fake_codec import UNIT, FakeCodec


def unit(number: int, width: int = 64, height: int = 48) -> Unit:
    return Unit(UNIT.pack(b"fake", width, height, number, number % 4 == 0), 100 * number, 100)


def media() -> DriverMedia:
    sizes = ((64, 48), (32, 16), (96, 80))
    return DriverMedia(
        Codec.H264,
        clip=tuple(unit(number) for number in range(10)),
        resized=tuple(unit(number, *sizes[number // 4]) for number in range(12)),
        sizes=sizes,
        damaged=b"none of this codec's",
        encodes=(PixelFormat.GRAY, 64, 48),
    )


def device(codec: FakeCodec, **options) -> v4l2.V4l2Driver:
    return v4l2.make("vpu0", path="/dev/null", calls=codec.calls, **options)


FLAVOURS = {
    "in-place": {},
    "planar": {"planar": True},
    "copied": {"pages": False},
    "planar-copied": {"planar": True, "pages": False},
    "refused": {"refuses_pages": True},
    "no-button": {"button": False},
    "reorders": {"reorders": True},
    "marks-pictures": {"marks_pictures": True},
}


@pytest.mark.parametrize("check", DRIVER_CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_driver(flavour, check):
    check(device(FakeCodec(**FLAVOURS[flavour])), media())
