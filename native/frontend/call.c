/* SPDX-License-Identifier: Apache-2.0 */
/* Calls, posts and events. */
#include "internal.h"
#include "trace_mark.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Refuses here what the backend would end the channel for. */
static int check_request(uint16_t opcode, uint8_t kind, uint32_t object, const void *request, size_t size)
{
    const struct paracore_message_info *info = paracore_message_find(opcode);

    if (!paracore_is_for_rings(info) || info->kind != kind || size > PARACORE_MESSAGE_MAX - HEADER_SIZE)
        return -EINVAL;
    if (info->class_number == PARACORE_CLASS_CORE && object != 0)
        return -EINVAL;
    return paracore_check_payload(opcode, false, request, size) ? -EINVAL : 0;
}

static bool serial_in_use(const struct paracore_channel *channel, uint32_t serial)
{
    const struct call *call;

    TAILQ_FOREACH(call, &channel->calls, entry)
        if (call->serial == serial)
            return true;
    return serial == 0;
}

static uint32_t next_serial(struct paracore_channel *channel)
{
    do
        channel->serial++;
    while (serial_in_use(channel, channel->serial));
    return channel->serial;
}

/* Pushes one request; waits for room. The lock is held. */
static int push(struct paracore_channel *channel, const struct paracore_message_header *header, const void *request,
                uint64_t deadline)
{
    struct iovec parts[] = {{(void *)(uintptr_t)header, HEADER_SIZE},
                            {(void *)(uintptr_t)request, header->size - HEADER_SIZE}};
    int error;

    while ((error = paracore_ring_push(&channel->ring, parts, 2)) == -EAGAIN) {
        struct waiter waiter = {.what = FOR_SPACE, .space = header->size};
        int failed = wait_for(channel, &waiter, deadline);
        if (failed)
            return failed;
    }
    if (error)
        channel_fail(channel, error);
    return error;
}

/* Leaves a mark that the reply to a call may still come. */
static void abandon(struct paracore_channel *channel, struct call *call)
{
    struct call *mark = channel->error ? NULL : malloc(sizeof *mark);

    TAILQ_REMOVE(&channel->calls, call, entry);
    if (mark && channel->abandoned < ABANDONED_MAX) {
        *mark = (struct call){
            .serial = call->serial, .object = call->object, .opcode = call->opcode, .abandoned = true};
        channel->abandoned++;
        TAILQ_INSERT_TAIL(&channel->calls, mark, entry);
    } else {
        free(mark);
        channel_fail(channel, -ENOMEM);
    }
}

static int await_reply(struct paracore_channel *channel, struct call *call, uint64_t deadline)
{
    struct waiter waiter = {.what = FOR_REPLY, .call = call};

    TAILQ_INSERT_TAIL(&channel->calls, call, entry);
    channel->statistics.calls++;
    int error = wait_for(channel, &waiter, deadline);
    if (error == 0)
        return call->result;
    abandon(channel, call);
    return error;
}

int paracore_call(struct paracore_channel *channel, uint16_t opcode, uint32_t object, const void *request,
                  size_t request_size, void *reply, size_t *reply_size, struct paracore_failure *failure,
                  uint64_t timeout_ns)
{
    uint64_t deadline = paracore_deadline(timeout_ns);
    int error = check_request(opcode, PARACORE_MESSAGE_KIND_CALL, object, request, request_size);

    if (failure)
        memset(failure, 0, sizeof *failure);
    if (error == 0)
        error = channel_enter(channel);
    if (error)
        return error;
    struct paracore_message_header header = {.size = (uint32_t)(HEADER_SIZE + request_size),
                                             .opcode = opcode,
                                             .object = object,
                                             .serial = next_serial(channel)};
    struct call call = {.serial = header.serial,
                        .object = object,
                        .opcode = opcode,
                        .reply = reply,
                        .reply_size = reply_size ? *reply_size : 0,
                        .failure = failure};
    error = push(channel, &header, request, deadline);
    if (error == 0)
        error = await_reply(channel, &call, deadline);
    channel_leave(channel);
    if (error == 0 && reply_size)
        *reply_size = call.reply_size;
    return error;
}

