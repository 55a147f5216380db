/* SPDX-License-Identifier: Apache-2.0 */
/* What is on the way of every message, and costs one branch that is never taken while nobody traces. */
#ifndef PARACORE_TRACE_MARK_H
#define PARACORE_TRACE_MARK_H

#include <stdbool.h>

#include "paracore/ring.h"
#include "trace.h"

extern struct paracore_trace_page *paracore_trace_memory;

static inline bool paracore_tracing(void)
{
    return __builtin_expect(__atomic_load_n(&paracore_trace_memory, __ATOMIC_RELAXED) != NULL, 0);
}

/* See below. */
void paracore_trace_record_message(enum paracore_role side, uint32_t channel, uint16_t opcode, uint32_t session,
                                   const void *payload, size_t size);

/* A message with a checked payload is written or read here, at the frontend's side or at the backend's. */
static inline void paracore_trace_message(enum paracore_role side, uint32_t channel, uint16_t opcode, uint32_t session,
                                          const void *payload, size_t size)
{
    if (paracore_tracing())
        paracore_trace_record_message(side, channel, opcode, session, payload, size);
}

/* The same of one with its header. */
static inline void paracore_trace_whole(enum paracore_role side, uint32_t channel, const void *message)
{
    if (paracore_tracing()) {
        struct paracore_message_header header;
        __builtin_memcpy(&header, message, sizeof header);
        paracore_trace_record_message(side, channel, header.opcode, header.object,
                                      (const uint8_t *)message + sizeof header, header.size - sizeof header);
    }
}

#endif
