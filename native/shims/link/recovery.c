/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a channel that was lost to the next one. On the link's thread; calls wait meanwhile, posts are written down.
 *
 * Theory of operation. A channel is lost when the backend's end of it is no more through nobody's fault or wish: its worker
 * died, or the backend is started again. Then, in this order: nobody uses the channel any more; each session notes what
 * is due to another device (replay.c); a new channel is opened, within a time in which a supervisor can be started again;
 * the same pages are granted there (pages.c); the sessions are opened anew, with the settings they had, and begin. A
 * session for which that cannot be done is told that it failed, the others go on.
 */
#include "internal.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "clock.h"

/* How long the next channel may be waited for: a supervisor takes a moment to be started again, and a program that stands
 * still is to be told within a second. */
#define RECONNECT_NS UINT64_C(750000000)
/* Between two attempts. */
#define RETRY_NS 20000000

/* --- the channel ----------------------------------------------------------------------------------------------- */

static bool is_loss(struct shim_link *link, int error)
{
    uint32_t reason = paracore_goodbye(link->channel);

    return error == -EPIPE && (reason == PARACORE_REFUSAL_NONE || reason == PARACORE_REFUSAL_WORKER_LOST ||
                               reason == PARACORE_REFUSAL_SHUTDOWN);
}

/* One that waits cannot change: the domain is not known, or not spoken with. */
static bool may_pass(int error)
{
    return error != -EACCES && error != -EPROTONOSUPPORT && error != -EPROTO && error != -ENOMEM;
}

int link_dial_again(struct paracore_channel **channel)
{
    static const struct timespec moment = {.tv_nsec = RETRY_NS};
    uint64_t deadline = paracore_deadline(RECONNECT_NS), now;
    int error;

    do {
        now = paracore_now();
        error = link_dial(channel, now + RETRY_NS < deadline ? deadline - now : RETRY_NS);
        if (error == 0 || !may_pass(error))
            return error;
        nanosleep(&moment, NULL);
    } while (paracore_now() < deadline);
    return error;
}

static void set_lost(struct shim_link *link, bool lost)
{
    pthread_mutex_lock(&link->lock);
    link->lost = lost;
    pthread_cond_broadcast(&link->idle);
    while (lost && link->users) /* they leave at once: their channel is dead */
        pthread_cond_wait(&link->idle, &link->lock);
    pthread_mutex_unlock(&link->lock);
}

/* Pages that are not granted again cost the sessions that lend them: then it is seen. */
static void adopt(struct shim_link *link, struct paracore_channel *channel)
{
    struct paracore_channel *before = link->channel;
    struct shim_pages *pages;

    LIST_FOREACH(pages, &link->pages, entry) {
        pages_leave(pages, before);
        pages_grant_again(pages, channel);
    }
    pthread_mutex_lock(&link->lock);
    link->channel = channel;
    link->turn++;
    link->delivered = 0;
    pthread_mutex_unlock(&link->lock);
    paracore_close(before);
}

/* --- a session ------------------------------------------------------------------------------------------------- */

static int call(struct shim_link *link, uint32_t id, uint16_t opcode, const void *request, size_t request_size,
                void *reply, size_t reply_size)
{
    return paracore_call(link->channel, opcode, id, request, request_size, reply, &reply_size, NULL, SHIM_CALL_NS);
}

static int set_controls(struct shim_session *session, uint32_t id, uint32_t from, uint32_t to)
{
    struct paracore_video_control_set_reply reply;
    int error = 0;

    for (uint32_t n = from; n < to && error == 0; n++)
        error = call(session->link, id, PARACORE_OP_VIDEO_CONTROL_SET, &session->controls[n],
                     sizeof session->controls[n], &reply, sizeof reply);
    return error;
}

/* The program's pictures lie as the lost device wanted them. */
static int set_format(struct shim_session *session, uint32_t id)
{
    struct paracore_video_format_set request = {.format = session->wish};
    struct paracore_video_format_set_reply reply;
    int error = call(session->link, id, PARACORE_OP_VIDEO_FORMAT_SET, &request, sizeof request, &reply, sizeof reply);

    if (error)
        return error;
    return reply.format.size == session->format.size &&
                   !memcmp(&reply.format, &session->format, offsetof(struct paracore_picture_format, size))
               ? 0
               : -EPROTO;
}

static int set_up(struct shim_session *session, uint32_t id)
{
    uint32_t before = session->has_format ? session->controls_before : session->control_count;
    int error = set_controls(session, id, 0, before);

    if (error == 0 && session->has_format)
        error = set_format(session, id);
    return error ? error : set_controls(session, id, before, session->control_count);
}

/* SAFETY: the backend says what a session is called. One that has another's name would get its events. */
static bool is_free(const struct shim_session *session, uint32_t id)
{
    const struct shim_session *other;

    LIST_FOREACH(other, &session->link->sessions, entry)
        if (other != session && other->id == id)
            return false;
    return id;
}

static int begin(struct shim_session *session, uint32_t id)
{
    struct shim_link *link = session->link;

    pthread_mutex_lock(&session->lock);
    session->id = id;
    session->turn = link->turn;
    session->channel = link->channel;
    int error = replay_begin(session);
    pthread_mutex_unlock(&session->lock);
    return error;
}

static int open_again(struct shim_session *session)
{
    struct shim_link *link = session->link;
    struct paracore_video_open_reply reply;

    int error = device_check(link->channel, session->request.device, session->device);

    if (error)
        return error;
    error = call(link, 0, PARACORE_OP_VIDEO_OPEN, &session->request, sizeof session->request, &reply, sizeof reply);
    if (error)
        return error;
    error = is_free(session, reply.session) ? set_up(session, reply.session) : -EPROTO;
    if (error == 0)
        error = begin(session, reply.session);
    if (error)
        call(link, reply.session, PARACORE_OP_VIDEO_CLOSE, NULL, 0, NULL, 0);
    return error;
}

/* --- all of it --------------------------------------------------------------------------------------------------- */

static void lose(struct shim_session *session)
{
    pthread_mutex_lock(&session->lock);
    session->id = 0;
    replay_lose(session);
    pthread_mutex_unlock(&session->lock);
}

static void give_up(struct shim_session *session)
{
    pthread_mutex_lock(&session->lock);
    session->id = 0;
    session->channel = NULL;
    session->recovers = false;
    replay_end(session, session->link->channel);
    pthread_mutex_unlock(&session->lock);
}

/* Nobody is let in: the sessions stay. Returns 0; -EPIPE when the new channel is lost as well; another error when there
 * is none. */
static int go_on(struct shim_link *link)
{
    struct paracore_channel *channel;
    struct shim_session *session;
    int error;

    LIST_FOREACH(session, &link->sessions, entry)
        lose(session);
    error = link_dial_again(&channel);
    if (error)
        return error == -EPIPE ? -ECONNREFUSED : error;
    adopt(link, channel);
    LIST_FOREACH(session, &link->sessions, entry) {
        error = session->recovers ? open_again(session) : 0;
        if (error == -EPIPE)
            return error;
        if (error)
            give_up(session);
    }
    return 0;
}

bool link_recover(struct shim_link *link, int error)
{
    if (!link->recovers || !is_loss(link, error) || !link_is_wanted(link))
        return false;
    set_lost(link, true);
    for (int times = 0; times < FRUITLESS_MAX && error == -EPIPE && is_loss(link, error); times++)
        error = go_on(link);
    link->unsettled = true;
    set_lost(link, false);
    if (error)
        return false;
    pump_fail_given_up(link);
    return true;
}
