# SPDX-License-Identifier: Apache-2.0
"""How fast a domain may give work to its drivers: pictures and macroblocks a second, for all its sessions together.

Sans-I/O, on a given clock. There is one in each worker, so it does not matter by how many processes, channels or
sessions a domain comes. It refuses nothing: a session whose next unit is too much now waits in a line, in which
sessions have turns, a unit each.

What it promises: within any time, units are let go for no more than the burst (or one unit that is worth more than
that) and the rate, of that time and ``LATENESS``. To have credit for a unit it need be there in full only up to the
burst; the rest is a debt, and so is what turns out to be worth more when it is there. A debt outlives the worker: it is
told (``news``), and the next one begins with what is left of it.

It is a limit for who keeps to the protocol, however greedily. A domain that has taken over its worker is not bound by
it but by what the supervisor counts by itself, device time and the limits of storage.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from paracore.backend._allowance import Allowance

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["LATENESS", "Cost", "Debt", "Rate", "Throttle", "Waiter"]

_MS: Final = 1_000_000
_SECOND: Final = 1_000_000_000
LATENESS: Final = 2 * _MS
"""A sleep ends up to a millisecond and a wake-up late. What gathers meanwhile is kept beyond the burst, which a small
one would lose each time."""
_UNTOLD: Final = 20 * _MS
"""A debt that is less, by the rate, need not be told: with each worker that dies so much is forgiven."""
_OWED_MAX: Final = 3600 * _SECOND
"""What is owed, by the rate, at most when a worker begins. Bounds the harm that one which was taken over does to the next."""
_PATIENCE_MS: Final = 3_600_000
"""The longest sleep for which the loop is asked: a rate may be next to nothing, its argument is an int."""


class Rate(NamedTuple):
    """So many a second in the long run, 0: as many as there are; and so many at once after a rest."""

    per_second: float = 0.0
    burst: float = 1.0


class Cost(NamedTuple):
    """What a unit is worth; where more was charged than it turned out to be, less than nothing."""

    pictures: int
    macroblocks: int


class Debt(NamedTuple):
    """What was let go beyond the rates, in all: so much at that time, by the clock."""

    pictures: float = 0.0
    macroblocks: float = 0.0
    at: int = 0


class _Limit(NamedTuple):
    """One rate: which field of a cost it counts, and what of its debt has been told."""

    field: int
    burst: float
    allowance: Allowance
    told: Allowance

    def least(self, cost: Cost) -> float:
        """What must be there for it."""
        return min(cost[self.field], self.burst)

    def is_news(self, now: int) -> bool:
        """Whether what is owed is not what time alone has made of what was told."""
        level = min(0.0, self.allowance.refresh(now))
        return abs(level - self.told.refresh(now)) > self.told.rate * _UNTOLD

    def tell(self, now: int) -> float:
        """What is owed, as who hears it knows from now on."""
        self.told.level = min(0.0, self.allowance.refresh(now))
        self.told.then = now
        return -self.told.level


class Waiter(Protocol):
    """A session with units that wait."""

    @property
    def cost(self) -> Cost:
        """Of the unit that is next."""

    @property
    def has_news(self) -> bool:
        """Whether there is something to tell that its descriptor does not tell."""

    def go(self) -> bool:
        """Hands that unit over; says whether another one waits. Raises nothing."""


class Throttle:
    """See the module.

    Args:
        pictures, macroblocks: the rates.
        since: when credit began to gather, by the clock: a domain gets no new burst by a new worker.
        owed: what was told of last, by the worker before.
        clock: nanoseconds.

    Attributes:
        given: octets let go for nothing since the last unit that was paid for; its sessions count them.
    """

    def __init__(
        self,
        pictures: Sequence[float] = Rate(),
        macroblocks: Sequence[float] = Rate(),
        since: int = 0,
        owed: tuple[float, float, int] = Debt(),
        clock: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._clock = clock
        self._limits = _limits(pictures, macroblocks, since, Debt(*owed))
        self._line: deque[Waiter] = deque()
        self._waits_since = 0
        self._waited = 0
        self.given = 0

    @property
    def owes(self) -> bool:
        """Whether more has been let go than there was credit for."""
        return not self._affords(Cost(0, 0), self._clock())

    @property
    def anybody_waits(self) -> bool:
        """Whether a unit may go by the mere passing of time."""
        return bool(self._line)

    @property
    def waited(self) -> int:
        """Nanoseconds so far during which units waited."""
        return self._waited + (self._clock() - self._waits_since if self._line else 0)

    def change(self, pictures: Sequence[float], macroblocks: Sequence[float]) -> None:
        """Other rates from now on. What was left of a burst, or owed, stays; who had no such rate begins with nothing."""
        now, before = self._clock(), {limit.field: limit.allowance for limit in self._limits}
        self._limits = _limits(pictures, macroblocks, now, Debt())
        for limit in self._limits:
            if old := before.get(limit.field):
                limit.allowance.level = min(limit.allowance.burst, old.refresh(now))

    def take(self, cost: Cost) -> bool:
        """Whether a unit may go at once, which is charged then. Nobody goes past those who wait."""
        if self._line or not self._affords(cost, self._clock()):
            return False
        self.charge(cost)
        return True

    def wait(self, waiter: Waiter) -> None:
        """It waits from now on, behind the others."""
        if not self._line:
            self._waits_since = self._clock()
        self._line.append(waiter)

    def leave(self, waiter: Waiter) -> None:
        """It waits no more, if it did."""
        if waiter in self._line:
            self._line.remove(waiter)
            self._settle()

    def charge(self, cost: Cost) -> None:
        """For what has been let go already."""
        now = self._clock()
        for limit in self._limits:
            limit.allowance.use(cost[limit.field], now)

    def turn(self) -> Sequence[object]:
        """Lets go what may go now. Returns the waiters that have news."""
        if not self._line:
            return []
        now = self._clock()
        moved = []
        while self._line and self._affords(cost := self._line[0].cost, now):
            moved.append(waiter := self._line.popleft())
            self.charge(cost)
            if waiter.go():
                self._line.append(waiter)
        self._settle()
        return [waiter for waiter in moved if waiter.has_news]

    def timeout_ms(self) -> int:
        """How long may be slept until somebody's turn comes, rounded up; -1: nobody waits."""
        if not self._line:
            return -1
        now, cost = self._clock(), self._line[0].cost
        at = max((limit.allowance.ready_at(limit.least(cost)) for limit in self._limits), default=now)
        return min(max(0, -(-(at - now) // _MS)), _PATIENCE_MS)

    def news(self, *, at_any_rate: bool = False) -> Debt | None:
        """What is owed, if it is to be told now."""
        now = self._clock()
        if not at_any_rate and not any(limit.is_news(now) for limit in self._limits):
            return None
        owed = {limit.field: limit.tell(now) for limit in self._limits}
        return Debt(owed.get(0, 0.0), owed.get(1, 0.0), now)

    # --- inside -------------------------------------------------------------------------------------

    def _affords(self, cost: Cost, now: int) -> bool:
        return all(limit.allowance.refresh(now) >= limit.least(cost) for limit in self._limits)

    def _settle(self) -> None:
        """Whoever waited may have gone: while nobody waits it does not count."""
        if not self._line:
            self._waited += self._clock() - self._waits_since


def _limits(pictures: Sequence[float], macroblocks: Sequence[float], since: int, owed: Debt) -> list[_Limit]:
    rates = Rate(*pictures), Rate(*macroblocks)  # as in Cost, and in Debt
    return [_limit(field, rate, since, owed) for field, rate in enumerate(rates) if rate.per_second]


def _limit(field: int, rate: Rate, since: int, owed: Debt) -> _Limit:
    each = rate.per_second / _SECOND
    told = Allowance(each, 0.0, -min(owed[field], each * _OWED_MAX), min(owed.at, since))
    level = told.refresh(since)
    return _Limit(field, rate.burst, Allowance(each, rate.burst + each * LATENESS, level, since), told)
