# SPDX-License-Identifier: Apache-2.0
"""The text of ``pack`` and ``unpack`` for one layout: an expression each way for each kind of field."""

from __future__ import annotations

import textwrap

from codegen._model import Field, Form, Struct, camel, unit

__all__ = ["annotation", "doc_block", "is_octets", "pack_method", "struct_format", "unpack_method"]

WIDTH = 110
FORMAT_CODES = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q", "i8": "b", "i16": "h", "i32": "i", "i64": "q"}


def doc_block(text: str, indent: str = "    ") -> str:
    """A doc text, wrapped under its indent; a long one ends on a line of its own."""
    flat = unit(text).replace("\\", "\\\\").replace('"""', "'''")
    lines = textwrap.wrap(flat, WIDTH - len(indent) - 7, break_long_words=False, break_on_hyphens=False)
    end = f"\n{indent}" if len(lines) > 1 and indent else ""
    return f"\n{indent}".join(lines) + end


def struct_format(struct: Struct) -> str:
    """The ``struct`` format of the fixed part."""
    return "<" + "".join(map(_code, struct.fields))


def _code(field: Field) -> str:
    if field.form is Form.SCALAR:
        return FORMAT_CODES[field.scalar]
    if field.form is Form.ARRAY and not is_octets(field):
        return f"{field.count}{FORMAT_CODES[field.scalar]}"
    if field.form in (Form.ENUM, Form.FLAGS):
        return "I"
    return f"{field.size}s" if field.size else ""


def is_octets(field: Field) -> bool:
    """Whether the field is an array of single octets, which Python has as ``bytes``."""
    return field.form is Form.ARRAY and field.scalar == "u8"


def annotation(field: Field) -> str:
    """The Python type of a field."""
    of = field.enum or field.struct
    if of is not None:
        return camel(of.name)
    if field.form is Form.TEXT:
        return "str"
    if field.form is Form.TAIL or is_octets(field):
        return "bytes"
    if field.form is Form.ARRAY:
        return f"tuple[{', '.join(['int'] * field.count)}]"
    return "int"


def _packed(field: Field) -> str:
    """The argument, or arguments, that a field gives to ``Struct.pack``."""
    if field.reserved:
        return "0" if field.form is Form.SCALAR else 'b""'
    if field.counts:
        return f"len(self.{field.counts})"
    if field.form is Form.TEXT:
        return f"name_octets(self.{field.name}, {field.size})"
    if field.form is Form.STRUCT:
        return f"self.{field.name}.pack()"
    if field.form is Form.ARRAY and not is_octets(field):
        return f"*self.{field.name}"
    if field.form is Form.ARRAY:
        return f"exactly(self.{field.name}, {field.count})"
    return f"self.{field.name}"


def pack_method(place: str, struct: Struct, room: int) -> str:
    fixed = [field for field in struct.fields if field.form is not Form.TAIL]
    arguments = ", ".join(map(_packed, fixed))
    end = f" + padded(self.{struct.tail.name}, {room - struct.size})" if struct.tail is not None else ""
    return (
        '\n    def pack(self) -> bytes:\n        """The octets; ``LocalProtocolError`` when a value does not fit."""\n'
        "        try:\n"
        f"            return _{struct.name.upper()}.pack({arguments}){end}\n"
        "        except (StructError, ValueError) as error:\n"
        f'            raise unsendable("{place}", error) from None\n'
    )


def _targets(field: Field) -> list[str]:
    """The names that a field's raw values are unpacked into."""
    if field.form is Form.TAIL:
        return []
    if field.form is Form.ARRAY and not is_octets(field):
        return [f"{field.name}_{index}" for index in range(field.count)]
    return [field.name]


def _value(field: Field, start: int) -> str:
    """The expression that makes a field's value of its raw values."""
    of = field.enum or field.struct
    if field.struct is not None:
        return f"{camel(field.struct.name)}.unpack({field.name})"
    if of is not None:
        return f"{camel(of.name)}({field.name})"
    if field.form is Form.TEXT:
        return f"name_text({field.name})"
    if field.form is Form.TAIL:
        return f"tail(payload, {start}, {field.length})"
    if field.form is Form.ARRAY and not is_octets(field):
        return f"({', '.join(_targets(field))},)"
    return field.name


def unpack_method(place: str, struct: Struct) -> str:
    targets = [target for field in struct.fields for target in _targets(field)]
    reserved = [field.name for field in struct.fields if field.reserved]
    shown = [field for field in struct.fields if not field.reserved and not field.counts]
    values = ", ".join(_value(field, struct.size) for field in shown)
    head = f"{', '.join(targets)}{',' if len(targets) == 1 else ''} = " if targets else ""
    source = "_from(payload)" if struct.tail is not None else "(payload)"
    return (
        "\n    @classmethod\n    def unpack(cls, payload: Buffer) -> Self:\n"
        '        """The value; ``MessageError`` when the octets are not wholly valid."""\n'
        "        try:\n"
        f"            {head}_{struct.name.upper()}.unpack{source}\n"
        + (f"            zero({', '.join(reserved)})\n" if reserved else "")
        + f"            return cls({values})\n"
        "        except (StructError, ValueError) as error:\n"
        f'            raise malformed("{place}", error) from None\n'
    )
