# SPDX-License-Identifier: Apache-2.0
"""Emits the Python side: ``classes/{_common,<class>}.py`` and ``protocol/_wire.py``.

Each payload becomes a tuple class with straight-line ``pack`` and ``unpack`` over one precompiled
``struct.Struct``: nothing is interpreted at run time, and the result reads as if written by hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from codegen._c_header import notice
from codegen._model import Class, Enumeration, Field, Form, Message, Protocol, Struct, camel, unit
from codegen._python_codec import (
    annotation,
    doc_block,
    is_octets,
    pack_method,
    struct_format,
    unpack_method,
)

__all__ = ["python_class", "python_common", "python_wire"]

SPDX = "# SPDX-License-Identifier: Apache-2.0\n"
# Every class re-exports these: any call can fail with them.
ALWAYS = ("error", "limit", "failure")


@dataclass(frozen=True)
class Home:
    """Which enumerations and structs a module defines, and which it takes from ``_common``."""

    own: frozenset[str]
    shared: tuple[str, ...]


# --- who defines what -----------------------------------------------------------------------------


def _uses(struct: Struct) -> Iterator[str]:
    for field in struct.fields:
        if field.enum is not None:
            yield field.enum.name
        if field.struct is not None:
            yield field.struct.name
            yield from _uses(field.struct)


def _class_uses(of: Class) -> set[str]:
    payloads = [p for message in of.messages for p in (message.request, message.reply) if p is not None]
    return {name for payload in payloads for name in _uses(payload)}


def home(protocol: Protocol, of: Class) -> Home:
    """What one class's module defines and shares."""
    used = _class_uses(of)
    others = {name for other in protocol.classes if other is not of for name in _class_uses(other)}
    always = {*ALWAYS, *_uses(protocol.struct("failure"))}
    return Home(frozenset(used - others - always), tuple(sorted(used & others | always)))


def _wire_structs(protocol: Protocol) -> set[str]:
    """What belongs to protocol/_wire.py: the header, the page, and what only they use."""
    return {"message_header", "interface_page", "message_flag"}


def _common(protocol: Protocol) -> Home:
    elsewhere = {name for of in protocol.classes for name in home(protocol, of).own} | _wire_structs(protocol)
    names = {enum.name for enum in protocol.enums} | {struct.name for struct in protocol.structs}
    return Home(frozenset(names - elsewhere), ())


# --- modules --------------------------------------------------------------------------------------


def _head(first_line: str, doc: str, imports: str) -> str:
    body = notice(first_line, "", "", "").rstrip("\n").replace("\n ", "\n")
    text = body.strip()
    more = f"\n\n{doc}" if doc else ""
    return f'{SPDX}"""{text}{more}\n"""\n\nfrom __future__ import annotations\n\n{imports}'


def _exports(names: Iterable[str]) -> str:
    return "\n__all__ = [\n" + "".join(f'    "{name}",\n' for name in sorted(names)) + "]\n"


_TYPING = "if TYPE_CHECKING:\n    from typing import Self\n\n    from typing_extensions import Buffer\n"


def python_common(protocol: Protocol) -> str:
    """classes/_common.py: what more than one class uses."""
    own = _common(protocol).own
    structs = [struct for struct in protocol.structs if struct.name in own]
    enums = [enum for enum in protocol.enums if enum.name in own]
    return (
        _head("What the device classes share: enumerations and structs of more than one of them.", "", "")
        + _enum_import(enums)
        + "from struct import Struct\nfrom struct import error as StructError  # noqa: N812\n"
        + "from typing import TYPE_CHECKING, ClassVar, NamedTuple\n\n"
        + _payload_import(structs)
        + f"\n{_TYPING}"
        + _exports(camel(name) for name in own)
        + "".join(_enum(enum) for enum in enums)
        + "".join(_struct(struct) for struct in structs)
    )


def python_class(protocol: Protocol, of: Class) -> str:
    """classes/<class>.py: its enumerations, structs and messages, and the tables over them."""
    where = home(protocol, of)
    enums = [enum for enum in protocol.enums if enum.name in where.own]
    structs = [struct for struct in protocol.structs if struct.name in where.own]
    events = [message for message in of.messages if message.kind == "event"]
    shared = [camel(name) for name in where.shared]
    names = [camel(name) for name in where.own] + shared + ["MESSAGES"]
    names += [camel(p.name) for message in of.messages for p in (message.request, message.reply) if p is not None]
    payloads = [p for message in of.messages for p in (message.request, message.reply) if p is not None]
    return (
        _head(f"Device class {of.name}, number {of.number}.", doc_block(of.doc, ""), "")
        + _enum_import(enums)
        + "from struct import Struct\nfrom struct import error as StructError  # noqa: N812\n"
        + f"from typing import TYPE_CHECKING, ClassVar, NamedTuple{', TypeAlias' if events else ''}\n\n"
        + _from("paracore.classes._common", shared)
        + _payload_import([*structs, *payloads], "Kind", "MessageType")
        + f"\n{_TYPING}"
        + _exports(names + (["Event"] if events else []))
        + "".join(_enum(enum) for enum in enums)
        + "".join(_struct(struct) for struct in structs)
        + "".join(_message(message) for message in of.messages)
        + _tables(of, events)
    )


def _from(module: str, names: Iterable[str]) -> str:
    return f"from {module} import (\n" + "".join(f"    {name},\n" for name in sorted(names)) + ")\n"


def _enum_import(enums: list[Enumeration]) -> str:
    names = [name for name, flags in (("STRICT", True), ("IntEnum", False), ("IntFlag", True)) if _any(enums, flags)]
    return f"from enum import {', '.join(names)}\n" if names else ""


