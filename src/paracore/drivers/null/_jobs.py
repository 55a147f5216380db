# SPDX-License-Identifier: Apache-2.0
"""A null device whose jobs take time: what a device that does one thing at a time looks like, on every machine.

Its jobs take none of the processor's time. They are done one after the other, whichever sessions of a worker they are of;
what workers do to each other is not in it: that is what leases of the device's time are for.
"""

from __future__ import annotations

import ctypes
import os
import select
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from paracore.drivers import CallFailed
from paracore.drivers.null._faults import Faults, FaultySession

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from paracore.classes import video
    from paracore.drivers import Span

__all__ = ["Jobs", "TimedSession"]

_SECOND: Final = 1_000_000_000
_CLOCK_MONOTONIC: Final = 1
_ABSOLUTE: Final = 1
_libc = ctypes.CDLL(None, use_errno=True)


class Jobs:
    """The device's one place of work.

    Args:
        seconds: that each job takes.

    Attributes:
        length: the same in nanoseconds.
    """

    def __init__(self, seconds: float) -> None:
        self.length = round(seconds * _SECOND)
        self._free_at = 0

    def begin(self, came: int) -> int:
        """One more job, which is there since then: when it begins, in nanoseconds of the monotonic clock.

        That may be some time ago: a device goes on with what it has, also while nobody looks.
        """
        begins = max(self._free_at, came)
        self._free_at = begins + self.length
        return begins


class TimedSession(FaultySession):
    """See the module."""

    def __init__(self, direction: video.Direction, faults: Faults, jobs: Jobs) -> None:
        super().__init__(direction, faults)
        self._jobs = jobs
        self._came: deque[int] = deque()
        self._begins: int | None = None
        self.device_time: int = 0
        self._timer = _libc.timerfd_create(_CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC)
        if self._timer < 0:
            raise OSError(ctypes.get_errno(), "no timer")
        self._epoll = select.epoll()
        for descriptor in (self._event, self._timer):
            self._epoll.register(descriptor, select.EPOLLIN)

    def fileno(self) -> int:
        """As in ``VideoSession``."""
        return -1 if self._epoll.closed else self._epoll.fileno()

    @property
    def worked(self) -> int:
        """As in ``VideoSession``."""
        return self.device_time

    def busy_since(self) -> int | None:
        """As in ``VideoSession``."""
        return super().busy_since() or self._begins

    def work(self, span: Span, timestamp: int, duration: int) -> Generator[None, None, video.Error | int]:
        """Serves one unit, when its time has passed."""
        self._begins = self._jobs.begin(self._came.popleft())
        ends = self._begins + self._jobs.length
        while time.monotonic_ns() < ends:
            self._set(ends)
            yield
        self._begins = None
        self.device_time += self._jobs.length
        return (yield from super().work(span, timestamp, duration))

    def queue_input(self, span: Span, cookie: int, flags: video.InputFlag, timestamp: int, duration: int) -> None:
        """As in ``VideoSession``."""
        self._came.append(time.monotonic_ns())
        try:
            super().queue_input(span, cookie, flags, timestamp, duration)
        except CallFailed:
            self._came.pop()
            raise

    def completions(self) -> Sequence[video.Event]:
        """As in ``VideoSession``."""
        with suppress(BlockingIOError):
            os.read(self._timer, 8)
        next(self._run)
        return super().completions()

    def flush(self) -> None:
        """As in ``VideoSession``."""
        self._begins = None
        self._came.clear()
        super().flush()

    def close(self) -> None:
        """As in ``VideoSession``."""
        if not self._epoll.closed:
            self._epoll.close()
            os.close(self._timer)
            self._begins = None
        super().close()

    def _set(self, at: int) -> None:
        when = (ctypes.c_long * 4)(0, 0, *divmod(at, _SECOND))  # struct itimerspec: the interval, the first time
        _libc.timerfd_settime(self._timer, _ABSOLUTE, when, None)
