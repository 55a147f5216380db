# SPDX-License-Identifier: Apache-2.0
"""Emits ``protocol.h``: constants, structs and payloads, and the proof that no compiler pads them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codegen._c_names import (
    KINDS,
    PREFIX,
    class_constant,
    enum_constant,
    enum_tag,
    limit_constant,
    opcode_constant,
    payload_tag,
    struct_tag,
)
from codegen._model import Form
from codegen._text import C_WIDTH, NOTICE, c_comment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codegen._model import Enumeration, Field, Message, Protocol, Struct

__all__ = ["c_header", "notice"]

_SCALAR = {
    "u8": "uint8_t", "u16": "uint16_t", "u32": "uint32_t", "u64": "uint64_t",
    "i8": "int8_t", "i16": "int16_t", "i32": "int32_t", "i64": "int64_t",
}  # fmt: skip


def notice(what: str) -> str:
    """The head of a generated C file: what it is and how to make it again."""
    lines = ("SPDX-License-Identifier: Apache-2.0 */", "", what, "", *NOTICE)
    body = "".join(f" * {line}".rstrip() + "\n" for line in lines[2:])
    return f"/* {lines[0]}\n/*\n{body} */\n"


def c_header(protocol: Protocol) -> str:
    """The whole of protocol.h."""
    guard = f"{PREFIX}_PROTOCOL_H".upper()
    sections = (_limits, _opcodes, _enums, _structs, _payloads, _proofs)
    body = "\n".join("".join(section(protocol)) for section in sections)
    return (
        notice(f"The wire of {protocol.name}, version {protocol.version}: little-endian, fixed width, unpadded.")
        + f"#ifndef {guard}\n#define {guard}\n\n#include <stddef.h>\n#include <stdint.h>\n\n{body}\n#endif\n"
    )


def _rule(title: str) -> str:
    return f"/* --- {title} {'-' * (C_WIDTH - 11 - len(title))} */\n"


def _limits(protocol: Protocol) -> Iterator[str]:
    yield _rule("limits")
    yield "\n"
    yield f"#define {limit_constant('magic')} {protocol.magic:#010x}u\n"
    yield f"#define {limit_constant('protocol_version')} {protocol.version}u\n"
    for limit in protocol.limits:
        yield c_comment(limit.doc)
        yield f"#define {limit_constant(limit.name)} {limit.value}u\n"


def _enumerators(tag: str, members: list[tuple[str, str, str]]) -> Iterator[str]:
    """An enum of (constant, value, doc)."""
    yield f"enum {tag} {{\n"
    for constant, value, doc in members:
        if doc:
            yield c_comment(doc, "    ")
        yield f"    {constant} = {value},\n"
    yield "};\n"


def _opcodes(protocol: Protocol) -> Iterator[str]:
    yield _rule("classes and opcodes")
    yield "\n"
    kinds = [(f"{PREFIX}_message_kind_{kind}".upper(), str(number), "") for number, kind in enumerate(KINDS, 1)]
    yield from _enumerators(f"{PREFIX}_message_kind", kinds)
    yield "\n"
    classes = [(class_constant(of.name), str(of.number), "") for of in protocol.classes]
    yield from _enumerators(f"{PREFIX}_class", classes)
    yield "\n"
    opcodes = [(opcode_constant(message), f"{message.opcode:#06x}", "") for message in protocol.messages]
    yield from _enumerators(f"{PREFIX}_opcode", opcodes)


def _enums(protocol: Protocol) -> Iterator[str]:
    yield _rule("enumerations")
    for enum in protocol.enums:
        yield "\n"
        yield c_comment(enum.doc)
        members = [(enum_constant(enum, key), _value(enum, value), doc) for key, value, doc in enum.members]
        yield from _enumerators(enum_tag(enum), members)


def _value(enum: Enumeration, value: int) -> str:
    return f"{value:#x}" if enum.flags else str(value)


def _structs(protocol: Protocol) -> Iterator[str]:
    yield _rule("structs")
    for struct in protocol.structs:
        yield "\n"
        yield c_comment(struct.doc)
        yield from _struct(struct_tag(struct), struct)


def _payloads(protocol: Protocol) -> Iterator[str]:
    yield _rule("payloads; an empty one has no struct")
    for message in protocol.messages:
        for tag, payload in _message_layouts(message):
            head = f"{message.full_name}, a {message.kind}: {message.doc}"
            yield "\n"
            yield c_comment(head if payload is message.request else f"Reply to {message.full_name}.")
            yield from _struct(tag, payload)


def _struct(tag: str, struct: Struct) -> Iterator[str]:
    yield f"struct {tag} {{\n"
    for field in struct.fields:
        if not field.reserved:
            yield c_comment(field.doc, "    ")
        yield f"    {_declaration(field)};\n"
    yield "};\n"


def _declaration(field: Field) -> str:
    if field.form is Form.STRUCT:
        assert field.struct is not None
        return f"struct {struct_tag(field.struct)} {field.name}"
    if field.form is Form.TEXT:
        return f"char {field.name}[{field.count}]"
    if field.form is Form.TAIL:
        return f"uint8_t {field.name}[]"
    if field.form is Form.ARRAY:
        return f"{_SCALAR[field.scalar]} {field.name}[{field.count}]"
    return f"{_SCALAR[field.scalar or 'u32']} {field.name}"


def _layouts(protocol: Protocol) -> Iterator[tuple[str, Struct]]:
    """Every struct of the header under its tag."""
    for struct in protocol.structs:
        yield struct_tag(struct), struct
    for message in protocol.messages:
        yield from _message_layouts(message)


def _message_layouts(message: Message) -> Iterator[tuple[str, Struct]]:
    for payload in (message.request, message.reply):
        if payload is not None and payload.fields:
            yield payload_tag(message, payload), payload


def _proofs(protocol: Protocol) -> Iterator[str]:
    """Sizes and offsets, checked by whatever compiler reads this."""
    yield _rule("proof that nothing is padded")
    yield f"\n#ifdef __cplusplus\n#define {PREFIX.upper()}_PROVE(fact) static_assert(fact, #fact)\n"
    yield f"#else\n#define {PREFIX.upper()}_PROVE(fact) _Static_assert(fact, #fact)\n#endif\n\n"
    for tag, struct in _layouts(protocol):
        yield f"{PREFIX.upper()}_PROVE(sizeof(struct {tag}) == {struct.size});\n"
        for field in struct.fields:
            yield f"{PREFIX.upper()}_PROVE(offsetof(struct {tag}, {field.name}) == {field.offset});\n"
    yield f"\n#undef {PREFIX.upper()}_PROVE\n"
