/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each session has with the backend: what of the program's is there, and what would have to be given to another
 * device. Posts and events pass through here; where nothing was lost they keep all but their numbers.
 *
 * Numbers. A span is called by the link's name of its pages, which a channel's own number is put in the place of. An input
 * goes by its number in the order of sending; with a decoder its time does, too. A decoder's formats are counted
 * for the program, whatever device they come from: one that it knows is not told again.
 *
 * Without recovery only the spans' names are exchanged.
 */
#include "internal.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

int journal_open(struct shim_session *session)
{
    session->recovers = session->link->recovers;
    session->newest = INT64_MIN;
    TAILQ_INIT(&session->sent);
    TAILQ_INIT(&session->loans);
    TAILQ_INIT(&session->words);
    if (session->recovers && session->request.direction == PARACORE_DIRECTION_DECODE) {
        session->history = history_create(session->request.codec, HISTORY_OCTETS_MAX, HISTORY_UNITS_MAX);
        if (!session->history)
            return -ENOMEM;
    }
    pthread_mutex_init(&session->lock, NULL);
    return 0;
}

void journal_close(struct shim_session *session)
{
    struct word *word;

    while (!TAILQ_EMPTY(&session->sent))
        sent_drop(session, TAILQ_FIRST(&session->sent));
    while (!TAILQ_EMPTY(&session->loans))
        loan_drop(session, TAILQ_FIRST(&session->loans));
    while ((word = TAILQ_FIRST(&session->words))) {
        TAILQ_REMOVE(&session->words, word, entry);
        free(word);
    }
    history_free(session->history);
    pthread_mutex_destroy(&session->lock);
}

/* --- posts ------------------------------------------------------------------------------------------------- */

/* A channel that has just died takes nothing more: what is noted will be given to the next one. */
static int unless_lost(int error)
{
    return error == -EPIPE ? 0 : error;
}

/* A unit's octets are copied: the program has its buffer back before the unit is needed no more. */
static int number_unit(struct shim_session *session, struct sent *sent)
{
    const struct paracore_video_queue_input *request = &sent->request;
    const uint8_t *octets = pages_at(sent->pages, &request->span);

    sent->number = octets ? history_append(session->history, octets, request->span.length, request->flags,
                                           request->timestamp, request->duration)
                          : -EINVAL;
    return sent->number < 0 ? (int)sent->number : 0;
}

/* To a device that is to have the parameter sets before it, which those of before had, it is given as if again. */
static int give_input(struct shim_session *session, const struct sent *sent)
{
    if (!session->channel)
        return 0;
    bool behind = session->history && history_is_behind(session->history);
    return unless_lost(behind ? replay(session) : post_sent(session, sent));
}

static int post_input(struct shim_session *session, struct sent *sent)
{
    int error = 0;

    if (session->history)
        error = number_unit(session, sent);
    else
        sent->number = ++session->last_number;
    if (error == 0)
        error = give_input(session, sent);
    session->awaited += error == 0;
    if (session->history) {
        pages_release(sent->pages);
        sent->pages = NULL;
    }
    return error;
}

static int note_input(struct shim_session *session, const void *request)
{
    struct sent *sent = calloc(1, sizeof *sent);

    if (!sent)
        return -ENOMEM;
    memcpy(&sent->request, request, sizeof sent->request);
    sent->pages = pages_hold(session->link, sent->request.span.buffer);
    TAILQ_INSERT_TAIL(&session->sent, sent, entry);
    int error = sent->pages ? post_input(session, sent) : -EINVAL;
    if (error)
        sent_drop(session, sent);
    return error;
}

static int note_output(struct shim_session *session, const void *request)
{
    struct loan *loan = calloc(1, sizeof *loan);

    if (!loan)
        return -ENOMEM;
    memcpy(&loan->request, request, sizeof loan->request);
    loan->pages = pages_hold(session->link, loan->request.span.buffer);
    TAILQ_INSERT_TAIL(&session->loans, loan, entry);
    bool awaited = session->unsettled && (!session->view || loan->request.span.length < session->wanted);
    int error = loan->pages ? 0 : -EINVAL;
    if (error == 0 && session->channel && !awaited)
        error = unless_lost(post_loan(session, loan));
    if (error)
        loan_drop(session, loan);
    return error;
}

