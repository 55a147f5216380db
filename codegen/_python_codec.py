# SPDX-License-Identifier: Apache-2.0
"""The text of ``pack`` and ``unpack`` for one layout: an expression each way for each form of field."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codegen._model import Form, camel
from codegen._text import PYTHON_WIDTH, spread

if TYPE_CHECKING:
    from codegen._model import Field, Struct

__all__ = ["annotation", "is_octets", "pack_method", "struct_format", "unpack_method"]

FORMAT_CODES = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q", "i8": "b", "i16": "h", "i32": "i", "i64": "q"}


def is_octets(field: Field) -> bool:
    """Whether the field is an array of single octets, which Python has as ``bytes``."""
    return field.form is Form.ARRAY and field.scalar == "u8"


def is_numbers(field: Field) -> bool:
    """Whether the field is an array of numbers, which Python has as a tuple."""
    return field.form is Form.ARRAY and field.scalar != "u8"


def struct_format(struct: Struct) -> str:
    """The ``struct`` format of the fixed part."""
    return "<" + "".join(map(_code, struct.fields))


def _code(field: Field) -> str:
    if field.form in (Form.ENUM, Form.FLAGS):
        return "I"
    if field.form is Form.SCALAR:
        return FORMAT_CODES[field.scalar]
    if is_numbers(field):
        return f"{field.count}{FORMAT_CODES[field.scalar]}"
    return f"{field.size}s" if field.size else ""


def annotation(field: Field) -> str:
    """The Python type of a field."""
    of = field.enum or field.struct
    if of is not None:
        return camel(of.name)
    if is_numbers(field):
        return f"tuple[{', '.join(['int'] * field.count)}]"
    return {Form.TEXT: "str", Form.TAIL: "bytes", Form.ARRAY: "bytes"}.get(field.form, "int")


# --- pack -----------------------------------------------------------------------------------------


def pack_method(struct: Struct, place: str) -> str:
    """``def pack``; a tail follows the fixed part."""
    arguments = [_packed(field) for field in struct.fields if field.form is not Form.TAIL]
    end = f") + padded(self.{struct.tail.name}, {struct.room})" if struct.tail is not None else ")"
    return (
        '\n    def pack(self) -> bytes:\n        """The octets; ``LocalProtocolError`` when a value does not fit."""\n'
        "        try:\n"
        + spread(" " * 12, f"return _{struct.name.upper()}.pack(", arguments, end)
        + f'        except (StructError, ValueError) as error:\n            raise unsendable("{place}", error) from None\n'
    )


def _packed(field: Field) -> str:
    """The argument, or arguments, that a field gives to ``Struct.pack``."""
    if field.reserved:
        return "0" if field.form is Form.SCALAR else 'b""'
    if field.counts:
        return f"len(self.{field.counts})"
    if is_octets(field):
        return f"exactly(self.{field.name}, {field.count})"
    pattern = {Form.TEXT: "name_octets({}, {})", Form.STRUCT: "{}.pack()", Form.ARRAY: "*{}"}.get(field.form, "{}")
    return pattern.format(f"self.{field.name}", field.count)


# --- unpack ---------------------------------------------------------------------------------------


def unpack_method(struct: Struct, place: str) -> str:
    """``def unpack``: raw values, reserved ones checked, the others made into what they mean."""
    reserved = [field.name for field in struct.fields if field.reserved]
    values = [_value(field, struct.size) for field in struct.fields if field.shown]
    return (
        "\n    @classmethod\n    def unpack(cls, payload: Buffer) -> Self:\n"
        '        """The value; ``MessageError`` when the octets are not wholly valid."""\n'
        "        try:\n"
        + _raw(struct)
        + (spread(" " * 12, "zero(", reserved, ")") if reserved else "")
        + spread(" " * 12, "return cls(", values, ")")
        + f'        except (StructError, ValueError) as error:\n            raise malformed("{place}", error) from None\n'
    )


def _raw(struct: Struct) -> str:
    """The statement that unpacks the fixed part into names."""
    names = [name for field in struct.fields for name in _targets(field)]
    call = f"_{struct.name.upper()}.unpack{'_from' if struct.tail is not None else ''}(payload)"
    if not names:
        return f"            {call}\n"
    targets = ", ".join(names) if len(names) > 1 else f"({names[0]},)"
    if len(line := f"            {targets} = {call}") <= PYTHON_WIDTH:
        return f"{line}\n"
    return "            (\n" + "".join(f"                {name},\n" for name in names) + f"            ) = {call}\n"


def _targets(field: Field) -> list[str]:
    """The names that a field's raw values are unpacked into."""
    if field.form is Form.TAIL:
        return []
    return [f"{field.name}_{index}" for index in range(field.count)] if is_numbers(field) else [field.name]


def _value(field: Field, start: int) -> str:
    """The expression that makes a field's value of its raw values."""
    if field.struct is not None:
        return f"{camel(field.struct.name)}.unpack({field.name})"
    if field.enum is not None:
        return f"{camel(field.enum.name)}({field.name})"
    if is_numbers(field):
        return f"({', '.join(_targets(field))}{',' if field.count == 1 else ''})"
    return {Form.TEXT: "name_text({0})", Form.TAIL: "tail(payload, {1}, {2})"}.get(field.form, "{0}").format(
        field.name, start, field.length
    )
