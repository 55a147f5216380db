/* SPDX-License-Identifier: Apache-2.0 */
/* A channel's life but for its opening (open.c), and what can be asked about it. */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- beginning ------------------------------------------------------------------------------------ */

struct paracore_channel *channel_create(void)
{
    struct paracore_channel *channel = calloc(1, sizeof *channel);

    if (!channel)
        return NULL;
    pthread_mutex_init(&channel->lock, NULL);
    pthread_mutex_init(&channel->link_lock, NULL);
    pthread_cond_init(&channel->left, NULL);
    TAILQ_INIT(&channel->waiters);
    TAILQ_INIT(&channel->calls);
    channel->socket = channel->doorbell_in.fd = channel->doorbell_out.fd = -1;
    channel->outside = channel->attention = -1;
    channel->events.limit = EVENTS_MAX;
    channel->epoll = epoll_create1(EPOLL_CLOEXEC);
    channel->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return channel;
}

int channel_listen(int epoll, int fd, uint32_t events, uint32_t what)
{
    struct epoll_event event = {.events = events, .data.u32 = what};

    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

/* --- ending --------------------------------------------------------------------------------------- */

int channel_enter(struct paracore_channel *channel)
{
    pthread_mutex_lock(&channel->lock);
    if (channel->error) {
        int error = channel->error;
        pthread_mutex_unlock(&channel->lock);
        return error;
    }
    channel->users++;
    return 0;
}

void channel_leave(struct paracore_channel *channel)
{
    if (--channel->users == 0 && channel->closing)
        pthread_cond_broadcast(&channel->left);
    pthread_mutex_unlock(&channel->lock);
}

int channel_hold(struct paracore_channel *channel)
{
    int error = channel_enter(channel);

    if (error == 0)
        pthread_mutex_unlock(&channel->lock);
    return error;
}

void channel_drop(struct paracore_channel *channel)
{
    pthread_mutex_lock(&channel->lock);
    channel_leave(channel);
}

bool channel_is_dead(struct paracore_channel *channel)
{
    pthread_mutex_lock(&channel->lock);
    bool dead = channel->error != 0;
    pthread_mutex_unlock(&channel->lock);
    return dead;
}

void channel_fail(struct paracore_channel *channel, int error)
{
    struct waiter *waiter;

    if (channel->error)
        return;
    channel->error = error;
    shutdown(channel->socket, SHUT_WR); /* a backend that ends does not wait for one that says no more */
    paracore_notify(channel->wake);
    if (channel->attention >= 0)
        paracore_notify(channel->attention);
    TAILQ_FOREACH(waiter, &channel->waiters, entry)
        pthread_cond_signal(&waiter->woken);
}

static void close_if_open(int fd)
{
    if (fd >= 0)
        close(fd);
}

static void forget_calls(struct paracore_channel *channel)
{
    struct call *call;

    while ((call = TAILQ_FIRST(&channel->calls))) { /* abandoned ones: nobody is inside */
        TAILQ_REMOVE(&channel->calls, call, entry);
        free(call);
    }
}

static void unmap_buffers(struct paracore_channel *channel)
{
    struct mapped *mapped;

    while ((mapped = LIST_FIRST(&channel->buffers))) {
        LIST_REMOVE(mapped, entry);
        munmap(mapped->buffer.address, mapped->buffer.length);
        free(mapped);
    }
}

void channel_destroy(struct paracore_channel *channel)
{
    forget_calls(channel);
    unmap_buffers(channel);
    if (channel->mapping)
        munmap(channel->mapping, channel->mapping_size);
    paracore_queue_clear(&channel->events);
    close_if_open(channel->socket);
    close_if_open(channel->doorbell_in.fd);
    close_if_open(channel->doorbell_out.fd);
    close_if_open(channel->epoll);
    close_if_open(channel->wake);
    close_if_open(channel->outside);
    close_if_open(channel->attention);
    pthread_cond_destroy(&channel->left);
    pthread_mutex_destroy(&channel->link_lock);
    pthread_mutex_destroy(&channel->lock);
    free(channel);
}

void paracore_close(struct paracore_channel *channel)
{
    if (!channel)
        return;
    pthread_mutex_lock(&channel->lock);
    channel->closing = true;
    channel_fail(channel, -ECANCELED);
    shutdown(channel->socket, SHUT_RDWR); /* wakes a link request */
    while (channel->users)
        pthread_cond_wait(&channel->left, &channel->lock);
    pthread_mutex_unlock(&channel->lock);
    channel_destroy(channel);
}

/* --- asking --------------------------------------------------------------------------------------- */

const char *paracore_domain(struct paracore_channel *channel)
{
    return channel->domain;
}

uint32_t paracore_goodbye(struct paracore_channel *channel)
{
    return __atomic_load_n(&channel->goodbye, __ATOMIC_ACQUIRE);
}

void paracore_get_failure(struct paracore_channel *channel, struct paracore_failure *failure)
{
    pthread_mutex_lock(&channel->link_lock);
    *failure = channel->refused;
    pthread_mutex_unlock(&channel->link_lock);
}

void paracore_get_statistics(struct paracore_channel *channel, struct paracore_statistics *statistics)
{
    pthread_mutex_lock(&channel->lock);
    *statistics = channel->statistics;
    pthread_mutex_unlock(&channel->lock);
}
