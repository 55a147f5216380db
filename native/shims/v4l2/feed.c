/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Feeding: what the queues hold becomes posts of the video class.
 *
 * Theory of operation. To show the backend a message may mean to wake it, which costs more processor time than all else
 * that is done here for a buffer. So while a decoder has plenty to work on, several are shown together: before the program
 * waits, when the link's thread has taken the next events, at UNSEEN_MAX, and at once when the device is about to run low.
 * As long as it has units and buffers, events come: nothing stays unseen for ever. A decoder's units go by the spool (spool.h).
 */
#include "stream.h"

#include <errno.h>
#include <string.h>

#define UNSEEN_MAX 16 /* bounds how long a buffer that was queued is not at work, in those queued behind it */
#define FEW_UNITS 2   /* with the device: it is done with them sooner than it is woken */

/* An encoder is told what it will get, and how it is to work, before the first picture. */
static int begin(struct v4l2_file *file)
{
    const struct side *side = &file->sides[OUTPUT_QUEUE];
    struct paracore_picture_format format = {
        .pixel_format = raw_format_of_fourcc(side->fourcc)->pixel_format, .width = side->width, .height = side->height,
        .rate_num = file->interval.denominator, .rate_den = file->interval.numerator, .aspect_num = 1, .aspect_den = 1};

    color_to_format(&file->color, &format);
    file->stream->begins = true;
    int error = stream_format(file, &format);
    if (error == 0)
        error = controls_apply(file);
    file->stream->begins = false;
    file->stream->begun = error == 0;
    return error;
}

/* V4L2_BUF_FLAG_TIMESTAMP_COPY copies these, too. They do not cross the wire: what comes of the input gets them
 * again by its time. */
static void remember_marks(struct v4l2_file *file, const struct buffer *buffer)
{
    file->marks[file->mark_count++ % MARKS_MAX] = (struct mark){
        .timestamp = buffer->timestamp,
        .flags = buffer->flags & (V4L2_BUF_FLAG_TIMECODE | V4L2_BUF_FLAG_TSTAMP_SRC_MASK),
        .timecode = buffer->timecode,
    };
}

static int post(struct v4l2_file *file, uint16_t opcode, const void *request, size_t size)
{
    file->unseen++;
    return shim_session_post_unseen(file->stream->session, opcode, request, size);
}

static int post_input(struct v4l2_file *file, const struct buffer *buffer, const struct memory *memory, uint64_t offset,
                      uint32_t cookie)
{
    struct paracore_video_queue_input request = {
        .span = shim_piece_span(&memory->piece, offset, buffer->used[0] - buffer->data_offset[0]),
        .cookie = cookie,
        .timestamp = (int64_t)buffer->timestamp,
    };

    remember_marks(file, buffer);
    if (!is_decoder(file)) { /* the device has said how long a picture's span is */
        request.span = shim_piece_span(&memory->piece, 0, (uint32_t)buffer->layout.total);
        request.flags = file->key_frame_wanted || buffer->flags & V4L2_BUF_FLAG_KEYFRAME ? PARACORE_INPUT_FLAG_KEY : 0;
        file->key_frame_wanted = false;
    }
    return post(file, PARACORE_OP_VIDEO_QUEUE_INPUT, &request, sizeof request);
}

static int post_output(struct v4l2_file *file, struct memory *memory, uint64_t length, uint32_t cookie)
{
    struct paracore_video_queue_output request = {
        .span = shim_piece_span(&memory->piece, 0, (uint32_t)length), .cookie = cookie};

    return post(file, PARACORE_OP_VIDEO_QUEUE_OUTPUT, &request, sizeof request);
}

int stream_lend(struct v4l2_file *file, struct memory *memory, uint64_t length, uint32_t cookie)
{
    return file->stream ? post_output(file, memory, length, cookie) : -EIO;
}

static uint32_t lent_count(const struct queue *queue)
{
    uint32_t count = 0;

    for (uint32_t n = 0; n < queue->count; n++)
        count += queue->buffers[n].lent;
    return count;
}

/* Pages for the spool, once. A domain whose limit has no room for them does without. */
static bool has_spool(struct v4l2_file *file)
{
    if (!file->spool_memory && !file->spoolless)
        file->spoolless = memory_create(file->node.link, SPOOL_SIZE, PARACORE_BUFFER_FLAG_READ_ONLY, 1, &file->spool_memory) < 0;
    return file->spool_memory;
}

/* Whether a unit is to go by the spool: as long as no buffer is with the device, so that they come back in order. */
static bool is_for_spool(struct v4l2_file *file, const struct buffer *buffer)
{
    uint32_t length = buffer->used[0] - buffer->data_offset[0];

    return is_decoder(file) && length && length <= SPOOL_UNIT_MAX && lent_count(&file->queues[OUTPUT_QUEUE]) == 0 &&
           has_spool(file);
}

