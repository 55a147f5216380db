/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ring of docs/protocol/ring.md. What ring.h promises is not repeated here.
 *
 * Memory ordering, both directions alike. All of it stands in the four helpers below.
 *
 *   producer                                 consumer
 *     copy the payload in                      load prod (acquire)
 *     store prod (seq_cst)                     bound it, copy the message out
 *     load the consumer's event (seq_cst)      store cons (seq_cst)
 *     event passed: notify                     load the producer's space_event (seq_cst)
 *                                            before it sleeps
 *                                              store event (seq_cst)
 *                                              load prod (seq_cst): moved? then do not sleep
 *
 * A seq_cst store is a release as well: the payload is visible before the index (the write
 * barrier of the document). Of a store and a later load, both seq_cst, no processor performs the
 * load first (its full barrier; stlr and ldar on ARM64). Hence of two sides that each store their
 * own word and then load the other's, at least one sees the other's store: no wake-up is lost.
 */
#include "paracore/ring.h"

#include <errno.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the wire is little-endian and this code does not swap octets"
#endif

/* What one side writes into the interface page: its cache line, named without direction. */
struct line {
    uint32_t prod;        /* octets produced into the ring this side writes */
    uint32_t cons;        /* octets consumed from the ring this side reads */
    uint32_t event;       /* notify me once your prod has passed this */
    uint32_t space_event; /* notify me once your cons has passed this */
};

enum { LINE = 64, HEADER = sizeof(struct paracore_message_header) };

#define LINE_IS(side, prod_field, cons_field, event_field, space_field)                                         \
    _Static_assert(offsetof(struct paracore_interface_page, prod_field) == LINE * (1 + (side)), "prod");           \
    _Static_assert(offsetof(struct paracore_interface_page, cons_field) == LINE * (1 + (side)) + 4, "cons");       \
    _Static_assert(offsetof(struct paracore_interface_page, event_field) == LINE * (1 + (side)) + 8, "event");     \
    _Static_assert(offsetof(struct paracore_interface_page, space_field) == LINE * (1 + (side)) + 12, "space_event")

LINE_IS(PARACORE_FRONTEND, out_prod, in_cons, in_event, out_space_event);
LINE_IS(PARACORE_BACKEND, in_prod, out_cons, out_event, in_space_event);

static struct line *line_of(const struct paracore_ring *ring, enum paracore_role role)
{
    void *line = (uint8_t *)ring->page + (size_t)LINE * (1 + (size_t)role);

    return line;
}

static struct line *own(const struct paracore_ring *ring)
{
    return line_of(ring, ring->role);
}

static const struct line *peer(const struct paracore_ring *ring)
{
    return line_of(ring, ring->role == PARACORE_FRONTEND ? PARACORE_BACKEND : PARACORE_FRONTEND);
}

/* SAFETY: the peer may write any value at any time. The word is loaded once, whole; the caller
 * bounds the copy. Acquire: what the peer wrote before it stored this index is visible after. */
static uint32_t read_index(const uint32_t *shared)
{
    return __atomic_load_n(shared, __ATOMIC_ACQUIRE);
}

/* SAFETY: as read_index; a lie about a threshold costs a notification too many or, to the peer
 * itself, one too few. seq_cst: not before this side's last show(). */
static uint32_t read_after_show(const uint32_t *shared)
{
    return __atomic_load_n(shared, __ATOMIC_SEQ_CST);
}

/* SAFETY: the value comes from private memory and is never read back, so it is of no use to the
 * peer to overwrite it. seq_cst: see the top of this file. */
static void show(uint32_t *shared, uint32_t value)
{
    __atomic_store_n(shared, value, __ATOMIC_SEQ_CST);
}

/* SAFETY: the peer may rewrite the octets while they are copied; the copy may then be garbage but
 * is private and is all that anybody looks at. Forbids the compiler to read the originals again. */
static void snapshot_taken(void)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* True when an index went past `event` on its way from `before` to `after`. */
static bool passed(uint32_t event, uint32_t before, uint32_t after)
{
    return event - before < after - before;
}

size_t paracore_ring_mapping_size(uint32_t ring_order)
{
    return (size_t)PARACORE_PAGE_SIZE * (1 + ((size_t)1 << ring_order));
}

void paracore_ring_format(void *mapping, uint32_t ring_order)
{
    struct paracore_interface_page *page = mapping;

    memset(page, 0, PARACORE_PAGE_SIZE);
    page->magic = PARACORE_MAGIC;
    page->version = PARACORE_PROTOCOL_VERSION;
    page->ring_order = ring_order;
}

int paracore_ring_attach(struct paracore_ring *ring, void *mapping, uint32_t ring_order, enum paracore_role role)
{
    uint8_t *out = (uint8_t *)mapping + PARACORE_PAGE_SIZE;

    if (ring_order < PARACORE_RING_ORDER_MIN || ring_order > PARACORE_RING_ORDER_MAX)
        return -EINVAL;
    *ring = (struct paracore_ring){
        .page = mapping,
        .size = (uint32_t)PARACORE_PAGE_SIZE << (ring_order - 1),
        .role = role,
    };
    uint8_t *in = out + ring->size;
    ring->produce_data = role == PARACORE_FRONTEND ? out : in;
    ring->consume_data = role == PARACORE_FRONTEND ? in : out;
    return 0;
}

/* --- producing ------------------------------------------------------------------------------- */

