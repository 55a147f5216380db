# SPDX-License-Identifier: Apache-2.0
"""What one domain holds, against its limits: channels, grants and their octets.

Counted by whoever hands them out: the supervisor, and in a Xen guest the frontend daemon for all its
processes. Sessions and outstanding calls are counted where they are, in the worker (``backend._books``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from paracore._errors import QuotaExceeded

__all__ = ["Limits", "Quota"]


class Limits(Protocol):
    """What one domain may hold at most."""

    @property
    def channels(self) -> int: ...

    @property
    def buffers(self) -> int: ...

    @property
    def bytes(self) -> int: ...


@dataclass(slots=True)
class Quota:
    """Counts up to the limits and no further."""

    limits: Limits
    channels: int = 0
    buffers: int = 0
    bytes: int = 0

    def enter_channel(self) -> None:
        """Counts a channel.

        Raises:
            QuotaExceeded: the domain has as many as it may have.
        """
        self._check("channels", self.channels + 1, self.limits.channels)
        self.channels += 1

    def leave_channel(self) -> None:
        """The reverse."""
        self.channels -= 1

    def enter_grant(self, length: int) -> None:
        """Counts a grant of so many octets.

        Raises:
            QuotaExceeded: there are too many grants, or octets.
        """
        self._check("buffers", self.buffers + 1, self.limits.buffers)
        self._check("bytes", self.bytes + length, self.limits.bytes)
        self.buffers += 1
        self.bytes += length

    def leave_grant(self, length: int) -> None:
        """The reverse."""
        self.buffers -= 1
        self.bytes -= length

    @staticmethod
    def _check(limit: str, wanted: int, allowed: int) -> None:
        if wanted > allowed:
            raise QuotaExceeded(limit, allowed)
