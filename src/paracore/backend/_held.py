# SPDX-License-Identifier: Apache-2.0
"""A driver's session in front of which units wait; for what they wait is the subclass's to say.

To the worker it is the driver's session, to the driver it is the worker. Inputs wait here, and drains behind them;
all else goes straight on. So a unit that waits is the driver's as far as the domain can see: its span is lent and
counts as outstanding, a flush cancels it, a close forgets it.

What a driver says of a unit when the domain's post is long over cannot be ``post_failed`` any more: it comes as
``input_done`` with that error, behind those of the inputs before it (docs/protocol/session.md has a decoder's inputs
come back in order). A fault of the driver is kept and raised when the worker asks for completions next.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from paracore.classes import video
from paracore.classes.video import Direction, Error, InputFlag
from paracore.drivers import CallFailed, Span, VideoSession

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["HeldSession", "Unit"]


class Unit(NamedTuple):
    """An input as the driver takes it."""

    span: Span
    cookie: int
    flags: InputFlag
    timestamp: int
    duration: int


class HeldSession(VideoSession):
    """See the module."""

    def __init__(self, driver: VideoSession, direction: Direction) -> None:
        self._driver = driver
        self.stoppable = driver.stoppable
        self._in_order = direction is Direction.DECODE
        self._waiting: deque[Unit | None] = deque()  # None is a drain
        self._handed_over = self._done = 0
        self._told: deque[tuple[int, video.InputDone]] = deque()  # each once so many inputs are done
        self._fault: Exception | None = None
        self._label = 0, 0
        self._waits_since = self._held_for = 0

    # --- what a subclass says -----------------------------------------------------------------------

    @abstractmethod
    def _passes(self, unit: Unit | None) -> bool:
        """Whether it may go at once, with nothing before it; then it goes."""

    @abstractmethod
    def _line_up(self) -> None:
        """A unit waits from now on, with none before it."""

    @abstractmethod
    def _leave(self) -> None:
        """None waits any more."""

    def _note(self, unit: Unit) -> None:
        """It has to wait."""

    def _account(self, event: video.Event) -> None:
        """The driver has said it."""
        self._done += isinstance(event, video.InputDone)

    # --- as in VideoSession -----------------------------------------------------------------------

    @property
    def copies(self) -> int:  # type: ignore[override]
        """As in ``VideoSession``."""
        return self._driver.copies

    @property
    def keeps(self) -> int:  # type: ignore[override]
        """As in ``VideoSession``."""
        return self._driver.keeps

    @property
    def device_time(self) -> int | None:  # type: ignore[override]
        """As in ``VideoSession``."""
        return self._driver.device_time

    @property
    def worked(self) -> int:
        """As in ``VideoSession``."""
        return self._driver.worked

    @property
    def waited(self) -> int:
        """As in ``VideoSession``, here and in the driver."""
        now = time.monotonic_ns()
        return self._held_for + (now - self._waits_since if self._waits_since else 0) + self._driver.waited

    @property
    def has_news(self) -> bool:  # type: ignore[override]
        """As in ``VideoSession``."""
        return bool(self._fault) or self._is_due() or self._driver.has_news

    def fileno(self) -> int:
        return self._driver.fileno()

    def completions(self) -> Sequence[video.Event]:
        if self._fault:
            raise self._fault
        events: list[video.Event] = self._due()
        for event in self._driver.completions():
            self._account(event)
            events += [event, *self._due()]
        return events

    def busy_since(self) -> int | None:
        return self._driver.busy_since()

    def format_get(self) -> video.PictureFormat:
        return self._driver.format_get()

    def format_set(self, wanted: video.PictureFormat) -> video.PictureFormat:
        return self._driver.format_set(wanted)

    def control_get(self, control: video.Control) -> int:
        return self._driver.control_get(control)

    def control_set(self, control: video.Control, value: int) -> int:
        return self._driver.control_set(control, value)

    def queue_input(self, span: Span, cookie: int, flags: InputFlag, timestamp: int, duration: int) -> None:
        unit = Unit(span, cookie, flags, timestamp, duration)
        if not self._waiting and self._passes(unit):
            self._hand_over(unit)
            return
        self._note(unit)
        self._waiting.append(unit)
        if len(self._waiting) == 1:
            self._begin_to_wait()

    def queue_output(self, span: Span, cookie: int) -> None:
        self._driver.queue_output(span, cookie)

    def holds(self, span: Span) -> bool:
        return self._driver.holds(span)

    def drain(self) -> None:
        if None in self._waiting:
            raise CallFailed(Error.BUSY)
        if self._waiting:
            self._waiting.append(None)
        elif self._passes(None):
            self._driver.drain()
        else:
            self._waiting.append(None)
            self._begin_to_wait()

    def flush(self) -> None:
        self._driver.flush()
        self._leave()
        for unit in filter(None, self._waiting):
            self._tell(unit, Error.CANCELLED)
        self._forget()

    def recall(self) -> None:
        self._driver.recall()

    def label(self, channel: int, session: int) -> None:
        self._label = channel, session
        self._driver.label(channel, session)

    def close(self) -> None:
        self._leave()
        self._forget()
        self._driver.close()

    # --- how long they wait -----------------------------------------------------------------------

    def _begin_to_wait(self) -> None:
        self._waits_since = time.monotonic_ns()
        self._line_up()

    def _forget(self) -> None:
        self._waiting.clear()
        self._settle()

    def _settle(self) -> None:
        if self._waits_since and not self._waiting:
            self._held_for += time.monotonic_ns() - self._waits_since
            self._waits_since = 0

    # --- when one may go --------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Hands the next unit over. Raises nothing."""
        try:
            self._go()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this session's end
            self._fault = error
            self._forget()

    def _go(self) -> None:
        unit = self._waiting.popleft()
        self._settle()
        if unit is None:
            self._driver.drain()
            return
        try:
            self._hand_over(unit)
        except CallFailed as failed:
            self._tell(unit, failed.error)

    def _hand_over(self, unit: Unit) -> None:
        self._driver.queue_input(*unit)
        self._handed_over += 1

    def _tell(self, unit: Unit, error: Error) -> None:
        self._told.append((self._handed_over if self._in_order else 0, video.InputDone(unit.cookie, error)))

    def _due(self) -> list[video.Event]:
        due: list[video.Event] = []
        while self._is_due():
            due.append(self._told.popleft()[1])
        return due

    def _is_due(self) -> bool:
        return bool(self._told) and self._told[0][0] <= self._done