static uint32_t room(const struct paracore_ring *ring)
{
    return ring->size - (ring->produced - ring->peer_consumed);
}

/* The peer may have consumed more than at the last reading, but nothing that it was not shown. */
static int read_peer_consumed(struct paracore_ring *ring)
{
    uint32_t index = read_index(&peer(ring)->cons);

    if (index - ring->peer_consumed > ring->published - ring->peer_consumed)
        return -EPROTO;
    ring->peer_consumed = index;
    return 0;
}

int64_t paracore_ring_space(struct paracore_ring *ring)
{
    int error = read_peer_consumed(ring);

    return error ? error : (int64_t)room(ring);
}

static void copy_in(struct paracore_ring *ring, const uint8_t *from, size_t length)
{
    size_t at = ring->produced & (ring->size - 1);
    size_t first = length < ring->size - at ? length : ring->size - at;

    /* SAFETY: shared memory is only written here, and only the part that `room` found free. */
    memcpy(ring->produce_data + at, from, first);
    if (length > first)
        memcpy(ring->produce_data, from + first, length - first);
    ring->produced += (uint32_t)length;
}

int paracore_ring_push(struct paracore_ring *ring, const struct iovec *parts, int count)
{
    size_t total = 0;

    for (int i = 0; i < count; i++)
        total += parts[i].iov_len;
    if (total < HEADER || total > PARACORE_MESSAGE_MAX || total % 8)
        return -EINVAL;
    if (room(ring) < total) {
        int error = read_peer_consumed(ring);
        if (error)
            return error;
        if (room(ring) < total)
            return -EAGAIN;
    }
    for (int i = 0; i < count; i++)
        if (parts[i].iov_len)
            copy_in(ring, parts[i].iov_base, parts[i].iov_len);
    return 0;
}

bool paracore_ring_publish(struct paracore_ring *ring)
{
    uint32_t before = ring->published;

    if (before == ring->produced)
        return false;
    show(&own(ring)->prod, ring->produced);
    ring->published = ring->produced;
    return passed(read_after_show(&peer(ring)->event), before, ring->published);
}

bool paracore_ring_arm_space(struct paracore_ring *ring, uint32_t octets)
{
    /* `octets` are free once cons reaches produced + octets - size; an event is passed, not reached. */
    show(&own(ring)->space_event, ring->produced + octets - ring->size - 1);
    uint32_t index = read_after_show(&peer(ring)->cons);
    return ring->size - (ring->produced - index) < octets;
}

/* --- consuming ------------------------------------------------------------------------------- */

/* The peer may have produced more than at the last reading, but no more than it was shown room for. */
static int read_peer_produced(struct paracore_ring *ring)
{
    uint32_t index = read_index(&peer(ring)->prod);

    if (index - ring->peer_produced > ring->released + ring->size - ring->peer_produced)
        return -EPROTO;
    ring->peer_produced = index;
    return 0;
}

/* Reads the header once, word by word: it is at a multiple of 8, and so is the ring's end. */
static struct paracore_message_header read_header(const struct paracore_ring *ring)
{
    struct paracore_message_header header;
    uint64_t words[HEADER / 8];

    for (uint32_t i = 0; i < HEADER / 8; i++) {
        uint32_t at = (ring->consumed + 8 * i) & (ring->size - 1);
        /* SAFETY: the peer may write here meanwhile; each word is loaded once and kept. */
        words[i] = __atomic_load_n((const uint64_t *)(const void *)(ring->consume_data + at), __ATOMIC_RELAXED);
    }
    memcpy(&header, words, sizeof header);
    return header;
}

static void copy_out(const struct paracore_ring *ring, uint32_t from, uint8_t *to, size_t length)
{
    size_t at = from & (ring->size - 1);
    size_t first = length < ring->size - at ? length : ring->size - at;

    /* SAFETY: `length` is private and bounded by the caller; see snapshot_taken for the octets. */
    memcpy(to, ring->consume_data + at, first);
    if (length > first)
        memcpy(to + first, ring->consume_data, length - first);
    snapshot_taken();
}

int paracore_ring_pop(struct paracore_ring *ring, void *message)
{
    if (ring->consumed == ring->peer_produced) {
        int error = read_peer_produced(ring);
        if (error)
            return error;
        if (ring->consumed == ring->peer_produced)
            return 0;
    }
    uint32_t available = ring->peer_produced - ring->consumed;
    if (available < HEADER || available % 8)
        return -EPROTO;
    struct paracore_message_header header = read_header(ring);
    if (header.size < HEADER || header.size > PARACORE_MESSAGE_MAX || header.size % 8 || header.size > available)
        return -EPROTO;
    memcpy(message, &header, HEADER);
    copy_out(ring, ring->consumed + HEADER, (uint8_t *)message + HEADER, header.size - HEADER);
    ring->consumed += header.size;
    return (int)header.size;
}

bool paracore_ring_release(struct paracore_ring *ring)
{
    uint32_t before = ring->released;

    if (before == ring->consumed)
        return false;
    show(&own(ring)->cons, ring->consumed);
    ring->released = ring->consumed;
    return passed(read_after_show(&peer(ring)->space_event), before, ring->released);
}

bool paracore_ring_arm(struct paracore_ring *ring)
{
    show(&own(ring)->event, ring->consumed);
    return read_after_show(&peer(ring)->prod) == ring->consumed;
}

bool paracore_ring_readable(const struct paracore_ring *ring)
{
    return read_index(&peer(ring)->prod) != ring->consumed;
}
