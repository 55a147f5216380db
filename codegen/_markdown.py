# SPDX-License-Identifier: Apache-2.0
"""Emits ``docs/protocol/<class>.md``: each message with its drawing, its fields and what they may hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codegen._homes import home, shared
from codegen._octets import octet_diagram
from codegen._text import NOTICE, unit, wrap

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from codegen._model import Class, Enumeration, Field, Limit, Message, Protocol, Struct

    Link = Callable[[str], str]  # the page that defines a name, "" for this one

__all__ = ["enum_table", "limits_table", "markdown_class", "struct_section"]

PAGE_WIDTH = 110


def markdown_class(protocol: Protocol, of: Class) -> str:
    """One class's page."""
    first = protocol.classes[0]  # its page has what several classes share
    names = home(protocol, of).own | (shared(protocol) if of is first else frozenset())

    def link(name: str) -> str:
        return "" if name in names else f"{first.name}.md"

    structs = [struct for struct in protocol.structs if struct.name in names]
    enums = [enum for enum in protocol.enums if enum.name in names]
    parts = [_head(of), _index(of), *(_message(message, link) for message in of.messages)]
    parts += [f"## Structs\n\n{_joined(_struct(struct, link) for struct in structs)}"] if structs else []
    parts += [f"## Enumerations and flags\n\n{_joined(map(_enum, enums))}"] if enums else []
    return "\n".join(parts)


def _joined(parts: Iterable[str]) -> str:
    return "\n".join(parts)


def _paragraph(text: str) -> str:
    return "".join(f"{line}\n" for line in wrap(text, PAGE_WIDTH))


def _head(of: Class) -> str:
    made = " ".join(NOTICE)
    rules = _paragraph(
        f"Class number {of.number}. Before each payload stands the [header](wire.md#the-header). A payload may hold "
        "only what is said here: reserved fields are zero, enumerations and flags are closed."
    )
    return f"<!-- {made} -->\n# Class `{of.name}`\n\n{_paragraph(of.doc)}\n{rules}"


def _index(of: Class) -> str:
    rows = [
        f"| {message.opcode:#06x} | [`{message.name}`](#{_anchor(message)}) | {message.kind} | {_octets(message.request)} | "
        f"{_octets(message.reply)} |\n"
        for message in of.messages
    ]
    return "| opcode | message | kind | octets | reply |\n|---|---|---|---|---|\n" + "".join(rows) + "\n## Messages\n"


def _anchor(message: Message) -> str:
    return f"{message.name}-{message.kind}-{message.opcode:#06x}"


def _octets(struct: Struct | None) -> str:
    if struct is None:
        return ""
    return f"{struct.size}+" if struct.tail is not None else str(struct.size)


def _message(message: Message, link: Link) -> str:
    text = f"### `{message.name}` {message.kind} {message.opcode:#06x}\n\n{_paragraph(message.doc)}\n"
    text += struct_section(message.request, link) if message.request.fields else "No payload.\n"
    if message.reply is not None:
        reply = struct_section(message.reply, link) if message.reply.fields else ""
        text += f"\n**Reply.**\n\n{reply}" if reply else "\n**Reply.** No payload.\n"
    return text


def _struct(struct: Struct, link: Link) -> str:
    return f"### struct {struct.name}\n\n{_paragraph(struct.doc)}\n{struct_section(struct, link)}"


def struct_section(struct: Struct, link: Link) -> str:
    """The drawing of a struct and the table of its fields."""
    rows = "".join(_field(field, link) for field in struct.fields)
    table = f"| octet | field | type | meaning |\n|---|---|---|---|\n{rows}"
    return f"```text\n{octet_diagram(struct)}\n```\n\n{table}"


def _field(field: Field, link: Link) -> str:
    return f"| {field.offset} | `{field.name}` | {_type(field, link)} | {_cell(field.doc)} |\n"


def _type(field: Field, link: Link) -> str:
    if field.enum is not None:
        kind = "flags" if field.enum.flags else "enum"
        return f"[{field.enum.name}]({link(field.enum.name)}#{kind}-{field.enum.name})"
    if field.struct is not None:
        return f"[{field.struct.name}]({link(field.struct.name)}#struct-{field.struct.name})"
    return field.spelling


def _cell(text: str) -> str:
    return unit(text).replace("|", "\\|")


def _enum(enum: Enumeration) -> str:
    kind = "flags" if enum.flags else "enum"
    return f"### {kind} {enum.name}\n\n{_paragraph(enum.doc)}\n{enum_table(enum)}"


def enum_table(enum: Enumeration) -> str:
    """Value, name and meaning of each member."""
    rows = "".join(f"| {value} | `{name}` | {_cell(doc)} |\n" for name, value, doc in enum.members)
    return f"| {'bit' if enum.flags else 'value'} | name | meaning |\n|---|---|---|\n{rows}"


def limits_table(limits: Iterable[Limit]) -> str:
    """Every limit with its reason."""
    rows = "".join(f"| `{limit.name}` | {limit.value} | {_cell(limit.doc)} |\n" for limit in limits)
    return f"| limit | value | what it bounds |\n|---|---|---|\n{rows}"
