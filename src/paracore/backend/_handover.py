# SPDX-License-Identifier: Apache-2.0
"""What the supervisor leaves to its next program image: typed, with a version, in sealed memory.

The process stays the same, and with it the descriptors that are named here: the next image inherits them. Nobody but
the supervisor itself, or root, can give a program its environment and descriptors, so that what stands here is
trusted as the supervisor is; the kernel says of the memory that it was sealed. Counts and lists that follow from
others are not handed over but made again.
"""

from __future__ import annotations

import fcntl
import os
import signal
from contextlib import suppress
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import replace

from paracore._errors import ConfigError
from paracore.backend._config import Config, DomainSection  # noqa: TC001 - msgspec reads the types
from paracore.backend._hangs import HangState  # noqa: TC001 - as above
from paracore.backend._ledger import LedgerState
from paracore.transport._handover import GuestState, ListenerState, PortState  # noqa: TC001 - as above

__all__ = [
    "REHEARSAL",
    "VARIABLE",
    "VERSION",
    "AccountState",
    "ConnectionState",
    "DomainState",
    "Envelope",
    "Left",
    "PlaceState",
    "PowerState",
    "State",
    "WarmState",
    "WorkerState",
    "abandon",
    "enclose",
    "inherited",
    "merged",
    "open_state",
    "set_inheritable",
]

VERSION: Final = 4
"""Of ``State``. It changes with any change of a meaning here; another version is not taken over."""
VARIABLE: Final = "PARACORE_HANDOVER"
"""Of the environment: the number of the descriptor of the memory, in a rehearsal ``:rehearsal`` behind it."""
REHEARSAL: Final = "rehearsal"
_SEALS: Final = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL


class PlaceState(NamedTuple):
    """A domain at one device, see ``Claim``; `number` is its last lease's, `limit` level and time of its allowance.

    `measured` is its worker's: whether the device's time is that of its jobs, None of one that has no worker, and `told_at`
    when it told of them last.
    """

    number: int
    lease: int | None
    waits_since: int | None
    period: int
    used: int
    waited: int
    turns: int
    limit: tuple[float, int] | None
    measured: bool | None
    told_at: int


class AccountState(NamedTuple):
    """A domain at all its devices, and the processor time of its worker that it was charged for."""

    charged: int
    places: dict[str, PlaceState]


class PowerState(NamedTuple):
    """By the devices' names: domains with sessions, and which are on. By file: the kernel's settings, and what is to be
    written still.
    """

    users: dict[str, list[str]]
    on: list[str]
    before: dict[str, str]
    orders: dict[str, str]


class WorkerState(NamedTuple):
    """A worker that lives: its process (0 and -1 when it is just being born), its socket, its standard error,
    and the device that it says it is at.
    """

    number: int
    pid: int
    pidfd: int
    socket: int
    errors: int
    line: bytes
    serial: int
    processor_time: int
    removals: tuple[int, ...]
    backlog: tuple[tuple[bytes, tuple[int, ...]], ...]
    at: int | None
    carried: int = 0

    def descriptors(self) -> list[int]:
        """All that are there."""
        waiting = [descriptor for _, descriptors in self.backlog for descriptor in descriptors]
        return [each for each in (self.pidfd, self.socket, self.errors, *waiting) if each >= 0]

    def end(self) -> None:
        """Ends it instead of going on with it. One that is just being born ends with its socket."""
        if self.pidfd >= 0:
            with suppress(ProcessLookupError):  # it has ended meanwhile, and its warm parent knows
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)
        for descriptor in self.descriptors():
            os.close(descriptor)


class ConnectionState(NamedTuple):
    """A connection; `channel` is 0 while it has none."""

    port: PortState
    greeted: bool
    channel: int
    ended: bool


class DomainState(NamedTuple):
    """A domain of the configuration, with all that it has."""

    section: DomainSection
    identities: tuple[str, ...]
    violations: int
    workers_lost: int
    worker_left_at: int
    worker: WorkerState | None
    connections: tuple[ConnectionState, ...]
    account: AccountState
    reserved: dict[str, dict[int, int]]
    ledger: LedgerState = LedgerState()


class WarmState(NamedTuple):
    """A warm parent: its process, the socket to it, the numbers of its workers."""

    pid: int
    socket: int
    workers: tuple[int, ...]


