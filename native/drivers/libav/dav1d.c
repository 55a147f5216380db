/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine of AV1: dav1d itself. It is set up as libavcodec's wrapper of it does by default (one layer, film
 * grain applied), so that the pictures are the same, but it writes into the domain's spans.
 *
 * A flush closes dav1d and opens another: dav1d 1.0 may hang for ever when it is flushed after a picture
 * that got no memory, which is how a flush ends its waiting for a span.
 */
#include "engine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <dav1d/dav1d.h>
#include <libavutil/cpu.h>

#include "compat.h"
#include "formats.h"

/* dav1d.h: memory is a multiple of 128 pixels either way. */
#define PIXELS_MULTIPLE 128
/* Eight references; in each frame thread one picture, and one more on its way out, film grain being another. */
#define BUFFERS(threads) (8u + 2u * (threads) + 2u)

struct dav1d {
    struct paracore_codec *codec;
    Dav1dContext *context;
    Dav1dData data; /* what dav1d has not taken yet of the unit */
    AVRational rate;
    unsigned threads;
    bool fresh; /* data went in since a picture was asked for */
    bool draining;
};

/* --- memory for pictures ---------------------------------------------------------------------------------- */

static enum AVPixelFormat pixel_format(const Dav1dPictureParameters *p, const Dav1dSequenceHeader *sequence)
{
    static const enum AVPixelFormat FORMATS[][3] = {
        [DAV1D_PIXEL_LAYOUT_I400] = {AV_PIX_FMT_GRAY8, AV_PIX_FMT_GRAY10LE, AV_PIX_FMT_GRAY12LE},
        [DAV1D_PIXEL_LAYOUT_I420] = {AV_PIX_FMT_YUV420P, AV_PIX_FMT_YUV420P10LE, AV_PIX_FMT_YUV420P12LE},
        [DAV1D_PIXEL_LAYOUT_I422] = {AV_PIX_FMT_YUV422P, AV_PIX_FMT_YUV422P10LE, AV_PIX_FMT_YUV422P12LE},
        [DAV1D_PIXEL_LAYOUT_I444] = {AV_PIX_FMT_YUV444P, AV_PIX_FMT_YUV444P10LE, AV_PIX_FMT_YUV444P12LE},
    };
    static const enum AVPixelFormat RGB[] = {AV_PIX_FMT_GBRP, AV_PIX_FMT_GBRP10LE, AV_PIX_FMT_GBRP12LE};
    bool rgb = p->layout == DAV1D_PIXEL_LAYOUT_I444 && sequence->mtrx == DAV1D_MC_IDENTITY;
    return rgb ? RGB[sequence->hbd] : FORMATS[p->layout][sequence->hbd];
}

/* Strides that are multiples of a large power of two would fall into few cache sets. */
static int memory_width(int width)
{
    int wide = FFALIGN(width, PIXELS_MULTIPLE);
    return wide % 1024 ? wide : wide + PIXELS_MULTIPLE;
}

static int layout(const struct dav1d *dav1d, const AVFrame *frame, struct paracore_picture_format *format)
{
    const int align[4] = {SPAN_ALIGNMENT, SPAN_ALIGNMENT, SPAN_ALIGNMENT, SPAN_ALIGNMENT};
    paracore_format_size(format, frame->width, frame->height, 8, frame->width, frame->height);
    paracore_format_look(format, frame, dav1d->rate);
    format->buffers_min = BUFFERS(dav1d->threads);
    return paracore_format_layout(format, frame->format, memory_width(frame->width),
                                  FFALIGN(frame->height, PIXELS_MULTIPLE), align);
}

static void set_color(AVFrame *frame, const Dav1dSequenceHeader *sequence)
{
    frame->color_primaries = (enum AVColorPrimaries)sequence->pri;
    frame->color_trc = (enum AVColorTransferCharacteristic)sequence->trc;
    frame->colorspace = (enum AVColorSpace)sequence->mtrx;
    frame->color_range = sequence->color_range ? AVCOL_RANGE_JPEG : AVCOL_RANGE_MPEG;
    frame->chroma_location = sequence->chr == DAV1D_CHR_VERTICAL    ? AVCHROMA_LOC_LEFT
                             : sequence->chr == DAV1D_CHR_COLOCATED ? AVCHROMA_LOC_TOPLEFT
                                                                    : AVCHROMA_LOC_UNSPECIFIED;
}

