# SPDX-License-Identifier: Apache-2.0
"""All workers of the supervisor and the warm parent that they are born of: ordered here, heard of here, and counted.

A warm parent that dies takes its workers with it and is followed by another; one of the last program image stays for as long
as its workers do. Warm parents are trusted, workers are not; nothing here waits.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, Protocol

from paracore._errors import ConfigError, DeviceLost, Error, TransportBroken
from paracore.backend._config import worker_nice
from paracore.backend._seccomp import PASSED_MAX, PASSED_MIN
from paracore.backend._warm import WarmParent, launch
from paracore.backend._worker_end import WorkerEnd

if TYPE_CHECKING:
    import itertools
    from collections.abc import Iterable

    from paracore.backend._config import Config
    from paracore.backend._domain import Domain
    from paracore.backend._handover import WarmState, WorkerState
    from paracore.backend._warm import Launched

__all__ = ["Workers", "WorkersOwner"]

_log = logging.getLogger("paracore.backend")

_WARM_MIN: Final = 2.0
"""A warm parent that dies sooner is not started again: it would for ever."""


class WorkersOwner(Protocol):
    """What they need of the supervisor."""

    config: Config

    @property
    def stopping(self) -> bool: ...

    def drivers_ready(self, said: dict[str, Any]) -> None:
        """The devices are there, and it is known how workers are confined."""

    def give_up(self, error: Error) -> None:
        """There is no going on without workers."""


class Workers:
    """See the module.

    Attributes:
        ends: the supervisor's end of each, by its number.
        started: how many have been ordered.
        numbers: of which each has one.
    """

    def __init__(self, owner: WorkersOwner, launched: Launched, numbers: itertools.count[int]) -> None:
        self.ends: dict[int, WorkerEnd] = {}
        self.started = 0
        self._owner = owner
        self.numbers = numbers
        self._loop = asyncio.get_running_loop()
        self._warm_since = time.monotonic()
        self._warm = WarmParent(launched, self._loop, self._heard, self._warm_lost)
        self._retired: list[WarmParent] = []

    def order(self, domain: Domain) -> WorkerEnd:
        """A worker for a domain, which may be talked to at once."""
        end = WorkerEnd(next(self.numbers), domain)
        self.ends[end.number] = end
        self.started += 1
        try:
            self._warm.spawn(self._order(end.number, domain), end.theirs())
        except TransportBroken:
            pass  # the warm parent is dying: so is this worker, and its socket says so at once
        finally:
            end.ordered()
        return end

    def close(self) -> None:
        """Ends the warm parents, and with them whatever workers are left."""
        for warm in (self._warm, *self._retired):
            warm.close()

    # --- across a reload ----------------------------------------------------------------------------

    def hand_over(self) -> tuple[WarmState, ...]:
        """All warm parents; workers are handed over with their domains. Changes nothing."""
        return tuple(warm.hand_over() for warm in (self._warm, *self._retired))

    def leave(self) -> None:
        """The next program image is about to be: what it would not know of ends."""
        for end in self.ends.values():
            if not end.hand_over():
                end.kill()

    def adopt_warm(self, states: Iterable[WarmState]) -> None:
        """The warm parents of the last program image."""
        self._retired += [WarmParent.adopted(state, self._loop, self._heard, self._warm_lost) for state in states]

    def adopt(self, domain: Domain, state: WorkerState) -> WorkerEnd:
        """A worker of the last program image."""
        end = self.ends[state.number] = WorkerEnd(state.number, domain, state)
        return end

    def part(self) -> None:
        """Retired warm parents go with their last workers."""
        for warm in [each for each in self._retired if not each.workers]:
            self._retired.remove(warm)
            warm.close()

    # --- what warm parents are told and say -----------------------------------------------------------

    def _order(self, number: int, domain: Domain) -> dict[str, Any]:
        section, limits = domain.section, domain.section.limits
        names = [device.name for device in self._owner.config.device]
        return {
            "spawn": number,
            "domain": section.name,
            "devices": [names.index(name) for name in section.device_names(names)],
            "limits": {
                name: getattr(limits, name) for name in ("channels", "sessions", "buffers", "bytes", "outstanding")
            },
            "rates": {**limits.rates(), "since": domain.worker_left_at, "owed": domain.ledger.owed},
            "bounds": {
                "nice": worker_nice(section.weight),
                "memory": limits.memory,
                "descriptors": min(PASSED_MAX + 1, PASSED_MIN + 64 + 3 * limits.channels + 4 * limits.sessions),
            },
        }

    def _heard(self, said: dict[str, Any], descriptors: tuple[int, ...]) -> None:
        if "ready" in said:
            self._owner.drivers_ready(said)
        elif "spawned" in said:
            self._spawned(said, descriptors[0])
        elif "ended" in said:
            if end := self.ends.pop(said["ended"], None):
                end.waited(said["status"], said.get("used", 0))  # a warm parent from before a reload may not say it
            self.part()
        elif "failed" in said:
            self._owner.give_up(ConfigError(*said["failed"]))

    def _spawned(self, said: dict[str, Any], pidfd: int) -> None:
        if end := self.ends.get(said["spawned"]):
            end.spawned(said["pid"], pidfd)
        else:  # it was ended before a reload, and before it was born
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            os.close(pidfd)

    def _warm_lost(self, lost: WarmParent) -> None:
        """Its workers die with it. Another one is started, unless it is not needed or would not live either."""
        for number in lost.workers & self.ends.keys():
            self.ends.pop(number).orphaned()
        if lost is not self._warm:
            self._retired.remove(lost)
            return
        if self._owner.stopping:
            return
        if time.monotonic() - self._warm_since < _WARM_MIN:
            self._owner.give_up(DeviceLost("paracore", 0, "the warm parent of the workers does not live"))
            return
        _log.error("the warm parent of the workers has died; starting another")
        self._warm_since = time.monotonic()
        try:
            launched = launch(self._owner.config)
        except OSError as error:  # the machine has no room for a process: systemd begins anew
            self._owner.give_up(
                DeviceLost("paracore", error.errno or 0, "no warm parent of the workers can be started")
            )
            return
        self._warm = WarmParent(launched, self._loop, self._heard, self._warm_lost)
