/* SPDX-License-Identifier: Apache-2.0 */
/* What decoder.c, which feeds the codec, and pictures.c, which gives its pictures out, have in common. */
#ifndef PARACORE_LIBAV_DECODER_H
#define PARACORE_LIBAV_DECODER_H

#include "engine.h"

struct decoder {
    const struct engine *engine;
    void *state; /* the engine's; NULL until the first unit */
    AVPacket *packet;
    AVFrame *frame, *kept; /* the picture at hand, and the one before it when that is held back */
    uint8_t *config;       /* parameter sets that came by themselves */
    size_t config_size;
    bool draining;
};

/* The engine's next picture, which goes out now or when more is known; takes over the reference. */
void paracore_picture(struct paracore_codec *codec, AVFrame *frame);
/* The engine has no more for now: nothing is held back for what may not come. */
void paracore_pictures_pause(struct paracore_codec *codec);
/* The engine's last picture has been given: marks the end of a drain. */
void paracore_pictures_end(struct paracore_codec *codec);

#endif
