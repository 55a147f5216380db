/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of the V4L2 device: one open file, its two queues, and the session behind it.
 *
 * Words are the kernel's (Documentation/userspace-api/media/v4l/dev-decoder.rst): a file has an OUTPUT queue, which
 * takes what the program gives (bit stream to a decoder, pictures to an encoder), and a CAPTURE queue.
 *
 * Locks. `lock` guards a file. It is held while the backend is called, and callbacks of the link take it. A stream
 * is closed without it (stream.c). The list of files has a lock of its own that is never taken under a file's.
 */
#ifndef PARACORE_SHIMS_V4L2_INTERNAL_H
#define PARACORE_SHIMS_V4L2_INTERNAL_H

#include <linux/videodev2.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/queue.h>
#include <time.h>

#include "file.h"
#include "link.h"
#include "memory.h"
#include "planar.h"
#include "spool.h"

enum {
    OUTPUT_QUEUE,
    CAPTURE_QUEUE,
    QUEUE_COUNT,
    BUFFERS_MAX = VIDEO_MAX_FRAME, /* as many as the kernel's videobuf2 gave a queue for twenty years */
    EVENTS_MAX = 32,               /* events that the program has not taken; beyond it the oldest goes, as in v4l2-event.c */
    SUBSCRIPTIONS_MAX = 64,        /* more than there are things to subscribe to */
    CHANGES_MAX = 32,              /* changes that the program has not answered: each may cost memory; beyond it, EIO */
    MARKS_MAX = 128,               /* of inputs whose outputs have not come: more than a codec holds back */
    CONTROLS_MAX = 32,             /* rows of ioctl_control.c's table */
};

/* How the planes of a picture, or the octets of a bit stream, lie in one buffer's memory. */
struct layout {
    uint32_t planes;  /* as V4L2 counts them: pieces that are mapped singly */
    uint32_t offset[PARACORE_PLANE_MAX];
    uint32_t stride[PARACORE_PLANE_MAX];
    uint32_t size[PARACORE_PLANE_MAX];
    uint64_t total;
};

/* One side's format. The raw side's colour is the whole file's, as V4L2 wants it. */
struct side {
    uint32_t fourcc;
    uint32_t width, height;
    struct v4l2_rect visible; /* the picture: all of it, unless its planes are one piece with rows between them */
    struct layout layout;
};

struct color {
    uint32_t space;
    uint8_t encoding, quantization, transfer;
};

enum buffer_state { DEQUEUED, PREPARED, QUEUED, DONE };

struct buffer {
    TAILQ_ENTRY(buffer) entry; /* of `waiting` or `done` */
    uint32_t index;
    enum buffer_state state;
    struct memory *memory; /* NULL: not allocated, or removed */
    struct layout layout;
    uint32_t cookie;       /* while lent: what the backend calls it */
    bool lent;             /* the backend has it */
    uint32_t generation;   /* of the stream's format, when it was lent */
    uint32_t flags;        /* V4L2_BUF_FLAG_* that the picture has, not those of the state */
    uint32_t field;
    uint64_t timestamp;    /* ns, as the kernel keeps it */
    struct v4l2_timecode timecode;
    uint32_t sequence;
    uint32_t used[PARACORE_PLANE_MAX];
    uint32_t data_offset[PARACORE_PLANE_MAX];
    uint64_t user[PARACORE_PLANE_MAX];       /* pages of the program's own: where it has each plane */
    uint32_t user_length[PARACORE_PLANE_MAX];
    struct memory *apart;                    /* those pages, when the program had the shim make them; see queue.c */
};

TAILQ_HEAD(buffer_list, buffer);

struct queue {
    uint32_t memory;    /* enum v4l2_memory; 0 until buffers are requested */
    uint32_t count;     /* highest index + 1; some below it may have been removed */
    struct buffer buffers[BUFFERS_MAX];
    struct buffer_list waiting; /* queued, and not yet the backend's */
    struct buffer_list done;
    uint32_t queued;    /* waiting or lent */
    uint32_t sequence;
    bool streaming;
};

/* A picture that came in memory which the program has no buffer for; see pictures.c. */
struct held {
    TAILQ_ENTRY(held) entry;
    struct memory *memory;
    struct side side;
    struct paracore_video_output_ready ready;
};

/* A span lent to the backend in memory that is no buffer of the program's (any more). */
struct foreign {
    LIST_ENTRY(foreign) entry;
    struct memory *memory;
    uint32_t cookie;
};

struct stream;

enum who { DECODERS = 1, ENCODERS = 2, BOTH = 3, MEDIA = 4 };

