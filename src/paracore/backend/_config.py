# SPDX-License-Identifier: Apache-2.0
"""The backend's configuration: TOML in, frozen structures out, complaints with their remedy.

Written by the administrator, hence trusted; it is the whole policy. ``packaging/paracore.toml`` is
the commented example. A name of a user or group is looked up once, when the configuration is read.
"""

from __future__ import annotations

import grp
import math
import os
import pwd
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import msgspec

from paracore._errors import ConfigError
from paracore.backend._policies import POLICIES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paracore.protocol import Attachment

__all__ = [
    "DEFAULT_SOCKET",
    "BackendSection",
    "Config",
    "DeviceSection",
    "DomainSection",
    "Limits",
    "XenSection",
    "check_device",
    "check_rights",
    "config_load",
    "config_parse",
    "config_private",
    "explained",
    "section_attached",
    "worker_identity",
    "worker_nice",
]

DEFAULT_SOCKET = "/run/paracore/paracore.sock"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,30}\Z")
_MEBI = 1 << 20
_MOST = {
    "channels": 512,  # with the sessions: a worker's filter knows the descriptors up to PASSED_MAX
    "sessions": 512,
    "buffers": 32768,  # half of the mappings that Linux allows a process
    "bytes": (1 << 63) - 1,
    "outstanding": 2048,  # what the worker's loop keeps for a domain that reads late
    "memory": (1 << 63) - 1,
}


_WEIGHT_MAX = 10000
_PRIORITY_MAX = 9
_SLOTS_MAX = 1024
_PROCESSOR = "libav"
"""The driver whose device is the processor, which has no slots unless they are given."""
_BURST_MIN, _BURST_MAX = 0.001, 60.0
_RATE_MIN = 0.001
_RATE_MAX = 10**12
_DEADLINE_MAX = 3600.0
_IDLE_MAX = 86400.0
_NICE_STEP = 1.25
"""sched(7): what one step of the nice value is in shares of processor time."""


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file: unknown options are refused, so that a misspelt limit is no absent limit."""


class Limits(_Section, frozen=True):
    """What one domain may hold at most: beyond it a call fails with ``no_space`` and the limit's name. And how fast it
    may work: beyond that it has to wait.
    """

    channels: int = 64
    """Processes at once. Bounds descriptors and ring pages (3 descriptors, at most 1 MiB each)."""
    sessions: int = 64
    """Codec instances at once. Bounds codec threads and a codec's private state."""
    buffers: int = 4096
    """Grants at once. Bounds descriptors here and mappings in the worker."""
    bytes: int = 2048 * _MEBI
    """Octets granted at once. Bounds the shared memory that the domain can make the host allocate."""
    outstanding: int = 1024
    """Unanswered calls and queued spans of one channel. Bounds the events that the worker may owe it."""
    memory: int = 4096 * _MEBI
    """Octets of the worker's private memory. Bounds what a stream can make a codec allocate."""
    device_time: float = 0.0
    """Of each device, in the long run: 0.25 is a quarter of what it does one thing at a time. 0: no limit."""
    device_burst: float = 0.1
    """Seconds of device time that may be used at once after a rest, with a limit of it."""
    pictures_per_second: float = 0.0
    """Given to the drivers in the long run, by all processes and sessions together; more has to wait. 0: no limit."""
    pictures_burst: float = 8.0
    """Pictures at once, after a rest."""
    macroblocks_per_second: float = 0.0
    """The same in pieces of 16 x 16 samples of the coded size, so that large pictures count for more."""
    macroblocks_burst: float = 65536.0
    """Macroblocks at once, after a rest: eight pictures of 1920x1080."""
    pixel_rate: int = 0
    """Samples a second that its sessions may reserve by declaring them, of all its devices together; 0: no limit."""

    def rates(self) -> dict[str, tuple[float, float]]:
        """What a worker's throttle keeps, by the names of its arguments."""
        return {
            "pictures": (self.pictures_per_second, self.pictures_burst),
            "macroblocks": (self.macroblocks_per_second, self.macroblocks_burst),
        }


