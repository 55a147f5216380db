/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What decodes: libavcodec (avcodec.c) or, for AV1, dav1d itself (dav1d.c), whose wrapper in libavcodec brings
 * its own memory for pictures. An engine gets that memory from paracore_span_take.
 */
#ifndef PARACORE_LIBAV_ENGINE_H
#define PARACORE_LIBAV_ENGINE_H

#include <libavcodec/avcodec.h>

#include "session.h"

/* All results are 0 or negative AVERRORs. Everything runs on the session's thread. */
struct engine {
    int (*open)(struct paracore_codec *codec, void **state);
    /* Takes one access unit, or NULL: no more to come. */
    int (*send)(void *state, AVPacket *packet);
    /* Gives one picture; EAGAIN when it needs another unit first, EOF after the last. */
    int (*receive)(void *state, AVFrame *frame);
    /* The layout that paracore's own memory for such a picture would have. */
    int (*layout)(void *state, const AVFrame *frame, struct paracore_picture_format *format);
    AVRational (*rate)(void *state);
    /* Forgets the stream, so that a new one can begin. */
    void (*flush)(void *state);
    void (*close)(void *state);
};

extern const struct engine paracore_avcodec_engine, paracore_dav1d_engine;

#endif
