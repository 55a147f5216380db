/* SPDX-License-Identifier: Apache-2.0 */
/* Queues: buffers of granted pages, and where each is between the program and the backend. */
#include "internal.h"

#include <errno.h>
#include <string.h>

#include "user.h"

/* --- allocation ----------------------------------------------------------------------------------------------- */

/* The backend only reads what it is given, unless its device insists on pages it could write to. */
static uint32_t grant_flags(const struct v4l2_file *file, unsigned queue)
{
    const struct paracore_video_capability_query_reply *capability = file_capability(file);
    bool insists = capability && capability->flags & PARACORE_CAPABILITY_FLAG_WRITABLE_INPUT;

    return queue == OUTPUT_QUEUE && (is_decoder(file) || !insists) ? PARACORE_BUFFER_FLAG_READ_ONLY : 0;
}

static bool larger(const struct layout *layout, const uint32_t *sizes)
{
    bool any = false;

    for (uint32_t n = 0; sizes && n < layout->planes; n++)
        any |= sizes[n] > layout->size[n];
    return any;
}

/* A device lays a picture's planes out one behind the other, with no room for more between them. A program that
 * wants more all the same (VIDIOC_CREATE_BUFS) gets pages apart from those, and a copy per picture. */
static int allocate_apart(struct buffer *buffer, const uint32_t *sizes)
{
    uint64_t offset = 0;

    for (uint32_t n = 0; n < buffer->layout.planes; n++) {
        buffer->user_length[n] = (sizes[n] + PARACORE_PAGE_SIZE - 1) & ~(PARACORE_PAGE_SIZE - 1);
        offset += buffer->user_length[n];
    }
    int error = memory_create_plain(offset, &buffer->apart);
    offset = error ? 0 : (uintptr_t)buffer->apart->piece.address;
    for (uint32_t n = 0; n < buffer->layout.planes; n++) {
        buffer->user[n] = offset;
        offset += buffer->user_length[n];
    }
    return error;
}

static struct layout layout_for(const struct v4l2_file *file, unsigned queue, const uint32_t *sizes)
{
    struct layout layout = file->sides[queue].layout;

    if (larger(&layout, sizes) && queue == coded_queue(file))
        layout.total = layout.size[0] = sizes[0];
    return layout;
}

/* Takes over the memory. */
static int make(struct v4l2_file *file, unsigned queue, uint32_t index, const uint32_t *sizes, struct memory *memory)
{
    struct buffer *buffer = &file->queues[queue].buffers[index];
    struct layout layout = layout_for(file, queue, sizes);
    int error = 0;

    *buffer = (struct buffer){.index = index, .field = V4L2_FIELD_NONE, .layout = layout};
    memcpy(buffer->user_length, layout.size, sizeof layout.size); /* until the program says where its pages are */
    if (queue == raw_queue(file) && larger(&layout, sizes))
        error = allocate_apart(buffer, sizes);
    if (error)
        memory_put(memory);
    else
        buffer->memory = memory;
    return error;
}

/* As many as can be had, up to `end`. Returns the index after the last, and why it is not `end`. */
static uint32_t fill(struct v4l2_file *file, unsigned queue, uint32_t index, uint32_t end, const uint32_t *sizes,
                     int *error)
{
    struct memory *memories[BUFFERS_MAX];
    uint64_t length = layout_for(file, queue, sizes).total;

    while (*error == 0 && index < end) {
        int made = memory_create(file->node.link, length, grant_flags(file, queue), end - index, memories);
        *error = made < 0 ? made : 0;
        for (int n = 0; n < made; n++)
            if (*error)
                memory_put(memories[n]);
            else if ((*error = make(file, queue, index, sizes, memories[n])) == 0)
                index++;
    }
    return index;
}

uint32_t queue_buffers(const struct queue *queue)
{
    uint32_t there = 0;

    for (uint32_t n = 0; n < queue->count; n++)
        there += queue->buffers[n].memory != NULL;
    return there;
}

static bool has_gap(const struct queue *queue, uint32_t first, uint32_t count)
{
    bool none = true;

    for (uint32_t n = first; n < first + count; n++)
        none &= !queue->buffers[n].memory;
    return none;
}