/* AV1 7.9.2: a picture is shown at its render size; the ratio of the two is that of its samples. */
static void set_aspect(AVFrame *frame, const Dav1dFrameHeader *header)
{
    av_reduce(&frame->sample_aspect_ratio.num, &frame->sample_aspect_ratio.den,
              frame->height * (int64_t)header->render_width, frame->width * (int64_t)header->render_height, INT_MAX);
}

static void set_rate(struct dav1d *dav1d, const Dav1dSequenceHeader *sequence)
{
    if (sequence->num_units_in_tick && sequence->time_scale)
        av_reduce(&dav1d->rate.num, &dav1d->rate.den, sequence->time_scale, sequence->num_units_in_tick, INT_MAX);
}

static void describe(struct dav1d *dav1d, AVFrame *frame, const Dav1dPicture *picture)
{
    frame->format = pixel_format(&picture->p, picture->seq_hdr);
    frame->width = picture->p.w;
    frame->height = picture->p.h;
    set_color(frame, picture->seq_hdr);
    set_aspect(frame, picture->frame_hdr);
    set_rate(dav1d, picture->seq_hdr);
}

static int allocate(Dav1dPicture *picture, void *cookie)
{
    struct dav1d *dav1d = cookie;
    struct paracore_codec *codec = dav1d->codec;
    struct paracore_picture_format format = {0};
    AVFrame frame = {0};
    describe(dav1d, &frame, picture);
    if (layout(dav1d, &frame, &format) < 0)
        return DAV1D_ERR(ENOMEM);
    pthread_mutex_lock(&codec->lock);
    struct span *span = paracore_span_take(codec, &format);
    pthread_mutex_unlock(&codec->lock);
    if (!span)
        return DAV1D_ERR(ENOMEM);
    for (uint32_t n = 0; n < format.plane_count; n++)
        picture->data[n] = span->address + format.plane_offset[n];
    picture->stride[0] = format.plane_stride[0];
    picture->stride[1] = format.plane_stride[1];
    picture->allocator_data = span;
    return 0;
}

static void release(Dav1dPicture *picture, void *cookie)
{
    (void)cookie;
    paracore_span_free(picture->allocator_data, NULL);
}

/* --- pictures as frames -------------------------------------------------------------------------------------- */

static void unref(void *opaque, uint8_t *data)
{
    (void)data;
    dav1d_picture_unref(opaque);
    free(opaque);
}

static void set_type(AVFrame *frame, const Dav1dFrameHeader *header)
{
    bool intra = header->frame_type == DAV1D_FRAME_TYPE_KEY || header->frame_type == DAV1D_FRAME_TYPE_INTRA;
    compat_set_key(frame, header->frame_type == DAV1D_FRAME_TYPE_KEY);
    frame->pict_type = intra                                             ? AV_PICTURE_TYPE_I
                       : header->frame_type == DAV1D_FRAME_TYPE_SWITCH ? AV_PICTURE_TYPE_SP
                                                                       : AV_PICTURE_TYPE_P;
}

/* Hands a picture over to a frame, which then owns it. */
static int wrap(struct dav1d *dav1d, AVFrame *frame, Dav1dPicture *picture)
{
    struct span *span = picture->allocator_data;
    Dav1dPicture *owned = malloc(sizeof *owned);
    frame->buf[0] = owned ? av_buffer_create(span->address, span->format.size, unref, owned, 0) : NULL;
    if (!frame->buf[0]) {
        free(owned);
        dav1d_picture_unref(picture);
        return AVERROR(ENOMEM);
    }
    *owned = *picture;
    describe(dav1d, frame, picture);
    set_type(frame, picture->frame_hdr);
    paracore_frame_point(frame, span->address, &span->format);
    frame->pts = picture->m.timestamp;
    compat_set_duration(frame, picture->m.duration);
    return 0;
}

/* --- the engine ------------------------------------------------------------------------------------------------ */

static int to_av(int error)
{
    if (!error)
        return 0;
    return error == DAV1D_ERR(EAGAIN) ? AVERROR(EAGAIN) : error == DAV1D_ERR(ENOMEM) ? AVERROR(ENOMEM) : AVERROR_INVALIDDATA;
}

