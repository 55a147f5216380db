/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes from the backend, which is not trusted: a reply must answer a call that is outstanding, an
 * event must be one, and each payload must be what the table says. Anything else ends the channel.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct call *find_call(struct paracore_channel *channel, uint32_t serial)
{
    struct call *call;

    TAILQ_FOREACH(call, &channel->calls, entry)
        if (call->serial == serial)
            return call;
    return NULL;
}

/* Wakes whoever waits for this call, or for anything of this kind. */
static void wake(struct paracore_channel *channel, int what, const struct call *call)
{
    struct waiter *waiter;

    TAILQ_FOREACH(waiter, &channel->waiters, entry)
        if ((int)waiter->what == what && waiter->call == call)
            pthread_cond_signal(&waiter->woken);
}

/* Checks a reply's payload. Returns what the call is to return, or -EPROTO in `*fault`. */
static int read_result(const struct paracore_message_header *header, const uint8_t *payload, size_t size,
                       struct paracore_failure *failure, int *fault)
{
    if (header->flags & PARACORE_MESSAGE_FLAG_ERROR) {
        *fault = paracore_check_failure(payload, size);
        if (*fault == 0)
            memcpy(failure, payload, sizeof *failure);
        return -(int)failure->error;
    }
    *fault = paracore_check_payload(header->opcode, true, payload, size);
    return 0;
}

static int fill(struct call *call, const uint8_t *payload, size_t size)
{
    if (size > call->reply_size)
        return -EMSGSIZE;
    if (size)
        memcpy(call->reply, payload, size);
    call->reply_size = size;
    return 0;
}

static void finish(struct paracore_channel *channel, struct call *call)
{
    TAILQ_REMOVE(&channel->calls, call, entry);
    if (call->abandoned) {
        channel->abandoned--;
        free(call);
        return;
    }
    call->done = true;
    wake(channel, FOR_REPLY, call);
}

static int take_reply(struct paracore_channel *channel, const struct paracore_message_header *header,
                      const uint8_t *payload, size_t size)
{
    struct paracore_failure failure = {0};
    struct call *call = find_call(channel, header->serial);
    int fault;

    if (!call || call->opcode != header->opcode || call->object != header->object)
        return -EPROTO;
    int result = read_result(header, payload, size, &failure, &fault);
    if (fault)
        return -EPROTO;
    call->result = result || call->abandoned ? result : fill(call, payload, size);
    if (call->failure && !call->abandoned)
        *call->failure = failure;
    finish(channel, call);
    return 0;
}

static int take_event(struct paracore_channel *channel, const struct paracore_message_header *header,
                      const uint8_t *payload, size_t size)
{
    const struct paracore_message_info *info = paracore_message_find(header->opcode);

    if (!paracore_is_for_rings(info) || info->kind != PARACORE_MESSAGE_KIND_EVENT || header->serial != 0 ||
        paracore_check_payload(header->opcode, false, payload, size) != 0)
        return -EPROTO;
    int error = paracore_queue_put(&channel->events, channel->message, header->size);
    if (error)
        return error;
    channel->statistics.events++;
    wake(channel, FOR_EVENT, NULL);
    if (channel->armed && paracore_notify(channel->attention))
        channel->armed = false;
    return 0;
}

static int take(struct paracore_channel *channel)
{
    struct paracore_message_header header;
    const uint8_t *payload = channel->message + HEADER_SIZE;

    memcpy(&header, channel->message, HEADER_SIZE);
    size_t size = header.size - HEADER_SIZE;
    switch (header.flags) {
    case PARACORE_MESSAGE_FLAG_REPLY:
    case PARACORE_MESSAGE_FLAG_REPLY | PARACORE_MESSAGE_FLAG_ERROR:
        return take_reply(channel, &header, payload, size);
    case PARACORE_MESSAGE_FLAG_EVENT:
        return take_event(channel, &header, payload, size);
    default:
        return -EPROTO;
    }
}

void receive_all(struct paracore_channel *channel)
{
    int got = 0, error = 0;

    while (error == 0 && paracore_queue_has_room(&channel->events) &&
           (got = paracore_ring_pop(&channel->ring, channel->message)) > 0)
        error = take(channel);
    if (got < 0)
        error = got;
    if (error)
        channel_fail(channel, error);
    if (paracore_ring_release(&channel->ring))
        channel->statistics.notifications_out += paracore_doorbell_ring(&channel->doorbell_out);
}
