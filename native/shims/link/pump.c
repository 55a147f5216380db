/* SPDX-License-Identifier: Apache-2.0 */
/* The link's thread, which brings sessions their events. */
#include "internal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* --- the thread -------------------------------------------------------------------------------------- */

/* What an encoder's program sees of a loss comes before the first unit behind it. */
static void deliver_output(struct shim_session *session, const void *payload)
{
    uint32_t lost = session->request.direction == PARACORE_DIRECTION_ENCODE ? journal_take_lost(session) : 0;

    if (lost && session->listener->lost)
        session->listener->lost(session->owner, lost);
    session->listener->output_ready(session->owner, payload);
}

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
        deliver_output(session, payload);
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

/* Its owner may be called: the session stays. The lock is held before and after. */
static void tell_begin(struct shim_session *session)
{
    session->busy = true;
    pthread_mutex_unlock(&session->link->lock);
}

static void tell_end(struct shim_session *session)
{
    pthread_mutex_lock(&session->link->lock);
    session->busy = false;
    pthread_cond_broadcast(&session->link->idle);
}

/* The lock is held before and after. */
static void fail(struct shim_session *session, int error)
{
    if (session->failed)
        return;
    session->failed = true;
    tell_begin(session);
    session->listener->failed(session->owner, error);
    tell_end(session);
}

static struct shim_session *first_given_up(struct shim_link *link)
{
    struct shim_session *session;

    LIST_FOREACH(session, &link->sessions, entry)
        if (!session->recovers && !session->failed)
            break;
    return session;
}

void pump_fail_given_up(struct shim_link *link)
{
    struct shim_session *session;

    pthread_mutex_lock(&link->lock);
    while ((session = first_given_up(link)))
        fail(session, EIO);
    pthread_mutex_unlock(&link->lock);
}

/* Its owner has been told something, and is to be told when there is no more. On the link's thread. */
static void stir(struct shim_session *session, bool told)
{
    session->stirred |= told && session->listener->settled;
    session->link->stirred |= session->stirred;
}

static struct shim_session *first_stirred(struct shim_link *link)
{
    struct shim_session *session;

    LIST_FOREACH(session, &link->sessions, entry)
        if (session->stirred && !session->failed)
            break;
    return session;
}

/* Nothing more has come, for now. */
static void settle(struct shim_link *link)
{
    struct shim_session *session;

    pthread_mutex_lock(&link->lock);
    link->stirred = false;
    while ((session = first_stirred(link))) {
        session->stirred = false;
        tell_begin(session);
        session->listener->settled(session->owner);
        tell_end(session);
    }
    pthread_mutex_unlock(&link->lock);
}

/* The lock is held before and after. */
static void tell(struct shim_session *session, struct paracore_event *event)
{
    int error = fatal(event);

    if (error || session->failed) {
        fail(session, error);
        return;
    }
    tell_begin(session);
    int wanted = journal_event(session, event);
    if (wanted > 0)
        deliver(session, event);
    stir(session, wanted > 0);
    tell_end(session);
    if (wanted < 0)
        fail(session, EIO);
}

static void route(struct shim_link *link, struct paracore_event *event)
{
    struct shim_session *session;

    pthread_mutex_lock(&link->lock);
    LIST_FOREACH(session, &link->sessions, entry)
        if (session->id == event->header.object)
            break;
    if (session)
        tell(session, event);
    link->delivered++;
    pthread_cond_broadcast(&link->idle);
    pthread_mutex_unlock(&link->lock);
}

/* A callback takes no longer than a program's own call may hold it up; a channel that is lost has no more of them. */
#define CATCH_UP_S 1

void shim_link_catch_up(struct shim_link *link)
{
    struct paracore_statistics statistics;
    struct timespec until;

    if (!shim_link_is_ours(link))
        return;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += CATCH_UP_S;
    pthread_mutex_lock(&link->lock);
    unsigned turn = link->turn;
    paracore_get_statistics(link->channel, &statistics);
    while (link->pumping && link->delivered < statistics.events && link->turn == turn && !link->lost &&
           !__atomic_load_n(&link->dead, __ATOMIC_ACQUIRE))
        if (pthread_cond_clockwait(&link->idle, &link->lock, CLOCK_MONOTONIC, &until) != 0)
            break;
    pthread_mutex_unlock(&link->lock);
}

