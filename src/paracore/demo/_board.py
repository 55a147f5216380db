# SPDX-License-Identifier: Apache-2.0
"""What the demo prints: progress while it works, a table at the end.

On a terminal there are bars; elsewhere each finished step is one line, so that a log reads well.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

from rich.box import SIMPLE_HEAD
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rich.console import Console

    from paracore.demo._report import ClipResult, DomainResult, Report

__all__ = ["Board", "Step", "print_report"]

T = TypeVar("T")


class Step(Protocol):
    """Moves a bar on by one and gives back what it is given."""

    def __call__(self, result: T, /) -> T: ...


class Board:
    """Progress of several things at once; safe to use from several threads."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Progress(
            TextColumn("{task.description:<32}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    def say(self, text: str) -> None:
        """Prints a line that stays."""
        self._console.print(text, highlight=False)

    @contextmanager
    def bar(self, what: str, total: int) -> Iterator[Step]:
        """A bar of ``total`` steps."""
        task = self._bars.add_task(what, total=total)
        started = time.monotonic()

        def step(result: T) -> T:
            self._bars.advance(task)
            return result

        yield step
        if not self._console.is_terminal:
            self.say(f"{what}: {total} in {time.monotonic() - started:.1f} s")


def print_report(console: Console, report: Report, output: Path) -> None:
    """The cells, the table and the verdict."""
    for domain in report.domains:
        _print_cell(console, domain)
    console.print(_table(report))
    for encoding in report.encodings:
        console.print(_encoded(encoding), highlight=False)
    agree = f"every one of {report.pictures} pictures is plain libav's" if not report.different else _differ(report)
    console.print(f"[{'green' if report.ok else 'red'}]{agree}; pixel copies made by paracore: {report.pixel_copies}")
    console.print(
        f"pictures: {output / 'contact-sheet.png'}, {output / 'timeline.png'}\nreport:   {output / 'report.json'}",
        highlight=False,
    )


def _encoded(encoding: dict[str, object]) -> str:
    verdict = f"{encoding['different']} differ" if encoding["different"] else "all as beside the backend"
    what = f"{encoding['packets']} packets, {encoding['pictures']} pictures of them"
    return f"[bold]{encoding['domain']}[/] encoded {encoding['codec']} on {encoding['device']}: {what}: {verdict}"


def _differ(report: Report) -> str:
    return f"{report.different} of {report.pictures} pictures differ from plain libav's"


def _print_cell(console: Console, domain: DomainResult) -> None:
    marks = [f"[green]✓[/] {what}" if true else f"[red]✗ {what}[/]" for what, true in _together(domain.cell).items()]
    console.print(f"[bold]{domain.name}[/] looked around: " + "  ".join(marks), highlight=False)


def _together(cell: dict[str, bool]) -> dict[str, bool]:
    """The namespaces in one phrase if it has them all."""
    own = [what for what in cell if what.startswith("own ")]
    if not own or not all(cell[what] for what in own):
        return cell
    names = ", ".join(what.split()[1] for what in own)
    rest = {what: true for what, true in cell.items() if what not in own}
    return {f"namespaces of its own: {names}": True} | rest


def _table(report: Report) -> Table:
    threads = f"{report.threads} codec thread{'s' if report.threads > 1 else ''} each"
    title = f"{len(report.domains)} domains at once on {report.device}, {threads}"
    table = Table(
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        title=title,
        caption="÷ libav: frames/s through paracore beside plain libav; first: its time (and beside libav)",
    )
    table.add_column("domain", no_wrap=True)
    table.add_column("clip", no_wrap=True)
    for heading in ("pictures", "differ", "frames/s", "÷ libav", "first ms"):
        table.add_column(heading, justify="right", no_wrap=True)
    for domain in report.domains:
        for clip in domain.clips:
            table.add_row(domain.name, *_row(clip))
        table.add_section()
    return table


def _row(clip: ClipResult) -> tuple[str, ...]:
    return (
        clip.clip,
        str(clip.pictures),
        str(clip.different),
        f"{clip.rate:.0f}",
        f"{clip.ratio:.3f}",
        f"{clip.first_picture * 1e3:.0f} ({(clip.first_picture - clip.plain_first_picture) * 1e3:+.0f})",
    )
