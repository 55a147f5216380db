# SPDX-License-Identifier: Apache-2.0
"""What a user says about an encoder, and how the wire says it."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Required, TypedDict, cast

from paracore._errors import MediaError
from paracore.classes import video
from paracore.frontend._picture import Color

if TYPE_CHECKING:
    from paracore.frontend._capability import Capability

__all__ = ["PRESETS", "EncoderSettings", "control_number", "controls_of", "preset_number", "wire_format_of"]

#: Words for the control ``preset``, from the fastest.
PRESETS = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo",
)  # fmt: skip

#: Settings that are controls of the session.
_CONTROLS = ("threads", "bitrate", "quality", "gop", "b_frames", "preset", "profile")


class EncoderSettings(TypedDict, total=False):
    """Keyword arguments of ``Device.encoder``; what is left out is the device's to choose."""

    width: Required[int]
    """Columns."""
    height: Required[int]
    """Rows."""
    pixel_format: str
    """By FFmpeg's name, one of the capability's; ``yuv420p`` if left out."""
    rate: Fraction | int | None
    """Pictures per second."""
    aspect: Fraction | None
    """Of one sample."""
    color: Color | None
    """How samples become colours."""
    bitrate: int | None
    """Bits per second."""
    quality: int | None
    """Constant quality in the codec's own scale, instead of a bit rate."""
    gop: int | None
    """Pictures from one key frame to the next at most."""
    b_frames: int | None
    """Bidirectional pictures in a row at most."""
    preset: int | str | None
    """0 fastest to 9 smallest, or x264's word for it."""
    profile: int | None
    """The codec's own number."""
    threads: int | None
    """Of the codec."""
    low_delay: bool
    """No reordering and no look-ahead."""


def controls_of(settings: EncoderSettings) -> dict[str, int]:
    """The controls to set before the first picture.

    Raises:
        ValueError: no such preset.
    """
    given = {name: settings.get(name) for name in _CONTROLS}
    if given["preset"] is not None:
        given["preset"] = preset_number(cast("int | str", given["preset"]))
    return {name: cast("int", value) for name, value in given.items() if value is not None}


def control_number(name: str) -> video.Control:
    """The control of that name.

    Raises:
        ValueError: there is none.
    """
    try:
        return video.Control[name.upper()]
    except KeyError:
        known = ", ".join(control.name.lower() for control in video.Control)
        raise ValueError(f"no control is called {name}; there are {known}") from None


def preset_number(preset: int | str) -> int:
    """A preset as the wire has it, from its number or word.

    Raises:
        ValueError: no such word.
    """
    if isinstance(preset, int):
        return preset
    if preset in PRESETS:
        return PRESETS.index(preset)
    raise ValueError(f"no preset is called {preset}; from fast to small: {', '.join(PRESETS)}")


def wire_format_of(settings: EncoderSettings, capability: Capability) -> video.PictureFormat:
    """A wish for the format of the pictures; the device fills in the layout.

    Raises:
        MediaError: the device does not take pictures like that.
    """
    pixel_format = settings.get("pixel_format", "yuv420p")
    if pixel_format not in capability.pixel_formats:
        able = ", ".join(capability.pixel_formats)
        raise MediaError(f"the device encodes {capability.codec} from {able}, not from {pixel_format}")
    width, height = settings["width"], settings["height"]
    if not (0 < width <= capability.width_max and 0 < height <= capability.height_max):
        most = f"{capability.width_max}x{capability.height_max}"
        raise MediaError(f"the device encodes {capability.codec} up to {most}, not {width}x{height}")
    rate, aspect = Fraction(settings.get("rate") or 0), settings.get("aspect") or Fraction(0)
    color = settings.get("color") or Color()
    return video.PictureFormat(
        pixel_format=video.PixelFormat[pixel_format.upper()],
        coded_width=0,
        coded_height=0,
        crop_left=0,
        crop_top=0,
        width=width,
        height=height,
        plane_count=0,
        plane_offset=(0, 0, 0, 0),
        plane_stride=(0, 0, 0, 0),
        size=0,
        buffers_min=0,
        field_order=video.FieldOrder.PROGRESSIVE,
        color_primaries=color.primaries,
        color_transfer=color.transfer,
        color_matrix=color.matrix,
        color_range=color.range,
        chroma_location=color.chroma_location,
        aspect_num=aspect.numerator,
        aspect_den=aspect.denominator if aspect else 0,
        rate_num=rate.numerator,
        rate_den=rate.denominator if rate else 0,
    )
