# SPDX-License-Identifier: Apache-2.0
"""YUV4MPEG2 (``.y4m``): a text header, then ``FRAME`` and the packed planes of each picture.

The header is written as FFmpeg writes it, and any order of its tags is read.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, BinaryIO

from paracore._errors import MediaError
from paracore.media._raster import PictureFile, RasterFormat, packed, read_planes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paracore.media._raster import Plane, Raster

__all__ = ["Y4M_FORMATS", "Y4mReader", "Y4mWriter"]

_MAGIC = b"YUV4MPEG2"
#: Octets of a header line: far beyond any real one, it bounds what is read of a file that is none.
_LINE_MAX = 1024

#: The C tag of each pixel format. 4:2:0 with 8 bits says where its chroma lies.
Y4M_FORMATS = {
    "yuv420p": "420jpeg",
    "yuv422p": "422",
    "yuv444p": "444",
    "yuv411p": "411",
    "gray": "mono",
    "yuv420p10le": "420p10",
    "yuv422p10le": "422p10",
    "yuv444p10le": "444p10",
    "gray10le": "mono10",
    "yuv420p12le": "420p12",
    "yuv422p12le": "422p12",
    "yuv444p12le": "444p12",
}
_CHROMA = {"center": "420jpeg", "left": "420mpeg2", "topleft": "420paldv"}
_FORMATS_BY_TAG = {tag: name for name, tag in Y4M_FORMATS.items()} | dict.fromkeys(
    [*_CHROMA.values(), "420"], "yuv420p"
)
_CHROMA_BY_TAG = {tag: place for place, tag in _CHROMA.items()}


class Y4mWriter:
    """Writes pictures of one format.

    Args:
        file: open for writing in binary; stays the caller's.
        raster: what the pictures have in common.

    Raises:
        MediaError: y4m has no tag for the pixel format.
    """

    def __init__(self, file: BinaryIO, raster: RasterFormat) -> None:
        self._file = PictureFile(file)
        self._file.write([memoryview(_header(raster))])

    def write(self, picture: Raster) -> None:
        """Writes one picture, whole or not at all."""
        self._file.write([memoryview(b"FRAME\n"), *packed(picture)])


class Y4mReader:
    """Reads pictures; ``format`` says what they have in common.

    Raises:
        MediaError: it is no y4m, or of a kind that no pixel format of paracore fits.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._name = name
        self.format = _parse(_read_line(file, name), name)

    def read_into(self, planes: Sequence[Plane]) -> bool:
        """Fills the planes with the next picture; False at the end.

        Raises:
            MediaError: the file is cut short or corrupt.
        """
        line = self._file.readline(_LINE_MAX)
        if not line:
            return False
        if not line.startswith(b"FRAME"):
            raise MediaError(f"{self._name}: is corrupt: a picture does not begin with FRAME")
        try:
            if read_planes(self._file, planes):
                return True
        except EOFError:
            pass
        raise MediaError(f"{self._name}: is cut short within a picture")


def _header(raster: RasterFormat) -> bytes:
    tag = Y4M_FORMATS.get(raster.pixel_format)
    if tag is None:
        raise MediaError(f"y4m cannot hold {raster.pixel_format}; choose a raw file or --format yuv420p")
    if raster.pixel_format == "yuv420p":
        tag = _CHROMA[raster.chroma]
    rate, aspect = raster.rate or Fraction(25), raster.aspect or Fraction(0)
    aspect_text = f"{aspect.numerator}:{aspect.denominator if aspect else 0}"
    extra = "" if tag.startswith("mono") else f" XYSCSS={tag.upper()}"
    if raster.color_range:
        extra += f" XCOLORRANGE={raster.color_range.upper()}"
    return (
        f"YUV4MPEG2 W{raster.width} H{raster.height} F{rate.numerator}:{rate.denominator} "
        f"I{raster.interlacing} A{aspect_text} C{tag}{extra}\n"
    ).encode()


def _read_line(file: BinaryIO, name: str) -> bytes:
    line = file.readline(_LINE_MAX)
    if not line.startswith(_MAGIC + b" ") or not line.endswith(b"\n"):
        raise MediaError(f"{name}: is empty" if not line else f"{name}: is not a y4m file")
    return line


def _parse(line: bytes, name: str) -> RasterFormat:
    tags = {word[:1]: word[1:] for word in line.decode("ascii", "replace").split()[1:] if word[0] != "X"}
    tag = tags.get("C", "420jpeg")
    if tag not in _FORMATS_BY_TAG:
        raise MediaError(f"{name}: its chroma format C{tag} has no pixel format here")
    try:
        return RasterFormat(
            pixel_format=_FORMATS_BY_TAG[tag],
            width=_positive(tags["W"]),
            height=_positive(tags["H"]),
            rate=_ratio(tags.get("F", "0:0")),
            aspect=_ratio(tags.get("A", "0:0")),
            interlacing=tags.get("I", "?"),
            chroma=_CHROMA_BY_TAG.get(tag, "center"),
            color_range=_color_range(line),
        )
    except (KeyError, ValueError) as error:
        raise MediaError(f"{name}: its y4m header is corrupt") from error


def _positive(text: str) -> int:
    if not 0 < int(text) <= 16384:  # paracore.toml: dimension_max
        raise ValueError(text)
    return int(text)


def _ratio(text: str) -> Fraction | None:
    numerator, _, denominator = text.partition(":")
    return Fraction(int(numerator), int(denominator)) if int(denominator) else None


def _color_range(line: bytes) -> str:
    _, found, rest = line.partition(b" XCOLORRANGE=")
    return rest.split()[0].decode("ascii", "replace").lower() if found else ""
