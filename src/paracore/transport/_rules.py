# SPDX-License-Identifier: Apache-2.0
"""The rules of a class whose calls are answered one by one; no descriptor is touched here.

Rules: one table says which call is allowed when; what is not in it is the peer's fault. Each call gets one
reply; one that fails leaves the state as it is. After a goodbye nothing is served but what the table says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from paracore._errors import RemoteProtocolError
from paracore.classes.link import Goodbye, Limit, Refusal
from paracore.protocol import EVENT, FAILURE, PROTOCOL_VERSION, REPLY, REQUEST, message, split
from paracore.transport._transport import Refused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from enum import Enum

    from paracore.classes._payload import MessageType
    from paracore.classes.link import Failure
    from paracore.protocol import Header

__all__ = ["CallRules", "Versions"]

_State = TypeVar("_State", bound="Enum")


class Versions(Protocol):
    """What a peer speaks."""

    @property
    def version_min(self) -> int: ...

    @property
    def version_max(self) -> int: ...


class CallRules(Generic[_State]):
    """One connection's state: checks the calls that come, makes the messages that go.

    Attributes:
        state: how far the connection is.
    """

    NAME: ClassVar[str]
    TABLE: ClassVar[Mapping[Any, Mapping[int, Any]]]
    """``{state: {call: next state}}``."""
    MESSAGES: ClassVar[Mapping[int, MessageType]]
    GOODBYE: ClassVar[int]
    """The event's opcode."""

    def __init__(self, start: _State, ending: _State, number: int = 0) -> None:
        """`number` is the ``object`` of every message."""
        self.state = start
        self._ending = ending
        self._number = number

    @property
    def ending(self) -> bool:
        """Whether the peer has been told goodbye."""
        return self.state is self._ending

    def accept(self, octets: bytes) -> tuple[Header, Any]:
        """One call: its header and its typed content.

        Raises:
            RemoteProtocolError: it is no call, or not allowed now.
        """
        header, payload = split(octets)
        if header.opcode not in self.TABLE[self.state] or header.flags != REQUEST or header.object != self._number:
            raise RemoteProtocolError(f"{self.NAME} message {header.opcode:#06x} while {self.state.value}")
        return header, self.MESSAGES[header.opcode].request.unpack(payload)

    @staticmethod
    def check_version(spoken: Versions) -> None:
        """Refuses a peer that does not speak this version."""
        if not spoken.version_min <= PROTOCOL_VERSION <= spoken.version_max:
            raise Refused(Refusal.VERSION)

    def reply(self, call: Header, payload: bytes) -> bytes:
        """The answer to a call that was served; whoever was told goodbye meanwhile stays told."""
        self.state = self.TABLE[self.state].get(call.opcode, self.state)
        return message(call.opcode, REPLY, self._number, call.serial, payload)

    def failure(self, call: Header, failure: Failure) -> bytes:
        """The answer to a call that failed."""
        return message(call.opcode, FAILURE, self._number, call.serial, failure.pack())

    def goodbye(self, reason: Refusal, limit: Limit | None = None) -> bytes:
        """The last message."""
        self.end()
        return message(self.GOODBYE, EVENT, self._number, 0, Goodbye(reason, limit or Limit.NONE).pack())

    def end(self) -> None:
        """Nothing is served any more."""
        self.state = self._ending
