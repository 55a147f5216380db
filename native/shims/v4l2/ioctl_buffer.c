/* SPDX-License-Identifier: Apache-2.0 */
/* Buffers as a multi-planar program sees them: struct v4l2_buffer in and out, by the rules of videobuf2-v4l2.c. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#include "newer.h"

/* Flags that are the kernel's to set (videobuf2-v4l2.c, V4L2_BUFFER_MASK_FLAGS and V4L2_BUFFER_OUT_FLAGS). */
#define STATE_FLAGS                                                                                                    \
    (V4L2_BUF_FLAG_MAPPED | V4L2_BUF_FLAG_QUEUED | V4L2_BUF_FLAG_DONE | V4L2_BUF_FLAG_ERROR | V4L2_BUF_FLAG_PREPARED | \
     V4L2_BUF_FLAG_IN_REQUEST | V4L2_BUF_FLAG_REQUEST_FD | V4L2_BUF_FLAG_TIMESTAMP_MASK)
#define UNSERVED_FLAGS                                                                                                 \
    (V4L2_BUF_FLAG_M2M_HOLD_CAPTURE_BUF | V4L2_BUF_FLAG_NO_CACHE_INVALIDATE | V4L2_BUF_FLAG_NO_CACHE_CLEAN)
#define PICTURE_FLAGS (V4L2_BUF_FLAG_KEYFRAME | V4L2_BUF_FLAG_PFRAME | V4L2_BUF_FLAG_BFRAME)

#define NS_PER_S UINT64_C(1000000000)

/* --- finding -------------------------------------------------------------------------------------------------- */

/* The queue that a buffer is said to belong to, and the buffer. Returns the queue's number or -EINVAL. */
static int find(struct v4l2_file *file, const struct v4l2_buffer *given, struct buffer **buffer)
{
    int queue = queue_of_type(file, given->type);

    if (queue < 0 || given->index >= BUFFERS_MAX)
        return -EINVAL;
    *buffer = &file->queues[queue].buffers[given->index];
    return (*buffer)->memory ? queue : -EINVAL;
}

static uint64_t mapping_offset(unsigned queue, uint32_t index, uint32_t plane)
{
    return (uint64_t)((queue * BUFFERS_MAX + index) * PARACORE_PLANE_MAX + plane) * PARACORE_PAGE_SIZE;
}

/* --- out ------------------------------------------------------------------------------------------------------ */

static uint32_t state_flags(const struct buffer *buffer)
{
    const struct memory *memory = buffer->apart ? buffer->apart : buffer->memory;
    uint32_t mapped = __atomic_load_n(&memory->mappings, __ATOMIC_RELAXED) ? V4L2_BUF_FLAG_MAPPED : 0;

    switch (buffer->state) {
    case QUEUED:
        return mapped | V4L2_BUF_FLAG_QUEUED;
    case DONE:
        return mapped | V4L2_BUF_FLAG_DONE;
    case PREPARED:
        return mapped | V4L2_BUF_FLAG_PREPARED;
    default:
        return mapped;
    }
}

static void show_planes(const struct v4l2_file *file, unsigned queue, const struct buffer *buffer, plane_array planes)
{
    bool filled = queue == OUTPUT_QUEUE || buffer->state == DONE;

    for (uint32_t n = 0; n < buffer->layout.planes; n++) {
        planes[n] = (struct v4l2_plane){.length = buffer->user_length[n],
                                        .bytesused = filled ? buffer->used[n] : 0,
                                        .data_offset = filled ? buffer->data_offset[n] : 0};
        if (file->queues[queue].memory == V4L2_MEMORY_USERPTR)
            planes[n].m.userptr = (unsigned long)buffer->user[n];
        else
            planes[n].m.mem_offset = (uint32_t)mapping_offset(queue, buffer->index, n);
    }
}

static void show(const struct v4l2_file *file, unsigned queue, const struct buffer *buffer,
                 struct buffer_argument *argument)
{
    struct v4l2_buffer *out = &argument->v4l2;

