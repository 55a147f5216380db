/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every shim does with libparacore: one channel per process, the devices behind it, and sessions whose
 * events arrive by callback.
 *
 * Theory of operation. A process has one link at a time. It is made at the first use and lives until the process
 * ends or its channel dies for good; then the next use makes another. The link's one thread, started with the first
 * session, takes all events and calls the session they belong to.
 *
 * When the channel dies because its worker did, or its backend is started again, that thread opens another one, has the
 * same pages granted there, opens the sessions anew and gives them what the lost ones had (recovery.c): the sessions'
 * owners notice nothing. Posts are taken meanwhile, calls wait. Where that cannot be, or $PARACORE_ON_LOSS is
 * "fail", each session is told that it failed, once. A post that the backend refuses ends its session too: no shim posts what it
 * may refuse. After fork() the child has no link: the parent's cannot be used there, and a
 * session of it answers -EPIPE.
 *
 * Locks. Callbacks run on the link's thread with none of the link's locks held, never two at a time. They may
 * call anything here but shim_session_close(). All functions may be called from any thread.
 *
 * The backend is not trusted: what it sends has been checked by libparacore, and a session checks what it means.
 */
#ifndef PARACORE_SHIMS_LINK_H
#define PARACORE_SHIMS_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "paracore/paracore.h"

enum {
    SHIM_DEVICES_MAX = 32,       /* devices that a process sees: as many nodes as a directory should have */
    SHIM_CAPABILITIES_MAX = 128, /* codecs and directions of one device; further ones are not seen */
};

/* How long a program waits for a backend that does not answer before it gets its API's error. */
#define SHIM_CALL_NS UINT64_C(10000000000)

struct shim_device {
    uint32_t index;  /* for the `device` field of calls */
    char name[PARACORE_NAME_MAX];
    char driver[PARACORE_NAME_MAX];
    uint32_t capability_count;
    struct paracore_video_capability_query_reply capabilities[SHIM_CAPABILITIES_MAX];
};

struct shim_link;
struct shim_session;

/* The process's link, with a reference for the caller; connects if there is none that lives.
 * NULL with *error (negative) set as by paracore_open(). */
struct shim_link *shim_link_get(int *error);
/* One more reference to a link that one is held of. */
void shim_link_keep(struct shim_link *link);
void shim_link_put(struct shim_link *link);

/* False in the child of a fork: the link, and all that hangs on it, is the parent's. */
bool shim_link_is_ours(const struct shim_link *link);

/* False once the channel has died and none follows: nothing that hangs on it comes back. */
bool shim_link_lives(struct shim_link *link);

/* The video devices that the backend had when the link was made. The pointer is valid as long as the reference. */
const struct shim_device *shim_link_devices(struct shim_link *link, uint32_t *count);

/* The first capability with this codec and direction, or NULL. */
const struct paracore_video_capability_query_reply *shim_capability(const struct shim_device *device, uint32_t codec,
                                                                    uint32_t direction);

/* A piece of granted pages, and what a span of it is called. */
struct shim_piece {
    struct shim_pages *pages;
    void *address;
    uint64_t length; /* whole pages */
    uint64_t offset; /* within the buffer */
    uint32_t buffer;   /* the link's name for it, which stays */
};

/* Grants pieces of at least `length` octets each, together if that can be; a piece keeps the link. Returns how many
 * there are, 1 to `count`: the others are to be asked for again. Errors as paracore_buffer_create(). */
int shim_pieces_make(struct shim_link *link, uint64_t length, uint32_t flags, uint32_t count, struct shim_piece *pieces);
/* Gives one back. Pages are revoked with their last piece. Returns 0, or -EBUSY: the backend still uses pages of this
 * last piece, which stays, to be dropped again later. */
int shim_piece_drop(struct shim_piece *piece);

static inline struct paracore_span shim_piece_span(const struct shim_piece *piece, uint64_t offset, uint32_t length)
{
    return (struct paracore_span){.buffer = piece->buffer, .length = length, .offset = piece->offset + offset};
}

/* What a session's owner is told. Each runs on the link's thread. */
struct shim_listener {
    void (*input_done)(void *owner, const struct paracore_video_input_done *done);
    void (*output_ready)(void *owner, const struct paracore_video_output_ready *ready);
    void (*source_change)(void *owner, const struct paracore_video_source_change *change);
    void (*drained)(void *owner);
    /* The session is over: its device or its backend went. `error` is positive, as errno. At most once. */
    void (*failed)(void *owner, int error);
    /* Events have come, and for now there are no more. NULL: it does not matter. */
    void (*settled)(void *owner);
    /* Before the next output of an encoder so many are missing: their pictures went with a device. NULL: it does not matter. */
    void (*lost)(void *owner, uint32_t count);
};

/* What a program says of a decoder's stream before it is known; 0: nothing. */
struct shim_stream {
    int64_t rate;    /* pictures shown in a thousand seconds */
    int64_t samples; /* of a picture; rather too few */
};

/* Opens a session; `owner` is handed to the listener. What is said of a decoder's `stream` is declared, with the rate that
 * whoever started the program has said (PARACORE_RATE) in the place of its own. Errors as paracore_call(); -ENOSPC: also
 * when the device has no room for it. */
int shim_session_open(struct shim_link *link, const struct paracore_video_open *request, struct shim_stream stream,
                      const struct shim_listener *listener, void *owner, struct shim_session **session);

/* Closes it and frees it. No callback runs for it once this has returned. */
void shim_session_close(struct shim_session *session);

/* One call or post of the video class for this session. Errors as paracore_call() and paracore_post(); a call
 * waits SHIM_CALL_NS at most. A post is seen by the backend at once. */
int shim_session_call(struct shim_session *session, uint16_t opcode, const void *request, size_t request_size,
                      void *reply, size_t reply_size);
int shim_session_post(struct shim_session *session, uint16_t opcode, const void *request, size_t request_size);
int shim_session_control(struct shim_session *session, uint32_t control, int64_t value);
/* A post that the backend sees with the next call, post or shim_session_publish(), or when the link's thread has taken
 * all events and goes to sleep: to wake the backend is the larger part of a message's cost. */
int shim_session_post_unseen(struct shim_session *session, uint16_t opcode, const void *request, size_t request_size);
/* Waits until each event that has come by now has been delivered: what was said before a flush is not heard behind it. No
 * lock that a callback takes may be held. */
void shim_link_catch_up(struct shim_link *link);
/* The backend sees all that was posted. Errors as paracore_flush(). */
int shim_session_publish(struct shim_session *session);

#endif
