# SPDX-License-Identifier: Apache-2.0
"""What may follow what in a video session: one table, total over its states, for both ends.

Rules (docs/protocol/session.md):

* A step is a message of the video class for one session. Only the steps in ``Step`` are in the
  table; ``open`` itself and ``capability_query`` have no session yet, and the replies left out change
  nothing.
* What a call changes it changes when it is answered, so that both ends change at the same place of
  the ``in`` ring's order. A post changes the state where it stands in the ``out`` ring's.
* While a ``flush`` is unanswered the frontend sends nothing but ``close`` for the session: what is on
  its way towards the frontend meanwhile is of the time before the flush.
* A step that the state does not allow is refused with an error of the wire, and changes nothing.
  A step that the other end could not have made at all is a ``VIOLATION``.

Theory of operation. The backend keeps one state per session and asks ``advance`` of each call, post,
reply and event in the order in which it takes or sends them. The frontend may do the same in its
order. How many spans and inputs are outstanding is counted elsewhere; the table knows only order.

The diagrams of docs/protocol/session.md are drawn from this table.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["SESSION", "Direction", "Refusal", "State", "Step", "advance"]


class Direction(StrEnum):
    """The two roles of a session, by the names of the enumeration ``direction``."""

    DECODE = "decode"
    ENCODE = "encode"


class State(StrEnum):
    """Where a session stands."""

    CLOSED = "closed"
    """There is no such session."""
    FORMATLESS = "formatless"
    """Decoder: has met no format yet. Encoder: has been given none."""
    FORMATLESS_DRAINING = "formatless_draining"
    """A drain is under way, and there is still no format."""
    READY = "ready"
    """Encoder: has a format and has taken no picture yet."""
    RUNNING = "running"
    """Has a format and works."""
    DRAINING = "draining"
    """Gives out all there is; what is queued now waits for the next sequence."""
    FAILED = "failed"
    """Over, and can only be closed."""


class Step(StrEnum):
    """What moves a session, by the names of the messages (``NAME`` of the classes)."""

    OPEN_REPLY = "open_reply"
    FORMAT_GET = "format_get"
    FORMAT_SET = "format_set"
    FORMAT_SET_REPLY = "format_set_reply"
    CONTROL_GET = "control_get"
    CONTROL_SET = "control_set"
    QUEUE_INPUT = "queue_input"
    QUEUE_OUTPUT = "queue_output"
    DRAIN = "drain"
    FLUSH = "flush"
    FLUSH_REPLY = "flush_reply"
    RECALL = "recall"
    CLOSE = "close"
    CLOSE_REPLY = "close_reply"
    INPUT_DONE = "input_done"
    OUTPUT_READY = "output_ready"
    SOURCE_CHANGE = "source_change"
    DRAINED = "drained"
    SESSION_FAILED = "session_failed"


class Refusal(StrEnum):
    """Why a step is not taken: an error of the wire by its name, or the peer's fault."""

    AGAIN = "again"
    BUSY = "busy"
    IO = "io"
    NO_ENTRY = "no_entry"
    NOT_SUPPORTED = "not_supported"
    VIOLATION = "violation"
    """No error of the wire: the channel ends."""


Outcome: TypeAlias = State | Refusal

# A frontend's steps, which an end answers with an error; all others are the backend's.
REQUESTS: Final = frozenset(
    {
        Step.FORMAT_GET,
        Step.FORMAT_SET,
        Step.CONTROL_GET,
        Step.CONTROL_SET,
        Step.QUEUE_INPUT,
        Step.QUEUE_OUTPUT,
        Step.DRAIN,
        Step.FLUSH,
        Step.RECALL,
        Step.CLOSE,
    }
)
# What an open session always allows.
ALWAYS: Final = frozenset({Step.CONTROL_GET, Step.CONTROL_SET, Step.QUEUE_OUTPUT, Step.FLUSH, Step.RECALL, Step.CLOSE})
# What it may always say. A span may come back unused at any time, so outputs need no format.
SAID: Final = frozenset({Step.INPUT_DONE, Step.OUTPUT_READY})


def _row(
    *,
    refuse: Refusal,
    refusals: Mapping[Step, Refusal] | None = None,
    stay: tuple[State, Iterable[Step]] | None = None,
    moves: Mapping[Step, State] | None = None,
) -> dict[Step, Outcome]:
    """One state's outcomes, total: requests not named are refused so, and else the peer is at fault."""
    row: dict[Step, Outcome] = {step: refuse if step in REQUESTS else Refusal.VIOLATION for step in Step}
    if stay is not None:
        row.update(dict.fromkeys(stay[1], stay[0]))
    row.update(refusals or {})
    row.update(moves or {})
    return row


