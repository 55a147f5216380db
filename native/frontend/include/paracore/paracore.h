/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libparacore: a process's way to the coprocessors of its host.
 *
 * One channel per process and use. All functions may be called from any thread; those that wait
 * let others work meanwhile. A function returns 0 or a positive count, or a negative errno number;
 * none aborts, none prints, none installs a signal handler. The backend is not trusted: a reply is
 * matched against what is outstanding, and pages are never reused while it may have them mapped.
 *
 * After the backend has gone (killed, restarted, detached) each function returns -EPIPE at once and
 * paracore_goodbye() says why; only paracore_next_event() first gives out what had come before. After a
 * breach of the protocol by the backend it is -EPROTO instead. paracore_close() is still to be called.
 *
 * A channel does not cross fork(): the child shares the rings but not the threads and locks. It must not
 * use the channel nor close it; its descriptors are closed by exec(). The wire itself is in
 * paracore/protocol.h.
 */
#ifndef PARACORE_H
#define PARACORE_H

#include <stddef.h>
#include <stdint.h>

#include "paracore/protocol.h"

#ifdef __cplusplus
extern "C" {
#endif

#define PARACORE_DEFAULT_SOCKET "/run/paracore/paracore.sock"
#define PARACORE_FOREVER UINT64_MAX

struct paracore_channel;

struct paracore_options {
    uint32_t size;          /* sizeof(struct paracore_options): lets it grow */
    uint32_t ring_order;    /* log2 of ring pages; 0: the default, 4 */
    uint64_t spin_ns;       /* how long a waiting call spins before it sleeps */
    uint64_t connect_ns;    /* how long opening may take; 0: 10 s */
};

struct paracore_buffer {
    void *address;     /* the process's own mapping, page-aligned */
    uint64_t length;   /* octets, a multiple of 4096 */
    uint32_t id;       /* names it in spans */
    uint32_t grant;    /* the transport's name */
    uint32_t flags;    /* PARACORE_BUFFER_FLAG_* */
    uint32_t reserved;
};

/* One event or, for the caller's own use, one message. */
struct paracore_event {
    struct paracore_message_header header;
    uint8_t payload[PARACORE_MESSAGE_MAX - sizeof(struct paracore_message_header)];
};

struct paracore_statistics {
    uint64_t calls, posts, events; /* made, made, received */
    uint64_t notifications_out;    /* doorbells written */
    uint64_t notifications_in;     /* doorbells that woke this side */
    uint64_t sleeps;               /* times a thread went to sleep */
    uint64_t bytes_granted;        /* now */
    uint64_t buffers;              /* now */
};

/* Opens a channel. `address` is a Unix socket's path; NULL means $PARACORE_SOCKET, else
 * PARACORE_DEFAULT_SOCKET. `options` may be NULL.
 * Errors: -ENOENT, -ECONNREFUSED (no backend), -EACCES (refused; see paracore_refusal_text of *reason),
 * -EPROTONOSUPPORT (no common version), -ENOSPC (a limit), -ETIMEDOUT, -ENAMETOOLONG, -EPROTO, -EPIPE (it
 * hung up). `reason` may be NULL. */
int paracore_open(const char *address, const struct paracore_options *options,
                  struct paracore_channel **channel, uint32_t *reason);

/* Closes the channel and unmaps its buffers. Wakes every waiter with -ECANCELED. */
void paracore_close(struct paracore_channel *channel);

/* A descriptor that polls readable when paracore_next_event(…, 0) may have something to say,
 * once paracore_arm() has said it is safe to wait. Owned by the channel. */
int paracore_fd(struct paracore_channel *channel);

/* Prepares to sleep on paracore_fd(): returns 1 when it is safe, 0 when an event waits already. */
int paracore_arm(struct paracore_channel *channel);

/* The name the backend knows this domain by. */
const char *paracore_domain(struct paracore_channel *channel);

/* Makes one call and waits for its reply. `object` is 0 or a session. On success the reply's payload
 * is copied (at most *reply_size octets) and *reply_size set to its length. When the backend refuses,
 * returns the negated error of the reply and fills `failure` if it is not NULL; else it is zeroed.
 * With `reply` NULL the payload is dropped. A request that the backend would end the channel for is not
 * sent: -EINVAL. After -ETIMEDOUT the call may still be served; its reply is dropped.
 * Errors besides the reply's own: -EPIPE, -EPROTO, -ETIMEDOUT, -EMSGSIZE, -EINVAL, -ECANCELED (closed by
 * another thread), -ENOBUFS (a mebibyte of events waits: take some first). */
int paracore_call(struct paracore_channel *channel, uint16_t opcode, uint32_t object,
                  const void *request, size_t request_size, void *reply, size_t *reply_size,
                  struct paracore_failure *failure, uint64_t timeout_ns);

/* Sends a message that has no reply; *serial (may be NULL) is what core.post_failed would name.
 * It is seen by the backend at the next paracore_flush(), call or wait. Waits for room in the ring
 * at most `timeout_ns`. Errors as paracore_call. */
int paracore_post(struct paracore_channel *channel, uint16_t opcode, uint32_t object,
                  const void *request, size_t request_size, uint32_t *serial, uint64_t timeout_ns);

/* Publishes what was posted. */
int paracore_flush(struct paracore_channel *channel);

/* Takes the next event in order of arrival. Returns 1 with *event filled, 0 on time-out, -EINTR when a
 * signal handler ran while it slept. */
int paracore_next_event(struct paracore_channel *channel, struct paracore_event *event, uint64_t timeout_ns);

/* Grants `length` octets (rounded up to pages) to the backend, maps them here and attaches them.
 * PARACORE_BUFFER_FLAG_READ_ONLY is about the backend; the caller can always write.
 * Errors: -EINVAL (a length of 0 or beyond PARACORE_BUFFER_MAX), -ENOSPC (a limit), -ENOMEM, -EPROTO. */
int paracore_buffer_create(struct paracore_channel *channel, uint64_t length, uint32_t flags,
                           struct paracore_buffer *buffer);

/* The same, and *fd is a descriptor of the pages, the caller's to close: to map pieces of them elsewhere, too. Whoever
 * does that unmaps them himself. After an error *fd is what it was. */
int paracore_buffer_create_open(struct paracore_channel *channel, uint64_t length, uint32_t flags,
                                struct paracore_buffer *buffer, int *fd);

/* Why the last paracore_buffer_create() was refused: the backend's error, which limit, its value. */
void paracore_get_failure(struct paracore_channel *channel, struct paracore_failure *failure);

/* Detaches, revokes and unmaps, and zeroes *buffer. -EBUSY while a session holds a span of it: nothing has
 * happened. -EIO: unmapped here, but the backend keeps the grant. When the backend has gone the pages
 * are simply unmapped. */
int paracore_buffer_destroy(struct paracore_channel *channel, struct paracore_buffer *buffer);

/* Leaves the pages of a buffer mapped when the backend has gone: they are the caller's to unmap, and live longer than the
 * channel. Zeroes *buffer. -EBUSY while the channel lives: nothing has happened. */
int paracore_buffer_leave(struct paracore_channel *channel, struct paracore_buffer *buffer);

/* Why the backend ended the channel: an enum paracore_refusal; `none` while it lives or when it
 * went without a word. */
uint32_t paracore_goodbye(struct paracore_channel *channel);

/* Static texts for people. */
const char *paracore_refusal_text(uint32_t reason);

/* The library's version, "major.minor.patch". */
const char *paracore_version(void);

/* What the channel has done so far, and what it holds. */
void paracore_get_statistics(struct paracore_channel *channel, struct paracore_statistics *statistics);

#ifdef __cplusplus
}
#endif
#endif