static int note_drain(struct shim_session *session)
{
    bool now = session->channel && !(session->history && history_is_behind(session->history));

    session->draining = true;
    if (session->history)
        history_drain(session->history);
    return now ? wire_post(session, PARACORE_OP_VIDEO_DRAIN, NULL, 0) : 0;
}

/* What begins with a span, with its pages' number on the channel. */
static int post_as_it_is(struct shim_session *session, uint16_t opcode, const void *request, size_t size)
{
    union {
        struct paracore_span span;
        struct paracore_video_queue_input input;
        struct paracore_video_queue_output output;
    } wire;

    if (!size)
        return wire_post(session, opcode, NULL, 0);
    memcpy(&wire, request, size);
    struct shim_pages *pages = pages_hold(session->link, wire.span.buffer);
    int error = pages ? pages_lend(pages, &wire.span, true) : -EINVAL;
    pages_release(pages);
    return error ? error : wire_post(session, opcode, &wire, size);
}

static int post_noted(struct shim_session *session, uint16_t opcode, const void *request)
{
    switch (opcode) {
    case PARACORE_OP_VIDEO_QUEUE_INPUT:
        return note_input(session, request);
    case PARACORE_OP_VIDEO_QUEUE_OUTPUT:
        return note_output(session, request);
    default: /* there is no other post */
        return note_drain(session);
    }
}

int journal_post(struct shim_session *session, uint16_t opcode, const void *request, size_t size)
{
    int error;

    pthread_mutex_lock(&session->lock);
    if (session->recovers)
        error = post_noted(session, opcode, request);
    else
        error = session->channel ? post_as_it_is(session, opcode, request, size) : -EPIPE;
    pthread_mutex_unlock(&session->lock);
    return error;
}

/* --- calls ------------------------------------------------------------------------------------------------- */

void journal_before_call(struct shim_session *session, uint16_t opcode)
{
    if (opcode != PARACORE_OP_VIDEO_FLUSH)
        return;
    pthread_mutex_lock(&session->lock);
    session->flushing = true; /* nothing is given again that nobody wants any more */
    pthread_mutex_unlock(&session->lock);
}

/* Inputs that the device was never given are the program's as those are that it has dropped. */
static void flushed(struct shim_session *session)
{
    struct history_due due;
    struct sent *sent, *next;

    session->flushing = session->draining = false;
    session->newest = INT64_MIN;
    session->awaited = 0;
    if (!session->history)
        return;
    bool behind = history_due(session->history, &due);
    for (sent = TAILQ_FIRST(&session->sent); sent && behind; sent = next) {
        next = TAILQ_NEXT(sent, entry);
        if (sent->number < due.number)
            continue;
        say_input(session, sent, PARACORE_ERROR_CANCELLED);
        sent_drop(session, sent);
    }
    history_clear(session->history, session->told);
}

static void control_noted(struct shim_session *session, const struct paracore_video_control_set *request)
{
    uint32_t n = 0;

    while (n < session->control_count && session->controls[n].control != request->control)
        n++;
    if (n == CONTROLS_MAX)
        return;
    session->controls[n] = *request;
    if (n == session->control_count)
        session->control_count++;
}

static void format_noted(struct shim_session *session, const struct paracore_video_format_set *request,
                         const struct paracore_video_format_set_reply *reply)
{
    if (!session->has_format)
        session->controls_before = session->control_count;
    session->has_format = true;
    session->wish = request->format;
    session->format = reply->format;
}

void journal_after_call(struct shim_session *session, uint16_t opcode, const void *request, const void *reply, int error)
{
    pthread_mutex_lock(&session->lock);
    if (error == -EPIPE && opcode == PARACORE_OP_VIDEO_RECALL)
        session->recall_due = true; /* the next device will have none of them */
    else if (error)
        session->flushing &= opcode != PARACORE_OP_VIDEO_FLUSH;
    else if (opcode == PARACORE_OP_VIDEO_FLUSH)
        flushed(session);
    else if (opcode == PARACORE_OP_VIDEO_RECALL)
        replay_recalled(session);
    else if (opcode == PARACORE_OP_VIDEO_CONTROL_SET)
        control_noted(session, request);
    else if (opcode == PARACORE_OP_VIDEO_FORMAT_SET)
        format_noted(session, request, reply);
    pthread_mutex_unlock(&session->lock);
}

