/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The session behind an open file, and what its events make of buffers. What the queues hold becomes calls in feed.c.
 *
 * Theory of operation. A session is opened when the program needs one (an encoder's as soon as it asks how pictures
 * have to lie) and closed when it has freed the buffers of both queues. Each span that the backend is lent has a
 * cookie that no other of this file ever had, so that what comes back late is known for what it is.
 */
#include "stream.h"

#include <errno.h>
#include <stdlib.h>

enum { CUT_WIDTH = 15, CUT_HEIGHT = 31 };

uint32_t file_cookie(struct v4l2_file *file)
{
    return ++file->last_cookie;
}

/* --- what the backend says ------------------------------------------------------------------------------------ */

/* This is the link's thread, which brings events. */
static _Thread_local bool called_back;

/* The file, locked, if this stream is still its own. */
static struct v4l2_file *enter(struct stream *stream)
{
    struct v4l2_file *file = stream->file;

    pthread_mutex_lock(&file->lock);
    called_back = file->stream == stream;
    if (called_back)
        return file;
    pthread_mutex_unlock(&file->lock);
    return NULL;
}

static void leave(struct v4l2_file *file)
{
    called_back = false;
    pthread_mutex_unlock(&file->lock);
}

/* What events have changed is shown once for all of them: it wakes the program, who wants the lock first of all. */
static void settled(void *owner)
{
    struct v4l2_file *file = enter(owner);

    if (!file)
        return;
    stream_feed(file);
    file_show(file, -1);
    leave(file);
}

static struct buffer *lent(struct v4l2_file *file, unsigned queue, uint32_t cookie)
{
    for (uint32_t n = 0; n < file->queues[queue].count; n++)
        if (file->queues[queue].buffers[n].lent && file->queues[queue].buffers[n].cookie == cookie)
            return &file->queues[queue].buffers[n];
    return NULL;
}

static void input_done(void *owner, const struct paracore_video_input_done *done)
{
    struct v4l2_file *file = enter(owner);

    if (!file)
        return;
    spool_give_back(&file->spool, done->cookie);
    struct buffer *buffer = lent(file, OUTPUT_QUEUE, done->cookie);
    if (buffer) {
        buffer->lent = false;
        if (done->error)
            buffer->flags |= V4L2_BUF_FLAG_ERROR;
        if (buffer->state == QUEUED)
            buffer_done(file, OUTPUT_QUEUE, buffer);
    }
    leave(file);
}

static void output_ready(void *owner, const struct paracore_video_output_ready *ready)
{
    struct v4l2_file *file = enter(owner);

    if (!file)
        return;
    picture_ready(file, lent(file, CAPTURE_QUEUE, ready->cookie), ready);
    leave(file);
}

static bool fits(const struct v4l2_file *file, const struct side *before)
{
    const struct side *now = &file->sides[CAPTURE_QUEUE];

    return file->queues[CAPTURE_QUEUE].count && !file->stale && side_is_same(before, now);
}

static void take_minimum(struct v4l2_file *file, const struct paracore_picture_format *format)
{
    file->buffers_min = format->buffers_min < BUFFERS_MAX ? format->buffers_min : BUFFERS_MAX;
}

/* A format that V4L2 has no name for ends the stream: 10 bits in three planes, for one. */
static int take_format(struct v4l2_file *file, const struct paracore_video_source_change *change)
{
    struct side side;

    if (change->generation != file->generation + 1)
        return -EPROTO;
    if (side_of_format(file, &change->format, 0, &side) != 0)
        return -EINVAL;
    file->sides[CAPTURE_QUEUE] = side;
    file->source_known = true;
    file->generation = change->generation;
    take_minimum(file, &change->format);
    color_of_format(&file->color, &change->format);
    return 0;
}

/* Buffers that the backend has, if there are no others, come back: one of them is for LAST. */
static void owe(struct v4l2_file *file, bool *owed)
{
    *owed = true;
    stream_give_last(file);
    if (*owed)
        stream_recall(file);
}

static void source_change(void *owner, const struct paracore_video_source_change *change)
{
    struct v4l2_file *file = enter(owner);

    if (!file)
        return;
    struct side before = file->sides[CAPTURE_QUEUE];
    bool first = !file->source_known;
    file->broken |= take_format(file, change) != 0;
    capture_settle(file);
    if (!file->broken && !fits(file, &before)) {
        file->stale = file->queues[CAPTURE_QUEUE].count > 0;
        event_source_change(file);
        file->broken |= ++file->unanswered > CHANGES_MAX;
        if (!first && !file->broken) {
            if (file->ended == change->generation - 1)
                owe(file, &file->end_owed);
            pictures_lend_hidden(file);
        }
    }
    leave(file);
}

static void drained(void *owner)
{
    struct v4l2_file *file = enter(owner);

    if (!file)
        return;
    file->draining = false;
    if (file->drain == DRAINING) /* else the last picture has said so */
        owe(file, &file->last_owed);
    leave(file);
}

static void failed(void *owner, int error)
{
    struct v4l2_file *file = enter(owner);

    (void)error;
    if (!file)
        return;
    file->broken = true;
    file->gone = !shim_link_lives(file->node.link);
    file_show(file, -1);
    leave(file);
}

