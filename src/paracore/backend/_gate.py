# SPDX-License-Identifier: Apache-2.0
"""A device's time as one worker has it, where the driver's jobs are begun from here: a gate in front of its sessions.

Sans-I/O, on a given clock, on the worker's one thread. Units of work (``_gated``) pass it only while the device is leased, and
its time is what the sessions' jobs took, together: two jobs at once count once, and a job that waits for the domain
does not count. What was begun is ended, with a lease or without; so no more units are let through than the lease is good
for, as far as is known from those before them, and one at least. What it costs more is told and paid for later.

The worker trusts its drivers' word on their jobs. The supervisor trusts neither, see ``_sharing``.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Final, Protocol

from paracore.drivers import GateWords

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["GRACE", "UnitGate", "Waiter"]

_MS: Final = 1_000_000
_ENDLESS: Final = (1 << 63) - 1
GRACE: Final = 2 * _MS
"""A domain whose program answers each picture has work again in a moment: a lease that is not used up is kept so long."""
_TOLD: Final = 20 * _MS
"""Device time of which the supervisor is told at once, though the lease goes on: a turn's worth, as accounts go."""


class Waiter(Protocol):
    """A session with a gate before it."""

    @property
    def busy(self) -> bool:
        """Whether the device is at a job of its."""

    @property
    def expected(self) -> int:
        """Nanoseconds that its units in the driver will take, as far as is known."""

    @property
    def has_news(self) -> bool:
        """Whether there is something to tell that its descriptor does not tell."""

    def go(self) -> bool:
        """Hands its next unit over; says whether another one may follow. Raises nothing."""


class UnitGate:
    """See the module.

    Args:
        clock: nanoseconds of the monotonic clock.
    """

    def __init__(self, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock = clock
        self._sessions: list[Waiter] = []
        self._line: deque[Waiter] = deque()
        self._number = 0
        self._leased = self._limited = False
        self._fresh = False
        """Nothing has been done with the lease yet."""
        self._asked = False
        """The supervisor has been told that there is work."""
        self._ends = 0
        self._used = self._counted = self._told = 0
        self._idle_since: int | None = None

    # --- the supervisor's words, and those to it --------------------------------------------------------

    def lease(self, number: int, budget: int) -> None:
        """So many nanoseconds from now, see ``worker.device_lease``."""
        if not self._leased and number == self._number:
            return  # it is about a lease that is on its way back
        self._fresh = bool(budget) and (self._fresh or number != self._number)
        self._leased, self._asked, self._number = True, False, number
        self._limited = budget < _ENDLESS
        self._ends = self._used + budget

    def words(self) -> GateWords:
        """What the supervisor is to be told now, once."""
        release = self._releases()
        want = bool(self._line) and (release or not (self._leased or self._asked))
        if release:
            self._leased = self._fresh = self._asked = False
            self._idle_since = None
        self._asked |= want
        return GateWords(release, want, self._number)

    def used(self) -> int:
        """Nanoseconds of device time of which the supervisor is to be told now, before the words: once."""
        new = self._used - self._told
        if new < _TOLD and not self._releases():
            return 0
        self._told = self._used
        return new

    def timeout_ms(self) -> int:
        """How long may be slept until there are words by the mere passing of time, rounded up; -1: until something happens."""
        if self._idle_since is None:
            return -1
        return max(0, -(-(self._idle_since + GRACE - self._clock()) // _MS))

    # --- the sessions' ------------------------------------------------------------------------------------

    def enter(self, waiter: Waiter) -> None:
        """A session has been opened."""
        self._sessions.append(waiter)

    def leave(self, waiter: Waiter) -> None:
        """It has ended. Idempotent."""
        self.withdraw(waiter)
        if waiter in self._sessions:
            self._sessions.remove(waiter)

    def opens(self) -> bool:
        """Whether a unit may go at once. Nobody goes past those who wait."""
        return not self._line and self._pass()

    def wait(self, waiter: Waiter) -> None:
        """It has a unit that the driver has room for, and waits behind the others, if it does not already."""
        if waiter not in self._line:
            self._line.append(waiter)

    def withdraw(self, waiter: Waiter) -> None:
        """It waits no more, if it did."""
        if waiter in self._line:
            self._line.remove(waiter)

    def count(self, used: int) -> int:
        """So much of the device's time has been used, and that is what it returns."""
        self._used += used
        return used

    def measure(self, since: int) -> int:
        """The device has been at a job since then, and is not any more, or at another one. Returns what that adds."""
        now = self._clock()
        before, self._counted = self._counted, max(self._counted, now)
        return self.count(max(0, now - max(since, before)))

    def turn(self) -> bool:
        """Lets through what may go now, in turns, a unit each. Returns whether any session has news."""
        while self._line and self._pass():
            waiter = self._line.popleft()
            if waiter.go():
                self.wait(waiter)
        self._watch_idle()
        return any(each.has_news for each in self._sessions)

    # --- inside -------------------------------------------------------------------------------------------

    def _pass(self) -> bool:
        """A new lease is good for a unit, however small it is: one that is used up by telling of it would lead nowhere."""
        if not self._leased or not (self._fresh or not self._spent()):
            return False
        self._fresh = False
        return True

    def _spent(self) -> bool:
        return self._limited and self._used + sum(each.expected for each in self._sessions) >= self._ends

    def _is_idle(self) -> bool:
        """Whether there is nothing to be done with the lease: no job, and no unit that may go."""
        return not any(each.busy for each in self._sessions) and not (self._line and (self._fresh or not self._spent()))

    def _watch_idle(self) -> None:
        if not (self._leased and self._limited and self._is_idle()):
            self._idle_since = None
        elif self._idle_since is None:
            self._idle_since = self._clock()

    def _releases(self) -> bool:
        """Whether the lease goes back: it is used up, or nobody has had work for a moment."""
        self._watch_idle()
        if self._idle_since is None:
            return False
        return bool(self._line) or self._used >= self._ends or self._clock() >= self._idle_since + GRACE
