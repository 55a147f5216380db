# SPDX-License-Identifier: Apache-2.0
"""A null device that misbehaves when it is told to: each fault of a driver can be had anywhere, at a known unit.

It is for tests, and for an administrator who wants to see what a hang does to his programs. A domain cannot ask
for it: only the configuration can.
"""

from __future__ import annotations

import errno
import select
import time
from typing import TYPE_CHECKING, Final, NamedTuple

from paracore.classes import video
from paracore.drivers.null._session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from paracore.drivers import Span

__all__ = ["LIES", "Faults", "FaultySession"]

_NEVER_GIVEN: Final = 0xFFFF_FFFF
"""A cookie that no frontend of ours gives."""


class Faults(NamedTuple):
    """What goes wrong in each session, at which of its units: the first is 1, and 0 is none.

    Attributes:
        hang_at: this unit and all further ones are never done, until the device is reset.
        fail_at: the driver raises.
        lie_at: the driver tells what is not.
        lie: which of ``LIES``.
        stubborn: a session that hangs cannot be stopped.
        forgets: sessions do not go on over a reset.
    """

    hang_at: int = 0
    fail_at: int = 0
    lie_at: int = 0
    lie: str = "cookie"
    stubborn: bool = False
    forgets: bool = False


class FaultySession(Session):
    """See the module."""

    def __init__(self, direction: video.Direction, faults: Faults) -> None:
        super().__init__(direction)
        self.stoppable = not faults.stubborn
        self._faults = faults
        self._units = 0
        self._hangs_since: int | None = None

    def busy_since(self) -> int | None:
        """As in ``VideoSession``."""
        return self._hangs_since

    def work(self, span: Span, timestamp: int, duration: int) -> Generator[None, None, video.Error | int]:
        """Serves one unit, or does what is to go wrong with it."""
        self._units += 1
        if self._units == self._faults.fail_at:
            raise OSError(errno.EIO, "it fails, as it was told to")
        if self._units == self._faults.lie_at:
            self.tell(LIES[self._faults.lie](self))
        yield from self._hang()
        return (yield from super().work(span, timestamp, duration))

    def flush(self) -> None:
        """As in ``VideoSession``."""
        self._stop()
        super().flush()

    def close(self) -> None:
        """As in ``VideoSession``."""
        self._stop()
        super().close()

    def recover(self) -> None:
        """The device has been reset: what hangs goes on, and nothing hangs any more."""
        self._faults = self._faults._replace(hang_at=0)
        if self.fileno() >= 0:
            next(self._run)

    def _hang(self) -> Generator[None, None, None]:
        while 0 < self._faults.hang_at <= self._units:
            self._hangs_since = self._hangs_since or time.monotonic_ns()
            yield
        self._hangs_since = None

    def _stop(self) -> None:
        """Stops a job that hangs, if it can be stopped."""
        while self._hangs_since and self._faults.stubborn:
            select.poll().poll()
        self._hangs_since = None

    def lent_cookie(self) -> int:
        """Of the output that is next."""
        return self._outputs[0][1] if self._outputs else _NEVER_GIVEN


def _output(cookie: int, octets: int) -> video.OutputReady:
    return video.OutputReady(cookie, video.OutputFlag.KEY, 0, 0, 0, 1, octets, video.PictureType.INTRA, 0, 0, 0, 0)


LIES: Final[dict[str, Callable[[FaultySession], video.Event]]] = {
    "cookie": lambda _: _output(_NEVER_GIVEN, 0),
    "input": lambda _: video.InputDone(_NEVER_GIVEN, 0),
    "size": lambda session: _output(session.lent_cookie(), 0x7FFF_FFFF),
    "drained": lambda _: video.Drained(),
}
"""By name: outputs and inputs that it does not have, more octets than there are, the end of no drain."""
