# SPDX-License-Identifier: Apache-2.0
"""How high a device's clock is to be kept: what it needed lately, from the time that it was at work.

Sans-I/O, on a given clock. Who comes is given the most for a moment, since nobody knows yet what he needs; from then on it
is what was used: half of the time at half of the highest clock needs a quarter of it, and something to spare, so that a load
that grows is seen before it fills all of the time. More is asked for at once, less after a second. The workers say what
they have used: one that lies keeps the clock up, or has it left to its governor.
"""

from __future__ import annotations

from collections import deque
from typing import Final

__all__ = ["PERIOD", "ClockFloor"]

PERIOD: Final = 0.25
"""Seconds between two looks: some pictures of any film, so that it is no matter where in a period they lie."""
_PERIODS: Final = 4
"""So many of them are remembered, and the highest counts."""
_TO_SPARE: Final = 1.25
"""What the kernel's own governor of processors (schedutil) adds to a load."""
_NS: Final = 1_000_000_000


class ClockFloor:
    """See the module.

    Args:
        most: the part of the highest clock that it is never kept above.
    """

    def __init__(self, most: float) -> None:
        self._most = most
        self._needs: deque[float] = deque(maxlen=_PERIODS)
        self._since = 0.0
        self._used = 0

    def begin(self, now: float, *, comes: bool) -> None:
        """A period begins after a rest; with `comes` somebody is about to work, of whom nothing is known."""
        self._since, self._used = now, 0
        if comes:
            self._needs.append(self._most)

    def use(self, used: int) -> None:
        """So many nanoseconds of device time; two jobs at once may count twice."""
        self._used += used

    def look(self, now: float, clock: float) -> float:
        """A period ends, in which the clock was at this part of the highest.

        Returns:
            The part that it is not to fall below; 0: nothing has been done for as long as anything is remembered.
        """
        passed = (now - self._since) * _NS
        load = min(1.0, self._used / passed) if passed > 0 else 0.0
        self._needs.append(load * clock * _TO_SPARE)
        self._since, self._used = now, 0
        return self.part

    @property
    def part(self) -> float:
        """The same, as it was found last."""
        return min(self._most, max(self._needs, default=0.0))
