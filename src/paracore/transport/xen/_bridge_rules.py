# SPDX-License-Identifier: Apache-2.0
"""The rules of one connection of class ``bridge``, for the backend; no descriptor is touched here.

After a goodbye, or before it is read, the daemon may still say what crosses it: only ``disconnect`` is looked at.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from paracore.classes import bridge
from paracore.transport._rules import CallRules

__all__ = ["TABLE", "BridgeRules", "BridgeState"]


class BridgeState(Enum):
    """How far a connection is."""

    START = "not admitted"
    ADMITTED = "admitted"
    OPEN = "open"
    ENDING = "ending"


TABLE: Final[dict[BridgeState, dict[int, BridgeState]]] = {
    BridgeState.START: {
        bridge.Connect.OPCODE: BridgeState.ADMITTED,
        bridge.Disconnect.OPCODE: BridgeState.ENDING,
    },
    BridgeState.ADMITTED: {
        bridge.ChannelOpen.OPCODE: BridgeState.OPEN,
        bridge.Disconnect.OPCODE: BridgeState.ENDING,
    },
    BridgeState.OPEN: {
        bridge.Grant.OPCODE: BridgeState.OPEN,
        bridge.Revoke.OPCODE: BridgeState.OPEN,
        bridge.Disconnect.OPCODE: BridgeState.ENDING,
    },
    BridgeState.ENDING: {bridge.Disconnect.OPCODE: BridgeState.ENDING},
}
"""{state: {call: next state}}. A call that fails leaves the state as it is."""


class BridgeRules(CallRules[BridgeState]):
    """One connection's state, see ``CallRules``."""

    NAME = "bridge"
    TABLE = TABLE
    MESSAGES = bridge.MESSAGES
    GOODBYE = bridge.Goodbye.OPCODE

    def __init__(self, number: int) -> None:
        super().__init__(BridgeState.START, BridgeState.ENDING, number)
