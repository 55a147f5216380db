/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The output spans of a session: who has them, and which one is next.
 *
 * The domain may lend a span again while the codec still reads the picture in it as a reference; the
 * span is usable once the codec lets go of it. A span that lies partly over memory which the codec reads waits
 * likewise, so that a domain that plays with overlaps spoils nothing but its own pictures.
 *
 * The lists are as long as the domain's queues, which the worker bounds; a search costs nanoseconds.
 */
#include "session.h"

#include <errno.h>
#include <stdlib.h>

#include "formats.h"

static bool overlaps(const struct span *span, const void *address, size_t length)
{
    uintptr_t start = (uintptr_t)span->address, other = (uintptr_t)address;
    return start < other + length && other < start + span->length;
}

static struct span *lent_over(struct paracore_codec *codec, const struct slip *slip)
{
    struct span *span;
    TAILQ_FOREACH(span, &codec->spans, link)
        if (span->slip && overlaps(span, slip->address, slip->length))
            break;
    return span;
}

/* The object of this memory, if the codec still holds it. */
static struct span *same_as(struct paracore_codec *codec, const struct slip *slip)
{
    struct span *span;
    TAILQ_FOREACH(span, &codec->spans, link)
        if (span->address == slip->address && span->length == slip->length)
            break;
    return span;
}

static struct span *new_span(struct paracore_codec *codec, const struct slip *slip)
{
    struct span *span = calloc(1, sizeof *span);
    if (!span)
        return NULL;
    span->codec = codec;
    span->address = slip->address;
    span->length = slip->length;
    return span;
}

static void cancel(struct slip *slip, uint64_t needed)
{
    slip->done.flags = PARACORE_OUTPUT_FLAG_CANCELLED;
    slip->done.bytes_used = (uint32_t)needed;
    paracore_push(slip->codec, slip);
}

int paracore_span_lend(struct paracore_codec *codec, struct slip *slip)
{
    bool decoder = codec->options.direction == PARACORE_DIRECTION_DECODE;
    if (!slip->length || (decoder && (uintptr_t)slip->address % SPAN_ALIGNMENT))
        return -EINVAL;
    if (lent_over(codec, slip))
        return -EBUSY;
    if (decoder && slip->length < codec->told.size) {
        cancel(slip, codec->told.size); /* it crossed a source change on its way */
        return 0;
    }
    struct span *span = same_as(codec, slip);
    if (span)
        TAILQ_REMOVE(&codec->spans, span, link);
    else if (!(span = new_span(codec, slip)))
        return -ENOMEM;
    span->slip = slip;
    TAILQ_INSERT_TAIL(&codec->spans, span, link);
    return 0;
}

static bool is_read(struct paracore_codec *codec, const struct span *wanted)
{
    struct span *span;
    TAILQ_FOREACH(span, &codec->spans, link)
        if (span->held && overlaps(span, wanted->address, wanted->length))
            break;
    return span;
}

/* The one that was in use last, as it may still be in the caches; libavcodec's own pool does the same. */
static struct span *usable(struct paracore_codec *codec, uint64_t size)
{
    struct span *span;
    TAILQ_FOREACH_REVERSE(span, &codec->spans, spans, link)
        if (span->slip && span->length >= size && !is_read(codec, span))
            break;
    return span;
}

static uint32_t held(struct paracore_codec *codec, uint64_t size)
{
    struct span *span;
    uint32_t count = 0;
    TAILQ_FOREACH(span, &codec->spans, link)
        count += span->held && span->length >= size;
    return count;
}

static struct span *hold(struct span *span, const struct paracore_picture_format *format)
{
    span->held = true;
    span->shown = false;
    span->format = *format;
    return span;
}

/*
 * Whether the domain has to be told of a format before a picture can have memory. A layout that fits into the
 * spans already told of waits until its pictures come out (decoder.c): it may be that of a hidden layer.
 */
static bool is_news(const struct paracore_codec *codec, const struct paracore_picture_format *format)
{
    return !codec->generation || format->size > codec->told.size;
}

/* The codec holds all the spans the domain was told to provide: waiting longer would be for ever. */
static bool exhausted(struct paracore_codec *codec, const struct paracore_picture_format *format)
{
    return held(codec, format->size) >= codec->told.buffers_min;
}

