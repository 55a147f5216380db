/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One channel of the worker's loop: its rings, its doorbells and what did not fit into the ring.
 *
 * Trusts nothing that comes out of the shared pages. The first breach of the protocol ends the
 * channel: from then on it gives nothing and swallows what is sent to it.
 */
#ifndef PARACORE_BACKEND_CHANNEL_H
#define PARACORE_BACKEND_CHANNEL_H

#include <stdbool.h>
#include <sys/queue.h>

#include "doorbell.h"
#include "loop.h"
#include "protocol_table.h"
#include "queue.h"

/* What an epoll event points to; the first member of all that the loop waits for. */
struct source {
    enum { SOURCE_CHANNEL, SOURCE_WATCH } kind;
};

struct channel {
    struct source source;
    uint32_t number;
    struct paracore_doorbell doorbell_in;
    struct paracore_doorbell doorbell_out;
    void *mapping;
    size_t mapping_size;
    struct paracore_ring ring;
    struct paracore_queue backlog; /* messages that wait for room in the ring */
    const char *violation; /* how it broke the protocol; NULL while it has not */
    bool reported;         /* and the interpreter knows */
    uint32_t idle_visits;  /* how often in a row it had nothing */
    bool active;           /* in loop->active: looked at without being asked to */
    bool dirty;            /* in loop->dirty: something is to be shown to the peer */
    TAILQ_ENTRY(channel) active_entry;
    TAILQ_ENTRY(channel) dirty_entry;
    LIST_ENTRY(channel) bucket_entry;
};

/* Takes the descriptors, also when it fails. Returns 0 or -errno. */
int channel_create(uint32_t number, uint32_t ring_order, int pages, struct paracore_doorbell in,
                   struct paracore_doorbell out, struct channel **channel);
void channel_destroy(struct channel *channel);

/* Copies the next message out and checks it; `info` is what the table says of it.
 * Returns its size, 0 when there is none, -EPROTO after a violation. */
int channel_receive(struct channel *channel, void *message, const struct paracore_message_info **info);

/* Returns 0, also when the message had to wait and when the channel is broken; -EINVAL, -ENOBUFS or
 * -ENOMEM when it was not taken; -EPROTO when this showed a violation. */
int channel_send(struct channel *channel, const void *message, uint32_t size);

/* Moves what waits into the ring, as far as it goes. True when nothing waits any more. */
bool channel_drain(struct channel *channel);

/* Shows the peer what was pushed and popped. Returns true when the doorbell was rung. */
bool channel_flush(struct channel *channel);

/* Asks to be woken for what the channel waits for. False when it is there already. */
bool channel_arm(struct channel *channel);

#endif
