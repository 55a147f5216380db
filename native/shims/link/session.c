/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions: opened, closed, and what is called and posted for them. */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- sessions ---------------------------------------------------------------------------------------- */

/* SAFETY: the backend says what a session is called. One that has another's name, or none, would get no event. */
static bool has_name(const struct shim_session *session)
{
    const struct shim_session *other;

    LIST_FOREACH(other, &session->link->sessions, entry)
        if (other->id == session->id)
            return false;
    return session->id;
}

static int start(struct shim_session *session)
{
    struct shim_link *link = session->link;

    pthread_mutex_lock(&link->lock);
    int error = link->dead;
    if (error == 0 && !has_name(session))
        error = -EPROTO;
    if (error == 0)
        LIST_INSERT_HEAD(&link->sessions, session, entry);
    pthread_mutex_unlock(&link->lock);
    return error;
}

static void remember_device(struct shim_session *session)
{
    struct shim_link *link = session->link;

    for (uint32_t n = 0; n < link->device_count; n++)
        if (link->devices[n].index == session->request.device)
            memcpy(session->device, link->devices[n].name, sizeof session->device);
}

/* Nobody hears of the session yet, nor does it. */
static int declare(struct shim_session *session, struct paracore_channel *channel, uint32_t control, int64_t value)
{
    const struct paracore_video_control_set request = {.control = control, .value = value};
    struct paracore_video_control_set_reply reply;
    size_t size = sizeof reply;
    int error = paracore_call(channel, PARACORE_OP_VIDEO_CONTROL_SET, session->id, &request, sizeof request, &reply, &size,
                              NULL, SHIM_CALL_NS);

    journal_after_call(session, PARACORE_OP_VIDEO_CONTROL_SET, &request, &reply, error);
    return error;
}

/* Refused for want of room, it is not opened; for anything else it decodes as one that declares nothing. */
static int declare_stream(struct shim_session *session, struct paracore_channel *channel)
{
    int64_t wish = wish_rate(), rate = wish ? wish : session->stream.rate;

    if (!rate || session->request.direction != PARACORE_DIRECTION_DECODE)
        return 0;
    if (session->stream.samples)
        declare(session, channel, PARACORE_CONTROL_SAMPLES, session->stream.samples);
    int error = declare(session, channel, PARACORE_CONTROL_RATE, rate);
    return error == -ENOSPC || error == -EPIPE ? error : 0;
}

/* On that channel, which stays meanwhile. */
static int open_there(struct shim_session *session, const struct use *use)
{
    struct paracore_video_open_reply reply;
    size_t size = sizeof reply;
    int error = paracore_call(use->channel, PARACORE_OP_VIDEO_OPEN, 0, &session->request, sizeof session->request,
                              &reply, &size, NULL, SHIM_CALL_NS);

    if (error)
        return error;
    session->id = reply.session;
    session->turn = use->turn;
    session->channel = use->channel;
    error = declare_stream(session, use->channel);
    if (error == 0)
        error = start(session);
    if (error)
        paracore_call(use->channel, PARACORE_OP_VIDEO_CLOSE, session->id, NULL, 0, NULL, NULL, NULL, SHIM_CALL_NS);
    return error;
}

static int open_somewhere(struct shim_session *session)
{
    struct use use;
    int error = pump_start(session->link);

    if (error)
        return error;
    do {
        error = use_begin(session->link, &use);
        if (error)
            return error;
        error = open_there(session, &use);
        use_end(session->link);
    } while (error == -EPIPE && use_again(session->link, &use));
    return error;
}

int shim_session_open(struct shim_link *link, const struct paracore_video_open *request, struct shim_stream stream,
                      const struct shim_listener *listener, void *owner, struct shim_session **out)
{
    struct shim_session *session = calloc(1, sizeof *session);

    if (!session)
        return -ENOMEM;
    *session = (struct shim_session){.link = link, .listener = listener, .owner = owner, .request = *request,
                                     .stream = stream};
    int error = shim_link_is_ours(link) ? journal_open(session) : -EPIPE;
    if (error == 0) {
        remember_device(session);
        shim_link_keep(link);
        error = open_somewhere(session);
        if (error == 0) {
            *out = session;
            return 0;
        }
        journal_close(session);
        shim_link_put(link);
    }
    free(session);
    return error;
}

