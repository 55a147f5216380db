/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the backend puts into CAPTURE buffers, and pictures that come when there is none for them.
 *
 * Theory of operation. When a stream changes its resolution, the program first takes all old pictures and only then
 * makes buffers for the new ones (dev-decoder.rst, Dynamic Resolution Change), but a codec may want memory for the
 * first new picture before it gives out the last old one. It gets some that the program does not see (`foreign`);
 * the pictures that come in it are held, in order, and copied into the program's buffers as soon as it has some:
 * a few at each change, and none otherwise. The same is done with pictures that come in buffers which the
 * program has freed or stopped meanwhile.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- marks -------------------------------------------------------------------------------------------------------- */

static uint32_t flags_of(const struct paracore_video_output_ready *ready)
{
    static const uint32_t TYPES[] = {
        [PARACORE_PICTURE_TYPE_PREDICTED] = V4L2_BUF_FLAG_PFRAME,
        [PARACORE_PICTURE_TYPE_BIDIRECTIONAL] = V4L2_BUF_FLAG_BFRAME,
        [PARACORE_PICTURE_TYPE_INTRA] = 0,
    };
    uint32_t flags = ready->picture_type < sizeof TYPES / sizeof *TYPES ? TYPES[ready->picture_type] : 0;

    if (ready->flags & PARACORE_OUTPUT_FLAG_KEY)
        flags = V4L2_BUF_FLAG_KEYFRAME;
    if (ready->flags & PARACORE_OUTPUT_FLAG_ERROR)
        flags |= V4L2_BUF_FLAG_ERROR;
    if (ready->flags & PARACORE_OUTPUT_FLAG_LAST)
        flags |= V4L2_BUF_FLAG_LAST;
    return flags;
}

/* The end of a drain, or of the pictures of one format. */
static void last_came(struct v4l2_file *file)
{
    if (file->drain != DRAINING)
        return;
    file->drain = DRAINED;
    file->last_owed = false;
    event_eos(file);
}

static void recall_marks(const struct v4l2_file *file, struct buffer *buffer)
{
    uint32_t count = file->mark_count < MARKS_MAX ? file->mark_count : MARKS_MAX;

    for (uint32_t n = 0; n < count; n++)
        if (file->marks[n].timestamp == buffer->timestamp) {
            buffer->flags |= file->marks[n].flags;
            buffer->timecode = file->marks[n].timecode;
            return;
        }
}

/* SAFETY: the backend says how long a unit is; a program that believed more than its buffer has would read beyond. */
static uint32_t unit_size(const struct buffer *buffer, const struct paracore_video_output_ready *ready)
{
    return ready->bytes_used < buffer->layout.size[0] ? ready->bytes_used : buffer->layout.size[0];
}

static void finish(struct v4l2_file *file, struct buffer *buffer, const struct paracore_video_output_ready *ready)
{
    bool empty = ready->flags & PARACORE_OUTPUT_FLAG_EMPTY;

    buffer->flags = flags_of(ready);
    buffer->timestamp = (uint64_t)ready->timestamp;
    buffer->field = V4L2_FIELD_NONE;
    recall_marks(file, buffer);
    for (uint32_t n = 0; n < buffer->layout.planes; n++) {
        uint32_t octets = is_decoder(file) ? buffer->layout.size[n] : unit_size(buffer, ready);
        buffer->used[n] = empty ? 0 : octets;
        buffer->data_offset[n] = 0;
    }
    if (ready->flags & PARACORE_OUTPUT_FLAG_LAST)
        last_came(file);
    buffer_done(file, CAPTURE_QUEUE, buffer);
}

void picture_empty(struct v4l2_file *file, struct buffer *buffer)
{
    struct paracore_video_output_ready nothing = {.flags = PARACORE_OUTPUT_FLAG_LAST | PARACORE_OUTPUT_FLAG_EMPTY};

    finish(file, buffer, &nothing);
}

/* --- held --------------------------------------------------------------------------------------------------------- */

/* `memory` is a reference that goes with it.
 * SAFETY: the backend says which format a picture has. One that does not fit into its memory is no picture. */
static void hold(struct v4l2_file *file, struct memory *memory, const struct side *side,
                 const struct paracore_video_output_ready *ready)
{
    struct held *held = side->layout.total <= memory->piece.length ? calloc(1, sizeof *held) : NULL;

    if (!held) {
        memory_put(memory);
        file->broken = true;
        return;
    }
    *held = (struct held){.memory = memory, .side = *side, .ready = *ready};
    TAILQ_INSERT_TAIL(&file->held, held, entry);
}