/* --- inputs that come back ----------------------------------------------------------------------------------- */

static int input_done(struct shim_session *session, struct paracore_video_input_done *done)
{
    struct sent *sent;

    TAILQ_FOREACH(sent, &session->sent, entry)
        if ((uint32_t)sent->number == done->cookie)
            break;
    if (session->history) {
        int64_t base = history_base(session->history), number = base + (int32_t)(done->cookie - (uint32_t)base);
        if (done->error == PARACORE_ERROR_INVALID)
            history_refused(session->history, number);
        replay_done(session, number);
        int error = replay(session);
        if (error < 0)
            return error;
    }
    if (!sent)
        return 0;
    session->awaited -= done->error != 0; /* no unit will come of it */
    done->cookie = sent->request.cookie;
    sent_drop(session, sent);
    return 1;
}

/* --- formats --------------------------------------------------------------------------------------------------- */

/* Whether pictures of the one lie as those of the other do. */
static bool same_pictures(const struct paracore_picture_format *one, const struct paracore_picture_format *other)
{
    return one->size == other->size && !memcmp(one, other, offsetof(struct paracore_picture_format, size));
}

static bool is_known(const struct shim_session *session, uint32_t generation,
                     const struct paracore_picture_format *format)
{
    return generation && generation <= session->told && session->told - generation < GENERATIONS &&
           same_pictures(format, &session->formats[generation % GENERATIONS]);
}

static bool is_enough(const struct shim_session *session, uint32_t generation,
                      const struct paracore_picture_format *format)
{
    return generation < session->told ||
           format->buffers_min <= session->formats[generation % GENERATIONS].buffers_min;
}

/* Whether the device has gone on from that format to the one behind it. The two may differ in nothing but how pictures
 * look, or how many are needed; then a device that says it again has gone on unless it says the same of all that, too. */
static bool is_next(const struct shim_session *session, uint32_t view, const struct paracore_picture_format *format)
{
    return memcmp(format, &session->formats[view % GENERATIONS], sizeof *format) &&
           is_known(session, view + 1, format) && is_enough(session, view + 1, format);
}

/* Which of the formats that the program knows the device has come to again; 0: none. */
static uint32_t known_view(const struct shim_session *session, const struct paracore_picture_format *format)
{
    uint32_t view = session->view ? session->view : history_generation(session->history);

    if (!session->unsettled)
        return 0;
    if (session->view && is_next(session, view, format))
        return view + 1;
    return is_known(session, view, format) && is_enough(session, view, format) ? view : 0;
}

/* The device is given again what was of another format, and calls it by neither: it is not the same stream. */
static bool is_lost(const struct shim_session *session)
{
    uint32_t view = session->view ? session->view : history_generation(session->history);

    return session->unsettled && view < session->told;
}

static int source_change(struct shim_session *session, struct paracore_video_source_change *change)
{
    uint32_t view = known_view(session, &change->format);
    bool told = view;

    if (change->generation != session->heard + 1 || (!told && is_lost(session)))
        return -EPROTO;
    if (!told) {
        view = ++session->told;
        session->formats[view % GENERATIONS] = change->format;
    }
    session->heard = change->generation;
    session->views[change->generation % GENERATIONS] = session->view = view;
    session->wanted = change->format.size;
    change->generation = view;
    int error = session->unsettled ? replay_loans(session) : 0;
    if (error == 0 && session->unsettled)
        error = replay(session);
    return error < 0 ? error : !told;
}

/* --- outputs --------------------------------------------------------------------------------------------------- */

static struct loan *loan_of(struct shim_session *session, uint32_t cookie)
{
    struct loan *loan;

    TAILQ_FOREACH(loan, &session->loans, entry)
        if (loan->request.cookie == cookie)
            break;
    return loan;
}

/* Whether the program has yet to hear of this end: of a format that another has followed, or of its drain. A mark of the
 * end without a picture may have no format. */
static bool end_is_due(const struct shim_session *session, uint32_t generation)
{
    return generation && generation < session->told ? generation > session->ended : session->draining;
}