class BackendSection(_Section, frozen=True):
    """``[backend]``: the service itself."""

    socket: str = DEFAULT_SOCKET
    """Where domains connect. Its directory is made if its parent exists."""
    socket_mode: int = 0o666
    """Who may connect at all; who is served is decided by ``[[domain]]``."""
    worker_user: str = "nobody"
    """Whom workers run as when the backend is started by root."""
    worker_spin: float = 0.0
    """Seconds that a worker looks on for messages before it sleeps: latency for processor time, 20e-6 is a wake-up's."""
    worker_linger: float = 10.0
    """Seconds a worker outlives the last channel of its domain, so that a busy domain keeps its own."""
    sandbox: Literal["required", "preferred"] = "preferred"
    """Whether to serve where the kernel has no seccomp or no Landlock; workers then have one wall less, which is logged."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    """What goes to standard error."""


class DeviceSection(_Section, frozen=True):
    """``[[device]]``: one coprocessor; domains name it."""

    name: str
    driver: str
    options: dict[str, str | int | float | bool] = {}
    """Given to the driver as it is; each driver documents its own."""
    policy: str = "fair"
    """How its time is shared out among domains: fair, priority, fixed-share or deadline, see ``docs/guides/sharing.md``."""
    slots: int | None = None
    """Domains that may use it at once; 0: all. When it is left out: one, but of a device that is the processor (the driver ``libav``)
    all, among whom the kernel shares it out."""
    autosuspend: float = 2.0
    """Seconds without a session after which it is put to sleep, by the kernel where it has one of its own."""
    clock_floor: float = 0.0
    """With a clock of the kernel's (devfreq): its floor follows the load, up to this part of its highest frequency; 0: none."""
    job_deadline: float = 30.0
    """Seconds that its driver may be at one job (an input worked off) until the session is taken to hang; 0: for ever."""
    pixel_rate: int = 0
    """Samples a second that it can do. Sessions that declare a rate are let in up to that; 0: nobody knows, all are."""


class DomainSection(_Section, frozen=True):
    """``[[domain]]``: who is served, with what, how far."""

    name: str
    user: str | int | None = None
    group: str | int | None = None
    devices: tuple[str, ...] | None = None
    """Names of devices; all when it is left out."""
    limits: Limits = Limits()
    weight: int = 100
    """Share of a device's time against other domains, when there is too little: 200 has twice as much as 100."""
    priority: int = 0
    """With the policy ``priority``: 0 to 9, more is served sooner."""

    def device_names(self, every: Iterable[str]) -> tuple[str, ...]:
        """Its devices in the order in which it has them, out of `every` device."""
        return tuple(every) if self.devices is None else self.devices

    def identities(self) -> tuple[str, ...]:
        """What a peer of this domain is known by, see ``transport.Peer``."""
        found = []
        if self.user is not None:
            found.append(f"uid:{_uid(self.user, f'domain.{self.name}.user')}")
        if self.group is not None:
            found.append(f"gid:{_gid(self.group, f'domain.{self.name}.group')}")
        return tuple(found)


class XenSection(_Section, frozen=True):
    """``[xen]``: guests of this machine's hypervisor. Which of them are served is the toolstack's say, not the file's."""

    enabled: bool = False
    """Serves the guests that ``paracore attach`` names; ``paracore serve --xen`` says the same."""


class Config(_Section, frozen=True):
    """A whole configuration."""

    backend: BackendSection = BackendSection()
    xen: XenSection = XenSection()
    device: tuple[DeviceSection, ...] = ()
    domain: tuple[DomainSection, ...] = ()


def config_load(path: str | os.PathLike[str]) -> Config:
    """Reads a configuration file.

    Raises:
        ConfigError: names the option and what to do about it.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(os.fspath(path), f"cannot be read ({error}); give the path of a TOML file") from error
    return config_parse(text, os.fspath(path))


def config_parse(text: str, name: str = "configuration") -> Config:
    """Reads a configuration from its text; `name` is for complaints."""
    try:
        config = msgspec.convert(tomllib.loads(text), Config)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(name, f"is not TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise ConfigError(*explained(error)) from error
    _check(config)
    return config


def config_private(
    socket: str, *, driver: str = "libav", options: dict[str, str | int | float | bool] | None = None
) -> Config:
    """The configuration of a backend for the caller alone: one device, one domain, the caller's own uid."""
    return Config(
        backend=BackendSection(socket=socket, socket_mode=0o600, log_level="warning"),
        device=(DeviceSection(name="vpu0", driver=driver, options=options or {}),),
        domain=(DomainSection(name="private", user=os.geteuid()),),
    )


