/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker's loop: waits on the channels of one domain, takes the snapshot of each message,
 * checks its header against the generated table, answers native calls itself and hands the rest
 * to the interpreter in batches.
 *
 * Trusts nobody on a channel. One thread. A channel that breaks the protocol is reported once
 * (PARACORE_ENTRY_VIOLATION) and then ignored until it is removed.
 */
#ifndef PARACORE_LOOP_H
#define PARACORE_LOOP_H

#include <stdint.h>

#include "paracore/ring.h"

/* Octets that wait in the loop for a peer which does not read. Bounds what one channel can make it hold. */
#define PARACORE_LOOP_BACKLOG_MAX 262144u
/* Channels of one loop. */
#define PARACORE_LOOP_CHANNELS_MAX 1024u

struct paracore_loop;

enum paracore_entry_kind {
    PARACORE_ENTRY_MESSAGE = 1,   /* a checked message of `channel` lies in `message` */
    PARACORE_ENTRY_VIOLATION = 2, /* `channel` broke the protocol; `error` says how (-EPROTO ...) */
    PARACORE_ENTRY_FD = 3,        /* the watched descriptor of `token` is readable */
};

struct paracore_entry {
    uint32_t kind;
    uint32_t channel; /* or the token of a watched descriptor */
    int32_t error;
    uint32_t size;             /* octets of `message` */
    const uint8_t *message;    /* private memory of the loop, valid until the next wait */
    const char *reason;        /* static text for a violation, else NULL */
};

struct paracore_loop_statistics {
    uint64_t messages_in, messages_out, native_calls, wakeups, notifications_in, notifications_out, violations;
};

/* Spinning lasts `spin_ns` after the last message before the loop sleeps; 0 never spins. */
int paracore_loop_create(uint64_t spin_ns, struct paracore_loop **loop);
void paracore_loop_destroy(struct paracore_loop *loop);

/* Takes ownership of the three descriptors, also when it fails. `pages` must have
 * paracore_ring_mapping_size(order) octets and be sealed against shrinking, or be a grant device with as
 * many. `port` is the event channel's, for both doorbells; 0 when they are eventfds.
 * Returns 0, -EEXIST, -EINVAL for an order out of limits, -ENOSPC beyond the most channels, -errno. */
int paracore_loop_channel_add(struct paracore_loop *loop, uint32_t channel, uint32_t ring_order,
                              int pages, int doorbell_in, int doorbell_out, uint32_t port);
int paracore_loop_channel_remove(struct paracore_loop *loop, uint32_t channel);

/* Watches a descriptor of somebody else's (control socket, a driver's completions). */
int paracore_loop_watch(struct paracore_loop *loop, int fd, uint32_t token);
int paracore_loop_unwatch(struct paracore_loop *loop, int fd);

/* Waits for work and fills at most `count` entries; channels take turns, a few messages each. Give room
 * for at least 4: a quarter is kept free for watched descriptors, so that no flood of messages starves
 * those. All that was sent since the last wait is published first. `timeout_ms` -1 waits for ever.
 * Returns the number of entries, 0 on time-out, -errno (-EINTR after a signal). */
int paracore_loop_wait(struct paracore_loop *loop, struct paracore_entry *entries, int count, int timeout_ms);

/* Queues one message to a channel. When the ring is full it is kept in the loop, in order, and the
 * loop reads no further message of that channel until it has gone out: a peer that never reads only
 * stops itself. A channel that broke the protocol swallows it. Returns 0, -ENOENT for an unknown channel,
 * -EINVAL for an impossible size, -ENOBUFS beyond PARACORE_LOOP_BACKLOG_MAX octets, -ENOMEM. */
int paracore_loop_send(struct paracore_loop *loop, uint32_t channel, const void *message, uint32_t size);

/* Publishes now what paracore_loop_send queued, instead of at the next wait. */
void paracore_loop_flush(struct paracore_loop *loop);

void paracore_loop_statistics(const struct paracore_loop *loop, struct paracore_loop_statistics *out);

#endif
