# SPDX-License-Identifier: Apache-2.0
"""A token bucket: something may be used at a rate, and at once after a rest.

Sans-I/O, on a clock of the caller's in nanoseconds that does not go back. Whoever knows what it will use asks
``ready_at`` first and then pays; whoever knows it only afterwards pays then, and what is missing is a debt.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Allowance"]


@dataclass(slots=True)
class Allowance:
    """See the module. What is counted is the caller's: nanoseconds of a device, pictures.

    Attributes:
        rate: so much each nanosecond.
        burst: what is kept for later at most.
        level: what there was at `then`; negative in debt.
    """

    rate: float
    burst: float
    level: float = 0
    then: int = 0

    def refresh(self, now: int) -> float:
        """What there is now."""
        self.level = min(self.burst, self.level + (now - self.then) * self.rate)
        self.then = now
        return self.level

    def use(self, amount: float, now: int) -> None:
        """So much has been used, or with less than 0 was not used after all."""
        self.level = self.refresh(now) - amount

    def ready_at(self, least: float = 1) -> int:
        """When there is so much, which is no more than the burst, if none is used until then."""
        return self.then + (0 if self.level >= least else int((least - self.level) / self.rate) + 1)
