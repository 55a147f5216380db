/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loop and its channels; turn.c is what it does with them.
 *
 * Theory of operation. A channel is either active or asleep. Active ones are looked at in turn, without
 * a system call; one that has had nothing for a while has its wake-up armed and falls asleep, and its
 * doorbell makes it active again. The loop itself sleeps in epoll_wait once no channel is active, that
 * is, when every peer knows that it has to ring.
 *
 * Doorbells are edge-triggered, see doorbell.h, and the rings say what there is to do. Watched descriptors are level-triggered: what does not fit into this batch is
 * there again in the next.
 */
#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "state.h"
#include "trace_mark.h"

/* --- channels ------------------------------------------------------------------------------------ */

static struct channel *find(const struct paracore_loop *loop, uint32_t number)
{
    struct channel *channel;

    LIST_FOREACH(channel, &loop->buckets[number % BUCKETS], bucket_entry)
        if (channel->number == number)
            return channel;
    return NULL;
}

void loop_activate(struct paracore_loop *loop, struct channel *channel)
{
    channel->idle_visits = 0;
    if (channel->active)
        return;
    channel->active = true;
    TAILQ_INSERT_TAIL(&loop->active, channel, active_entry);
}

void loop_deactivate(struct paracore_loop *loop, struct channel *channel)
{
    if (channel->active)
        TAILQ_REMOVE(&loop->active, channel, active_entry);
    channel->active = false;
}

void loop_soil(struct paracore_loop *loop, struct channel *channel)
{
    if (!channel->dirty)
        TAILQ_INSERT_TAIL(&loop->dirty, channel, dirty_entry);
    channel->dirty = true;
}

void loop_clean(struct paracore_loop *loop, struct channel *channel)
{
    if (channel->dirty)
        TAILQ_REMOVE(&loop->dirty, channel, dirty_entry);
    channel->dirty = false;
}

static int listen_to(const struct paracore_loop *loop, int fd, uint32_t events, struct source *source)
{
    struct epoll_event event = {.events = events, .data.ptr = source};

    return epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

void loop_stop_listening(const struct paracore_loop *loop, int fd)
{
    epoll_ctl(loop->epoll, EPOLL_CTL_DEL, fd, NULL);
}

int paracore_loop_channel_add(struct paracore_loop *loop, uint32_t number, uint32_t ring_order, int pages,
                              int doorbell_in, int doorbell_out, uint32_t port)
{
    struct channel *channel;
    struct paracore_doorbell in = {doorbell_in, port}, out = {doorbell_out, port};
    int error = channel_create(number, ring_order, pages, in, out, &channel);

    if (error)
        return error;
    if (find(loop, number))
        error = -EEXIST;
    else if (loop->channel_count == PARACORE_LOOP_CHANNELS_MAX)
        error = -ENOSPC;
    else
        error = listen_to(loop, doorbell_in, EPOLLIN | EPOLLET, &channel->source);
    if (error) {
        channel_destroy(channel);
        return error;
    }
    loop->channel_count++;
    LIST_INSERT_HEAD(&loop->buckets[number % BUCKETS], channel, bucket_entry);
    loop_activate(loop, channel); /* it may have been written before it was added */
    return 0;
}

static void drop(struct paracore_loop *loop, struct channel *channel)
{
    loop_stop_listening(loop, channel->doorbell_in.fd);
    loop_deactivate(loop, channel);
    loop_clean(loop, channel);
    LIST_REMOVE(channel, bucket_entry);
    loop->channel_count--;
    channel_destroy(channel);
}

int paracore_loop_channel_remove(struct paracore_loop *loop, uint32_t number)
{
    struct channel *channel = find(loop, number);

    if (!channel)
        return -ENOENT;
    drop(loop, channel);
    return 0;
}

int paracore_loop_send(struct paracore_loop *loop, uint32_t number, const void *message, uint32_t size)
{
    struct channel *channel = find(loop, number);

    if (!channel)
        return -ENOENT;
    paracore_trace_whole(PARACORE_BACKEND, number, message);
    int error = channel_send(channel, message, size);
    if (channel->violation) {
        if (!channel->reported)
            loop_activate(loop, channel); /* the next wait reports it */
        return 0;
    }
    if (error)
        return error;
    loop->statistics.messages_out++;
    loop_soil(loop, channel);
    if (!paracore_queue_empty(&channel->backlog))
        loop_activate(loop, channel);
    return 0;
}

void paracore_loop_flush(struct paracore_loop *loop)
{
    struct channel *channel;

    while ((channel = TAILQ_FIRST(&loop->dirty))) {
        loop_clean(loop, channel);
        loop->statistics.notifications_out += channel_flush(channel);
    }
}

/* --- the loop itself -------------------------------------------------------------------------------- */

int paracore_loop_create(uint64_t spin_ns, struct paracore_loop **out)
{
    struct paracore_loop *loop = calloc(1, sizeof *loop);

    if (!loop)
        return -ENOMEM;
    loop->spin_ns = spin_ns;
    TAILQ_INIT(&loop->active);
    TAILQ_INIT(&loop->dirty);
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (loop->epoll < 0) {
        int error = -errno;
        free(loop);
        return error;
    }
    *out = loop;
    return 0;
}

void paracore_loop_destroy(struct paracore_loop *loop)
{
    if (!loop)
        return;
    for (int i = 0; i < BUCKETS; i++)
        while (!LIST_EMPTY(&loop->buckets[i]))
            drop(loop, LIST_FIRST(&loop->buckets[i]));
    while (!LIST_EMPTY(&loop->watches))
        paracore_loop_unwatch(loop, LIST_FIRST(&loop->watches)->fd);
    close(loop->epoll);
    free(loop);
}

int paracore_loop_watch(struct paracore_loop *loop, int fd, uint32_t token)
{
    struct watch *watch = calloc(1, sizeof *watch);

    if (!watch)
        return -ENOMEM;
    *watch = (struct watch){.source.kind = SOURCE_WATCH, .fd = fd, .token = token};
    int error = listen_to(loop, fd, EPOLLIN, &watch->source);
    if (error)
        free(watch);
    else
        LIST_INSERT_HEAD(&loop->watches, watch, entry);
    return error;
}

int paracore_loop_unwatch(struct paracore_loop *loop, int fd)
{
    struct watch *watch;

    LIST_FOREACH(watch, &loop->watches, entry)
        if (watch->fd == fd)
            break;
    if (!watch)
        return -ENOENT;
    loop_stop_listening(loop, fd);
    LIST_REMOVE(watch, entry);
    free(watch);
    return 0;
}

void paracore_loop_statistics(const struct paracore_loop *loop, struct paracore_loop_statistics *out)
{
    *out = loop->statistics;
}
