# SPDX-License-Identifier: Apache-2.0
"""Timelines in the Trace Event Format, which ui.perfetto.dev and chrome://tracing open.

A session is shown as a process. On its threads is what happened where, as complete events (``X``), which arrows
(``s``, ``t``, ``f``) lead through from the application to the worker, its codec, and back; those that only have a moment are
a microsecond wide at most, for the arrows to hold on to. Each unit's way as a whole is an asynchronous event (``b``, ``e``) with one
inside it for each part of the way, since units overlap.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from paracore.classes import TraceEvent as E

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from paracore.frontend._tracing._timeline import SessionLine, Unit

__all__ = ["PARTS", "chrome_trace", "part_names"]

PARTS: Final = {
    E.INPUT_POSTED: "on its way",
    E.INPUT_SEEN: "checked",
    E.INPUT_THROTTLED: "waits for credit",
    E.INPUT_GIVEN: "queued",
    E.DEVICE_AWAITED: "waits for the device",
    E.JOB_BEGUN: "in the codec",
    E.OUTPUT_MADE: "waits for others",
    E.OUTPUT_TOLD: "on its way back",
    E.OUTPUT_RECEIVED: "held by the application",
    E.OUTPUT_POSTED: "given back",
}
"""What a unit's way is called from this event to the next that is known."""
_UNSEEN: Final = "at the backend"
_APPLICATION, _WORKER, _CODEC, _WAITS = 1, 2, 3, 4
_THREADS: Final = {
    _APPLICATION: "application",
    _WORKER: "worker",
    _CODEC: "codec",
    _WAITS: "codec waits for the domain",
}
_MOMENT: Final = 1000
"""Nanoseconds that a moment is drawn with."""


class _Slice(NamedTuple):
    """Where a unit passes by: a thread, the event that begins it there, the one that ends it, if any, and its name."""

    thread: int
    begin: E
    end: E | None
    name: str


_SLICES: Final = (
    _Slice(_APPLICATION, E.INPUT_POSTED, None, "queue unit"),
    _Slice(_WORKER, E.INPUT_SEEN, None, "take unit"),
    _Slice(_WORKER, E.INPUT_GIVEN, None, "hand over unit"),
    _Slice(_CODEC, E.JOB_BEGUN, E.JOB_ENDED, "unit"),
    _Slice(_WORKER, E.OUTPUT_TOLD, None, "tell of unit"),
    _Slice(_APPLICATION, E.OUTPUT_RECEIVED, None, "receive unit"),
    _Slice(_APPLICATION, E.OUTPUT_POSTED, None, "give back unit"),
)
_ARROWS: Final = frozenset({E.INPUT_POSTED, E.INPUT_SEEN, E.JOB_BEGUN, E.OUTPUT_TOLD, E.OUTPUT_RECEIVED})


def part_names(unit: Unit) -> Iterator[tuple[str, int, int]]:
    """The parts of a unit's way: name, begin, end."""
    for (event, begin), (following, end) in pairwise(unit.way()):
        unseen = event is E.INPUT_POSTED and following is E.OUTPUT_RECEIVED
        yield _UNSEEN if unseen else PARTS[event], begin, end


def chrome_trace(lines: Sequence[SessionLine], devices: dict[str, list[str]], facts: dict[str, Any]) -> dict[str, Any]:
    """The whole file.

    Args:
        lines: the sessions.
        devices: by domain, the names of its devices.
        facts: about the trace; ``begun`` is where its time begins, ``lost`` and ``garbage`` are shown in it.
    """
    zero = min((time for line in lines for unit in line.units for _, time in unit.way()), default=facts["begun"])
    events: list[dict[str, Any]] = []
    for number, line in enumerate(lines, 1):
        events += _Session(line, number, zero, devices.get(line.domain, [])).events()
    for what in ("lost", "garbage"):
        if facts[what]:
            events.append(_notice(what, facts[what]))
    return {"traceEvents": events, "displayTimeUnit": "ms", "otherData": facts | {"zero": zero}}


def _notice(what: str, count: int) -> dict[str, Any]:
    name = {"lost": "records lost", "garbage": "records that cannot be"}[what]
    return {
        "ph": "i",
        "s": "g",
        "name": f"{count} {name}",
        "cat": "trace",
        "pid": 0,
        "tid": 0,
        "ts": 0,
        "args": {what: count},
    }