static struct shim_session *first_untold(struct shim_link *link)
{
    struct shim_session *session;

    LIST_FOREACH(session, &link->sessions, entry)
        if (!session->failed)
            break;
    return session;
}

/* The channel has died for good: each session hears of it. From now on none can be opened. */
static void end_all(struct shim_link *link, int error)
{
    struct shim_session *session;

    pthread_mutex_lock(&link->lock);
    __atomic_store_n(&link->dead, error, __ATOMIC_RELEASE);
    pthread_cond_broadcast(&link->idle);
    while ((session = first_untold(link)))
        fail(session, EIO);
    pthread_mutex_unlock(&link->lock);
}

/* --- words of its own ------------------------------------------------------------------------------------ */

/* How often the thread looks whether a session that is not settled has a word to say. */
#define LOOK_NS UINT64_C(20000000)

static struct word *next_word(struct shim_session *session)
{
    pthread_mutex_lock(&session->lock);
    struct word *word = TAILQ_FIRST(&session->words);
    if (word) {
        TAILQ_REMOVE(&session->words, word, entry);
        __atomic_sub_fetch(&session->word_count, 1, __ATOMIC_RELAXED);
    }
    pthread_mutex_unlock(&session->lock);
    return word;
}

static void say_words(struct shim_session *session)
{
    struct word *word;

    while ((word = next_word(session))) {
        if (word->input)
            session->listener->input_done(session->owner, &word->done);
        else
            session->listener->output_ready(session->owner, &word->ready);
        free(word);
    }
}

/* One session that has something to say; the lock is held. `unsettled` becomes true when there may be more to come. */
static struct shim_session *with_words(struct shim_link *link, bool *unsettled)
{
    struct shim_session *session;

    LIST_FOREACH(session, &link->sessions, entry) {
        if (session->failed)
            continue;
        *unsettled |= __atomic_load_n(&session->unsettled, __ATOMIC_RELAXED);
        if (__atomic_load_n(&session->word_count, __ATOMIC_ACQUIRE))
            break;
    }
    return session;
}

static void say_all(struct shim_link *link)
{
    struct shim_session *session;
    bool unsettled = false;

    pthread_mutex_lock(&link->lock);
    while ((session = with_words(link, &unsettled))) {
        tell_begin(session);
        say_words(session);
        stir(session, true);
        tell_end(session);
    }
    link->unsettled = unsettled;
    pthread_mutex_unlock(&link->lock);
}

/* --- its life -------------------------------------------------------------------------------------------- */

/* How long it sleeps; while something was told, only what is there already is taken. */
static uint64_t patience(const struct shim_link *link)
{
    return link->stirred ? 0 : link->unsettled ? LOOK_NS : PARACORE_FOREVER;
}

/* Takes events until the channel has ended; returns what it died of. */
static int take_all(struct shim_link *link)
{
    struct paracore_event event;
    int said;

    for (;;) {
        said = paracore_next_event(link->channel, &event, patience(link));
        if (said < 0 && said != -EINTR)
            return said;
        if (link->unsettled)
            say_all(link);
        if (said > 0)
            route(link, &event);
        else if (link->stirred)
            settle(link);
    }
}

static void *pump(void *argument)
{
    struct shim_link *link = argument;
    int said;

    do
        said = take_all(link);
    while (link_recover(link, said));
    end_all(link, said);
    shim_link_put(link);
    return NULL;
}

/* The lock is held. */
static int pump_start_locked(struct shim_link *link)
{
    pthread_t thread;
    sigset_t all, before;

    if (link->pumping)
        return 0;
    sigfillset(&all); /* the program's handlers are for the program's threads */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&thread, NULL, pump, link);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error)
        return -error;
    shim_link_keep(link);
    pthread_setname_np(thread, "paracore");
    pthread_detach(thread);
    link->pump = thread;
    link->pumping = true;
    return 0;
}

int pump_start(struct shim_link *link)
{
    pthread_mutex_lock(&link->lock);
    int error = pump_start_locked(link);
    pthread_mutex_unlock(&link->lock);
    return error;
}
