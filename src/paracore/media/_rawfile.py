# SPDX-License-Identifier: Apache-2.0
"""Raw files: the packed planes of each picture and nothing else, so that size and format must be told."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from paracore._errors import MediaError
from paracore.media._raster import PictureFile, packed, read_planes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paracore.media._raster import Plane, Raster, RasterFormat

__all__ = ["RawReader", "RawWriter"]


class RawWriter:
    """Writes pictures of any format, also of several; ``file`` stays the caller's."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = PictureFile(file)

    def write(self, picture: Raster) -> None:
        """Writes one picture, whole or not at all."""
        self._file.write(packed(picture))


class RawReader:
    """Reads pictures of the format told."""

    def __init__(self, file: BinaryIO, name: str, raster: RasterFormat) -> None:
        self._file = file
        self._name = name
        self.format = raster

    def read_into(self, planes: Sequence[Plane]) -> bool:
        """Fills the planes with the next picture; False at the end.

        Raises:
            MediaError: the file ends within a picture.
        """
        try:
            return read_planes(self._file, planes)
        except EOFError as error:
            raster = self.format
            raise MediaError(
                f"{self._name}: ends within a picture of {raster.width}x{raster.height} {raster.pixel_format}; "
                "it is cut short, or --size or --format is wrong"
            ) from error