def section_attached(attachment: Attachment, config: Config) -> DomainSection:
    """The section of a domain that a toolstack attached.

    Raises:
        ConfigError: it may use a device that there is not.
    """
    section = DomainSection(
        name=attachment.name or f"domid-{attachment.frontend_id}",
        devices=attachment.devices,
        weight=attachment.weight,
        priority=attachment.priority,
        limits=Limits(
            channels=attachment.max_channels,
            sessions=attachment.max_sessions,
            buffers=attachment.max_buffers,
            bytes=attachment.max_bytes,
            outstanding=attachment.max_outstanding,
            memory=attachment.max_memory,
            device_time=attachment.max_device_time / 1000,
            pictures_per_second=attachment.max_pictures_per_second,
            macroblocks_per_second=attachment.max_macroblocks_per_second,
            pixel_rate=attachment.max_pixel_rate,
        ),
    )
    _check_devices(section, {device.name for device in config.device})
    return section


def worker_nice(weight: int) -> int:
    """The nice value that gives a worker such a share."""
    return max(-20, min(19, round(-math.log(weight / 100, _NICE_STEP))))


def worker_identity(user: str) -> tuple[int, int]:
    """User and group that workers become, from ``worker_user``; a bare number is its own group."""
    number = _uid(user, "backend.worker_user")
    try:
        return number, pwd.getpwuid(number).pw_gid
    except KeyError:
        return number, number


def explained(error: msgspec.ValidationError) -> tuple[str, str]:
    """Turns msgspec's "... - at `$.domain[0].user`" into (option, remedy)."""
    what, _, where = str(error).partition(" - at `$")
    option = where.rstrip("`").lstrip(".") or "configuration"
    if unknown := re.search(r"unknown field `(.+?)`", what):
        prefix = f"{option}." if where else ""
        return f"{prefix}{unknown[1]}", "is no option; see the example configuration for those there are"
    return option, f"{what[:1].lower()}{what[1:]}; correct its value"


def _check(config: Config) -> None:
    """What types cannot say: names, references, ranges."""
    _check_names("device", [device.name for device in config.device])
    _check_names("domain", [domain.name for domain in config.domain])
    for device in config.device:
        check_device(device)
    for domain in config.domain:
        _check_domain(domain, {device.name for device in config.device})
    _check_identities(config)
    if not config.backend.socket.startswith("/"):
        raise ConfigError("backend.socket", "must be an absolute path")
    if not 0 <= config.backend.worker_spin <= 1:
        raise ConfigError(
            "backend.worker_spin", "must be 0 to 1 second: while it spins, a worker takes a whole processor"
        )
    if config.backend.worker_linger < 0:
        raise ConfigError("backend.worker_linger", "must not be negative")
    if os.geteuid() == 0:
        _check_worker_user(config, _uid(config.backend.worker_user, "backend.worker_user"))


def _check_worker_user(config: Config, worker: int) -> None:
    """Whoever has the workers' user could end them, and with root's a worker that was taken over is free."""
    if worker == 0:
        raise ConfigError("backend.worker_user", "must not be root; give a user that is for nothing else")
    for domain in config.domain:
        if f"uid:{worker}" in domain.identities():
            raise ConfigError(
                "backend.worker_user", f"is the user of domain {domain.name!r}; give a user that is for nothing else"
            )


def _check_names(kind: str, names: list[str]) -> None:
    for name in names:
        if not _NAME.match(name):
            raise ConfigError(f"{kind}.name", f"{name!r} must be 1 to 31 letters, digits, dots, dashes or underscores")
        if names.count(name) > 1:
            raise ConfigError(f"{kind}.name", f"{name!r} stands twice; give each {kind} its own name")


