/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encoding: the codec reads pictures straight from the domain's input spans, which may be mapped read-only;
 * each packet is copied into an output span.
 *
 * The domain's unit of time is its own business. The codec counts pictures (1/rate each); a packet's pts says
 * whose timestamps it carries, and its dts is the presentation time of the picture of that number. Before
 * the first picture, time goes on backwards by the first step.
 *
 * A codec cannot go on after its end, and most cannot forget: a drain or a flush closes it, and the next
 * picture opens a new one.
 *
 * SAFETY: the domain may rewrite a picture while it is read. The codecs take samples from it and nothing
 * else. The packets they make are private memory.
 */
#include "codecs.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "compat.h"
#include "formats.h"

/* Pictures whose timestamps are remembered: more than any encoder looks ahead. */
#define STAMPS 1024

struct stamp {
    int64_t timestamp, duration;
};

struct encoder {
    const struct encoder_kind *kind;
    AVCodecContext *context; /* NULL between sequences */
    AVFrame *frame;
    AVPacket *packet, *kept; /* the packet at hand, and in a drain the one before it */
    struct stamp stamps[STAMPS];
    int64_t count; /* pictures of this sequence */
    int64_t first, step;
    bool draining;
};

static struct encoder *encoder_of(struct paracore_codec *codec)
{
    return codec->state;
}

/* --- opening the codec -------------------------------------------------------------------------------------- */

static void set_format(AVCodecContext *context, const struct paracore_picture_format *format)
{
    bool interlaced = format->field_order > PARACORE_FIELD_ORDER_PROGRESSIVE;
    context->width = (int)format->width;
    context->height = (int)format->height;
    context->pix_fmt = paracore_pixel_format_to_av(format->pixel_format);
    context->color_primaries = format->color_primaries;
    context->color_trc = format->color_transfer;
    context->colorspace = format->color_matrix;
    context->color_range = format->color_range;
    context->chroma_sample_location = format->chroma_location;
    context->sample_aspect_ratio = (AVRational){(int)format->aspect_num, (int)format->aspect_den};
    context->framerate = format->rate_num ? (AVRational){(int)format->rate_num, (int)format->rate_den} : (AVRational){25, 1};
    context->time_base = av_inv_q(context->framerate);
    if (interlaced)
        context->flags |= AV_CODEC_FLAG_INTERLACED_DCT | AV_CODEC_FLAG_INTERLACED_ME;
}

static void set_controls(AVCodecContext *context, const struct encoder_kind *kind, const int64_t *control)
{
    context->bit_rate = control[PARACORE_CONTROL_BITRATE];
    if (kind->controls & BIT(PARACORE_CONTROL_GOP))
        context->gop_size = (int)control[PARACORE_CONTROL_GOP];
    if (kind->controls & BIT(PARACORE_CONTROL_B_FRAMES) && control[PARACORE_CONTROL_B_FRAMES] >= 0)
        context->max_b_frames = (int)control[PARACORE_CONTROL_B_FRAMES];
    if (control[PARACORE_CONTROL_LOW_DELAY])
        context->max_b_frames = 0;
    if (control[PARACORE_CONTROL_PROFILE] >= 0)
        context->profile = (int)control[PARACORE_CONTROL_PROFILE];
}

static int open_context(struct paracore_codec *codec)
{
    struct encoder *encoder = encoder_of(codec);
    const AVCodec *found = avcodec_find_encoder_by_name(encoder->kind->name);
    AVDictionary *options = NULL;
    encoder->context = avcodec_alloc_context3(found);
    if (!encoder->context)
        return AVERROR(ENOMEM);
    pthread_mutex_lock(&codec->lock);
    set_format(encoder->context, &codec->told);
    set_controls(encoder->context, encoder->kind, codec->control);
    encoder->context->thread_count = paracore_encoder_threads(codec, encoder->kind);
    encoder->kind->configure(encoder->context, &options, codec->control);
    pthread_mutex_unlock(&codec->lock);
    int error = avcodec_open2(encoder->context, found, &options);
    av_dict_free(&options);
    encoder->count = 0;
    return error;
}