def _any(enums: list[Enumeration], flags: bool) -> bool:
    return any(enum.flags is flags for enum in enums)


def _payload_import(structs: list[Struct], *more: str) -> str:
    """Just the helpers that these structs' codecs call."""
    fields = [field for struct in structs for field in struct.fields]
    names = {"malformed", "unsendable", *more}
    if any(field.reserved for field in fields):
        names.add("zero")
    if any(field.form is Form.TEXT for field in fields):
        names |= {"name_octets", "name_text"}
    if any(is_octets(field) and not field.reserved for field in fields):
        names.add("exactly")
    if any(field.form is Form.TAIL for field in fields):
        names |= {"padded", "tail"}
    return _from("paracore.classes._payload", names)


def _tables(of: Class, events: list[Message]) -> str:
    rows = "".join(_row(message) for message in of.messages)
    union = " | ".join(camel(message.name) for message in events)
    alias = f"\n# What the backend says unasked.\nEvent: TypeAlias = {union}\n" if events else ""
    return f"\n{alias}\n# Every message of the class by opcode.\nMESSAGES: dict[int, MessageType] = {{\n{rows}}}\n"


def _row(message: Message) -> str:
    reply = camel(message.reply.name) if message.reply is not None else "None"
    kind = f"Kind.{message.kind.upper()}"
    name = camel(message.name)
    return f'    {message.opcode:#06x}: MessageType({message.opcode:#06x}, "{message.name}", {kind}, {message.native}, {name}, {reply}),\n'


# --- definitions ----------------------------------------------------------------------------------


def _enum(enum: Enumeration) -> str:
    base = "IntFlag, boundary=STRICT" if enum.flags else "IntEnum"
    lines = [f'\n\nclass {camel(enum.name)}({base}):\n    """{doc_block(enum.doc)}"""\n\n']
    for key, value, doc in enum.members:
        number = f"{value:#x}" if enum.flags else str(value)
        lines.append(f'    {key.upper()} = {number}\n    """{doc_block(doc)}"""\n')
    return "".join(lines)


def _fields_class(name: str, struct: Struct) -> str:
    shown = [field for field in struct.fields if not field.reserved and not field.counts]
    lines = [f'\n\nclass _{name}Fields(NamedTuple):\n    """Fields of ``{name}``."""\n\n']
    for field in shown:
        clash = "  # type: ignore[assignment]  # tuple's own method" if field.name in ("index", "count") else ""
        lines.append(f'    {field.name}: {annotation(field)}{clash}\n    """{doc_block(field.doc)}"""\n')
    if not shown:
        lines.pop()
        lines.append(f'\n\nclass _{name}Fields(NamedTuple):\n    """No field."""\n')
    return "".join(lines)


def _codec_class(name: str, place: str, doc: str, constants: str, struct: Struct, room: int) -> str:
    return (
        _fields_class(name, struct)
        + f'\n\n_{struct.name.upper()} = Struct("{struct_format(struct)}")\n'
        + f'\n\nclass {name}(_{name}Fields):\n    """{doc_block(doc)}"""\n\n    __slots__ = ()\n{constants}'
        + pack_method(place, struct, room)
        + unpack_method(place, struct)
    )


def _struct(struct: Struct) -> str:
    constants = f"    SIZE: ClassVar[int] = {struct.size}\n"
    return _codec_class(camel(struct.name), struct.name, struct.doc, constants, struct, 0)


def _message(message: Message) -> str:
    text = _payload(message, message.request, message.kind, f"``{message.full_name}``: {unit(message.doc)}")
    if message.reply is not None:
        text += _payload(message, message.reply, "reply", f"Reply to ``{message.full_name}``.")
    return text


def _payload(message: Message, payload: Struct, kind: str, doc: str) -> str:
    constants = (
        f"    OPCODE: ClassVar[int] = {message.opcode:#06x}\n"
        f'    NAME: ClassVar[str] = "{payload.name}"\n'
        f"    KIND: ClassVar[Kind] = Kind.{kind.upper()}\n"
        f"    SIZE: ClassVar[int] = {payload.size}\n"
    )
    return _codec_class(camel(payload.name), f"{message.class_name}.{payload.name}", doc, constants, payload, 4080)


# --- protocol/_wire.py ----------------------------------------------------------------------------


def python_wire(protocol: Protocol) -> str:
    """protocol/_wire.py: limits, the header's layout and the interface page's places."""
    header, page = protocol.struct("message_header"), protocol.struct("interface_page")
    limits = [("MAGIC", f"{protocol.magic:#010x}", "The first four octets of an interface page.")]
    limits.append(("PROTOCOL_VERSION", str(protocol.version), "The newest version spoken."))
    limits += [(limit.name.upper(), str(limit.value), limit.doc) for limit in protocol.limits]
    places = [(f"PAGE_{field.name.upper()}", str(field.offset), field.doc) for field in page.fields if not field.reserved]
    constants = [*limits, *places, ("PAGE_USED", str(page.size), "Octets of the interface page that have a meaning.")]
    header_lines = [f'HEADER = Struct("{struct_format(header)}")\n"""{doc_block(header.doc)}"""\n']
    names = [name for name, _, _ in constants] + ["HEADER", "MessageFlag"]
    return (
        _head("Constants of the wire: limits, and where the header and the interface page have what.", "", "")
        + "from enum import STRICT, IntFlag\nfrom struct import Struct\nfrom typing import Final\n"
        + _exports(names)
        + "\n"
        + "".join(f'{name}: Final = {value}\n"""{doc_block(doc, "")}"""\n' for name, value, doc in constants)
        + "".join(header_lines)
        + _enum(protocol.enum("message_flag"))
    )
