# SPDX-License-Identifier: Apache-2.0
"""A driver's session in front of which units wait (``_held``) until their device is leased (``_gate``).

It is for drivers whose jobs are begun from here: what the driver has been given it will do. So it is given as much as
keeps its device at work and no more; the rest waits here for the lease, or the next one. How long a job took is
known from the driver, which says since when it is at one (``VideoSession.busy_since``).
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from paracore.backend._held import HeldSession

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from paracore.backend._gate import UnitGate
    from paracore.backend._held import Unit
    from paracore.classes import video
    from paracore.drivers import Span, VideoSession

__all__ = ["GatedSession"]

_AHEAD: Final = 3
"""Units in the driver beyond those it may keep: one that is worked on, and two that wait, so that the device need not."""
_UNKNOWN: Final = 1_000_000_000
"""What a unit is expected to take while nobody knows: so much that no turn has room for a second one."""
_MEMORY: Final = 4
"""Units whose cost is told from, of those that are expected to cost what the last ones did."""


class GatedSession(HeldSession):
    """See the module. A ``Waiter`` of its device's gate."""

    def __init__(self, driver: VideoSession, direction: video.Direction, gate: UnitGate) -> None:
        super().__init__(driver, direction)
        self._gate = gate
        self._spent = 0
        """Of device time, since an input was done."""
        self._cost: float | None = None
        """Nanoseconds that an input takes, going by the last ones; None before the first."""
        self._seen: list[video.Event] = []
        """What has happened and the worker has not asked for."""
        gate.enter(self)

    # --- as a Waiter ------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether the device is at a job of its."""
        return self._driver.busy_since() is not None

    @property
    def expected(self) -> int:
        """Nanoseconds that its units in the driver will take, if they are like the last ones."""
        under_way = max(0, self._handed_over - self._done - self._driver.keeps)
        return round(_UNKNOWN * bool(under_way) if self._cost is None else self._cost * under_way)

    @property
    def has_news(self) -> bool:  # type: ignore[override]
        """As in ``VideoSession``."""
        return bool(self._seen) or super().has_news

    def go(self) -> bool:
        """Hands the next unit over; says whether another one may follow."""
        with self._counted():
            self._go_on()
        return self._may_go()

    # --- as in VideoSession -----------------------------------------------------------------------

    def completions(self) -> Sequence[video.Event]:
        self._look()
        if self._fault:
            raise self._fault
        if self._may_go():
            self._gate.wait(self)
        seen, self._seen = self._seen, []
        return seen

    def queue_output(self, span: Span, cookie: int) -> None:
        with self._counted():
            super().queue_output(span, cookie)

    def flush(self) -> None:
        with self._counted():
            super().flush()

    def close(self) -> None:
        if (since := self._driver.busy_since()) is not None:
            self._gate.measure(since)
        self._gate.leave(self)
        super().close()

    # --- as a HeldSession ---------------------------------------------------------------------------

    def _passes(self, unit: Unit | None) -> bool:  # noqa: ARG002 - a drain is work as well
        return self._has_room() and self._gate.opens()

    def _line_up(self) -> None:
        if self._has_room():
            self._gate.wait(self)

    def _leave(self) -> None:
        self._gate.withdraw(self)

    # --- inside -----------------------------------------------------------------------------------

    def _may_go(self) -> bool:
        return bool(self._waiting) and self._has_room()

    def _has_room(self) -> bool:
        """Whether the driver has less than it needs; one that does all at once is done by now."""
        most = self._driver.keeps + _AHEAD
        if self._handed_over - self._done >= most and not self.busy:
            self._look()
        return self._handed_over - self._done < most

    def _look(self) -> None:
        """Takes what has happened; a fault is kept until the worker asks."""
        before = self._done
        with self._counted():
            try:
                self._seen += super().completions()
            except Exception as error:  # noqa: BLE001 - whatever it is, it is this session's end
                self._fault = error
        if done := self._done - before:
            cost = self._spent / done
            self._cost = cost if self._cost is None else self._cost + (cost - self._cost) / _MEMORY
            self._spent = 0

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Whatever is done meanwhile, the device's time is counted when a job is over by it."""
        since, before = self._driver.busy_since(), self._driver.device_time
        yield
        if before is not None:
            self._spent += self._gate.count((self._driver.device_time or 0) - before)
        elif since is not None and self._driver.busy_since() != since:
            self._spent += self._gate.measure(since)
