/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Giving pictures out, in the order and with the marks that the video class promises.
 *
 * Theory of operation. A picture's memory is taken long before the picture comes out, and in another order.
 * A layout that needs larger spans than the domain knows of is told at once, from within the codec, which then
 * waits for them (paracore_span_take). Any other change of format is told just before the first picture that
 * has it comes out. So generations only ever go up from picture to picture.
 *
 * While pictures of a newer generation are known to be on their way, those of the older one go out one
 * picture late, and so they do in a drain: else nobody could say which one is the last. When it is known too late,
 * an empty output carries the mark. At all other times a picture goes out as soon as the codec has it.
 */
#include "decoder.h"

#include <string.h>

#include "compat.h"
#include "formats.h"

/* --- what a picture is ------------------------------------------------------------------------------ */

static struct span *span_of(struct paracore_codec *codec, const AVFrame *frame)
{
    return paracore_span_find(codec, frame->buf[0]->data);
}

/* The format of a picture: the layout of its span, or the one it would get, and its own look. Needs the lock. */
static int describe(struct paracore_codec *codec, const AVFrame *frame, struct paracore_picture_format *format)
{
    struct decoder *decoder = codec->state;
    const struct span *span = span_of(codec, frame);
    memset(format, 0, sizeof *format);
    int error = 0;
    if (span)
        *format = span->format;
    else
        error = decoder->engine->layout(decoder->state, frame, format);
    format->width = (uint32_t)(frame->width - (int)(frame->crop_left + frame->crop_right));
    format->height = (uint32_t)(frame->height - (int)(frame->crop_top + frame->crop_bottom));
    paracore_format_look(format, frame, decoder->engine->rate(decoder->state));
    return error;
}

static uint32_t picture_type(const AVFrame *frame)
{
    switch (frame->pict_type) {
    case AV_PICTURE_TYPE_I:
    case AV_PICTURE_TYPE_SI:
        return PARACORE_PICTURE_TYPE_INTRA;
    case AV_PICTURE_TYPE_P:
    case AV_PICTURE_TYPE_S:
    case AV_PICTURE_TYPE_SP:
        return PARACORE_PICTURE_TYPE_PREDICTED;
    case AV_PICTURE_TYPE_B:
    case AV_PICTURE_TYPE_BI:
        return PARACORE_PICTURE_TYPE_BIDIRECTIONAL;
    default:
        return PARACORE_PICTURE_TYPE_UNKNOWN;
    }
}

static uint32_t picture_flags(const AVFrame *frame)
{
    bool damaged = frame->flags & AV_FRAME_FLAG_CORRUPT || frame->decode_error_flags;
    bool interlaced = compat_is_interlaced(frame);
    return (compat_is_key(frame) ? PARACORE_OUTPUT_FLAG_KEY : 0) | (damaged ? PARACORE_OUTPUT_FLAG_ERROR : 0) |
           (interlaced ? PARACORE_OUTPUT_FLAG_INTERLACED : 0) |
           (interlaced && compat_is_top_first(frame) ? PARACORE_OUTPUT_FLAG_TOP_FIRST : 0);
}

/* --- giving pictures out: all with the lock held ------------------------------------------------------- */

static void give(struct span *span, const struct paracore_completion *done)
{
    struct paracore_codec *codec = span->codec;
    struct slip *slip = span->slip;
    uint32_t cookie = slip->done.cookie;
    slip->done = *done;
    slip->done.kind = PARACORE_COMPLETION_OUTPUT_READY;
    slip->done.cookie = cookie;
    slip->done.generation = codec->shown_generation;
    span->slip = NULL;
    span->shown = true;
    codec->unmarked = !(done->flags & PARACORE_OUTPUT_FLAG_LAST);
    paracore_push(codec, slip);
}

/* The mark of the end without a picture. */
static void give_empty(struct span *span)
{
    if (!span)
        return;
    give(span, &(struct paracore_completion){
                   .flags = PARACORE_OUTPUT_FLAG_EMPTY | PARACORE_OUTPUT_FLAG_LAST,
                   .timestamp = INT64_MIN,
                   .decode_timestamp = INT64_MIN,
               });
    paracore_span_release(span);
}

static bool end_generation(struct paracore_codec *codec)
{
    const struct paracore_picture_format anything = {0};
    if (codec->unmarked)
        give_empty(paracore_span_take(codec, &anything));
    return !paracore_stopped(codec);
}

static bool tell(struct paracore_codec *codec, const struct paracore_picture_format *format, uint32_t changes)
{
    while (!codec->change && !paracore_stopped(codec))
        paracore_gate_wait(codec);
    if (paracore_stopped(codec))
        return false;
    paracore_tell(codec, format, changes);
    return true;
}

static bool begin_generation(struct paracore_codec *codec, const struct paracore_picture_format *format)
{
    bool told = paracore_same_layout(format, &codec->told) && codec->generation > codec->shown_generation;
    if (!end_generation(codec) || (!told && !tell(codec, format, PARACORE_CHANGE_FLAG_BUFFERS)))
        return false;
    codec->shown = codec->told;
    codec->shown_generation = codec->generation;
    return true;
}

