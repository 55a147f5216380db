/* SPDX-License-Identifier: Apache-2.0 */
/* What a session has to say, and the thread on which it works: one thing after the other, as they were queued. */
#include "session.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include <libavutil/error.h>

#include "clock.h"

/* --- completions ---------------------------------------------------------------------------- */

bool paracore_stopped(const struct paracore_codec *codec)
{
    return codec->flushing || codec->closing;
}

bool paracore_stopping(struct paracore_codec *codec)
{
    pthread_mutex_lock(&codec->lock);
    bool stopped = paracore_stopped(codec);
    pthread_mutex_unlock(&codec->lock);
    return stopped;
}

/*
 * What came of one unit is told together, and while further units wait what came of several: a wake-up of the worker
 * and of the domain costs up to half a millisecond of processor time, caches being cold, which is a tenth of a small
 * picture. But all is told before anybody waits, when twice as many units are back as still wait (so that there are new ones
 * before those are done), no later than TELL_NS and a unit after, and at once with low delay. Where many share a processor
 * that time passes in each unit: there it is told when the process has worked for TELL_WORK_NS, or after TELL_MAX_NS.
 * The first picture after an opening, a flush or a new format is told at once as well: someone looks at a blank screen.
 */
#define TELL_NS (100 * PARACORE_NS_PER_MS)
#define TELL_MAX_NS PARACORE_NS_PER_S
#define TELL_WORK_NS (20 * PARACORE_NS_PER_MS) /* of processor time: fifty times what a wake-up costs */

static void mark_told(struct paracore_codec *codec)
{
    codec->untold = false;
    codec->given_back = 0;
    codec->told_at = paracore_now();
    codec->told_work = paracore_work();
}

static void ring(const struct paracore_codec *codec)
{
    ssize_t written = write(codec->options.notify, &(uint64_t){1}, sizeof(uint64_t));
    (void)written; /* it fails only when the count is at its end, and then it is readable anyway */
}

/* Without the lock meanwhile: the worker's thread wants it first of all, and would wake up to fall asleep again. */
static void notify(struct paracore_codec *codec)
{
    mark_told(codec);
    pthread_mutex_unlock(&codec->lock);
    ring(codec);
    pthread_mutex_lock(&codec->lock);
}

/* Anything may have changed when this returns. */
void paracore_wait(struct paracore_codec *codec)
{
    if (codec->untold)
        notify(codec);
    else
        pthread_cond_wait(&codec->changed, &codec->lock);
}

/* Nobody but the codec makes one: what the domain does brings at most outputs that are cancelled. */
static bool is_output(const struct slip *slip)
{
    return slip->done.kind == PARACORE_COMPLETION_OUTPUT_READY && !(slip->done.flags & PARACORE_OUTPUT_FLAG_CANCELLED);
}

static bool is_first(struct paracore_codec *codec, const struct slip *slip)
{
    if (!is_output(slip))
        return false;
    bool first = !codec->has_shown;
    codec->has_shown = true;
    return first;
}

void paracore_push(struct paracore_codec *codec, struct slip *slip)
{
    TAILQ_INSERT_TAIL(&codec->completions, slip, link);
    codec->untold = true;
    if (is_output(slip))
        paracore_job_advance(codec, slip);
    if (is_first(codec, slip) || !codec->in_unit) {
        mark_told(codec);
        ring(codec);
    }
}

static void push_done(struct paracore_codec *codec, struct slip *slip, uint32_t error)
{
    slip->done.kind = PARACORE_COMPLETION_INPUT_DONE;
    slip->done.error = paracore_stopped(codec) ? PARACORE_ERROR_CANCELLED : error;
    codec->given_back++;
    paracore_push(codec, slip);
}

void paracore_done(struct slip *slip, uint32_t error)
{
    struct paracore_codec *codec = slip->codec;
    pthread_mutex_lock(&codec->lock);
    push_done(codec, slip, error);
    pthread_mutex_unlock(&codec->lock);
}

uint32_t paracore_error(int averror)
{
    switch (averror) {
    case 0:
        return 0;
    case AVERROR(ENOMEM):
        return PARACORE_ERROR_NO_MEMORY;
    case AVERROR(ENOSYS):
    case AVERROR_PATCHWELCOME:
        return PARACORE_ERROR_NOT_SUPPORTED;
    default:
        return PARACORE_ERROR_INVALID;
    }
}

void paracore_fail(struct paracore_codec *codec, uint32_t error)
{
    codec->over = true;
    if (!codec->failed)
        return;
    codec->failed->done = (struct paracore_completion){.kind = PARACORE_COMPLETION_FAILED, .error = error};
    paracore_push(codec, codec->failed);
    codec->failed = NULL;
}