static void fail(struct paracore_codec *codec, uint32_t error)
{
    pthread_mutex_lock(&codec->lock);
    paracore_fail(codec, error);
    pthread_mutex_unlock(&codec->lock);
}

static int ensure_open(struct paracore_codec *codec)
{
    struct encoder *encoder = encoder_of(codec);
    if (encoder->context)
        return 0;
    int error = open_context(codec);
    if (error < 0) {
        avcodec_free_context(&encoder->context);
        fail(codec, paracore_error(error));
    }
    return error;
}

/* --- packets ---------------------------------------------------------------------------------------------------- */

static const struct stamp *stamp_of(const struct encoder *encoder, int64_t number)
{
    bool known = number >= 0 && number < encoder->count && number >= encoder->count - STAMPS;
    return known ? &encoder->stamps[number % STAMPS] : NULL;
}

/* Unsigned: timestamps are the domain's, and may be anything. */
static int64_t decode_time(const struct encoder *encoder, int64_t number)
{
    const struct stamp *stamp = stamp_of(encoder, number);
    if (stamp || encoder->first == INT64_MIN || number >= 0)
        return stamp ? stamp->timestamp : INT64_MIN;
    return (int64_t)((uint64_t)encoder->first + (uint64_t)number * (uint64_t)encoder->step);
}

static uint32_t packet_type(const AVPacket *packet)
{
    size_t size = 0;
    const uint8_t *statistics = av_packet_get_side_data(packet, AV_PKT_DATA_QUALITY_STATS, &size);
    switch (size > 4 ? statistics[4] : AV_PICTURE_TYPE_NONE) {
    case AV_PICTURE_TYPE_I:
        return PARACORE_PICTURE_TYPE_INTRA;
    case AV_PICTURE_TYPE_P:
        return PARACORE_PICTURE_TYPE_PREDICTED;
    case AV_PICTURE_TYPE_B:
        return PARACORE_PICTURE_TYPE_BIDIRECTIONAL;
    default:
        return packet->flags & AV_PKT_FLAG_KEY ? PARACORE_PICTURE_TYPE_INTRA : PARACORE_PICTURE_TYPE_UNKNOWN;
    }
}

static void push(struct paracore_codec *codec, struct slip *slip)
{
    pthread_mutex_lock(&codec->lock);
    paracore_push(codec, slip);
    pthread_mutex_unlock(&codec->lock);
}

/* The oldest output span, or NULL when told to stop. Waits. */
static struct slip *next_span(struct paracore_codec *codec)
{
    struct slip *slip = NULL;
    pthread_mutex_lock(&codec->lock);
    while (!paracore_stopped(codec) && !(slip = paracore_span_collect(codec)))
        paracore_gate_wait(codec);
    pthread_mutex_unlock(&codec->lock);
    return slip;
}

/* An output span with room for so many octets. Smaller ones go back saying how many; the packet waits. */
static struct slip *room(struct paracore_codec *codec, size_t needed)
{
    struct slip *slip;
    while ((slip = next_span(codec)) && slip->length < needed) {
        slip->done.flags = PARACORE_OUTPUT_FLAG_CANCELLED;
        slip->done.bytes_used = (uint32_t)needed;
        push(codec, slip);
    }
    return slip;
}

static void fill_in(struct paracore_completion *done, const struct paracore_codec *codec,
                    const struct encoder *encoder, const AVPacket *packet)
{
    const struct stamp *stamp = stamp_of(encoder, packet->pts);
    done->flags = packet->flags & AV_PKT_FLAG_KEY ? PARACORE_OUTPUT_FLAG_KEY : 0;
    done->timestamp = stamp ? stamp->timestamp : INT64_MIN;
    done->decode_timestamp = decode_time(encoder, packet->dts);
    done->duration = stamp ? stamp->duration : 0;
    done->bytes_used = (uint32_t)packet->size;
    done->picture_type = packet_type(packet);
    done->width = codec->told.width;
    done->height = codec->told.height;
}

