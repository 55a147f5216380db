/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a session's new device is given of what its lost one had.
 *
 * A decoder's is given the units of its history again, from memory of the link's own (the arena), as many at a time as keep
 * it busy; what the program sends meanwhile waits its turn in the history. The program's output buffers are lent as soon as
 * the device says of which size its pictures are. An encoder's is given the pictures that are still in the program's
 * buffers, the first as a key frame, and the buffers for what comes of them.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

/* As the Python API's: sixteen units of 128 KiB, which is 1080p at 30 Mb/s. */
#define ARENA_LENGTH (UINT64_C(2) << 20)

static bool decodes(const struct shim_session *session)
{
    return session->request.direction == PARACORE_DIRECTION_DECODE;
}

/* --- words ------------------------------------------------------------------------------------------------- */

/* Without memory the program waits for its buffer, and hears of the end when it closes. */
static void say(struct shim_session *session, const struct word *what)
{
    struct word *word = malloc(sizeof *word);

    if (!word)
        return;
    *word = *what;
    TAILQ_INSERT_TAIL(&session->words, word, entry);
    __atomic_add_fetch(&session->word_count, 1, __ATOMIC_RELEASE);
}

void say_input(struct shim_session *session, const struct sent *sent, uint32_t error)
{
    say(session, &(struct word){.input = true, .done = {.cookie = sent->request.cookie, .error = error}});
}

void say_output(struct shim_session *session, const struct loan *loan)
{
    say(session, &(struct word){.ready = {.cookie = loan->request.cookie, .flags = PARACORE_OUTPUT_FLAG_CANCELLED}});
}

void sent_drop(struct shim_session *session, struct sent *sent)
{
    TAILQ_REMOVE(&session->sent, sent, entry);
    pages_release(sent->pages);
    free(sent);
}

void loan_drop(struct shim_session *session, struct loan *loan)
{
    TAILQ_REMOVE(&session->loans, loan, entry);
    pages_release(loan->pages);
    free(loan);
}

/* --- posts ------------------------------------------------------------------------------------------------- */

int post_sent(struct shim_session *session, const struct sent *sent)
{
    struct paracore_video_queue_input wire = sent->request;
    int error = pages_lend(sent->pages, &wire.span, true);

    if (error)
        return error;
    wire.cookie = (uint32_t)sent->number;
    if (decodes(session))
        wire.timestamp = sent->number;
    else if (session->key_due)
        wire.flags |= PARACORE_INPUT_FLAG_KEY;
    session->key_due = false;
    return wire_post(session, PARACORE_OP_VIDEO_QUEUE_INPUT, &wire, sizeof wire);
}

int post_loan(struct shim_session *session, struct loan *loan)
{
    struct paracore_video_queue_output wire = loan->request;
    int error = pages_lend(loan->pages, &wire.span, false);

    if (error)
        return error;
    loan->posted = true;
    return wire_post(session, PARACORE_OP_VIDEO_QUEUE_OUTPUT, &wire, sizeof wire);
}

/* --- the arena ---------------------------------------------------------------------------------------------- */

static int arena_make(struct shim_session *session, uint64_t length)
{
    struct arena *arena = &session->arena;

    if (arena->buffer.address)
        paracore_buffer_destroy(session->channel, &arena->buffer);
    *arena = (struct arena){.used = 0};
    return paracore_buffer_create(session->channel, length > ARENA_LENGTH ? length : ARENA_LENGTH,
                                  PARACORE_BUFFER_FLAG_READ_ONLY, &arena->buffer);
}

/* Room for so much: 1 with *span; 0 when some has to come back first; or a negative error. */
static int arena_room(struct shim_session *session, size_t length, struct paracore_span *span)
{
    struct arena *arena = &session->arena;
    int error = 0;

    if (arena->busy == 0) {
        arena->used = 0;
        if (length > arena->buffer.length)
            error = arena_make(session, length);
    }
    if (error || arena->busy >= REPLAY_DEPTH || length > arena->buffer.length - arena->used)
        return error;
    *span = (struct paracore_span){
        .buffer = arena->buffer.id, .length = (uint32_t)length, .offset = arena->used};
    arena->used += length;
    arena->busy++;
    return 1;
}

void replay_done(struct shim_session *session, int64_t number)
{
    struct arena *arena = &session->arena;

    if (number >= arena->first && number < session->replayed && arena->busy)
        arena->busy--;
    if (arena->buffer.address && arena->busy == 0 && !history_is_behind(session->history) && session->channel &&
        paracore_buffer_destroy(session->channel, &arena->buffer) == 0)
        *arena = (struct arena){.used = 0};
}

void replay_end(struct shim_session *session, struct paracore_channel *channel)
{
    if (session->arena.buffer.address)
        paracore_buffer_destroy(channel, &session->arena.buffer);
    session->arena = (struct arena){.used = 0};
}

/* --- a decoder ----------------------------------------------------------------------------------------------- */

/* The unit that is due: 1 when it has been given, 0 when there is no room, or a negative error. */
static int give_unit(struct shim_session *session, const struct history_due *due)
{
    struct paracore_video_queue_input wire = {
        .cookie = (uint32_t)due->number, .flags = due->flags, .timestamp = due->number, .duration = due->duration};
    int room = arena_room(session, due->length, &wire.span);

    if (room <= 0)
        return room;
    history_write(session->history, (uint8_t *)session->arena.buffer.address + wire.span.offset);
    history_given(session->history);
    session->replayed = due->number + 1;
    if (session->arena.busy == 1)
        session->arena.first = due->number; /* after a flush, what was not from here may still come back */
    int error = wire_post(session, PARACORE_OP_VIDEO_QUEUE_INPUT, &wire, sizeof wire);
    return error ? error : 1;
}