    out->index = buffer->index;
    out->type = type_of_queue(file, queue);
    out->bytesused = 0;
    out->flags = buffer->flags | state_flags(buffer) | V4L2_BUF_FLAG_TIMESTAMP_COPY;
    out->field = buffer->field;
    out->timestamp.tv_sec = (time_t)(buffer->timestamp / NS_PER_S);
    out->timestamp.tv_usec = (suseconds_t)(buffer->timestamp % NS_PER_S / 1000);
    out->timecode = buffer->timecode;
    out->sequence = buffer->sequence;
    out->memory = file->queues[queue].memory;
    out->length = buffer->layout.planes;
    out->reserved2 = 0;
    out->request_fd = 0;
    show_planes(file, queue, buffer, argument->planes);
}

int ioctl_querybuf(struct v4l2_file *file, int fd, void *argument)
{
    struct buffer_argument *given = argument;
    struct buffer *buffer;
    int queue = find(file, &given->v4l2, &buffer);

    (void)fd;
    if (queue < 0)
        return queue;
    if (given->plane_count < buffer->layout.planes)
        return -EINVAL;
    show(file, (unsigned)queue, buffer, given);
    return 0;
}

/* --- in ------------------------------------------------------------------------------------------------------- */

static int take_sizes(unsigned queue, struct buffer *buffer, const plane_array planes)
{
    for (uint32_t n = 0; n < buffer->layout.planes; n++) {
        uint32_t length = buffer->layout.size[n], used = planes[n].bytesused ? planes[n].bytesused : length;
        bool offset_wrong = planes[n].data_offset > 0 && planes[n].data_offset >= used;
        if (queue == OUTPUT_QUEUE && (used > length || offset_wrong))
            return -EINVAL;
        buffer->used[n] = queue == OUTPUT_QUEUE ? used : 0;
        buffer->data_offset[n] = queue == OUTPUT_QUEUE ? planes[n].data_offset : 0;
    }
    return 0;
}

static int take_user_pages(struct buffer *buffer, const plane_array planes)
{
    for (uint32_t n = 0; n < buffer->layout.planes; n++) {
        if (planes[n].length < buffer->layout.size[n])
            return -EINVAL;
        buffer->user[n] = planes[n].m.userptr;
        buffer->user_length[n] = planes[n].length;
    }
    return 0;
}

static void take_marks(unsigned queue, struct buffer *buffer, const struct v4l2_buffer *given)
{
    buffer->flags = given->flags & ~(uint32_t)(STATE_FLAGS | UNSERVED_FLAGS | V4L2_BUF_FLAG_LAST);
    if (queue == CAPTURE_QUEUE) {
        buffer->flags &= ~(uint32_t)(PICTURE_FLAGS | V4L2_BUF_FLAG_TIMECODE);
        return;
    }
    buffer->field = given->field == V4L2_FIELD_ANY ? V4L2_FIELD_NONE : given->field;
}

/* videobuf2-core.c takes it when the buffer is queued, not when it is prepared. */
static void take_time(unsigned queue, struct buffer *buffer, const struct v4l2_buffer *given)
{
    if (queue == CAPTURE_QUEUE)
        return;
    buffer->timestamp = (uint64_t)given->timestamp.tv_sec * NS_PER_S + (uint64_t)given->timestamp.tv_usec * 1000;
    buffer->flags &= ~(uint32_t)V4L2_BUF_FLAG_TIMECODE;
    buffer->flags |= given->flags & V4L2_BUF_FLAG_TIMECODE;
    if (given->flags & V4L2_BUF_FLAG_TIMECODE)
        buffer->timecode = given->timecode;
}

/* All that has to be right of a buffer before it may be queued or prepared. Returns the queue or a negative error. */
static int take(struct v4l2_file *file, const struct buffer_argument *argument, struct buffer **out)
{
    const struct v4l2_buffer *given = &argument->v4l2;
    struct buffer *buffer;
    int queue = find(file, given, &buffer);

    if (queue < 0 || given->memory != file->queues[queue].memory || argument->plane_count < buffer->layout.planes)
        return -EINVAL;
    if (given->flags & V4L2_BUF_FLAG_REQUEST_FD || (queue == OUTPUT_QUEUE && given->field == V4L2_FIELD_ALTERNATE))
        return -EINVAL;
    *out = buffer;
    if (buffer->state == PREPARED)
        return queue;
    if (buffer->state != DEQUEUED)
        return -EINVAL;
    int error = take_sizes((unsigned)queue, buffer, argument->planes);
    if (error == 0 && file->queues[queue].memory == V4L2_MEMORY_USERPTR)
        error = take_user_pages(buffer, argument->planes);
    if (error == 0 && queue == OUTPUT_QUEUE && buffer_is_copied(&file->queues[queue], buffer))
        error = buffer_copy_in(buffer);
    if (error)
        return error;
    take_marks((unsigned)queue, buffer, given);
    return queue;
}