/* The first of so many numbers in a row that no buffer has, or of as many as there are: videobuf2-core.c. */
static uint32_t find_gap(const struct queue *queue, uint32_t *count)
{
    for (*count = *count < BUFFERS_MAX ? *count : BUFFERS_MAX; *count; --*count)
        for (uint32_t first = 0; first + *count <= BUFFERS_MAX; first++)
            if (has_gap(queue, first, *count))
                return first;
    return BUFFERS_MAX;
}

int queue_extend(struct v4l2_file *file, unsigned number, uint32_t memory, const uint32_t *sizes, uint32_t *first,
                 uint32_t *count)
{
    struct queue *queue = &file->queues[number];
    int error = (*first = find_gap(queue, count)) == BUFFERS_MAX ? -ENOBUFS : 0;
    uint32_t index = fill(file, number, *first, *first + *count, sizes, &error);

    *count = index - *first;
    if (*count)
        queue->memory = memory;
    if (queue->count < index && *count)
        queue->count = index;
    return *count ? 0 : error; /* some are better than none, as videobuf2 has it */
}

int queue_allocate(struct v4l2_file *file, unsigned number, uint32_t memory, uint32_t *count)
{
    int error = side_settle(file, number);
    uint32_t first;

    uint32_t least = number == raw_queue(file) ? file->buffers_min : 0;

    if (*count < least)
        *count = least;
    if (error == 0)
        error = queue_extend(file, number, memory, NULL, &first, count);
    if (error || *count >= least || !is_decoder(file))
        return error;
    queue_free(file, number); /* a program with fewer would wait for ever: videobuf2-core.c */
    return -ENOMEM;
}

static void forget(struct v4l2_file *file, struct buffer *buffer)
{
    if (buffer->lent && file->stream)
        picture_disown(file, buffer);
    if (buffer->memory)
        memory_put(buffer->memory);
    if (buffer->apart)
        memory_put(buffer->apart);
    *buffer = (struct buffer){.index = buffer->index};
}

static bool unused(const struct queue *queue)
{
    return queue->count == 0 && !queue->streaming;
}

static void close_unused(struct v4l2_file *file)
{
    if (unused(&file->queues[OUTPUT_QUEUE]) && unused(&file->queues[CAPTURE_QUEUE]))
        stream_close(file);
}

/* vidioc-remove-bufs.rst: all or none. */
static int may_remove(const struct queue *queue, uint32_t first, uint32_t count)
{
    for (uint32_t n = first; n < first + count; n++) {
        const struct buffer *buffer = &queue->buffers[n];
        if (!buffer->memory)
            return -EINVAL;
        if (buffer->state == QUEUED || buffer->state == DONE)
            return -EBUSY;
    }
    return 0;
}

int queue_remove(struct v4l2_file *file, unsigned number, uint32_t first, uint32_t count)
{
    struct queue *queue = &file->queues[number];
    int error = may_remove(queue, first, count);

    if (error)
        return error;
    for (uint32_t n = first; n < first + count; n++)
        forget(file, &queue->buffers[n]);
    while (queue->count && !queue->buffers[queue->count - 1].memory)
        queue->count--;
    if (queue->count == 0)
        queue->memory = 0;
    close_unused(file);
    return 0;
}

int queue_free(struct v4l2_file *file, unsigned number)
{
    struct queue *queue = &file->queues[number];

    for (uint32_t n = 0; n < queue->count; n++)
        forget(file, &queue->buffers[n]);
    TAILQ_INIT(&queue->waiting);
    TAILQ_INIT(&queue->done);
    queue->count = queue->queued = queue->memory = 0;
    close_unused(file);
    return 0;
}

/* --- pages of the program's own ------------------------------------------------------------------------------- */

/* They are not granted: what is in them is copied into pages that are. */
int buffer_copy_in(struct buffer *buffer)
{
    int error = 0;

    for (uint32_t n = 0; error == 0 && n < buffer->layout.planes; n++)
        error = user_read((char *)buffer->memory->piece.address + buffer->layout.offset[n], buffer->user[n],
                          buffer->used[n]);
    return error;
}

static int copy_out(struct buffer *buffer)
{
    int error = 0;

    for (uint32_t n = 0; error == 0 && n < buffer->layout.planes; n++)
        error = user_write(buffer->user[n], (char *)buffer->memory->piece.address + buffer->layout.offset[n],
                           buffer->used[n]);
    return error;
}

/* --- queueing ------------------------------------------------------------------------------------------------- */

