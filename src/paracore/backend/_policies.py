# SPDX-License-Identifier: Apache-2.0
"""In which order domains get a device, and for how long: one class per policy.

Sans-I/O, and trusts nobody: it counts what the supervisor has measured, never what a worker says. All times are
nanoseconds: of a clock of the caller's that does not go back, and of device time. A lease ends at the end of a
unit of work (a picture, as a rule), so each turn may cost more than it was to cost: that is a debt, paid by turns
to come. All that is counted is whole, so that nothing is lost or missing by a rounding: weights may have any quotient.
For weighted deficit round robin see Shreedhar and Varghese, SIGCOMM 1995; for servers of constant bandwidth Abeni and
Buttazzo, RTSS 1998.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from paracore.backend._allowance import Allowance

__all__ = ["POLICIES", "Claim", "Policy"]

MS: Final = 1_000_000
_TURN: Final = 20 * MS
"""Device time of the heaviest domain's turn: some pictures, so that changes are rare, and a few frames' wait for eight."""
_CREDIT_TURNS: Final = 2
"""Turns that a domain which had nothing to do for a moment may catch up with."""
_AGE: Final = 250 * MS
"""A wait that is worth one step of priority."""
_PERIOD: Final = 200 * MS
"""Of domains that have declared no frame rate, and the longest of those that have: who declares a picture in a thousand
seconds would have the device for its part of them at one go."""
_OWED: Final = 1000 * MS
"""What a domain that waits may be owed: more than any unit for whose end it waits is worth to it."""


@dataclass(slots=True, eq=False)
class Claim:
    """What one domain has to do with one device: its rights, and where it stands.

    Attributes:
        name: the domain.
        weight: its part, against the other domains' weights.
        priority: of the policy of that name; more is sooner.
        period: nanoseconds between pictures that its sessions have declared; 0: none.
        limit: of device time, whatever the policy; None: no limit.
        waits_since: None unless it waits for the device.
        lease: nanoseconds of device time that it may use from when it was told; None without the device.
        used: nanoseconds of device time so far.
        waited: nanoseconds so far between asking for the device and getting it.
        turns: how often it has got it.
        credit: nanoseconds of device time that are its to use, less than 0 in debt. This and what follows is the policy's.
    """

    name: str
    weight: int = 100
    priority: int = 0
    period: int = 0
    limit: Allowance | None = None
    waits_since: int | None = None
    lease: int | None = None
    used: int = 0
    waited: int = 0
    turns: int = 0
    credit: int = 0
    round: int = 0
    deadline: int = 0


class Policy(ABC):
    """Orders those that wait.

    Attributes:
        name: of the configuration.
        rations: whether a domain has a budget though nobody waits.
        claims: all domains of the device, by name.
    """

    name: str
    rations = False

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.claims: dict[str, Claim] = {}

    def enter(self, claim: Claim) -> None:
        """A domain may use the device from now on."""
        self.claims[claim.name] = claim

    def leave(self, claim: Claim) -> None:
        """It may not any more. It neither waits nor has the device."""
        del self.claims[claim.name]

    @abstractmethod
    def join(self, claim: Claim, now: int) -> None:
        """It waits from now on."""

    def withdraw(self, claim: Claim) -> None:  # noqa: B027 - who keeps no queue has nothing to do
        """It waits no more, and did not get the device."""

    def rest(self, claim: Claim, now: int) -> None:  # noqa: B027 - as above
        """It has given the device back, and may want it again at once."""

    def contend(self, claim: Claim, now: int) -> None:  # noqa: B027 - as above
        """It has had the device to itself, which cost it nothing; from now on others wait."""

    @abstractmethod
    def choose(self, waiting: Collection[Claim], now: int) -> Claim:
        """Who of these (one at least) is next."""

    @abstractmethod
    def budget(self, claim: Claim) -> int:
        """For how much device time, while others wait: 1 at least."""

    def charge(self, claim: Claim, used: int, now: int) -> None:  # noqa: ARG002
        """It has used that much device time."""
        claim.credit -= used

    def eligible_at(self, claim: Claim, now: int) -> int:  # noqa: ARG002
        """When it may have the device as far as the policy is concerned: now, or later."""
        return now

    def preempts(self, claim: Claim, holder: Claim, now: int) -> bool:  # noqa: ARG002
        """Whether it is not to wait until the holder's lease ends by itself."""
        return False

    def _active(self) -> Iterable[Claim]:
        return (claim for claim in self.claims.values() if _is_active(claim))


