# SPDX-License-Identifier: Apache-2.0
"""The rules of the descriptor protocol (class ``link``) for the side that answers; no descriptor is touched here.

The backend's own socket (``LinkPort``) and the frontend daemon of a Xen guest are both held to them: what the
table lacks ends the connection, and after a goodbye nothing is served any more.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from paracore.classes import link
from paracore.transport._rules import CallRules

__all__ = ["TABLE", "LinkRules", "LinkState"]


class LinkState(Enum):
    """How far a connection is."""

    START = "before its hello"
    GREETED = "greeted"
    OPEN = "open"
    ENDING = "ending"


TABLE: Final[dict[LinkState, dict[int, LinkState]]] = {
    LinkState.START: {link.Hello.OPCODE: LinkState.GREETED},
    LinkState.GREETED: {
        link.ChannelOpen.OPCODE: LinkState.OPEN,
        link.Status.OPCODE: LinkState.GREETED,
        link.Configure.OPCODE: LinkState.GREETED,
        link.Trace.OPCODE: LinkState.GREETED,
    },
    LinkState.OPEN: {
        link.Grant.OPCODE: LinkState.OPEN,
        link.Revoke.OPCODE: LinkState.OPEN,
        link.Status.OPCODE: LinkState.OPEN,
        link.Configure.OPCODE: LinkState.OPEN,
        link.Trace.OPCODE: LinkState.OPEN,
    },
    LinkState.ENDING: {},
}
"""{state: {call: next state}}. A call that fails leaves the state as it is."""


class LinkRules(CallRules[LinkState]):
    """One connection's state, see ``CallRules``."""

    NAME = "link"
    TABLE = TABLE
    MESSAGES = link.MESSAGES
    GOODBYE = link.Goodbye.OPCODE

    def __init__(self) -> None:
        super().__init__(LinkState.START, LinkState.ENDING)