int paracore_post(struct paracore_channel *channel, uint16_t opcode, uint32_t object, const void *request,
                  size_t request_size, uint32_t *serial, uint64_t timeout_ns)
{
    uint64_t deadline = paracore_deadline(timeout_ns);
    int error = check_request(opcode, PARACORE_MESSAGE_KIND_POST, object, request, request_size);

    if (error == 0)
        error = channel_enter(channel);
    if (error)
        return error;
    struct paracore_message_header header = {.size = (uint32_t)(HEADER_SIZE + request_size),
                                             .opcode = opcode,
                                             .object = object,
                                             .serial = next_serial(channel)};
    paracore_trace_message(PARACORE_FRONTEND, channel->number, opcode, object, request, request_size);
    error = push(channel, &header, request, deadline);
    channel->statistics.posts += error == 0;
    channel_leave(channel);
    if (error == 0 && serial)
        *serial = header.serial;
    return error;
}

int paracore_flush(struct paracore_channel *channel)
{
    int error = channel_enter(channel);

    if (error)
        return error;
    wait_publish(channel);
    channel_leave(channel);
    return 0;
}

/* --- events --------------------------------------------------------------------------------------- */

static void take_oldest(struct paracore_channel *channel, struct paracore_event *event)
{
    uint32_t size;
    const void *message = paracore_queue_oldest(&channel->events, &size);

    memcpy(event, message, size);
    paracore_trace_whole(PARACORE_FRONTEND, channel->number, event);
    paracore_queue_drop(&channel->events);
}

/* What had come before the channel died is still given out. */
static int next_of_dead(struct paracore_channel *channel, struct paracore_event *event, int error)
{
    pthread_mutex_lock(&channel->lock);
    bool any = !channel->closing && !paracore_queue_empty(&channel->events);
    if (any)
        take_oldest(channel, event);
    pthread_mutex_unlock(&channel->lock);
    return any ? 1 : error;
}

int paracore_next_event(struct paracore_channel *channel, struct paracore_event *event, uint64_t timeout_ns)
{
    struct waiter waiter = {.what = FOR_EVENT};
    int error = channel_enter(channel);

    if (error)
        return next_of_dead(channel, event, error);
    if (paracore_queue_empty(&channel->events))
        error = wait_for(channel, &waiter, paracore_deadline(timeout_ns));
    if (error == 0)
        take_oldest(channel, event);
    channel_leave(channel);
    if (error == -ETIMEDOUT)
        return 0;
    return error ? error : 1;
}

/* --- waiting outside ------------------------------------------------------------------------------ */

static int make_outside(struct paracore_channel *channel)
{
    int outside = epoll_create1(EPOLL_CLOEXEC);
    int attention = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int error = outside < 0 || attention < 0 ? -errno : 0;

    if (error == 0)
        error = channel_listen(outside, channel->doorbell_in.fd, EPOLLIN | EPOLLET, READY_DOORBELL);
    if (error == 0)
        error = channel_listen(outside, channel->socket, EPOLLIN, READY_SOCKET);
    if (error == 0)
        error = channel_listen(outside, attention, EPOLLIN | EPOLLET, READY_WAKE);
    if (error) {
        close(outside);
        close(attention);
        return error;
    }
    channel->outside = outside;
    channel->attention = attention;
    return 0;
}

int paracore_fd(struct paracore_channel *channel)
{
    int error = channel_enter(channel);

    if (error)
        return error;
    if (channel->outside < 0)
        error = make_outside(channel);
    int fd = channel->outside;
    channel_leave(channel);
    return error ? error : fd;
}

/* Takes note of what made the outside descriptor readable, so that it is so no longer. A leader answers the
 * doorbell himself: answered here, it would not wake him. */
static void drain_outside(struct paracore_channel *channel)
{
    struct epoll_event ready[3];
    int count = channel->outside < 0 ? 0 : epoll_wait(channel->outside, ready, 3, 0);

    for (int i = 0; i < count; i++) {
        if (ready[i].data.u32 == READY_SOCKET)
            link_listen(channel);
        if (ready[i].data.u32 == READY_DOORBELL && !channel->led)
            paracore_doorbell_answer(&channel->doorbell_in);
    }
}

int paracore_arm(struct paracore_channel *channel)
{
    int error = channel_enter(channel);

    if (error)
        return error;
    wait_publish(channel);
    drain_outside(channel);
    channel->armed = true;
    do
        wait_pump(channel);
    while (!channel->error && paracore_queue_empty(&channel->events) && !channel->led &&
           !paracore_ring_arm(&channel->ring));
    int result = channel->error ? channel->error : paracore_queue_empty(&channel->events);
    channel->armed = result == 1;
    channel_leave(channel);
    return result;
}