static void drop(struct v4l2_file *file, struct held *held)
{
    TAILQ_REMOVE(&file->held, held, entry);
    memory_put(held->memory);
    free(held);
}

void pictures_drop_held(struct v4l2_file *file)
{
    while (!TAILQ_EMPTY(&file->held))
        drop(file, TAILQ_FIRST(&file->held));
}

static void copy_plane(const struct held *held, struct buffer *buffer, const struct raw_format *raw, uint32_t plane)
{
    const char *from = (const char *)held->memory->piece.address + held->side.layout.offset[plane];
    char *to = (char *)buffer->memory->piece.address + buffer->layout.offset[plane];
    uint32_t down = plane ? raw->down : 0, across = plane ? raw->across : 0, octets = plane ? raw->chroma_octets : 1;
    uint32_t rows = (held->side.height + (1u << down) - 1) >> down;
    size_t width = (size_t)((held->side.width + (1u << across) - 1) >> across) * octets;

    for (uint32_t row = 0; row < rows; row++)
        memmove(to + (size_t)row * buffer->layout.stride[plane], from + (size_t)row * held->side.layout.stride[plane],
                width);
}

static void copy_picture(const struct held *held, struct buffer *buffer)
{
    const struct raw_format *raw = raw_format_of_fourcc(held->side.fourcc);

    if (held->ready.flags & PARACORE_OUTPUT_FLAG_EMPTY)
        return;
    for (uint32_t n = 0; n < raw->components; n++)
        copy_plane(held, buffer, raw, n);
}

/* Only a picture of the size that the program's buffers are made for fits into them. */
static bool fits(const struct held *held, const struct side *side)
{
    if (held->ready.flags & PARACORE_OUTPUT_FLAG_EMPTY)
        return true; /* a mark of the end has no size */
    return side_is_same(&held->side, side);
}

void pictures_deliver(struct v4l2_file *file)
{
    struct queue *queue = &file->queues[CAPTURE_QUEUE];
    struct held *held;
    struct buffer *buffer;

    while ((held = TAILQ_FIRST(&file->held)) && (buffer = TAILQ_FIRST(&queue->waiting))) {
        if (fits(held, &file->sides[CAPTURE_QUEUE])) {
            TAILQ_REMOVE(&queue->waiting, buffer, entry);
            copy_picture(held, buffer);
            finish(file, buffer, &held->ready);
        }
        drop(file, held);
    }
}

/* --- foreign memory ------------------------------------------------------------------------------------------------- */

static bool add_foreign(struct v4l2_file *file, struct memory *memory, uint32_t cookie)
{
    struct foreign *foreign = calloc(1, sizeof *foreign);

    if (!foreign)
        return false;
    *foreign = (struct foreign){.memory = memory, .cookie = cookie};
    LIST_INSERT_HEAD(&file->foreign, foreign, entry);
    file->foreign_count++;
    return true;
}

void picture_disown(struct v4l2_file *file, struct buffer *buffer)
{
    if (buffer->memory && add_foreign(file, buffer->memory, buffer->cookie))
        memory_keep(buffer->memory);
    buffer->lent = false;
}

void pictures_lend_hidden(struct v4l2_file *file)
{
    uint64_t length = file->sides[CAPTURE_QUEUE].layout.total;
    struct memory *memory;

    for (uint32_t n = 0; n < file->buffers_min; n++) {
        if (memory_create(file->node.link, length, 0, 1, &memory) < 0)
            return; /* the codec waits for the program, then */
        uint32_t cookie = file_cookie(file);
        if (!add_foreign(file, memory, cookie)) {
            memory_put(memory);
            return;
        }
        stream_lend(file, memory, length, cookie);
    }
}

static struct memory *take_foreign(struct v4l2_file *file, uint32_t cookie)
{
    struct foreign *foreign;
    struct memory *memory = NULL;

    LIST_FOREACH(foreign, &file->foreign, entry)
        if (foreign->cookie == cookie)
            break;
    if (foreign) {
        memory = foreign->memory;
        LIST_REMOVE(foreign, entry);
        file->foreign_count--;
        free(foreign);
    }
    return memory;
}

void pictures_drop_foreign(struct v4l2_file *file)
{
    while (!LIST_EMPTY(&file->foreign))
        memory_put(take_foreign(file, LIST_FIRST(&file->foreign)->cookie));
}

