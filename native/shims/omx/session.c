/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A component's session with its device. Only the component's thread speaks to it, never with the lock held; the link's
 * thread leaves what the device says on a queue, and waits for nobody.
 */
#include "omx.h"

#include <errno.h>
#include <stdlib.h>

OMX_ERRORTYPE session_error(int error)
{
    static const struct {
        int error;
        OMX_ERRORTYPE result;
    } ERRORS[] = {
        {EPERM, OMX_ErrorInsufficientResources},      {EACCES, OMX_ErrorInsufficientResources},
        {EBUSY, OMX_ErrorInsufficientResources},      {EAGAIN, OMX_ErrorInsufficientResources},
        {ENOMEM, OMX_ErrorInsufficientResources},     {ENOSPC, OMX_ErrorInsufficientResources},
        {EINVAL, OMX_ErrorUnsupportedSetting},        {EOPNOTSUPP, OMX_ErrorUnsupportedSetting},
        {EPROTO, OMX_ErrorHardware},                  {ETIMEDOUT, OMX_ErrorTimeout},
    };

    for (size_t n = 0; n < COUNT(ERRORS); n++)
        if (ERRORS[n].error == -error)
            return ERRORS[n].result;
    return OMX_ErrorHardware;
}

/* --- what the device says, on the link's thread ---------------------------------------------------------- */

/* More than spans can be lent. SAFETY: a backend that says more, faster than it is looked at, would cost memory. */
enum { EVENTS_MAX = 4096 };

static void push(struct component *component, const struct event *said)
{
    struct event *event = malloc(sizeof *event);

    pthread_mutex_lock(&component->lock);
    if (event && component->event_count < EVENTS_MAX) {
        *event = *said;
        TAILQ_INSERT_TAIL(&component->events, event, entry);
        component->event_count++;
        wake(component);
    } else {
        free(event);
        component_fail(component, OMX_ErrorInsufficientResources);
    }
    pthread_mutex_unlock(&component->lock);
}

static void said_input_done(void *owner, const struct paracore_video_input_done *done)
{
    push(owner, &(struct event){.kind = EVENT_INPUT_DONE, .done = *done});
}

static void said_output_ready(void *owner, const struct paracore_video_output_ready *ready)
{
    push(owner, &(struct event){.kind = EVENT_OUTPUT_READY, .ready = *ready});
}

static void said_source_change(void *owner, const struct paracore_video_source_change *change)
{
    push(owner, &(struct event){.kind = EVENT_SOURCE_CHANGE, .change = *change});
}

static void said_drained(void *owner)
{
    push(owner, &(struct event){.kind = EVENT_DRAINED});
}

static void said_failed(void *owner, int error)
{
    push(owner, &(struct event){.kind = EVENT_FAILED, .error = error});
}

static const struct shim_listener LISTENER = {
    .input_done = said_input_done,
    .output_ready = said_output_ready,
    .source_change = said_source_change,
    .drained = said_drained,
    .failed = said_failed,
};

/* --- open and close ---------------------------------------------------------------------------------------- */

/*
 * An encoder looks not ahead unless it is to code B pictures: clients of OpenMAX IL have few buffers, and some keep a
 * picture until they have got its packet (gst-omx does). One that waited for forty pictures more would wait for ever.
 */
static int open_with(struct component *component, const struct shim_listener *listener, void *owner, bool low_delay,
                     struct shim_session **session)
{
    const struct paracore_video_open request = {
        .device = component->entry.device,
        .codec = component->entry.codec->codec,
        .direction = component->entry.capability.direction,
        .flags = low_delay ? PARACORE_OPEN_FLAG_LOW_DELAY : 0,
    };

    pthread_mutex_lock(&component->lock);
    struct shim_stream stream = port_stream(component);
    pthread_mutex_unlock(&component->lock);
    return shim_session_open(component->link, &request, stream, listener, owner, session);
}

static int set_format(struct shim_session *session, struct paracore_picture_format *format)
{
    const struct paracore_video_format_set request = {.format = {
                                                          .pixel_format = format->pixel_format,
                                                          .width = format->width,
                                                          .height = format->height,
                                                          .rate_num = format->rate_num,
                                                          .rate_den = format->rate_den,
                                                      }};
    struct paracore_video_format_set_reply reply;
    int error =
        shim_session_call(session, PARACORE_OP_VIDEO_FORMAT_SET, &request, sizeof request, &reply, sizeof reply);

    if (error == 0 && !layout_is_sound(&reply.format))
        error = -EPROTO;
    if (error == 0)
        *format = reply.format;
    return error;
}

/* Controls that the codec has not are left out; those that it takes otherwise are its own business. */
static int set_up(struct shim_session *session, const struct controls *controls, struct paracore_picture_format *format)
{
    for (uint32_t n = 0; n < controls->count; n++) {
        int error = shim_session_control(session, controls->list[n].control, controls->list[n].value);
        if (error && error != -EINVAL && error != -ENOENT)
            return error;
    }
    return set_format(session, format);
}

int session_try(struct component *component, const struct shim_listener *listener, void *owner,
                const struct controls *controls, struct paracore_picture_format *format, struct shim_session **session)
{
    int error = open_with(component, listener, owner, controls->low_delay, session);

    if (error)
        return error;
    error = set_up(*session, controls, format);
    if (error)
        shim_session_close(*session);
    return error;
}

