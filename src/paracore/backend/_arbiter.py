# SPDX-License-Identifier: Apache-2.0
"""Who has a device now: leases of device time, given to domains by a policy.

Sans-I/O: it is told what domains want and have used, at which time, and says what they are to be told. A domain that
nobody waits behind has its lease without an end and is asked nothing: sharing costs it nothing until there is somebody
to share with. With somebody waiting each lease has a budget, after which the domain gives the device back.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from paracore.backend._policies import POLICIES, Claim

if TYPE_CHECKING:
    from paracore.backend._policies import Policy

__all__ = ["UNLIMITED", "Arbiter", "Lease"]

UNLIMITED: Final = (1 << 63) - 1
"""A lease without an end."""


class Lease(NamedTuple):
    """What a domain is to be told: that it may use so much device time from now, instead of what it was told before.

    With 0 it is to stop at the end of the unit that it is at, and to give the device back. `begins`: it had none before.
    """

    claim: Claim
    budget: int
    begins: bool


class Arbiter:
    """See the module.

    Attributes:
        slots: how many domains may have the device at once: how many things it does at one time.
        policy: see ``policies``.
    """

    def __init__(self, policy: str = "fair", slots: int = 1) -> None:
        self.slots = slots
        self.policy: Policy = POLICIES[policy](slots)
        self._recalled: list[Lease] = []

    def change(self, policy: str, slots: int, now: int) -> None:
        """Goes on by another policy, or with other slots; nobody that waits loses its place in time."""
        before, self.policy, self.slots = self.policy, POLICIES[policy](slots), slots
        for claim in before.claims.values():
            self.policy.enter(claim)
        for claim in sorted(before.claims.values(), key=lambda each: each.waits_since or 0):
            if claim.waits_since is not None:
                self.policy.join(claim, now)
        for claim in self.holders():
            self.recall(claim)

    def recall(self, claim: Claim) -> None:
        """Its rights have changed: if it has the device it is to give it back, and comes again by the new ones."""
        if claim.lease:
            claim.lease = 0
            self._recalled.append(Lease(claim, 0, begins=False))

    def enter(self, claim: Claim) -> None:
        """A domain comes to the device."""
        self.policy.enter(claim)

    def leave(self, claim: Claim) -> None:
        """It goes, with whatever it had."""
        self._withdraw(claim)
        claim.lease = None
        self._recalled = [lease for lease in self._recalled if lease.claim is not claim]
        self.policy.leave(claim)

    def want(self, claim: Claim, now: int) -> None:
        """It has work for the device."""
        if claim.waits_since is None and claim.lease is None:
            claim.waits_since = now
            self.policy.join(claim, now)

    def give_back(self, claim: Claim, now: int) -> None:
        """It has stopped using the device, or does not want it any more."""
        self._withdraw(claim)
        if claim.lease is not None:
            self.policy.rest(claim, now)
        claim.lease = None
        if claim.limit:
            claim.limit.refresh(now)

    def charge(self, claim: Claim, used: int, now: int) -> None:
        """It has used device time, with a lease or without."""
        claim.used += used
        if claim.limit:
            claim.limit.use(used, now)
        if claim.lease != UNLIMITED:
            self.policy.charge(claim, used, now)

    def turn(self, now: int) -> list[Lease]:
        """What is to be told now."""
        told, self._recalled = self._recalled, []
        while len(self.holders()) < self.slots and (ready := self._ready(now)):
            told.append(self._grant(self.policy.choose(ready, now), now))
        if ready := self._ready(now):
            told += self._shorten(ready, now)
        return told

    def wake_at(self, now: int) -> int | None:
        """When ``turn`` has to be called though nothing has happened: somebody's limit, or share, lets it go on.

        Also while others have all slots: their leases may have no end until then.
        """
        return min((at for claim in self._waiting() if (at := self._eligible_at(claim, now)) > now), default=None)

    def holders(self) -> list[Claim]:
        """Who has the device."""
        return [claim for claim in self.policy.claims.values() if claim.lease is not None]

    # --- inside -------------------------------------------------------------------------------------

    def _waiting(self) -> list[Claim]:
        return [claim for claim in self.policy.claims.values() if claim.waits_since is not None]

    def _ready(self, now: int) -> list[Claim]:
        return [claim for claim in self._waiting() if self._eligible_at(claim, now) <= now]

    def _eligible_at(self, claim: Claim, now: int) -> int:
        at = self.policy.eligible_at(claim, now)
        if claim.limit and claim.limit.refresh(now) <= 0:
            at = max(at, claim.limit.ready_at())
        return at

    def _withdraw(self, claim: Claim) -> None:
        if claim.waits_since is not None:
            claim.waits_since = None
            self.policy.withdraw(claim)

    def _grant(self, claim: Claim, now: int) -> Lease:
        claim.waited += now - (now if claim.waits_since is None else claim.waits_since)
        claim.waits_since = None
        claim.turns += 1
        claim.lease = self._budget(claim, contended=bool(self._ready(now)))
        return Lease(claim, claim.lease, begins=True)

    def _budget(self, claim: Claim, *, contended: bool) -> int:
        budget = self.policy.budget(claim) if contended or self.policy.rations else UNLIMITED
        return max(1, min(budget, int(claim.limit.level))) if claim.limit else budget

    def _shorten(self, ready: list[Claim], now: int) -> list[Lease]:
        """Somebody waits: leases without an end get one, and some end at once."""
        told = []
        for holder in self.holders():
            if holder.lease and any(self.policy.preempts(claim, holder, now) for claim in ready):
                holder.lease = 0
            elif holder.lease == UNLIMITED:
                self.policy.contend(holder, now)
                holder.lease = self._budget(holder, contended=True)
            else:
                continue
            told.append(Lease(holder, holder.lease, begins=False))
        return told
