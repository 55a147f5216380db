/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Buffers: pages that both sides have mapped.
 *
 * Each buffer is a file of its own, made by whoever hands out the channel, and is never used for anything
 * else: a backend that keeps its mapping keeps pages that this process no longer has.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { HUGE_PAGE = 2 << 20, REVOKE_TRIES = 1000 };

static int request_grant(struct paracore_channel *channel, uint64_t length, uint32_t flags, uint32_t *grant, int *fd)
{
    struct paracore_link_grant request = {.length = length, .flags = flags};
    struct paracore_link_grant_reply reply;
    int error = link_request(channel, PARACORE_OP_LINK_GRANT, &request, sizeof request, &reply, sizeof reply, fd, 1,
                             paracore_deadline(ADMIN_NS));

    if (error == 0)
        *grant = reply.grant;
    return error;
}

static int request_revoke(struct paracore_channel *channel, uint32_t grant)
{
    struct paracore_link_revoke request = {.grant = grant};

    return link_request(channel, PARACORE_OP_LINK_REVOKE, &request, sizeof request, NULL, 0, NULL, 0,
                        paracore_deadline(ADMIN_NS));
}

/* Takes a grant back. The backend may need a moment to see that its worker has unmapped it. */
static int revoke_grant(struct paracore_channel *channel, uint32_t grant)
{
    static const struct timespec moment = {.tv_nsec = 1000000};
    int error = request_revoke(channel, grant);

    for (int i = 0; error == -EBUSY && i < REVOKE_TRIES; i++) {
        nanosleep(&moment, NULL);
        error = request_revoke(channel, grant);
    }
    return error == -EBUSY ? -EIO : error;
}

static int map(int fd, uint64_t length, void **address)
{
    int error = link_check_pages(fd, length);

    if (error)
        return error;
    *address = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (*address == MAP_FAILED)
        return -errno;
    if (length >= HUGE_PAGE)
        madvise(*address, length, MADV_HUGEPAGE); /* a wish: pictures touch many pages */
    return 0;
}

static int attach(struct paracore_channel *channel, struct paracore_buffer *buffer)
{
    struct paracore_core_buffer_attach request = {
        .grant = buffer->grant, .flags = buffer->flags, .length = buffer->length};
    struct paracore_core_buffer_attach_reply reply;
    struct paracore_failure failure;
    size_t reply_size = sizeof reply;
    int error = paracore_call(channel, PARACORE_OP_CORE_BUFFER_ATTACH, 0, &request, sizeof request, &reply,
                              &reply_size, &failure, ADMIN_NS);

    if (error == 0) {
        buffer->id = reply.buffer;
        return 0;
    }
    pthread_mutex_lock(&channel->link_lock);
    channel->refused = failure;
    pthread_mutex_unlock(&channel->link_lock);
    return error;
}

static int detach(struct paracore_channel *channel, uint32_t id)
{
    struct paracore_core_buffer_detach request = {.buffer = id};

    return paracore_call(channel, PARACORE_OP_CORE_BUFFER_DETACH, 0, &request, sizeof request, NULL, NULL, NULL,
                         ADMIN_NS);
}

static struct mapped *find(const struct paracore_channel *channel, uint32_t id)
{
    struct mapped *mapped;

    LIST_FOREACH(mapped, &channel->buffers, entry)
        if (mapped->buffer.id == id)
            break;
    return mapped;
}

/* A number that names another buffer, or none, is the end of the channel: destroying the one would unmap the
 * other. Returns 0 or -EPROTO. */
static int remember(struct paracore_channel *channel, struct mapped *mapped)
{
    pthread_mutex_lock(&channel->lock);
    int error = mapped->buffer.id == 0 || find(channel, mapped->buffer.id) ? -EPROTO : 0;
    if (error) {
        channel_fail(channel, error);
    } else {
        LIST_INSERT_HEAD(&channel->buffers, mapped, entry);
        channel->statistics.buffers++;
        channel->statistics.bytes_granted += mapped->buffer.length;
    }
    pthread_mutex_unlock(&channel->lock);
    return error;
}