static void tell_count(struct paracore_codec *codec, const struct paracore_picture_format *format)
{
    bool current = paracore_same_layout(&codec->told, &codec->shown);
    struct paracore_picture_format more = codec->told;
    more.buffers_min = held(codec, format->size) + 2;
    paracore_tell(codec, &more, PARACORE_CHANGE_FLAG_COUNT);
    if (current)
        codec->shown_generation = codec->generation;
}

/* One step towards a usable span: tell, or wait for someone to change something. */
static void advance(struct paracore_codec *codec, const struct paracore_picture_format *format, bool news)
{
    bool count = !news && exhausted(codec, format);
    if (!codec->change || !(news || count))
        paracore_gate_wait(codec);
    else if (news)
        paracore_tell(codec, format, PARACORE_CHANGE_FLAG_BUFFERS);
    else
        tell_count(codec, format);
}

struct span *paracore_span_take(struct paracore_codec *codec, const struct paracore_picture_format *format)
{
    while (!paracore_stopped(codec)) {
        bool news = is_news(codec, format);
        struct span *span = news ? NULL : usable(codec, format->size);
        if (span)
            return hold(span, format);
        advance(codec, format, news);
    }
    return NULL;
}

struct span *paracore_span_any(struct paracore_codec *codec)
{
    struct span *span = usable(codec, 0);
    return span ? hold(span, &codec->shown) : NULL;
}

void paracore_span_release(struct span *span)
{
    struct paracore_codec *codec = span->codec;
    span->held = false;
    TAILQ_REMOVE(&codec->spans, span, link);
    if (span->slip)
        TAILQ_INSERT_TAIL(&codec->spans, span, link);
    else
        free(span);
    pthread_cond_broadcast(&codec->changed);
}

void paracore_span_free(void *opaque, uint8_t *data)
{
    struct span *span = opaque;
    struct paracore_codec *codec = span->codec;
    (void)data;
    pthread_mutex_lock(&codec->lock);
    paracore_span_release(span);
    pthread_mutex_unlock(&codec->lock);
}

struct span *paracore_span_find(struct paracore_codec *codec, const uint8_t *address)
{
    struct span *span;
    TAILQ_FOREACH(span, &codec->spans, link)
        if (span->held && span->address == address)
            break;
    return span;
}

/* Takes a loan back; the span lives on only if it is held. */
static struct slip *end_loan(struct paracore_codec *codec, struct span *span)
{
    struct slip *slip = span->slip;
    span->slip = NULL;
    if (!span->held) {
        TAILQ_REMOVE(&codec->spans, span, link);
        free(span);
    }
    return slip;
}

static void cancel_unused(struct paracore_codec *codec, uint64_t length, uint64_t needed)
{
    struct span *span, *following;
    for (span = TAILQ_FIRST(&codec->spans); span; span = following) {
        following = TAILQ_NEXT(span, link);
        bool unused = span->slip && (!span->held || span->shown);
        if (unused && span->length < length)
            cancel(end_loan(codec, span), needed);
    }
}

void paracore_span_cancel(struct paracore_codec *codec, uint64_t size)
{
    cancel_unused(codec, size, size);
}

void paracore_span_recall(struct paracore_codec *codec)
{
    cancel_unused(codec, UINT64_MAX, 0);
}

struct slip *paracore_span_collect(struct paracore_codec *codec)
{
    struct span *span = TAILQ_FIRST(&codec->spans);
    return span ? end_loan(codec, span) : NULL;
}

bool paracore_span_behind(struct paracore_codec *codec)
{
    struct span *span;
    if (codec->generation == codec->shown_generation || paracore_same_layout(&codec->told, &codec->shown))
        return false;
    TAILQ_FOREACH(span, &codec->spans, link)
        if (span->held && !span->shown && paracore_same_layout(&span->format, &codec->told))
            break;
    return span;
}

bool paracore_span_holds(struct paracore_codec *codec, const void *address, size_t length)
{
    struct span *span;
    TAILQ_FOREACH(span, &codec->spans, link)
        if (overlaps(span, address, length))
            break;
    return span;
}

void paracore_span_forget(struct paracore_codec *codec)
{
    struct span *span;
    while ((span = TAILQ_FIRST(&codec->spans))) {
        TAILQ_REMOVE(&codec->spans, span, link);
        free(span->slip);
        free(span);
    }
}
