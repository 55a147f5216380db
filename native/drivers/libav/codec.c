/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session: its queues, its thread, and the functions of codec.h, which leave work on the queues and take
 * completions from them. What is done with the work is the role's business (decoder.c, encoder.c).
 */
#include "session.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libavcodec/avcodec.h>

#include "codecs.h"
#include "formats.h"

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

/* What came of one unit is told at once, so that it costs the worker one wake-up; but before anybody waits. */
static void notify(struct paracore_codec *codec)
{
    if (!codec->untold)
        return;
    ssize_t written = write(codec->options.notify, &(uint64_t){1}, sizeof(uint64_t));
    (void)written; /* it fails only when the count is at its end, and then it is readable anyway */
    codec->untold = false;
}

void paracore_wait(struct paracore_codec *codec)
{
    notify(codec);
    pthread_cond_wait(&codec->changed, &codec->lock);
}

void paracore_push(struct paracore_codec *codec, struct slip *slip)
{
    TAILQ_INSERT_TAIL(&codec->completions, slip, link);
    codec->untold = true;
    if (!codec->in_unit)
        notify(codec);
}

static void push_done(struct paracore_codec *codec, struct slip *slip, uint32_t error)
{
    slip->done.kind = PARACORE_COMPLETION_INPUT_DONE;
    slip->done.error = paracore_stopped(codec) ? PARACORE_ERROR_CANCELLED : error;
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
    paracore_push(codec, slip);
    paracore_span_cancel(codec, format->size);
}

/* A slip whose word has been heard: the session's own go home, those of loans end. */
static void settle(struct paracore_codec *codec, struct slip *slip)
{
    if (slip->done.kind == PARACORE_COMPLETION_SOURCE_CHANGE)
        codec->change = slip;
    else if (slip->done.kind == PARACORE_COMPLETION_DRAINED)
        codec->drained = slip;
    else
        free(slip);
}

int paracore_codec_completions(struct paracore_codec *codec, struct paracore_completion *out, int count)
{
    struct slip *slip;
    int taken = 0;
    pthread_mutex_lock(&codec->lock);
    while (taken < count && (slip = TAILQ_FIRST(&codec->completions))) {
        TAILQ_REMOVE(&codec->completions, slip, link);
        out[taken++] = slip->done;
        settle(codec, slip);
    }
    pthread_cond_broadcast(&codec->changed);
    pthread_mutex_unlock(&codec->lock);
    return taken;
}

/* --- the session's thread --------------------------------------------------------------------- */

