/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A component's thread: callbacks first, in the order in which they were decided; then what the device has said, what
 * the client has commanded, and the stream. It sleeps when there is nothing of these.
 */
#include "omx.h"

#include <stdlib.h>
#include <time.h>

#define NS_PER_S UINT64_C(1000000000)

uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

void wake(struct component *component)
{
    component->wakes++;
    pthread_cond_signal(&component->changed);
}

/* --- callbacks ------------------------------------------------------------------------------------------- */

static void enqueue(struct component *component, struct notice *notice)
{
    notice->queued = true;
    TAILQ_INSERT_TAIL(&component->notices, notice, entry);
    wake(component);
}

void tell(struct component *component, OMX_EVENTTYPE event, OMX_U32 data1, OMX_U32 data2, OMX_PTR data)
{
    struct notice *notice = calloc(1, sizeof *notice);

    if (!notice)
        return; /* without memory for this the client cannot be helped */
    *notice = (struct notice){.event = event, .data1 = data1, .data2 = data2, .data = data};
    enqueue(component, notice);
}

void tell_complete(struct component *component, OMX_COMMANDTYPE command, OMX_U32 data)
{
    tell(component, OMX_EventCmdComplete, command, data, NULL);
}

void tell_error(struct component *component, OMX_ERRORTYPE error)
{
    tell(component, OMX_EventError, error, 0, NULL);
}

void give_back(struct component *component, struct buffer *buffer)
{
    TAILQ_REMOVE(&component->ports[buffer->port].queue, buffer, queued);
    component->force_key |= buffer->key; /* it was not coded: the next one is to be */
    buffer->here = buffer->spent = buffer->key = false;
    buffer->notice = (struct notice){.buffer = buffer};
    enqueue(component, &buffer->notice);
}

/* An output's slot may go on being the device's; an input's may not, for the client would write into it. */
void give_back_all(struct component *component, uint32_t port)
{
    struct buffer *buffer, *next;

    for (buffer = TAILQ_FIRST(&component->ports[port].queue); buffer; buffer = next) {
        next = TAILQ_NEXT(buffer, queued);
        if (port == INPUT && buffer->slot->lent)
            continue;
        if (port == OUTPUT) {
            buffer->header.nFilledLen = 0;
            buffer->header.nFlags = 0;
        }
        give_back(component, buffer);
    }
}

static void call_event(struct component *component, const struct notice *notice)
{
    component->callbacks.EventHandler(component, component->type.pApplicationPrivate, notice->event, notice->data1,
                                      notice->data2, notice->data);
}

static void call_done(struct component *component, uint32_t port, OMX_BUFFERHEADERTYPE *header)
{
    OMX_PTR data = component->type.pApplicationPrivate;

    if (port == INPUT)
        component->callbacks.EmptyBufferDone(component, data, header);
    else
        component->callbacks.FillBufferDone(component, data, header);
}

/* Makes one callback. The client may free the buffer, or give it back, before it returns. */
static bool deliver(struct component *component)
{
    struct notice *notice = TAILQ_FIRST(&component->notices);

    if (!notice)
        return false;
    TAILQ_REMOVE(&component->notices, notice, entry);
    notice->queued = false;
    struct buffer *buffer = notice->buffer;
    uint32_t port = buffer ? buffer->port : 0;
    pthread_mutex_unlock(&component->lock);
    if (buffer) {
        call_done(component, port, &buffer->header);
    } else {
        call_event(component, notice);
        free(notice);
    }
    pthread_mutex_lock(&component->lock);
    return true;
}

/* --- failure ----------------------------------------------------------------------------------------------- */

/* OpenMAX IL 1.1.2, section 3.1.1.2.1: no way leads out of OMX_StateInvalid but OMX_FreeHandle. The client
 * gets all its buffers, for it may wait for them. */
void component_fail(struct component *component, OMX_ERRORTYPE error)
{
    struct slot *slot;

    if (component->state == OMX_StateInvalid)
        return;
    component->state = OMX_StateInvalid;
    component->step = STEP_SAME;
    component->flush = FLUSH_NONE;
    TAILQ_FOREACH(slot, &component->slots, entry)
        slot->lent = false;
    if (error != OMX_ErrorInvalidState)
        tell(component, OMX_EventError, error, 0, NULL);
    tell(component, OMX_EventError, OMX_ErrorInvalidState, 0, NULL);
    give_back_all(component, INPUT);
    give_back_all(component, OUTPUT);
}

/* --- what the device has said ------------------------------------------------------------------------------ */

static void take(struct component *component, const struct event *event)
{
    switch (event->kind) {
    case EVENT_INPUT_DONE:
        input_done(component, &event->done);
        break;
    case EVENT_OUTPUT_READY:
        output_ready(component, &event->ready);
        break;
    case EVENT_SOURCE_CHANGE:
        output_change(component, &event->change);
        break;
    case EVENT_DRAINED:
        output_drained(component);
        break;
    case EVENT_FAILED:
        component_fail(component, OMX_ErrorHardware);
        break;
    }
}

static bool take_events(struct component *component)
{
    struct event *event;
    bool some = false;

    while ((event = TAILQ_FIRST(&component->events))) {
        TAILQ_REMOVE(&component->events, event, entry);
        component->event_count--;
        if (component->state != OMX_StateInvalid)
            take(component, event);
        free(event);
        some = true;
    }
    return some;
}

void events_forget(struct component *component)
{
    struct event *event;

    while ((event = TAILQ_FIRST(&component->events))) {
        TAILQ_REMOVE(&component->events, event, entry);
        component->event_count--;
        free(event);
    }
}

/* --- the thread ---------------------------------------------------------------------------------------------- */

/* A session that has failed is closed once all is told; its memory is free then. */
static bool bury(struct component *component)
{
    if (component->state != OMX_StateInvalid || !component->session)
        return false;
    session_close(component);
    return true;
}

static bool stream(struct component *component)
{
    bool some = output_announce(component);

    if (component->state != OMX_StateExecuting || component->flush != FLUSH_NONE)
        return some;
    some |= output_give(component) | input_feed(component) | output_bridge(component) | output_lend(component);
    return some || input_release(component);
}

static void sleep_until(struct component *component, uint64_t time)
{
    struct timespec when = {.tv_sec = (time_t)(time / NS_PER_S), .tv_nsec = (long)(time % NS_PER_S)};

    pthread_cond_timedwait(&component->changed, &component->lock, &when);
}

static void rest(struct component *component)
{
    if (component->state == OMX_StateWaitForResources && component->step == STEP_SAME)
        sleep_until(component, component->retry_at);
    else
        pthread_cond_wait(&component->changed, &component->lock);
}

void *component_run(void *argument)
{
    struct component *component = argument;

    pthread_setname_np(pthread_self(), "paracore-omx");
    pthread_mutex_lock(&component->lock);
    while (!component->ending) {
        uint64_t seen = component->wakes; /* what is idle may have let go of the lock */
        if (deliver(component) || take_events(component) || bury(component))
            continue;
        commands_run(component);
        if (commands_advance(component) || stream(component) || slots_sweep(component))
            continue;
        if (seen == component->wakes && !component->ending)
            rest(component);
    }
    pthread_mutex_unlock(&component->lock);
    return NULL;
}
