# SPDX-License-Identifier: Apache-2.0
"""Emits ``protocol_table.{h,c}``: what the C side knows of each opcode, and the rules that its
octets must meet. The rules are data; ``native/core/protocol_check.c`` walks them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from codegen._c_header import notice
from codegen._c_names import PREFIX, class_constant, opcode_constant
from codegen._load import ENUM_REACH
from codegen._model import Form

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codegen._model import Enumeration, Field, Message, Protocol, Struct

__all__ = ["c_table_header", "c_table_source"]

# The one rule table a struct shares with no message: the payload of a failed call.
FAILURE = "failure"


def c_table_header(protocol: Protocol) -> str:
    return notice("What the C side knows of each opcode. Read-only, sorted by opcode.") + _HEADER.replace(
        "@COUNT@", str(len(protocol.messages))
    )


_HEADER = """\
#ifndef PARACORE_PROTOCOL_TABLE_H
#define PARACORE_PROTOCOL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "paracore/protocol.h"

#define PARACORE_MESSAGE_COUNT @COUNT@

/* What the octets of a payload must meet. */
enum paracore_rule_kind {
    PARACORE_RULE_ZERO = 1,  /* `length` octets are zero */
    PARACORE_RULE_TEXT = 2,  /* `length` octets are UTF-8, ended and padded by zeros */
    PARACORE_RULE_ENUM = 3,  /* a u32 below 128 whose bit is set in `set` */
    PARACORE_RULE_FLAGS = 4, /* a u32 with no bit outside set[0] */
};

struct paracore_rule {
    uint16_t kind;
    uint16_t offset;
    uint16_t length;
    const uint64_t *set; /* ENUM: two words; FLAGS: one */
};

/* A payload: `size` octets, and with a tail as many more as the u32 at `tail_length` says, padded
 * with zeros to a multiple of 8. */
struct paracore_layout {
    uint16_t size;
    bool tail;
    uint16_t tail_length;
    uint16_t rule_count;
    const struct paracore_rule *rules;
};

struct paracore_message_info {
    uint16_t opcode;
    uint8_t class_number;
    uint8_t kind; /* enum paracore_message_kind */
    bool native;  /* answered by the worker's native loop */
    const char *name;
    struct paracore_layout request; /* or the post or the event */
    struct paracore_layout reply;   /* of a call */
};

extern const struct paracore_message_info paracore_messages[PARACORE_MESSAGE_COUNT];
extern const struct paracore_layout paracore_failure_layout;

/* NULL for an opcode that is not in the table. */
const struct paracore_message_info *paracore_message_find(uint16_t opcode);

/* Checks the octets of a payload, which must be private memory: size, reserved fields, enumerations
 * and flags, texts, the tail and its padding. `payload` needs no alignment.
 * Returns 0, -ENOENT for an unknown opcode or the reply of what has none, -EPROTO. */
int paracore_check_payload(uint16_t opcode, bool is_reply, const void *payload, size_t size);

/* The same for the payload of a reply with the `error` flag. Returns 0 or -EPROTO. */
int paracore_check_failure(const void *payload, size_t size);

#endif
"""


def c_table_source(protocol: Protocol) -> str:
    body = "".join(part for section in (_sets, _rule_tables, _failure, _messages) for part in section(protocol))
    return notice("The rules of every payload and the table of opcodes.") + f'#include "protocol_table.h"\n\n{body}'


def _payloads(protocol: Protocol) -> Iterator[tuple[str, Struct]]:
    for message in protocol.messages:
        for payload in (message.request, message.reply):
            if payload is not None:
                yield f"{message.class_name}_{payload.name}", payload
    yield FAILURE, protocol.struct(FAILURE)


def _fields(struct: Struct, base: int = 0) -> Iterator[tuple[int, Field]]:
    """Every field of a layout with its place, those of nested structs in their stead."""
    for field in struct.fields:
        if field.struct is not None:
            yield from _fields(field.struct, base + field.offset)
        else:
            yield base + field.offset, field


def _sets(protocol: Protocol) -> Iterator[str]:
    used = {field.enum.name for _, struct in _payloads(protocol) for _, field in _fields(struct) if field.enum}
    for enum in protocol.enums:
        if enum.name in used:
            words = ", ".join(f"UINT64_C({word:#x})" for word in _words(enum))
            yield f"static const uint64_t set_{enum.name}[] = {{{words}}};\n"


def _words(enum: Enumeration) -> list[int]:
    if enum.flags:
        return [enum.mask]
    bits = 0
    for _, value, _ in enum.members:
        bits |= 1 << value
    return [bits >> shift & 0xFFFFFFFFFFFFFFFF for shift in range(0, ENUM_REACH, 64)]


def _rule(offset: int, field: Field) -> str | None:
    """The rule that the octets of a field must meet, if there is one."""
    if field.reserved:
        return f"{{PARACORE_RULE_ZERO, {offset}, {field.size}, NULL}}"
    if field.form is Form.TEXT:
        return f"{{PARACORE_RULE_TEXT, {offset}, {field.size}, NULL}}"
    if field.enum is not None:
        kind = "FLAGS" if field.enum.flags else "ENUM"
        return f"{{PARACORE_RULE_{kind}, {offset}, {field.size}, set_{field.enum.name}}}"
    return None


def _rules(struct: Struct) -> list[str]:
    return [rule for offset, field in _fields(struct) if (rule := _rule(offset, field)) is not None]


def _rule_tables(protocol: Protocol) -> Iterator[str]:
    for name, struct in _payloads(protocol):
        rules = _rules(struct)
        if rules:
            yield f"\nstatic const struct paracore_rule rules_{name}[] = {{\n"
            yield "".join(f"    {rule},\n" for rule in rules) + "};\n"


def _layout(name: str, struct: Struct | None) -> str:
    if struct is None:
        return "{0, false, 0, 0, NULL}"
    counted = [field.offset for field in struct.fields if field.counts]
    tail = f"true, {counted[0]}" if counted else "false, 0"
    rules = _rules(struct)
    return f"{{{struct.size}, {tail}, {len(rules)}, {f'rules_{name}' if rules else 'NULL'}}}"


def _failure(protocol: Protocol) -> Iterator[str]:
    layout = _layout(FAILURE, protocol.struct(FAILURE))
    yield f"\nconst struct paracore_layout {PREFIX}_failure_layout = {layout};\n"


def _messages(protocol: Protocol) -> Iterator[str]:
    yield f"\nconst struct paracore_message_info {PREFIX}_messages[PARACORE_MESSAGE_COUNT] = {{\n"
    for message in protocol.messages:
        yield _entry(message)
    yield "};\n"


def _entry(message: Message) -> str:
    head = f"{opcode_constant(message)}, {class_constant(message.class_name)}"
    kind = f"PARACORE_MESSAGE_KIND_{message.kind.upper()}"
    native = "true" if message.native else "false"
    prefix = message.class_name
    reply_name = f"{prefix}_{message.reply.name}" if message.reply else ""
    return (
        f'    {{{head}, {kind}, {native}, "{message.full_name}",\n'
        f"     {_layout(f'{prefix}_{message.request.name}', message.request)},\n"
        f"     {_layout(reply_name, message.reply)}}},\n"
    )
