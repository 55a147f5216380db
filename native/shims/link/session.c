/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions, and the link's thread that brings them their events. */
#include "internal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>

/* --- the thread -------------------------------------------------------------------------------------- */

/* Payload sizes and values have been checked by libparacore against the description of the wire. */
static void deliver(struct shim_session *session, const struct paracore_event *event)
{
    const struct shim_listener *listener = session->listener;
    const void *payload = event->payload;

    switch (event->header.opcode) {
    case PARACORE_OP_VIDEO_INPUT_DONE:
        listener->input_done(session->owner, payload);
        break;
    case PARACORE_OP_VIDEO_OUTPUT_READY:
        listener->output_ready(session->owner, payload);
        break;
    case PARACORE_OP_VIDEO_SOURCE_CHANGE:
        listener->source_change(session->owner, payload);
        break;
    case PARACORE_OP_VIDEO_DRAINED:
        listener->drained(session->owner);
        break;
    default: /* handled by route() */
        break;
    }
}

static int fatal(const struct paracore_event *event)
{
    const struct paracore_video_session_failed *failed = (const void *)event->payload;
    const struct paracore_core_post_failed *refused = (const void *)event->payload;

    switch (event->header.opcode) {
    case PARACORE_OP_VIDEO_SESSION_FAILED:
        return failed->error ? (int)failed->error : EIO;
    case PARACORE_OP_CORE_POST_FAILED:
        return refused->error ? (int)refused->error : EIO;
    default:
        return 0;
    }
}

/* Runs one callback: of the event, of the failure, or that there is no more. The lock is held before and after. */
static void tell(struct shim_session *session, const struct paracore_event *event, int failure)
{
    struct shim_link *link = session->link;

    if (session->failed)
        return;
    session->failed = failure != 0;
    session->busy = true;
    pthread_mutex_unlock(&link->lock);
    if (failure)
        session->listener->failed(session->owner, failure);
    else if (event)
        deliver(session, event);
    else
        session->listener->settled(session->owner);
    pthread_mutex_lock(&link->lock);
    session->busy = false;
    pthread_cond_broadcast(&link->idle);
}

static void route(struct shim_link *link, const struct paracore_event *event)
{
    struct shim_session *session;

    pthread_mutex_lock(&link->lock);
    LIST_FOREACH(session, &link->sessions, entry)
        if (session->id == event->header.object)
            break;
    if (session) {
        session->stirred = session->listener->settled;
        tell(session, event, fatal(event));
    }
    pthread_mutex_unlock(&link->lock);
}

static struct shim_session *first_stirred(struct shim_link *link)
{
    struct shim_session *session;

    LIST_FOREACH(session, &link->sessions, entry)
        if (session->stirred)
            break;
    return session;
}

/* Nothing more has come, for now. */
static void settle(struct shim_link *link)
{
    struct shim_session *session;

    pthread_mutex_lock(&link->lock);
    while ((session = first_stirred(link))) {
        session->stirred = false;
        tell(session, NULL, 0);
    }
    pthread_mutex_unlock(&link->lock);
}

/* All that is there, which is more than one as a rule: the backend tells of several at once. */
static int route_all(struct shim_link *link, struct paracore_event *event)
{
    int said;

    do
        route(link, event);
    while ((said = paracore_next_event(link->channel, event, 0)) > 0);
    settle(link);
    return said == 0 ? 1 : said;
}

static struct shim_session *first_untold(struct shim_link *link)
{
    struct shim_session *session;

    LIST_FOREACH(session, &link->sessions, entry)
        if (!session->failed)
            break;
    return session;
}

/* The channel has died: each session hears of it. From now on none can be opened. */
static void end_all(struct shim_link *link, int error)
{
    struct shim_session *session;

    pthread_mutex_lock(&link->lock);
    __atomic_store_n(&link->dead, error, __ATOMIC_RELEASE);
    while ((session = first_untold(link)))
        tell(session, NULL, EIO);
    pthread_mutex_unlock(&link->lock);
}