/* What a codec has been asked to come to an end with; V4L2's words in dev-decoder.rst, Drain. */
enum drain_state {
    RUNNING,
    DRAINING,     /* STOP was accepted; the last picture has not come */
    DRAINED,      /* the last has come, and perhaps not been dequeued */
};

struct v4l2_file {
    LIST_ENTRY(v4l2_file) entry;
    unsigned references;    /* under the list's lock */
    uint64_t device, inode; /* of the program's descriptor */
    int kept;               /* the other end */
    struct node node;
    enum planar planar;     /* which API the program speaks */
    enum node_kind kind;    /* a media device has a lock and a socket, and of the rest nothing */
    bool told_in, told_out, told_pri, told_end; /* what the socket says now */

    pthread_mutex_t serial; /* one ioctl() at a time, as v4l2-ioctl.c has it; taken before `lock` */
    pthread_mutex_t lock;   /* of all that follows: events of the backend come between an ioctl()'s calls of it */
    uint32_t changed;       /* a futex: what DQBUF or DQEVENT waits for may be there */
    unsigned sleepers;
    uint32_t priority;
    bool broken;            /* EIO until both queues have been stopped */
    bool failure_told;      /* a call has answered EIO since, or poll() POLLERR */
    bool gone;              /* the link has died: EIO for ever */

    struct queue queues[QUEUE_COUNT];
    struct side sides[QUEUE_COUNT];
    struct color color;
    bool sized; /* the program has said how large the pictures of its bit stream are */
    struct v4l2_fract interval; /* seconds per picture */
    int32_t controls[CONTROLS_MAX];       /* by index in ioctl_control.c's table */
    uint32_t controls_changed;  /* by bit of the same index */
    bool key_frame_wanted;
    struct { uint32_t type, id; } subscriptions[SUBSCRIPTIONS_MAX];
    uint32_t subscription_count;
    struct v4l2_event events[EVENTS_MAX];
    uint32_t event_count, event_sequence;

    struct stream *stream;
    uint32_t unseen;     /* posts that the backend has not been shown */
    struct spool spool;
    struct memory *spool_memory; /* its pages; NULL: none yet */
    bool spoolless;              /* there are none to be had */
    uint32_t last_cookie;
    enum drain_state drain;
    bool draining;       /* the backend was asked to, and has not said that it is done: longer, perhaps, than `drain` says */
    bool flushing;       /* what is said now was made before it */
    bool last_owed;      /* an empty buffer with LAST is to be given as soon as there is one: behind what is held, */
    bool end_owed;       /* or before that, which is of the next format */
    bool last_taken;     /* LAST was dequeued: DQBUF says EPIPE */
    bool source_known;   /* a decoder has met the stream's format */
    bool source_awaited; /* since OUTPUT was started: its first units may have none */
    bool stale;          /* the CAPTURE buffers are of another layout than the stream's pictures */
    uint32_t generation; /* of source_known */
    uint32_t unanswered; /* changes since the program last started CAPTURE */
    uint32_t ended;      /* generation whose end came before the change to the next one */
    uint32_t buffers_min;
    TAILQ_HEAD(, held) held;
    LIST_HEAD(, foreign) foreign;
    uint32_t foreign_count;
    struct mark { uint64_t timestamp; uint32_t flags; struct v4l2_timecode timecode; } marks[MARKS_MAX];
    uint32_t mark_count;
};

static inline bool is_decoder(const struct v4l2_file *file)
{
    return file->node.direction == PARACORE_DIRECTION_DECODE;
}

/* The kernel whose rules these are: 6.1. */
enum { KERNEL_VERSION = 6 << 16 | 1 << 8 };

/* Where the codec is, by what its node and its media device are known to belong together. */
static inline void file_bus(const struct v4l2_file *file, char *text, size_t room)
{
    snprintf(text, room, "platform:paracore-%u", file->node.number);
}

/* Whose requests it serves. */
static inline enum who file_who(const struct v4l2_file *file)
{
    return file->kind == NODE_MEDIA ? MEDIA : is_decoder(file) ? DECODERS : ENCODERS;
}

/* The queue whose buffers hold pictures, and the one whose buffers hold bit stream. */
static inline unsigned raw_queue(const struct v4l2_file *file)
{
    return is_decoder(file) ? CAPTURE_QUEUE : OUTPUT_QUEUE;
}

static inline unsigned coded_queue(const struct v4l2_file *file)
{
    return is_decoder(file) ? OUTPUT_QUEUE : CAPTURE_QUEUE;
}

/* Which queue a V4L2_BUF_TYPE is; negative: -EINVAL. */
int queue_of_type(const struct v4l2_file *file, uint32_t type);
uint32_t type_of_queue(const struct v4l2_file *file, unsigned queue);

