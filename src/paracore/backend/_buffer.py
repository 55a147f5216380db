# SPDX-License-Identifier: Apache-2.0
"""Buffers of one channel in the worker, and the check that every span passes before a driver sees it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paracore.classes import video
from paracore.drivers import CallFailed, Span

if TYPE_CHECKING:
    from paracore.transport import Mapping

__all__ = ["Buffer"]


class Buffer:
    """Attached pages of the domain.

    Attributes:
        lent: spans of it that drivers have.
    """

    __slots__ = ("grant", "lent", "mapping", "number")

    def __init__(self, number: int, grant: int, mapping: Mapping) -> None:
        self.number = number
        self.grant = grant
        self.mapping = mapping
        self.lent = 0

    def span(self, wanted: video.Span, *, write: bool) -> Span:
        """The span as a driver takes it; ``invalid`` when it leaves the buffer or may not be written."""
        mapping = self.mapping
        # Python's integers do not wrap: the sum is the sum.
        if wanted.offset + wanted.length > mapping.length or (write and mapping.read_only):
            raise CallFailed(video.Error.INVALID, allowed=mapping.length)
        return Span(mapping.address + wanted.offset, wanted.length, mapping.read_only)

    def whole(self) -> Span:
        """All of it."""
        return Span(self.mapping.address, self.mapping.length, self.mapping.read_only)
