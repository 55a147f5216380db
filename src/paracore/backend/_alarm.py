# SPDX-License-Identifier: Apache-2.0
"""The kernel ends a worker that does not come back from a driver: nobody in it is left to notice.

A driver may block in few calls only (``drivers``), and then as long as its job takes. Its worker has one thread, so
nothing in it would find out that this is for ever. The alarm has no handler, which the interpreter could not run: its
default is the end of the process, which the supervisor knows by the signal.
"""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ALARMED", "bounded"]

ALARMED: Final = -signal.SIGALRM
"""The exit status of a process that the alarm has ended."""


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """What is done inside may take so long; 0: as long as it likes. Where one is inside another, the inner one counts."""
    if not seconds:
        yield
        return
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
