# SPDX-License-Identifier: Apache-2.0
"""Files of the kernel's own codec: one frame after another, each behind a header, as ``v4l2-ctl`` writes them.

libav does not know the format. A header is eleven big-endian words (Linux, codec-fwht.h): two of magic, version,
width, height, flags, four of colour, and the octets that follow.
"""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path
from struct import Struct
from typing import IO, TYPE_CHECKING, Final

from paracore._errors import MediaError
from paracore.frontend._packet import Packet
from paracore.media._demux import Stream

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FwhtStream", "fwht_file"]

_HEADER: Final = Struct(">8s9I")
_MAGIC: Final = b"\x4f\x4f\x4f\x4f\xff\xff\xff\xff"
_KEY: Final = 1 << 10
_FRAME_MAX: Final = 1 << 28
"""Octets of a frame: four a sample at the largest size that the codec takes are a quarter of it."""


class FwhtStream(Stream):
    """As ``Stream``. The file says nothing of time: a picture lasts one unit of a twenty-fifth of a second."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file = file
        self._name = name
        self._next = self._read()
        if self._next is None:
            raise MediaError(f"{name}: is empty")
        self.codec = "fwht"
        self.time_base = Fraction(1, 25)
        self.rate = self.aspect = self.frames = None
        _, _, self.width, self.height, *_ = _HEADER.unpack_from(self._next)
        self.start = Fraction(0)
        self.refused = 0
        self.cut_short = False

    def __iter__(self) -> Iterator[Packet]:
        number = 0
        while (unit := self._next) is not None:
            flags = _HEADER.unpack_from(unit)[4]
            self._next = self._read()
            yield Packet(unit, number, 1, bool(flags & _KEY))
            number += 1

    def _read(self) -> bytes | None:
        """The next frame with its header; None after the last whole one."""
        header = self._file.read(_HEADER.size)
        if len(header) < _HEADER.size:
            self.cut_short = bool(header)
            return None
        magic, *_, size = _HEADER.unpack(header)
        if magic != _MAGIC or size > _FRAME_MAX:
            raise MediaError(f"{self._name}: is no FWHT stream, or is corrupt")
        octets = self._file.read(size)
        self.cut_short = len(octets) < size
        return None if self.cut_short else header + octets

    def close(self) -> None:
        if self._file is not sys.stdin.buffer:
            self._file.close()


def fwht_file(name: str) -> IO[bytes]:
    """Where frames are written one after another.

    Raises:
        MediaError: the name says that it is to be something else.
    """
    if name == "-":
        return sys.stdout.buffer
    if Path(name).suffix.lower() != ".fwht":
        raise MediaError(f"{name}: a file of this kind cannot hold fwht; try .fwht")
    return Path(name).open("wb")
