# SPDX-License-Identifier: Apache-2.0
"""When a worker has to look at its sessions for one that hangs, and which of them do.

Sans-I/O: it is asked with the time, and trusts the drivers' word on their jobs. While no session has anything to do, or
all wait for their domain, there is no moment to wake up for: an idle worker costs nothing. Else there is one, at most
once in each deadline; what happens between two looks costs nothing either. A hang is found at its deadline, not
later, since no look lies further ahead than the shortest deadline.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paracore.backend._session import Session

__all__ = ["JobWatch"]

_log = logging.getLogger("paracore.worker")

_NS_PER_MS: Final = 1_000_000
_LATE: Final = 1_000_000_000
"""Nanoseconds by which a look may come too late. Beyond it the whole process has stood still, not the device."""


class JobWatch:
    """See the module. All times are nanoseconds of the monotonic clock."""

    def __init__(self) -> None:
        self._at: int | None = None
        self._rests = False

    def stir(self) -> None:
        """The worker has heard of something: whoever waited may be at work again."""
        self._rests = False

    def timeout_ms(self, sessions: Iterable[Session], now: int) -> int:
        """How long the worker may sleep; -1: until it hears of something."""
        if self._at is None and not self._rests:
            ahead = [session.deadline for session in sessions if session.works and session.deadline]
            self._at = now + min(ahead) if ahead else None
        return -1 if self._at is None else max(0, -((now - self._at) // _NS_PER_MS))

    def overdue(self, sessions: Iterable[Session], now: int) -> list[Session]:
        """Those that hang, if it is time to look for them."""
        if self._at is None or now < self._at:
            return []
        stood_still = now - self._at > _LATE
        ends = [(session, _end(session)) for session in sessions if session.works and session.deadline]
        at_work = [
            (session, now + session.deadline if stood_still else end) for session, end in ends if end is not None
        ]
        self._at = min((end for _, end in at_work if end > now), default=None)
        self._rests = self._at is None
        return [session for session, end in at_work if end <= now]


def _end(session: Session) -> int | None:
    """When the job that it is at has to be done; one whose driver cannot say so has no more time."""
    try:
        since = session.driver.busy_since()
    except Exception:  # noqa: BLE001 - whatever it is, it is this session's end
        _log.exception("session %d", session.number)
        return 0
    return None if since is None else since + session.deadline