/* As the kernel's drivers tell of pictures that they had to drop: by what `sequence` leaves out (buffer.rst). */
static void lost(void *owner, uint32_t count)
{
    struct v4l2_file *file = enter(owner);

    if (!file)
        return;
    file->queues[CAPTURE_QUEUE].sequence += count;
    leave(file);
}

static const struct shim_listener LISTENER = {input_done, output_ready, source_change, drained, failed, settled, lost};

/* --- opening and closing ---------------------------------------------------------------------------------------- */

/* A program says of which size the stream's pictures are coded. What is cut from that is not known yet: less than a macroblock,
 * of two fields two, or nothing; who says nothing is given the least size that there is. */
static struct shim_stream expected(const struct v4l2_file *file)
{
    const struct side *coded = &file->sides[OUTPUT_QUEUE];

    if (!is_decoder(file) || !file->sized || coded->width <= CUT_WIDTH || coded->height <= CUT_HEIGHT)
        return (struct shim_stream){.rate = 0};
    return (struct shim_stream){.samples = (int64_t)(coded->width - CUT_WIDTH) * (coded->height - CUT_HEIGHT)};
}

int stream_open(struct v4l2_file *file)
{
    const struct coded_format *coded = coded_format_of_fourcc(file->sides[coded_queue(file)].fourcc);
    struct paracore_video_open request = {.device = file->node.device->index, .direction = file->node.direction};

    if (file->stream)
        return 0;
    struct stream *stream = calloc(1, sizeof *stream);
    if (!stream || !coded) {
        free(stream);
        return coded ? -ENOMEM : -EINVAL;
    }
    request.codec = coded->codec;
    stream->file = file;
    int error = shim_session_open(file->node.link, &request, expected(file), &LISTENER, stream, &stream->session);
    if (error) {
        free(stream);
        return error_of_backend(error);
    }
    file->stream = stream;
    return 0;
}

/* The backend has nothing any more. */
static void all_returned(struct v4l2_file *file)
{
    for (unsigned queue = 0; queue < QUEUE_COUNT; queue++)
        for (uint32_t n = 0; n < file->queues[queue].count; n++)
            file->queues[queue].buffers[n].lent = false;
    spool_clear(&file->spool);
    pictures_drop_foreign(file);
}

void stream_close(struct v4l2_file *file)
{
    struct stream *stream = file->stream;

    if (!stream)
        return;
    file->stream = NULL;
    file->source_known = file->stale = false;
    file->generation = file->ended = file->buffers_min = 0;
    file->drain = RUNNING;
    file->draining = false;
    pictures_drop_held(file);
    pthread_mutex_unlock(&file->lock);
    shim_session_close(stream->session);
    pthread_mutex_lock(&file->lock);
    free(stream);
    all_returned(file);
    if (file->spool_memory)
        memory_put(file->spool_memory);
    file->spool_memory = NULL;
    file->spoolless = false;
    memory_sweep();
}

/* An ioctl() lets go of the lock meanwhile: a call that meets the worker's death waits until the link's thread has delivered
 * what had come before it, to this file perhaps. That thread itself waits for nobody. */
static int call(struct v4l2_file *file, uint16_t opcode, const void *request, size_t request_size, void *reply,
                size_t reply_size)
{
    struct shim_session *session = file->stream->session;
    bool lets_go = !called_back;

    if (lets_go)
        pthread_mutex_unlock(&file->lock);
    int error = shim_session_call(session, opcode, request, request_size, reply, reply_size);
    if (lets_go)
        pthread_mutex_lock(&file->lock);
    return error;
}

int stream_flush(struct v4l2_file *file)
{
    struct queue *output = &file->queues[OUTPUT_QUEUE];

    pictures_drop_held(file);
    if (!file->stream)
        return 0;
    file->flushing = true;
    int error = call(file, PARACORE_OP_VIDEO_FLUSH, NULL, 0, NULL, 0);
    for (uint32_t n = 0; n < output->count; n++)
        output->buffers[n].lent = false; /* each was given back before the reply */
    spool_clear(&file->spool);
    pthread_mutex_unlock(&file->lock);
    shim_link_catch_up(file->node.link);
    pthread_mutex_lock(&file->lock);
    file->flushing = file->draining = false;
    file->ended = 0;
    return error ? -EIO : 0;
}

void stream_recall(struct v4l2_file *file)
{
    if (file->stream && !file->broken && !file->gone)
        call(file, PARACORE_OP_VIDEO_RECALL, NULL, 0, NULL, 0);
}

int stream_control(struct v4l2_file *file, uint32_t control, int64_t value)
{
    const struct paracore_video_control_set request = {.control = control, .value = value};
    struct paracore_video_control_set_reply reply;

    if (!file->stream)
        return 0;
    return call(file, PARACORE_OP_VIDEO_CONTROL_SET, &request, sizeof request, &reply, sizeof reply);
}

int stream_format(struct v4l2_file *file, struct paracore_picture_format *format)
{
    struct paracore_video_format_set request = {.format = *format};
    struct paracore_video_format_set_reply reply;
    int error = stream_open(file);

    if (error == 0)
        error = call(file, PARACORE_OP_VIDEO_FORMAT_SET, &request, sizeof request, &reply, sizeof reply);
    if (error)
        return error_of_backend(error);
    *format = reply.format;
    take_minimum(file, format);
    return 0;
}
