/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Theory of operation. A channel is either active or asleep. Active ones are looked at in turn, without
 * a system call; one that has had nothing for a while has its wake-up armed and falls asleep, and its
 * doorbell makes it active again. The loop itself sleeps in epoll_wait once no channel is active, that
 * is, when every peer knows that it has to ring.
 *
 * Doorbells are edge-triggered and never read: an eventfd makes an edge at each write, and the rings say
 * what there is to do. Watched descriptors are level-triggered: what does not fit into this batch is
 * there again in the next.
 */
#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "channel.h"
#include "clock.h"
#include "native.h"

enum {
    BUCKETS = 256,
    QUANTUM = 4,                              /* messages of one channel before the next has its turn */
    IDLE_VISITS = 32,                         /* after which a channel sleeps though others are busy */
    PASSES = 64,                              /* over the active channels before descriptors are looked at */
    EVENTS = 64,                              /* epoll events taken at once */
    ARENA = 64 * (int)PARACORE_MESSAGE_MAX,   /* private copies of one batch */
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

/* The entries of one wait. */
struct batch {
    struct paracore_entry *entries;
    int count;
    int message_room; /* of which messages may take so many */
    int room;
};

static struct paracore_entry *add_entry(struct batch *batch, uint32_t kind, uint32_t channel)
{
    struct paracore_entry *entry = &batch->entries[batch->count++];

    *entry = (struct paracore_entry){.kind = kind, .channel = channel};
    return entry;
}

/* --- channels ------------------------------------------------------------------------------------ */

static struct channel *find(const struct paracore_loop *loop, uint32_t number)
{
    struct channel *channel;

    LIST_FOREACH(channel, &loop->buckets[number % BUCKETS], bucket_entry)
        if (channel->number == number)
            return channel;
    return NULL;
}

static void activate(struct paracore_loop *loop, struct channel *channel)
{
    channel->idle_visits = 0;
    if (channel->active)
        return;
    channel->active = true;
    TAILQ_INSERT_TAIL(&loop->active, channel, active_entry);
}

static void deactivate(struct paracore_loop *loop, struct channel *channel)
{
    if (channel->active)
        TAILQ_REMOVE(&loop->active, channel, active_entry);
    channel->active = false;
}

static void soil(struct paracore_loop *loop, struct channel *channel)
{
    if (!channel->dirty)
        TAILQ_INSERT_TAIL(&loop->dirty, channel, dirty_entry);
    channel->dirty = true;
}

static void clean(struct paracore_loop *loop, struct channel *channel)
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

static void stop_listening(const struct paracore_loop *loop, int fd)
{
    /* The peer holds the same open file, so that closing it would not end its registration. */
    epoll_ctl(loop->epoll, EPOLL_CTL_DEL, fd, NULL);
}

int paracore_loop_channel_add(struct paracore_loop *loop, uint32_t number, uint32_t ring_order, int pages,
                              int doorbell_in, int doorbell_out)
{
    struct channel *channel;
    int error = channel_create(number, ring_order, pages, doorbell_in, doorbell_out, &channel);

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
    activate(loop, channel); /* it may have been written before it was added */
    return 0;
}

static void drop(struct paracore_loop *loop, struct channel *channel)
{
    stop_listening(loop, channel->doorbell_in);
    deactivate(loop, channel);
    clean(loop, channel);
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
    int error = channel_send(channel, message, size);
    if (channel->violation) {
        if (!channel->reported)
            activate(loop, channel); /* the next wait reports it */
        return 0;
    }
    if (error)
        return error;
    loop->statistics.messages_out++;
    soil(loop, channel);
    if (!paracore_queue_empty(&channel->backlog))
        activate(loop, channel);
    return 0;
}

void paracore_loop_flush(struct paracore_loop *loop)
{
    struct channel *channel;

    while ((channel = TAILQ_FIRST(&loop->dirty))) {
        clean(loop, channel);
        loop->statistics.notifications_out += channel_flush(channel);
    }
}

/* --- one turn of a channel ------------------------------------------------------------------------ */

static void report_violation(struct paracore_loop *loop, struct channel *channel, struct batch *batch)
{
    struct paracore_entry *entry = add_entry(batch, PARACORE_ENTRY_VIOLATION, channel->number);

    entry->error = -EPROTO;
    entry->reason = channel->violation;
    channel->reported = true;
    loop->statistics.violations++;
    stop_listening(loop, channel->doorbell_in);
    deactivate(loop, channel);
    clean(loop, channel);
}

static void answer(struct paracore_loop *loop, struct channel *channel, const void *request)
{
    uint32_t size = native_answer(request, loop->reply);

    loop->statistics.native_calls++;
    if (size && channel_send(channel, loop->reply, size) == 0)
        loop->statistics.messages_out++;
}

static void give(struct paracore_loop *loop, struct channel *channel, struct batch *batch, int size)
{
    struct paracore_entry *entry = add_entry(batch, PARACORE_ENTRY_MESSAGE, channel->number);

    entry->message = loop->arena + loop->arena_used;
    entry->size = (uint32_t)size;
    loop->arena_used += (uint32_t)size;
}

static bool has_room(const struct paracore_loop *loop, const struct batch *batch)
{
    return batch->count < batch->message_room && loop->arena_used + PARACORE_MESSAGE_MAX <= ARENA;
}

/* Takes one message. False when there was none to take. */
static bool take_one(struct paracore_loop *loop, struct channel *channel, struct batch *batch)
{
    const struct paracore_message_info *info;
    uint8_t *message = loop->arena + loop->arena_used;
    int size = channel_receive(channel, message, &info);

    if (size <= 0)
        return false;
    loop->statistics.messages_in++;
    soil(loop, channel);
    if (info->native)
        answer(loop, channel, message);
    else
        give(loop, channel, batch, size);
    return true;
}

/* Nothing more is read of a channel whose answers do not go out. */
static bool may_take(const struct paracore_loop *loop, const struct channel *channel, const struct batch *batch)
{
    return paracore_queue_empty(&channel->backlog) && has_room(loop, batch);
}

/* Lets a channel have its turn. True when it did anything. */
static bool visit(struct paracore_loop *loop, struct channel *channel, struct batch *batch)
{
    bool stuck = !paracore_queue_empty(&channel->backlog);
    bool drained = stuck && channel_drain(channel);
    int taken = 0;

    if (stuck)
        soil(loop, channel);
    while (taken < QUANTUM && may_take(loop, channel, batch) && take_one(loop, channel, batch))
        taken++;
    if (channel->violation && batch->count < batch->room)
        report_violation(loop, channel, batch);
    return taken > 0 || drained;
}

/* Lets a channel sleep if its peer has nothing for it and now knows that it must ring. */
static void put_to_sleep(struct paracore_loop *loop, struct channel *channel)
{
    if (!channel->violation && channel_arm(channel))
        deactivate(loop, channel);
}

/* One turn for every active channel; what they answered is published. True when any did anything. */
static bool pass(struct paracore_loop *loop, struct batch *batch)
{
    struct channel *channel = TAILQ_FIRST(&loop->active);
    struct channel *last = TAILQ_LAST(&loop->active, active_list);
    bool worked = false;

    while (channel && has_room(loop, batch)) {
        struct channel *next = channel == last ? NULL : TAILQ_NEXT(channel, active_entry);
        TAILQ_REMOVE(&loop->active, channel, active_entry);
        TAILQ_INSERT_TAIL(&loop->active, channel, active_entry);
        if (visit(loop, channel, batch)) {
            worked = true;
            channel->idle_visits = 0;
        } else if (loop->busy && channel->active && ++channel->idle_visits >= IDLE_VISITS) {
            put_to_sleep(loop, channel);
        }
        channel = next;
    }
    paracore_loop_flush(loop);
    loop->busy = worked;
    return worked;
}

/* --- waiting -------------------------------------------------------------------------------------- */

/* Looks at the descriptors, for at most `timeout_ms`. */
static int look(struct paracore_loop *loop, struct batch *batch, int timeout_ms)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(loop->epoll, events, EVENTS, timeout_ms);

