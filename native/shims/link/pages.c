/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Granted pages in pieces. Granting, attaching and taking back are three messages each, a millisecond and more in all: a
 * program that asks for twenty buffers gets them out of one grant.
 *
 * When the channel is lost the program keeps what it has mapped, at the addresses it knows. The same length is granted
 * again on the next channel, and each piece's new pages take the place of its old ones when it is lent next: then it
 * is not the program's to write to, and what it held can be copied.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static uint64_t in_pages(uint64_t length)
{
    return (length + PARACORE_PAGE_SIZE - 1) & ~(uint64_t)(PARACORE_PAGE_SIZE - 1);
}

static void add(struct shim_link *link, struct shim_pages *pages)
{
    pthread_mutex_lock(&link->lock);
    pages->name = ++link->last_name;
    LIST_INSERT_HEAD(&link->pages, pages, entry);
    pthread_mutex_unlock(&link->lock);
}

static void all_stale(struct shim_pages *pages)
{
    pages->stale_count = (uint32_t)(pages->length / pages->piece);
    for (uint32_t n = 0; n < pages->stale_count; n++)
        pages->stale[n] = true;
}

/* The channel has just died, and another will follow: pages of the process's own stand in until there is one. */
static int stand_in(struct shim_link *link, struct shim_pages *pages)
{
    if (!link->recovers)
        return -EPIPE;
    pages->address = mmap(NULL, pages->length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages->address == MAP_FAILED)
        return -errno;
    pages->moved = true;
    all_stale(pages);
    return 0;
}

static int grant_now(struct shim_link *link, struct shim_pages *pages)
{
    struct use use;
    int error = pump_start(link);

    if (error == 0)
        error = use_begin(link, &use);
    if (error)
        return error;
    error = paracore_buffer_create(use.channel, pages->length, pages->flags, &pages->buffer);
    if (error == 0)
        pages->address = pages->buffer.address;
    if (error == -EPIPE)
        error = stand_in(link, pages);
    if (error == 0)
        add(link, pages);
    use_end(link);
    return error;
}

static int grant(struct shim_link *link, uint64_t piece, uint32_t flags, uint32_t count, struct shim_pages **out)
{
    struct shim_pages *pages = calloc(1, sizeof *pages + count * sizeof *pages->stale);

    if (!pages)
        return -ENOMEM;
    pages->link = link;
    pages->flags = flags;
    pages->length = piece * count;
    pages->piece = piece;
    pages->pieces = count;
    pages->fd = -1;
    int error = grant_now(link, pages);
    if (error) {
        free(pages);
        return error;
    }
    shim_link_keep(link);
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
                                        .address = pages->address + i * length,
                                        .length = length,
                                        .offset = i * length,
                                        .buffer = pages->name};
    return (int)count;
}

/* The last piece is dropped. Returns false when the pages are still in use. */
static bool destroy(struct shim_pages *pages)
{
    struct shim_link *link = pages->link;
    struct use use;
    int error = use_begin(link, &use);

    if (error == -ETIMEDOUT)
        return false;
    pthread_mutex_lock(&link->lock);
    bool held = pages->held;
    if (!held)
        LIST_REMOVE(pages, entry);
    pthread_mutex_unlock(&link->lock);
    bool busy = held || (pages->buffer.id && paracore_buffer_destroy(link->channel, &pages->buffer) == -EBUSY);
    if (busy && !held) {
        pthread_mutex_lock(&link->lock);
        LIST_INSERT_HEAD(&link->pages, pages, entry);
        pthread_mutex_unlock(&link->lock);
    }
    if (error == 0)
        use_end(link);
    return !busy;
}

