# SPDX-License-Identifier: Apache-2.0
"""Who did what when: a lane per party, a bar for each thing it did, a tick for each picture, drawn with Pillow."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from paracore.demo._sheet import ACCENTS, FAINT, INK, PAPER, font

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["Timeline"]

_WIDTH = 1600
_MARGIN = 40
_NAMES = 120
_TITLE = 92
_LANE = 74
_BAR = 30
_STEPS = (1, 2, 5, 10, 20, 30, 60, 120)


@dataclass
class _Span:
    lane: str
    text: str
    start: float
    end: float = 0.0
    ticks: list[float] = field(default_factory=list)


class Timeline:
    """Collects, from several threads; times are seconds since it was made."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._spans: list[_Span] = []
        self._lock = threading.Lock()

    @contextmanager
    def span(self, lane: str, text: str) -> Iterator[Callable[[], None]]:
        """Something that takes a while; what it yields marks a moment in it."""
        span = _Span(lane, text, self._now())
        with self._lock:
            self._spans.append(span)
        try:
            yield lambda: span.ticks.append(self._now())
        finally:
            span.end = self._now()

    def draw(self, path: Path) -> None:
        """Writes it as PNG."""
        lanes = list(dict.fromkeys(span.lane for span in self._spans))
        image = Image.new("RGB", (_WIDTH, _TITLE + _LANE * len(lanes) + 2 * _MARGIN), PAPER)
        first = min(span.start for span in self._spans)
        sheet = _Drawing(ImageDraw.Draw(image), first, max(span.end for span in self._spans) - first)
        sheet.axis(image.height - _MARGIN - 24)
        for number, lane in enumerate(lanes):
            sheet.lane(number, lane, [span for span in self._spans if span.lane == lane])
        image.save(path, optimize=True)

    def _now(self) -> float:
        return time.monotonic() - self._began


class _Drawing:
    def __init__(self, draw: ImageDraw.ImageDraw, first: float, seconds: float) -> None:
        self._draw = draw
        self._first = first
        self._scale = (_WIDTH - _NAMES - 2 * _MARGIN) / max(seconds, 1e-3)
        self._seconds = seconds
        draw.text((_MARGIN, _MARGIN - 10), "who did what when", INK, font(28))
        note = "a bar for each thing, a light line for each picture"
        draw.text((_WIDTH - _MARGIN, _MARGIN), note, FAINT, font(16), "ra")

    def axis(self, bottom: int) -> None:
        step = next((step for step in _STEPS if self._seconds / step <= 12), _STEPS[-1])
        for second in range(0, int(self._seconds) + 1, step):
            x = self._x(self._first + second)
            self._draw.line((x, _TITLE, x, bottom), (44, 48, 58))
            self._draw.text((x, bottom + 6), f"{second} s", FAINT, font(14), "ma")

    def lane(self, number: int, name: str, spans: list[_Span]) -> None:
        top = _TITLE + number * _LANE + 18
        accent = ACCENTS[number % len(ACCENTS)]
        self._draw.text((_MARGIN, top + 4), name, accent, font(18))
        for span in spans:
            self._span(span, top, accent)

    def _span(self, span: _Span, top: int, accent: tuple[int, int, int]) -> None:
        left, right = self._x(span.start), max(self._x(span.end), self._x(span.start) + 2)
        dim = (accent[0] * 2 // 5, accent[1] * 2 // 5, accent[2] * 2 // 5)
        self._draw.rounded_rectangle((left, top, right, top + _BAR), 3, dim)
        for tick in span.ticks:
            self._draw.line((self._x(tick), top + 4, self._x(tick), top + _BAR - 4), accent)
        if font(13).getlength(span.text) < right - left:
            self._draw.text((left, top - 16), span.text, FAINT, font(13))

    def _x(self, second: float) -> float:
        return _MARGIN + _NAMES + (second - self._first) * self._scale
