# SPDX-License-Identifier: Apache-2.0
"""What a decoder has learned of a stream's headers: the parameter sets that a new one needs before it can go on.

A stream may say its parameter sets once, at its beginning, and have access points without them ever after (H.264 from
a container at a recovery point, MPEG-2 without a repeated sequence header). Octets are the user's own and are only
looked through for start codes, as far as the unit's first picture data.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ParameterSets"]

_START = b"\0\0\1"

#: Sets kept, and octets of them: the standards allow 16, 32 and 256 of a kind, real streams have three. The oldest
#: are forgotten beyond that.
SETS_MAX = 320
OCTETS_MAX = 256 << 10
#: Octets of a unit that are looked through first: its picture data nearly always begins within them.
HEAD = 256


class _Syntax(NamedTuple):
    """How a codec's start codes read, from the octet behind them."""

    keeps: Callable[[int], bool]
    ends: Callable[[int], bool]
    """Picture data: no header follows in this unit."""


_SYNTAX: dict[str, _Syntax] = {
    # H.264 Table 7-1: sequence, picture, extension and subset parameter sets; slices.
    "h264": _Syntax(lambda octet: octet & 31 in (7, 8, 13, 15), lambda octet: 1 <= octet & 31 <= 5),
    # H.265 Table 7-1: video, sequence and picture parameter sets; all of the VCL.
    "hevc": _Syntax(lambda octet: octet >> 1 & 63 in (32, 33, 34), lambda octet: octet >> 1 & 63 < 32),
    # H.262 Table 6-1: sequence header and its extensions; picture and group headers.
    "mpeg2": _Syntax(lambda octet: octet in (0xB3, 0xB5), lambda octet: octet in (0x00, 0xB8)),
    # ISO/IEC 14496-2 Table 6-3: sequence, object, object layer; object plane.
    "mpeg4": _Syntax(lambda octet: octet <= 0x2F or octet in (0xB0, 0xB5), lambda octet: octet == 0xB6),
}


class ParameterSets:
    """Those of the units told of so far, in the order in which they were said last.

    Args:
        codec: by its name; one without a syntax here has all it needs in each access point.
    """

    def __init__(self, codec: str) -> None:
        self._syntax = _SYNTAX.get(codec)
        self._sets: dict[bytes, None] = {}
        self._octets = 0

    def take(self, octets: memoryview) -> None:
        """Looks through the head of a unit."""
        if self._syntax is None:
            return
        found, whole = _head_of(bytes(octets[:HEAD]), self._syntax)
        if not whole and len(octets) > HEAD:
            found, _ = _head_of(bytes(octets), self._syntax)
        for each in found:
            self._keep(each)

    def _keep(self, found: bytes) -> None:
        if found in self._sets:
            del self._sets[found]
        else:
            self._octets += len(found)
        self._sets[found] = None
        while self._octets > OCTETS_MAX or len(self._sets) > SETS_MAX:
            oldest = next(iter(self._sets))
            del self._sets[oldest]
            self._octets -= len(oldest)

    def __bytes__(self) -> bytes:
        """All of them, to be given before a unit."""
        return b"".join(b"\0" + each for each in self._sets)  # H.264 B.1.2: four octets before a parameter set


def _head_of(unit: bytes, syntax: _Syntax) -> tuple[list[bytes], bool]:
    """The sets before the picture data, and whether that was met."""
    found: list[bytes] = []
    start = unit.find(_START)
    while 0 <= start < len(unit) - 3:
        octet = unit[start + 3]
        if syntax.ends(octet):
            return found, True
        following = unit.find(_START, start + 3)
        if syntax.keeps(octet):
            found.append(unit[start : following if following >= 0 else len(unit)])
        start = following
    return found, False
