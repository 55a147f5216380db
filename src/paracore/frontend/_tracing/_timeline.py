# SPDX-License-Identifier: Apache-2.0
"""From single records to the way of each unit: sans I/O, for records of any origin.

A unit is known by its cookie until its span is the application's again, its picture by the timestamp that was copied
through; of several units with one timestamp the oldest is meant. A picture's span is known by its own cookie. A unit whose
beginning was not recorded is left out, and so is what was recorded of it.

Channels have numbers that no other channel of the backend has, so that a program's side finds its worker's.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from paracore.classes import TraceEvent, video

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from paracore.classes import TraceRecord
    from paracore.frontend._tracing._collector import Found

__all__ = ["EVERYTHING", "WAY", "Chosen", "SessionLine", "Unit", "timelines"]

E = TraceEvent

WAY: Final = (
    E.INPUT_POSTED,
    E.INPUT_SEEN,
    E.INPUT_THROTTLED,
    E.INPUT_GIVEN,
    E.DEVICE_AWAITED,
    E.JOB_BEGUN,
    E.OUTPUT_MADE,
    E.OUTPUT_TOLD,
    E.OUTPUT_RECEIVED,
    E.OUTPUT_POSTED,
    E.OUTPUT_SEEN,
)
"""Of a unit and its picture, in the order in which it comes about."""

_NO_PICTURE: Final = video.OutputFlag.CANCELLED | video.OutputFlag.EMPTY
_LOW: Final = 0xFFFFFFFF


class Chosen(NamedTuple):
    """Which sessions somebody wants to see: all, where nothing is said."""

    devices: Mapping[str, int] | None = None
    """By domain, the index of the device."""
    session: int | None = None


EVERYTHING: Final = Chosen()


@dataclass(slots=True)
class Unit:
    """One input and what came of it: when which event of ``WAY`` was, and ``JOB_ENDED``."""

    number: int
    timestamp: int
    octets: int
    times: dict[TraceEvent, int] = field(default_factory=dict)

    def way(self) -> list[tuple[TraceEvent, int]]:
        """What is known of it, in order. A worker that lies may have told of something before what it comes of."""
        way: list[tuple[TraceEvent, int]] = []
        for event in WAY:
            if event in self.times and (not way or self.times[event] >= way[-1][1]):
                way.append((event, self.times[event]))
        return way

    @property
    def has_picture(self) -> bool:
        """Whether a picture, or packet, came of it."""
        return not self.times.keys().isdisjoint((E.OUTPUT_MADE, E.OUTPUT_TOLD, E.OUTPUT_RECEIVED))


class SessionLine:
    """All that is known of one session.

    Attributes:
        domain: its name, "" when no worker's side is known.
        device: its index, as the domain has it; None: it is not known.
        codec: and `direction`: by name, "" when they are not known.
        drains: the codec's work at drains: begin and end.
        waits: of the codec for the domain, in the midst of a job.
    """

    def __init__(self, domain: str, channel: int, session: int) -> None:
        self.domain = domain
        self.channel = channel
        self.session = session
        self.device: int | None = None
        self.codec = self.direction = ""
        self.units: list[Unit] = []
        self.drains: list[tuple[int, int]] = []
        self.waits: list[tuple[int, int]] = []
        self._inputs: dict[int, Unit] = {}
        self._outputs: dict[int, Unit] = {}
        self._awaited: dict[int, deque[Unit]] = {}
        self._job: Unit | int | None = None
        self._wait: int | None = None

    def device_name(self, devices: Sequence[str]) -> str:
        """Of those of its domain, in order; "" when it is not known."""
        return "" if self.device is None or self.device >= len(devices) else devices[self.device]

    def take(self, record: TraceRecord) -> None:
        """The next record by time."""
        self._HANDLERS[record.event](self, record)

    # --- the session ------------------------------------------------------------------------------

    def _opened(self, record: TraceRecord) -> None:
        self.device = record.cookie
        try:
            self.codec = video.Codec(record.value >> 32).name.lower()
            self.direction = video.Direction(record.value & _LOW).name.lower()
        except ValueError:  # whatever a worker says
            self.codec = self.direction = ""

    def _closed(self, _: TraceRecord) -> None:
        """Nothing more will come of what is under way."""
        self._inputs.clear()
        self._outputs.clear()
        self._awaited.clear()

    # --- inputs -----------------------------------------------------------------------------------

    def _input_begins(self, record: TraceRecord) -> None:
        unit = self._inputs.get(record.cookie)
        if unit is None or record.event in unit.times or E.INPUT_SEEN in unit.times:
            unit = Unit(len(self.units), record.timestamp, record.value & _LOW)
            self.units.append(unit)
            self._inputs[record.cookie] = unit
            if not (record.value >> 32) & video.InputFlag.CONFIG:
                self._awaited.setdefault(record.timestamp, deque()).append(unit)
        unit.times[record.event] = record.time

    def _input_goes_on(self, record: TraceRecord) -> None:
        if unit := self._inputs.get(record.cookie):
            unit.times.setdefault(record.event, record.time)

    def _input_done(self, record: TraceRecord) -> None:
        self._input_goes_on(record)
        unit = self._inputs.get(record.cookie)
        if unit and record.value == video.Error.CANCELLED and (awaited := self._awaited.get(unit.timestamp)):
            self._awaited[unit.timestamp] = deque(other for other in awaited if other is not unit)

    # --- jobs -------------------------------------------------------------------------------------

    def _job_begun(self, record: TraceRecord) -> None:
        self._job = record.time if record.value else self._inputs.get(record.cookie)
        if isinstance(self._job, Unit):
            self._job.times[record.event] = record.time

    def _job_ended(self, record: TraceRecord) -> None:
        if isinstance(self._job, Unit):
            self._job.times[record.event] = record.time
        elif self._job is not None:
            self.drains.append((self._job, record.time))
        self._job = None

    def _wait_begun(self, record: TraceRecord) -> None:
        self._wait = record.time

    def _wait_ended(self, record: TraceRecord) -> None:
        if self._wait is not None:
            self.waits.append((self._wait, record.time))
        self._wait = None

    # --- outputs ----------------------------------------------------------------------------------

    def _output_goes_on(self, record: TraceRecord) -> None:
        """Whichever side, and whichever event of it, is the first to tell of a picture."""
        if (record.value >> 32) & _NO_PICTURE:
            return
        unit = self._outputs.get(record.cookie)
        if unit is None or unit.timestamp != record.timestamp or record.event in unit.times:
            unit = self._oldest(record.timestamp)
        if unit:
            unit.times[record.event] = record.time
            self._outputs[record.cookie] = unit

    def _output_returned(self, record: TraceRecord) -> None:
        if unit := self._outputs.get(record.cookie):
            unit.times.setdefault(record.event, record.time)

    def _output_ends(self, record: TraceRecord) -> None:
        self._output_returned(record)
        self._outputs.pop(record.cookie, None)

    def _oldest(self, timestamp: int) -> Unit | None:
        awaited = self._awaited.get(timestamp)
        unit = awaited.popleft() if awaited else None
        if not awaited:
            self._awaited.pop(timestamp, None)
        return unit

    _HANDLERS: ClassVar[dict[TraceEvent, Callable[[SessionLine, TraceRecord], None]]] = {
        E.OPENED: _opened,
        E.CLOSED: _closed,
        E.INPUT_POSTED: _input_begins,
        E.INPUT_SEEN: _input_begins,
        E.INPUT_THROTTLED: _input_goes_on,
        E.INPUT_GIVEN: _input_goes_on,
        E.DEVICE_AWAITED: _input_goes_on,
        E.JOB_BEGUN: _job_begun,
        E.JOB_ENDED: _job_ended,
        E.WAIT_BEGUN: _wait_begun,
        E.WAIT_ENDED: _wait_ended,
        E.INPUT_TOLD: _input_done,
        E.INPUT_RECEIVED: _input_done,
        E.OUTPUT_MADE: _output_goes_on,
        E.OUTPUT_TOLD: _output_goes_on,
        E.OUTPUT_RECEIVED: _output_goes_on,
        E.OUTPUT_POSTED: _output_returned,
        E.OUTPUT_SEEN: _output_ends,
    }


def timelines(found: Iterable[Found], chosen: Chosen = EVERYTHING) -> list[SessionLine]:
    """The sessions that records tell of, as far as they are wanted, with those of one domain together."""
    ordered = sorted(found, key=lambda each: each.record.time)
    owners = _owners(ordered)
    lines: dict[tuple[str, int, int], SessionLine] = {}
    for domain, record in ordered:
        key = domain or owners.get(record.channel, ""), record.channel, record.session
        if key not in lines:
            lines[key] = SessionLine(*key)
        lines[key].take(record)
    return [lines[key] for key in sorted(lines) if _is_chosen(lines[key], chosen)]


def _owners(found: Sequence[Found]) -> dict[int, str]:
    """By channel, the domain whose worker was the first to speak of it."""
    owners: dict[int, str] = {}
    for domain, record in found:
        if domain:
            owners.setdefault(record.channel, domain)
    return owners


def _is_chosen(line: SessionLine, chosen: Chosen) -> bool:
    if chosen.devices is not None and (line.device is None or chosen.devices.get(line.domain) != line.device):
        return False
    return chosen.session in {None, line.session} and bool(line.units or line.drains)
