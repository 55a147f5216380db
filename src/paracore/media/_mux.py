# SPDX-License-Identifier: Apache-2.0
"""From an encoder's access units to a container or an elementary stream, in the domain.

The container is chosen by the file's name. Parameter sets are taken from the stream itself.
"""

from __future__ import annotations

import io
import sys
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Self

import av
from av.bitstream import BitStreamFilterContext

from paracore._errors import MediaError
from paracore.media._fwht import fwht_file

if TYPE_CHECKING:
    import os

    from paracore.frontend._packet import EncodedPacket

__all__ = ["Muxer"]

#: libav's names of the wire's codecs, and the format in which each stands alone in a file.
_ALONE = {
    "h264": "h264",
    "hevc": "hevc",
    "vp8": "ivf",
    "vp9": "ivf",
    "av1": "ivf",
    "mpeg2": "mpeg2video",
    "mpeg4": "m4v",
    "mjpeg": "mjpeg",
}
_LIBAV_NAMES = {"mpeg2": "mpeg2video"}
#: Suffixes which libav does not know or knows as something else.
_SUFFIXES = {".264": "h264", ".265": "hevc", ".obu": "obu", ".es": ""}


class Muxer:
    """Writes one video stream.

    Args:
        target: the file's name; ``"-"`` is standard output and gets the bare stream.
        codec: the wire's name.
        width: columns of the pictures.
        height: rows of the pictures.
        time_base: seconds in one unit of the packets' timestamps.
        rate: pictures per second.

    Raises:
        MediaError: no such container, or it cannot hold the codec.
        OSError: the file cannot be written.
    """

    def __init__(
        self,
        target: str | os.PathLike[str],
        codec: str,
        *,
        width: int,
        height: int,
        time_base: Fraction,
        rate: Fraction | None = None,
    ) -> None:
        self._time_base = time_base
        self._unknown = codec == "vp9"
        self._size = (width, height)
        name = str(target)
        self._file = fwht_file(name) if codec == "fwht" else None
        if self._file:
            return
        suffix = Path(name).suffix.lower()
        container = (
            _ALONE[codec] if name == "-" else _SUFFIXES.get(suffix) or (_ALONE[codec] if suffix == ".es" else None)
        )
        try:
            self._container = av.open(sys.stdout.buffer if name == "-" else f"file:{name}", "w", format=container)
        except (ValueError, av.error.MuxerNotFoundError) as error:
            raise MediaError(
                f"{name}: no container is known by that name; try .mp4, .mkv, .webm or .{codec}"
            ) from error
        try:
            self._stream = self._container.add_mux_stream(
                _LIBAV_NAMES.get(codec, codec), rate, width=width, height=height, time_base=time_base
            )
        except ValueError as error:
            self._container.close()
            raise MediaError(f"{name}: a file of this kind cannot hold {codec}; try .mkv") from error

    def write(self, packet: EncodedPacket) -> None:
        """Writes one access unit, in decoding order."""
        if self._file:
            self._file.write(packet.data)
            return
        if self._unknown:
            _describe(self._stream, packet, *self._size)
            self._unknown = False
        self._container.mux_one(_unit(packet, self._stream, self._time_base))

    def close(self) -> None:
        """Writes what belongs at the end. Idempotent."""
        if not self._file:
            self._container.close()
        elif self._file is not sys.stdout.buffer:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _unit(packet: EncodedPacket, stream: av.stream.Stream, time_base: Fraction) -> av.Packet[av.stream.Stream]:
    unit: av.Packet[av.stream.Stream] = av.Packet(packet.data)
    unit.stream = stream
    unit.time_base = time_base
    unit.pts, unit.dts, unit.duration = packet.timestamp, packet.decode_timestamp, packet.duration
    unit.is_keyframe = packet.key
    return unit


def _describe(stream: av.stream.Stream, packet: EncodedPacket, width: int, height: int) -> None:
    """Completes a stream's parameters by what libav finds in its first packet.

    VP9 has no parameter sets, yet mp4 wants profile, level and pixel format in its header.
    """
    memory = io.BytesIO()
    with av.open(memory, "w", format="matroska") as container:
        probe = container.add_mux_stream("vp9", width=width, height=height)
        container.mux_one(_unit(packet, probe, Fraction(1, 1000)))
    memory.seek(0)
    with av.open(memory, "r") as found:
        BitStreamFilterContext("null", found.streams.video[0], stream)
