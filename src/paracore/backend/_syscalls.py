# SPDX-License-Identifier: Apache-2.0
"""Linux calls that Python has no name for, through libc.

PyPI has a ``landlock``, but only as a development release for file rules, without the scopes of newer
kernels; three calls do not need it.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import signal

__all__ = [
    "landlock_abi",
    "landlock_restrict",
    "no_new_privileges",
    "parent_death_signal",
    "process_name",
    "seccomp_available",
    "seccomp_load",
]

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_GET_SECCOMP = 21
_PR_SET_SECCOMP = 22
_PR_SET_NO_NEW_PRIVS = 38
_SECCOMP_MODE_FILTER = 2
_LANDLOCK_CREATE_RULESET = 444
_LANDLOCK_RESTRICT_SELF = 446
_LANDLOCK_CREATE_RULESET_VERSION = 1

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_libc.prctl.restype = ctypes.c_int


class _Ruleset(ctypes.Structure):
    """struct landlock_ruleset_attr."""

    _fields_ = (
        ("handled_access_fs", ctypes.c_uint64),
        ("handled_access_net", ctypes.c_uint64),
        ("scoped", ctypes.c_uint64),
    )


class _Program(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


# By ABI: the bits of each field that the kernel knows, linux/landlock.h. File rights: 13 at first, then
# REFER, TRUNCATE, (net), IOCTL_DEV; TCP bind and connect; abstract Unix sockets and signals.
_FILE_BITS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_NET_SINCE, _NET_BITS = 4, 2
_SCOPES_SINCE, _SCOPE_BITS = 6, 2


def landlock_abi() -> int:
    """The kernel's Landlock version, 0 when it has none or it is switched off."""
    version = ctypes.c_uint32(_LANDLOCK_CREATE_RULESET_VERSION)
    abi: int = _libc.syscall(_LANDLOCK_CREATE_RULESET, None, ctypes.c_size_t(0), version)
    return max(0, abi)


def landlock_restrict(abi: int) -> None:
    """Takes away all that Landlock of this version can take: no rule gives anything back."""
    ruleset = _Ruleset(
        (1 << _FILE_BITS.get(abi, 16)) - 1,
        (1 << _NET_BITS) - 1 if abi >= _NET_SINCE else 0,
        (1 << _SCOPE_BITS) - 1 if abi >= _SCOPES_SINCE else 0,
    )
    size = 24 if abi >= _SCOPES_SINCE else 16 if abi >= _NET_SINCE else 8
    descriptor = _check(
        _libc.syscall(_LANDLOCK_CREATE_RULESET, ctypes.byref(ruleset), ctypes.c_size_t(size), ctypes.c_uint32(0))
    )
    try:
        _check(_libc.syscall(_LANDLOCK_RESTRICT_SELF, descriptor, ctypes.c_uint32(0)))
    finally:
        os.close(descriptor)


def no_new_privileges() -> None:
    """No exec gives more rights any more; Landlock and seccomp ask for it."""
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)


def parent_death_signal(number: signal.Signals) -> None:
    """Ends this process with its parent. A change of user forgets it: to be called after that."""
    _prctl(_PR_SET_PDEATHSIG, number)


def process_name(name: str) -> None:
    """What `ps` and `top` show, at most 15 octets."""
    _libc.prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)


def seccomp_available() -> bool:
    """Whether the kernel was built with filters."""
    return Path("/proc/sys/kernel/seccomp/actions_avail").exists() or _libc.prctl(_PR_GET_SECCOMP, 0, 0, 0, 0) >= 0


def seccomp_load(program: bytes) -> None:
    """Loads a filter program for good."""
    described = _Program(len(program) // 8, program)
    _check(_libc.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_SECCOMP_MODE_FILTER), ctypes.byref(described), 0, 0))


def _prctl(option: int, value: int) -> None:
    _check(_libc.prctl(option, ctypes.c_ulong(value), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0)))


def _check(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