class Fair(Policy):
    """Weighted deficit round robin. A turn that cost too much, or too little, is made up for by later ones.

    A round begins when nobody that waits has credit left, and gives each domain credit for a turn by its weight, also
    those that have the device: with several slots, a heavy domain's turn may last longer than the others' round.
    """

    name = "fair"

    def __init__(self, slots: int) -> None:
        super().__init__(slots)
        self._queue: deque[Claim] = deque()
        self._round = 0

    def enter(self, claim: Claim) -> None:
        super().enter(claim)
        claim.credit, claim.round = 0, -1

    def join(self, claim: Claim, now: int) -> None:  # noqa: ARG002
        self._catch_up(claim)
        self._queue.append(claim)

    def withdraw(self, claim: Claim) -> None:
        self._queue.remove(claim)

    def contend(self, claim: Claim, now: int) -> None:  # noqa: ARG002
        claim.credit, claim.round = self._turn(claim), self._round

    def choose(self, waiting: Collection[Claim], now: int) -> Claim:  # noqa: ARG002
        """Rounds in which all are in debt are not walked through: they are counted."""
        for claim in waiting:
            self._catch_up(claim)
        self._round += min(self._rounds(claim) for claim in waiting)
        for claim in waiting:
            self._catch_up(claim)
        chosen = next(claim for claim in self._queue if claim in waiting and claim.credit >= 1)
        self._queue.remove(chosen)
        return chosen

    def budget(self, claim: Claim) -> int:
        return max(1, claim.credit)

    def _catch_up(self, claim: Claim) -> None:
        """Gives it what the rounds since the last time are worth; what is too much to be a moment's rest lapses."""
        turn = self._turn(claim)
        claim.credit = min(claim.credit + (self._round - claim.round) * turn, _CREDIT_TURNS * turn)
        claim.round = self._round

    def _rounds(self, claim: Claim) -> int:
        """How many rounds it needs to have credit."""
        return max(0, _quotient_up(1 - claim.credit, self._turn(claim)))

    def _turn(self, claim: Claim) -> int:
        heaviest = max((other.weight for other in self._active()), default=claim.weight)
        return max(1, _TURN * claim.weight // max(heaviest, claim.weight))


class Priority(Policy):
    """The highest priority first, of equal ones who has waited longest. Waiting counts, so that nobody waits for ever.

    `round` of a domain that has the device: the highest priority among those over whom it was chosen.
    """

    name = "priority"

    def join(self, claim: Claim, now: int) -> None:
        pass

    def choose(self, waiting: Collection[Claim], now: int) -> Claim:
        """Over whom it was preferred does not end its turn: else whoever is next by its age would get no turn at all."""
        chosen = max(waiting, key=lambda claim: (self._aged(claim, now), -_since(claim)))
        chosen.round = max(claim.priority for claim in waiting)
        return chosen

    def budget(self, claim: Claim) -> int:  # noqa: ARG002
        return _TURN

    def preempts(self, claim: Claim, holder: Claim, now: int) -> bool:  # noqa: ARG002 - who has aged waits for a turn's end
        return claim.priority > holder.round

    @staticmethod
    def _aged(claim: Claim, now: int) -> int:
        return claim.priority + (now - _since(claim)) // _AGE


class FixedShare(Policy):
    """Each gets its part of the whole, by weight among all domains of the device, and no more though others rest.

    What a rest is worth beyond a turn lapses. What the time is worth in which it waits for others' units, or has the
    device, does not: else whoever has short units would lose by the long ones of others. `deadline` is until when
    `credit` has been counted; 0: not yet.
    """

    name = "fixed-share"
    rations = True

    def enter(self, claim: Claim) -> None:
        super().enter(claim)
        claim.credit, claim.deadline = 0, 0

    def join(self, claim: Claim, now: int) -> None:
        before = claim.credit
        self._count(claim, now)
        claim.credit = max(before, min(claim.credit, _TURN))

    def rest(self, claim: Claim, now: int) -> None:
        if claim.deadline:  # else it had the device before this policy did
            self._count(claim, now)

    def choose(self, waiting: Collection[Claim], now: int) -> Claim:  # noqa: ARG002
        return min(waiting, key=_since)

    def budget(self, claim: Claim) -> int:
        return max(1, min(claim.credit, _TURN))

    def eligible_at(self, claim: Claim, now: int) -> int:
        self._count(claim, now)
        part, whole = self._part(claim)
        return now if claim.credit >= 1 else claim.deadline + _quotient_up((1 - claim.credit) * whole, part)

    def _count(self, claim: Claim, now: int) -> None:
        """Of the time since the last count only what is worth a whole number; the rest counts the next time."""
        part, whole = self._part(claim)
        gained = (now - claim.deadline) * part // whole
        claim.deadline += _quotient_up(gained * whole, part)
        claim.credit = min(_OWED, claim.credit + gained)

    def _part(self, claim: Claim) -> tuple[int, int]:
        """So much of that much; of one slot at most, since nobody has two."""
        whole = sum(other.weight for other in self.claims.values())
        return min(self.slots * claim.weight, whole), whole


class Deadline(Policy):
    """The earliest deadline first. A domain's deadline is its next picture's, as long as it takes no more than its part.

    Each is a server of constant bandwidth: within a period it may use its part by weight; with that used up its
    deadline moves on by a period. Who has declared a frame rate goes before all that have not while it is ahead of its
    part by less than a picture; beyond that it waits among them. So whoever declares a higher rate than it is due, or a
    lower one than its pictures have, hurts nobody but itself.
    """

    name = "deadline"

    def enter(self, claim: Claim) -> None:
        super().enter(claim)
        claim.credit, claim.deadline = 0, 0

    def join(self, claim: Claim, now: int) -> None:
        part, whole = self._part(claim, now)
        if claim.credit <= 0 or claim.deadline <= now or claim.credit * whole > (claim.deadline - now) * part:
            debt = min(claim.credit, 0)
            claim.credit, claim.deadline = self._worth(claim, 1, now) + debt, now + _period(claim)
            self._postpone(claim, now)

    def contend(self, claim: Claim, now: int) -> None:
        claim.credit, claim.deadline = self._worth(claim, 1, now), now + _period(claim)

    def choose(self, waiting: Collection[Claim], now: int) -> Claim:
        chosen = min(waiting, key=lambda claim: (*self._rank(claim, now), _since(claim)))
        chosen.credit = min(chosen.credit, self._worth(chosen, 1, now))  # others may have come since it was counted
        return chosen

    def budget(self, claim: Claim) -> int:
        return max(1, min(claim.credit, _TURN))

    def charge(self, claim: Claim, used: int, now: int) -> None:
        super().charge(claim, used, now)
        if _is_active(claim):
            self._postpone(claim, now)

    def preempts(self, claim: Claim, holder: Claim, now: int) -> bool:
        return self._rank(claim, now) < self._rank(holder, now)

    def _rank(self, claim: Claim, now: int) -> tuple[bool, int]:
        """Less is sooner."""
        return not (claim.period and self._is_in_time(claim, now)), claim.deadline

    @staticmethod
    def _is_in_time(claim: Claim, now: int) -> bool:
        """A deadline farther ahead is one that has moved on, by more than an early picture explains."""
        return claim.deadline - now < 2 * _period(claim)

    def _postpone(self, claim: Claim, now: int) -> None:
        """By as many periods as its debt is worth: counted, since a domain that declares short ones may have millions."""
        if claim.credit < 1:
            part, whole = self._part(claim, now)
            periods = _quotient_up((1 - claim.credit) * whole, part * _period(claim))
            claim.credit += self._worth(claim, periods, now)
            claim.deadline += periods * _period(claim)

    def _part(self, claim: Claim, now: int) -> tuple[int, int]:
        """So much of that much; of one slot at most.

        Who rests until its next picture is there has its part all the same: else others would be due that part as well,
        and those that have declared something would have it from those that have not.
        """
        whole = claim.weight + sum(
            other.weight
            for other in self.claims.values()
            if other is not claim and (_is_active(other) or (now < other.deadline and self._is_in_time(other, now)))
        )
        return min(self.slots * claim.weight, whole), whole

    def _worth(self, claim: Claim, periods: int, now: int) -> int:
        """What it may use in so many."""
        part, whole = self._part(claim, now)
        return max(1, periods * _period(claim) * part // whole)


def _period(claim: Claim) -> int:
    return min(claim.period or _PERIOD, _PERIOD)


def _is_active(claim: Claim) -> bool:
    return claim.waits_since is not None or claim.lease is not None


def _since(claim: Claim) -> int:
    return 0 if claim.waits_since is None else claim.waits_since


def _quotient_up(amount: int, by: int) -> int:
    return -(-amount // by)


POLICIES: Final[dict[str, type[Policy]]] = {policy.name: policy for policy in (Fair, Priority, FixedShare, Deadline)}
"""By their names in the configuration; the first is what a device has that names none."""
