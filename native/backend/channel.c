/* SPDX-License-Identifier: Apache-2.0 */
#include "channel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kinds.h"

int channel_create(uint32_t number, uint32_t ring_order, int pages, struct paracore_doorbell in,
                   struct paracore_doorbell out, struct channel **created)
{
    struct channel *channel = calloc(1, sizeof *channel);
    int error = channel ? 0 : -ENOMEM;

    if (channel) {
        *channel = (struct channel){
            .source.kind = SOURCE_CHANNEL,
            .number = number,
            .doorbell_in = in,
            .doorbell_out = out,
            .backlog.limit = PARACORE_LOOP_BACKLOG_MAX,
        };
        channel->mapping_size = paracore_ring_mapping_size(ring_order <= PARACORE_RING_ORDER_MAX ? ring_order : 0);
        /* SAFETY: the domain has these pages too and may write them at any time; only ring.c looks at
         * them. The supervisor made them and sealed their size, or mapped a grant, which stays mapped
         * whatever the domain does: they cannot shrink under us. */
        channel->mapping = mmap(NULL, channel->mapping_size, PROT_READ | PROT_WRITE, MAP_SHARED, pages, 0);
        error = channel->mapping == MAP_FAILED ? -errno
                                               : paracore_ring_attach(&channel->ring, channel->mapping, ring_order,
                                                                      PARACORE_BACKEND);
    }
    close(pages);
    if (error == 0) {
        *created = channel;
        return 0;
    }
    if (channel) {
        channel_destroy(channel);
    } else {
        close(in.fd);
        close(out.fd);
    }
    return error;
}

void channel_destroy(struct channel *channel)
{
    if (channel->mapping != MAP_FAILED)
        munmap(channel->mapping, channel->mapping_size);
    close(channel->doorbell_in.fd);
    close(channel->doorbell_out.fd);
    paracore_queue_clear(&channel->backlog);
    free(channel);
}

static int violate(struct channel *channel, const char *how)
{
    if (!channel->violation)
        channel->violation = how;
    return -EPROTO;
}

/* --- from the domain --------------------------------------------------------------------------- */

/* What is wrong with a message, NULL when nothing is. `message` is private memory. */
static const char *fault_of(const struct paracore_message_header *header, const struct paracore_message_info *info,
                            const void *payload)
{
    if (!info)
        return "unknown opcode";
    if (!paracore_is_for_rings(info))
        return "an opcode that is not for a ring";
    if (info->kind != PARACORE_MESSAGE_KIND_CALL && info->kind != PARACORE_MESSAGE_KIND_POST)
        return "an event from a frontend";
    if (header->flags != 0)
        return "flags in a request";
    if (info->class_number == PARACORE_CLASS_CORE && header->object != 0)
        return "a core call for an object";
    if (paracore_check_payload(header->opcode, false, payload, header->size - sizeof *header) != 0)
        return "malformed payload";
    return NULL;
}

int channel_receive(struct channel *channel, void *message, const struct paracore_message_info **info)
{
    struct paracore_message_header header;
    int size = channel->violation ? 0 : paracore_ring_pop(&channel->ring, message);

    if (size < 0)
        return violate(channel, "impossible ring index or message size");
    if (size == 0)
        return 0;
    memcpy(&header, message, sizeof header);
    *info = paracore_message_find(header.opcode);
    const char *fault = fault_of(&header, *info, (const uint8_t *)message + sizeof header);
    return fault ? violate(channel, fault) : size;
}

/* --- to the domain ------------------------------------------------------------------------------- */

static int push(struct channel *channel, const void *message, uint32_t size)
{
    /* iovec has no const; ring.c only reads */
    struct iovec part = {.iov_base = (void *)(uintptr_t)message, .iov_len = size};
    int error = paracore_ring_push(&channel->ring, &part, 1);

    return error == -EPROTO ? violate(channel, "impossible consumer index") : error;
}

int channel_send(struct channel *channel, const void *message, uint32_t size)
{
    if (channel->violation)
        return 0;
    if (size < sizeof(struct paracore_message_header) || size > PARACORE_MESSAGE_MAX || size % 8)
        return -EINVAL;
    int error = paracore_queue_empty(&channel->backlog) ? push(channel, message, size) : -EAGAIN;
    return error == -EAGAIN ? paracore_queue_put(&channel->backlog, message, size) : error;
}

bool channel_drain(struct channel *channel)
{
    while (!paracore_queue_empty(&channel->backlog) && !channel->violation) {
        uint32_t size;
        const void *message = paracore_queue_oldest(&channel->backlog, &size);
        if (push(channel, message, size) != 0)
            return false;
        paracore_queue_drop(&channel->backlog);
    }
    return true;
}

bool channel_flush(struct channel *channel)
{
    bool published = paracore_ring_publish(&channel->ring);
    bool released = paracore_ring_release(&channel->ring);

    return (published || released) && paracore_doorbell_ring(&channel->doorbell_out);
}

bool channel_arm(struct channel *channel)
{
    uint32_t size;

    if (paracore_queue_empty(&channel->backlog))
        return paracore_ring_arm(&channel->ring);
    paracore_queue_oldest(&channel->backlog, &size);
    return paracore_ring_arm_space(&channel->ring, size);
}