/* Unmaps a buffer that the backend has given back, or never will. */
static void forget(struct paracore_channel *channel, uint32_t id)
{
    pthread_mutex_lock(&channel->lock);
    struct mapped *mapped = find(channel, id);
    if (mapped) {
        LIST_REMOVE(mapped, entry);
        channel->statistics.buffers--;
        channel->statistics.bytes_granted -= mapped->buffer.length;
        munmap(mapped->buffer.address, mapped->buffer.length);
        free(mapped);
    }
    pthread_mutex_unlock(&channel->lock);
}

/* Grants, maps and attaches; undoes what it did when a step fails. */
static int make(struct paracore_channel *channel, struct paracore_buffer *buffer, int *fd)
{
    int error = request_grant(channel, buffer->length, buffer->flags, &buffer->grant, fd);

    if (error)
        return error;
    error = map(*fd, buffer->length, &buffer->address);
    if (error == 0) {
        error = attach(channel, buffer);
        if (error)
            munmap(buffer->address, buffer->length);
    }
    if (error) {
        close(*fd);
        revoke_grant(channel, buffer->grant);
    }
    return error;
}

/* The same with what is remembered of it; the channel is held. What did not succeed leaves nothing in *fd: whoever keeps
 * the number of a descriptor that is closed closes another's later. */
static int create(struct paracore_channel *channel, uint64_t length, uint32_t flags, struct paracore_buffer *buffer,
                  int *fd)
{
    struct mapped *mapped = calloc(1, sizeof *mapped);
    int pages;

    if (!mapped)
        return -ENOMEM;
    mapped->buffer.length = (length + PARACORE_PAGE_SIZE - 1) & ~(uint64_t)(PARACORE_PAGE_SIZE - 1);
    mapped->buffer.flags = flags;
    int error = make(channel, &mapped->buffer, &pages);
    if (error == 0 && (error = remember(channel, mapped))) {
        munmap(mapped->buffer.address, mapped->buffer.length);
        close(pages);
    }
    if (error) {
        free(mapped);
        return error;
    }
    *buffer = mapped->buffer;
    *fd = pages;
    return 0;
}

int paracore_buffer_create_open(struct paracore_channel *channel, uint64_t length, uint32_t flags,
                                struct paracore_buffer *buffer, int *fd)
{
    if (length == 0 || length > PARACORE_BUFFER_MAX || (flags & ~(uint32_t)PARACORE_BUFFER_FLAG_READ_ONLY))
        return -EINVAL;
    int error = channel_hold(channel);
    if (error)
        return error;
    error = create(channel, length, flags, buffer, fd);
    channel_drop(channel);
    return error;
}

int paracore_buffer_create(struct paracore_channel *channel, uint64_t length, uint32_t flags,
                           struct paracore_buffer *buffer)
{
    int fd;
    int error = paracore_buffer_create_open(channel, length, flags, buffer, &fd);

    if (error == 0)
        close(fd);
    return error;
}

int paracore_buffer_leave(struct paracore_channel *channel, struct paracore_buffer *buffer)
{
    int error = -EBUSY;

    pthread_mutex_lock(&channel->lock);
    struct mapped *mapped = channel->error ? find(channel, buffer->id) : NULL;
    if (mapped) {
        LIST_REMOVE(mapped, entry);
        channel->statistics.buffers--;
        channel->statistics.bytes_granted -= mapped->buffer.length;
        free(mapped);
        error = 0;
    }
    pthread_mutex_unlock(&channel->lock);
    if (error == 0)
        *buffer = (struct paracore_buffer){0};
    return error;
}

int paracore_buffer_destroy(struct paracore_channel *channel, struct paracore_buffer *buffer)
{
    int gone = channel_hold(channel);
    int error = gone ? gone : detach(channel, buffer->id);

    if (error && !gone && !channel_is_dead(channel)) {
        channel_drop(channel);
        return error;
    }
    uint32_t grant = buffer->grant;
    forget(channel, buffer->id);
    *buffer = (struct paracore_buffer){0};
    if (gone)
        return 0;
    error = error ? 0 : revoke_grant(channel, grant);
    channel_drop(channel);
    return error;
}