/* --- pictures ------------------------------------------------------------------------------------------------------- */

/* A picture of the new format in an old buffer that is large enough for it, or one in a buffer that was taken back:
 * kept in memory of its own, for the buffer may soon hold something else. */
static void hold_copy(struct v4l2_file *file, struct buffer *buffer, const struct paracore_video_output_ready *ready)
{
    uint64_t length = buffer->memory->piece.length;
    struct memory *copy;

    if (buffer->state == QUEUED)
        TAILQ_INSERT_TAIL(&file->queues[CAPTURE_QUEUE].waiting, buffer, entry);
    if (memory_create_plain(length, &copy) != 0) {
        file->broken = true;
        return;
    }
    memcpy(copy->piece.address, buffer->memory->piece.address, length);
    hold(file, copy, &file->sides[CAPTURE_QUEUE], ready);
}

/* While the buffers are of an older format, only its pictures are for them. */
static bool is_for(const struct v4l2_file *file, const struct buffer *buffer,
                   const struct paracore_video_output_ready *ready)
{
    return buffer->state == QUEUED && TAILQ_EMPTY(&file->held) &&
           !(file->stale && ready->generation != buffer->generation);
}

static void returned(struct v4l2_file *file, struct buffer *buffer, const struct paracore_video_output_ready *ready)
{
    bool too_small = !is_decoder(file) && ready->bytes_used > buffer->layout.total;

    if (buffer->state == QUEUED)
        TAILQ_INSERT_HEAD(&file->queues[CAPTURE_QUEUE].waiting, buffer, entry);
    file->broken |= too_small; /* an encoder's unit that no buffer of this queue will ever hold */
}

/* Neither a picture nor an end; or an encoder's unit of no octets, which would be the end of the stream to a program. */
static bool is_nothing(const struct v4l2_file *file, const struct paracore_video_output_ready *ready)
{
    if (ready->flags & PARACORE_OUTPUT_FLAG_LAST)
        return false;
    return ready->flags & PARACORE_OUTPUT_FLAG_EMPTY || (!is_decoder(file) && ready->bytes_used == 0);
}

static void picture_elsewhere(struct v4l2_file *file, const struct paracore_video_output_ready *ready)
{
    struct memory *memory = take_foreign(file, ready->cookie);

    if (!memory)
        return; /* of a session, or a life, that is over */
    if (ready->flags & PARACORE_OUTPUT_FLAG_CANCELLED || is_nothing(file, ready))
        memory_put(memory);
    else
        hold(file, memory, &file->sides[CAPTURE_QUEUE], ready);
}

/* Of the drain that was asked for, or of the pictures before a change that the program was told of. */
static bool end_is_due(const struct v4l2_file *file, const struct paracore_video_output_ready *ready)
{
    bool older = ready->generation > 0 && ready->generation < file->generation;

    if (!is_decoder(file))
        return file->drain == DRAINING;
    return older ? file->unanswered > 0 : file->draining;
}

/* SAFETY: the backend says which unit is the last. A program that was told so unasked would wait for ever: for the inputs
 * that it has queued, or as GStreamer's decoder for an end of its stream that is none. Nor does what was the end before
 * a flush end what comes behind it. A format may end before the next one is known: its end is told then. */
static void end_if_due(struct v4l2_file *file, struct paracore_video_output_ready *ready)
{
    bool last = ready->flags & PARACORE_OUTPUT_FLAG_LAST;

    if (ready->flags & PARACORE_OUTPUT_FLAG_CANCELLED || (last && !file->flushing && end_is_due(file, ready)))
        return;
    ready->flags &= ~(uint32_t)PARACORE_OUTPUT_FLAG_LAST;
    if (!file->flushing)
        file->ended = last ? ready->generation : 0;
}

void picture_ready(struct v4l2_file *file, struct buffer *buffer, const struct paracore_video_output_ready *said)
{
    struct paracore_video_output_ready ready = *said;

    end_if_due(file, &ready);
    if (!buffer) {
        picture_elsewhere(file, &ready);
        return;
    }
    buffer->lent = false;
    if (ready.flags & PARACORE_OUTPUT_FLAG_CANCELLED || is_nothing(file, &ready))
        returned(file, buffer, &ready);
    else if (is_for(file, buffer, &ready))
        finish(file, buffer, &ready);
    else
        hold_copy(file, buffer, &ready);
}