/* A session that has nothing to say. */
static void ignore_input(void *owner, const struct paracore_video_input_done *done)
{
    (void)owner, (void)done;
}

static void ignore_output(void *owner, const struct paracore_video_output_ready *ready)
{
    (void)owner, (void)ready;
}

static void ignore_change(void *owner, const struct paracore_video_source_change *change)
{
    (void)owner, (void)change;
}

static void ignore_drained(void *owner)
{
    (void)owner;
}

static void ignore_failed(void *owner, int error)
{
    (void)owner, (void)error;
}

int session_layout(struct component *component, struct paracore_picture_format *format)
{
    static const struct shim_listener DEAF = {
        ignore_input, ignore_output, ignore_change, ignore_drained, ignore_failed, NULL, NULL,
    };
    const struct controls none = {.count = 0};
    struct shim_session *session;
    int error = session_try(component, &DEAF, NULL, &none, format, &session);

    if (error == 0)
        shim_session_close(session);
    return error;
}

/* The lock is not held. Without the parameter sets it goes as well: they are in the stream, too. */
static int open_encoder(struct component *component, const struct controls *controls,
                        struct paracore_picture_format *format, struct shim_session **session)
{
    uint32_t length = 0;
    int error = session_try(component, &LISTENER, component, controls, format, session);

    if (error)
        return error;
    uint8_t *octets = headers_probe(component, controls, format, &length);
    if (!shim_link_lives(component->link)) { /* told now, while a client expects that the step may fail */
        shim_session_close(*session);
        free(octets);
        return -EIO;
    }
    pthread_mutex_lock(&component->lock);
    free(component->parameter_sets);
    component->parameter_sets = octets;
    component->parameter_sets_length = length;
    component->parameter_sets_told = false;
    pthread_mutex_unlock(&component->lock);
    return 0;
}

int session_open(struct component *component)
{
    struct paracore_picture_format format = component->format;
    struct shim_session *session;
    struct controls controls;

    if (component->session)
        return 0;
    output_restart(component);
    controls_list(component, &controls);
    component->changed_settings = false;
    pthread_mutex_unlock(&component->lock);
    int error = component->decodes ? open_with(component, &LISTENER, component, false, &session)
                                   : open_encoder(component, &controls, &format, &session);
    pthread_mutex_lock(&component->lock);
    if (error)
        return error;
    component->session = session;
    component->begun = false;
    if (!component->decodes)
        component->format = format;
    return 0;
}

/* All spans are free once it is closed, and nothing more is said. */
void session_close(struct component *component)
{
    struct shim_session *session = component->session;
    struct slot *slot;

    component->session = NULL;
    pthread_mutex_unlock(&component->lock);
    if (session)
        shim_session_close(session);
    pthread_mutex_lock(&component->lock);
    events_forget(component);
    TAILQ_FOREACH(slot, &component->slots, entry)
        slot->lent = false;
    component->flush = FLUSH_NONE;
    component->fed = component->fed_after = component->draining = component->reopening = component->recall = false;
    slots_retry(component);
}

/* --- the stream ---------------------------------------------------------------------------------------------- */

bool session_post(struct component *component, uint16_t opcode, const void *request, size_t size)
{
    struct shim_session *session = component->session;

    pthread_mutex_unlock(&component->lock);
    int error = shim_session_post(session, opcode, request, size);
    pthread_mutex_lock(&component->lock);
    if (error)
        component_fail(component, session_error(error));
    return error == 0;
}

bool session_drain(struct component *component)
{
    component->draining = component->fed = component->begun = true;
    component->fed_after = false;
    return session_post(component, PARACORE_OP_VIDEO_DRAIN, NULL, 0);
}

/*
 * The reply to a flush may overtake what the device has said before, which is on its way through the link's thread. A
 * drain of the session at rest says at once that it is drained: all that comes before that word is of old.
 */
void session_flush(struct component *component)
{
    struct shim_session *session = component->session;

    component->flush = FLUSH_SETTLING;
    pthread_mutex_unlock(&component->lock);
    int error = shim_session_call(session, PARACORE_OP_VIDEO_FLUSH, NULL, 0, NULL, 0);
    pthread_mutex_lock(&component->lock);
    if (error)
        component_fail(component, session_error(error));
    else
        session_drain(component);
}

/* What a device cannot let go of comes in its time; one that knows no recall keeps all. */
void session_recall(struct component *component)
{
    struct shim_session *session = component->session;

    component->recall = false;
    pthread_mutex_unlock(&component->lock);
    int error = shim_session_call(session, PARACORE_OP_VIDEO_RECALL, NULL, 0, NULL, 0);
    pthread_mutex_lock(&component->lock);
    if (error && error != -EOPNOTSUPP)
        component_fail(component, session_error(error));
}

void session_set_bitrate(struct component *component)
{
    struct shim_session *session = component->session;
    int64_t bitrate = component->settings.bitrate;

    component->rate_changed = false;
    pthread_mutex_unlock(&component->lock);
    shim_session_control(session, PARACORE_CONTROL_BITRATE, bitrate); /* refused: it goes on at the old one */
    pthread_mutex_lock(&component->lock);
}
