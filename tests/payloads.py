# SPDX-License-Identifier: Apache-2.0
"""Payloads for tests, made from the specification: strategies for hypothesis, and every class by its layout."""

from __future__ import annotations

import importlib
import struct
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hypothesis import strategies as st

from codegen._load import load
from codegen._model import SCALARS, Field, Form, Protocol, Struct, camel
from codegen._python_codec import FORMAT_CODES

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent


class Case(NamedTuple):
    """One payload of the wire: where it belongs, its layout, and the class made from it."""

    opcode: int
    is_reply: bool
    layout: Struct
    type: Any
    module: Any


@cache
def specification() -> Protocol:
    return load((ROOT / "specs/paracore.toml").read_text(encoding="utf-8"))


def cases(protocol: Protocol, module_of: Any) -> list[Case]:
    """Every payload; ``module_of(class name)`` gives the module with its class."""
    found = []
    for message in protocol.messages:
        module = module_of(message.class_name)
        for payload in (message.request, message.reply):
            if payload is not None:
                is_reply = payload is message.reply
                found.append(Case(message.opcode, is_reply, payload, getattr(module, camel(payload.name)), module))
    return found


CASES = cases(specification(), lambda name: importlib.import_module(f"paracore.classes.{name}"))


def case_id(case: Case) -> str:
    return f"{case.opcode:#06x}-{case.layout.name}"


def values(layout: Struct, module: Any) -> st.SearchStrategy[Any]:
    """Every value of a struct or payload."""
    shown = [field for field in layout.fields if field.shown]
    return st.builds(getattr(module, camel(layout.name)), *(_value(field, layout, module) for field in shown))


def sample(layout: Struct, module: Any) -> Any:
    """One value, always the same, of fields that all differ."""
    shown = (field for field in layout.fields if field.shown)
    return getattr(module, camel(layout.name))(*(_sample(field, module) for field in shown))


def _sample(field: Field, module: Any) -> Any:
    if field.struct is not None:
        return sample(field.struct, module)
    if field.enum is not None:
        members = list(getattr(module, camel(field.enum.name)))
        return type(members[0])(field.enum.mask) if field.enum.flags else members[-1]
    octets = bytes((field.offset + index) * 37 % 251 + 1 for index in range(max(field.size, 8)))
    if field.form in (Form.TEXT, Form.TAIL):
        return "ä" + "x" * (field.count - 3) if field.form is Form.TEXT else octets[:5]
    elements = struct.unpack_from(f"<{field.count}{FORMAT_CODES[field.scalar]}", octets)
    if field.form is Form.SCALAR:
        return elements[0]
    return bytes(elements) if field.scalar == "u8" else elements


def _number(scalar: str) -> st.SearchStrategy[int]:
    bits = 8 * SCALARS[scalar]
    return st.integers(-(1 << bits - 1), (1 << bits - 1) - 1) if scalar[0] == "i" else st.integers(0, (1 << bits) - 1)


def _texts(room: int) -> st.SearchStrategy[str]:
    letters = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
    return st.text(letters, max_size=room).filter(lambda text: len(text.encode()) <= room)


def _value(field: Field, layout: Struct, module: Any) -> st.SearchStrategy[Any]:
    return _FORMS[field.form](field, layout, module)


def _array(field: Field, *_: Any) -> st.SearchStrategy[Any]:
    if field.scalar == "u8":
        return st.binary(min_size=field.count, max_size=field.count)
    return st.tuples(*[_number(field.scalar)] * field.count)


def _members(enum: Any, *, flags: bool) -> st.SearchStrategy[Any]:
    if not flags:
        return st.sampled_from(list(enum))
    return st.sets(st.sampled_from(list(enum))).map(lambda chosen: enum(sum(chosen)))


def _enum(field: Field, _: Struct, module: Any) -> st.SearchStrategy[Any]:
    return _members(getattr(module, camel(field.enum.name)), flags=field.enum.flags)


_FORMS: dict[Form, Callable[[Field, Struct, Any], st.SearchStrategy[Any]]] = {
    Form.SCALAR: lambda field, *_: _number(field.scalar),
    Form.ARRAY: _array,
    Form.TEXT: lambda field, *_: _texts(field.count - 1),
    Form.ENUM: _enum,
    Form.FLAGS: _enum,
    Form.STRUCT: lambda field, _, module: values(field.struct, module),
    Form.TAIL: lambda _, layout, __: st.binary(max_size=64) | st.just(b"\xff" * layout.room),
}
