# SPDX-License-Identifier: Apache-2.0
"""The rules of the descriptor protocol (class ``link``) for the side that answers; no descriptor is touched here.

Rules: one table says which call is allowed when; what is not in it is the peer's fault and ends the
connection. Each call gets one reply. After a goodbye nothing is served any more.

The backend's own socket (``LinkPort``) and the frontend daemon of a Xen guest are both held to them.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from paracore._errors import RemoteProtocolError
from paracore.classes import link
from paracore.protocol import EVENT, FAILURE, PROTOCOL_VERSION, REPLY, REQUEST, message, split
from paracore.transport._transport import Refused

if TYPE_CHECKING:
    from paracore.protocol import Header

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
    },
    LinkState.OPEN: {
        link.Grant.OPCODE: LinkState.OPEN,
        link.Revoke.OPCODE: LinkState.OPEN,
        link.Status.OPCODE: LinkState.OPEN,
    },
    LinkState.ENDING: {},
}
"""{state: {call: next state}}. A call that fails leaves the state as it is."""


class LinkRules:
    """One connection's state: checks the calls that come, makes the messages that go."""

    def __init__(self) -> None:
        self.state = LinkState.START

    @property
    def ending(self) -> bool:
        """Whether the peer has been told goodbye."""
        return self.state is LinkState.ENDING

    def accept(self, octets: bytes) -> tuple[Header, Any]:
        """One call: its header and its typed content.

        Raises:
            RemoteProtocolError: it is no call, or not allowed now.
        """
        header, payload = split(octets)
        if header.opcode not in TABLE[self.state] or header.flags != REQUEST or header.object:
            raise RemoteProtocolError(f"link message {header.opcode:#06x} while {self.state.value}")
        return header, link.MESSAGES[header.opcode].request.unpack(payload)

    @staticmethod
    def check_version(hello: link.Hello) -> None:
        """Refuses a peer that does not speak this version."""
        if not hello.version_min <= PROTOCOL_VERSION <= hello.version_max:
            raise Refused(link.Refusal.VERSION)

    def reply(self, call: Header, payload: bytes) -> bytes:
        """The answer to a call that was served; whoever was told goodbye meanwhile stays told."""
        self.state = TABLE[self.state].get(call.opcode, self.state)
        return message(call.opcode, REPLY, 0, call.serial, payload)

    def failure(self, call: Header, failure: link.Failure) -> bytes:
        """The answer to a call that failed."""
        return message(call.opcode, FAILURE, 0, call.serial, failure.pack())

    def goodbye(self, reason: link.Refusal, limit: link.Limit | None = None) -> bytes:
        """The last message."""
        self.end()
        return message(link.Goodbye.OPCODE, EVENT, 0, 0, link.Goodbye(reason, limit or link.Limit.NONE).pack())

    def end(self) -> None:
        """Nothing is served any more."""
        self.state = LinkState.ENDING