/* --- file.c: what the program's descriptor shows. `fd` is it, or -1 when it is not at hand: then what is no
 * longer so goes on being shown until it is. The lock is held. */
void file_show(struct v4l2_file *file, int fd);
/* Sleeps until something has changed, or until CLOCK_MONOTONIC has come to `until` unless that is NULL. The lock is held,
 * and let go meanwhile. Returns 0, -EINTR or -ETIMEDOUT. */
int file_sleep(struct v4l2_file *file, const struct timespec *until);

/* --- pictures.c, stream.c and feed.c ---------------------------------------------------------------------------- */

/* Opens the session unless there is one. */
int stream_open(struct v4l2_file *file);
/* Closes it, if there is one. The lock is held, and let go meanwhile. */
void stream_close(struct v4l2_file *file);
/* Forgets all input. */
int stream_flush(struct v4l2_file *file);
/* Asks for the CAPTURE buffers that no picture has come into; they come by callbacks. */
void stream_recall(struct v4l2_file *file);
/* Asks for all that is still to come. */
int stream_drain(struct v4l2_file *file);
int stream_control(struct v4l2_file *file, uint32_t control, int64_t value);
/* What the device would have pictures lie like: an encoder's. */
int stream_format(struct v4l2_file *file, struct paracore_picture_format *format);
/* Gives the backend what waits, if it is time to. */
void stream_feed(struct v4l2_file *file);
/* The program is about to wait: the backend sees all that it was given. */
void stream_publish(struct v4l2_file *file);
/* Lends the backend a span that is no buffer's. */
int stream_lend(struct v4l2_file *file, struct memory *memory, uint64_t length, uint32_t cookie);
/* The stream's end, or that of the stream so far: gives out the buffer with LAST. */
void stream_give_last(struct v4l2_file *file);

/* A span of this file has a new cookie. */
uint32_t file_cookie(struct v4l2_file *file);
/* A picture is ready in a buffer of the program's; or elsewhere, if that is NULL. */
void picture_ready(struct v4l2_file *file, struct buffer *buffer, const struct paracore_video_output_ready *ready);
/* An empty buffer with LAST. */
void picture_empty(struct v4l2_file *file, struct buffer *buffer);
/* Copies pictures that were held into buffers that wait. */
void pictures_deliver(struct v4l2_file *file);
/* The buffer is not the program's any more, but the backend has it. */
void picture_disown(struct v4l2_file *file, struct buffer *buffer);
/* Drops what is held, and what is lent outside of the queues once the session has gone. */
void pictures_drop_held(struct v4l2_file *file);
void pictures_drop_foreign(struct v4l2_file *file);
/* Lends memory of the shim's own, so that a codec that changes its format can go on. */
void pictures_lend_hidden(struct v4l2_file *file);

/* --- queue.c --- */
/* Allocates that many buffers, or as many as there is memory for. Returns 0 with *count set, or a negative error. */
int queue_allocate(struct v4l2_file *file, unsigned queue, uint32_t memory, uint32_t *count);
/* Adds buffers, numbered from *first on; with `sizes`, planes that have so many octets each, if that is more than
 * usual. */
int queue_extend(struct v4l2_file *file, unsigned queue, uint32_t memory, const uint32_t *sizes, uint32_t *first,
                 uint32_t *count);
uint32_t queue_buffers(const struct queue *queue);
/* Forgets some that the program has: 0, -EINVAL when one is not there, -EBUSY when one is queued. */
int queue_remove(struct v4l2_file *file, unsigned queue, uint32_t first, uint32_t count);
/* Forgets all buffers. */
int queue_free(struct v4l2_file *file, unsigned queue);
int queue_start(struct v4l2_file *file, unsigned queue);
int queue_stop(struct v4l2_file *file, unsigned queue);
void buffer_queue(struct v4l2_file *file, unsigned queue, struct buffer *buffer);
/* The backend is through with it. */
void buffer_done(struct v4l2_file *file, unsigned queue, struct buffer *buffer);
/* The program has it again. */
int buffer_take_back(struct v4l2_file *file, unsigned queue, struct buffer *buffer);
int buffer_copy_in(struct buffer *buffer);
/* Whether what the program has are other pages than those that are granted. */
static inline bool buffer_is_copied(const struct queue *queue, const struct buffer *buffer)
{
    return queue->memory == V4L2_MEMORY_USERPTR || buffer->apart;
}
/* Finds out anew whether the CAPTURE buffers are of the stream's layout: file->stale. */
void capture_settle(struct v4l2_file *file);