static void *pump(void *argument)
{
    struct shim_link *link = argument;
    struct paracore_event event;
    int said;

    while ((said = paracore_next_event(link->channel, &event, PARACORE_FOREVER)) > 0 || said == -EINTR)
        if (said > 0 && (said = route_all(link, &event)) < 0 && said != -EINTR)
            break;
    end_all(link, said);
    shim_link_put(link);
    return NULL;
}

int pump_start(struct shim_link *link)
{
    pthread_t thread;
    sigset_t all, before;
    int error;

    if (link->pumping)
        return 0;
    sigfillset(&all); /* the program's handlers are for the program's threads */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    error = pthread_create(&thread, NULL, pump, link);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        return -error;
    shim_link_keep(link);
    pthread_setname_np(thread, "paracore");
    pthread_detach(thread);
    link->pumping = true;
    return 0;
}

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
        error = pump_start(link);
    if (error == 0)
        LIST_INSERT_HEAD(&link->sessions, session, entry);
    pthread_mutex_unlock(&link->lock);
    return error;
}

static int open_there(struct shim_session *session, const struct paracore_video_open *request)
{
    struct paracore_video_open_reply reply;
    size_t size = sizeof reply;
    int error = paracore_call(session->link->channel, PARACORE_OP_VIDEO_OPEN, 0, request, sizeof *request, &reply,
                              &size, NULL, SHIM_CALL_NS);

    session->id = error ? 0 : reply.session;
    return error;
}

int shim_session_open(struct shim_link *link, const struct paracore_video_open *request,
                      const struct shim_listener *listener, void *owner, struct shim_session **out)
{
    struct shim_session *session = calloc(1, sizeof *session);

    if (!session)
        return -ENOMEM;
    *session = (struct shim_session){.link = link, .listener = listener, .owner = owner};
    int error = shim_link_is_ours(link) ? open_there(session, request) : -EPIPE;
    if (error == 0) {
        shim_link_keep(link);
        error = start(session);
        if (error == 0) {
            *out = session;
            return 0;
        }
        shim_session_call(session, PARACORE_OP_VIDEO_CLOSE, NULL, 0, NULL, 0);
        shim_link_put(link);
    }
    free(session);
    return error;
}

void shim_session_close(struct shim_session *session)
{
    struct shim_link *link = session->link;

    if (!shim_link_is_ours(link))
        return; /* the parent's; its memory is a copy that nothing uses */
    pthread_mutex_lock(&link->lock);
    while (session->busy)
        pthread_cond_wait(&link->idle, &link->lock);
    LIST_REMOVE(session, entry);
    pthread_mutex_unlock(&link->lock);
    shim_session_call(session, PARACORE_OP_VIDEO_CLOSE, NULL, 0, NULL, 0);
    free(session);
    shim_link_put(link);
}

int shim_session_call(struct shim_session *session, uint16_t opcode, const void *request, size_t request_size,
                      void *reply, size_t reply_size)
{
    if (!shim_link_is_ours(session->link))
        return -EPIPE;
    return paracore_call(session->link->channel, opcode, session->id, request, request_size, reply, &reply_size, NULL,
                         SHIM_CALL_NS);
}

int shim_session_post(struct shim_session *session, uint16_t opcode, const void *request, size_t request_size)
{
    int error = shim_session_post_unseen(session, opcode, request, request_size);

    return error ? error : shim_session_publish(session);
}

int shim_session_post_unseen(struct shim_session *session, uint16_t opcode, const void *request, size_t request_size)
{
    if (!shim_link_is_ours(session->link))
        return -EPIPE;
    return paracore_post(session->link->channel, opcode, session->id, request, request_size, NULL, SHIM_CALL_NS);
}

int shim_session_publish(struct shim_session *session)
{
    return shim_link_is_ours(session->link) ? paracore_flush(session->link->channel) : -EPIPE;
}
