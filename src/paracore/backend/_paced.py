# SPDX-License-Identifier: Apache-2.0
"""A driver's session in front of which units wait until their domain has credit (``_throttle``).

To the worker it is the driver's session, to the driver it is the worker. Inputs wait here, and drains behind them;
all else goes straight on. So a unit that waits is the driver's as far as the domain can see: its span is lent and
counts as outstanding, a flush cancels it, a close forgets it.

A unit is charged when it is handed over: a picture, and as many macroblocks as the coded size has, 16 x 16 samples
each. For an encoder that is exact. What comes of a decoder's unit nobody knows before: it is charged by the format
met last, before the first by ``UNKNOWN``, and set right when the next format is met and when its picture comes: by
that picture's own format, and with a picture more when there are more pictures than units. Nothing is given back for
a unit of which nothing comes: the codec had its work with it. Parameter sets by themselves cost nothing.

What a driver says of a unit when the domain's post is long over cannot be ``post_failed`` any more: it comes as
``input_done`` with that error, behind those of the inputs before it (docs/protocol/session.md has a decoder's inputs
come back in order). A fault of the driver is kept and raised when the worker asks for completions next.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

from paracore.backend._books import unmarked
from paracore.backend._throttle import Cost
from paracore.classes import TraceEvent, video
from paracore.classes.video import Direction, Error, InputFlag, OutputFlag
from paracore.drivers import CallFailed, VideoSession

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paracore.backend._books import Mark
    from paracore.backend._throttle import Throttle
    from paracore.drivers import Span

__all__ = ["UNKNOWN", "PacedSession", "macroblocks_of", "paced"]

UNKNOWN: Final = 120 * 68
"""Macroblocks of a picture whose format nobody knows yet: one of 1920x1080. With nothing, a stream's beginning would be free."""
_KEPT_MAX: Final = 64
"""Pictures that a codec holds back at most, for their order and on its threads. Bounds what is paid for and not come."""
_GENERATIONS: Final = 4
"""Formats remembered: the last pictures of one may come when the next is known."""
_MACROBLOCK: Final = 16
_NO_PICTURE: Final = OutputFlag.CANCELLED | OutputFlag.EMPTY


def paced(driver: VideoSession, direction: Direction, throttle: Throttle, mark: Mark = unmarked) -> VideoSession:
    """The session as the domain's rates let it work: itself, when there are none."""
    return PacedSession(driver, direction, throttle, mark) if throttle.limits else driver


