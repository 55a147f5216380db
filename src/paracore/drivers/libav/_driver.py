# SPDX-License-Identifier: Apache-2.0
"""The device: what this machine's libavcodec can do."""

from __future__ import annotations

import ctypes

from paracore._native._libav import ffi, lib
from paracore.classes import video
from paracore.drivers import CallFailed, Driver
from paracore.drivers.libav._gate import LibavGate
from paracore.drivers.libav._session import Session
from paracore.protocol import DIMENSION_MAX

__all__ = ["LibavDriver"]

_TRIM = getattr(ctypes.CDLL(None), "malloc_trim", None)
"""Of glibc, others keep nothing. Found here, as a worker may load nothing any more."""


class LibavDriver(Driver):
    """See the package.

    Args:
        name: of the device.
        threads: of a codec whose session does not say; 0 leaves it to the codec, which takes one per core or so.
        threads_max: bounds what a session can ask for; 0 does not.
        codecs: the names of those that domains may use, with spaces between; empty: all that libavcodec has.

    Raises:
        TypeError: `codecs` names what is no codec of the video class.
    """

    is_processor = True

    def __init__(self, name: str, *, threads: int = 0, threads_max: int = 0, codecs: str = "") -> None:
        self.name = name
        self._codecs = [_codec(word) for word in codecs.split()] or list(video.Codec)
        self._threads = min(threads or threads_max, threads_max or threads)
        self._threads_max = threads_max
        self._gate: LibavGate | None = None

    def capabilities(self) -> list[video.CapabilityQueryReply]:
        """The codecs of the wire that this libavcodec has."""
        every = (_capability(codec, direction) for direction in video.Direction for codec in self._codecs)
        return [capability for capability in every if capability.pixel_formats]

    def open(self, codec: video.Codec, direction: video.Direction, flags: video.OpenFlag) -> Session:
        """A session with a thread of its own."""
        if codec not in self._codecs:
            raise CallFailed(video.Error.NOT_SUPPORTED)
        return Session(codec, direction, flags, self._threads, self._threads_max, gate=self._gate)

    def rest(self) -> None:
        """What codecs have given back is the C library's for the next ones: the kernel gets it."""
        if _TRIM:
            _TRIM(0)

    def trace(self, address: int) -> None:
        """The glue records jobs and waits."""
        lib.paracore_trace_begin(ffi.cast("void *", address))

    def share(self) -> LibavGate:
        """All sessions pass it before each unit."""
        self._gate = LibavGate()
        return self._gate


def _codec(word: str) -> video.Codec:
    try:
        return video.Codec[word.upper()]
    except KeyError:
        known = " ".join(codec.name.lower() for codec in video.Codec)
        raise TypeError(f"codecs: there is no {word!r}, only {known}") from None


def _capability(codec: video.Codec, direction: video.Direction) -> video.CapabilityQueryReply:
    pixel_formats, controls, flags = ffi.new("uint64_t *"), ffi.new("uint64_t *"), ffi.new("uint32_t *")
    lib.paracore_codec_capability(codec, direction, pixel_formats, controls, flags)
    size = (DIMENSION_MAX, DIMENSION_MAX)
    return video.CapabilityQueryReply(
        codec, direction, video.CapabilityFlag(flags[0]), *size, pixel_formats[0], controls[0]
    )
