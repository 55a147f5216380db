/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libavcodec behind the video class: one thread per session, whose callbacks run on the codec's own
 * threads. Python queues spans of mapped memory and takes completions; nothing here calls Python.
 *
 * A decoder writes pictures straight into the queued output spans (get_buffer2); an encoder reads
 * them straight from the input spans. Compressed data is copied: into private memory before it is
 * parsed, into the output span after it was made. The memory of the spans belongs to a hostile
 * domain that may rewrite it at any time: pixels decide no control flow here.
 *
 * All functions but the codec's own threads are called from one thread; none blocks except close
 * and flush, which wait for the codec to come to rest.
 */
#ifndef PARACORE_LIBAV_CODEC_H
#define PARACORE_LIBAV_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "paracore/protocol.h"

struct paracore_codec;
struct paracore_gate;

enum paracore_completion_kind {
    PARACORE_COMPLETION_INPUT_DONE = 1,
    PARACORE_COMPLETION_OUTPUT_READY = 2,
    PARACORE_COMPLETION_SOURCE_CHANGE = 3,
    PARACORE_COMPLETION_DRAINED = 4,
    PARACORE_COMPLETION_FAILED = 5,
};

/* One thing that happened; which fields count depends on the kind, as in the video class's events. */
struct paracore_completion {
    uint32_t kind;
    uint32_t cookie;
    uint32_t flags;      /* PARACORE_OUTPUT_FLAG_* or PARACORE_CHANGE_FLAG_* */
    uint32_t error;      /* enum paracore_error or 0 */
    int64_t timestamp, decode_timestamp, duration;
    uint32_t generation, bytes_used, picture_type;
    uint32_t crop_left, crop_top, width, height;
    uint32_t copied;     /* 1 when paracore had to copy this picture's pixels */
    struct paracore_picture_format format; /* SOURCE_CHANGE */
};

struct paracore_codec_options {
    uint32_t codec;      /* enum paracore_codec_id of the wire: PARACORE_CODEC_* */
    uint32_t direction;  /* PARACORE_DIRECTION_* */
    uint32_t threads;    /* 0: as many as cores */
    uint32_t flags;      /* PARACORE_OPEN_FLAG_* */
    int notify;          /* an eventfd, written when completions wait; not owned */
    uint32_t reserved;
    struct paracore_gate *gate; /* of the device's time, see gate.h; NULL: there is nobody to share with */
};

/* Bits as in video.capability_query; 0 pixel formats when this build lacks the codec. */
void paracore_codec_capability(uint32_t codec, uint32_t direction, uint64_t *pixel_formats,
                               uint64_t *controls, uint32_t *flags);

/* -EOPNOTSUPP when libavcodec lacks the codec, -ENOMEM, -EINVAL. */
int paracore_codec_open(const struct paracore_codec_options *options, struct paracore_codec **codec);
/* Stops the codec; after it returns no span is touched any more. */
void paracore_codec_close(struct paracore_codec *codec);

/* By which traces know it (trace.h). */
void paracore_codec_label(struct paracore_codec *codec, uint32_t channel, uint32_t session);

int paracore_codec_format_get(struct paracore_codec *codec, struct paracore_picture_format *format);
int paracore_codec_format_set(struct paracore_codec *codec, struct paracore_picture_format *format);
int paracore_codec_control_get(struct paracore_codec *codec, uint32_t control, int64_t *value);
int paracore_codec_control_set(struct paracore_codec *codec, uint32_t control, int64_t *value);

int paracore_codec_queue_input(struct paracore_codec *codec, uint32_t cookie, const void *address, size_t length,
                               int64_t timestamp, int64_t duration, uint32_t flags);
int paracore_codec_queue_output(struct paracore_codec *codec, uint32_t cookie, void *address, size_t length);
int paracore_codec_drain(struct paracore_codec *codec);
int paracore_codec_flush(struct paracore_codec *codec);
/* Gives back, cancelled, the outputs that the codec has no picture for. */
void paracore_codec_recall(struct paracore_codec *codec);

/*
 * Whether the codec still reads pictures in this memory (as references), though their spans were given
 * back: it must not be unmapped yet.
 */
int paracore_codec_holds(struct paracore_codec *codec, const void *address, size_t length);

/*
 * Since when it has been at one job, in nanoseconds of the monotonic clock, with what it waited for the domain or for
 * its turn left out; 0: it is at none, or waits. Waits itself for a moment at most, never for the codec.
 */
uint64_t paracore_codec_busy_since(struct paracore_codec *codec);

/* Nanoseconds of the monotonic clock so far. */
struct paracore_codec_times {
    uint64_t worked; /* at its jobs, with what it waited left out; of the one that it is at, up to its last output */
    uint64_t waited; /* with inputs, for its turn at the device */
};

/* What it has spent its time with. Waits itself for a moment at most, never for the codec. */
void paracore_codec_times(struct paracore_codec *codec, struct paracore_codec_times *times);

/* Takes at most `count` completions in order; returns how many. */
int paracore_codec_completions(struct paracore_codec *codec, struct paracore_completion *out, int count);

#endif