/* Whether it has been delivered before; the end of the stream is then told without the picture if it is due. */
static bool is_repeated(struct shim_session *session, struct paracore_video_output_ready *ready)
{
    bool key = ready->flags & PARACORE_OUTPUT_FLAG_KEY, last = ready->flags & PARACORE_OUTPUT_FLAG_LAST;
    bool again = session->unsettled && last;

    if (!(ready->flags & PARACORE_OUTPUT_FLAG_EMPTY)) {
        again = !history_picture(session->history, ready->timestamp, key, ready->generation, &ready->timestamp);
        ready->decode_timestamp = ready->timestamp;
    }
    if (!again || !last || !end_is_due(session, ready->generation))
        return again;
    ready->flags = PARACORE_OUTPUT_FLAG_EMPTY | PARACORE_OUTPUT_FLAG_LAST;
    ready->bytes_used = 0;
    return false;
}

static int decoded(struct shim_session *session, struct loan *loan, struct paracore_video_output_ready *ready)
{
    if (ready->generation && session->heard - ready->generation < GENERATIONS)
        ready->generation = session->views[ready->generation % GENERATIONS];
    if (is_repeated(session, ready)) {
        loan->posted = false;
        int error = replay_loans(session);
        if (error == 0)
            error = replay(session);
        return error < 0 ? error : 0;
    }
    if (!(ready->flags & PARACORE_OUTPUT_FLAG_EMPTY))
        session->fruitless = 0;
    if (ready->flags & PARACORE_OUTPUT_FLAG_LAST) {
        bool of_format = ready->generation && ready->generation < session->told;
        session->ended = of_format ? ready->generation : session->ended;
        session->draining &= of_format;
    }
    loan_drop(session, loan);
    return 1;
}

static int coded(struct shim_session *session, struct loan *loan, const struct paracore_video_output_ready *ready)
{
    if (!(ready->flags & PARACORE_OUTPUT_FLAG_EMPTY)) {
        session->fruitless = 0;
        session->awaited--;
        if (ready->timestamp > session->newest)
            session->newest = ready->timestamp;
    }
    loan_drop(session, loan);
    return 1;
}

static int output_ready(struct shim_session *session, struct paracore_video_output_ready *ready)
{
    struct loan *loan = loan_of(session, ready->cookie);

    if (!loan)
        return 1; /* none that was lent: its owner knows none either */
    if (!(ready->flags & PARACORE_OUTPUT_FLAG_CANCELLED))
        return session->history ? decoded(session, loan, ready) : coded(session, loan, ready);
    loan->posted = false;
    if (session->unsettled && session->view < session->told)
        return 0; /* too small for a format of before, or asked back: told when that is known */
    loan_drop(session, loan);
    return 1;
}

static void drained(struct shim_session *session)
{
    session->draining = false;
    session->newest = INT64_MIN; /* what comes next may be of another time */
    session->awaited = 0;
    if (session->history)
        history_drained(session->history, session->told);
}

/* --- events ---------------------------------------------------------------------------------------------------- */

static int noted(struct shim_session *session, struct paracore_event *event)
{
    void *payload = event->payload;

    switch (event->header.opcode) {
    case PARACORE_OP_VIDEO_INPUT_DONE:
        return input_done(session, payload);
    case PARACORE_OP_VIDEO_OUTPUT_READY:
        return output_ready(session, payload);
    case PARACORE_OP_VIDEO_SOURCE_CHANGE:
        return session->history ? source_change(session, payload) : 1;
    case PARACORE_OP_VIDEO_DRAINED:
        drained(session);
        return 1;
    default:
        return 1;
    }
}

uint32_t journal_take_lost(struct shim_session *session)
{
    pthread_mutex_lock(&session->lock);
    uint32_t lost = session->lost;
    session->lost = 0;
    pthread_mutex_unlock(&session->lock);
    return lost;
}

int journal_event(struct shim_session *session, struct paracore_event *event)
{
    int wanted = 1;

    pthread_mutex_lock(&session->lock);
    if (session->recovers)
        wanted = noted(session, event);
    pthread_mutex_unlock(&session->lock);
    return wanted;
}
