# SPDX-License-Identifier: Apache-2.0
"""The header that stands before every message, on a ring and on a socket alike.

Rules (docs/protocol/wire.md):

* ``size`` is that of the whole message, a multiple of 8, at most ``MESSAGE_MAX``.
* ``flags`` are those of one of the four kinds in ``FLAGS``; any other word is refused.
* A reply carries the call's opcode, object and serial. An event's serial is 0.

Nothing here touches a descriptor, keeps state or looks at a payload.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from paracore._errors import LimitExceeded, LocalProtocolError, MessageError
from paracore.protocol._wire import HEADER, MESSAGE_MAX, MessageFlag

if TYPE_CHECKING:
    from typing import Self

    from typing_extensions import Buffer

__all__ = ["EVENT", "FAILURE", "HEADER_SIZE", "PAYLOAD_MAX", "REPLY", "REQUEST", "Header", "message", "split"]

HEADER_SIZE: Final = HEADER.size
PAYLOAD_MAX: Final = MESSAGE_MAX - HEADER_SIZE
"""Octets of a payload. What does not fit travels in a buffer or as a descriptor."""

REQUEST: Final = MessageFlag(0)
"""Flags of a call or a post."""
REPLY: Final = MessageFlag.REPLY
FAILURE: Final = MessageFlag.REPLY | MessageFlag.ERROR
EVENT: Final = MessageFlag.EVENT
FLAGS: Final = frozenset({REQUEST, REPLY, FAILURE, EVENT})


class Header(NamedTuple):
    """What is known of a message before its payload is looked at."""

    size: int
    opcode: int
    flags: MessageFlag
    object: int
    serial: int

    def pack(self) -> bytes:
        """The header's octets."""
        return HEADER.pack(*self)

    @classmethod
    def unpack(cls, octets: Buffer) -> Self:
        """The header at the start of these octets, checked; ``RemoteProtocolError`` when it cannot be.

        Raises:
            MessageError: there is no whole header, or it breaks a rule.
            LimitExceeded: the size is beyond ``MESSAGE_MAX``.
        """
        view = memoryview(octets).cast("B")
        if len(view) < HEADER_SIZE:
            raise MessageError(f"{len(view)} octets where a header has {HEADER_SIZE}")
        size, opcode, flags, of, serial = HEADER.unpack_from(view)
        check_size(size)
        if flags not in FLAGS:
            raise MessageError(f"flags {flags:#06x} are those of no kind of message")
        if flags == EVENT and serial:
            raise MessageError(f"an event with serial {serial}")
        return cls(size, opcode, MessageFlag(flags), of, serial)

    @property
    def class_number(self) -> int:
        """The class that the opcode belongs to."""
        return self.opcode >> 8


def check_size(size: int) -> None:
    """Refuses the size of a message that cannot be."""
    if size > MESSAGE_MAX:
        raise LimitExceeded("message_max", size)
    if size < HEADER_SIZE or size % 8:
        raise MessageError(f"a message of {size} octets")


def message(opcode: int, flags: MessageFlag, of: int, serial: int, payload: bytes = b"") -> bytes:
    """A whole message; ``LocalProtocolError`` when its payload has no place in one."""
    size = HEADER_SIZE + len(payload)
    if size > MESSAGE_MAX or size % 8:
        raise LocalProtocolError(f"a payload of {len(payload)} octets")
    return HEADER.pack(size, opcode, flags, of, serial) + payload


def split(octets: Buffer) -> tuple[Header, memoryview]:
    """The header and payload of one whole message, as a datagram or a ring's snapshot has it."""
    header = Header.unpack(octets)
    view = memoryview(octets).cast("B")
    if header.size != len(view):
        raise MessageError(f"{len(view)} octets that say they are {header.size}")
    return header, view[HEADER_SIZE:]
