# SPDX-License-Identifier: Apache-2.0
"""What one domain holds in its worker, against what it may hold. Shared by all channels of the worker."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from paracore.backend._throttle import Throttle
from paracore.classes import video
from paracore.drivers import CallFailed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from paracore.classes import TraceEvent
    from paracore.drivers import Driver

__all__ = ["Books", "Device", "Mark", "WorkerLimits", "unmarked"]

Mark: TypeAlias = "Callable[[TraceEvent, int, int, int, int], None]"
"""Records something for whoever traces: what, channel, session, cookie, timestamp."""


def unmarked(event: TraceEvent, channel: int, session: int, cookie: int, timestamp: int) -> None:
    """Where there is no trace."""


class Device(NamedTuple):
    """One coprocessor as the worker has it."""

    name: str
    driver_name: str
    driver: Driver
    capabilities: Sequence[video.CapabilityQueryReply]
    job_deadline: float = 0.0
    """Seconds that a driver may be at one job; 0: as long as it likes."""


class WorkerLimits(NamedTuple):
    """The domain's limits of what it holds, see ``Limits`` of the configuration."""

    channels: int
    sessions: int
    buffers: int
    bytes: int
    outstanding: int


@dataclass(slots=True)
class Books:
    """Counts of what is held now and of what happened since the worker began."""

    devices: tuple[Device, ...]
    limits: WorkerLimits
    throttle: Throttle = field(default_factory=Throttle)
    mark: Mark = unmarked
    sessions: int = 0
    buffers: int = 0
    counts: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(
            (
                *("calls", "refused", "events", "sessions", "sessions_failed", "hangs"),
                *("inputs", "outputs", "errors", "octets_in", "octets_out", "copies"),
            ),
            0,
        )
    )

    def count(self, what: str, by: int = 1) -> None:
        """Counts something that happened."""
        self.counts[what] += by

    def enter_session(self) -> None:
        """Counts a session or refuses it."""
        self._check(self.sessions, video.Limit.SESSIONS, self.limits.sessions)
        self.sessions += 1
        self.counts["sessions"] += 1

    def enter_buffer(self) -> None:
        """Counts a buffer or refuses it."""
        self._check(self.buffers, video.Limit.BUFFERS, self.limits.buffers)
        self.buffers += 1

    def check_outstanding(self, outstanding: int) -> None:
        """Refuses one more of what a channel has outstanding."""
        self._check(outstanding, video.Limit.OUTSTANDING, self.limits.outstanding)

    @staticmethod
    def _check(held: int, limit: video.Limit, allowed: int) -> None:
        if held >= allowed:
            raise CallFailed(video.Error.NO_SPACE, limit, allowed)