int ioctl_prepare_buf(struct v4l2_file *file, int fd, void *argument)
{
    struct buffer *buffer;
    int queue = take(file, argument, &buffer);

    (void)fd;
    if (queue < 0)
        return queue;
    if (buffer->state != DEQUEUED)
        return -EINVAL;
    buffer->state = PREPARED;
    show(file, (unsigned)queue, buffer, argument);
    return 0;
}

int ioctl_qbuf(struct v4l2_file *file, int fd, void *argument)
{
    const struct v4l2_buffer *given = argument; /* what a struct buffer_argument begins with */
    struct buffer *buffer;
    int queue = file->gone || file->broken ? -EIO : take(file, argument, &buffer);

    (void)fd;
    if (queue < 0)
        return queue;
    if (buffer->state == PREPARED)
        take_marks((unsigned)queue, buffer, given);
    take_time((unsigned)queue, buffer, given);
    buffer_queue(file, (unsigned)queue, buffer);
    show(file, (unsigned)queue, buffer, argument);
    stream_feed(file); /* it may be done at once, which is no business of this call's */
    return 0;
}

/* --- back ----------------------------------------------------------------------------------------------------- */

/* Waits for a buffer of a queue. */
static int await(struct v4l2_file *file, int fd, unsigned number, struct buffer **buffer)
{
    struct queue *queue = &file->queues[number];

    for (;;) {
        if (file->gone || file->broken)
            return -EIO;
        if (!queue->streaming)
            return -EINVAL;
        if ((*buffer = TAILQ_FIRST(&queue->done)))
            return 0;
        if (number == CAPTURE_QUEUE && file->last_taken)
            return -EPIPE;
        if (fcntl(fd, F_GETFL) & O_NONBLOCK) {
            stream_publish(file);
            return -EAGAIN;
        }
        if (file_sleep(file, NULL) != 0)
            return -EINTR;
    }
}

int ioctl_dqbuf(struct v4l2_file *file, int fd, void *argument)
{
    struct buffer_argument *given = argument;
    struct buffer *buffer;
    int queue = queue_of_type(file, given->v4l2.type);

    if (queue < 0 || given->v4l2.memory != file->queues[queue].memory)
        return -EINVAL;
    int error = await(file, fd, (unsigned)queue, &buffer);
    if (error)
        return error;
    if (given->plane_count < buffer->layout.planes)
        return -EINVAL;
    show(file, (unsigned)queue, buffer, given);
    given->v4l2.flags &= ~(uint32_t)V4L2_BUF_FLAG_DONE;
    return buffer_take_back(file, (unsigned)queue, buffer);
}

/* --- allocation ----------------------------------------------------------------------------------------------- */

#define CAPABILITIES                                                                                                   \
    (V4L2_BUF_CAP_SUPPORTS_MMAP | V4L2_BUF_CAP_SUPPORTS_USERPTR | V4L2_BUF_CAP_SUPPORTS_ORPHANED_BUFS |                \
     V4L2_BUF_CAP_SUPPORTS_REMOVE_BUFS)

static bool memory_is_served(uint32_t memory)
{
    return memory == V4L2_MEMORY_MMAP || memory == V4L2_MEMORY_USERPTR;
}

int ioctl_reqbufs(struct v4l2_file *file, int fd, void *argument)
{
    struct v4l2_requestbuffers *wanted = argument;
    int queue = queue_of_type(file, wanted->type);

    (void)fd;
    wanted->capabilities = CAPABILITIES;
    wanted->flags = 0;
    memset(wanted->reserved, 0, sizeof wanted->reserved);
    if (queue < 0 || !memory_is_served(wanted->memory))
        return -EINVAL;
    if (file->queues[queue].streaming)
        return -EBUSY;
    int error = queue_free(file, (unsigned)queue);
    if (error || wanted->count == 0)
        return error;
    return queue_allocate(file, (unsigned)queue, wanted->memory, &wanted->count);
}