int shim_piece_drop(struct shim_piece *piece)
{
    struct shim_pages *pages = piece->pages;

    if (__atomic_sub_fetch(&pages->pieces, 1, __ATOMIC_ACQ_REL) != 0)
        return 0;
    if (!destroy(pages)) {
        __atomic_store_n(&pages->pieces, 1, __ATOMIC_RELEASE);
        return -EBUSY;
    }
    if (pages->moved)
        munmap(pages->address, pages->length);
    if (pages->fd >= 0)
        close(pages->fd);
    shim_link_put(pages->link);
    free(pages);
    return 0;
}

/* --- what is lent of them ------------------------------------------------------------------------------------ */

struct shim_pages *pages_hold(struct shim_link *link, uint32_t name)
{
    struct shim_pages *pages;

    pthread_mutex_lock(&link->lock);
    LIST_FOREACH(pages, &link->pages, entry)
        if (pages->name == name)
            break;
    if (pages)
        pages->held++;
    pthread_mutex_unlock(&link->lock);
    return pages;
}

void pages_release(struct shim_pages *pages)
{
    if (!pages)
        return;
    pthread_mutex_lock(&pages->link->lock);
    pages->held--;
    pthread_mutex_unlock(&pages->link->lock);
}

const uint8_t *pages_at(const struct shim_pages *pages, const struct paracore_span *span)
{
    bool within = span->offset <= pages->length && span->length <= pages->length - span->offset;

    return within ? pages->address + span->offset : NULL;
}

/*
 * Puts the pages of the present channel in the place of a piece's old ones. It is for the backend now, so the program
 * writes nothing there meanwhile; another thread that reads sees the old pages or the new.
 * The new mapping is made elsewhere first: should that fail, the old one is still there.
 */
static int renew(struct shim_pages *pages, uint32_t index, bool keep)
{
    uint64_t offset = index * pages->piece;
    int protection = PROT_READ | PROT_WRITE;

    if (!pages->stale[index])
        return 0;
    if (keep)
        memcpy((uint8_t *)pages->buffer.address + offset, pages->address + offset, pages->piece);
    void *fresh = mmap(NULL, pages->piece, protection, MAP_SHARED, pages->fd, (off_t)offset);
    if (fresh == MAP_FAILED)
        return -errno;
    if (mremap(fresh, pages->piece, pages->piece, MREMAP_MAYMOVE | MREMAP_FIXED, pages->address + offset) ==
        MAP_FAILED) {
        munmap(fresh, pages->piece);
        return -EIO;
    }
    pages->stale[index] = false;
    if (--pages->stale_count == 0) {
        close(pages->fd);
        pages->fd = -1;
    }
    return 0;
}

int pages_lend(struct shim_pages *pages, struct paracore_span *span, bool keep)
{
    int error = pages_at(pages, span) && span->length ? 0 : -EINVAL;

    pthread_mutex_lock(&pages->link->lock);
    if (error == 0 && !pages->buffer.id)
        error = pages->error ? pages->error : -EPIPE; /* not granted again; or the channel is dead, and it is not known yet */
    for (uint64_t at = span->offset / pages->piece; error == 0 && pages->stale_count; at++) {
        if (at * pages->piece >= span->offset + span->length)
            break;
        error = renew(pages, (uint32_t)at, keep);
    }
    span->buffer = pages->buffer.id;
    pthread_mutex_unlock(&pages->link->lock);
    return error;
}

/* --- when the channel is lost --------------------------------------------------------------------------------- */

/* What the program has mapped stays its own; pages that were granted after an earlier loss and are nowhere yet go. */
void pages_leave(struct shim_pages *pages, struct paracore_channel *lost)
{
    if (pages->moved)
        paracore_buffer_destroy(lost, &pages->buffer);
    else if (paracore_buffer_leave(lost, &pages->buffer) == 0)
        pages->moved = true;
    if (pages->fd >= 0)
        close(pages->fd);
    pages->fd = -1;
    all_stale(pages);
}

void pages_grant_again(struct shim_pages *pages, struct paracore_channel *channel)
{
    pages->error =
        paracore_buffer_create_open(channel, pages->length, pages->flags, &pages->buffer, &pages->fd);
}
