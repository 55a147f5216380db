# SPDX-License-Identifier: Apache-2.0
"""From a container or an elementary stream to access units, in the domain.

Containers are opened here and nowhere else: only elementary data crosses to the backend, in the
form that ``specs/paracore.toml`` gives each codec (h264 and hevc as Annex B, parameter sets in band).
"""

from __future__ import annotations

import os
import stat
import sys
from contextlib import contextmanager
from fractions import Fraction
from typing import IO, TYPE_CHECKING, Self

import av
from av.bitstream import BitStreamFilterContext

from paracore._errors import MediaError
from paracore.frontend._packet import Packet
from paracore.media._whole import is_cut_short

if TYPE_CHECKING:
    from collections.abc import Iterator

    from av.container import InputContainer
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

__all__ = ["LIBAV_CODECS", "Stream", "demux"]

#: libav's names of codecs and the wire's.
LIBAV_CODECS = {
    "h264": "h264",
    "hevc": "hevc",
    "vp8": "vp8",
    "vp9": "vp9",
    "av1": "av1",
    "mpeg2video": "mpeg2",
    "mpeg1video": "mpeg2",
    "mpeg4": "mpeg4",
    "mjpeg": "mjpeg",
}

#: Containers that keep the sequence header of MPEG-2 and MPEG-4 apart from the pictures.
_OUT_OF_BAND = ("mov", "matroska", "avi", "flv", "asf", "nut")


def demux(source: str | os.PathLike[str] | IO[bytes], *, codec: str | None = None) -> Stream:
    """Opens the video of a file, a file object, or standard input (``"-"``).

    Args:
        source: where to read.
        codec: the stream's format (``"h264"``), for raw elementary data without a telling name.

    Raises:
        MediaError: it holds no video that can be read; the message is one line for a person.
        OSError: the file cannot be opened.
    """
    name = _name(source)
    file = sys.stdin.buffer if source == "-" else os.fspath(source) if isinstance(source, str | os.PathLike) else source
    if codec == "fwht" or (codec is None and name.endswith(".fwht")):
        return _fwht(file, name)
    cut_short = False
    if isinstance(file, str):
        cut_short = _check_file(file)
        file = f"file:{file}"  # never a URL, whatever its name looks like
    with _media_errors(name):
        container = av.open(file, "r", format=_ELEMENTARY.get(codec) if codec else None)
    try:
        return Stream(container, name, cut_short=cut_short)
    except BaseException:
        container.close()
        raise


def _fwht(file: str | IO[bytes], name: str) -> Stream:
    from paracore.media._fwht import FwhtStream  # noqa: PLC0415 - which is a stream of this module's

    opened = open(file, "rb") if isinstance(file, str) else file  # noqa: PTH123, SIM115 - the stream closes it
    return FwhtStream(opened, name)


#: The wire's codec names and libav's raw demuxers.
_ELEMENTARY = {"h264": "h264", "hevc": "hevc", "mpeg2": "mpegvideo", "mpeg4": "m4v", "mjpeg": "mjpeg", "av1": "obu"}


