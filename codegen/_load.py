# SPDX-License-Identifier: Apache-2.0
"""Reads the specification, refusing all that the wire's rules do not allow.

The rules are those written at the head of ``specs/paracore.toml``. Every refusal is a ``SpecError``
that names the place and says what is wrong with it; nothing is guessed, defaulted or skipped.
"""

from __future__ import annotations

import keyword
import re
import tomllib
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

from codegen._c_names import constants, tags
from codegen._model import SCALARS, Class, Enumeration, Field, Form, Limit, Message, Protocol, Struct

__all__ = ["SpecError", "load"]

Table = Mapping[str, Any]

KINDS = ("call", "post", "event")
# Limits without which no artefact can be made.
LIMITS = {"message_max", "ring_order_min", "ring_order_max", "page_size"}
# Structs that protocol/ and the ring are written against.
STRUCTS = {"message_header", "interface_page", "failure"}
# The check table holds an enumeration's values as a bit set; this is its reach.
ENUM_REACH = 128
# C's enumerators are ints, so the highest bit is out of reach.
FLAG_MAX = 0x40000000
C_WORDS = {
    "auto", "bool", "case", "char", "const", "default", "delete", "do", "double", "enum", "export",
    "extern", "float", "goto", "inline", "int", "long", "namespace", "new", "operator", "private",
    "public", "register", "short", "signed", "sizeof", "static", "struct", "switch", "template",
    "this", "typedef", "typename", "union", "unsigned", "virtual", "void", "volatile",
}  # fmt: skip
# What a generated Python class, or the body of its methods, uses under this name.
CLASS_WORDS = {
    "pack", "unpack", "self", "cls", "payload", "padded", "tail", "zero", "exactly", "name_octets",
    "name_text", "malformed", "unsendable",
}  # fmt: skip

_NAME = re.compile(r"[a-z][a-z0-9_]*\Z")
_ARRAY = re.compile(r"(\w+)\[(\d+)\]\Z")


class SpecError(Exception):
    """The specification breaks a rule."""

    def __init__(self, place: str, fault: str) -> None:
        super().__init__(f"{place}: {fault}")


def require(condition: object, place: str, fault: str) -> None:
    if not condition:
        raise SpecError(place, fault)


