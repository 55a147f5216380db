# SPDX-License-Identifier: Apache-2.0
"""Emits ``classes/{_common,<class>}.py``: the wire's enumerations, structs and messages in Python.

Each payload becomes a tuple class with straight-line ``pack`` and ``unpack`` over one precompiled
``struct.Struct``: nothing is interpreted at run time, and the result reads as if written by hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from codegen._homes import home, payloads, shared
from codegen._model import Form, camel
from codegen._python_codec import annotation, is_octets, pack_method, struct_format, unpack_method
from codegen._text import NOTICE, PYTHON_WIDTH, doc_block, spread, union, unit

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from codegen._model import Class, Enumeration, Field, Message, Protocol, Struct

__all__ = ["enum_class", "exports", "head", "python_class", "python_common"]

STRUCT_IMPORT = "from struct import Struct\nfrom struct import error as StructError  # noqa: N812\n"
TYPE_IMPORT = "\nif TYPE_CHECKING:\n    from typing import Self\n\n    from typing_extensions import Buffer\n"
# Fields that a tuple has as methods, and that a message may have all the same.
TUPLE_METHODS = ("count", "index")


def python_common(protocol: Protocol) -> str:
    """classes/_common.py: what more than one class uses."""
    names = shared(protocol)
    structs = [struct for struct in protocol.structs if struct.name in names]
    enums = [enum for enum in protocol.enums if enum.name in names]
    return (
        head("What the device classes share: enumerations and structs of more than one of them.")
        + _enum_import(enums)
        + STRUCT_IMPORT
        + "from typing import TYPE_CHECKING, ClassVar, NamedTuple\n\n"
        + _import("paracore.classes._payload", _helpers(structs))
        + TYPE_IMPORT
        + exports(map(camel, names))
        + "".join(map(enum_class, enums))
        + "".join(map(_struct, structs))
    )


def python_class(protocol: Protocol, of: Class) -> str:
    """classes/<class>.py: a class's own enumerations, structs and messages, and the table over them."""
    where = home(protocol, of)
    enums = [enum for enum in protocol.enums if enum.name in where.own]
    structs = [struct for struct in protocol.structs if struct.name in where.own]
    events = [camel(message.name) for message in of.messages if message.kind == "event"]
    names = {"MESSAGES", *map(camel, where.own | where.shared), *(camel(payload.name) for payload in payloads(of))}
    return (
        head(f"Device class {of.name}, number {of.number}.", of.doc)
        + _enum_import(enums)
        + STRUCT_IMPORT
        + f"from typing import TYPE_CHECKING, ClassVar, NamedTuple{', TypeAlias' if events else ''}\n\n"
        + _import("paracore.classes._common", map(camel, where.shared))
        + _import("paracore.classes._payload", {"Kind", "MessageType"} | _helpers([*structs, *payloads(of)]))
        + TYPE_IMPORT
        + exports(names | {"Event"} if events else names)
        + "".join(map(enum_class, enums))
        + "".join(map(_struct, structs))
        + "".join(map(_message, of.messages))
        + _tables(of, events)
    )


# --- heads ----------------------------------------------------------------------------------------


def head(first_line: str, doc: str = "") -> str:
    """Licence, docstring and the import from the future."""
    more = f"\n{doc_block(doc, '').rstrip()}\n" if doc else ""
    made = "\n".join(NOTICE)
    licence = "# SPDX-License-Identifier: Apache-2.0\n"
    return f'{licence}"""{first_line}\n{more}\n{made}\n"""\n\nfrom __future__ import annotations\n\n'


def _order(name: str) -> tuple[bool, bool, str]:
    """Constants, classes, functions: isort's order."""
    return not name.isupper(), name[0].islower(), name


def exports(names: Iterable[str]) -> str:
    """The ``__all__`` of a module."""
    return "\n__all__ = [\n" + "".join(f'    "{name}",\n' for name in sorted(names, key=_order)) + "]\n"


def _import(module: str, names: Iterable[str]) -> str:
    ordered = sorted(names, key=_order)
    if len(line := f"from {module} import {', '.join(ordered)}") <= PYTHON_WIDTH:
        return f"{line}\n"
    return f"from {module} import (\n" + "".join(f"    {name},\n" for name in ordered) + ")\n"


