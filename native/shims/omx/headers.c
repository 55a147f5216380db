/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An encoder's parameter sets before its first picture. The device has them in band only, but a client that writes a
 * container waits for a buffer with OMX_BUFFERFLAG_CODECCONFIG before it sends anything (ffmpeg does). They
 * follow from format and settings alone: a session apart from the stream codes one picture, and what stands before
 * its slices are they. If that cannot be done the stream has them in band all the same.
 */
#include "omx.h"

#include <stdlib.h>

enum { PACKET_MAX = 1 << 20 };

/* A picture must be coded within this; it delays the way to OMX_StateIdle. */
#define PATIENCE_NS UINT64_C(5000000000)

struct probe {
    pthread_mutex_t lock;
    pthread_cond_t changed; /* of the monotonic clock */
    bool over;
    uint32_t length; /* of the packet */
};

/* --- on the link's thread ---------------------------------------------------------------------------------- */

static void say(struct probe *probe, uint32_t length, bool over)
{
    pthread_mutex_lock(&probe->lock);
    if (!probe->length)
        probe->length = length;
    probe->over |= over;
    pthread_cond_signal(&probe->changed);
    pthread_mutex_unlock(&probe->lock);
}

static void input_said(void *owner, const struct paracore_video_input_done *done)
{
    (void)owner, (void)done;
}

static void output_said(void *owner, const struct paracore_video_output_ready *ready)
{
    bool none = ready->flags & (PARACORE_OUTPUT_FLAG_CANCELLED | PARACORE_OUTPUT_FLAG_EMPTY);

    say(owner, none || ready->bytes_used > PACKET_MAX ? 0 : ready->bytes_used, true);
}

static void change_said(void *owner, const struct paracore_video_source_change *change)
{
    (void)owner, (void)change;
}

static void drained_said(void *owner)
{
    say(owner, 0, true);
}

static void failed_said(void *owner, int error)
{
    (void)error;
    say(owner, 0, true);
}

static const struct shim_listener LISTENER = {input_said, output_said, change_said, drained_said, failed_said, NULL, NULL};

/* --- the one picture ---------------------------------------------------------------------------------------- */

static int queue(struct shim_session *session, const struct slot *picture, const struct slot *packet, uint64_t size)
{
    const struct paracore_video_queue_output output = {
        .span = shim_piece_span(&packet->memory, 0, PACKET_MAX), .cookie = 1};
    const struct paracore_video_queue_input input = {
        .span = shim_piece_span(&picture->memory, 0, (uint32_t)size), .cookie = 1, .duration = 1};
    int error = shim_session_post(session, PARACORE_OP_VIDEO_QUEUE_OUTPUT, &output, sizeof output);

    if (error == 0)
        error = shim_session_post(session, PARACORE_OP_VIDEO_QUEUE_INPUT, &input, sizeof input);
    return error ? error : shim_session_post(session, PARACORE_OP_VIDEO_DRAIN, NULL, 0);
}

static uint32_t wait_packet(struct probe *probe)
{
    uint64_t until = now_ns() + PATIENCE_NS;
    struct timespec when = {.tv_sec = (time_t)(until / 1000000000), .tv_nsec = (long)(until % 1000000000)};
    int waited = 0;

    pthread_mutex_lock(&probe->lock);
    while (!probe->over && waited == 0)
        waited = pthread_cond_timedwait(&probe->changed, &probe->lock, &when);
    uint32_t length = probe->length;
    pthread_mutex_unlock(&probe->lock);
    return length;
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

static void init(struct probe *probe)
{
    pthread_condattr_t monotonic;

    *probe = (struct probe){.over = false};
    pthread_mutex_init(&probe->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&probe->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static void destroy(struct slot *slot)
{
    if (!slot)
        return;
    shim_piece_drop(&slot->memory); /* its session is closed: nothing uses it */
    free(slot);
}

static uint8_t *code(struct component *component, const struct controls *controls,
                     struct paracore_picture_format *format, const struct slot *picture, struct slot *packet,
                     uint32_t *length)
{
    struct probe probe;
    struct shim_session *session;

    init(&probe);
    if (session_try(component, &LISTENER, &probe, controls, format, &session))
        return NULL;
    uint32_t coded = queue(session, picture, packet, format->size) ? 0 : wait_packet(&probe);
    shim_session_close(session);
    return coded ? unit_sets(component->entry.codec->codec, packet->memory.address, coded, length) : NULL;
}

uint8_t *headers_probe(struct component *component, const struct controls *controls,
                       const struct paracore_picture_format *wanted, uint32_t *length)
{
    struct paracore_picture_format format = *wanted;
    struct slot *picture = NULL, *packet = NULL;
    uint8_t *sets = NULL;

    if (!unit_has_sets(component->entry.codec->codec))
        return NULL;
    if (slot_make(component, INPUT, format.size, &picture) == 0 &&
        slot_make(component, OUTPUT, PACKET_MAX, &packet) == 0)
        sets = code(component, controls, &format, picture, packet, length);
    destroy(packet);
    destroy(picture);
    return sets;
}
