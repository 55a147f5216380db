# SPDX-License-Identifier: Apache-2.0
"""What is known of a domain's workers when they are no more: the sums of their counts, and what the last one owed.

It is the workers' own word, each of which may have been taken over by its domain. So it is for whoever looks, and for
the domain's own next worker; no other domain has less of anything for what stands here. No count goes back, whatever
a worker says, and what each says is bounded.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from paracore.backend._throttle import Debt
from paracore.classes import worker

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Ledger", "LedgerState"]

_MOST: Final = (1 << 63) - 1
"""Of a count, as a report may have it and a node of xenstore."""


class LedgerState(NamedTuple):
    """A ledger as the next program image gets it."""

    past: dict[str, int] = {}  # noqa: RUF012 - never changed
    present: dict[str, int] = {}  # noqa: RUF012 - as above
    owed: Debt = Debt()
    late: int = 0


class Ledger:
    """See the module.

    Attributes:
        owed: as it was told last; the next worker begins with what is left of it.
        late: nanoseconds of processor time that the last one used when its domain had been charged for the last time, by
            the kernel's count; the next one carries them.
    """

    def __init__(self, clock: Callable[[], int] = time.monotonic_ns) -> None:
        self._clock = clock
        self._past = dict.fromkeys(worker.Counted._fields, 0)
        self._present = dict.fromkeys(worker.Counted._fields, 0)
        self.owed = Debt()
        self.late = 0

    def owe(self, pictures: float, macroblocks: float) -> None:
        """The worker says that so much is owed now."""
        self.owed = Debt(pictures, macroblocks, self._clock())

    def count(self, said: Mapping[str, int]) -> None:
        """The worker says what it has done so far."""
        for name, before in self._present.items():
            self._present[name] = max(before, min(said.get(name, 0), _MOST))

    def part(self) -> None:
        """The worker has gone: the next one counts from 0."""
        self._past = self.totals()
        self._present = dict.fromkeys(self._present, 0)

    def totals(self) -> dict[str, int]:
        """Of all workers so far."""
        return {name: min(number + self._present[name], _MOST) for name, number in self._past.items()}

    # --- across a reload ----------------------------------------------------------------------------

    def hand_over(self) -> LedgerState:
        """What the next program image needs to go on. Changes nothing."""
        return LedgerState(dict(self._past), dict(self._present), self.owed, self.late)

    def adopt(self, state: LedgerState) -> None:
        """Goes on with that, as far as this version counts the same."""
        for mine, theirs in ((self._past, state.past), (self._present, state.present)):
            mine.update((name, number) for name, number in theirs.items() if name in mine)
        self.owed, self.late = state.owed, state.late