def check_device(device: DeviceSection) -> None:
    """Refuses a device that cannot be so."""
    option = f"device.{device.name}"
    if device.policy not in POLICIES:
        raise ConfigError(f"{option}.policy", f"{device.policy!r} is none; there are: {', '.join(POLICIES)}")
    if device.policy != "fair" and (device.slots == 0 or (device.slots is None and device.driver == _PROCESSOR)):
        raise ConfigError(f"{option}.slots", f"must be 1 or more for the policy {device.policy!r}: domains at once")
    if device.slots is not None and not 0 <= device.slots <= _SLOTS_MAX:
        raise ConfigError(f"{option}.slots", f"{device.slots} is out of range; give 0 to {_SLOTS_MAX}")
    if not 0 <= device.autosuspend <= _IDLE_MAX:
        raise ConfigError(
            f"{option}.autosuspend", f"{device.autosuspend} is out of range; give 0 to {_IDLE_MAX} seconds"
        )
    if not 0 <= device.clock_floor <= 1:
        raise ConfigError(f"{option}.clock_floor", "must be 0 to 1, of the highest frequency")
    if not 0 <= device.job_deadline <= _DEADLINE_MAX:
        raise ConfigError(
            f"{option}.job_deadline", f"{device.job_deadline} is out of range; give 0 to {_DEADLINE_MAX} seconds"
        )
    _check_pixel_rate(option, device.pixel_rate)


def _check_domain(domain: DomainSection, devices: set[str]) -> None:
    option = f"domain.{domain.name}"
    if not domain.identities():
        raise ConfigError(f"{option}.user", "is missing; give `user` or `group`, a name or a number")
    _check_devices(domain, devices)
    check_rights(domain)


def check_rights(domain: DomainSection) -> None:
    """Refuses weights and limits that are out of range."""
    option = f"domain.{domain.name}"
    if not 0 < domain.weight <= _WEIGHT_MAX:
        raise ConfigError(f"{option}.weight", f"{domain.weight} is out of range; give 1 to {_WEIGHT_MAX}")
    if not 0 <= domain.priority <= _PRIORITY_MAX:
        raise ConfigError(f"{option}.priority", f"{domain.priority} is out of range; give 0 to {_PRIORITY_MAX}")
    for name, most in _MOST.items():
        value = getattr(domain.limits, name)
        if not 0 < value <= most:
            raise ConfigError(f"{option}.limits.{name}", f"{value} is out of range; give 1 to {most}")
    if not 0 <= domain.limits.device_time <= _SLOTS_MAX:
        raise ConfigError(f"{option}.limits.device_time", f"must be 0 to {_SLOTS_MAX} seconds a second")
    if not _BURST_MIN <= domain.limits.device_burst <= _BURST_MAX:
        raise ConfigError(f"{option}.limits.device_burst", f"must be {_BURST_MIN} to {_BURST_MAX} seconds")
    _check_rates(f"{option}.limits", domain.limits)
    _check_pixel_rate(f"{option}.limits", domain.limits.pixel_rate)


def _check_pixel_rate(option: str, pixel_rate: int) -> None:
    if not 0 <= pixel_rate < 1 << 63:
        raise ConfigError(f"{option}.pixel_rate", "is out of range; give samples a second, or 0 for no limit")


def _check_rates(option: str, limits: Limits) -> None:
    for name, (per_second, burst) in limits.rates().items():
        if per_second and not _RATE_MIN <= per_second <= _RATE_MAX:
            raise ConfigError(f"{option}.{name}_per_second", f"must be 0, or {_RATE_MIN} to {_RATE_MAX}")
        if not 1 <= burst <= _RATE_MAX:
            raise ConfigError(f"{option}.{name}_burst", f"must be 1 to {_RATE_MAX}: with less nothing would ever go")


def _check_devices(domain: DomainSection, devices: set[str]) -> None:
    for device in domain.devices or ():
        if device not in devices:
            there = ", ".join(sorted(devices)) or "none"
            raise ConfigError(f"domain.{domain.name}.devices", f"{device!r} is no [[device]]; there are: {there}")


def _check_identities(config: Config) -> None:
    seen: dict[str, str] = {}
    for domain in config.domain:
        for identity in domain.identities():
            if (other := seen.setdefault(identity, domain.name)) != domain.name:
                raise ConfigError(f"domain.{domain.name}", f"{identity} is domain {other!r} already; a peer has one")


def _uid(user: str | int, option: str) -> int:
    if isinstance(user, int) or user.isdecimal():
        return _number(int(user), option)
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        raise ConfigError(option, f"there is no user {user!r}; create it or give a number") from None


def _gid(group: str | int, option: str) -> int:
    if isinstance(group, int) or group.isdecimal():
        return _number(int(group), option)
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise ConfigError(option, f"there is no group {group!r}; create it or give a number") from None


def _number(number: int, option: str) -> int:
    if not 0 <= number < 2**32 - 1:
        raise ConfigError(option, f"{number} is no valid user or group number")
    return number
