/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The functions of codec.h: they leave work on a session's queues and take completions from them. What is done
 * with the work is the role's business (decoder.c, encoder.c).
 */
#include "session.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <libavcodec/avcodec.h>

#include "codecs.h"
#include "formats.h"

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
    paracore_gate_enter(codec);
    if (!error)
        error = paracore_start(codec);
    if (error) {
        paracore_gate_leave(codec);
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
    paracore_gate_leave(codec);
    paracore_warm_end(codec);
    discard(codec);
}

void paracore_codec_label(struct paracore_codec *codec, uint32_t channel, uint32_t session)
{
    pthread_mutex_lock(&codec->lock);
    codec->channel = channel;
    codec->number = session;
    pthread_mutex_unlock(&codec->lock);
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
        paracore_job_mark(codec, PARACORE_TRACE_EVENT_INPUT_GIVEN, slip);
        paracore_queue(codec, slip);
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
    paracore_warm(codec);
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
        paracore_queue(codec, codec->drained);
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

void paracore_codec_recall(struct paracore_codec *codec)
{
    pthread_mutex_lock(&codec->lock);
    paracore_span_recall(codec);
    pthread_mutex_unlock(&codec->lock);
}

/* --- completions ------------------------------------------------------------------------------------ */

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