def _open(
    state: State, *stay: Step, moves: Mapping[Step, State], refusals: Mapping[Step, Refusal] | None = None
) -> dict[Step, Outcome]:
    """A row of an open session: what all of them allow, and what this one does beside it."""
    ends = {Step.CLOSE_REPLY: State.CLOSED, Step.SESSION_FAILED: State.FAILED}
    allowed = (state, {*ALWAYS, *SAID, *stay})
    return _row(refuse=Refusal.BUSY, refusals=refusals, stay=allowed, moves={**ends, **moves})


_CLOSED: Final = _row(refuse=Refusal.NO_ENTRY, moves={Step.OPEN_REPLY: State.FORMATLESS})
_FAILED: Final = _row(
    refuse=Refusal.IO,
    stay=(State.FAILED, {Step.CLOSE, *SAID}),
    moves={Step.CLOSE_REPLY: State.CLOSED},
)

_NO_FORMAT: Final = {Step.FORMAT_GET: Refusal.AGAIN}
_NOT_SET: Final = {Step.FORMAT_SET: Refusal.NOT_SUPPORTED}

_DECODE: Final[dict[State, dict[Step, Outcome]]] = {
    State.CLOSED: _CLOSED,
    State.FORMATLESS: _open(
        State.FORMATLESS,
        Step.QUEUE_INPUT,
        Step.FLUSH_REPLY,
        moves={Step.SOURCE_CHANGE: State.RUNNING, Step.DRAIN: State.FORMATLESS_DRAINING},
        refusals=_NO_FORMAT | _NOT_SET,
    ),
    State.FORMATLESS_DRAINING: _open(
        State.FORMATLESS_DRAINING,
        Step.QUEUE_INPUT,
        moves={
            Step.SOURCE_CHANGE: State.DRAINING,
            Step.DRAINED: State.FORMATLESS,
            Step.FLUSH_REPLY: State.FORMATLESS,
        },
        refusals=_NO_FORMAT | _NOT_SET,
    ),
    State.RUNNING: _open(
        State.RUNNING,
        Step.QUEUE_INPUT,
        Step.FORMAT_GET,
        Step.SOURCE_CHANGE,
        Step.FLUSH_REPLY,
        moves={Step.DRAIN: State.DRAINING},
        refusals=_NOT_SET,
    ),
    State.DRAINING: _open(
        State.DRAINING,
        Step.QUEUE_INPUT,
        Step.FORMAT_GET,
        Step.SOURCE_CHANGE,
        moves={Step.DRAINED: State.RUNNING, Step.FLUSH_REPLY: State.RUNNING},
        refusals=_NOT_SET,
    ),
    State.FAILED: _FAILED,
}

_ENCODE: Final[dict[State, dict[Step, Outcome]]] = {
    State.CLOSED: _CLOSED,
    State.FORMATLESS: _open(
        State.FORMATLESS,
        Step.FORMAT_SET,
        Step.FLUSH_REPLY,
        moves={Step.FORMAT_SET_REPLY: State.READY, Step.DRAIN: State.FORMATLESS_DRAINING},
        refusals=_NO_FORMAT,
    ),
    State.FORMATLESS_DRAINING: _open(
        State.FORMATLESS_DRAINING,
        moves={Step.DRAINED: State.FORMATLESS, Step.FLUSH_REPLY: State.FORMATLESS},
        refusals=_NO_FORMAT,
    ),
    State.READY: _open(
        State.READY,
        Step.FORMAT_GET,
        Step.FORMAT_SET,
        Step.FORMAT_SET_REPLY,
        Step.FLUSH_REPLY,
        moves={Step.QUEUE_INPUT: State.RUNNING, Step.DRAIN: State.DRAINING},
    ),
    State.RUNNING: _open(
        State.RUNNING,
        Step.QUEUE_INPUT,
        Step.FORMAT_GET,
        Step.FLUSH_REPLY,
        moves={Step.DRAIN: State.DRAINING},
    ),
    State.DRAINING: _open(
        State.DRAINING,
        Step.QUEUE_INPUT,
        Step.FORMAT_GET,
        moves={Step.DRAINED: State.RUNNING, Step.FLUSH_REPLY: State.RUNNING},
    ),
    State.FAILED: _FAILED,
}

SESSION: Final = {Direction.DECODE: _DECODE, Direction.ENCODE: _ENCODE}
"""``{direction: {state: {step: outcome}}}``."""


def advance(direction: Direction, state: State, step: Step) -> Outcome:
    """The state after a step, or why it is not taken."""
    return SESSION[direction][state][step]