class State(NamedTuple):
    """All of it. `file` is the configuration as it was read, `config` what has become of it since."""

    file: Config
    config: Config
    listener: ListenerState
    number: int
    """The next one of a channel or worker."""
    counts: dict[str, int]
    workers_started: int
    domains: tuple[DomainState, ...]
    guests: tuple[GuestState, ...]
    """Of Xen: those that are connected."""
    strangers: tuple[ConnectionState, ...]
    """Connections of no domain: before their hello, or an administrator's."""
    warm: tuple[WarmState, ...]
    hangs: dict[str, HangState]
    power: PowerState

    def descriptors(self) -> list[int]:
        """All that the next image has to inherit."""
        found = [self.listener.descriptor, self.listener.lock, *(warm.socket for warm in self.warm)]
        connections = [*self.strangers, *(each for domain in self.domains for each in domain.connections)]
        for connection in connections:
            found += connection.port.descriptors()
        for guest in self.guests:
            found += guest.descriptors()
        for domain in self.domains:
            found += domain.worker.descriptors() if domain.worker else []
        return found


class Envelope(msgspec.Struct, frozen=True):
    """What every version understands: enough to let go of what it cannot take over."""

    version: int
    descriptors: tuple[int, ...]
    processes: tuple[int, ...]
    """Children, which nobody else would reap."""
    state: msgspec.Raw


class Left(NamedTuple):
    """What a program finds."""

    envelope: Envelope
    rehearsal: bool
    """It is a copy, the descriptors are not there, and the program is to say whether it could go on with it."""


def enclose(state: State) -> int:
    """A descriptor of the state, which nobody can change any more."""
    octets = msgspec.json.encode(
        Envelope(
            VERSION,
            tuple(state.descriptors()),
            tuple(warm.pid for warm in state.warm),
            msgspec.Raw(msgspec.json.encode(state)),
        )
    )
    memory = os.memfd_create("paracore-handover", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with os.fdopen(os.dup(memory), "wb") as file:
        file.write(octets)
    fcntl.fcntl(memory, fcntl.F_ADD_SEALS, _SEALS)
    return memory


def inherited() -> Left | None:
    """What the last program image has left, if there was one. From here on no child inherits any of it.

    Raises:
        ConfigError: there is something, and it is not the supervisor's.
    """
    given = os.environ.pop(VARIABLE, None)
    if given is None:
        return None
    try:
        number, _, rehearsal = given.partition(":")
        memory = int(number)
        if fcntl.fcntl(memory, fcntl.F_GET_SEALS) != _SEALS:
            raise ConfigError(VARIABLE, "is for a backend that reloads itself; do not set it")
        octets = os.pread(memory, os.fstat(memory).st_size, 0)
        os.close(memory)
        envelope = msgspec.json.decode(octets, type=Envelope)
    except (ValueError, OSError, msgspec.MsgspecError) as error:
        raise ConfigError(VARIABLE, f"is for a backend that reloads itself ({error}); do not set it") from error
    if not rehearsal:
        set_inheritable(envelope.descriptors, inheritable=False)
    return Left(envelope, bool(rehearsal))


def open_state(envelope: Envelope) -> State:
    """What is in it.

    Raises:
        ConfigError: it is of another version.
    """
    remedy = "this version of paracore cannot take over from the one that runs: restart it"
    if envelope.version != VERSION:
        raise ConfigError("reload", f"{remedy} (its state has version {envelope.version}, not {VERSION})")
    try:
        return msgspec.json.decode(envelope.state, type=State)
    except msgspec.ValidationError as error:
        raise ConfigError("reload", f"{remedy} ({error})") from error


def merged(state: State, file: Config) -> Config:
    """The configuration to go on with: what the file says, and where it says the same as before, what has been changed
    since while it was used.

    Raises:
        ConfigError: the file changes what only a restart can.
    """
    names = [section.name for section in state.file.device]
    if [section.name for section in file.device] != names:
        raise ConfigError("device", f"must be {', '.join(names)} for a reload, as they are; others need a restart")
    for option in ("socket", "socket_mode"):
        if getattr(file.backend, option) != getattr(state.file.backend, option):
            raise ConfigError(f"backend.{option}", "must stay as it is for a reload; another one needs a restart")
    devices = zip(file.device, state.file.device, state.config.device, strict=True)
    before = {section.name: section for section in state.file.domain}
    now = {domain.section.name: domain.section for domain in state.domains}
    return replace(
        file,
        device=tuple(running if new == old else new for new, old, running in devices),
        domain=tuple(now.get(new.name, new) if new == before.get(new.name) else new for new in file.domain),
    )


def set_inheritable(descriptors: tuple[int, ...] | list[int], *, inheritable: bool) -> None:
    """Whether the next program image has them; children have none in either case."""
    for descriptor in descriptors:
        os.set_inheritable(descriptor, inheritable)


def abandon(envelope: Envelope) -> None:
    """Lets go of everything. The workers end with their warm parents."""
    for descriptor in envelope.descriptors:
        os.close(descriptor)
    for pid in envelope.processes:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
