# SPDX-License-Identifier: Apache-2.0
"""How the wire's names are spelled in C."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codegen._model import Enumeration, Message, Protocol, Struct

__all__ = [
    "KINDS",
    "PREFIX",
    "class_constant",
    "constants",
    "enum_constant",
    "enum_tag",
    "limit_constant",
    "opcode_constant",
    "payload_tag",
    "struct_tag",
    "tags",
]

PREFIX = "paracore"
KINDS = ("call", "post", "event")


def struct_tag(struct: Struct) -> str:
    return f"{PREFIX}_{struct.name}"


def payload_tag(message: Message, payload: Struct) -> str:
    """A payload's struct; ``payload.name`` ends in ``_reply`` where it is one."""
    return f"{PREFIX}_{message.class_name}_{payload.name}"


def enum_tag(enum: Enumeration) -> str:
    return f"{PREFIX}_{enum.c_tag}"


def enum_constant(enum: Enumeration, member: str) -> str:
    return f"{PREFIX}_{enum.name}_{member}".upper()


def limit_constant(name: str) -> str:
    return f"{PREFIX}_{name}".upper()


def opcode_constant(message: Message) -> str:
    return f"{PREFIX}_op_{message.class_name}_{message.name}".upper()


def class_constant(name: str) -> str:
    return f"{PREFIX}_class_{name}".upper()


def tags(protocol: Protocol) -> list[str]:
    """Every struct and enum tag of the header."""
    names = [f"{PREFIX}_opcode", f"{PREFIX}_class", f"{PREFIX}_message_kind"]
    names += [struct_tag(struct) for struct in protocol.structs]
    names += [enum_tag(enum) for enum in protocol.enums]
    for message in protocol.messages:
        payloads = [payload for payload in (message.request, message.reply) if payload is not None]
        names += [payload_tag(message, payload) for payload in payloads]
    return names


def constants(protocol: Protocol) -> list[str]:
    """Every constant of the header."""
    names = [limit_constant(name) for name in ("magic", "protocol_version")]
    names += [limit_constant(limit.name) for limit in protocol.limits]
    names += [f"{PREFIX}_message_kind_{kind}".upper() for kind in KINDS]
    names += [class_constant(of.name) for of in protocol.classes]
    names += [opcode_constant(message) for message in protocol.messages]
    names += [enum_constant(enum, member) for enum in protocol.enums for member, _, _ in enum.members]
    return names
