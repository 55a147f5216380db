/* SPDX-License-Identifier: Apache-2.0 */
/* Waiting: channels take turns until there is something to return. See loop.c for the theory. */
#include <errno.h>
#include <sys/epoll.h>

#include "clock.h"
#include "native.h"
#include "state.h"
#include "trace_mark.h"

enum {
    QUANTUM = 4,      /* messages of one channel before the next has its turn */
    IDLE_VISITS = 32, /* after which a channel sleeps though others are busy */
    PASSES = 64,      /* over the active channels before descriptors are looked at */
    EVENTS = 64,      /* epoll events taken at once */
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

/* --- one turn of a channel ------------------------------------------------------------------------ */

static void report_violation(struct paracore_loop *loop, struct channel *channel, struct batch *batch)
{
    struct paracore_entry *entry = add_entry(batch, PARACORE_ENTRY_VIOLATION, channel->number);

    entry->error = -EPROTO;
    entry->reason = channel->violation;
    channel->reported = true;
    loop->statistics.violations++;
    loop_stop_listening(loop, channel->doorbell_in.fd);
    loop_deactivate(loop, channel);
    loop_clean(loop, channel);
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
    paracore_trace_whole(PARACORE_BACKEND, channel->number, message);
    loop_soil(loop, channel);
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
        loop_soil(loop, channel);
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
        loop_deactivate(loop, channel);
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
            struct channel *channel = (struct channel *)(void *)source;
            loop->statistics.notifications_in++;
            paracore_doorbell_answer(&channel->doorbell_in);
            loop_activate(loop, channel);
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