static void give(struct paracore_codec *codec, AVPacket *packet, uint32_t flags)
{
    struct slip *slip = room(codec, (size_t)packet->size);
    if (slip) {
        memcpy(slip->address, packet->data, (size_t)packet->size);
        fill_in(&slip->done, codec, encoder_of(codec), packet);
        slip->done.flags |= flags;
        push(codec, slip);
    }
    av_packet_unref(packet);
}

static bool is_kept(const struct encoder *encoder)
{
    return encoder->kept->data;
}

/* Takes all packets the codec has; packets that it cannot give would leave a hole, so that is the end. */
static void collect(struct paracore_codec *codec)
{
    struct encoder *encoder = encoder_of(codec);
    int error;
    while (!(error = avcodec_receive_packet(encoder->context, encoder->packet))) {
        if (is_kept(encoder))
            give(codec, encoder->kept, 0);
        if (encoder->draining)
            av_packet_move_ref(encoder->kept, encoder->packet);
        else
            give(codec, encoder->packet, 0);
    }
    if (error != AVERROR(EAGAIN) && error != AVERROR_EOF)
        fail(codec, PARACORE_ERROR_IO);
}

/* --- pictures --------------------------------------------------------------------------------------------------- */

/* The codec's last reference to a picture has gone. */
static void done(void *opaque, uint8_t *data)
{
    struct slip *slip = opaque;
    (void)data;
    paracore_done(slip, slip->done.error);
}

static void describe(AVFrame *frame, const struct paracore_codec *codec, const struct encoder *encoder)
{
    const AVCodecContext *context = encoder->context;
    frame->format = context->pix_fmt;
    frame->width = context->width;
    frame->height = context->height;
    frame->color_primaries = context->color_primaries;
    frame->color_trc = context->color_trc;
    frame->colorspace = context->colorspace;
    frame->color_range = context->color_range;
    frame->chroma_location = context->chroma_sample_location;
    frame->sample_aspect_ratio = context->sample_aspect_ratio;
    frame->quality = context->global_quality;
    compat_set_fields(frame, codec->told.field_order > PARACORE_FIELD_ORDER_PROGRESSIVE,
                      codec->told.field_order == PARACORE_FIELD_ORDER_TOP_FIRST);
}

static int wrap(struct paracore_codec *codec, struct slip *slip)
{
    struct encoder *encoder = encoder_of(codec);
    AVFrame *frame = encoder->frame;
    frame->buf[0] = av_buffer_create(slip->address, slip->length, done, slip, AV_BUFFER_FLAG_READONLY);
    if (!frame->buf[0])
        return AVERROR(ENOMEM);
    describe(frame, codec, encoder);
    paracore_frame_point(frame, slip->address, &codec->told);
    frame->pict_type = slip->flags & PARACORE_INPUT_FLAG_KEY ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    frame->pts = encoder->count;
    return 0;
}

static void remember(struct encoder *encoder, const struct slip *slip)
{
    if (encoder->count == 0) {
        encoder->first = slip->timestamp;
        encoder->step = slip->duration;
    } else if (encoder->count == 1) {
        encoder->step = (int64_t)((uint64_t)slip->timestamp - (uint64_t)encoder->first);
    }
    encoder->stamps[encoder->count++ % STAMPS] = (struct stamp){slip->timestamp, slip->duration};
}

static void follow_bitrate(struct paracore_codec *codec)
{
    pthread_mutex_lock(&codec->lock);
    paracore_encoder_bitrate(encoder_of(codec)->context, codec->control[PARACORE_CONTROL_BITRATE]);
    pthread_mutex_unlock(&codec->lock);
}