def load(text: str) -> Protocol:
    """The checked model of a specification's text."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SpecError("specification", str(error)) from error
    return _Loader(table).protocol()


def _keys(table: object, place: str, needed: AbstractSet[str], optional: AbstractSet[str] = frozenset()) -> Table:
    """The table, once it has the needed keys and no unknown one."""
    require(isinstance(table, dict), place, "must be a table")
    assert isinstance(table, dict)
    present = set(table)
    require(needed <= present, place, f"lacks {', '.join(sorted(needed - present))}")
    unknown = present - needed - optional
    require(not unknown, place, f"does not know {', '.join(sorted(unknown))}")
    return table


def _name(name: object, place: str) -> str:
    require(isinstance(name, str) and _NAME.match(name), place, f"{name!r} is not a lower-case name")
    assert isinstance(name, str)
    require(not keyword.iskeyword(name) and name not in C_WORDS, place, f"{name!r} is a word of C or Python")
    return name


def _number(value: object, place: str, least: int, most: int) -> int:
    good = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
    require(good, place, f"{value!r} is not a number from {least} to {most}")
    assert isinstance(value, int)
    return value


def _text(value: object, place: str) -> str:
    require(isinstance(value, str) and value.strip(), place, "wants a text")
    assert isinstance(value, str)
    return value


class _Loader:
    """One pass over a specification's table. Enumerations and structs are known before their use."""

    def __init__(self, table: Table) -> None:
        sections = {"protocol", "limits", "struct", "enum", "flags", "class"}
        self.table = _keys(table, "specification", sections)
        self.enums: dict[str, Enumeration] = {}
        self.structs: dict[str, Struct] = {}
        self.message_room = 0

    def protocol(self) -> Protocol:
        head = _keys(self.table["protocol"], "protocol", {"name", "version", "magic"})
        limits = self.limits()
        self.message_room = next(limit.value for limit in limits if limit.name == "message_max")
        for section, flags in (("enum", False), ("flags", True)):
            for name, body in self.table[section].items():
                self.enumeration(name, body, flags=flags)
        for name, body in self.table["struct"].items():
            self.struct(name, body)
        require(set(self.structs) >= STRUCTS, "struct", f"needs {', '.join(sorted(STRUCTS))}")
        protocol = Protocol(
            name=_name(head["name"], "protocol.name"),
            version=_number(head["version"], "protocol.version", 1, 0xFFFF),
            magic=_number(head["magic"], "protocol.magic", 1, 0xFFFFFFFF),
            limits=limits,
            enums=tuple(self.enums.values()),
            structs=tuple(self.structs.values()),
            classes=self.classes(),
        )
        _check_c_names(protocol)
        return protocol

    def limits(self) -> tuple[Limit, ...]:
        limits = []
        for name, body in self.table["limits"].items():
            place = f"limits.{name}"
            limit = _keys(body, place, {"value", "doc"})
            value = _number(limit["value"], place, 0, 0xFFFFFFFF)
            limits.append(Limit(_name(name, place), value, _text(limit["doc"], place)))
        missing = LIMITS - {limit.name for limit in limits}
        require(not missing, "limits", f"lacks {', '.join(sorted(missing))}")
        return tuple(limits)

    # --- enumerations ---------------------------------------------------------------------------

    def enumeration(self, name: str, body: object, *, flags: bool) -> None:
        place = f"{'flags' if flags else 'enum'}.{name}"
        _name(name, place)
        require(name not in self.enums, place, "the name is taken")
        require(isinstance(body, dict), place, "must be a table")
        assert isinstance(body, dict)
        doc = _text(body.get("doc"), place)
        c_tag = _name(body.get("c_tag", name), place)
        rest = {key: value for key, value in body.items() if key not in ("doc", "c_tag")}
        members = tuple(self.member(f"{place}.{key}", key, value, flags=flags) for key, value in rest.items())
        require(members, place, "has no value")
        values = [value for _, value, _ in members]
        require(len(set(values)) == len(values), place, "gives one number to two names")
        self.enums[name] = Enumeration(name, doc, flags, members, c_tag)

    def member(self, place: str, key: str, body: object, *, flags: bool) -> tuple[str, int, str]:
        require(_NAME.match(key), place, f"{key!r} is not a lower-case name")
        member = _keys(body, place, {"value", "doc"})
        value = _number(member["value"], place, 1 if flags else 0, FLAG_MAX if flags else ENUM_REACH - 1)
        require(not flags or value & (value - 1) == 0, place, f"{value} is not one bit")
        return key, value, _text(member["doc"], place)

    # --- structs and fields ---------------------------------------------------------------------

    def struct(self, name: str, body: object) -> None:
        place = f"struct.{name}"
        table = _keys(body, place, {"doc", "fields"})
        struct = self.layout(_name(name, place), table["doc"], table["fields"], place)
        require(struct.fields, place, "has no field")
        require(struct.tail is None, place, "only a message may have a tail")
        self.structs[name] = struct

    def layout(self, name: str, doc: object, fields: object, place: str) -> Struct:
        """A struct or payload of these fields, each at its natural place."""
        require(isinstance(fields, list), place, "fields must be a list")
        assert isinstance(fields, list)
        placed: list[Field] = []
        offset = 0
        for body in fields:
            require(not placed or placed[-1].form is not Form.TAIL, place, "a tail must be the last field")
            field = self.field(body, place, offset)
            require(field.name not in {other.name for other in placed}, place, f"has two fields {field.name}")
            placed.append(field)
            offset += field.size
        require(offset % 8 == 0, place, f"is {offset} octets long, not a multiple of 8")
        return Struct(name, _text(doc, place), _bind_tail(placed, place))

    def field(self, body: object, place: str, offset: int) -> Field:
        table = _keys(body, f"{place}.fields", {"name", "type", "doc"}, {"length"})
        place = f"{place}.{table['name']}"
        name = _name(table["name"], place)
        require(name not in CLASS_WORDS, place, "is a word of the generated Python")
        field = self.typed(Field(name, _text(table["doc"], place), Form.SCALAR, offset, 0, 1), table["type"], place)
        require(offset % field.align == 0, place, f"at octet {offset}, not a multiple of {field.align}")
        require((field.form is Form.TAIL) == ("length" in table), place, "`length` goes with `bytes` and only with it")
        _check_reserved(field, place)
        return replace(field, length=table.get("length", ""))

    def typed(self, field: Field, spelling: object, place: str) -> Field:
        """The field with its type filled in."""
        kind, _, of = _text(spelling, place).partition(":")
        array = _ARRAY.match(kind)
        if of:
            return self.named(field, kind, of, place)
        if kind == "bytes":
            return replace(field, form=Form.TAIL, align=8)
        if kind in SCALARS:
            return replace(field, scalar=kind, size=SCALARS[kind], align=SCALARS[kind])
        require(array, place, f"{kind!r} is not a type")
        assert array is not None
        return _array(field, array[1], int(array[2]), place)

    def named(self, field: Field, kind: str, of: str, place: str) -> Field:
        """A field whose type is an enumeration or a struct."""
        if kind == "struct":
            require(of in self.structs, place, f"struct {of} is not known (yet)")
            struct = self.structs[of]
            return replace(field, form=Form.STRUCT, size=struct.size, align=struct.align, struct=struct)
        require(kind in ("enum", "flags"), place, f"{kind!r} is not a type")
        enum = self.enums.get(of)
        require(enum is not None and enum.flags == (kind == "flags"), place, f"{kind} {of} is not known")
        return replace(field, form=Form.FLAGS if kind == "flags" else Form.ENUM, size=4, align=4, enum=enum)

    # --- classes --------------------------------------------------------------------------------

    def classes(self) -> tuple[Class, ...]:
        classes: list[Class] = []
        for name, body in self.table["class"].items():
            place = f"class.{name}"
            table = _keys(body, place, {"number", "doc", "message"})
            number = _number(table["number"], place, 0, 255)
            require(number not in {other.number for other in classes}, place, f"number {number} is taken")
            messages = self.messages(_name(name, place), number, table["message"])
            classes.append(Class(name, number, _text(table["doc"], place), messages))
        return tuple(sorted(classes, key=lambda of: of.number))

    def messages(self, class_name: str, number: int, bodies: object) -> tuple[Message, ...]:
        place = f"class.{class_name}"
        require(isinstance(bodies, list), place, "message must be a list of tables")
        assert isinstance(bodies, list)
        messages = [self.message(class_name, number, body) for body in bodies]
        for attribute in ("name", "opcode"):
            seen = [getattr(message, attribute) for message in messages]
            double = {value for value in seen if seen.count(value) > 1}
            require(not double, place, f"{attribute} given twice: {', '.join(map(str, sorted(double)))}")
        _check_replies(messages, place)
        return tuple(sorted(messages, key=lambda message: message.opcode))

    def message(self, class_name: str, number: int, body: object) -> Message:
        table = _keys(body, f"class.{class_name}", {"name", "kind", "opcode", "doc", "fields"}, {"reply", "native"})
        name = _name(table["name"], f"class.{class_name}")
        place = f"{class_name}.{name}"
        kind = table["kind"]
        require(kind in KINDS, place, f"kind {kind!r} is not one of {', '.join(KINDS)}")
        require((kind == "call") == ("reply" in table), place, "a call has a reply, and nothing else has")
        native = table.get("native", False)
        require(isinstance(native, bool) and (kind == "call" or not native), place, "native is for calls")
        opcode = _number(table["opcode"], place, 1, 0xFFFF)
        require(opcode >> 8 == number, place, f"opcode {opcode:#06x} is not of class {number}")
        request = self.payload(name, table["doc"], table["fields"], place)
        reply = None
        if kind == "call":
            reply = self.payload(f"{name}_reply", table["doc"], table["reply"], f"{place}.reply")
        return Message(name, class_name, kind, opcode, native, _text(table["doc"], place), request, reply)

    def payload(self, name: str, doc: object, fields: object, place: str) -> Struct:
        payload = self.layout(name, doc, fields, place)
        room = self.message_room - self.structs["message_header"].size
        require(payload.size <= room, place, f"is {payload.size} octets long, and a payload has room for {room}")
        return replace(payload, room=room - payload.size) if payload.tail is not None else payload


