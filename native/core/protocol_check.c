/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Walks the generated rules over the octets of a payload.
 *
 * The octets come from a hostile peer but lie in private memory: the caller has copied them out of
 * the ring. Nothing here allocates or looks beyond `size`. classes/_payload.py refuses the same octets
 * in Python, and the tests hold the two against each other.
 */
#include "protocol_table.h"

#include <errno.h>
#include <string.h>

static uint32_t load_u32(const uint8_t *octets)
{
    return (uint32_t)octets[0] | (uint32_t)octets[1] << 8 | (uint32_t)octets[2] << 16 | (uint32_t)octets[3] << 24;
}

static bool all_zero(const uint8_t *octets, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (octets[i] != 0)
            return false;
    return true;
}

/* The least code point that a sequence of this many octets may stand for. */
static const uint32_t utf8_least[] = {0, 0, 0x80, 0x800, 0x10000};

/* RFC 3629: the length of the sequence that this octet begins, 0 when it begins none. */
static size_t utf8_length(uint8_t first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first < 0xe0)
        return 2;
    if (first >= 0xe0 && first < 0xf0)
        return 3;
    return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

static bool utf8_sequence(const uint8_t *octets, size_t length)
{
    uint32_t code = length == 1 ? octets[0] : octets[0] & (0x7fu >> length);

    for (size_t i = 1; i < length; i++) {
        if ((octets[i] & 0xc0) != 0x80)
            return false;
        code = code << 6 | (octets[i] & 0x3f);
    }
    return code >= utf8_least[length] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

static bool is_utf8(const uint8_t *octets, size_t count)
{
    while (count > 0) {
        size_t length = utf8_length(octets[0]);

        if (length == 0 || length > count || !utf8_sequence(octets, length))
            return false;
        octets += length;
        count -= length;
    }
    return true;
}

/* A text, at least one zero, and nothing but zeros after it. */
static bool is_text(const uint8_t *octets, size_t count)
{
    const uint8_t *end = memchr(octets, 0, count);
    size_t used = end ? (size_t)(end - octets) : count;

    return end && all_zero(end, count - used) && is_utf8(octets, used);
}

static bool rule_holds(const struct paracore_rule *rule, const uint8_t *octets)
{
    uint32_t value;

    switch (rule->kind) {
    case PARACORE_RULE_ZERO:
        return all_zero(octets, rule->length);
    case PARACORE_RULE_TEXT:
        return is_text(octets, rule->length);
    case PARACORE_RULE_ENUM:
        value = load_u32(octets);
        return value < 128 && (rule->set[value / 64] >> (value % 64) & 1) != 0;
    default: /* PARACORE_RULE_FLAGS */
        return (load_u32(octets) & ~rule->set[0]) == 0;
    }
}

static bool size_holds(const struct paracore_layout *layout, const uint8_t *payload, size_t size)
{
    uint64_t used, padded;

    if (!layout->tail)
        return size == layout->size;
    if (size < layout->size)
        return false;
    used = load_u32(payload + layout->tail_length);
    padded = (used + 7) & ~UINT64_C(7);
    return size - layout->size == padded && all_zero(payload + layout->size + used, padded - used);
}

static int check(const struct paracore_layout *layout, const uint8_t *payload, size_t size)
{
    if (!size_holds(layout, payload, size))
        return -EPROTO;
    for (size_t i = 0; i < layout->rule_count; i++)
        if (!rule_holds(&layout->rules[i], payload + layout->rules[i].offset))
            return -EPROTO;
    return 0;
}

const struct paracore_message_info *paracore_message_find(uint16_t opcode)
{
    size_t low = 0, high = PARACORE_MESSAGE_COUNT;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (paracore_messages[middle].opcode < opcode)
            low = middle + 1;
        else
            high = middle;
    }
    return low < PARACORE_MESSAGE_COUNT && paracore_messages[low].opcode == opcode ? &paracore_messages[low] : NULL;
}

int paracore_check_payload(uint16_t opcode, bool is_reply, const void *payload, size_t size)
{
    const struct paracore_message_info *info = paracore_message_find(opcode);

    if (!info || (is_reply && info->kind != PARACORE_MESSAGE_KIND_CALL))
        return -ENOENT;
    return check(is_reply ? &info->reply : &info->request, payload, size);
}

int paracore_check_failure(const void *payload, size_t size)
{
    return check(&paracore_failure_layout, payload, size);
}
