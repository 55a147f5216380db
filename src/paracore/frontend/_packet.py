# SPDX-License-Identifier: Apache-2.0
"""Compressed data on its way to a decoder or from an encoder: one access unit each.

Timestamps count in a unit of the caller's choice (a container's time base, say) and come back with the pictures. Beyond that
they only serve to find out, where they say so, which of two pictures is shown first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing_extensions import Buffer

__all__ = ["EncodedPacket", "Packet"]


class Packet(NamedTuple):
    """One access unit for a decoder."""

    data: Buffer
    timestamp: int | None = None
    duration: int = 0
    key: bool = False
    #: Decode it, but deliver no picture of it (a container's edit list may ask for that).
    discard: bool = False


class EncodedPacket(NamedTuple):
    """One access unit from an encoder."""

    data: bytes
    timestamp: int | None
    decode_timestamp: int | None
    duration: int
    key: bool
    #: The first after another device took over: a key one, and what was before it is not referred to.
    discontinuity: bool = False
    #: With ``discontinuity``: pictures sent before this one of which there will be no access unit.
    lost: int = 0
