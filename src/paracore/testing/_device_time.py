# SPDX-License-Identifier: Apache-2.0
"""A device of which domains want time, on a virtual clock: to see what an ``Arbiter`` and its policies make of them.

Nothing in it takes time but units of work. It trusts everybody. As between supervisor and workers, the arbiter has its turn
when somebody wants the device or gives it back and at the time that it has named, not when a unit is done; and of
what a domain is told at once only the last counts.
"""

from __future__ import annotations

import heapq
import itertools
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, Self

from paracore.backend._arbiter import Arbiter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from paracore.backend._policies import Claim

__all__ = ["Span", "VirtualDevice", "VirtualDomain"]

_NEVER: Final = 1 << 62


class Span(NamedTuple):
    """One unit of work: a domain had the device from then to then, in nanoseconds."""

    name: str
    began: int
    ended: int


@dataclass(eq=False)
class VirtualDomain:
    """A domain that does units of work: of `cost` nanoseconds each, as many as it can, or one each `every`.

    Attributes:
        claim: its rights, see ``Claim``.
        cost: device time of a unit.
        every: nanoseconds between two units; 0: the next is there when one is done.
        begins: when the first unit is there.
        ends: when it wants no more.
        latencies: of each unit, nanoseconds from when it was there to when it was done.
        left: device time that its lease still has.
        running: whether it is at a unit.
        asked: when each unit came that is not done.
    """

    claim: Claim
    cost: int
    every: int = 0
    begins: int = 0
    ends: int = _NEVER
    latencies: list[int] = field(default_factory=list)
    left: int = 0
    running: bool = False
    asked: list[int] = field(default_factory=list)


class VirtualDevice:
    """An arbiter with its domains.

    Attributes:
        now: nanoseconds since the beginning.
        spans: who had the device when, in the order of their ends.
    """

    def __init__(self, policy: str, slots: int, domains: Iterable[VirtualDomain]) -> None:
        self.arbiter = Arbiter(policy, slots)
        self.domains = {domain.claim.name: domain for domain in domains}
        self.now = 0
        self.spans: list[Span] = []
        self._heard = False  # something of which the arbiter makes a turn
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()
        for domain in self.domains.values():
            self.arbiter.enter(domain.claim)
            self.at(domain.begins, partial(self.ask, domain))

    def at(self, time: int, step: Callable[[], None]) -> None:
        """Does something at a time to come."""
        heapq.heappush(self._events, (time, next(self._order), step))

    def run(self, until: int) -> Self:
        """Lets the time pass. What the arbiter was told by the caller before is heard first."""
        self._settle()
        while self._events and self._events[0][0] <= until:
            self.now, _, step = heapq.heappop(self._events)
            step()
            if self._heard:
                self._settle()
        self.now = until
        return self

    def ask(self, domain: VirtualDomain) -> None:
        """A unit of work is there, unless the domain has ended."""
        if self.now >= domain.ends:
            return
        domain.asked.append(self.now)
        if domain.every:
            self.at(self.now + domain.every, partial(self.ask, domain))
        self._want(domain)

    def leave(self, domain: VirtualDomain) -> None:
        """It goes, with what it had and wanted."""
        domain.ends, domain.left = 0, 0
        del domain.asked[int(domain.running) :]
        self.arbiter.leave(domain.claim)
        self._heard = True

    def used(self) -> dict[str, int]:
        """Nanoseconds of device time that each has used so far."""
        return {name: domain.claim.used for name, domain in self.domains.items()}

    def _want(self, domain: VirtualDomain) -> None:
        self._heard |= domain.claim.waits_since is None and domain.claim.lease is None
        self.arbiter.want(domain.claim, self.now)

    def _settle(self) -> None:
        """Until nobody has more to say at once: whoever is told may give the device back."""
        self._heard = True
        while self._heard:
            self._heard = False
            told = {lease.claim.name: lease.budget for lease in self.arbiter.turn(self.now)}
            for name, budget in told.items():
                self.domains[name].left = budget
                self._go_on(self.domains[name])
        self._arm()

    def _arm(self) -> None:
        having = [claim for claim in self.arbiter.holders() if claim.lease]
        assert len(having) <= self.arbiter.slots, "more domains have the device than it has slots"
        wake = self.arbiter.wake_at(self.now)
        if wake is not None:
            assert wake > self.now, "a time to be called at that is none to come"
            self.at(wake, self._woken)

    def _woken(self) -> None:
        self._heard = True

    def _go_on(self, domain: VirtualDomain) -> None:
        if domain.running:
            return
        if domain.left <= 0 or not domain.asked:
            self.arbiter.give_back(domain.claim, self.now)
            self._heard = True
            if domain.asked:
                self._want(domain)
            return
        domain.running = True
        began = self.now
        self.at(began + domain.cost, partial(self._done, domain, began))

    def _done(self, domain: VirtualDomain, began: int) -> None:
        domain.running = False
        self.spans.append(Span(domain.claim.name, began, self.now))
        domain.left -= domain.cost
        self.arbiter.charge(domain.claim, domain.cost, self.now)
        domain.latencies.append(self.now - domain.asked.pop(0))
        if not domain.every and self.now < domain.ends:
            domain.asked.append(self.now)
        self._go_on(domain)
