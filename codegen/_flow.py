# SPDX-License-Identifier: Apache-2.0
"""Plays the xenbus tables against each other, and draws who did what in two columns."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from codegen._xenbus import Xenbus

__all__ = ["FLOWS", "flow"]

FRONTEND, BACKEND = "frontend", "backend"
WAIT: Final = "wait"
LETS_GO: Final = frozenset({"reconfigure", "close"})
TURNS_MOST: Final = 20
WIDTH: Final = 46

DOES: Final = {
    (FRONTEND, "publish"): "allocates the ring and a port, formats the page; writes version, ring-ref, ring-order, event-channel",
    (FRONTEND, "connect"): "reads what the backend is called and may do; serves programs",
    (FRONTEND, "leave"): "tells programs that it ends; takes no more of them",
    (FRONTEND, "reconfigure"): "tells programs that the device is lost; frees its pages and ports",
    (FRONTEND, "close"): "tells programs that the device is gone; frees its pages and ports",
    (BACKEND, "publish"): "checks that it has the devices; writes versions",
    (BACKEND, "connect"): "reads and checks what the frontend published; maps the ring, binds the port",
    (BACKEND, "leave"): "ends the guest's sessions, takes no more calls",
    (BACKEND, "reconfigure"): "ends the guest's sessions; unmaps all its pages, closes its ports",
    (BACKEND, "close"): "ends the guest's sessions; unmaps all its pages, closes its ports",
}  # fmt: skip
"""What an action is at each end."""


class Flow(NamedTuple):
    """How a drawing begins: both states, what happens, and to whom."""

    frontend: str
    backend: str
    event: str = ""
    """``start``, ``stop``, or a state that an end writes by itself."""
    ends: tuple[str, ...] = ()
    text: str = ""


_UP: Final = ("CONNECTED", "CONNECTED")

FLOWS: Final = {
    "connect": Flow("INITIALISING", "INITIALISING"),
    "detach": Flow(*_UP, "stop", (BACKEND,), "the toolstack writes online = 0"),
    "frontend_leaves": Flow(*_UP, "stop", (FRONTEND,), "the frontend is told to end"),
    "frontend_restart": Flow(*_UP, "start", (FRONTEND,), "the frontend was killed, and is started again"),
    "frontend_anew": Flow(*_UP, "INITIALISING", (FRONTEND,), "another frontend begins from the start"),
    "backend_restart": Flow(*_UP, "start", (BACKEND,), "the backend was killed, and is started again"),
    "backend_anew": Flow(*_UP, "INIT_WAIT", (BACKEND,), "another backend begins from the start"),
    "both_restart": Flow(*_UP, "start", (FRONTEND, BACKEND), "both were killed, and are started again"),
    "frontend_gone": Flow(*_UP, "UNKNOWN", (FRONTEND,), "the guest is destroyed: its nodes go"),
}


@dataclass
class _Play:
    """Both ends as a flow goes on, and what has been drawn of it."""

    of: Xenbus
    own: dict[str, Any]
    holds: dict[str, bool]
    still: set[str] = field(default_factory=set)
    """Ends that do nothing more: one that has left and is closed, one that has gone."""
    leaving: set[str] = field(default_factory=set)
    lines: list[str] = field(default_factory=list)

    def happens(self, event: str, end: str) -> None:
        """What the flow is about befalls an end."""
        states = self.of.states
        if event == "stop":
            self.leaving.add(end)
            self.move(end, states.XENBUS_STOP[end][self.own[end]])
            return
        self.holds[end] = False  # it is another process, or none
        self.own[end] = states.XENBUS_START[end][self.own[end]].state if event == "start" else states.XenbusState[event]
        self.still |= {end} if event == "UNKNOWN" else set()
        self.say(end, [_name(self.own[end])])

    def turn(self, end: str, other: str) -> bool:
        """Lets an end do its next step; False when it waits."""
        move = self.of.states.XENBUS[end][self.own[end]][self.own[other]]
        if end in self.still or move.action == WAIT:
            return False
        self.move(end, move)
        if end in self.leaving and _name(move.state) == "CLOSED":
            self.still.add(end)
        return True

    def move(self, end: str, move: Any) -> None:
        action = str(move.action)
        idle = action in LETS_GO and not self.holds[end]
        if action not in {WAIT, "leave"}:
            self.holds[end] = action == "connect" or (end, action) == (FRONTEND, "publish")
        self.own[end] = move.state
        self.say(end, [*([] if idle else _words(DOES[end, action])), _name(move.state)])

    def say(self, end: str, lines: list[str]) -> None:
        """Draws in an end's column."""
        self.lines += [_both(line, "") if end == FRONTEND else _both("", line) for line in lines]


def flow(of: Xenbus, name: str) -> str:
    """Two columns: what each end does and says, from what has happened until both wait."""
    drawn = FLOWS[name]
    own = {FRONTEND: of.states.XenbusState[drawn.frontend], BACKEND: of.states.XenbusState[drawn.backend]}
    play = _Play(of, own, {end: _name(state) == "CONNECTED" for end, state in own.items()})
    play.lines = [_both(FRONTEND, BACKEND), _both("─" * 8, "─" * 7), _both(*map(_name, own.values()))]
    for end in drawn.ends:
        play.say(end, textwrap.wrap(f"({drawn.text})", WIDTH - 2) if end == drawn.ends[0] else [])
        play.happens(drawn.event, end)
    for _ in range(TURNS_MOST):
        moved = [play.turn(BACKEND, FRONTEND), play.turn(FRONTEND, BACKEND)]
        if not any(moved):
            return "```text\n" + "".join(f"{line.rstrip()}\n" for line in play.lines) + "```\n"
    raise AssertionError(f"the flow {name} does not come to rest")


def _words(text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH - 2, initial_indent="  o ", subsequent_indent="    ")


def _name(state: Any) -> str:
    return "(no node)" if state.name == "UNKNOWN" else str(state.name)


def _both(left: str, right: str) -> str:
    return f" {left:<{WIDTH}}{right}"
