/* SPDX-License-Identifier: Apache-2.0 */
/* Whole messages in private memory, first in first out, bounded in octets. */
#ifndef PARACORE_QUEUE_H
#define PARACORE_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "paracore/protocol.h"

/* Zero it and set `limit`; it holds no memory while it is empty for long. */
struct paracore_queue {
    uint8_t *octets;
    uint32_t first; /* where the oldest begins */
    uint32_t end;   /* where the next goes */
    uint32_t capacity;
    uint32_t limit; /* octets it may hold */
};

static inline bool paracore_queue_empty(const struct paracore_queue *queue)
{
    return queue->first == queue->end;
}

/* True when one more message of any size would be taken. */
static inline bool paracore_queue_has_room(const struct paracore_queue *queue)
{
    return queue->end - queue->first + PARACORE_MESSAGE_MAX <= queue->limit;
}

/* Copies a message in; its header says its size. Returns 0, -ENOBUFS beyond the limit, -ENOMEM. */
int paracore_queue_put(struct paracore_queue *queue, const void *message, uint32_t size);

/* The oldest message and its size; the queue must not be empty. Valid until the next put or drop. */
const void *paracore_queue_oldest(const struct paracore_queue *queue, uint32_t *size);

/* Forgets the oldest message. */
void paracore_queue_drop(struct paracore_queue *queue);

/* Forgets all and frees the memory. */
void paracore_queue_clear(struct paracore_queue *queue);

#endif
