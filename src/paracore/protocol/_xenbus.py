# SPDX-License-Identifier: Apache-2.0
"""What an end of a Xen device does when the other end's state changes: one table, total, for both ends.

Rules (docs/protocol/xenbus.md):

* Each end owns one ``state`` node and writes no other. It acts on the pair of its own state and what the other
  end's node says now. Watches tell of changes late and merge them, so every pair is in the table.
* A step is one transaction of xenstore: both states are read in it, what the action has to say and the next
  state are written in it. When it conflicts nothing was written: what the action took is let go of, and the
  step is taken again. Thus nobody acts on a state that has gone.
* A node that is missing, and a number that is no state, read as ``UNKNOWN``: from the other end that is closed.
* Pages and ports are shared from the frontend's ``INITIALISED`` on. An end that has lost what it shared does not
  offer anything new before the other end has let go of the old: it says ``RECONFIGURING``, the other lets go
  and answers ``RECONFIGURED``. Who comes back with ``INITIALISING`` instead is understood as well.
* A process that has just started holds nothing, whatever its node says: it begins with ``xenbus_start``.
* An end that leaves says so by ``xenbus_stop``, goes on by the table until it is ``CLOSED``, and looks no more.

Theory of operation. Read both states, take the move, do its action, write its state, look again; when the move
is to wait, wait for a watch. Nothing here blocks, keeps state, or says how long to be patient: an end which has
waited long enough for its ``CLOSING`` to be answered calls ``xenbus_stop`` once more. Left alone, two ends come
to CONNECTED on the same pages or to CLOSED from wherever they are; the tests walk every pair.

The tables of docs/protocol/xenbus.md are drawn from these.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import Final, NamedTuple, TypeAlias

__all__ = [
    "XENBUS",
    "XENBUS_START",
    "XENBUS_STOP",
    "End",
    "Move",
    "XenbusAction",
    "XenbusState",
    "xenbus_start",
    "xenbus_state",
    "xenbus_step",
    "xenbus_stop",
]


class End(StrEnum):
    """The two ends of a device."""

    FRONTEND = "frontend"
    BACKEND = "backend"


class XenbusState(IntEnum):
    """The numbers of the ``state`` nodes, as in Xen's ``io/xenbus.h``."""

    UNKNOWN = 0
    """The node is missing, or holds what is none of these numbers."""
    INITIALISING = 1
    """Has published nothing and holds nothing. The toolstack begins both ends so."""
    INIT_WAIT = 2
    """Backend only: has said what it offers, and waits for the frontend's pages."""
    INITIALISED = 3
    """Frontend only: has said where its pages and its port are."""
    CONNECTED = 4
    """Uses the control ring."""
    CLOSING = 5
    """Takes no more work, and waits for the other end to let go."""
    CLOSED = 6
    """Holds nothing, and begins nothing by itself."""
    RECONFIGURING = 7
    """Has lost what was shared, holds nothing, and asks the other end to let go."""
    RECONFIGURED = 8
    """Has let go because it was asked to."""


class XenbusAction(StrEnum):
    """What to do within a step. What is not held needs no letting go, so each may be done twice."""

    WAIT = "wait"
    """Nothing: the other end, or the toolstack, is to move."""
    PUBLISH = "publish"
    """Backend: check the device and say what it offers. Frontend: allocate, and say where."""
    CONNECT = "connect"
    """Read what the other end has published, check it, use it. Backend: map the pages, bind the port."""
    LEAVE = "leave"
    """Take no more work; hold on to what is shared until the other end has let go."""
    RECONFIGURE = "reconfigure"
    """Let go of all that is shared, tell those who used it, and begin anew."""
    CLOSE = "close"
    """Let go of all that is shared, tell those who used it, and stay so until the other end begins anew."""
    FORGET = "forget"
    """The device has been taken away: let go of everything and write nothing."""


class Move(NamedTuple):
    """What an end does, and the state that it writes when it is done."""

    action: XenbusAction
    state: XenbusState


Row: TypeAlias = dict[XenbusState, Move]