static void encode(struct paracore_codec *codec, struct slip *slip)
{
    struct encoder *encoder = encoder_of(codec);
    if (encoder->kind->bitrate_change && encoder->context->bit_rate)
        follow_bitrate(codec);
    remember(encoder, slip);
    int error = avcodec_send_frame(encoder->context, encoder->frame);
    slip->done.error = paracore_error(error);
    av_frame_unref(encoder->frame); /* the slip is not ours any more */
    if (!error)
        collect(codec);
}

static void encoder_flush(struct paracore_codec *codec)
{
    struct encoder *encoder = encoder_of(codec);
    av_packet_unref(encoder->kept);
    avcodec_free_context(&encoder->context);
}

/* Ends the stream within the sequence, so that another begins with the next picture. */
static void restart(struct paracore_codec *codec)
{
    avcodec_send_frame(encoder_of(codec)->context, NULL);
    collect(codec);
    encoder_flush(codec);
}

static bool must_restart(const struct paracore_codec *codec, const struct encoder *encoder, const struct slip *slip)
{
    return encoder->context && slip->flags & PARACORE_INPUT_FLAG_KEY && encoder->kind->restarts_for_key &&
           encoder->kind->restarts_for_key(codec->control);
}

static void encoder_unit(struct paracore_codec *codec, struct slip *slip)
{
    if (must_restart(codec, encoder_of(codec), slip))
        restart(codec);
    int error = ensure_open(codec);
    if (!error)
        error = wrap(codec, slip);
    if (error < 0)
        paracore_done(slip, paracore_error(error));
    else
        encode(codec, slip);
}

/* --- drain, flush, open, close ---------------------------------------------------------------------------------- */

/* The mark of the end without a packet. */
static void give_empty(struct paracore_codec *codec)
{
    struct slip *slip = paracore_span_collect(codec);
    if (!slip)
        return;
    slip->done.flags = PARACORE_OUTPUT_FLAG_EMPTY | PARACORE_OUTPUT_FLAG_LAST;
    slip->done.timestamp = slip->done.decode_timestamp = INT64_MIN;
    paracore_push(codec, slip);
}

static void finish(struct paracore_codec *codec)
{
    struct encoder *encoder = encoder_of(codec);
    if (is_kept(encoder)) {
        give(codec, encoder->kept, PARACORE_OUTPUT_FLAG_LAST);
        return;
    }
    pthread_mutex_lock(&codec->lock);
    if (!paracore_stopped(codec))
        give_empty(codec);
    pthread_mutex_unlock(&codec->lock);
}

static void encoder_drain(struct paracore_codec *codec)
{
    struct encoder *encoder = encoder_of(codec);
    if (encoder->context) {
        encoder->draining = true;
        avcodec_send_frame(encoder->context, NULL);
        collect(codec);
        encoder->draining = false;
    }
    finish(codec);
    encoder_flush(codec);
}

static int encoder_open(struct paracore_codec *codec)
{
    struct encoder *encoder = calloc(1, sizeof *encoder);
    codec->state = encoder;
    if (!encoder)
        return -ENOMEM;
    encoder->kind = paracore_encoder_kind(codec->options.codec);
    encoder->frame = av_frame_alloc();
    encoder->packet = av_packet_alloc();
    encoder->kept = av_packet_alloc();
    if (!encoder->frame || !encoder->packet || !encoder->kept)
        return -ENOMEM;
    return encoder->kind ? 0 : -EOPNOTSUPP;
}

static void encoder_close(struct paracore_codec *codec)
{
    struct encoder *encoder = encoder_of(codec);
    if (!encoder)
        return;
    avcodec_free_context(&encoder->context);
    av_packet_free(&encoder->kept);
    av_packet_free(&encoder->packet);
    av_frame_free(&encoder->frame);
    free(encoder);
    codec->state = NULL;
}

const struct role paracore_encoder = {
    .open = encoder_open,
    .unit = encoder_unit,
    .drain = encoder_drain,
    .flush = encoder_flush,
    .close = encoder_close,
};
