# SPDX-License-Identifier: Apache-2.0
"""Progress on standard error, if that is a terminal, and the summary at the end."""

from __future__ import annotations

import json
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

__all__ = ["Tally", "progress"]

#: Seconds between two looks of the eye.
_REFRESH = 0.1


@contextmanager
def progress(label: str, total: int | None, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Shows how far the work is; yields what to tell the number of pictures done."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console  # noqa: PLC0415 - for terminals only
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[speed]}"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total, speed="")
        yield _Teller(lambda done, speed: bar.update(task, completed=done, speed=speed))


class _Teller:
    """Tells now and then; a call costs next to nothing."""

    def __init__(self, show: Callable[[int, str], None]) -> None:
        self._show = show
        self._started = self._next = time.monotonic()

    def __call__(self, done: int) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _REFRESH
            self._show(done, f"{done / max(now - self._started, 1e-9):.0f} pictures/s")


class Tally:
    """What was done: counts, and the summary made of them.

    Attributes:
        facts: for the JSON object alone.
        pictures: done.
        damaged: of them.
        octets: of their access units.
        recoveries: of sessions whose worker died.
        lost: pictures that went with one.
    """

    def __init__(self) -> None:
        self._started = time.monotonic()
        self.facts: dict[str, Any] = {}
        self.pictures = 0
        self.damaged = 0
        self.octets = 0
        self.recoveries = 0
        self.lost = 0

    def restart(self) -> None:
        """The work begins now: what was set up until here does not count."""
        self._started = time.monotonic()

    def summary(self, *, as_json: bool) -> str:
        """One line for a person, or a JSON object."""
        seconds = time.monotonic() - self._started
        if as_json:
            counts = {"pictures": self.pictures, "damaged": self.damaged, "seconds": round(seconds, 3)}
            more = {"octets": self.octets, "recoveries": self.recoveries, "lost": self.lost}
            return json.dumps(counts | {name: count for name, count in more.items() if count} | self.facts)
        speed = self.pictures / seconds if seconds else 0.0
        size = f", {self.octets} octets" if self.octets else ""
        return f"{self.pictures} pictures in {seconds:.2f} s ({speed:.0f} pictures/s){size}"

    def print(self, arguments: argparse.Namespace) -> None:
        """Prints the summary: on standard output, unless that is where the pictures went."""
        out = sys.stderr if arguments.output == "-" else sys.stdout
        if arguments.json:
            print(self.summary(as_json=True), file=out)
        elif not arguments.quiet and out is sys.stdout:
            print(self.summary(as_json=False), file=out)
