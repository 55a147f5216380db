/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Granted pages in pieces. Granting, attaching and taking back are three messages each, a millisecond and more in all: a
 * program that asks for twenty buffers gets them out of one grant.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

struct shim_pages {
    struct shim_link *link; /* a reference */
    struct paracore_buffer buffer;
    uint32_t pieces; /* that are not dropped; atomic */
};

static uint64_t in_pages(uint64_t length)
{
    return (length + PARACORE_PAGE_SIZE - 1) & ~(uint64_t)(PARACORE_PAGE_SIZE - 1);
}

static int grant(struct shim_link *link, uint64_t length, uint32_t flags, uint32_t count, struct shim_pages **out)
{
    struct shim_pages *pages = calloc(1, sizeof *pages);

    if (!pages)
        return -ENOMEM;
    int error = paracore_buffer_create(link->channel, length * count, flags, &pages->buffer);
    if (error) {
        free(pages);
        return error;
    }
    shim_link_keep(link);
    pages->link = link;
    pages->pieces = count;
    *out = pages;
    return 0;
}

/* A domain whose limit has no room for all gets as many as it asks for one by one. */
static bool may_be_less(int error)
{
    return error == -ENOSPC || error == -ENOMEM;
}

int shim_pieces_make(struct shim_link *link, uint64_t length, uint32_t flags, uint32_t count, struct shim_piece *pieces)
{
    struct shim_pages *pages;

    if (length == 0 || length > PARACORE_BUFFER_MAX || count == 0)
        return -EINVAL;
    length = in_pages(length);
    if (count > PARACORE_BUFFER_MAX / length)
        count = (uint32_t)(PARACORE_BUFFER_MAX / length);
    int error = grant(link, length, flags, count, &pages);
    if (may_be_less(error) && count > 1)
        error = grant(link, length, flags, count = 1, &pages);
    if (error)
        return error;
    for (uint32_t i = 0; i < count; i++)
        pieces[i] = (struct shim_piece){.pages = pages,
                                        .address = (uint8_t *)pages->buffer.address + i * length,
                                        .length = length,
                                        .offset = i * length,
                                        .buffer = pages->buffer.id};
    return (int)count;
}

int shim_piece_drop(struct shim_piece *piece)
{
    struct shim_pages *pages = piece->pages;

    if (__atomic_sub_fetch(&pages->pieces, 1, __ATOMIC_ACQ_REL) != 0)
        return 0;
    if (paracore_buffer_destroy(pages->link->channel, &pages->buffer) == -EBUSY) {
        __atomic_store_n(&pages->pieces, 1, __ATOMIC_RELEASE);
        return -EBUSY;
    }
    shim_link_put(pages->link);
    free(pages);
    return 0;
}
