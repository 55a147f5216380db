/* SPDX-License-Identifier: Apache-2.0 */
/* What a loop holds, and how its channels move between its lists. Shared by loop.c and turn.c only. */
#ifndef PARACORE_BACKEND_STATE_H
#define PARACORE_BACKEND_STATE_H

#include "channel.h"

enum {
    BUCKETS = 256,
    ARENA = 64 * (int)PARACORE_MESSAGE_MAX, /* private copies of one batch */
};

struct watch {
    struct source source;
    int fd;
    uint32_t token;
    LIST_ENTRY(watch) entry;
};

struct paracore_loop {
    int epoll;
    uint64_t spin_ns;
    uint64_t spin_until;
    bool busy; /* the last pass did something */
    uint32_t channel_count;
    TAILQ_HEAD(active_list, channel) active;
    TAILQ_HEAD(, channel) dirty;
    LIST_HEAD(, channel) buckets[BUCKETS];
    LIST_HEAD(, watch) watches;
    struct paracore_loop_statistics statistics;
    uint32_t arena_used;
    _Alignas(8) uint8_t reply[PARACORE_MESSAGE_MAX];
    _Alignas(8) uint8_t arena[ARENA];
};

/* Active: looked at without being asked to. */
void loop_activate(struct paracore_loop *loop, struct channel *channel);
void loop_deactivate(struct paracore_loop *loop, struct channel *channel);
/* Dirty: something is to be shown to the peer. */
void loop_soil(struct paracore_loop *loop, struct channel *channel);
void loop_clean(struct paracore_loop *loop, struct channel *channel);
/* The peer holds the same open file, so that closing a descriptor would not end its registration. */
void loop_stop_listening(const struct paracore_loop *loop, int fd);

#endif