/* The program has the buffer back, the device the unit. False when there is no room. */
static bool spool(struct v4l2_file *file, struct buffer *buffer, int *error)
{
    uint32_t length = buffer->used[0] - buffer->data_offset[0], cookie = file_cookie(file), begin;

    if (!spool_take(&file->spool, length, cookie, &begin))
        return false;
    memcpy((char *)file->spool_memory->piece.address + begin,
           (const char *)buffer->memory->piece.address + buffer->data_offset[0], length);
    TAILQ_REMOVE(&file->queues[OUTPUT_QUEUE].waiting, buffer, entry);
    *error = post_input(file, buffer, file->spool_memory, begin, cookie);
    buffer_done(file, OUTPUT_QUEUE, buffer);
    return true;
}

static int lend_input(struct v4l2_file *file, struct buffer *buffer)
{
    TAILQ_REMOVE(&file->queues[OUTPUT_QUEUE].waiting, buffer, entry);
    buffer->lent = true;
    buffer->cookie = file_cookie(file);
    return post_input(file, buffer, buffer->memory, buffer->data_offset[0], buffer->cookie);
}

/* With `all` nothing is kept back until the spool has room: a drain is to come behind it. */
static int feed_output(struct v4l2_file *file, bool all)
{
    struct queue *queue = &file->queues[OUTPUT_QUEUE];
    struct buffer *buffer;
    int error = 0;

    if (!queue->streaming || file->drain != RUNNING || TAILQ_EMPTY(&queue->waiting) || file->stream->begins)
        return 0;
    if (!is_decoder(file) && !file->stream->begun)
        error = begin(file);
    while (error == 0 && (buffer = TAILQ_FIRST(&queue->waiting))) {
        bool by_spool = is_for_spool(file, buffer);
        if (by_spool && spool(file, buffer, &error))
            continue;
        if (by_spool && !all)
            break;
        error = lend_input(file, buffer);
    }
    return error;
}

int stream_drain(struct v4l2_file *file)
{
    int error = file->stream ? feed_output(file, true) : -EIO;

    if (error == 0)
        error = shim_session_post(file->stream->session, PARACORE_OP_VIDEO_DRAIN, NULL, 0);
    if (error == 0) {
        file->drain = DRAINING;
        file->draining = true;
    }
    return error ? -EIO : 0;
}

/* Whether a picture may come in memory that is in no queue of the program's: in foreign memory, or in a buffer that
 * STREAMOFF took from under the backend. */
static bool some_outside(const struct v4l2_file *file)
{
    const struct queue *queue = &file->queues[CAPTURE_QUEUE];
    uint32_t outside = file->foreign_count;

    for (uint32_t n = 0; n < queue->count; n++)
        outside += queue->buffers[n].lent && queue->buffers[n].state != QUEUED;
    return outside;
}

/* One buffer is kept back meanwhile: such a picture is copied there. */
static bool may_lend(const struct v4l2_file *file)
{
    const struct buffer *first = TAILQ_FIRST(&file->queues[CAPTURE_QUEUE].waiting);

    return first && TAILQ_EMPTY(&file->held) && (TAILQ_NEXT(first, entry) || !some_outside(file));
}

static int feed_capture(struct v4l2_file *file)
{
    struct queue *queue = &file->queues[CAPTURE_QUEUE];
    int error = 0;

    if (!queue->streaming || file->stale || (is_decoder(file) && !file->source_known))
        return 0;
    pictures_deliver(file);
    while (error == 0 && may_lend(file)) {
        struct buffer *buffer = TAILQ_FIRST(&queue->waiting);
        TAILQ_REMOVE(&queue->waiting, buffer, entry);
        buffer->lent = true;
        buffer->generation = file->generation;
        buffer->cookie = file_cookie(file);
        error = post_output(file, buffer->memory, buffer->layout.total, buffer->cookie);
    }
    return error;
}

/* Of a codec's buffers up to buffers_min are references or wait for their turn to be shown. What it has not been shown it
 * does not have: it would wait for that, and nobody would know. */
static bool runs_low(const struct v4l2_file *file)
{
    const struct queue *output = &file->queues[OUTPUT_QUEUE], *capture = &file->queues[CAPTURE_QUEUE];

    return !is_decoder(file) || !file->source_known ||
           lent_count(output) + file->spool.count <= FEW_UNITS + file->unseen ||
           lent_count(capture) < file->buffers_min + file->unseen;
}

void stream_publish(struct v4l2_file *file)
{
    if (file->unseen && file->stream && shim_session_publish(file->stream->session) != 0)
        file->broken = true;
    file->unseen = 0;
}

void stream_feed(struct v4l2_file *file)
{
    if (!file->stream || file->broken || file->gone)
        return;
    stream_give_last(file);
    if (feed_capture(file) != 0 || feed_output(file, false) != 0)
        file->broken = true;
    if (file->unseen >= UNSEEN_MAX || runs_low(file))
        stream_publish(file);
}

void stream_give_last(struct v4l2_file *file)
{
    struct queue *queue = &file->queues[CAPTURE_QUEUE];
    struct buffer *buffer = TAILQ_FIRST(&queue->waiting);
    bool *owed = file->end_owed ? &file->end_owed : &file->last_owed;

    if (!*owed || !queue->streaming || !buffer || (!file->end_owed && !TAILQ_EMPTY(&file->held)))
        return;
    TAILQ_REMOVE(&queue->waiting, buffer, entry);
    *owed = false;
    picture_empty(file, buffer);
}
