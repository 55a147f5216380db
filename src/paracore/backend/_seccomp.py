# SPDX-License-Identifier: Apache-2.0
"""Which system calls a worker may make: a filter program, made once in the warm parent.

Everything that is not listed fails with EPERM; nothing is killed, so that a codec which only probes for
something (a CPU list, huge pages) takes its other way. Each group says what needs it. On the way to the
kernel stand, in this order: no file can be opened, no descriptor made or moved; memory is anonymous or
comes from a descriptor that the supervisor passed; none of it is ever executable; no device is spoken to,
but for an event channel that is to be rung, and with the requests that the domain's drivers name.
"""

from __future__ import annotations

import ctypes.util
import errno
import mmap
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["PASSED_MAX", "PASSED_MIN", "opener_program", "program"]

PASSED_MIN = 256
"""Descriptors that the supervisor passes have this number or a higher one: the warm parent holds all
lower ones occupied. Below lie only the worker's own, which no mapping may be made of."""
PASSED_MAX = 4095
_PASSED_BLOCKS = (256, 512, 1024, 2048)
"""From PASSED_MIN to PASSED_MAX, each block as long as its first number: one comparison of bits finds it."""

_ALLOWED = {
    "messages and waiting": "read write readv writev recvmsg sendmsg close lseek poll ppoll select pselect6 "
    "epoll_wait epoll_pwait epoll_pwait2 epoll_ctl epoll_create1 eventfd2 timerfd_create timerfd_settime",
    "memory": "munmap madvise brk mremap",
    "threads of codecs": "futex set_robust_list rseq sched_yield sched_getaffinity gettid getpid exit exit_group",
    "time": "clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday setitimer",
    "signals to itself": "rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack restart_syscall",
    "what a library asks in passing": "getrandom getrusage times uname getcpu membarrier get_mempolicy set_mempolicy",
}

_CLONE_VM = 0x100
_CLONE_THREAD = 0x10000
_PR_SET_NAME = 15
_PR_SET_VMA = 0x53564D41
_WORD = 0xFFFF_FFFF_FFFF_FFFF
_OPEN_FLAGS = os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC
_EVTCHN_NOTIFY = 0x0004_4504
"""xen/evtchn.h: IOCTL_EVTCHN_NOTIFY. Not among it: binding a channel, mapping a grant."""
_OPENER = "recvmsg sendmsg close exit_group brk munmap madvise futex rt_sigaction rt_sigreturn restart_syscall"
"""What the process beside a worker needs that opens its devices, beside opening them."""
_OPTIMIZE, _BINARY_TREE = 8, 2
"""SCMP_FLTATR_CTL_OPTIMIZE: a search tree in place of a list of comparisons."""


def opener_program() -> bytes:
    """The filter of the process that opens devices: nothing is made, and only its own memory is mapped."""
    seccomp = _pyseccomp()
    rules = seccomp.SyscallFilter(seccomp.ERRNO(errno.EPERM))
    for name in _OPENER.split():
        rules.add_rule(seccomp.ALLOW, name)
    rules.add_rule(seccomp.ALLOW, "openat", seccomp.Arg(2, seccomp.EQ, _OPEN_FLAGS))
    private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    rules.add_rule(
        seccomp.ALLOW, "mmap", seccomp.Arg(2, seccomp.MASKED_EQ, mmap.PROT_EXEC, 0), seccomp.Arg(3, seccomp.EQ, private)
    )
    return _exported(rules)


def program(requests: Iterable[int] = ()) -> bytes:
    """The filter as the kernel takes it.

    Args:
        requests: of ``ioctl``, for descriptors that were passed.
    """
    seccomp = _pyseccomp()
    rules = seccomp.SyscallFilter(seccomp.ERRNO(errno.EPERM))
    with suppress(OSError):  # libseccomp before 2.5: slower by a microsecond
        rules.set_attr(_OPTIMIZE, _BINARY_TREE)

    for names in _ALLOWED.values():
        for name in names.split():
            rules.add_rule(seccomp.ALLOW, name)

    def allow(name: str, *conditions: tuple[int, int, int, int]) -> None:
        rules.add_rule(seccomp.ALLOW, name, *(seccomp.Arg(*condition) for condition in conditions))

    no_execution = (2, seccomp.MASKED_EQ, mmap.PROT_EXEC, 0)
    allow("mmap", no_execution, (3, seccomp.MASKED_EQ, mmap.MAP_ANONYMOUS, mmap.MAP_ANONYMOUS))
    for first in _PASSED_BLOCKS:
        # Whole words are compared: the kernel drops the upper half of a descriptor, a filter does not.
        allow("mmap", no_execution, (4, seccomp.MASKED_EQ, _WORD & ~(first - 1), first))
    allow("mprotect", no_execution)
    allow("clone", (0, seccomp.MASKED_EQ, _CLONE_VM | _CLONE_THREAD, _CLONE_VM | _CLONE_THREAD))
    for request in (_EVTCHN_NOTIFY, *requests):
        allow("ioctl", (1, seccomp.EQ, request, 0))
    # Its flags lie in memory, where a filter cannot look: the C library falls back on clone.
    rules.add_rule(seccomp.ERRNO(errno.ENOSYS), "clone3")
    allow("sched_setaffinity", (0, seccomp.EQ, 0, 0))  # by number it would reach other workers, which are the same user
    allow("prctl", (0, seccomp.EQ, _PR_SET_NAME, 0))
    allow("prctl", (0, seccomp.EQ, _PR_SET_VMA, 0))
    return _exported(rules)


def _pyseccomp() -> Any:
    """The module, which asks ldconfig or a compiler where its library is: only where it is needed. A small system has
    neither of them, but a loader that knows the library's name.
    """
    find = ctypes.util.find_library
    ctypes.util.find_library = lambda name: find(name) or ("libseccomp.so.2" if name == "seccomp" else None)
    try:
        import pyseccomp  # noqa: PLC0415
    except OSError as error:
        raise ImportError("libseccomp is not installed") from error
    finally:
        ctypes.util.find_library = find
    return pyseccomp


def _exported(rules: object) -> bytes:
    with os.fdopen(os.memfd_create("filter"), "w+b") as file:
        rules.export_bpf(file)  # type: ignore[attr-defined]
        file.seek(0)
        return file.read()