def macroblocks_of(picture_format: video.PictureFormat) -> int:
    """Of a picture, those at the edge being whole."""
    across, down = (-(-size // _MACROBLOCK) for size in (picture_format.coded_width, picture_format.coded_height))
    return across * down


class _Unit(NamedTuple):
    """An input as the driver takes it."""

    span: Span
    cookie: int
    flags: InputFlag
    timestamp: int
    duration: int


class _Meter:
    """What a session's units are worth, and which of them have been paid for and brought no picture yet."""

    def __init__(self, direction: Direction) -> None:
        self._decodes = direction is Direction.DECODE
        self._prices: dict[int, int] = {}
        self._price = UNKNOWN
        self._paid: deque[int] = deque()

    def is_free(self, unit: _Unit) -> bool:
        """Parameter sets. If pictures come of it all the same they are charged then."""
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

    def hand_over(self, unit: _Unit) -> None:
        """The driver has it."""
        if self._decodes and not self.is_free(unit):
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


class PacedSession(VideoSession):
    """See the module. A ``Waiter`` of the domain's throttle."""

    def __init__(self, driver: VideoSession, direction: Direction, throttle: Throttle, mark: Mark = unmarked) -> None:
        self._driver = driver
        self._mark = mark
        self._label = 0, 0
        self.stoppable = driver.stoppable
        self._throttle = throttle
        self._meter = _Meter(direction)
        self._in_order = direction is Direction.DECODE
        self._waiting: deque[_Unit | None] = deque()  # None is a drain; the first is never free
        self._handed_over = self._done = 0
        self._told: deque[tuple[int, video.InputDone]] = deque()  # each once so many inputs are done
        self._fault: Exception | None = None

    # --- as in VideoSession -----------------------------------------------------------------------

    def fileno(self) -> int:
        return self._driver.fileno()

    def completions(self) -> Sequence[video.Event]:
        if self._fault:
            raise self._fault
        events: list[video.Event] = self._due()
        for event in self._driver.completions():
            self._account(event)
            events += [event, *self._due()]
        self.copies = self._driver.copies
        return events

    def busy_since(self) -> int | None:
        return self._driver.busy_since()

    def format_get(self) -> video.PictureFormat:
        return self._driver.format_get()

    def format_set(self, wanted: video.PictureFormat) -> video.PictureFormat:
        taken = self._driver.format_set(wanted)
        self._meter.meet(taken)
        return taken

    def control_get(self, control: video.Control) -> int:
        return self._driver.control_get(control)

    def control_set(self, control: video.Control, value: int) -> int:
        return self._driver.control_set(control, value)

    def queue_input(self, span: Span, cookie: int, flags: InputFlag, timestamp: int, duration: int) -> None:
        unit = _Unit(span, cookie, flags, timestamp, duration)
        if not self._waiting and (self._meter.is_free(unit) or self._throttle.take(self._meter.cost())):
            self._hand_over(unit)
            return
        self._mark(TraceEvent.INPUT_THROTTLED, *self._label, cookie, timestamp)
        self._waiting.append(unit)
        if len(self._waiting) == 1:
            self._throttle.wait(self)

    def queue_output(self, span: Span, cookie: int) -> None:
        self._driver.queue_output(span, cookie)

    def holds(self, span: Span) -> bool:
        return self._driver.holds(span)

    def drain(self) -> None:
        if None in self._waiting:
            raise CallFailed(Error.BUSY)
        if self._waiting:
            self._waiting.append(None)
        else:
            self._driver.drain()

    def flush(self) -> None:
        self._driver.flush()
        self._throttle.leave(self)
        for unit in filter(None, self._waiting):
            self._tell(unit, Error.CANCELLED)
        self._waiting.clear()

    def recall(self) -> None:
        self._driver.recall()

    def label(self, channel: int, session: int) -> None:
        self._label = channel, session
        self._driver.label(channel, session)

    def close(self) -> None:
        self._throttle.leave(self)
        self._waiting.clear()
        self._driver.close()

    # --- as a Waiter ------------------------------------------------------------------------------

    @property
    def cost(self) -> Cost:
        """Of the unit that is next."""
        return self._meter.cost()

    @property
    def has_news(self) -> bool:
        """Whether there is something to tell that the descriptor does not tell."""
        return bool(self._told or self._fault)

    def go(self) -> bool:
        """Hands the next unit over, and what is behind it and costs nothing. Says whether another one waits."""
        try:
            self._go_on()
            while self._waiting and self._is_free(self._waiting[0]):
                self._go_on()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this session's end
            self._fault = error
            self._waiting.clear()
        return bool(self._waiting)

    # --- inside -----------------------------------------------------------------------------------

    def _is_free(self, waiting: _Unit | None) -> bool:
        return waiting is None or self._meter.is_free(waiting)

    def _go_on(self) -> None:
        unit = self._waiting.popleft()
        if unit is None:
            self._driver.drain()
            return
        try:
            self._hand_over(unit)
        except CallFailed as failed:
            self._tell(unit, failed.error)

    def _tell(self, unit: _Unit, error: Error) -> None:
        self._told.append((self._handed_over if self._in_order else 0, video.InputDone(unit.cookie, error)))

    def _due(self) -> list[video.Event]:
        due: list[video.Event] = []
        while self._told and self._told[0][0] <= self._done:
            due.append(self._told.popleft()[1])
        return due

    def _hand_over(self, unit: _Unit) -> None:
        self._driver.queue_input(*unit)
        self._handed_over += 1
        self._meter.hand_over(unit)

    def _account(self, event: video.Event) -> None:
        if isinstance(event, video.SourceChange):
            self._throttle.charge(self._meter.meet(event.format, event.generation))
        elif isinstance(event, video.InputDone):
            self._done += 1
            self._meter.done(self._handed_over - self._done)
        elif isinstance(event, video.OutputReady):
            self._throttle.charge(self._meter.shown(event))
