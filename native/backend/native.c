/* SPDX-License-Identifier: Apache-2.0 */
#include "native.h"

#include <stddef.h>
#include <string.h>

#include "paracore/protocol.h"

/* Turns a request's payload into a reply's. */
typedef void handler(const void *request, void *reply);

static void ping(const void *request, void *reply)
{
    memcpy(reply, request, sizeof(struct paracore_core_ping_reply));
}

static const struct native_call {
    uint16_t opcode;
    uint32_t reply_size;
    handler *handle;
} native_calls[] = {
    {PARACORE_OP_CORE_PING, sizeof(struct paracore_core_ping_reply), ping},
};

uint32_t native_answer(const void *request, void *reply)
{
    struct paracore_message_header header;

    memcpy(&header, request, sizeof header);
    for (size_t i = 0; i < sizeof native_calls / sizeof native_calls[0]; i++) {
        const struct native_call *call = &native_calls[i];
        if (call->opcode != header.opcode)
            continue;
        call->handle((const uint8_t *)request + sizeof header, (uint8_t *)reply + sizeof header);
        header.size = (uint32_t)sizeof header + call->reply_size;
        header.flags = PARACORE_MESSAGE_FLAG_REPLY;
        memcpy(reply, &header, sizeof header);
        return header.size;
    }
    return 0;
}
