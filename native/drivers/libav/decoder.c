/* SPDX-License-Identifier: Apache-2.0 */
/* Decoding: access units go to an engine, and its pictures to pictures.c. */
#include "decoder.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "codecs.h"

/* A codec that gives errors without end instead of the end of its stream is stopped here. */
#define ERRORS_MAX 1000
/* Bounds the parameter sets that wait for the unit they belong to. */
#define CONFIG_MAX (1u << 20)

/* Takes all pictures the engine has; the first error on the way. */
static int collect(struct paracore_codec *codec)
{
    struct decoder *decoder = codec->state;
    int result, first = 0, errors = 0;
    while ((result = decoder->engine->receive(decoder->state, decoder->frame)) != AVERROR(EAGAIN) &&
           result != AVERROR_EOF && errors < ERRORS_MAX) {
        if (!result)
            paracore_picture(codec, decoder->frame);
        errors += !!result;
        first = first ? first : result;
    }
    paracore_pictures_pause(codec);
    return first;
}

/* --- units ------------------------------------------------------------------------------------------------- */

/* Parameter sets by themselves are no unit to libavcodec: they wait and go in front of the next one. */
static int remember(struct decoder *decoder, const struct slip *slip)
{
    if (slip->length > CONFIG_MAX - decoder->config_size)
        return AVERROR(EINVAL);
    uint8_t *grown = realloc(decoder->config, decoder->config_size + slip->length);
    if (!grown)
        return AVERROR(ENOMEM);
    memcpy(grown + decoder->config_size, slip->address, slip->length);
    decoder->config = grown;
    decoder->config_size += slip->length;
    return 0;
}

/*
 * SAFETY: the domain may rewrite the span at any time. It is read here, once, into private memory, and parsed
 * there. One unit is copied at a time, so that a long queue costs no memory.
 */
static int load(struct decoder *decoder, const struct slip *slip)
{
    AVPacket *packet = decoder->packet;
    int error = av_new_packet(packet, (int)(decoder->config_size + slip->length));
    if (error < 0)
        return error;
    if (decoder->config_size)
        memcpy(packet->data, decoder->config, decoder->config_size);
    memcpy(packet->data + decoder->config_size, slip->address, slip->length);
    decoder->config_size = 0;
    packet->pts = slip->timestamp;
    packet->duration = slip->duration;
    return 0;
}

static int open_engine(struct paracore_codec *codec)
{
    struct decoder *decoder = codec->state;
    if (decoder->state)
        return 0;
    int error = decoder->engine->open(codec, &decoder->state);
    if (error < 0) {
        pthread_mutex_lock(&codec->lock);
        paracore_fail(codec, paracore_error(error));
        pthread_mutex_unlock(&codec->lock);
    }
    return error;
}

static int decode(struct paracore_codec *codec, const struct slip *slip)
{
    struct decoder *decoder = codec->state;
    int error = open_engine(codec);
    if (error < 0 || (error = load(decoder, slip)) < 0)
        return error;
    int sent = decoder->engine->send(decoder->state, decoder->packet);
    av_packet_unref(decoder->packet);
    int received = collect(codec);
    return sent < 0 ? sent : received;
}

/* With frame threads an error may be told of a later unit than the one that has it. */
static void decoder_unit(struct paracore_codec *codec, struct slip *slip)
{
    bool config = slip->flags & PARACORE_INPUT_FLAG_CONFIG;
    int error = config ? remember(codec->state, slip) : decode(codec, slip);
    paracore_done(slip, paracore_error(error));
}

/* --- drain, flush, open, close ------------------------------------------------------------------------------- */

static void decoder_drain(struct paracore_codec *codec)
{
    struct decoder *decoder = codec->state;
    if (decoder->state) {
        decoder->draining = true;
        decoder->engine->send(decoder->state, NULL);
        collect(codec);
        decoder->draining = false;
        decoder->engine->flush(decoder->state);
    }
    paracore_pictures_end(codec);
}

static void decoder_flush(struct paracore_codec *codec)
{
    struct decoder *decoder = codec->state;
    av_frame_unref(decoder->kept);
    if (decoder->state)
        decoder->engine->flush(decoder->state);
}

static int decoder_open(struct paracore_codec *codec)
{
    struct decoder *decoder = calloc(1, sizeof *decoder);
    codec->state = decoder;
    if (!decoder)
        return -ENOMEM;
    decoder->engine = paracore_engine_find(codec->options.codec);
    decoder->packet = av_packet_alloc();
    decoder->frame = av_frame_alloc();
    decoder->kept = av_frame_alloc();
    if (!decoder->packet || !decoder->frame || !decoder->kept)
        return -ENOMEM;
    return decoder->engine ? 0 : -EOPNOTSUPP;
}

static void decoder_close(struct paracore_codec *codec)
{
    struct decoder *decoder = codec->state;
    if (!decoder)
        return;
    av_frame_free(&decoder->kept);
    av_frame_free(&decoder->frame);
    av_packet_free(&decoder->packet);
    if (decoder->state)
        decoder->engine->close(decoder->state);
    free(decoder->config);
    free(decoder);
    codec->state = NULL;
}

const struct role paracore_decoder = {
    .open = decoder_open,
    .unit = decoder_unit,
    .drain = decoder_drain,
    .flush = decoder_flush,
    .close = decoder_close,
};
