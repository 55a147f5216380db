/* SPDX-License-Identifier: Apache-2.0 */
#include "queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* An empty queue keeps a buffer of this size; a larger one, left by a flood, is freed. */
enum { KEPT = 4 * (int)PARACORE_MESSAGE_MAX };

/* Moves what waits to the front and makes room for `size` octets behind it. */
static int make_room(struct paracore_queue *queue, uint32_t size)
{
    uint32_t used = queue->end - queue->first;

    if (used + size > queue->limit)
        return -ENOBUFS;
    if (used && queue->first)
        memmove(queue->octets, queue->octets + queue->first, used);
    queue->first = 0;
    queue->end = used;
    if (used + size <= queue->capacity)
        return 0;
    uint32_t capacity = used + size <= KEPT ? KEPT : 2 * (used + size);
    uint8_t *octets = realloc(queue->octets, capacity);
    if (!octets)
        return -ENOMEM;
    queue->octets = octets;
    queue->capacity = capacity;
    return 0;
}

int paracore_queue_put(struct paracore_queue *queue, const void *message, uint32_t size)
{
    uint32_t used = queue->end - queue->first;
    bool fits = used + size <= queue->limit && queue->end + size <= queue->capacity;
    int error = fits ? 0 : make_room(queue, size);

    if (error)
        return error;
    memcpy(queue->octets + queue->end, message, size);
    queue->end += size;
    return 0;
}

const void *paracore_queue_oldest(const struct paracore_queue *queue, uint32_t *size)
{
    struct paracore_message_header header;

    memcpy(&header, queue->octets + queue->first, sizeof header);
    *size = header.size;
    return queue->octets + queue->first;
}

void paracore_queue_drop(struct paracore_queue *queue)
{
    uint32_t size;

    paracore_queue_oldest(queue, &size);
    queue->first += size;
    if (paracore_queue_empty(queue) && queue->capacity > KEPT)
        paracore_queue_clear(queue);
}

void paracore_queue_clear(struct paracore_queue *queue)
{
    free(queue->octets);
    *queue = (struct paracore_queue){.limit = queue->limit};
}