def _enum_import(enums: Sequence[Enumeration]) -> str:
    names = {name for enum in enums for name in (("STRICT", "IntFlag") if enum.flags else ("IntEnum",))}
    return _import("enum", names) if names else ""


def _helpers(structs: Iterable[Struct]) -> set[str]:
    """Just the functions of ``_payload`` that these structs' codecs call."""
    names = {"malformed", "unsendable"}
    for struct in structs:
        for field in struct.fields:
            names |= _field_helpers(field)
    return names


def _field_helpers(field: Field) -> set[str]:
    if field.reserved:
        return {"zero"}
    if is_octets(field):
        return {"exactly"}
    return {Form.TEXT: {"name_octets", "name_text"}, Form.TAIL: {"padded", "tail"}}.get(field.form, set())


# --- definitions ----------------------------------------------------------------------------------


def enum_class(enum: Enumeration) -> str:
    """An enumeration, closed: an unknown value is a ``ValueError``."""
    base = "IntFlag, boundary=STRICT" if enum.flags else "IntEnum"
    text = f'\n\nclass {camel(enum.name)}({base}):\n    """{doc_block(enum.doc)}"""\n\n'
    for key, value, doc in enum.members:
        number = f"0x{value:X}" if enum.flags else str(value)
        text += f'    {key.upper()} = {number}\n    """{doc_block(doc)}"""\n'
    return text


def _fields_class(name: str, struct: Struct) -> str:
    shown = [field for field in struct.fields if field.shown]
    text = f'\n\nclass _{name}Fields(NamedTuple):\n    """{"Fields of" if shown else "No field of"} ``{name}``."""\n'
    for number, field in enumerate(shown):
        clash = "  # type: ignore[assignment]  # tuple's own method" if field.name in TUPLE_METHODS else ""
        gap = "" if number else "\n"
        text += f'{gap}    {field.name}: {annotation(field)}{clash}\n    """{doc_block(field.doc)}"""\n'
    return text


def _codec_class(struct: Struct, place: str, doc: str, constants: str) -> str:
    """A payload or struct: its fields, its compiled layout, and the class over both."""
    name = camel(struct.name)
    return (
        _fields_class(name, struct)
        + f'\n\n_{struct.name.upper()} = Struct("{struct_format(struct)}")\n'
        + f'\n\nclass {name}(_{name}Fields):\n    """{doc_block(doc)}"""\n\n    __slots__ = ()\n{constants}'
        + f"    SIZE: ClassVar[int] = {struct.size}\n"
        + pack_method(struct, place)
        + unpack_method(struct, place)
    )


def _struct(struct: Struct) -> str:
    return _codec_class(struct, struct.name, struct.doc, "")


def _message(message: Message) -> str:
    text = _payload(message, message.request, message.kind, f"``{message.full_name}``: {unit(message.doc)}")
    if message.reply is not None:
        text += _payload(message, message.reply, "reply", f"Reply to ``{message.full_name}``.")
    return text


def _payload(message: Message, payload: Struct, kind: str, doc: str) -> str:
    constants = (
        f"    OPCODE: ClassVar[int] = 0x{message.opcode:04X}\n"
        f'    NAME: ClassVar[str] = "{payload.name}"\n'
        f"    KIND: ClassVar[Kind] = Kind.{kind.upper()}\n"
    )
    return _codec_class(payload, f"{message.class_name}.{payload.name}", doc, constants)


# --- tables ---------------------------------------------------------------------------------------


def _tables(of: Class, events: Sequence[str]) -> str:
    alias = "\n\n" + union("Event: TypeAlias = ", events) + '"""What is said unasked."""\n' if events else "\n"
    rows = "".join(map(_row, of.messages))
    return f'{alias}\nMESSAGES: dict[int, MessageType] = {{\n{rows}}}\n"""Every message of the class by opcode."""\n'


def _row(message: Message) -> str:
    number = f"0x{message.opcode:04X}"
    reply = camel(message.reply.name) if message.reply is not None else "None"
    columns = [number, f'"{message.name}"', f"Kind.{message.kind.upper()}", str(message.native)]
    return spread("    ", f"{number}: MessageType(", [*columns, camel(message.request.name), reply], "),")