class _Session:
    """One session's events."""

    def __init__(self, line: SessionLine, number: int, zero: int, devices: list[str]) -> None:
        self._line = line
        self._pid = number
        self._zero = zero
        self._device = line.device_name(devices)

    def events(self) -> list[dict[str, Any]]:
        """In no order but that of the parts of a unit's way, which tells what is inside of what."""
        events = list(self._names())
        for unit in self._line.units:
            events += self._way(unit)
            events += self._slices(unit)
        for begin, end in self._line.drains:
            events.append(self._event("X", begin, "drain", "codec", _CODEC, dur=_micro(end - begin)))
        for begin, end in self._line.waits:
            events.append(self._event("X", begin, "waits for spans", "wait", _WAITS, dur=_micro(end - begin)))
        return _clipped(events)

    def _names(self) -> Iterator[dict[str, Any]]:
        line = self._line
        what = " ".join(filter(None, (line.codec, line.direction, f"on {self._device}" if self._device else "")))
        who = line.domain or "application"
        name = f"{who}, channel {line.channel}, session {line.session}" + (f": {what}" if what else "")
        yield {"ph": "M", "name": "process_name", "pid": self._pid, "args": {"name": name}}
        yield {"ph": "M", "name": "process_sort_index", "pid": self._pid, "args": {"sort_index": self._pid}}
        for thread, text in _THREADS.items():
            yield {"ph": "M", "name": "thread_name", "pid": self._pid, "tid": thread, "args": {"name": text}}
            yield {
                "ph": "M",
                "name": "thread_sort_index",
                "pid": self._pid,
                "tid": thread,
                "args": {"sort_index": thread},
            }

    def _way(self, unit: Unit) -> Iterator[dict[str, Any]]:
        way = unit.way()
        if len(way) < 2:
            return
        identity = {"id": f"{self._pid}.{unit.number}"}
        name = f"unit {unit.number}"
        facts = {"timestamp": unit.timestamp, "octets": unit.octets}
        yield self._event("b", way[0][1], name, "unit", _APPLICATION, args=facts) | identity
        for part, begin, end in part_names(unit):
            yield self._event("b", begin, part, "unit", _APPLICATION) | identity
            yield self._event("e", end, part, "unit", _APPLICATION) | identity
        yield self._event("e", way[-1][1], name, "unit", _APPLICATION) | identity

    def _slices(self, unit: Unit) -> Iterator[dict[str, Any]]:
        known = dict(unit.way())
        drawn = [each for each in _SLICES if each.begin in known]
        arrows = [each for each in drawn if each.begin in _ARROWS]
        for each in drawn:
            begin = known[each.begin]
            end = unit.times.get(each.end, begin) if each.end else begin
            facts = {"timestamp": unit.timestamp, "octets": unit.octets}
            width = _micro(max(end - begin, _MOMENT))
            yield self._event("X", begin, f"{each.name} {unit.number}", "codec", each.thread, dur=width, args=facts)
            if len(arrows) > 1 and each in arrows:
                phase = "s" if each is arrows[0] else "f" if each is arrows[-1] else "t"
                arrow = self._event(phase, begin, "unit", "flow", each.thread, id=f"{self._pid}.{unit.number}")
                yield arrow | ({"bp": "e"} if phase == "f" else {})

    def _event(self, phase: str, time: int, name: str, category: str, thread: int, **more: Any) -> dict[str, Any]:
        stamp = _micro(time - self._zero)
        return {"ph": phase, "name": name, "cat": category, "pid": self._pid, "tid": thread, "ts": stamp, **more}


def _clipped(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Complete events of one thread may not overlap: a moment ends where the next one begins."""
    threads: dict[int, list[dict[str, Any]]] = {}
    for event in events:
        if event["ph"] == "X":
            threads.setdefault(event["tid"], []).append(event)
    for thread in threads.values():
        thread.sort(key=lambda event: event["ts"])
        for event, following in pairwise(thread):
            event["dur"] = min(event["dur"], max(0.0, round(following["ts"] - event["ts"], 3)))
    return events


def _micro(nanoseconds: int) -> float:
    return nanoseconds / 1000
