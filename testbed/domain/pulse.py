# SPDX-License-Identifier: Apache-2.0
"""In dom0, when a board has gone on from a snapshot: time passes on every processor again, or this does not end.

QEMU 7.2 does not carry the hypervisor's timer (CNTHP) over a migration. Xen writes it when the first of a processor's
timers changes, and not when time has passed it by: what expires from then on waits until something is due before that,
which on an idle processor may be never, and guests stand still. A vCPU that polls for no event until a time long past
(``SCHEDOP_poll``, xen/include/public/sched.h) puts a timer before all others. Each of dom0's processors does so a few
times while all are busy, so that every one of the machine's is met; and sleeps for a moment, which sets Linux's own.

The host gives it to Python as standard input: as root, with the standard library only.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import time
from struct import Struct

_PRIVCMD = "/dev/xen/privcmd"
_HYPERCALL = 0x305000
"""IOCTL_PRIVCMD_HYPERCALL, <xen/privcmd.h>."""
_CALL = Struct("<6Q")
_SCHED_OP, _POLL = 29, 3
_POLLED = Struct("<QI4xQ")
"""struct sched_poll: ports, how many, until when in nanoseconds since Xen's start."""
_LONG_PAST = 1
_TIMES, _BUSY, _SLEEP = 5, 0.02, 0.005


def main() -> int:
    """Does it on all processors at once; 0 if it could be done on all."""
    processors = sorted(os.sched_getaffinity(0))
    children = [child for processor in processors if (child := _child(processor))]
    return sum(os.waitpid(child, 0)[1] != 0 for child in children)


def _child(processor: int) -> int:
    child = os.fork()
    if not child:
        try:
            _pulse(processor)
        except BaseException:  # noqa: BLE001 - the parent is told, whatever it was
            os._exit(1)
        os._exit(0)
    return child


def _pulse(processor: int) -> None:
    os.sched_setaffinity(0, {processor})
    descriptor = os.open(_PRIVCMD, os.O_RDWR | os.O_CLOEXEC)
    polled = ctypes.create_string_buffer(_POLLED.pack(0, 0, _LONG_PAST), _POLLED.size)
    call = _CALL.pack(_SCHED_OP, _POLL, ctypes.addressof(polled), 0, 0, 0)
    for _ in range(_TIMES):
        until = time.monotonic() + _BUSY
        while time.monotonic() < until:
            pass
        fcntl.ioctl(descriptor, _HYPERCALL, call)
        time.sleep(_SLEEP)  # the second half of the matter: Linux sets its own timer for it


if __name__ == "__main__":
    raise SystemExit(main())
