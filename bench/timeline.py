# SPDX-License-Identifier: Apache-2.0
"""Draws some units of a trace for the guides, without a browser: ``python -m bench.timeline TRACE.json OUT.svg``.

What it draws are the asynchronous events of one session, a row for each unit, and below them its threads, as Perfetto shows
them.
"""

from __future__ import annotations

import argparse
import json
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

COLOURS = {
    "on its way": "#9ecae1",
    "checked": "#6baed6",
    "waits for credit": "#d62728",
    "queued": "#fdd0a2",
    "waits for the device": "#fd8d3c",
    "in the codec": "#31a354",
    "waits for others": "#a1d99b",
    "on its way back": "#9e9ac8",
    "held by the application": "#756bb1",
    "given back": "#bdbdbd",
    "at the backend": "#969696",
}
THREADS = {1: "application", 2: "worker", 3: "codec"}
WIDTH, LEFT, ROW, TOP = 960, 100, 22, 58


class Piece(NamedTuple):
    """A part of a unit's way."""

    unit: str
    part: str
    begin: float
    end: float


def pieces(events: list[dict[str, Any]], session: int) -> list[Piece]:
    """Of one session, in the order of the file."""
    found, begun = [], {}
    for event in events:
        if event["pid"] == session and event["ph"] in "be" and event["cat"] == "unit":
            key = event["id"], event["name"]
            if event["ph"] == "b":
                begun[key] = event["ts"]
            elif event["name"] in COLOURS:
                found.append(Piece(event["id"].split(".")[1], event["name"], begun[key], event["ts"]))
    return found


class Drawing:
    """An SVG in the making, in milliseconds from `zero` to `end`."""

    def __init__(self, zero: float, end: float) -> None:
        self.zero = zero
        self.scale = (WIDTH - LEFT - 30) / (end - zero)
        self.parts: list[str] = []

    def text(self, x: float, y: float, words: str, anchor: str = "start") -> None:
        """Words at a place."""
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>')

    def bar(self, row: int, begin: float, end: float, colour: str, title: str) -> None:
        """A piece of time in a row."""
        x, y = LEFT + (begin - self.zero) * self.scale, TOP + row * ROW
        width = max((end - begin) * self.scale, 1.2)
        words = escape(f"{title}, {(end - begin) / 1000:.3f} ms")
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{ROW - 7}" fill="{colour}"><title>{words}</title></rect>'
        )

    def legend(self) -> None:
        """What the colours mean."""
        for number, (name, colour) in enumerate(COLOURS.items()):
            x, y = 10 + number % 6 * 162, 12 + number // 6 * 18
            self.parts.append(f'<rect x="{x}" y="{y}" width="12" height="12" fill="{colour}"/>')
            self.text(x + 18, y + 11, name)

    def ruler(self, y: float, end: float) -> None:
        """Milliseconds."""
        step = next(step for step in (1000, 2000, 5000, 10000, 20000, 50000, 1e9) if (end - self.zero) / step < 14)
        for tick in range(int((end - self.zero) / step) + 1):
            x = LEFT + tick * step * self.scale
            self.parts.append(f'<line x1="{x:.1f}" y1="{TOP - 6}" x2="{x:.1f}" y2="{y - 12}" stroke="#ddd"/>')
            self.text(x, y, f"{tick * step / 1000:g} ms", "middle")

    def whole(self, height: int) -> str:
        """The file."""
        body = "\n".join(self.parts)
        style = 'font-family="sans-serif" font-size="12"'
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" {style}>'
        return f'{head}\n<rect width="{WIDTH}" height="{height}" fill="white"/>\n{body}\n</svg>\n'


def draw(trace: dict[str, Any], session: int, first: int, count: int) -> str:
    """The picture of `count` units from the `first` on."""
    wanted = [str(number) for number in range(first, first + count)]
    shown = [piece for piece in pieces(trace["traceEvents"], session) if piece.unit in wanted]
    zero, end = min(piece.begin for piece in shown), max(piece.end for piece in shown)
    drawing = Drawing(zero, end)
    drawing.legend()
    drawing.ruler(TOP + (count + len(THREADS)) * ROW + 14, end)
    for row, unit in enumerate(wanted):
        drawing.text(10, TOP + row * ROW + 12, f"unit {unit}")
        for piece in shown:
            if piece.unit == unit:
                drawing.bar(row, piece.begin, piece.end, COLOURS[piece.part], piece.part)
    for row, (thread, name) in enumerate(THREADS.items(), count):
        drawing.text(10, TOP + row * ROW + 12, name)
        for event in trace["traceEvents"]:
            here = event["ph"] == "X" and (event["pid"], event["tid"]) == (session, thread)
            if here and zero <= event["ts"] and event["ts"] + event["dur"] <= end:
                drawing.bar(row, event["ts"], event["ts"] + event["dur"], "#525252", event["name"])
    return drawing.whole(TOP + (count + len(THREADS)) * ROW + 24)


def main() -> None:
    """Draws."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("trace", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--session", type=int, default=1, help="which, as the file counts them")
    parser.add_argument("--first", type=int, default=40, help="the first unit")
    parser.add_argument("--units", type=int, default=14)
    arguments = parser.parse_args()
    trace = json.loads(arguments.trace.read_text(encoding="utf-8"))
    arguments.output.write_text(draw(trace, arguments.session, arguments.first, arguments.units), encoding="utf-8")


if __name__ == "__main__":
    main()
