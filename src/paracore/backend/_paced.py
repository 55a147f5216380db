# SPDX-License-Identifier: Apache-2.0
"""A driver's session in front of which units wait (``_held``) until their domain has credit (``_throttle``).

A unit is charged when it is handed over: a picture, and as many macroblocks as the coded size has, 16 x 16 samples
each. For an encoder that is exact. What comes of a decoder's unit nobody knows before: it is charged by the format
met last, before the first by ``UNKNOWN``, and set right when the next format is met and when its picture comes: by
that picture's own format, and with a picture more when there are more pictures than units. Nothing is given back for
a unit of which nothing comes: the codec had its work with it.

Parameter sets by themselves cost nothing. What they are is the domain's word, and few drivers look at it: so they are let
go for nothing only while the domain owes nothing, and no more of them than stand between two units (``FREE``). Beyond that
a parameter set costs what any unit does.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from paracore.backend._books import unmarked
from paracore.backend._held import HeldSession
from paracore.backend._throttle import Cost
from paracore.classes import TraceEvent, video
from paracore.classes.video import Direction, InputFlag, OutputFlag

if TYPE_CHECKING:
    from paracore.backend._books import Mark
    from paracore.backend._held import Unit
    from paracore.backend._throttle import Throttle
    from paracore.drivers import VideoSession

__all__ = ["FREE", "UNKNOWN", "PacedSession", "macroblocks_of"]

UNKNOWN: Final = 120 * 68
"""Macroblocks of a picture whose format nobody knows yet: one of 1920x1080. With nothing, a stream's beginning would be free."""
FREE: Final = 4096
"""Octets of parameter sets between two units that are paid for, of all sessions of the domain together: HEVC's three sets
have room in it. Bounds what a driver works off unpaid when they are none."""
_SMALLEST: Final = 1024
"""What a parameter set counts for at least, so that there are four at most: a picture of one shade may be a few octets."""
_NOTHING: Final = Cost(0, 0)
_KEPT_MAX: Final = 64
"""Pictures that a codec holds back at most, for their order and on its threads. Bounds what is paid for and not come."""
_GENERATIONS: Final = 4
"""Formats remembered: the last pictures of one may come when the next is known."""
_MACROBLOCK: Final = 16
_NO_PICTURE: Final = OutputFlag.CANCELLED | OutputFlag.EMPTY


def macroblocks_of(picture_format: video.PictureFormat) -> int:
    """Of a picture, those at the edge being whole."""
    across, down = (-(-size // _MACROBLOCK) for size in (picture_format.coded_width, picture_format.coded_height))
    return across * down


class _Meter:
    """What a session's units are worth, and which of them have been paid for and brought no picture yet."""

    def __init__(self, direction: Direction) -> None:
        self._decodes = direction is Direction.DECODE
        self._prices: dict[int, int] = {}
        self._price = UNKNOWN
        self._paid: deque[int] = deque()

    def is_config(self, unit: Unit) -> bool:
        """Whether it is called parameter sets. If pictures come of it all the same they are charged then."""
        return self._decodes and InputFlag.CONFIG in unit.flags

    def cost(self) -> Cost:
        """Of the next unit that is not free."""
        return Cost(1, self._price)

    def meet(self, picture_format: video.PictureFormat, generation: int = 0) -> Cost:
        """Units are of this format from now on, as far as is known also those on their way. Returns what that adds."""
        self._price = self._prices[generation] = macroblocks_of(picture_format)
        if len(self._prices) > _GENERATIONS:
            del self._prices[next(iter(self._prices))]
        before, self._paid = self._paid, deque([self._price] * len(self._paid))
        return Cost(0, sum(self._paid) - sum(before))

    def hand_over(self) -> None:
        """The driver has a unit that was paid for."""
        if self._decodes:
            self._paid.append(self._price)

    def done(self, under_way: int) -> None:
        """An input has come back: its picture is here, or soon, or will never be. So many others have not."""
        while len(self._paid) > under_way + _KEPT_MAX:
            self._paid.popleft()

    def shown(self, event: video.OutputReady) -> Cost:
        """An output has come. Returns what is to be charged beside what was."""
        if not self._decodes or event.flags & _NO_PICTURE:
            return Cost(0, 0)
        price = self._prices.get(event.generation, self._price)
        return Cost(0, price - self._paid.popleft()) if self._paid else Cost(1, price)


class PacedSession(HeldSession):
    """See the module. A ``Waiter`` of the domain's throttle; what waits first is a unit, never a drain."""

    def __init__(self, driver: VideoSession, direction: Direction, throttle: Throttle, mark: Mark = unmarked) -> None:
        super().__init__(driver, direction)
        self._mark = mark
        self._throttle = throttle
        self._meter = _Meter(direction)

    def format_set(self, wanted: video.PictureFormat) -> video.PictureFormat:
        taken = super().format_set(wanted)
        self._meter.meet(taken)
        return taken

    # --- as a Waiter ------------------------------------------------------------------------------

    @property
    def cost(self) -> Cost:
        """Of the unit that is next."""
        return self._cost(self._waiting[0])

    def go(self) -> bool:
        """Hands the next unit over, and what is behind it and costs nothing. Says whether another one waits."""
        self._go_on()
        while self._waiting and self._is_free(self._waiting[0]):
            self._go_on()
        return bool(self._waiting)

    # --- as a HeldSession ---------------------------------------------------------------------------

    def _passes(self, unit: Unit | None) -> bool:
        return self._is_free(unit) or self._throttle.take(self._cost(unit))

    def _line_up(self) -> None:
        self._throttle.wait(self)

    def _leave(self) -> None:
        self._throttle.leave(self)

    def _note(self, unit: Unit) -> None:
        self._mark(TraceEvent.INPUT_THROTTLED, *self._label, unit.cookie, unit.timestamp)

    def _account(self, event: video.Event) -> None:
        super()._account(event)
        if isinstance(event, video.SourceChange):
            self._throttle.charge(self._meter.meet(event.format, event.generation))
        elif isinstance(event, video.InputDone):
            self._meter.done(self._handed_over - self._done)
        elif isinstance(event, video.OutputReady):
            self._throttle.charge(self._meter.shown(event))

    # --- inside -----------------------------------------------------------------------------------

    def _is_free(self, unit: Unit | None) -> bool:
        """Whether it goes past those who wait: a drain does."""
        return unit is None or (self._is_given(unit) and not self._throttle.owes)

    def _cost(self, unit: Unit | None) -> Cost:
        return _NOTHING if unit is None or self._is_given(unit) else self._meter.cost()

    def _is_given(self, unit: Unit) -> bool:
        """Whether it is not to be paid for. The same until it has been handed over."""
        return self._meter.is_config(unit) and self._throttle.given + _size(unit) <= FREE

    def _hand_over(self, unit: Unit) -> None:
        given = self._is_given(unit)
        super()._hand_over(unit)
        if given:
            self._throttle.given += _size(unit)
        else:
            self._throttle.given = 0
            self._meter.hand_over()


def _size(unit: Unit) -> int:
    return max(_SMALLEST, unit.span.length)
