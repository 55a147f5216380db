# SPDX-License-Identifier: Apache-2.0
"""What the generated classes are made of: their common shape, and the refusals they share.

A payload is an immutable tuple with ``pack`` and ``unpack``. ``unpack`` trusts nobody: any octets
either become a value that is wholly valid or raise ``MessageError``, and nothing else is ever raised
for octets. ``pack`` trusts its caller and says ``LocalProtocolError`` when a value has no place on
the wire. See docs/protocol/wire.md.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, ClassVar, NamedTuple, Protocol

from paracore._errors import LocalProtocolError, MessageError

if TYPE_CHECKING:
    from typing import Self

    from typing_extensions import Buffer

__all__ = [
    "Kind",
    "MessageType",
    "Payload",
    "exactly",
    "malformed",
    "name_octets",
    "name_text",
    "padded",
    "tail",
    "unsendable",
    "zero",
]


class Kind(IntEnum):
    """What a payload is part of."""

    CALL = 1
    POST = 2
    EVENT = 3
    REPLY = 4


class Payload(Protocol):
    """What every generated message class is."""

    OPCODE: ClassVar[int]
    NAME: ClassVar[str]
    KIND: ClassVar[Kind]
    SIZE: ClassVar[int]

    def pack(self) -> bytes:
        """The octets of this payload."""

    @classmethod
    def unpack(cls, payload: Buffer) -> Self:
        """The value of these octets, or ``MessageError``."""


class MessageType(NamedTuple):
    """One row of a class's ``MESSAGES``."""

    opcode: int
    name: str
    kind: Kind
    native: bool
    request: type[Payload]
    reply: type[Payload] | None


def malformed(name: str, fault: object) -> MessageError:
    """What ``unpack`` raises."""
    return MessageError(f"{name}: {fault}")


def unsendable(name: str, fault: object) -> LocalProtocolError:
    """What ``pack`` raises."""
    return LocalProtocolError(f"{name}: {fault}")


def zero(*reserved: int | bytes) -> None:
    """Refuses a reserved field that is not zero."""
    for field in reserved:
        if field if isinstance(field, int) else field.strip(b"\0"):
            raise ValueError("a reserved field is not zero")


def name_text(octets: bytes) -> str:
    """The text of a zero-padded field."""
    text, end, rest = octets.partition(b"\0")
    if not end or rest.strip(b"\0"):
        raise ValueError("a text is not ended and padded by zeros")
    return text.decode()


def name_octets(text: str, size: int) -> bytes:
    """A text as a zero-padded field; the padding itself is ``struct``'s."""
    octets = text.encode()
    if len(octets) >= size or b"\0" in octets:
        raise ValueError(f"{text!r} does not fit into {size} octets")
    return octets


def exactly(octets: bytes, size: int) -> bytes:
    """Octets that must fill their field."""
    if len(octets) != size:
        raise ValueError(f"{len(octets)} octets where {size} belong")
    return octets


def padded(octets: bytes, room: int) -> bytes:
    """A tail as it stands on the wire."""
    if len(octets) > room:
        raise ValueError(f"a tail of {len(octets)} octets, and room for {room}")
    return octets + bytes(-len(octets) % 8)


def tail(payload: Buffer, start: int, used: int) -> bytes:
    """The used part of a payload's tail."""
    octets = memoryview(payload).cast("B")[start:].tobytes()
    if len(octets) != used + -used % 8:
        raise ValueError(f"a tail of {len(octets)} octets, said to be {used}")
    zero(octets[used:])
    return octets[:used]
