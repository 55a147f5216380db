/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine of libavcodec's decoders: they write straight into the domain's spans (get_buffer2).
 *
 * SAFETY: the domain may rewrite pictures while the codec reads them as references. Samples decide neither lengths nor
 * addresses, but a table indexed by one of more than 8 bits may be read beyond its end: SECURITY.md, "What remains".
 */
#include "engine.h"

#include <errno.h>
#include <stdlib.h>

#include "codecs.h"
#include "compat.h"
#include "formats.h"

/* Beyond what a codec holds: the picture it writes, and one held back to be marked. */
#define BUFFERS_SPARE 2

/* --- how many spans ------------------------------------------------------------------------------------- */

/* H.265 A.4.2: the level's largest picture, and how many of the present size its decoder keeps. */
static int hevc_kept(const AVCodecContext *context)
{
    static const struct {
        int level, luma_max;
    } LEVELS[] = {
        {30, 36864},    {60, 122880},   {63, 245760},   {90, 552960},    {93, 983040},
        {123, 2228224}, {156, 8912896}, {186, 35651584},
    };
    enum { COUNT = sizeof LEVELS / sizeof *LEVELS };
    int64_t luma = (int64_t)context->coded_width * context->coded_height;
    int n = 0;
    while (n < COUNT - 1 && context->level > LEVELS[n].level)
        n++;
    int64_t most = LEVELS[n].luma_max;
    return luma <= most / 4 ? 16 : luma <= most / 2 ? 12 : luma <= most * 3 / 4 ? 8 : 6;
}

/* Pictures that the codec keeps at once by itself, as far as it knows by now; spans.c asks for more if it errs. */
static int kept(uint32_t codec, const AVCodecContext *context)
{
    switch (codec) {
    case PARACORE_CODEC_H264:
        return FFMAX(context->refs, 1) + FFMAX(context->has_b_frames, 2);
    case PARACORE_CODEC_HEVC:
        return hevc_kept(context);
    case PARACORE_CODEC_VP8:
        return 3; /* last, golden, altref */
    case PARACORE_CODEC_VP9:
        return 10; /* eight references; motion vectors and segment map come with a picture each */
    case PARACORE_CODEC_MJPEG:
        return 1;
    default:
        return 3; /* two references and one to be reordered */
    }
}

static uint32_t buffers_min(uint32_t codec, const AVCodecContext *context)
{
    int threads = context->active_thread_type & FF_THREAD_FRAME ? context->thread_count : 1;
    return (uint32_t)(kept(codec, context) + threads + BUFFERS_SPARE);
}

/* --- memory for pictures ------------------------------------------------------------------------------------ */

static int layout(const struct paracore_codec *codec, AVCodecContext *context, const AVFrame *frame,
                  struct paracore_picture_format *format)
{
    int width = frame->width, height = frame->height, align[AV_NUM_DATA_POINTERS];
    avcodec_align_dimensions2(context, &width, &height, align);
    paracore_format_size(format, frame->width, frame->height, paracore_decoder_kind(codec->options.codec)->block,
                         context->width, context->height);
    paracore_format_look(format, frame, context->framerate);
    format->buffers_min = buffers_min(codec->options.codec, context);
    return paracore_format_layout(format, frame->format, width, height, align);
}

static int lend(AVFrame *frame, struct span *span)
{
    frame->buf[0] = av_buffer_create(span->address, span->format.size, paracore_span_free, span, 0);
    if (!frame->buf[0]) {
        paracore_span_free(span, span->address);
        return AVERROR(ENOMEM);
    }
    paracore_frame_point(frame, span->address, &span->format);
    return 0;
}

/* Called from the codec's own threads as well. */
static int get_buffer(AVCodecContext *context, AVFrame *frame, int flags)
{
    struct paracore_codec *codec = context->opaque;
    struct paracore_picture_format format = {0};
    (void)flags; /* every span outlives the codec's references */
    int error = layout(codec, context, frame, &format);
    if (error < 0)
        return error;
    pthread_mutex_lock(&codec->lock);
    struct span *span = paracore_span_take(codec, &format);
    pthread_mutex_unlock(&codec->lock);
    return span ? lend(frame, span) : AVERROR_EXIT;
}

/* --- the engine --------------------------------------------------------------------------------------------- */

static void configure(AVCodecContext *context, struct paracore_codec *codec)
{
    context->opaque = codec;
    context->get_buffer2 = get_buffer;
    compat_allow_threads(context);
    context->apply_cropping = 0;
    context->max_pixels = (int64_t)PARACORE_DIMENSION_MAX * PARACORE_DIMENSION_MAX;
    pthread_mutex_lock(&codec->lock);
    context->thread_count = (int)codec->control[PARACORE_CONTROL_THREADS];
    if (codec->control[PARACORE_CONTROL_LOW_DELAY])
        context->thread_type = FF_THREAD_SLICE; /* libavcodec's own flag would give up the order as well */
    pthread_mutex_unlock(&codec->lock);
}

static int avcodec_open(struct paracore_codec *codec, void **state)
{
    const AVCodec *decoder = paracore_decoder_find(codec->options.codec);
    AVCodecContext *context = avcodec_alloc_context3(decoder);
    if (!context)
        return AVERROR(ENOMEM);
    configure(context, codec);
    int error = avcodec_open2(context, decoder, NULL);
    if (error < 0)
        avcodec_free_context(&context);
    *state = context;
    return error;
}

static int avcodec_send(void *state, AVPacket *packet)
{
    return avcodec_send_packet(state, packet);
}

static int avcodec_receive(void *state, AVFrame *frame)
{
    return avcodec_receive_frame(state, frame);
}

static int avcodec_layout(void *state, const AVFrame *frame, struct paracore_picture_format *format)
{
    AVCodecContext *context = state;
    return layout(context->opaque, context, frame, format);
}

static AVRational avcodec_rate(void *state)
{
    return ((AVCodecContext *)state)->framerate;
}

static void avcodec_flush(void *state)
{
    avcodec_flush_buffers(state);
}

static void avcodec_stop(void *state)
{
    AVCodecContext *context = state;
    avcodec_free_context(&context);
}

const struct engine paracore_avcodec_engine = {
    .open = avcodec_open,
    .send = avcodec_send,
    .receive = avcodec_receive,
    .layout = avcodec_layout,
    .rate = avcodec_rate,
    .flush = avcodec_flush,
    .close = avcodec_stop,
};