def _array(field: Field, of: str, count: int, place: str) -> Field:
    require(count > 0, place, "an array needs an element")
    if of == "char":
        return replace(field, form=Form.TEXT, count=count, size=count)
    require(of in SCALARS, place, f"{of!r} is not a type")
    size = SCALARS[of]
    return replace(field, form=Form.ARRAY, scalar=of, count=count, size=size * count, align=size)


def _check_reserved(field: Field, place: str) -> None:
    if not field.reserved:
        return
    require(re.fullmatch(r"reserved\d", field.name), place, "a reserved field is named reserved0 ... reserved9")
    plain = field.form is Form.SCALAR or (field.form is Form.ARRAY and field.scalar == "u8")
    require(plain and field.scalar.startswith("u"), place, "a reserved field is unsigned, or u8[n]")


def _bind_tail(fields: list[Field], place: str) -> tuple[Field, ...]:
    """The fields, with the one that holds the tail's length marked."""
    if not fields or fields[-1].form is not Form.TAIL:
        return tuple(fields)
    tail = fields[-1]
    holders = [field for field in fields if field.name == tail.length and field.scalar == "u32"]
    require(holders and holders[0].form is Form.SCALAR, place, f"length {tail.length!r} is not a u32 of it")
    return tuple(replace(field, counts=tail.name) if field is holders[0] else field for field in fields)


def _check_replies(messages: list[Message], place: str) -> None:
    names = {message.name for message in messages}
    clash = {message.reply.name for message in messages if message.reply is not None} & names
    require(not clash, place, f"{', '.join(sorted(clash))} is also a reply's name")


def _check_c_names(protocol: Protocol) -> None:
    """C has one name space for tags and one for constants; a clash there is not one here."""
    for names in (tags(protocol), constants(protocol)):
        double = {name for name in names if names.count(name) > 1}
        require(not double, "specification", f"C would have {', '.join(sorted(double))} twice")