class Stream:
    """The video stream of a container: an iterable of packets, once.

    Attributes:
        codec: the wire's name of it.
        time_base: seconds in one unit of the packets' timestamps.
        rate: pictures per second, None when unknown.
        width: columns, as the container says; the decoder knows better.
        height: rows, likewise.
        aspect: sample aspect ratio, None when unknown.
        start: the container's first timestamp in seconds, 0 when unknown.
        frames: how many pictures to expect, None when unknown.
        refused: packets so corrupt that they have been left out.
        cut_short: the file ends before its header says; complete once the packets have been read.
    """

    def __init__(self, container: InputContainer, name: str, *, cut_short: bool = False) -> None:
        self._container = container
        self._name = name
        self.cut_short = cut_short
        self.refused = 0
        self._stream = stream = _best_video(container, name)
        context: VideoCodecContext | None = stream.codec_context
        libav_name = context.codec.canonical_name if context is not None else "unknown to libav"
        if libav_name not in LIBAV_CODECS:
            raise MediaError(f"{name}: its video is {libav_name}, which has no paracore codec")
        self.codec = LIBAV_CODECS[libav_name]
        self.time_base = stream.time_base or Fraction(1, 25)
        self.rate = stream.guessed_rate or None
        self.width, self.height = stream.width, stream.height
        self.aspect = stream.sample_aspect_ratio or None
        self.start = Fraction(container.start_time or 0, av.time_base)
        self.frames = stream.frames or _estimate(container, self.rate)
        self._filter = _filter(container, stream)

    @property
    def packets(self) -> Iterator[Packet]:
        """The access units in the order of the stream."""
        return iter(self)

    def __iter__(self) -> Iterator[Packet]:
        demuxed_count = 0
        with _media_errors(self._name):
            for demuxed in self._container.demux(self._stream):
                demuxed_count += demuxed.size > 0
                self.cut_short |= demuxed.is_corrupt
                for unit in self._filtered(demuxed):
                    yield Packet(unit, unit.pts, unit.duration or 0, unit.is_keyframe, unit.is_discard)
        if self._container.format.name.startswith("mov"):  # its header counts the samples
            self.cut_short |= demuxed_count < self._stream.frames

    def _filtered(self, demuxed: av.Packet[VideoStream]) -> list[av.Packet[VideoStream]]:
        end = demuxed.size == 0
        if self._filter is None:
            return [] if end else [demuxed]
        try:
            return self._filter.filter(None if end else demuxed)
        except av.error.InvalidDataError:  # a decoder could make nothing of it either: the others go on
            self.refused += 1
            return []

    def close(self) -> None:
        """Closes the file. Idempotent."""
        self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _best_video(container: InputContainer, name: str) -> VideoStream:
    videos = [s for s in container.streams.video if not s.disposition & av.stream.Disposition.attached_pic]
    if not videos:
        found = ", ".join(sorted({s.type for s in container.streams})) or "nothing"
        raise MediaError(f"{name}: holds no video ({found} only)")
    best = container.streams.best("video")
    return best if best in videos else videos[0]


def _estimate(container: InputContainer, rate: Fraction | None) -> int | None:
    return round(container.duration * rate / av.time_base) if container.duration and rate else None


def _filter(container: InputContainer, stream: VideoStream) -> BitStreamFilterContext | None:
    """The bitstream filter which brings the container's form into the wire's."""
    name, extradata = stream.codec_context.codec.canonical_name, stream.codec_context.extradata or b""
    if name in ("h264", "hevc") and extradata[:1] == b"\1":  # ISO/IEC 14496-15: a configuration record's version
        return BitStreamFilterContext(f"{name}_mp4toannexb", stream)
    if name in ("mpeg4", "mpeg2video") and extradata and container.format.name.startswith(_OUT_OF_BAND):
        return BitStreamFilterContext("dump_extra=freq=keyframe", stream)
    return None


def _check_file(path: str) -> bool:
    """Raises what the system or common sense has against a file, before libav's vaguer words."""
    with open(path, "rb") as file:  # noqa: PTH123 - a str all the way
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return False
        if not file.peek(1):
            raise MediaError(f"{path}: is empty")
    return is_cut_short(path)


def _name(source: object) -> str:
    return "standard input" if source == "-" else str(getattr(source, "name", source))


@contextmanager
def _media_errors(name: str) -> Iterator[None]:
    """Errors of libav about the data become one line about the file; those of the system stay."""
    try:
        yield
    except av.error.InvalidDataError as error:
        raise MediaError(f"{name}: is not a media file, or is cut short or corrupt") from error
    except av.error.FFmpegError as error:
        if isinstance(error, OSError):
            raise
        raise MediaError(f"{name}: cannot be read as video ({error.strerror or error})") from error
