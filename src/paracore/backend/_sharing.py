# SPDX-License-Identifier: Apache-2.0
"""The devices' time, shared out by the supervisor: an arbiter per device, the workers' words to it, and the accounts.

Trusts no worker. Where the device is the processor, what a domain is charged is the processor time of its worker as the kernel
counts it, whatever the worker says or does. Of any other device nobody but the worker knows how long it was at a job:
its word is taken for no more than the time that has passed, and for no less than a part of that for which it kept the device from
others. A worker that keeps a device that others wait for is ended, and so is one that is far beyond its domain's limit of
device time: whoever gives the device back by its leases cannot be.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from paracore._errors import RemoteProtocolError
from paracore.backend._allowance import Allowance
from paracore.backend._arbiter import UNLIMITED, Arbiter, Lease
from paracore.backend._handover import AccountState, PlaceState
from paracore.backend._policies import Claim

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable, Sequence

    from paracore.backend._config import DeviceSection
    from paracore.backend._domain import Domain

__all__ = ["Sharing"]

_SECOND: Final = 1_000_000_000
_OVERDUE: Final = 10.0
"""Seconds by which a worker has given a device back that others wait for, beyond the deadline of a job: a job that hangs ends by
that, see ``_hangs``, and with it its session alone."""
_WATCH: Final = 5.0
"""Seconds between two looks at what a domain with a limit has used: its worker may use it and say nothing."""
_DEBT: Final = 10 * _SECOND
"""Device time that a worker may be beyond its limit: a lease, the unit at its end, and all threads at it, are far less."""
_START: Final = _SECOND
"""Device time for which the next worker starts and is told that there is none, though the domain is in debt."""
_PERIOD_MIN: Final = 1_000_000
"""Nanoseconds between two pictures of a session, whatever a worker says."""
_NUMBERS: Final = 1 << 32
_KEPT: Final = 4
"""The part (a quarter) of a lease that others waited for which is charged at least, of a device that only its worker measures."""
_ALL: Final = 1 << 30
"""Slots of a device that all may use at once: nobody waits, but for a limit of one's own."""


@dataclass(slots=True, eq=False)
class _Place:
    """A domain at one device."""

    domain: Domain
    index: int
    device: _Device
    claim: Claim
    number: int = 0
    overdue: asyncio.TimerHandle | None = None
    told_at: int = 0
    """When its worker told of device time last."""
    bounded_at: int | None = None
    """Since when its lease has an end."""
    used_then: int = 0
    floor: float = -_DEBT
    """How far in debt the limit may be while there is this worker."""
    inherited: bool | None = None
    """Of a worker from before a reload, whose driver may be another: see ``measured``. None: the device says so."""

    @property
    def measured(self) -> bool | None:
        """Whether the device's time is that of its jobs, of which the worker tells; None: not known yet."""
        return self.device.measured if self.inherited is None else self.inherited

    def calm(self) -> None:
        """Its lease is over, or nobody waits for its end."""
        if self.overdue:
            self.overdue.cancel()
            self.overdue = None

    def begin_anew(self) -> None:
        """The next worker owes what the one before has used, and does not end for it."""
        if self.claim.limit:
            self.floor = min(-_DEBT, self.claim.limit.level - _START)

    def is_beyond(self, now: int) -> bool:
        """Whether its worker has taken what it cannot have been given."""
        return self.claim.limit is not None and self.claim.limit.refresh(now) < self.floor


@dataclass(slots=True, eq=False)
class _Device:
    section: DeviceSection
    arbiter: Arbiter
    measured: bool | None = None
    """Whether its time is that of its jobs, of which the workers tell; None: the warm parent has not said so yet."""
    places: dict[Claim, _Place] = field(default_factory=dict)
    wake: asyncio.TimerHandle | None = None

    @property
    def slots(self) -> int:
        """As its section says, or as it is: one coprocessor; the processor is the kernel's to share out (0)."""
        if self.section.slots is None:
            return 1 if self.measured else 0
        return self.section.slots

    @property
    def overdue(self) -> float:
        """Seconds by which its leases are given back."""
        return self.section.job_deadline + _OVERDUE

    def change(self, section: DeviceSection) -> None:
        """It is shared out in another way."""
        self.section = section
        self.arbiter.change(section.policy, self.slots or _ALL, time.monotonic_ns())


