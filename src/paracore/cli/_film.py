# SPDX-License-Identifier: Apache-2.0
"""What encode and transcode have in common: fitting pictures to an encoder, and writing its packets."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from paracore._errors import MediaError
from paracore.cli._exit import UsageError, output_errors
from paracore.cli._options import encoder_settings
from paracore.cli._sink import shown
from paracore.media import FILE_LAYOUTS, Converter, Muxer

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator
    from fractions import Fraction

    import paracore

__all__ = ["Fitting", "open_film"]


class Fitting:
    """Brings pictures into a format that the encoder takes: their own if it can, else the nearest.

    Attributes:
        pixel_format: the encoder's.
    """

    def __init__(self, device: paracore.Device, codec: str, pixel_format: str) -> None:
        able = next(
            each.pixel_formats for each in device.capabilities if (each.codec, each.direction) == (codec, "encode")
        )
        self.pixel_format = pixel_format if pixel_format in able else _nearest(pixel_format, able)
        self._converter = Converter(self.pixel_format)

    def fill(self, target: paracore.WritablePicture, picture: paracore.Picture | paracore.media.Image) -> None:
        """Copies a picture into an encoder's, converted if need be."""
        fitted = self._converter.convert(picture)
        for plane, source in zip(target.planes, fitted.planes, strict=True):
            plane[...] = source


def _nearest(pixel_format: str, able: tuple[str, ...]) -> str:
    bits = FILE_LAYOUTS[pixel_format].bits
    return min(able, key=lambda name: (FILE_LAYOUTS[name].bits != bits, "420p" not in name))


@contextmanager
def open_film(
    arguments: argparse.Namespace,
    device: paracore.Device,
    *,
    size: tuple[int, int],
    pixel_format: str,
    rate: Fraction | None,
    time_base: Fraction,
    aspect: Fraction | None,
    color: paracore.Color | None = None,
) -> Iterator[tuple[paracore.Encoder, Callable[[paracore.EncodedPacket], None]]]:
    """An encoder and what writes its packets to the output."""
    width, height = size
    settings = encoder_settings(arguments) | {"pixel_format": pixel_format, "rate": rate, "aspect": aspect}
    name = shown(arguments.output)
    with ExitStack() as stack:
        encoder = stack.enter_context(
            device.encoder(arguments.codec, width=width, height=height, color=color, **settings)
        )
        stack.enter_context(output_errors(name))  # of the muxer's end
        try:
            muxer = Muxer(arguments.output, arguments.codec, width=width, height=height, time_base=time_base, rate=rate)
        except MediaError as error:
            raise UsageError(str(error)) from error
        stack.enter_context(muxer)

        def write(packet: paracore.EncodedPacket) -> None:
            with output_errors(name):
                muxer.write(packet)

        yield encoder, write