static int wished_sizes(const struct v4l2_file *file, unsigned queue, const struct v4l2_format *format,
                        uint32_t sizes[PARACORE_PLANE_MAX])
{
    const struct layout *layout = &file->sides[queue].layout;
    const struct v4l2_pix_format_mplane *pixels = &format->fmt.pix_mp;

    if (pixels->num_planes != layout->planes)
        return -EINVAL;
    for (uint32_t n = 0; n < layout->planes; n++) {
        sizes[n] = pixels->plane_fmt[n].sizeimage;
        if (sizes[n] < layout->size[n] || sizes[n] > PARACORE_BUFFER_MAX)
            return -EINVAL;
    }
    return 0;
}

int ioctl_create_bufs(struct v4l2_file *file, int fd, void *argument)
{
    struct v4l2_create_buffers *wanted = argument;
    int number = queue_of_type(file, wanted->format.type);
    uint32_t sizes[PARACORE_PLANE_MAX];

    (void)fd;
    if (number < 0)
        return number;
    struct queue *queue = &file->queues[number];
    wanted->capabilities = CAPABILITIES;
    wanted->index = queue_buffers(queue);
    if (!memory_is_served(wanted->memory) || (queue->count && wanted->memory != queue->memory))
        return -EINVAL;
    if (wanted->count == 0)
        return 0;
    int error = side_settle(file, (unsigned)number);
    if (error == 0)
        error = wished_sizes(file, (unsigned)number, &wanted->format, sizes);
    return error ? error
                 : queue_extend(file, (unsigned)number, wanted->memory, sizes, &wanted->index, &wanted->count);
}

int ioctl_remove_bufs(struct v4l2_file *file, int fd, void *argument)
{
    const struct v4l2_remove_buffers *unwanted = argument;
    int queue = queue_of_type(file, unwanted->type);

    (void)fd;
    if (queue < 0 || unwanted->count == 0)
        return queue < 0 ? queue : 0;
    if (unwanted->index >= BUFFERS_MAX || unwanted->count > BUFFERS_MAX - unwanted->index)
        return -EINVAL;
    return queue_remove(file, (unsigned)queue, unwanted->index, unwanted->count);
}

int ioctl_streamon(struct v4l2_file *file, int fd, void *argument)
{
    int queue = queue_of_type(file, *(uint32_t *)argument);

    (void)fd;
    return queue < 0 ? queue : queue_start(file, (unsigned)queue);
}

int ioctl_streamoff(struct v4l2_file *file, int fd, void *argument)
{
    int queue = queue_of_type(file, *(uint32_t *)argument);

    (void)fd;
    return queue < 0 ? queue : queue_stop(file, (unsigned)queue);
}

/* --- mmap ----------------------------------------------------------------------------------------------------- */

static int map(struct v4l2_file *file, size_t length, int protection, uint64_t offset, void **address)
{
    uint64_t page = offset / PARACORE_PAGE_SIZE;
    unsigned plane = page % PARACORE_PLANE_MAX, queue = (unsigned)(page / PARACORE_PLANE_MAX / BUFFERS_MAX);

    if (queue >= QUEUE_COUNT || file->queues[queue].memory != V4L2_MEMORY_MMAP)
        return -EINVAL;
    struct buffer *buffer = &file->queues[queue].buffers[page / PARACORE_PLANE_MAX % BUFFERS_MAX];
    if (!buffer->memory || plane >= buffer->layout.planes || offset % PARACORE_PAGE_SIZE)
        return -EINVAL;
    uint64_t most = (buffer->user_length[plane] + UINT64_C(4095)) & ~UINT64_C(4095);
    if (length == 0 || length > most || !(protection & (queue == OUTPUT_QUEUE ? PROT_WRITE : PROT_READ)))
        return -EINVAL;
    if (buffer->apart)
        return memory_map(buffer->apart, buffer->user[plane] - buffer->user[0], length, address);
    return memory_map(buffer->memory, buffer->layout.offset[plane], length, address);
}

int file_mmap(struct v4l2_file *file, void *wish, size_t length, int protection, int flags, uint64_t offset,
              void **address)
{
    (void)wish;
    if (file->kind == NODE_MEDIA)
        return -ENODEV;
    if (flags & MAP_FIXED || !(flags & MAP_SHARED) || !shim_link_is_ours(file->node.link))
        return -EINVAL; /* it is mapped already, and stays where it is */
    pthread_mutex_lock(&file->lock);
    int error = map(file, length, protection, offset, address);
    pthread_mutex_unlock(&file->lock);
    return error;
}

int file_munmap(void *address, size_t length)
{
    return memory_unmap(address, length);
}
