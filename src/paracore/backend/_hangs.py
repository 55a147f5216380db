# SPDX-License-Identifier: Apache-2.0
"""Devices that hang, as the workers tell of them: the session is reset first, the device last.

The session has been ended by its worker, when the driver could be stopped; when it could not, the worker is ended here.
A device that hangs again soon is reset in all workers that have it. No worker is trusted: one that says what is not
ends itself, or has a device reset that needed it not, which costs the others a moment and is bounded in rate. Where it would cost them
their sessions, as with codecs of the kernel's, one domain's word is not enough: what hangs for it alone is reset for it alone.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from paracore._errors import RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from paracore.backend._domain import Domain

__all__ = ["WINDOW", "HangState", "Hangs"]

_log = logging.getLogger("paracore.backend")

WINDOW: Final = 60.0
"""Seconds within which a second hang resets the device; and a device is reset once in as many. Bounds what a domain
that makes a codec hang at will costs the others."""


@dataclass(slots=True)
class HangState:
    """What is known of one device.

    Attributes:
        last: when it hung last, since it was reset.
        reset: when it was reset last.
        by: the identities of the domain for which it hung last.
        carries: whether sessions go on over a reset.
    """

    hangs: int = 0
    resets: int = 0
    last: float | None = None
    reset: float | None = None
    by: tuple[str, ...] = ()
    carries: bool = True

    def hang(self, now: float) -> bool:
        """It hangs; whether it has to be reset."""
        self.hangs += 1
        again = _recent(self.last, now) and not _recent(self.reset, now)
        self.last = None if again else now
        if again:
            self.resets += 1
            self.reset = now
        return again


class Hangs:
    """See the module.

    Args:
        devices: their names.
        domains: those that are served now.
        clock: in seconds.
    """

    def __init__(
        self, devices: Sequence[str], domains: Sequence[Domain], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._devices = {name: HangState() for name in devices}
        self._domains = domains
        self._clock = clock

    def spare(self, names: Iterable[str]) -> None:
        """Sessions of these devices end with a reset."""
        for name in names:
            self._devices[name].carries = False

    def hang(self, domain: Domain, index: int, *, stuck: bool) -> None:
        """The worker of a domain says that a device hung, and whether it has to be ended for it.

        Raises:
            RemoteProtocolError: the domain has no such device.
        """
        names = domain.section.device_names(self._devices)
        if index >= len(names):
            raise RemoteProtocolError(f"there is no device {index}")
        name = names[index]
        domain.log.write(
            logging.ERROR,
            "domain %s: device %s hangs: %s",
            domain.name,
            name,
            "its worker is ended" if stuck else "the session is reset",
        )
        if stuck and domain.worker:
            domain.worker.kill()
        self._count(name, domain)

    def blocked(self, domain: Domain, index: int | None) -> None:
        """The worker of a domain has ended in a driver's call, of the device that it had said it is at.

        One that has lied, or said nothing, costs no device anything: it has ended already.
        """
        names = domain.section.device_names(self._devices)
        name = names[index] if index is not None and index < len(names) else None
        domain.log.write(
            logging.ERROR,
            "domain %s: the driver of device %s did not come back, and the worker has ended",
            domain.name,
            name or "(unknown)",
        )
        if name:
            self._count(name, domain)

    def hand_over(self) -> dict[str, HangState]:
        """By the devices' names."""
        return self._devices

    def adopt(self, devices: dict[str, HangState]) -> None:
        """What was known before; whether sessions go on over a reset, the driver of now says."""
        for name, before in devices.items():
            before.carries = self._devices[name].carries
            self._devices[name] = before

    def account(self, name: str) -> dict[str, int]:
        """For the status."""
        device = self._devices[name]
        return {"hangs": device.hangs, "resets": device.resets}

    def _count(self, name: str, domain: Domain) -> None:
        device = self._devices[name]
        alone = device.by == domain.identities and not device.carries
        device.by = domain.identities
        if device.hang(self._clock()):
            self._reset(name, (domain,) if alone else self._domains)

    def _reset(self, name: str, domains: Sequence[Domain]) -> None:
        _log.error("device %s hangs again: it is reset", name)
        for domain in domains:
            names = domain.section.device_names(self._devices)
            if domain.worker and name in names:
                domain.worker.device_reset(names.index(name))


def _recent(then: float | None, now: float) -> bool:
    return then is not None and now - then <= WINDOW
