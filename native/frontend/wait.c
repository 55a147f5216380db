/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting, so that several threads can do it at once.
 *
 * Theory of operation. One of the waiting threads leads: it alone takes messages out of the ring, for
 * everybody, and it alone sleeps on the descriptors. The others follow: each sleeps on a condition of its
 * own until the leader has what it waits for. A leader that has what it wanted leaves and wakes one
 * follower, which leads from then on. A lone thread thus never touches a condition.
 */
#include "internal.h"

#include <errno.h>
#include <sys/epoll.h>

void wait_publish(struct paracore_channel *channel)
{
    if (paracore_ring_publish(&channel->ring))
        channel->statistics.notifications_out += paracore_doorbell_ring(&channel->doorbell_out);
}

static bool has(struct paracore_channel *channel, const struct waiter *waiter)
{
    int64_t space;

    switch (waiter->what) {
    case FOR_REPLY:
        return waiter->call->done;
    case FOR_EVENT:
        return !paracore_queue_empty(&channel->events);
    default: /* an impossible index counts as space: the next push will say what it is */
        space = paracore_ring_space(&channel->ring);
        return space < 0 || space >= waiter->space;
    }
}

/* Without room for one more event nothing can be received, hence nothing else be waited for. */
static bool choked(const struct paracore_channel *channel, const struct waiter *waiter)
{
    return waiter->what != FOR_EVENT && !paracore_queue_has_room(&channel->events);
}

static bool settled(struct paracore_channel *channel, const struct waiter *waiter)
{
    return has(channel, waiter) || channel->error || choked(channel, waiter);
}

/* Wakes the followers that have something to see. */
static void wake_followers(struct paracore_channel *channel)
{
    struct waiter *waiter;

    TAILQ_FOREACH(waiter, &channel->waiters, entry)
        if (settled(channel, waiter))
            pthread_cond_signal(&waiter->woken);
}

/* Asks to be woken for the least space that anybody still waits for. False when there is that much.
 * Those who have enough already do not count: they are awake, and only want the lock. */
static bool arm_space(struct paracore_channel *channel)
{
    struct waiter *waiter;
    uint32_t least = 0;

    TAILQ_FOREACH(waiter, &channel->waiters, entry)
        if (waiter->what == FOR_SPACE && !has(channel, waiter) && (least == 0 || waiter->space < least))
            least = waiter->space;
    return least == 0 || paracore_ring_arm_space(&channel->ring, least);
}

/* --- leading -------------------------------------------------------------------------------------- */

static void spin(struct paracore_channel *channel)
{
    if (channel->spin_ns == 0)
        return;
    pthread_mutex_unlock(&channel->lock);
    uint64_t until = paracore_now() + channel->spin_ns;
    while (!paracore_ring_readable(&channel->ring) && paracore_now() < until)
        paracore_relax();
    pthread_mutex_lock(&channel->lock);
}

/* Sleeps until a descriptor is ready. Returns 0 or -EINTR. */
static int sleep_once(struct paracore_channel *channel, int timeout_ms)
{
    struct epoll_event ready[3];
    bool socket_ready = false;

    if (!paracore_ring_arm(&channel->ring) || !arm_space(channel))
        return 0;
    channel->statistics.sleeps++;
    pthread_mutex_unlock(&channel->lock);
    int count = epoll_wait(channel->epoll, ready, 3, timeout_ms);
    int error = count < 0 ? -errno : 0;
    pthread_mutex_lock(&channel->lock);
    for (int i = 0; i < count; i++) {
        socket_ready |= ready[i].data.u32 == READY_SOCKET;
        if (ready[i].data.u32 == READY_DOORBELL) {
            channel->statistics.notifications_in++;
            paracore_doorbell_answer(&channel->doorbell_in);
        }
    }
    receive_all(channel); /* before the socket: what was sent before the end still counts */
    if (socket_ready)
        link_listen(channel);
    return error;
}

/* One round of leading. Returns 0 or -EINTR. */
static int lead(struct paracore_channel *channel, struct waiter *waiter, uint64_t deadline)
{
    int error = 0;

    channel->led = true;
    receive_all(channel);
    int left = settled(channel, waiter) ? 0 : paracore_milliseconds_until(deadline);
    if (left != 0) {
        spin(channel);
        receive_all(channel);
        if (!settled(channel, waiter))
            error = sleep_once(channel, left);
    }
    channel->led = false;
    wake_followers(channel);
    return error;
}

/* --- following ------------------------------------------------------------------------------------ */

static int follow(struct paracore_channel *channel, struct waiter *waiter, uint64_t deadline)
{
    struct timespec time = {.tv_sec = (time_t)(deadline / PARACORE_NS_PER_S),
                            .tv_nsec = (long)(deadline % PARACORE_NS_PER_S)};

    if (waiter->what == FOR_SPACE && !arm_space(channel))
        return 0;
    if (deadline == UINT64_MAX)
        pthread_cond_wait(&waiter->woken, &channel->lock);
    else
        pthread_cond_clockwait(&waiter->woken, &channel->lock, CLOCK_MONOTONIC, &time);
    return 0;
}

/* Nobody leads: lets the first of the others do so, or keeps a promise made by paracore_arm(). */
static void pass_on(struct paracore_channel *channel)
{
    struct waiter *next = TAILQ_FIRST(&channel->waiters);

    if (channel->led)
        return;
    if (next) {
        pthread_cond_signal(&next->woken);
        return;
    }
    if (channel->armed) /* it may have rung while the leader was about to leave */
        paracore_doorbell_answer(&channel->doorbell_in);
    while (channel->armed && !channel->error && paracore_queue_has_room(&channel->events) &&
           !paracore_ring_arm(&channel->ring))
        receive_all(channel);
}

static int wait_until_settled(struct paracore_channel *channel, struct waiter *waiter, uint64_t deadline)
{
    for (bool expired = false;;) {
        if (has(channel, waiter))
            return 0;
        if (channel->error)
            return channel->error;
        if (choked(channel, waiter))
            return -ENOBUFS;
        if (expired)
            return -ETIMEDOUT;
        int error = channel->led ? follow(channel, waiter, deadline) : lead(channel, waiter, deadline);
        if (error && waiter->what == FOR_EVENT)
            return error; /* a signal: nothing is lost by going back */
        expired = paracore_milliseconds_until(deadline) == 0;
    }
}

int wait_for(struct paracore_channel *channel, struct waiter *waiter, uint64_t deadline)
{
    waiter->woken = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
    wait_publish(channel);
    TAILQ_INSERT_TAIL(&channel->waiters, waiter, entry);
    int error = wait_until_settled(channel, waiter, deadline);
    TAILQ_REMOVE(&channel->waiters, waiter, entry);
    pthread_cond_destroy(&waiter->woken);
    pass_on(channel);
    return error;
}

void wait_pump(struct paracore_channel *channel)
{
    if (!channel->led)
        receive_all(channel);
}
