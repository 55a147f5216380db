# SPDX-License-Identifier: Apache-2.0
"""What a worker has done so far, and when the supervisor is told of it, so that it is known when the worker is no more.

Sans-I/O, on a given clock. Nothing is woken for it: told it is while the worker is awake, a second apart, and when a
channel has ended. So a worker that dies takes a second of its counts with it at most.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from paracore.classes import worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from paracore.backend._books import Books
    from paracore.backend._session import Session

__all__ = ["Tally", "sums"]

_PAUSE: Final = 1_000_000_000


def sums(books: Books, sessions: Iterable[Session]) -> dict[str, int]:
    """Of all sessions, those that have ended and the given, which live; by the names of ``worker.Counted``."""
    counts = dict(books.counts)
    for session in sessions:
        for what, number in session.counts().items():
            counts[what] += number
    counts["throttled_ms"] = books.throttle.waited // 1_000_000
    return counts


class Tally:
    """See the module."""

    def __init__(self, books: Books, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._books = books
        self._clock = clock
        self._told = worker.Counted(**dict.fromkeys(worker.Counted._fields, 0))
        self._told_at = clock()

    def news(self, sessions: Iterable[Session], *, at_once: bool = False) -> worker.Counted | None:
        """What the supervisor is to be told now."""
        now = self._clock()
        if not at_once and now - self._told_at < _PAUSE:
            return None
        counted = worker.Counted(**sums(self._books, sessions))
        if counted == self._told:
            return None
        self._told, self._told_at = counted, now
        return counted
