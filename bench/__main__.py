# SPDX-License-Identifier: Apache-2.0
"""``python -m bench``: runs the benchmarks, prints a table, writes the report and the plots."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from bench import (
    alongside,
    calls,
    copies,
    decode,
    encode,
    film,
    idle,
    many,
    policies,
    sharing,
    shims,
    soak,
    startup,
    tracing,
    xen,
)
from bench._machine import Noise
from bench._report import Result, write_report
from bench._setting import ROOT, Setting
from paracore import Error
from testbed import TestbedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["main"]

_MODULES = (
    decode,
    shims,
    encode,
    sharing,
    film,
    policies,
    calls,
    alongside,
    startup,
    idle,
    many,
    tracing,
    copies,
    soak,
)
_USUAL: dict[str, Callable[[Setting], Iterator[Result]]] = {
    name: function for module in _MODULES for name, function in module.BENCHMARKS.items()
}
_BENCHMARKS = _USUAL | xen.BENCHMARKS
"""With those that need a board: they are run with ``--xen``, or when they are asked for by name."""


def main() -> int:
    """Returns 0 unless a benchmark could not be run; whether a promise is kept is for the reader of the report."""
    arguments = _parse()
    output: Path = arguments.output
    output.mkdir(parents=True, exist_ok=True)
    setting = Setting(arguments.pairs or (5 if arguments.quick else 7), arguments.quick, ROOT / "build" / "clips")
    console = Console(width=None if sys.stdout.isatty() else 100)
    noise = Noise()
    names = arguments.only or [*_USUAL, *(xen.BENCHMARKS if arguments.xen else ())]
    run = _Run(setting, console, len(names))
    results = [result for name in names for result in run.measure(name)]
    results.append(noise.result())
    write_report(results, output / "report.json")
    console.print(_table(results))
    console.print(_verdict(results, run.failed))
    for path in [output / "report.json", *_draw(results, output, console)]:
        console.print(path, highlight=False)
    return 1 if run.failed else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="paracore bench", description="Measures the promises of SPECIFICATION.md.")
    parser.add_argument(
        "--only", metavar="NAME", action="append", choices=list(_BENCHMARKS), help="this one; repeatable"
    )
    parser.add_argument("--xen", action="store_true", help="also those on the emulated board")
    parser.add_argument(
        "--quick", action="store_true", help="fewer and shorter measurements; shortened decodes are not judged"
    )
    parser.add_argument("--pairs", type=int, help="measurements of each")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "bench", help="folder of the report")
    return parser.parse_args()


class _Run:
    """Benchmarks one after the other; ``failed`` names those that could not be run."""

    def __init__(self, setting: Setting, console: Console, total: int) -> None:
        self.failed: list[str] = []
        self._setting = setting
        self._console = console
        self._total = total
        self._number = 0

    def measure(self, name: str) -> list[Result]:
        """One benchmark's results."""
        self._number += 1
        started = time.monotonic()
        results = []
        with self._console.status(f"{self._number}/{self._total} {name}"):
            for result in self._try(name):
                results.append(result)
                took = time.monotonic() - started
                self._console.print(f"{result.name:22} {_figure(result)}  ({took:.0f} s)", highlight=False)
        return results

    def _try(self, name: str) -> Iterator[Result]:
        """As many as there are before it goes wrong."""
        try:
            yield from _BENCHMARKS[name](self._setting)
        except (Error, TestbedError, OSError, ImportError, subprocess.SubprocessError) as error:
            self.failed.append(name)
            self._console.print(f"{name:22} not measured: {error}", style="yellow", highlight=False)


def _verdict(results: list[Result], failed: list[str]) -> str:
    judged = [result for result in results if result.met is not None]
    missed = [result.name for result in judged if not result.met]
    told = f"{len(judged)} promises, {'not kept: ' + ', '.join(missed) if missed else 'all kept'}"
    return f"{told}; not measured: {', '.join(failed)}" if failed else told


def _draw(results: list[Result], output: Path, console: Console) -> list[Path]:
    try:
        from bench._plots import draw_plots  # noqa: PLC0415 - matplotlib takes its time
    except ImportError as error:
        console.print(f"no plots: {error}; `make bench` installs what they need", style="yellow", highlight=False)
        return []
    return draw_plots(results, output)


def _figure(result: Result) -> str:
    beside = f" beside {result.reference:.4g}" if result.reference is not None else ""
    ratio = f", ratio {result.ratio:.3f}" if result.ratio is not None else ""
    return f"{result.value:.4g} {result.unit}{beside}{ratio}"


def _table(results: list[Result]) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), title="paracore beside what it is compared with")
    table.add_column("benchmark", no_wrap=True)
    for heading in ("value", "beside", "ratio", "spread", "promise", "met"):
        table.add_column(heading, justify="right", no_wrap=True)
    marks = {True: "[green]yes[/]", False: "[red]no[/]", None: ""}
    for result in results:
        table.add_row(result.name, *_cells(result), result.promise or "", marks[result.met])
    return table


def _cells(result: Result) -> tuple[str, ...]:
    facts = result.facts()
    return (
        f"{result.value:.4g} {result.unit}",
        f"{result.reference:.4g}" if result.reference is not None else "",
        f"{result.ratio:.3f}" if result.ratio is not None else "",
        f"{facts['spread']:.1%}" if result.pairs else "",
    )


if __name__ == "__main__":
    sys.exit(main())
