# SPDX-License-Identifier: Apache-2.0
"""``python -m xendemo``: boots the board, lets two guests work, writes report, timeline and contact sheet."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rich.console import Console

from paracore.demo import DEVICE, DomainFailed, zoomed_clip
from paracore.demo.show import Board, Options, Show, Timeline, print_report, write
from testbed import TestbedError
from xendemo._stage import KERNEL_DEVICE, XenStage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paracore.demo import Case, Clip

_CLIPS = Path("build/clips")
_SIZES = ((320, 176, "300k"), (640, 360, "900k"))
_SECONDS = 2
_SOURCES = ("bigbuckbunny", "bikes")
_RAW_PICTURES = 12


class _Encoding(NamedTuple):
    """What is encoded on which device; ``settings`` are the encoder's."""

    device: str
    codec: str
    settings: dict[str, int | str]


_ENCODINGS = (
    _Encoding(DEVICE, "h264", {"bitrate": 500_000, "gop": 12, "preset": "veryfast", "threads": 1}),
    _Encoding(KERNEL_DEVICE, "fwht", {}),
)


def main() -> int:
    """Returns 0 when every picture and packet was right and nothing was copied."""
    arguments = _parse()
    output: Path = arguments.output
    output.mkdir(parents=True, exist_ok=True)
    console = Console(width=None if sys.stdout.isatty() else 100)
    try:
        return 0 if _show(Options(output, arguments.rounds), console, boots=arguments.boot) else 1
    except (TestbedError, DomainFailed) as error:
        console.print(f"xen-demo: {error}", style="red", highlight=False, markup=False)
        return 1


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make xen-demo", description="Two Xen guests use the codecs of dom0.")
    parser.add_argument("--output", metavar="FOLDER", type=Path, default=Path("build/xen-demo"), help="of the report")
    parser.add_argument("--rounds", metavar="N", type=int, default=1, help="timed decodes of each clip (%(default)s)")
    parser.add_argument(
        "--boot",
        action="store_true",
        help="boot everything, instead of going on from a snapshot that the first run makes",
    )
    return parser.parse_args()


def _show(options: Options, console: Console, *, boots: bool) -> bool:
    timeline = Timeline()
    with Board(console) as board, XenStage(timeline, boots=boots) as stage:
        clips = [[_clip(source, *size) for size in _SIZES] for source in _SOURCES]
        encodings = _Encodings(stage, board, timeline)
        report = Show(options, stage, board, timeline).run(clips, encodings.run)
    report.encodings = encodings.found
    write(report, timeline, options.output)
    print_report(console, report, options.output)
    return report.ok


def _clip(source: str, width: int, height: int, bitrate: str) -> Clip:
    return zoomed_clip(_CLIPS, source, width, height, bitrate, seconds=_SECONDS)


class _Encodings:
    """The same pictures encoded in dom0 and in both guests at once, on each device."""

    def __init__(self, stage: XenStage, board: Board, timeline: Timeline) -> None:
        self.found: list[dict[str, object]] = []
        self._stage = stage
        self._board = board
        self._timeline = timeline

    def run(self, cases: list[Case]) -> None:
        """Encodes everything everywhere."""
        path = self._raw(cases)
        for encoding in _ENCODINGS:
            with self._board.bar(f"encode: {encoding.codec} on {encoding.device}", len(cases)) as step:
                self.found += [step(found) for found in self._everywhere(cases, encoding, path)]

    def _everywhere(self, cases: list[Case], encoding: _Encoding, path: str) -> Iterator[dict[str, object]]:
        expected = self._encode(self._stage.dom0, encoding, path)
        with ThreadPoolExecutor(len(cases)) as pool:
            answers = pool.map(lambda case: self._encode(case, encoding, path), cases)
            for case, said in zip(cases, answers, strict=True):
                yield _compared(case, encoding, said, expected)

    def _raw(self, cases: list[Case]) -> str:
        """Some raw pictures in every domain, as large as vicodec wants them."""
        clip = cases[0].clips[-1].path
        raw = clip.with_suffix(".y4m")
        command = f"ffmpeg -nostdin -v error -y -i {clip} -frames:v {_RAW_PICTURES} -pix_fmt yuv420p {raw}"
        subprocess.run(shlex.split(command), check=True)
        for case in (self._stage.dom0, *cases):
            self._stage.machine.put(case.name, [raw], "/run/demo")
        return f"/run/demo/{raw.name}"

    def _encode(self, case: Case, encoding: _Encoding, path: str) -> list[dict[str, object]]:
        with self._timeline.span(case.name, f"{encoding.codec} encode") as mark:
            said = []
            for answer in case.tasks.ask(
                "encode",
                socket=case.socket,
                device=encoding.device,
                path=path,
                codec=encoding.codec,
                **encoding.settings,
            ):
                said.append(answer)
                mark()
        return said


def _compared(
    case: Case, encoding: _Encoding, said: list[dict[str, object]], expected: list[dict[str, object]]
) -> dict[str, object]:
    different = sum(one != other for one, other in zip(said, expected, strict=False)) + abs(len(said) - len(expected))
    packets = sum(answer["kind"] == "packet" for answer in said)
    return {
        "domain": case.name,
        "device": encoding.device,
        "codec": encoding.codec,
        "packets": packets,
        "pictures": len(said) - packets,
        "different": different,
    }


if __name__ == "__main__":
    sys.exit(main())
