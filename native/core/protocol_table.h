/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the C side knows of each opcode. Read-only, sorted by opcode.
 *
 * Made by codegen from specs/paracore.toml; do not edit.
 * To make it again: make gen
 */
#ifndef PARACORE_PROTOCOL_TABLE_H
#define PARACORE_PROTOCOL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "paracore/protocol.h"

#define PARACORE_MESSAGE_COUNT 62

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