void paracore_tell(struct paracore_codec *codec, const struct paracore_picture_format *format, uint32_t changes)
{
    struct slip *slip = codec->change;
    codec->change = NULL;
    codec->told = *format;
    slip->done = (struct paracore_completion){
        .kind = PARACORE_COMPLETION_SOURCE_CHANGE,
        .flags = changes,
        .generation = ++codec->generation,
        .format = *format,
    };
    if (changes & PARACORE_CHANGE_FLAG_BUFFERS)
        codec->cold = format->buffers_min;
    codec->has_shown = false;
    paracore_push(codec, slip);
    paracore_span_cancel(codec, format->size);
}

/* --- the session's thread --------------------------------------------------------------------- */

void paracore_queue(struct paracore_codec *codec, struct slip *slip)
{
    TAILQ_INSERT_TAIL(&codec->inputs, slip, link);
    codec->queued++;
    pthread_cond_broadcast(&codec->changed);
}

static void unqueue(struct paracore_codec *codec, struct slip *slip)
{
    TAILQ_REMOVE(&codec->inputs, slip, link);
    codec->queued--;
}

static void cancel_inputs(struct paracore_codec *codec)
{
    struct slip *slip;
    while ((slip = TAILQ_FIRST(&codec->inputs))) {
        unqueue(codec, slip);
        if (slip->done.kind == PARACORE_COMPLETION_DRAINED)
            codec->drained = slip;
        else
            push_done(codec, slip, PARACORE_ERROR_CANCELLED);
    }
}

static void rest(struct paracore_codec *codec)
{
    pthread_mutex_unlock(&codec->lock);
    codec->role->flush(codec);
    pthread_mutex_lock(&codec->lock);
    cancel_inputs(codec);
    codec->unmarked = codec->has_shown = false;
    codec->flushing = false;
    pthread_cond_broadcast(&codec->changed);
}

/* The next thing that may be done now. */
static struct slip *due(struct paracore_codec *codec)
{
    struct slip *slip = codec->flushing ? NULL : TAILQ_FIRST(&codec->inputs);
    if (slip)
        return paracore_gate_pass(codec) ? slip : NULL;
    paracore_gate_rest(codec);
    return NULL;
}

static bool is_late(const struct paracore_codec *codec)
{
    uint64_t since = paracore_now() - codec->told_at;
    return since >= TELL_MAX_NS || (since >= TELL_NS && paracore_work() - codec->told_work >= TELL_WORK_NS);
}

static bool should_tell(const struct paracore_codec *codec)
{
    return codec->untold && (codec->control[PARACORE_CONTROL_LOW_DELAY] || codec->given_back >= 2 * codec->queued ||
                             is_late(codec));
}

/* What to do next, or NULL when the session is being closed. */
static struct slip *next(struct paracore_codec *codec)
{
    struct slip *slip = NULL;
    pthread_mutex_lock(&codec->lock);
    codec->in_unit = false;
    paracore_job_end(codec);
    if (should_tell(codec))
        notify(codec);
    while (!codec->closing && !(slip = due(codec))) {
        if (codec->flushing)
            rest(codec);
        else
            paracore_wait(codec);
    }
    if (slip) {
        unqueue(codec, slip);
        codec->in_unit = slip->done.kind != PARACORE_COMPLETION_DRAINED;
        paracore_job_begin(codec, slip);
    }
    pthread_mutex_unlock(&codec->lock);
    return slip;
}

static void drain(struct paracore_codec *codec, struct slip *slip)
{
    codec->role->drain(codec);
    pthread_mutex_lock(&codec->lock);
    if (paracore_stopped(codec))
        codec->drained = slip; /* a flush ends a drain without a word */
    else
        paracore_push(codec, slip);
    codec->unmarked = false;
    pthread_mutex_unlock(&codec->lock);
}

static void *run(void *argument)
{
    struct paracore_codec *codec = argument;
    struct slip *slip;
    while ((slip = next(codec)))
        if (slip->done.kind == PARACORE_COMPLETION_DRAINED)
            drain(codec, slip);
        else
            codec->role->unit(codec, slip);
    codec->role->close(codec);
    return NULL;
}

int paracore_thread(pthread_t *thread, void *(*function)(void *), void *argument)
{
    sigset_t all, before; /* signals are the worker's business, not its codecs' */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(thread, NULL, function, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error ? -ENOMEM : 0;
}

int paracore_start(struct paracore_codec *codec)
{
    return paracore_thread(&codec->thread, run, codec);
}
