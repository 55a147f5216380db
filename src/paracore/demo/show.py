# SPDX-License-Identifier: Apache-2.0
"""The parent of the demo: starts everything, gives the domains their tasks, writes down what was found.

Each domain is served by a thread of its own here, so that all of them work at once. Plain libav and paracore
take turns, round by round, under the same load: as many decoders at once.
"""

from __future__ import annotations

from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from paracore.demo._backend import Backend, Member
from paracore.demo._board import Board, Step, print_report
from paracore.demo._clips import Clip, prepare_clips
from paracore.demo._confinement import namespaces
from paracore.demo._plain import plain_hashes, plain_run
from paracore.demo._process import DomainProcess
from paracore.demo._report import ClipResult, DomainResult, Report, Thumbnail, count_different
from paracore.demo._run import Run
from paracore.demo._sandbox import NAMESPACES, SOCKET, Sandbox, check_sandbox
from paracore.demo._sheet import draw_sheet

__all__ = ["Options", "run"]

_DEVICE = "vpu0"
_DOMAINS = ("garden", "street")
_FIRST_UID = 61001
_OPTIONS = {"worker_linger": 600.0}  # so that what a worker has counted is there at the end
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
    with Board(console) as board:
        clips = prepare_clips(options.output.parent / "clips", board.say)
        report = _Demo(options, clips, board).run()
    report.write(options.output / "report.json")
    draw_sheet(report, options.output / "contact-sheet.png")
    print_report(console, report, options.output)
    return report.ok


@dataclass(frozen=True)
class _Case:
    """One domain and its clips."""

    name: str
    uid: int
    clips: list[Clip]
    process: DomainProcess


class _Demo:
    def __init__(self, options: Options, clips: list[list[Clip]], board: Board) -> None:
        self._options = options
        self._clips = clips
        self._board = board

    def run(self) -> Report:
        expected = self._expected()
        members = [Member(name, _FIRST_UID + number) for number, name in enumerate(_DOMAINS)]
        with ThreadPoolExecutor(len(members)) as pool, ExitStack() as stack:
            backend = stack.enter_context(Backend(members, device=_DEVICE, options=_OPTIONS))
            self._board.say(f"backend: one device, {_DEVICE} (libav), on {backend.socket}")
            cases = [
                self._start(stack, backend, member, clips) for member, clips in zip(members, self._clips, strict=True)
            ]
            results = list(pool.map(lambda case: self._check(case, expected), cases))
            self._race(pool, cases, results)
            return Report(_DEVICE, self._options.threads, results, backend.pixel_copies())

    def _expected(self) -> dict[Clip, list[str]]:
        clips = dict.fromkeys(clip for clips in self._clips for clip in clips)
        with self._board.bar("plain libav: hashes", len(clips)) as step:
            return {clip: step(plain_hashes(clip)) for clip in clips}

    def _start(self, stack: ExitStack, backend: Backend, member: Member, clips: list[Clip]) -> _Case:
        assert member.uid is not None
        sandbox = Sandbox(member.uid, backend.socket, tuple(clip.path for clip in clips))
        process = stack.enter_context(DomainProcess(member.name, sandbox))
        return _Case(member.name, member.uid, clips, process)

    def _check(self, case: _Case, expected: dict[Clip, list[str]]) -> DomainResult:
        """Lets the domain look around in its cell and decode its clips for the comparison."""
        outside = namespaces(NAMESPACES)
        (cell,) = case.process.ask("look_around", uid=case.uid, outside=outside)
        total = sum(len(expected[clip]) for clip in case.clips)
        with self._board.bar(f"domain {case.name}: pictures", total) as step:
            clips = [self._check_clip(case, clip, expected[clip], step) for clip in case.clips]
        return DomainResult(case.name, case.uid, cell["checks"], clips)

    def _check_clip(self, case: _Case, clip: Clip, expected: list[str], step: Step) -> ClipResult:
        hashes: list[str] = []
        thumbnails: list[Thumbnail] = []
        for answer in case.process.ask("check", **self._arguments(clip), thumbnails=_spread(len(expected))):
            if answer["kind"] == "picture":
                hashes.append(answer["hash"])
                step(None)
            else:
                size = answer["width"], answer["height"]
                thumbnails.append(Thumbnail(answer["seconds"], *size, b64decode(answer["rgb"])))
        return ClipResult(clip.name, len(hashes), count_different(hashes, expected), thumbnails)

    def _race(self, pool: ThreadPoolExecutor, cases: list[_Case], results: list[DomainResult]) -> None:
        """Times plain libav and paracore in turns, all domains at once each time."""
        with self._board.bar("frames/s: libav, paracore, …", 2 * self._options.rounds) as step:
            for _ in range(self._options.rounds):
                plain = step(list(pool.map(self._plain, cases)))
                ours = step(list(pool.map(self._ours, cases)))
                for result, runs, plain_runs in zip(results, ours, plain, strict=True):
                    for clip, run, plain_run in zip(result.clips, runs, plain_runs, strict=True):
                        clip.runs.append(run)
                        clip.plain_runs.append(plain_run)

    def _plain(self, case: _Case) -> list[Run]:
        return [plain_run(clip, self._options.threads) for clip in case.clips]

    def _ours(self, case: _Case) -> list[Run]:
        return [self._run(case, clip) for clip in case.clips]

    def _run(self, case: _Case, clip: Clip) -> Run:
        (answer,) = case.process.ask("run", **self._arguments(clip))
        return Run(**answer["times"])

    def _arguments(self, clip: Clip) -> dict[str, str | int]:
        return {"socket": str(SOCKET), "device": _DEVICE, "path": str(clip.path), "threads": self._options.threads}


def _spread(pictures: int) -> list[int]:
    """Numbers of pictures spread evenly over a clip, neither the first nor the last."""
    return [(2 * number + 1) * pictures // (2 * _THUMBNAILS) for number in range(_THUMBNAILS)]
