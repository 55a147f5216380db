# SPDX-License-Identifier: Apache-2.0
"""What a worker gives up before it reads the first octet of its domain.

In this order, since each step needs a right that the next one takes away: groups and user, limits of the
kernel's own, the tie to the parent's life, new privileges, Landlock, seccomp. What a kernel lacks is
reported in ``Confinement.missing``, logged, and shown by `list` and `doctor`; it is never passed over.
"""

from __future__ import annotations

import os
import resource
import signal
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paracore.backend import _seccomp, _syscalls

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Bounds", "Confinement", "confinement"]

_OOM_SCORE = b"500"
"""Short of memory, the kernel ends a worker rather than the supervisor or somebody else's work."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the kernel itself bounds of one worker.

    Attributes:
        memory: octets of private memory (RLIMIT_DATA): codecs' state.
        descriptors: RLIMIT_NOFILE.
        nice: its share of processor time when there is too little.
    """

    memory: int
    descriptors: int
    nice: int = 0


@dataclass(frozen=True, slots=True)
class Confinement:
    """How workers are confined on this machine."""

    user: tuple[int, int] | None
    """User and group that workers become; None: they stay what they are."""
    landlock: int
    """The ABI, 0 when there is none."""
    filter: bytes
    """The seccomp program, empty when there is none."""
    opener_filter: bytes = b""
    """The one of the process that opens devices for a worker, see ``_opener``."""

    @property
    def missing(self) -> tuple[str, ...]:
        """What this kernel cannot do, with what it means."""
        lacks = []
        if not self.landlock:
            lacks.append(
                "Landlock: a second wall in front of the file system is missing (kernel 5.13 and lsm=landlock have it)"
            )
        elif self.landlock < 6:
            lacks.append(
                "Landlock scopes: only seccomp keeps workers from signals and abstract sockets (kernel 6.12 has them)"
            )
        if not self.filter:
            lacks.append("seccomp: workers are not confined to their system calls (CONFIG_SECCOMP_FILTER, libseccomp2)")
        return tuple(lacks)

    def enter(self, bounds: Bounds, parent: int) -> None:
        """Confines the calling process for good. `parent` is whom it must not outlive.

        Raises:
            OSError: a step failed though the kernel has it; the caller must not go on.
        """
        _write_oom_score()
        _be_nice(bounds.nice)
        if self.user:
            _become(*self.user)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        _lower(resource.RLIMIT_NOFILE, bounds.descriptors)
        _lower(resource.RLIMIT_DATA, bounds.memory)
        _syscalls.parent_death_signal(signal.SIGKILL)
        if os.getppid() != parent:
            raise ProcessLookupError("the parent has ended")
        _syscalls.no_new_privileges()
        if self.landlock:
            _syscalls.landlock_restrict(self.landlock)
        if self.filter:
            _syscalls.seccomp_load(self.filter)


def confinement(user: tuple[int, int] | None, requests: Iterable[int] = ()) -> Confinement:
    """What this machine has. Costs some milliseconds: for the warm parent, not for each worker.

    Args:
        user: whom workers become.
        requests: what drivers ask of devices by ``ioctl``.
    """
    program = opener = b""
    if _syscalls.seccomp_available():
        with suppress(ImportError, RuntimeError):  # libseccomp is not installed: told by `missing`
            program = _seccomp.program(requests)
            opener = _seccomp.opener_program()
    return Confinement(user, _syscalls.landlock_abi(), program, opener)


def _be_nice(nice: int) -> None:
    with suppress(PermissionError):  # a backend that is not root's can only take away
        os.setpriority(os.PRIO_PROCESS, 0, nice)


def _become(user: int, group: int) -> None:
    os.setgroups([])
    os.setresgid(group, group, group)
    os.setresuid(user, user, user)


def _lower(limit: int, value: int) -> None:
    """Lowers a limit, never raising it beyond what is allowed here anyway."""
    _, hard = resource.getrlimit(limit)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(limit, (value, value))


def _write_oom_score() -> None:
    try:
        descriptor = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return  # no /proc: the kernel's own choice then
    try:
        os.write(descriptor, _OOM_SCORE)
    except OSError:
        pass  # it stands higher already
    finally:
        os.close(descriptor)
