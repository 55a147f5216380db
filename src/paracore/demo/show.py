# SPDX-License-Identifier: Apache-2.0
"""The parent of the demo: gives the domains of a stage their tasks, writes down what was found.

Each domain is served by a thread of its own here, so that all of them work at once. Plain libav and paracore
take turns, round by round, under the same load: as many decoders at once.
"""

from __future__ import annotations

from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from paracore.demo._board import Board, Step, print_report
from paracore.demo._clips import Clip, prepare_clips
from paracore.demo._plain import plain_hashes
from paracore.demo._report import ClipResult, DomainResult, Report, Thumbnail, count_different
from paracore.demo._run import Run
from paracore.demo._sandbox import check_sandbox
from paracore.demo._sheet import draw_sheet
from paracore.demo._stage import DEVICE, Case, LocalStage, Stage
from paracore.demo._timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Board", "Options", "Show", "Timeline", "print_report", "run", "write"]

_THUMBNAILS = 6


@dataclass(frozen=True)
class Options:
    """What ``paracore demo`` was asked for."""

    output: Path = Path("build/demo")
    rounds: int = 3
    threads: int = 1


def run(options: Options, console: Console | None = None) -> bool:
    """Runs the demo; true when each picture was right, none was copied and each domain was confined."""
    console = console or Console()
    check_sandbox()
    options.output.mkdir(parents=True, exist_ok=True)
    timeline = Timeline()
    with Board(console) as board, LocalStage() as stage:
        clips = prepare_clips(options.output.parent / "clips", board.say)
        report = Show(options, stage, board, timeline).run(clips)
    write(report, timeline, options.output)
    print_report(console, report, options.output)
    return report.ok


def write(report: Report, timeline: Timeline, output: Path) -> None:
    """Writes the report and draws the pictures."""
    report.write(output / "report.json")
    draw_sheet(report, output / "contact-sheet.png")
    timeline.draw(output / "timeline.png")


class Show:
    """What every demo does, wherever its domains are."""

    def __init__(self, options: Options, stage: Stage, board: Board, timeline: Timeline) -> None:
        self._options = options
        self._stage = stage
        self._board = board
        self._timeline = timeline

    def run(self, clips: list[list[Clip]], more: Callable[[list[Case]], None] = lambda _: None) -> Report:
        """Compares, then times; ``more`` is what else is to be done with the domains."""
        expected = self._expected(clips)
        cases = self._stage.begin(clips, self._board)
        with ThreadPoolExecutor(len(cases)) as pool:
            results = list(pool.map(lambda case: self._check(case, expected), cases))
            self._race(pool, cases, results)
        more(cases)
        return Report(DEVICE, self._options.threads, results, self._stage.pixel_copies())

    def _expected(self, domains: list[list[Clip]]) -> dict[Clip, list[str]]:
        clips = dict.fromkeys(clip for clips in domains for clip in clips)
        with self._board.bar("plain libav: hashes", len(clips)) as step:
            return {clip: step(plain_hashes(clip)) for clip in clips}

    def _check(self, case: Case, expected: dict[Clip, list[str]]) -> DomainResult:
        """Lets the domain look around in its cell and decode its clips for the comparison."""
        cell = self._stage.look(case)
        total = sum(len(expected[clip]) for clip in case.clips)
        with self._board.bar(f"domain {case.name}: pictures", total) as step:
            clips = [self._check_clip(case, clip, expected[clip], step) for clip in case.clips]
        return DomainResult(case.name, case.who, cell, clips)

    def _check_clip(self, case: Case, clip: Clip, expected: list[str], step: Step) -> ClipResult:
        hashes: list[str] = []
        thumbnails: list[Thumbnail] = []
        with self._timeline.span(case.name, clip.name) as mark:
            for answer in case.tasks.ask("check", **self._arguments(case, clip), thumbnails=_spread(len(expected))):
                if answer["kind"] == "picture":
                    hashes.append(answer["hash"])
                    step(None)
                    mark()
                else:
                    size = answer["width"], answer["height"]
                    thumbnails.append(Thumbnail(answer["seconds"], *size, b64decode(answer["rgb"])))
        return ClipResult(clip.name, len(hashes), count_different(hashes, expected), thumbnails)

    def _race(self, pool: ThreadPoolExecutor, cases: list[Case], results: list[DomainResult]) -> None:
        """Times plain libav and paracore in turns, all domains at once each time."""
        with self._board.bar("frames/s: libav, paracore, …", 2 * self._options.rounds) as step:
            for _ in range(self._options.rounds):
                plain = step(list(pool.map(self._plain, cases)))
                ours = step(list(pool.map(self._ours, cases)))
                for result, runs, plain_runs in zip(results, ours, plain, strict=True):
                    for clip, run, plain_run in zip(result.clips, runs, plain_runs, strict=True):
                        clip.runs.append(run)
                        clip.plain_runs.append(plain_run)

    def _plain(self, case: Case) -> list[Run]:
        with self._timeline.span(case.name, "plain libav"):
            return [self._stage.plain(clip, self._options.threads) for clip in case.clips]

    def _ours(self, case: Case) -> list[Run]:
        with self._timeline.span(case.name, "timed"):
            return [self._run(case, clip) for clip in case.clips]

    def _run(self, case: Case, clip: Clip) -> Run:
        (answer,) = case.tasks.ask("run", **self._arguments(case, clip))
        return Run(**answer["times"])

    def _arguments(self, case: Case, clip: Clip) -> dict[str, str | int]:
        path = self._stage.path(clip)
        return {"socket": case.socket, "device": DEVICE, "path": path, "threads": self._options.threads}


def _spread(pictures: int) -> list[int]:
    """Numbers of pictures spread evenly over a clip, neither the first nor the last."""
    return [(2 * number + 1) * pictures // (2 * _THUMBNAILS) for number in range(_THUMBNAILS)]