static int give_drain(struct shim_session *session)
{
    int error = wire_post(session, PARACORE_OP_VIDEO_DRAIN, NULL, 0);

    history_given(session->history);
    return error ? error : 1;
}

/* It is where its predecessor was, once it has all that one had, and all has come again that had come. */
static void settle(struct shim_session *session)
{
    const struct loan *loan;
    bool lent = true;

    TAILQ_FOREACH(loan, &session->loans, entry)
        lent &= loan->posted;
    bool unsettled = !lent || history_is_behind(session->history) || history_repeats(session->history);
    __atomic_store_n(&session->unsettled, unsettled, __ATOMIC_RELAXED);
}

int replay(struct shim_session *session)
{
    bool lacks = session->unsettled || history_is_behind(session->history);
    struct history_due due;
    int given = 1;

    if (!lacks || !session->channel || session->flushing)
        return 0;
    while (given > 0)
        if (history_drain_is_due(session->history))
            given = give_drain(session);
        else
            given = history_due(session->history, &due) ? give_unit(session, &due) : 0;
    settle(session);
    return given;
}

/* What is too small for the device's pictures waits, until it is known that there come none for it. */
int replay_loans(struct shim_session *session)
{
    struct loan *loan, *next;
    int error = 0;

    for (loan = TAILQ_FIRST(&session->loans); loan && error == 0; loan = next) {
        next = TAILQ_NEXT(loan, entry);
        if (loan->posted)
            continue;
        if (loan->request.span.length >= session->wanted) {
            error = post_loan(session, loan);
        } else if (session->view == session->told) {
            say_output(session, loan);
            loan_drop(session, loan);
        }
    }
    return error;
}

/* The program wants its outputs back, and these no device has. */
void replay_recalled(struct shim_session *session)
{
    struct loan *loan, *next;

    for (loan = TAILQ_FIRST(&session->loans); loan; loan = next) {
        next = TAILQ_NEXT(loan, entry);
        if (loan->posted)
            continue;
        say_output(session, loan);
        loan_drop(session, loan);
    }
    session->recall_due = false;
}

/* --- loss ---------------------------------------------------------------------------------------------------- */

static bool is_over(const struct shim_session *session, const struct sent *sent)
{
    if (decodes(session))
        return sent->number < history_base(session->history);
    /* a unit of a later picture has come: this one's could only come behind it */
    return session->newest != INT64_MIN && sent->request.timestamp <= session->newest;
}

/* What is still in the program's buffers will be given again: the rest of what was awaited is not to come. */
static void count_lost(struct shim_session *session)
{
    const struct sent *sent;
    int64_t kept = 0;

    TAILQ_FOREACH(sent, &session->sent, entry)
        kept++;
    if (session->awaited > kept)
        session->lost += (uint32_t)(session->awaited - kept);
    session->awaited = kept;
}

static void forget_device(struct shim_session *session)
{
    struct sent *sent, *next;
    struct loan *loan;

    session->channel = NULL;
    session->arena = (struct arena){.used = 0}; /* it went with the channel */
    session->view = session->heard = 0;
    session->wanted = 0;
    TAILQ_FOREACH(loan, &session->loans, entry)
        loan->posted = false;
    if (decodes(session)) {
        history_lose(session->history);
        session->replayed = history_base(session->history);
        __atomic_store_n(&session->unsettled, true, __ATOMIC_RELAXED);
    }
    session->key_due = !decodes(session);
    for (sent = TAILQ_FIRST(&session->sent); sent; sent = next) {
        next = TAILQ_NEXT(sent, entry);
        if (!is_over(session, sent))
            continue;
        say_input(session, sent, 0);
        sent_drop(session, sent);
    }
    if (!decodes(session))
        count_lost(session);
    if (session->recall_due)
        replay_recalled(session);
}

bool replay_lose(struct shim_session *session)
{
    bool hope = session->recovers && session->fruitless < FRUITLESS_MAX &&
                (!session->history || history_is_usable(session->history));

    if (!hope) {
        session->channel = NULL;
        session->recovers = false;
        return false;
    }
    session->fruitless++;
    forget_device(session);
    return true;
}

static int begin_decoder(struct shim_session *session)
{
    struct history_due due;
    int error = 0;

    history_resume(session->history);
    if (history_due(session->history, &due)) /* not for a drain alone */
        error = arena_make(session, history_largest(session->history));
    return error ? error : replay(session);
}

static int begin_encoder(struct shim_session *session)
{
    struct sent *sent;
    struct loan *loan;
    int error = 0;

    TAILQ_FOREACH(loan, &session->loans, entry)
        if (error == 0)
            error = post_loan(session, loan);
    TAILQ_FOREACH(sent, &session->sent, entry)
        if (error == 0)
            error = post_sent(session, sent);
    return error == 0 && session->draining ? wire_post(session, PARACORE_OP_VIDEO_DRAIN, NULL, 0) : error;
}

int replay_begin(struct shim_session *session)
{
    return decodes(session) ? begin_decoder(session) : begin_encoder(session);
}