static void settings(Dav1dSettings *settings, struct dav1d *dav1d)
{
    struct paracore_codec *codec = dav1d->codec;
    dav1d_default_settings(settings);
    pthread_mutex_lock(&codec->lock);
    dav1d->threads = (unsigned)codec->control[PARACORE_CONTROL_THREADS];
    settings->max_frame_delay = codec->control[PARACORE_CONTROL_LOW_DELAY] ? 1 : 0;
    pthread_mutex_unlock(&codec->lock);
    if (!dav1d->threads)
        dav1d->threads = (unsigned)av_clip(av_cpu_count(), 1, THREADS_MAX);
    settings->n_threads = (int)dav1d->threads;
    settings->all_layers = 0;
    settings->frame_size_limit = PARACORE_DIMENSION_MAX * PARACORE_DIMENSION_MAX;
    settings->logger = (Dav1dLogger){0};
    settings->allocator = (Dav1dPicAllocator){dav1d, allocate, release};
}

static int open_context(struct dav1d *dav1d)
{
    Dav1dSettings wanted;
    settings(&wanted, dav1d);
    return to_av(dav1d_open(&dav1d->context, &wanted));
}

static int dav1d_engine_open(struct paracore_codec *codec, void **state)
{
    struct dav1d *dav1d = calloc(1, sizeof *dav1d);
    if (!dav1d)
        return AVERROR(ENOMEM);
    dav1d->codec = codec;
    int error = open_context(dav1d);
    if (error)
        free(dav1d);
    else
        *state = dav1d;
    return error;
}

static int dav1d_engine_send(void *state, AVPacket *packet)
{
    struct dav1d *dav1d = state;
    dav1d->draining = !packet;
    if (!packet)
        return 0;
    int error = dav1d->context ? 0 : open_context(dav1d);
    if (error)
        return error;
    dav1d_data_unref(&dav1d->data);
    uint8_t *copy = dav1d_data_create(&dav1d->data, (size_t)packet->size);
    if (!copy)
        return AVERROR(ENOMEM);
    memcpy(copy, packet->data, (size_t)packet->size);
    dav1d->data.m.timestamp = packet->pts;
    dav1d->data.m.duration = packet->duration;
    return 0;
}

/* Gives dav1d what it will take of the unit. */
static int feed(struct dav1d *dav1d)
{
    if (!dav1d->data.sz)
        return 0;
    dav1d->fresh = true;
    int error = dav1d_send_data(dav1d->context, &dav1d->data);
    if (!error || error == DAV1D_ERR(EAGAIN))
        return 0;
    dav1d_data_unref(&dav1d->data);
    return error;
}

/*
 * dav1d takes a second question for a picture, without new data, as the beginning of a drain. With frame
 * threads it is therefore asked once per unit.
 */
static bool may_ask(struct dav1d *dav1d)
{
    bool may = dav1d->fresh || dav1d->draining || dav1d->threads == 1;
    dav1d->fresh = false;
    return may;
}

static int dav1d_engine_receive(void *state, AVFrame *frame)
{
    struct dav1d *dav1d = state;
    Dav1dPicture picture = {0};
    int error;
    if (!dav1d->context)
        return AVERROR_EOF;
    do {
        if ((error = feed(dav1d)))
            return to_av(error);
        if (!may_ask(dav1d))
            return AVERROR(EAGAIN);
        error = dav1d_get_picture(dav1d->context, &picture);
    } while (error == DAV1D_ERR(EAGAIN) && dav1d->data.sz);
    if (!error)
        return wrap(dav1d, frame, &picture);
    return dav1d->draining && error == DAV1D_ERR(EAGAIN) ? AVERROR_EOF : to_av(error);
}

static int dav1d_engine_layout(void *state, const AVFrame *frame, struct paracore_picture_format *format)
{
    return layout(state, frame, format);
}

static AVRational dav1d_engine_rate(void *state)
{
    return ((struct dav1d *)state)->rate;
}

static void dav1d_engine_flush(void *state)
{
    struct dav1d *dav1d = state;
    dav1d_data_unref(&dav1d->data);
    dav1d_close(&dav1d->context);
    dav1d->draining = dav1d->fresh = false;
}

static void dav1d_engine_close(void *state)
{
    struct dav1d *dav1d = state;
    dav1d_data_unref(&dav1d->data);
    dav1d_close(&dav1d->context);
    free(dav1d);
}

const struct engine paracore_dav1d_engine = {
    .open = dav1d_engine_open,
    .send = dav1d_engine_send,
    .receive = dav1d_engine_receive,
    .layout = dav1d_engine_layout,
    .rate = dav1d_engine_rate,
    .flush = dav1d_engine_flush,
    .close = dav1d_engine_close,
};
