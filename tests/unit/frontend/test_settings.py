# SPDX-License-Identifier: Apache-2.0
from fractions import Fraction

import pytest

from paracore import Color, MediaError
from paracore.classes import video
from paracore.cli._options import PRESETS as WORDS
from paracore.frontend._capability import Capability
from paracore.frontend._settings import PRESETS, control_number, controls_of, preset_number, wire_format_of

ABLE = Capability("h264", "encode", ("yuv420p", "nv12"), ("bitrate",), 1920, 1088, *(False, True, True, False))


def test_controls_are_those_that_were_given():
    assert controls_of({"width": 1, "height": 1, "gop": None}) == {}
    assert controls_of({"width": 1, "height": 1, "gop": 12, "preset": "fast"}) == {"gop": 12, "preset": 4}


def test_presets_have_words_and_numbers():
    assert preset_number("ultrafast") == 0
    assert preset_number(9) == 9
    assert PRESETS == WORDS
    with pytest.raises(ValueError, match="ultrafast"):
        preset_number("quick")


def test_controls_have_the_wires_names():
    assert control_number("b_frames") is video.Control.B_FRAMES
    with pytest.raises(ValueError, match="bitrate"):
        control_number("volume")


def test_a_wish_says_what_counts():
    wish = wire_format_of(
        {
            "width": 64,
            "height": 48,
            "rate": Fraction(30000, 1001),
            "aspect": Fraction(4, 3),
            "color": Color(1, 1, 1, 2, 1),
        },
        ABLE,
    )
    assert (wish.pixel_format, wish.width, wish.height) == (video.PixelFormat.YUV420P, 64, 48)
    assert (wish.rate_num, wish.rate_den, wish.aspect_num, wish.aspect_den) == (30000, 1001, 4, 3)
    assert wish.color_range == 2
    wish.pack()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"pixel_format": "gray"}, "not from gray"),
        ({"width": 1921}, "1920x1088"),
        ({"height": 0}, "64x0"),
    ],
)
def test_what_the_device_cannot_is_said(settings, words):
    with pytest.raises(MediaError, match=words):
        wire_format_of({"width": 64, "height": 48} | settings, ABLE)