_S: TypeAlias = XenbusState
_A: TypeAlias = XenbusAction

_FORGET: Final = Move(_A.FORGET, _S.UNKNOWN)
_CLOSE: Final = Move(_A.CLOSE, _S.CLOSED)
_LEAVE: Final = Move(_A.LEAVE, _S.CLOSING)
_OFFER: Final = Move(_A.PUBLISH, _S.INIT_WAIT)
_ASK: Final = Move(_A.RECONFIGURE, _S.RECONFIGURING)
_ANSWER: Final = Move(_A.RECONFIGURE, _S.RECONFIGURED)
_ANEW: Final = Move(_A.RECONFIGURE, _S.INITIALISING)

_GONE: Final = (_S.CLOSED, _S.UNKNOWN)
_LEAVING: Final = (_S.CLOSING, *_GONE)


def _row(own: XenbusState, *moves: tuple[Move, tuple[XenbusState, ...]], otherwise: Move | None = None) -> Row:
    """One state's moves by the other end's, total: where none is named it waits, or does the other thing."""
    row = dict.fromkeys(XenbusState, otherwise or Move(_A.WAIT, own))
    for move, others in moves:
        row.update(dict.fromkeys(others, move))
    return row


_BACKEND: Final[dict[XenbusState, Row]] = {
    _S.UNKNOWN: _row(_S.UNKNOWN, otherwise=_FORGET),
    # Offers itself whoever is there: a frontend that had closed comes back when it sees the offer.
    _S.INITIALISING: _row(
        _S.INITIALISING,
        (_CLOSE, (_S.CLOSING,)),
        (_ANSWER, (_S.RECONFIGURING,)),
        otherwise=_OFFER,
    ),
    # CONNECTED here is a frontend whose backend has been replaced: it will see the offer, and ask.
    _S.INIT_WAIT: _row(
        _S.INIT_WAIT,
        (Move(_A.CONNECT, _S.CONNECTED), (_S.INITIALISED,)),
        (_CLOSE, (_S.CLOSING,)),
        (_ANSWER, (_S.RECONFIGURING,)),
    ),
    _S.INITIALISED: _row(_S.INITIALISED, otherwise=_ASK),  # no state of a backend: somebody else has written it
    _S.CONNECTED: _row(
        _S.CONNECTED,
        (_ANEW, (_S.INITIALISING, _S.INIT_WAIT, _S.RECONFIGURED)),
        (_ANSWER, (_S.RECONFIGURING,)),
        (_CLOSE, _LEAVING),
    ),
    _S.CLOSING: _row(
        _S.CLOSING,
        (Move(_A.WAIT, _S.CLOSING), (_S.INITIALISED, _S.CONNECTED)),
        otherwise=_CLOSE,
    ),
    _S.CLOSED: _row(
        _S.CLOSED,
        (_OFFER, (_S.INITIALISING, _S.INIT_WAIT, _S.RECONFIGURED)),
        (_ANSWER, (_S.RECONFIGURING,)),
    ),
    _S.RECONFIGURING: _row(
        _S.RECONFIGURING,
        (_OFFER, (_S.INITIALISING, _S.INIT_WAIT, _S.RECONFIGURED, *_GONE)),
        (_ANSWER, (_S.RECONFIGURING,)),
        (_CLOSE, (_S.CLOSING,)),
    ),
    _S.RECONFIGURED: _row(
        _S.RECONFIGURED,
        (Move(_A.WAIT, _S.RECONFIGURED), (_S.RECONFIGURING,)),  # has not seen the answer yet
        (_CLOSE, (_S.CLOSING,)),
        otherwise=_OFFER,
    ),
}