/* A change of look is told only of the newest layout; each picture tells its own crop in any case. */
static bool follow_look(struct paracore_codec *codec, const struct paracore_picture_format *format)
{
    struct paracore_picture_format changed = *format;
    if (paracore_same_look(format, &codec->shown) || !paracore_same_layout(format, &codec->told))
        return true;
    changed.buffers_min = codec->told.buffers_min;
    if (!tell(codec, &changed, PARACORE_CHANGE_FLAG_COLOR))
        return false;
    codec->shown = changed;
    codec->shown_generation = codec->generation;
    return true;
}

/* Tells of the format if the domain does not know that it is the one of the next picture; false when stopped. */
static bool enter(struct paracore_codec *codec, const struct paracore_picture_format *format)
{
    if (!codec->shown_generation || !paracore_same_layout(format, &codec->shown))
        if (!begin_generation(codec, format))
            return false;
    return follow_look(codec, format);
}

/* Gives a picture that lies elsewhere, or has been given out before, in a span of its own. */
static void give_copy(struct paracore_codec *codec, const AVFrame *frame, const struct paracore_picture_format *format,
                      struct paracore_completion *done)
{
    struct span *span = paracore_span_take(codec, format);
    if (!span)
        return;
    pthread_mutex_unlock(&codec->lock);
    paracore_frame_copy(frame, span->address, format);
    pthread_mutex_lock(&codec->lock);
    done->copied = 1;
    give(span, done);
    paracore_span_release(span);
}

static void give_frame(struct paracore_codec *codec, const AVFrame *frame,
                       const struct paracore_picture_format *format, uint32_t flags)
{
    struct span *span = span_of(codec, frame);
    struct paracore_completion done = {
        .flags = picture_flags(frame) | flags,
        .timestamp = frame->pts,
        .decode_timestamp = frame->pts,
        .duration = compat_duration(frame),
        .bytes_used = (uint32_t)format->size,
        .picture_type = picture_type(frame),
        .crop_left = format->crop_left,
        .crop_top = format->crop_top,
        .width = format->width,
        .height = format->height,
    };
    if (span && !span->shown && paracore_frame_lies(frame, span->address, format))
        give(span, &done);
    else
        give_copy(codec, frame, format, &done);
}

static void show_locked(struct paracore_codec *codec, const AVFrame *frame, uint32_t flags)
{
    struct paracore_picture_format format;
    int error = describe(codec, frame, &format);
    if (!error && enter(codec, &format))
        give_frame(codec, frame, &format, flags);
}

/* Gives a picture out and drops the reference to it: without the lock, which its release takes. */
static void show(struct paracore_codec *codec, AVFrame *frame, uint32_t flags)
{
    pthread_mutex_lock(&codec->lock);
    show_locked(codec, frame, flags);
    pthread_mutex_unlock(&codec->lock);
    av_frame_unref(frame);
}

/* --- the order of pictures ------------------------------------------------------------------------------ */

static bool is_kept(const struct decoder *decoder)
{
    return decoder->kept->buf[0];
}

static bool same_generation(struct paracore_codec *codec, const AVFrame *one, const AVFrame *other)
{
    struct paracore_picture_format first, second;
    pthread_mutex_lock(&codec->lock);
    bool same = !describe(codec, one, &first) && !describe(codec, other, &second) &&
                paracore_same_layout(&first, &second);
    pthread_mutex_unlock(&codec->lock);
    return same;
}

/* Whether pictures of a newer generation are on their way behind this one. */
static bool has_successors(struct paracore_codec *codec)
{
    pthread_mutex_lock(&codec->lock);
    bool behind = paracore_span_behind(codec);
    pthread_mutex_unlock(&codec->lock);
    return behind;
}

static bool is_of_shown(struct paracore_codec *codec, const AVFrame *frame)
{
    struct paracore_picture_format format;
    pthread_mutex_lock(&codec->lock);
    bool same = !describe(codec, frame, &format) && paracore_same_layout(&format, &codec->shown);
    pthread_mutex_unlock(&codec->lock);
    return same;
}

void paracore_picture(struct paracore_codec *codec, AVFrame *frame)
{
    struct decoder *decoder = codec->state;
    if (is_kept(decoder)) {
        bool last = !same_generation(codec, decoder->kept, frame);
        show(codec, decoder->kept, last ? PARACORE_OUTPUT_FLAG_LAST : 0);
    }
    if (decoder->draining || (has_successors(codec) && is_of_shown(codec, frame)))
        av_frame_move_ref(decoder->kept, frame);
    else
        show(codec, frame, 0);
}

void paracore_pictures_pause(struct paracore_codec *codec)
{
    struct decoder *decoder = codec->state;
    if (is_kept(decoder) && !decoder->draining && !has_successors(codec))
        show(codec, decoder->kept, 0);
}

void paracore_pictures_end(struct paracore_codec *codec)
{
    struct decoder *decoder = codec->state;
    if (is_kept(decoder)) {
        show(codec, decoder->kept, PARACORE_OUTPUT_FLAG_LAST);
        return;
    }
    pthread_mutex_lock(&codec->lock);
    if (!paracore_stopped(codec))
        give_empty(paracore_span_any(codec));
    pthread_mutex_unlock(&codec->lock);
}
