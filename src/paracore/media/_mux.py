# SPDX-License-Identifier: Apache-2.0
"""From an encoder's access units to a container or an elementary stream, in the domain.

The container is chosen by the file's name. Parameter sets are taken from the stream itself.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Self

import av

from paracore._errors import MediaError

if TYPE_CHECKING:
    import os
    from fractions import Fraction

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
        name = str(target)
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
        unit = av.Packet(packet.data)
        unit.stream = self._stream
        unit.time_base = self._time_base
        unit.pts, unit.dts, unit.duration = packet.timestamp, packet.decode_timestamp, packet.duration
        unit.is_keyframe = packet.key
        self._container.mux_one(unit)

    def close(self) -> None:
        """Writes what belongs at the end. Idempotent."""
        self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