_FRONTEND: Final[dict[XenbusState, Row]] = {
    _S.UNKNOWN: _row(_S.UNKNOWN, otherwise=_FORGET),
    # CONNECTED here is a backend that has not seen yet that this frontend is a new one. One that is CLOSING may be so because
    # it could not use what a daemon that has died left behind: if both closed, neither would ever begin again.
    _S.INITIALISING: _row(
        _S.INITIALISING,
        (Move(_A.PUBLISH, _S.INITIALISED), (_S.INIT_WAIT,)),
        (_ANSWER, (_S.RECONFIGURING,)),
    ),
    _S.INIT_WAIT: _row(_S.INIT_WAIT, otherwise=_ASK),  # no state of a frontend: somebody else has written it
    _S.INITIALISED: _row(
        _S.INITIALISED,
        (Move(_A.CONNECT, _S.CONNECTED), (_S.CONNECTED,)),
        (_ASK, (_S.INITIALISING, _S.RECONFIGURED)),
        (_ANSWER, (_S.RECONFIGURING,)),
        (_CLOSE, _LEAVING),
    ),
    _S.CONNECTED: _row(
        _S.CONNECTED,
        (_ASK, (_S.INITIALISING, _S.INIT_WAIT, _S.INITIALISED, _S.RECONFIGURED)),
        (_ANSWER, (_S.RECONFIGURING,)),
        (_CLOSE, _LEAVING),
    ),
    # INIT_WAIT may be a backend that is mapping just now: it answers.
    _S.CLOSING: _row(
        _S.CLOSING,
        (Move(_A.WAIT, _S.CLOSING), (_S.INIT_WAIT, _S.INITIALISED, _S.CONNECTED)),
        otherwise=_CLOSE,
    ),
    _S.CLOSED: _row(
        _S.CLOSED,
        (_ANEW, (_S.INITIALISING, _S.INIT_WAIT, _S.RECONFIGURED)),
        (_ANSWER, (_S.RECONFIGURING,)),
    ),
    # Waits for nothing but the answer: any other state may be older than the question. CLOSING: as above.
    _S.RECONFIGURING: _row(
        _S.RECONFIGURING,
        (_ANEW, (_S.RECONFIGURED, *_GONE)),
        (_ANSWER, (_S.RECONFIGURING,)),
    ),
    _S.RECONFIGURED: _row(
        _S.RECONFIGURED,
        (Move(_A.PUBLISH, _S.INITIALISED), (_S.INIT_WAIT,)),
        (_CLOSE, _LEAVING),
    ),
}

XENBUS: Final = {End.FRONTEND: _FRONTEND, End.BACKEND: _BACKEND}
"""``{end: {own state: {the other end's state: move}}}``."""

_START: Final[Row] = dict.fromkeys(XenbusState, _ASK) | {
    _S.UNKNOWN: _FORGET,
    _S.INITIALISING: Move(_A.WAIT, _S.INITIALISING),
}
_STOP: Final[Row] = dict.fromkeys(XenbusState, _CLOSE) | {
    _S.UNKNOWN: _FORGET,
    _S.INIT_WAIT: _LEAVE,
    _S.INITIALISED: _LEAVE,
    _S.CONNECTED: _LEAVE,
    _S.CLOSED: Move(_A.WAIT, _S.CLOSED),
}

XENBUS_START: Final = {End.FRONTEND: _START, End.BACKEND: _START}
"""``{end: {own state as it was found: move}}``, for a process that has just started."""
XENBUS_STOP: Final = {End.FRONTEND: _STOP, End.BACKEND: _STOP}
"""``{end: {own state: move}}``, for an end that leaves; once more when it has waited for long enough."""


def xenbus_state(value: str | None) -> XenbusState:
    """The state that a ``state`` node says; None is a node that is missing."""
    if value is None or len(value) != 1 or value not in "12345678":
        return XenbusState.UNKNOWN
    return XenbusState(int(value))


def xenbus_step(end: End, own: XenbusState, other: XenbusState) -> Move:
    """What this end does now."""
    return XENBUS[end][own][other]


def xenbus_start(end: End, found: XenbusState) -> Move:
    """What a process that has just started does first, its own node being found so."""
    return XENBUS_START[end][found]


def xenbus_stop(end: End, own: XenbusState) -> Move:
    """What this end does to leave, or to leave at once when it is leaving already."""
    return XENBUS_STOP[end][own]
