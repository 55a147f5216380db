# SPDX-License-Identifier: Apache-2.0
"""Bounded rates: a peer can make the other end work, or write to its log, only so often."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

__all__ = ["BoundedLog", "Bucket", "printable"]

_TEXT_MAX = 200


class Bucket:
    """A token bucket: `burst` at once, `rate` a second in the long run."""

    __slots__ = ("_burst", "_clock", "_level", "_rate", "_then")

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._burst = burst
        self._level = burst
        self._clock = clock
        self._then = clock()

    def take(self) -> bool:
        """Whether one more is within the rate."""
        now = self._clock()
        self._level = min(self._burst, self._level + (now - self._then) * self._rate)
        self._then = now
        if self._level < 1:
            return False
        self._level -= 1
        return True

    def owe(self, count: int) -> None:
        """So many more have been taken, within the rate or not: the time to come pays for them."""
        self._level -= count

    def wait(self) -> float:
        """Seconds until one more is within the rate."""
        return max(0.0, (1 - self._level) / self._rate - (self._clock() - self._then))


class BoundedLog:
    """A log that a hostile peer can fill only so fast; what was left out is counted and told later."""

    def __init__(
        self,
        logger: logging.Logger,
        rate: float = 1.0,
        burst: float = 20.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._logger = logger
        self._bucket = Bucket(rate, burst, clock)
        self.suppressed = 0

    def write(self, level: int, text: str, *arguments: object) -> bool:
        """Writes one line, unless there were too many; says whether it did."""
        if not self._bucket.take():
            self.suppressed += 1
            return False
        if self.suppressed:
            self._logger.warning("%d lines of the same origin were left out", self.suppressed)
            self.suppressed = 0
        self._logger.log(level, text, *arguments)
        return True


def printable(text: str) -> str:
    """A peer's words for a log or a terminal: one line, no control characters, not too long."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:_TEXT_MAX])