/* --- calls and posts -------------------------------------------------------------------------------------- */

/* A session that is not open on this channel may have another's number there. */
static int call_on(struct shim_session *session, const struct use *use, uint16_t opcode, const void *request,
                   size_t request_size, void *reply, size_t reply_size)
{
    pthread_mutex_lock(&session->lock);
    uint32_t id = session->turn == use->turn ? session->id : 0;
    pthread_mutex_unlock(&session->lock);
    if (!id)
        return -EIO;
    journal_before_call(session, opcode);
    int error =
        paracore_call(use->channel, opcode, id, request, request_size, reply, &reply_size, NULL, SHIM_CALL_NS);
    journal_after_call(session, opcode, request, reply, error);
    return error;
}

int shim_session_call(struct shim_session *session, uint16_t opcode, const void *request, size_t request_size,
                      void *reply, size_t reply_size)
{
    struct use use;
    int error;

    if (!shim_link_is_ours(session->link))
        return -EPIPE;
    do {
        error = use_begin(session->link, &use);
        if (error)
            return error;
        error = call_on(session, &use, opcode, request, request_size, reply, reply_size);
        use_end(session->link);
    } while (error == -EPIPE && session->recovers && use_again(session->link, &use));
    return error;
}

int shim_session_control(struct shim_session *session, uint32_t control, int64_t value)
{
    const struct paracore_video_control_set request = {.control = control, .value = value};
    struct paracore_video_control_set_reply reply;

    return shim_session_call(session, PARACORE_OP_VIDEO_CONTROL_SET, &request, sizeof request, &reply, sizeof reply);
}

int wire_post(struct shim_session *session, uint16_t opcode, const void *request, size_t size)
{
    struct paracore_channel *channel = session->channel;
    int error = paracore_post(channel, opcode, session->id, request, size, NULL, SHIM_CALL_NS);

    return error == -EPIPE && session->recovers ? 0 : error;
}

int shim_session_post_unseen(struct shim_session *session, uint16_t opcode, const void *request, size_t size)
{
    return shim_link_is_ours(session->link) ? journal_post(session, opcode, request, size) : -EPIPE;
}

int shim_session_post(struct shim_session *session, uint16_t opcode, const void *request, size_t size)
{
    int error = shim_session_post_unseen(session, opcode, request, size);

    return error ? error : shim_session_publish(session);
}

int shim_session_publish(struct shim_session *session)
{
    if (!shim_link_is_ours(session->link))
        return -EPIPE;
    pthread_mutex_lock(&session->lock);
    int error = session->channel ? paracore_flush(session->channel) : 0;
    pthread_mutex_unlock(&session->lock);
    return error == -EPIPE && session->recovers ? 0 : error;
}

/* --- the end --------------------------------------------------------------------------------------------- */

/* Nobody else knows it any more. On another channel than its own there is nothing of it. */
static void close_there(struct shim_session *session)
{
    struct use use;

    if (use_begin(session->link, &use) != 0)
        return;
    if (session->turn == use.turn) {
        call_on(session, &use, PARACORE_OP_VIDEO_CLOSE, NULL, 0, NULL, 0);
        replay_end(session, use.channel);
    }
    use_end(session->link);
}

void shim_session_close(struct shim_session *session)
{
    struct shim_link *link = session->link;

    if (!shim_link_is_ours(link))
        return; /* the parent's; its memory is a copy that nothing uses */
    pthread_mutex_lock(&link->lock);
    while (session->busy || link->lost)
        pthread_cond_wait(&link->idle, &link->lock);
    LIST_REMOVE(session, entry);
    pthread_mutex_unlock(&link->lock);
    session->recovers = false;
    close_there(session);
    journal_close(session);
    free(session);
    shim_link_put(link);
}
