# SPDX-License-Identifier: Apache-2.0
"""The container side, in the domain: what turns files into access units and pictures into files.

Nothing here talks to a backend, and the backend never imports it: a container is parsed by the one
who trusts it, with the rights of the one who opened it.
"""

from paracore.media._convert import FILE_LAYOUTS, Converter, Image
from paracore.media._demux import LIBAV_CODECS, Stream, demux
from paracore.media._framehash import FrameHash
from paracore.media._mux import Muxer
from paracore.media._raster import Raster, RasterFormat, empty_planes
from paracore.media._rawfile import RawReader, RawWriter
from paracore.media._y4m import Y4M_FORMATS, Y4mReader, Y4mWriter

__all__ = [
    "FILE_LAYOUTS",
    "LIBAV_CODECS",
    "Y4M_FORMATS",
    "Converter",
    "FrameHash",
    "Image",
    "Muxer",
    "Raster",
    "RasterFormat",
    "RawReader",
    "RawWriter",
    "Stream",
    "Y4mReader",
    "Y4mWriter",
    "demux",
    "empty_planes",
]