@dataclass(slots=True, eq=False)
class _Account:
    """Of one domain: what its worker had used when it was charged last."""

    places: list[_Place]
    charged: int = 0
    watch: asyncio.TimerHandle | None = None


class Sharing:
    """See the module."""

    def __init__(self, devices: Sequence[DeviceSection], loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._devices = {
            section.name: _Device(section, Arbiter(section.policy, section.slots or _ALL)) for section in devices
        }
        self._accounts: dict[Domain, _Account] = {}

    def measure(self, names: Iterable[str]) -> None:
        """The time of these devices is that of their jobs, the others' is the processor's."""
        jobs = set(names)
        for name, device in self._devices.items():
            slots, device.measured = device.slots, name in jobs
            if device.slots != slots:
                self.change_device(device.section)

    def slots(self, name: str) -> int:
        """Domains that may use a device at once; 0: all."""
        return self._devices[name].slots

    def enter(self, domain: Domain) -> None:
        """A domain is served from now on."""
        places = []
        for index, name in enumerate(domain.section.device_names(self._devices)):
            device = self._devices[name]
            place = _Place(domain, index, device, _claim(domain), told_at=time.monotonic_ns())
            device.places[place.claim] = place
            device.arbiter.enter(place.claim)
            places.append(place)
        self._accounts[domain] = _Account(places)
        self._arm_watch(domain)

    def leave(self, domain: Domain) -> None:
        """It is served no more; its worker has left."""
        account = self._accounts.pop(domain)
        if account.watch:
            account.watch.cancel()
        for place in account.places:
            place.device.arbiter.leave(place.claim)
            del place.device.places[place.claim]

    def hand_over(self, domain: Domain) -> AccountState:
        """What a domain has of the devices, for the next program image. Changes nothing."""
        account = self._accounts[domain]
        names = domain.section.device_names(self._devices)
        places = zip(names, account.places, strict=True)
        return AccountState(account.charged, {name: _place_state(place) for name, place in places})

    def adopt(self, domain: Domain, state: AccountState) -> None:
        """It has that again. ``begin`` has to follow."""
        account = self._accounts[domain]
        account.charged = state.charged
        for name, place in zip(domain.section.device_names(self._devices), account.places, strict=True):
            _restore(place, state.places[name])
            place.inherited = state.places[name].measured if domain.worker else None
            if place.device.measured is None:  # as it was, until the warm parent says otherwise
                place.device.measured = place.inherited
            place.begin_anew()
            if place.claim.lease == 0:  # it was told to give the device back, and is not told again
                self._expect(place)
                place.bounded_at, place.used_then = time.monotonic_ns(), place.claim.used

    def begin(self, section: DeviceSection) -> None:
        """All domains are there that were handed over: a device goes on as when its policy is changed.

        Who has it gives it back at the end of a unit and comes again, so that both ends know the same; what a turn
        had cost too much, or too little, is forgotten.
        """
        self.change_device(section)

    def change_device(self, section: DeviceSection) -> None:
        """It is shared out in another way from now on."""
        device = self._devices[section.name]
        for claim in device.arbiter.holders():
            self._charge(device.places[claim].domain)
        device.change(section)
        self._settle(device)

    def change_domain(self, domain: Domain) -> None:
        """Its section says something else now."""
        self._charge(domain)
        self.renew(domain)
        for place in self._accounts[domain].places:
            place.device.arbiter.recall(place.claim)
            self._settle(place.device)

    def renew(self, domain: Domain) -> None:
        """Its section says something else now, and nobody is told: of one that is just being handed over.

        Nobody can be given a device before all have what they had, see ``begin``.
        """
        for place in self._accounts[domain].places:
            claim, new = place.claim, _claim(domain)
            claim.weight, claim.priority = new.weight, new.priority
            claim.limit = new.limit and _heir(new.limit, claim.limit)
        self._arm_watch(domain)

    def rest(self, domain: Domain) -> None:
        """Its worker has left: with the next one it begins anew."""
        self._charge(domain)
        account = self._accounts[domain]
        account.charged = 0
        for place in account.places:
            place.calm()
            now = place.told_at = time.monotonic_ns()
            self._charge_kept(place, now)
            place.inherited = None
            place.claim.period = 0
            place.begin_anew()
            place.device.arbiter.give_back(place.claim, now)
            self._settle(place.device)

    def want(self, domain: Domain, index: int) -> None:
        """Its worker has work for a device."""
        place = self._place(domain, index)
        self._charge(domain)
        place.device.arbiter.want(place.claim, time.monotonic_ns())
        self._settle(place.device)

    def release(self, domain: Domain, index: int, number: int, *, wants: bool) -> None:
        """Its worker says that it does not use the device any more, and whether it wants it again."""
        place = self._place(domain, index)
        if number != place.number or place.claim.lease is None:
            return
        self._charge(domain)
        place.calm()
        now = time.monotonic_ns()
        self._charge_kept(place, now)
        place.device.arbiter.give_back(place.claim, now)
        if wants:
            place.device.arbiter.want(place.claim, now)
        self._settle(place.device)

    def use(self, domain: Domain, index: int, used: int) -> None:
        """Its worker says that it has used so much of a device's time since it said so last."""
        place, now = self._place(domain, index), time.monotonic_ns()
        if place.measured is False:
            raise RemoteProtocolError(f"the time of device {index} is the processor's")
        place.device.arbiter.charge(place.claim, min(used, now - place.told_at), now)
        place.told_at = now

    def pace(self, domain: Domain, index: int, period: int) -> None:
        """Its sessions declare how soon one picture follows another, or with 0 nothing.

        It is for the policy `deadline`, which holds a domain that declares too much to its part; the least bounds what it
        has to count.
        """
        self._place(domain, index).claim.period = max(period, _PERIOD_MIN) if period else 0

    def account(self, domain: Domain) -> dict[str, Any]:
        """For the status: milliseconds of device time used and waited for, and turns, by device."""
        self._charge(domain)
        names = domain.section.device_names(self._devices)
        return {
            name: {
                "used_ms": place.claim.used // 1_000_000,
                "waited_ms": place.claim.waited // 1_000_000,
                "turns": place.claim.turns,
            }
            for name, place in zip(names, self._accounts[domain].places, strict=True)
        }

    # --- inside -------------------------------------------------------------------------------------

    def _place(self, domain: Domain, index: int) -> _Place:
        places = self._accounts[domain].places
        if index >= len(places):
            raise RemoteProtocolError(f"there is no device {index}")
        return places[index]

    def _charge(self, domain: Domain) -> None:
        """What its worker has used of the processors since the last time is for those devices that it has, or had last."""
        account = self._accounts[domain]
        places = [place for place in account.places if place.measured is False]
        if not domain.worker:
            return
        # Also where nobody is charged for it: else all of it counts when the worker ends.
        used = domain.worker.processor_time()
        spent, account.charged = used - account.charged, used
        held = [place for place in places if place.claim.lease is not None] or places[:1]
        for place in held:
            place.device.arbiter.charge(place.claim, spent // len(held), time.monotonic_ns())

    def _charge_kept(self, place: _Place, now: int) -> None:
        """Its lease ends: what it has said to have used of it may be too little."""
        if place.measured:
            self._charge_least(place, now, _KEPT)
        place.bounded_at = None

    @staticmethod
    def _charge_least(place: _Place, now: int, part: int) -> None:
        """What it has used of its lease is taken to be that part of the time at least."""
        if place.bounded_at is not None:
            least = (now - place.bounded_at) // part - (place.claim.used - place.used_then)
            place.device.arbiter.charge(place.claim, max(0, least), now)
            place.bounded_at = None

    def _settle(self, device: _Device) -> None:
        """Tells the workers what follows."""
        for claim in device.arbiter.holders():
            self._charge(device.places[claim].domain)
        now = time.monotonic_ns()
        for lease in device.arbiter.turn(now):
            self._tell(device.places[lease.claim], lease)
        self._arm(device, now)

    def _tell(self, place: _Place, lease: Lease) -> None:
        if lease.begins:
            place.number = (place.number + 1) % _NUMBERS
        if lease.budget != UNLIMITED and not place.overdue:
            self._expect(place)
            place.bounded_at, place.used_then = time.monotonic_ns(), place.claim.used
        if place.domain.worker:
            place.domain.worker.device_lease(place.index, place.number, lease.budget)

    def _expect(self, place: _Place) -> None:
        """That its lease is given back."""
        place.overdue = self._loop.call_later(place.device.overdue, self._lose, place)

    def _lose(self, place: _Place) -> None:
        place.overdue = None
        if all(claim.waits_since is None for claim in place.device.places):
            self._expect(place)
            return  # a limit of its own, or those who waited have gone: it takes nothing from anybody
        place.domain.log.write(
            logging.ERROR, "domain %s: its worker keeps a device that others wait for", place.domain.name
        )
        self._charge(place.domain)
        self._charge_least(place, time.monotonic_ns(), 1)  # all of it: its next worker comes when that is paid for
        if place.domain.worker:
            place.domain.worker.kill()

    def _arm_watch(self, domain: Domain) -> None:
        """Only domains with a limit are watched: the supervisor is not woken for any other."""
        account = self._accounts[domain]
        if account.watch:
            account.watch.cancel()
        limited = any(place.claim.limit for place in account.places)
        account.watch = self._loop.call_later(_WATCH, self._watch, domain) if limited else None

    def _watch(self, domain: Domain) -> None:
        account, now = self._accounts[domain], time.monotonic_ns()
        account.watch = self._loop.call_later(_WATCH, self._watch, domain)
        self._charge(domain)
        for place in account.places:
            self._charge_silent(place, now)
        if domain.worker and any(place.is_beyond(now) for place in account.places):
            domain.log.write(logging.ERROR, "domain %s: its worker is far beyond its limit of device time", domain.name)
            domain.worker.kill()

    def _charge_silent(self, place: _Place, now: int) -> None:
        """A lease with an end that is kept for so long is charged as if it ended now: its worker may never say so."""
        if place.bounded_at is not None and now - place.bounded_at >= _WATCH * _SECOND:
            self._charge_kept(place, now)
            place.bounded_at, place.used_then = now, place.claim.used

    def _arm(self, device: _Device, now: int) -> None:
        if device.wake:
            device.wake.cancel()
            device.wake = None
        if (at := device.arbiter.wake_at(now)) is not None:
            device.wake = self._loop.call_later((at - now) / _SECOND, self._settle, device)


def _place_state(place: _Place) -> PlaceState:
    claim = place.claim
    return PlaceState(
        number=place.number,
        lease=claim.lease,
        waits_since=claim.waits_since,
        period=claim.period,
        used=claim.used,
        waited=claim.waited,
        turns=claim.turns,
        limit=(claim.limit.level, claim.limit.then) if claim.limit else None,
        measured=place.measured if place.domain.worker else None,
        told_at=place.told_at,
    )


def _restore(place: _Place, state: PlaceState) -> None:
    claim = place.claim
    place.number, place.told_at = state.number, state.told_at
    claim.lease, claim.waits_since, claim.period = state.lease, state.waits_since, state.period
    claim.used, claim.waited, claim.turns = state.used, state.waited, state.turns
    if claim.limit and state.limit:
        claim.limit.level, claim.limit.then = min(claim.limit.burst, state.limit[0]), state.limit[1]


def _claim(domain: Domain) -> Claim:
    limits = domain.section.limits
    limit = None
    if limits.device_time:
        limit = Allowance(limits.device_time, int(limits.device_burst * _SECOND), limits.device_burst * _SECOND)
        limit.then = time.monotonic_ns()
    return Claim(domain.name, domain.section.weight, domain.section.priority, limit=limit)


def _heir(new: Allowance, old: Allowance | None) -> Allowance:
    """It begins with what the old one had left: nobody is paid twice for a rest."""
    if old:
        new.level = min(new.burst, old.refresh(new.then))
    return new
