# SPDX-License-Identifier: Apache-2.0
"""Whether a file is as long as its own header says.

libav reads what is left of a file that was cut short and reports its end as if it were the real one.
A person should be told. Matroska and RIFF state their length in the first octets; for others ask
the demuxer (``Stream.cut_short``).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import BinaryIO

__all__ = ["is_cut_short"]

_EBML_HEADER = b"\x1a\x45\xdf\xa3"
_EBML_SEGMENT = b"\x18\x53\x80\x67"
#: Octets before the Segment: an EBML header is some 40 octets, a Void element may follow it.
_EBML_SEARCH = 4096


def is_cut_short(path: str) -> bool:
    """True when the header promises more octets than the file has; False when it does not say."""
    with open(path, "rb") as file:  # noqa: PTH123 - a str all the way
        head = file.read(_EBML_SEARCH)
        return _promised(head) > _length(file)


def _length(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def _promised(head: bytes) -> int:
    if head.startswith(b"RIFF"):
        return 8 + int.from_bytes(head[4:8], "little")
    if head.startswith(_EBML_HEADER):
        return _segment_end(head)
    return 0


def _segment_end(head: bytes) -> int:
    """Where a Matroska Segment ends, 0 when unknown (RFC 8794 section 4: a size of all ones)."""
    start = head.find(_EBML_SEGMENT)
    if start < 0 or start + 12 > len(head) or not head[start + 4]:
        return 0
    width = 9 - head[start + 4].bit_length()
    size = int.from_bytes(head[start + 4 : start + 4 + width], "big") & ((1 << 7 * width) - 1)
    unknown = (1 << 7 * width) - 1
    return 0 if size == unknown else start + 4 + width + size
