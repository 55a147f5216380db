# SPDX-License-Identifier: Apache-2.0
"""The wire as data: what the loader makes of the specification and every emitter reads.

Sizes and offsets are computed here and nowhere else, so that the C header, the Python codecs and
the octet diagrams cannot disagree. Nothing here reads a file or raises: a ``Protocol`` that exists
has been checked by ``_load``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from functools import cached_property

__all__ = [
    "SCALARS",
    "Class",
    "Enumeration",
    "Field",
    "Form",
    "Limit",
    "Message",
    "Protocol",
    "Struct",
    "camel",
]

# Octets of each scalar type.
SCALARS = {"u8": 1, "u16": 2, "u32": 4, "u64": 8, "i8": 1, "i16": 2, "i32": 4, "i64": 8}


class Form(Enum):
    """What a field is on the wire."""

    SCALAR = "scalar"  # u32
    ARRAY = "array"  # u32[4]
    TEXT = "text"  # char[32]
    ENUM = "enum"  # enum:codec
    FLAGS = "flags"  # flags:open_flag
    STRUCT = "struct"  # struct:span
    TAIL = "tail"  # bytes


@dataclass(frozen=True)
class Enumeration:
    """A closed set of numbers, or with ``flags`` of bits."""

    name: str
    doc: str
    flags: bool
    members: tuple[tuple[str, int, str], ...]  # name, value, doc
    c_tag: str  # a C tag where `name` is taken by a struct

    @property
    def mask(self) -> int:
        """All bits that a flags word may have."""
        mask = 0
        for _, value, _ in self.members:
            mask |= value
        return mask


@dataclass(frozen=True)
class Field:
    """One field of a struct or payload, at its place."""

    name: str
    doc: str
    form: Form
    offset: int
    size: int  # octets; 0 for a tail
    align: int
    scalar: str = ""  # the type of one element, for SCALAR and ARRAY
    count: int = 1  # elements of an ARRAY, octets of a TEXT
    enum: Enumeration | None = None
    struct: Struct | None = None
    length: str = ""  # TAIL: the field that holds its used length
    counts: str = ""  # SCALAR: the tail whose length this is

    @property
    def reserved(self) -> bool:
        return self.name.startswith("reserved")

    @property
    def shown(self) -> bool:
        """Whether Python has it as a field: what is reserved or derived has no place in a value."""
        return not self.reserved and not self.counts

    @property
    def spelling(self) -> str:
        """The type as the specification writes it, for the reference pages."""
        of = self.enum or self.struct
        if of is not None:
            return of.name
        return {Form.ARRAY: f"{self.scalar}[{self.count}]", Form.TEXT: f"char[{self.count}]", Form.TAIL: "bytes"}.get(
            self.form, self.scalar
        )


@dataclass(frozen=True)
class Struct:
    """A named layout: fields in order, no padding, a multiple of 8 octets."""

    name: str
    doc: str
    fields: tuple[Field, ...]
    room: int = 0  # octets that a tail may have

    @cached_property
    def size(self) -> int:
        """Octets without the tail."""
        return sum(field.size for field in self.fields)

    @cached_property
    def align(self) -> int:
        return max((field.align for field in self.fields), default=1)

    @cached_property
    def tail(self) -> Field | None:
        return self.fields[-1] if self.fields and self.fields[-1].form is Form.TAIL else None


@dataclass(frozen=True)
class Limit:
    name: str
    value: int
    doc: str


@dataclass(frozen=True)
class Message:
    """A call with its reply, a post or an event."""

    name: str
    class_name: str
    kind: str
    opcode: int
    native: bool
    doc: str
    request: Struct
    reply: Struct | None

    @property
    def full_name(self) -> str:
        return f"{self.class_name}.{self.name}"


@dataclass(frozen=True)
class Class:
    name: str
    number: int
    doc: str
    messages: tuple[Message, ...]  # by opcode


@dataclass(frozen=True)
class Protocol:
    name: str
    version: int
    magic: int
    limits: tuple[Limit, ...]
    enums: tuple[Enumeration, ...]
    structs: tuple[Struct, ...]  # each after those it holds
    classes: tuple[Class, ...]

    @property
    def messages(self) -> tuple[Message, ...]:
        """All messages by opcode."""
        every = [message for of in self.classes for message in of.messages]
        return tuple(sorted(every, key=lambda message: message.opcode))

    def limit(self, name: str) -> int:
        return next(limit.value for limit in self.limits if limit.name == name)

    def struct(self, name: str) -> Struct:
        return next(struct for struct in self.structs if struct.name == name)

    def enum(self, name: str) -> Enumeration:
        return next(enum for enum in self.enums if enum.name == name)


def camel(name: str) -> str:
    """``queue_input`` as a Python class's name."""
    return "".join(part.capitalize() for part in name.split("_"))
