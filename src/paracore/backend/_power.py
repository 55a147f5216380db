# SPDX-License-Identifier: Apache-2.0
"""The devices' power: on while a domain has a session, asleep when nobody has had one for a while.

A device of the kernel's sleeps by the kernel's own runtime power management, which is told how soon and told no more:
the kernel's driver knows best when it is at work. Its clock's floor, where that is wanted, follows the device time that was used lately
(``_clock_floor``), and is looked after only while it is used. Any other device has what its driver keeps, which is let go of. The
workers say who has sessions; one that lies keeps a device awake, or has the others forget what they can make again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from paracore._errors import RemoteProtocolError
from paracore.backend._clock_floor import PERIOD, ClockFloor
from paracore.backend._handover import PowerState
from paracore.backend._sysfs import KernelDevice, Writer

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Mapping, Sequence

    from paracore.backend._config import DeviceSection
    from paracore.backend._domain import Domain

__all__ = ["Power"]


@dataclass(slots=True, eq=False)
class _Device:
    """One device.

    Attributes:
        users: domains that have sessions.
        on: whether it is meant to be awake.
        rest: when it is put to sleep, if nobody comes.
        floor: what its clock is not to fall below.
        look: when that is looked at next; None while nobody uses it.
    """

    section: DeviceSection
    kernel: list[KernelDevice] = field(default_factory=list)
    users: set[Domain] = field(default_factory=set)
    on: bool = False
    rest: asyncio.TimerHandle | None = None
    floor: ClockFloor = field(init=False)
    look: asyncio.TimerHandle | None = None

    def __post_init__(self) -> None:
        self.floor = ClockFloor(self.section.clock_floor)


class Power:
    """See the module.

    Args:
        devices: of the configuration.
        domains: those that are served now.
        loop: whose time passes.
    """

    def __init__(
        self, devices: Sequence[DeviceSection], domains: Sequence[Domain], loop: asyncio.AbstractEventLoop
    ) -> None:
        self._devices = {section.name: _Device(section) for section in devices}
        self._domains = domains
        self._loop = loop
        self._writer = Writer()
        self._before: dict[Path, str] = {}

    def hand_over(self) -> PowerState:
        """For the next program image: who uses what, and the kernel's settings as they were. Changes nothing."""
        kernel = [each for device in self._devices.values() for each in device.kernel]
        before = {file: text for each in kernel for file, text in each.before.items()} or self._before
        return PowerState(
            users={name: [domain.name for domain in device.users] for name, device in self._devices.items()},
            on=[name for name, device in self._devices.items() if device.on],
            before={str(file): text for file, text in before.items()},
            orders={str(file): text for file, text in self._writer.orders().items()},
        )

    def adopt(self, state: PowerState) -> None:
        """Goes on as it was handed over, with those of the domains that are still served."""
        self._before = {Path(file): text for file, text in state.before.items()}
        for file, text in state.orders.items():
            self._writer.write(Path(file), text)
        for name, device in self._devices.items():
            device.on = name in state.on
            device.users = {domain for domain in self._domains if domain.worker and domain.name in state.users[name]}
            if device.on:
                self._watch(device, comes=True)
            if device.on and not device.users:
                self._let_rest(device)

    def manage(self, folders: Mapping[str, Sequence[str]]) -> None:
        """Takes the devices of the kernel over, whose folders in sysfs these are, by the devices' names."""
        for name, paths in folders.items():
            device = self._devices[name]
            if device.kernel:
                continue  # another warm parent says the same
            device.kernel = [KernelDevice(Path(path), self._writer, self._before) for path in paths]
            for each in device.kernel:
                each.let_sleep(device.section.autosuspend)
                each.keep_floor(device.floor.part if device.look else 0.0)

    def use(self, domain: Domain, index: int, *, used: bool) -> None:
        """The worker of a domain has sessions of a device, or none any more.

        Raises:
            RemoteProtocolError: the domain has no such device.
        """
        names = domain.section.device_names(self._devices)
        if index >= len(names):
            raise RemoteProtocolError(f"there is no device {index}")
        device = self._devices[names[index]]
        if used:
            self._enter(device, domain)
        else:
            self._leave(device, domain)

    def work(self, domain: Domain, index: int, used: int) -> None:
        """The worker of a domain has used so many nanoseconds of a device that it has."""
        device = self._devices[domain.section.device_names(self._devices)[index]]
        self._watch(device, comes=False)
        device.floor.use(used)

    def leave(self, domain: Domain) -> None:
        """Its worker has gone, with all sessions."""
        for device in self._devices.values():
            self._leave(device, domain)

    def state(self, name: str) -> str:
        """For the status: ``on`` or ``off``; of a device of the kernel's ``active``, ``suspended`` or ``unsupported``."""
        device = self._devices[name]
        if not device.kernel:
            return "on" if device.on else "off"
        states = {each.state() for each in device.kernel}
        return next((state for state in ("active", "suspended") if state in states), "unsupported")

    def close(self) -> None:
        """The kernel's settings are as they were."""
        for device in self._devices.values():
            for each in device.kernel:
                each.restore()
        self._writer.close()

    # --- inside -------------------------------------------------------------------------------------

    def _enter(self, device: _Device, domain: Domain) -> None:
        device.users.add(domain)
        if device.rest:
            device.rest.cancel()
            device.rest = None
        if not device.on:
            self._watch(device, comes=True)
        device.on = True

    def _leave(self, device: _Device, domain: Domain) -> None:
        if domain not in device.users:
            return
        device.users.remove(domain)
        if not device.users:
            self._let_rest(device)

    def _let_rest(self, device: _Device) -> None:
        device.rest = self._loop.call_later(device.section.autosuspend, self._sleep, device)

    def _sleep(self, device: _Device) -> None:
        device.rest = None
        device.on = False
        for domain in self._domains:
            names = domain.section.device_names(self._devices)
            if domain.worker and device.section.name in names:
                domain.worker.device_rest(names.index(device.section.name))

    # --- clocks -------------------------------------------------------------------------------------

    def _watch(self, device: _Device, *, comes: bool) -> None:
        """From now on, until it has not been used for a while."""
        if device.look or not device.section.clock_floor:
            return
        device.floor.begin(self._loop.time(), comes=comes)
        self._keep(device)

    def _look(self, device: _Device) -> None:
        clock = max((each.clock() for each in device.kernel), default=1.0)
        device.look = None
        if device.floor.look(self._loop.time(), clock):
            self._keep(device)
        else:
            for each in device.kernel:
                each.keep_floor(0.0)

    def _keep(self, device: _Device) -> None:
        device.look = self._loop.call_later(PERIOD, self._look, device)
        for each in device.kernel:
            each.keep_floor(device.floor.part)
