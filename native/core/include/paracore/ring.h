/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One direction-pair of shared byte rings: the memory ordering of the project.
 *
 * The peer is hostile. Its indices are read once into a local, bounded, and only then used; a
 * message is copied out before anything looks at it; this side's own producer and consumer
 * indices are private and only ever published. Nothing here blocks and nothing here allocates.
 *
 * docs/protocol/ring.md is the document; protocol/_ring.py is the same in Python, and the
 * tests run both against each other.
 */
#ifndef PARACORE_RING_H
#define PARACORE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "paracore/protocol.h"

enum paracore_role { PARACORE_FRONTEND = 0, PARACORE_BACKEND = 1 };

/* One end's view of a channel's two rings. Private memory; the pointers lead into shared pages. */
struct paracore_ring {
    struct paracore_interface_page *page; /* shared */
    uint8_t *produce_data;                /* shared: the ring this end writes */
    const uint8_t *consume_data;          /* shared: the ring this end reads */
    uint32_t size;                        /* octets of one ring, a power of two */
    uint32_t produced;                    /* private; published on push */
    uint32_t published;                   /* what the peer has been shown of `produced` */
    uint32_t consumed;                    /* private; published on pop */
    uint32_t released;                    /* what the peer has been shown of `consumed` */
    uint32_t peer_consumed;               /* last bounded reading of the peer's consumer index */
    uint32_t peer_produced;               /* last bounded reading of the peer's producer index */
    enum paracore_role role;
};

/* Octets of the shared mapping of a channel: interface page and ring pages. */
size_t paracore_ring_mapping_size(uint32_t ring_order);

/* Writes a fresh interface page (zeros, magic, version, order). For the allocating side only. */
void paracore_ring_format(void *mapping, uint32_t ring_order);

/* Attaches to a mapping whose order is known from elsewhere (it is not read from the page).
 * Returns 0, -EINVAL for an order out of limits. */
int paracore_ring_attach(struct paracore_ring *ring, void *mapping, uint32_t ring_order,
                         enum paracore_role role);

/* Copies one message (header first, then the rest of `parts`) into the ring without showing it
 * to the peer. Total size is a multiple of 8 and at most message_max.
 * Returns 0, -EAGAIN when there is no room now, -EPROTO when the peer's index is impossible. */
int paracore_ring_push(struct paracore_ring *ring, const struct iovec *parts, int count);

/* Shows the peer all that was pushed. Returns true when the peer asked to be notified. */
bool paracore_ring_publish(struct paracore_ring *ring);

/* Copies the next message into `message` (message_max octets). Its header's size is checked here.
 * Returns its size, 0 when there is none, -EPROTO when the peer's index or the size is impossible. */
int paracore_ring_pop(struct paracore_ring *ring, void *message);

/* Shows the peer the space that pops have freed. Returns true when the peer asked to be notified. */
bool paracore_ring_release(struct paracore_ring *ring);

/* Arms the wake-up: the peer notifies at its next publish. Returns true when it is safe to sleep,
 * false when a message has arrived meanwhile (then do not sleep). */
bool paracore_ring_arm(struct paracore_ring *ring);

/* Arms the wake-up for space: the peer notifies once `octets` more are free. Returns true when it
 * is safe to sleep, false when there is room already. */
bool paracore_ring_arm_space(struct paracore_ring *ring, uint32_t octets);

/* Octets that can be pushed now; -EPROTO as paracore_ring_push. */
int64_t paracore_ring_space(struct paracore_ring *ring);

/* True when a message waits: one acquire load, for spinning. */
bool paracore_ring_readable(const struct paracore_ring *ring);

#endif