    if (count < 0)
        return -errno;
    loop->statistics.wakeups += timeout_ms != 0;
    for (int i = 0; i < count; i++) {
        struct source *source = events[i].data.ptr;
        if (source->kind == SOURCE_CHANNEL) {
            loop->statistics.notifications_in++;
            activate(loop, (struct channel *)(void *)source);
        } else if (batch->count < batch->room) {
            add_entry(batch, PARACORE_ENTRY_FD, ((struct watch *)(void *)source)->token);
        }
    }
    return 0;
}

static bool still_spinning(struct paracore_loop *loop, bool worked)
{
    if (loop->spin_ns == 0)
        return false;
    uint64_t now = paracore_now();
    if (worked)
        loop->spin_until = now + loop->spin_ns;
    paracore_relax();
    return now < loop->spin_until;
}

static void put_all_to_sleep(struct paracore_loop *loop)
{
    struct channel *next;

    for (struct channel *channel = TAILQ_FIRST(&loop->active); channel; channel = next) {
        next = TAILQ_NEXT(channel, active_entry);
        put_to_sleep(loop, channel);
    }
}

/* Serves the active channels until there is something to return, nobody is left, or the descriptors
 * want to be looked at. True when the loop may sleep. */
static bool serve(struct paracore_loop *loop, struct batch *batch)
{
    for (int i = 0; i < PASSES; i++) {
        if (TAILQ_EMPTY(&loop->active))
            return batch->count == 0;
        bool worked = pass(loop, batch);
        bool spinning = still_spinning(loop, worked);
        if (worked)
            continue;
        if (batch->count)
            return false;
        if (!spinning)
            put_all_to_sleep(loop);
    }
    return false;
}

int paracore_loop_wait(struct paracore_loop *loop, struct paracore_entry *entries, int count, int timeout_ms)
{
    struct batch batch = {.entries = entries, .room = count, .message_room = count - count / 4};
    uint64_t deadline = timeout_ms < 0 ? UINT64_MAX : paracore_deadline((uint64_t)timeout_ms * PARACORE_NS_PER_MS);

    if (count < 1)
        return -EINVAL;
    paracore_loop_flush(loop);
    loop->arena_used = 0;
    for (bool expired = false;;) {
        bool may_sleep = serve(loop, &batch);
        if (expired && batch.count == 0)
            return 0;
        int left = paracore_milliseconds_until(deadline);
        expired = left == 0;
        int error = look(loop, &batch, may_sleep ? left : 0);
        if (batch.count)
            return batch.count;
        if (error)
            return error;
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
    stop_listening(loop, fd);
    LIST_REMOVE(watch, entry);
    free(watch);
    return 0;
}

void paracore_loop_statistics(const struct paracore_loop *loop, struct paracore_loop_statistics *out)
{
    *out = loop->statistics;
}
