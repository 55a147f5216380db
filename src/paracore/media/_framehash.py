# SPDX-License-Identifier: Apache-2.0
"""A hash of each picture, in the form of FFmpeg's ``framemd5`` muxer.

The lines equal those of ``ffmpeg -i IN -map 0:v -fps_mode passthrough -f framemd5 -``: one line for each
picture, timestamps counted in pictures at the stream's rate from the container's start, and the MD5
sum of the visible samples without padding. ffmpeg is to be told ``-noautorotate`` for a stream that was filmed
sideways: pictures are hashed as they were decoded. Without ``-fps_mode passthrough`` ffmpeg drops pictures that
are closer together than the stream's rate; the lines are the same for all others. Of the header
only ``#software`` differs.
"""

from __future__ import annotations

import hashlib
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol, TextIO

from paracore.media._convert import FILE_LAYOUTS
from paracore.media._raster import Raster, packed

if TYPE_CHECKING:
    from paracore.media._demux import Stream

__all__ = ["FrameHash", "Timed"]


class Timed(Raster, Protocol):
    """A picture that says when it is shown."""

    @property
    def timestamp(self) -> int | None: ...


class FrameHash:
    """Prints a line for each picture.

    Args:
        out: where to print; standard output if left out.
        rate: pictures per second; 25 when unknown.
        time_base: seconds in one unit of the pictures' timestamps.
        start: what to subtract from the timestamps, in seconds.
        aspect: sample aspect ratio.
    """

    def __init__(
        self,
        out: TextIO | None = None,
        *,
        rate: Fraction | None = None,
        time_base: Fraction = Fraction(1, 25),
        start: Fraction = Fraction(0),
        aspect: Fraction | None = None,
    ) -> None:
        self._out = out
        self._rate = rate or Fraction(25)
        self._time_base = time_base
        self._start = round(start / time_base)
        self._aspect = aspect or Fraction(0)
        self._next = 0
        self._begun = False

    @classmethod
    def of_stream(cls, out: TextIO, stream: Stream) -> FrameHash:
        """For the pictures of a demuxed stream."""
        return cls(out, rate=stream.rate, time_base=stream.time_base, start=stream.start, aspect=stream.aspect)

    def write(self, picture: Timed) -> None:
        """Hashes one picture and prints its line."""
        if not self._begun:
            self._print_header(picture)
        number = self._number(picture.timestamp)
        size = FILE_LAYOUTS[picture.pixel_format].packed_size(picture.width, picture.height)
        print(f"0, {number:10}, {number:10}, {1:8}, {size:8}, {self.digest(picture)}", file=self._out)
        self._next = number + 1

    @staticmethod
    def digest(picture: Raster) -> str:
        """The MD5 sum of the visible samples without padding."""
        digest = hashlib.md5(usedforsecurity=False)
        for piece in packed(picture):
            digest.update(piece)
        return digest.hexdigest()

    def _number(self, timestamp: int | None) -> int:
        """The timestamp in pictures; the next one when the stream does not say."""
        return self._next if timestamp is None else round((timestamp - self._start) * self._time_base * self._rate)

    def _print_header(self, picture: Raster) -> None:
        from paracore import __version__  # noqa: PLC0415 - the package imports this module lazily

        self._begun = True
        unit = 1 / self._rate
        lines = (
            "#format: frame checksums",
            "#version: 2",
            "#hash: MD5",
            f"#software: paracore {__version__}",
            f"#tb 0: {unit.numerator}/{unit.denominator}",
            "#media_type 0: video",
            "#codec_id 0: rawvideo",
            f"#dimensions 0: {picture.width}x{picture.height}",
            f"#sar 0: {self._aspect.numerator}/{self._aspect.denominator}",
            "#stream#, dts,        pts, duration,     size, hash",
        )
        print(*lines, sep="\n", file=self._out)