/* --- ioctl_priority.c --- */
/* An open file has one; 0 when it is closed. */
void priority_set(struct v4l2_file *file, uint32_t priority);
/* Whether the file may change anything now. */
bool priority_allows(const struct v4l2_file *file);

/* --- ioctl_event.c --- */
void event_source_change(struct v4l2_file *file);
void event_eos(struct v4l2_file *file);
/* A control has got a value; `event` has what v4l2_event_ctrl says of it. */
void event_control(struct v4l2_file *file, uint32_t id, const struct v4l2_event_ctrl *control);

/* --- ioctl_control.c --- */
void controls_reset(struct v4l2_file *file);
/* Tells the codec those that the program has changed, before it begins. */
int controls_apply(struct v4l2_file *file);
/* What an event says of a control. Returns false when there is none such. */
bool control_describe(struct v4l2_file *file, uint32_t id, struct v4l2_event_ctrl *event);

/* --- formats.c --- */
struct coded_format {
    uint32_t codec, fourcc;
    const char *description;
};

struct raw_format {
    uint32_t pixel_format, fourcc;
    uint32_t planes;     /* mapped singly */
    uint32_t components; /* as the wire counts planes */
    uint32_t across, down; /* log2 of the chroma's subsampling */
    uint32_t chroma_octets; /* of a sample in the planes behind the first */
    const char *description;
};

/* NULL when there is none. */
const struct coded_format *coded_format_of_codec(uint32_t codec);
const struct coded_format *coded_format_of_fourcc(uint32_t fourcc);
const struct raw_format *raw_format_at(size_t index);
/* Whether programs are offered it. */
bool raw_format_is_for(const struct v4l2_file *file, const struct raw_format *raw);
const struct raw_format *raw_format_of_fourcc(uint32_t fourcc);
/* What programs are offered of a device that has no format for them. */
const struct raw_format *raw_format_usual(const struct v4l2_file *file);
/* What the device can do with the codec of the file's coded side. */
const struct paracore_video_capability_query_reply *file_capability(const struct v4l2_file *file);
/* How a picture lies; as `wish` says if it does. Returns 0, or -EINVAL when V4L2 has no name for it. */
int side_of_format(const struct v4l2_file *file, const struct paracore_picture_format *format, uint32_t wish,
                   struct side *side);
/* Whether the pictures of both are alike for a program. */
bool side_is_same(const struct side *one, const struct side *other);
/* A decoder's pictures before it has met the stream. */
void side_guess(struct side *side, uint32_t fourcc, uint32_t width, uint32_t height);
/* One buffer for a bit stream of such pictures; the program may want more. */
void side_coded(struct side *side, uint32_t fourcc, uint32_t width, uint32_t height, uint32_t wish);
void color_of_format(struct color *color, const struct paracore_picture_format *format);
void color_to_format(const struct color *color, struct paracore_picture_format *format);

/* --- ioctl_format.c --- */
void formats_reset(struct v4l2_file *file);
/* Makes sure that a side's format is known: an encoder's device is asked, a decoder that has got units may tell it yet.
 * Returns 0 or a negative error. */
int side_settle(struct v4l2_file *file, unsigned queue);

/* --- ioctls: each returns 0 or a negative error; `argument` is a copy of the program's --- */
typedef int ioctl_handler(struct v4l2_file *file, int fd, void *argument);

ioctl_handler ioctl_querycap, ioctl_g_priority, ioctl_s_priority;
ioctl_handler ioctl_enum_fmt, ioctl_g_fmt, ioctl_s_fmt, ioctl_try_fmt, ioctl_enum_framesizes, ioctl_enum_frameintervals;
ioctl_handler ioctl_g_selection, ioctl_s_selection, ioctl_cropcap, ioctl_g_crop, ioctl_s_crop;
ioctl_handler ioctl_g_parm, ioctl_s_parm;
ioctl_handler ioctl_reqbufs, ioctl_create_bufs, ioctl_remove_bufs, ioctl_querybuf;
ioctl_handler ioctl_qbuf, ioctl_dqbuf, ioctl_prepare_buf;
ioctl_handler ioctl_streamon, ioctl_streamoff;
ioctl_handler ioctl_queryctrl, ioctl_query_ext_ctrl, ioctl_querymenu, ioctl_g_ctrl, ioctl_s_ctrl;
ioctl_handler ioctl_g_ext_ctrls, ioctl_s_ext_ctrls, ioctl_try_ext_ctrls;
ioctl_handler ioctl_subscribe_event, ioctl_unsubscribe_event, ioctl_dqevent;
ioctl_handler ioctl_decoder_cmd, ioctl_try_decoder_cmd, ioctl_encoder_cmd, ioctl_try_encoder_cmd;

#endif