static void cancel_inputs(struct paracore_codec *codec)
{
    struct slip *slip;
    while ((slip = TAILQ_FIRST(&codec->inputs))) {
        TAILQ_REMOVE(&codec->inputs, slip, link);
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
    codec->unmarked = false;
    codec->flushing = false;
    pthread_cond_broadcast(&codec->changed);
}

/* What to do next, or NULL when the session is being closed. */
static struct slip *next(struct paracore_codec *codec)
{
    struct slip *slip = NULL;
    pthread_mutex_lock(&codec->lock);
    codec->in_unit = false;
    notify(codec);
    while (!codec->closing && !(slip = codec->flushing ? NULL : TAILQ_FIRST(&codec->inputs))) {
        if (codec->flushing)
            rest(codec);
        else
            paracore_wait(codec);
    }
    if (slip) {
        TAILQ_REMOVE(&codec->inputs, slip, link);
        codec->in_unit = slip->done.kind != PARACORE_COMPLETION_DRAINED;
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

/* Signals are the worker's business, not its codecs'. */
static int start(struct paracore_codec *codec)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&codec->thread, NULL, run, codec);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error ? -ENOMEM : 0;
}

/* --- open and close ----------------------------------------------------------------------------- */

static void free_slips(struct slips *slips)
{
    struct slip *slip;
    while ((slip = TAILQ_FIRST(slips))) {
        TAILQ_REMOVE(slips, slip, link);
        free(slip);
    }
}

static void discard(struct paracore_codec *codec)
{
    free_slips(&codec->inputs);
    free_slips(&codec->completions);
    paracore_span_forget(codec);
    free(codec->change);
    free(codec->drained);
    free(codec->failed);
    pthread_cond_destroy(&codec->changed);
    pthread_mutex_destroy(&codec->lock);
    free(codec);
}

static struct paracore_codec *allocate(const struct paracore_codec_options *options)
{
    struct paracore_codec *codec = calloc(1, sizeof *codec);
    if (!codec)
        return NULL;
    codec->options = *options;
    codec->role = options->direction == PARACORE_DIRECTION_ENCODE ? &paracore_encoder : &paracore_decoder;
    pthread_mutex_init(&codec->lock, NULL);
    pthread_cond_init(&codec->changed, NULL);
    TAILQ_INIT(&codec->inputs);
    TAILQ_INIT(&codec->completions);
    TAILQ_INIT(&codec->spans);
    codec->change = calloc(1, sizeof *codec->change);
    codec->drained = calloc(1, sizeof *codec->drained);
    codec->failed = calloc(1, sizeof *codec->failed);
    return codec;
}

static void set_defaults(struct paracore_codec *codec)
{
    codec->control[PARACORE_CONTROL_GOP] = 250;
    codec->control[PARACORE_CONTROL_B_FRAMES] = -1;
    codec->control[PARACORE_CONTROL_QUALITY] = -1;
    codec->control[PARACORE_CONTROL_PRESET] = 5;
    codec->control[PARACORE_CONTROL_PROFILE] = -1;
    codec->control[PARACORE_CONTROL_THREADS] = codec->options.threads < THREADS_MAX ? codec->options.threads : THREADS_MAX;
    codec->control[PARACORE_CONTROL_LOW_DELAY] = !!(codec->options.flags & PARACORE_OPEN_FLAG_LOW_DELAY);
}

int paracore_codec_open(const struct paracore_codec_options *options, struct paracore_codec **out)
{
    paracore_libraries_quiet();
    if (options->direction != PARACORE_DIRECTION_DECODE && options->direction != PARACORE_DIRECTION_ENCODE)
        return -EINVAL;
    struct paracore_codec *codec = allocate(options);
    if (!codec)
        return -ENOMEM;
    set_defaults(codec);
    int error = codec->change && codec->drained && codec->failed ? codec->role->open(codec) : -ENOMEM;
    if (!error)
        error = start(codec);
    if (error) {
        codec->role->close(codec);
        discard(codec);
        return error;
    }
    *out = codec;
    return 0;
}

void paracore_codec_close(struct paracore_codec *codec)
{
    pthread_mutex_lock(&codec->lock);
    codec->closing = true;
    pthread_cond_broadcast(&codec->changed);
    pthread_mutex_unlock(&codec->lock);
    pthread_join(codec->thread, NULL);
    discard(codec);
}

/* --- queues -------------------------------------------------------------------------------------- */

static struct slip *loan(struct paracore_codec *codec, uint32_t cookie, const void *address, size_t length)
{
    struct slip *slip = calloc(1, sizeof *slip);
    if (!slip)
        return NULL;
    slip->codec = codec;
    slip->done.cookie = cookie;
    slip->address = (void *)address;
    slip->length = length;
    return slip;
}

static int check_input(const struct paracore_codec *codec, const void *address, size_t length)
{
    if (codec->over)
        return -EIO;
    if (codec->options.direction == PARACORE_DIRECTION_DECODE)
        return length && length <= INT_MAX - AV_INPUT_BUFFER_PADDING_SIZE ? 0 : -EINVAL;
    if (!codec->told.size)
        return -EBUSY; /* an encoder must know what its pictures look like */
    return length >= codec->told.size && !((uintptr_t)address % SPAN_ALIGNMENT) ? 0 : -EINVAL;
}

static void enqueue(struct paracore_codec *codec, struct slip *slip)
{
    TAILQ_INSERT_TAIL(&codec->inputs, slip, link);
    pthread_cond_broadcast(&codec->changed);
}

int paracore_codec_queue_input(struct paracore_codec *codec, uint32_t cookie, const void *address, size_t length,
                               int64_t timestamp, int64_t duration, uint32_t flags)
{
    struct slip *slip = loan(codec, cookie, address, length);
    if (!slip)
        return -ENOMEM;
    slip->timestamp = timestamp;
    slip->duration = duration;
    slip->flags = flags;
    pthread_mutex_lock(&codec->lock);
    int error = check_input(codec, address, length);
    if (!error) {
        codec->started = true;
        enqueue(codec, slip);
    }
    pthread_mutex_unlock(&codec->lock);
    if (error)
        free(slip);
    return error;
}

int paracore_codec_queue_output(struct paracore_codec *codec, uint32_t cookie, void *address, size_t length)
{
    struct slip *slip = loan(codec, cookie, address, length);
    if (!slip)
        return -ENOMEM;
    slip->done.kind = PARACORE_COMPLETION_OUTPUT_READY;
    pthread_mutex_lock(&codec->lock);
    int error = codec->over ? -EIO : paracore_span_lend(codec, slip);
    pthread_cond_broadcast(&codec->changed);
    pthread_mutex_unlock(&codec->lock);
    if (error)
        free(slip);
    return error;
}

int paracore_codec_drain(struct paracore_codec *codec)
{
    pthread_mutex_lock(&codec->lock);
    int error = codec->over ? -EIO : codec->drained ? 0 : -EBUSY;
    if (!error) {
        codec->drained->done = (struct paracore_completion){.kind = PARACORE_COMPLETION_DRAINED};
        enqueue(codec, codec->drained);
        codec->drained = NULL;
    }
    pthread_mutex_unlock(&codec->lock);
    return error;
}

int paracore_codec_flush(struct paracore_codec *codec)
{
    pthread_mutex_lock(&codec->lock);
    int error = codec->over ? -EIO : 0;
    codec->flushing = !error;
    pthread_cond_broadcast(&codec->changed);
    while (codec->flushing)
        paracore_wait(codec);
    pthread_mutex_unlock(&codec->lock);
    return error;
}

/* --- formats and controls -------------------------------------------------------------------------- */

int paracore_codec_format_get(struct paracore_codec *codec, struct paracore_picture_format *format)
{
    pthread_mutex_lock(&codec->lock);
    int error = codec->over ? -EIO : codec->told.size ? 0 : -EAGAIN;
    *format = codec->told;
    pthread_mutex_unlock(&codec->lock);
    return error;
}

int paracore_codec_format_set(struct paracore_codec *codec, struct paracore_picture_format *format)
{
    if (codec->options.direction == PARACORE_DIRECTION_DECODE)
        return -EOPNOTSUPP;
    pthread_mutex_lock(&codec->lock);
    int error = codec->over ? -EIO : codec->started ? -EBUSY : 0;
    if (!error)
        error = paracore_encoder_format(codec, format);
    if (!error)
        codec->told = *format;
    pthread_mutex_unlock(&codec->lock);
    return error;
}

static bool has_control(const struct paracore_codec *codec, uint32_t control)
{
    uint64_t pixel_formats, controls;
    uint32_t flags;
    paracore_codec_capability(codec->options.codec, codec->options.direction, &pixel_formats, &controls, &flags);
    return control < CONTROLS && controls & BIT(control);
}

int paracore_codec_control_get(struct paracore_codec *codec, uint32_t control, int64_t *value)
{
    if (!has_control(codec, control))
        return -ENOENT;
    pthread_mutex_lock(&codec->lock);
    int error = codec->over ? -EIO : 0;
    *value = codec->control[control];
    pthread_mutex_unlock(&codec->lock);
    return error;
}

int paracore_codec_control_set(struct paracore_codec *codec, uint32_t control, int64_t *value)
{
    if (!has_control(codec, control))
        return -ENOENT;
    pthread_mutex_lock(&codec->lock);
    int error = codec->over ? -EIO : paracore_control_check(codec, control, value);
    if (!error)
        codec->control[control] = *value;
    pthread_mutex_unlock(&codec->lock);
    return error;
}

int paracore_codec_holds(struct paracore_codec *codec, const void *address, size_t length)
{
    pthread_mutex_lock(&codec->lock);
    bool holds = paracore_span_holds(codec, address, length);
    pthread_mutex_unlock(&codec->lock);
    return holds;
}