void buffer_queue(struct v4l2_file *file, unsigned number, struct buffer *buffer)
{
    struct queue *queue = &file->queues[number];

    buffer->state = QUEUED;
    queue->queued++;
    if (!buffer->lent) /* else STREAMOFF took it from under the backend, which has it still */
        TAILQ_INSERT_TAIL(&queue->waiting, buffer, entry);
}

void buffer_done(struct v4l2_file *file, unsigned number, struct buffer *buffer)
{
    struct queue *queue = &file->queues[number];

    buffer->state = DONE;
    buffer->sequence = queue->sequence++;
    queue->queued--;
    TAILQ_INSERT_TAIL(&queue->done, buffer, entry);
}

int buffer_take_back(struct v4l2_file *file, unsigned number, struct buffer *buffer)
{
    struct queue *queue = &file->queues[number];

    TAILQ_REMOVE(&queue->done, buffer, entry);
    buffer->state = DEQUEUED;
    if (number == CAPTURE_QUEUE && buffer->flags & V4L2_BUF_FLAG_LAST)
        file->last_taken = true;
    return number == CAPTURE_QUEUE && buffer_is_copied(queue, buffer) ? copy_out(buffer) : 0;
}

/* --- streaming ------------------------------------------------------------------------------------------------ */

int queue_start(struct v4l2_file *file, unsigned number)
{
    struct queue *queue = &file->queues[number];

    if (file->gone || file->broken)
        return -EIO;
    if (queue->streaming)
        return 0;
    if (queue->count == 0)
        return -EINVAL;
    int error = number == OUTPUT_QUEUE ? stream_open(file) : 0;
    file->broken = error == -EIO; /* and poll() says so: who goes on all the same would be told that nothing streams */
    if (error)
        return error;
    queue->streaming = true;
    queue->sequence = 0;
    if (number == OUTPUT_QUEUE)
        file->source_awaited = false;
    if (number == CAPTURE_QUEUE) {
        file->last_taken = false;
        file->unanswered = 0;
        capture_settle(file);
    }
    stream_feed(file);
    return 0;
}

static void take_all_back(struct queue *queue)
{
    TAILQ_INIT(&queue->waiting);
    TAILQ_INIT(&queue->done);
    queue->queued = 0;
    for (uint32_t n = 0; n < queue->count; n++) {
        queue->buffers[n].state = DEQUEUED;
        queue->buffers[n].flags &= ~(uint32_t)V4L2_BUF_FLAG_LAST;
    }
}

/* A device that failed is tried again once both queues have been stopped: dev-decoder.rst, Initialization. */
static void forgive(struct v4l2_file *file)
{
    if (!file->broken || file->queues[OUTPUT_QUEUE].streaming || file->queues[CAPTURE_QUEUE].streaming)
        return;
    stream_close(file);
    file->broken = file->failure_told = false;
}

int queue_stop(struct v4l2_file *file, unsigned number)
{
    struct queue *queue = &file->queues[number];
    bool was = queue->streaming;
    int error = 0;

    queue->streaming = false;
    take_all_back(queue);
    file->drain = RUNNING;
    file->last_owed = file->end_owed = false;
    if (number == CAPTURE_QUEUE) {
        file->last_taken = false;
        if (was)
            stream_recall(file);
    } else if (was && !file->broken && !file->gone)
        error = stream_flush(file);
    forgive(file);
    if (was)
        close_unused(file);
    return file->gone ? 0 : error;
}

/* --- what the CAPTURE buffers are good for ---------------------------------------------------------------------- */

static bool same_layout(const struct layout *one, const struct layout *other)
{
    return one->planes == other->planes && one->total == other->total &&
           !memcmp(one->offset, other->offset, sizeof one->offset) &&
           !memcmp(one->stride, other->stride, sizeof one->stride);
}

/* Whether the CAPTURE buffers have become, or still are, such as the stream's pictures need. */
void capture_settle(struct v4l2_file *file)
{
    struct queue *queue = &file->queues[CAPTURE_QUEUE];

    file->stale = false;
    if (!is_decoder(file) || !file->source_known)
        return;
    file->stale = queue_buffers(queue) < file->buffers_min && queue_buffers(queue) < BUFFERS_MAX;
    for (uint32_t n = 0; n < queue->count; n++)
        file->stale |= queue->buffers[n].memory &&
                       !same_layout(&queue->buffers[n].layout, &file->sides[CAPTURE_QUEUE].layout);
}
