/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of libparacore.
 *
 * Locks. `lock` guards a channel: its rings, its lists, its fate. It is not held while a thread sleeps or
 * spins; then `led` says that somebody is at the consuming half of the rings, which is his alone.
 * `link_lock` guards the reading of the socket, and is held through a whole link request. It is never
 * taken while `lock` is held, except by trylock; `lock` may be taken under it.
 */
#ifndef PARACORE_INTERNAL_H
#define PARACORE_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/queue.h>

#pragma GCC visibility push(default)
#include "paracore/paracore.h"
#pragma GCC visibility pop

#include "clock.h"
#include "doorbell.h"
#include "kinds.h"
#include "paracore/ring.h"
#include "protocol_table.h"
#include "queue.h"

enum {
    PARACORE_DEFAULT_RING_ORDER = 4,
    EVENTS_MAX = 1 << 20,     /* octets of events that the process has not taken yet */
    ABANDONED_MAX = 4096,     /* calls given up whose replies are still to come */
    HEADER_SIZE = sizeof(struct paracore_message_header),
    LINK_FDS_MAX = 3,
};

#define ADMIN_NS (10 * PARACORE_NS_PER_S) /* how long grants and attachments may take */

/* A call whose reply has not come. On its caller's stack, or allocated once the caller has given up. */
struct call {
    TAILQ_ENTRY(call) entry;
    uint32_t serial;
    uint32_t object;
    uint16_t opcode;
    bool abandoned;
    bool done;
    int result;       /* once done: 0 or a negative error */
    void *reply;      /* where the payload goes; may be NULL */
    size_t reply_size; /* room there; once done, what the reply has */
    struct paracore_failure *failure;
};

/* One thread that waits. */
struct waiter {
    TAILQ_ENTRY(waiter) entry;
    pthread_cond_t woken;
    enum { FOR_REPLY, FOR_EVENT, FOR_SPACE } what;
    struct call *call; /* FOR_REPLY */
    uint32_t space;    /* FOR_SPACE: octets */
};

struct mapped {
    LIST_ENTRY(mapped) entry;
    struct paracore_buffer buffer;
};

struct paracore_channel {
    pthread_mutex_t lock;
    int error;         /* 0 while it lives; set once */
    bool closing;
    unsigned users;    /* threads inside */
    pthread_cond_t left;

    pthread_mutex_t link_lock;
    int socket;
    uint32_t link_serial;
    uint32_t goodbye;  /* enum paracore_refusal; atomic */
    struct paracore_failure refused; /* the last buffer that was; under link_lock */
    char domain[PARACORE_NAME_MAX];

    struct paracore_ring ring;
    void *mapping;
    size_t mapping_size;
    struct paracore_doorbell doorbell_out;
    struct paracore_doorbell doorbell_in;
    uint32_t number;   /* by which the backend and traces know it */
    uint64_t spin_ns;
    uint32_t serial;

    int epoll;         /* what a leader sleeps in: doorbell, socket, wake */
    int wake;          /* eventfd, written once, when the channel ends */
    bool led;
    TAILQ_HEAD(, waiter) waiters;
    TAILQ_HEAD(, call) calls;
    uint32_t abandoned;
    struct paracore_queue events;

    int outside;       /* the epoll of paracore_fd(), -1 until asked for */
    int attention;     /* eventfd: an event was queued while somebody polls `outside` */
    bool armed;

    LIST_HEAD(, mapped) buffers;
    struct paracore_statistics statistics;
    _Alignas(8) uint8_t message[PARACORE_MESSAGE_MAX]; /* the leader's snapshot */
};

/* What epoll says is ready. */
enum { READY_DOORBELL, READY_SOCKET, READY_WAKE };

/* --- channel.c --- */

/* A channel that is connected to nothing yet; NULL without memory. */
struct paracore_channel *channel_create(void);
/* Frees all that it has got so far. Nobody is inside. */
void channel_destroy(struct paracore_channel *channel);
/* Locks a channel for a public function. Returns 0 with the lock held, or the error it died of without. */
int channel_enter(struct paracore_channel *channel);
void channel_leave(struct paracore_channel *channel);
/* The same for one that goes on without the lock. */
int channel_hold(struct paracore_channel *channel);
void channel_drop(struct paracore_channel *channel);
/* The lock is not held. */
bool channel_is_dead(struct paracore_channel *channel);
/* Ends the channel, once, and wakes everybody. The lock is held. */
void channel_fail(struct paracore_channel *channel, int error);
/* Adds a descriptor to an epoll. Returns 0 or -errno. */
int channel_listen(int epoll, int fd, uint32_t events, uint32_t what);

/* --- link.c --- */

/* Connects. Returns the socket or -errno. */
int link_connect(const char *address, uint64_t deadline);
/* Makes one request of the link class and waits for its reply. Exactly `fd_count` descriptors must come
 * with it. Neither lock is held. Returns 0 or a negative error; -EPIPE after a goodbye. */
int link_request(struct paracore_channel *channel, uint16_t opcode, const void *request, size_t request_size,
                 void *reply, size_t reply_size, int *fds, int fd_count, uint64_t deadline);
/* Reads what the backend says unasked; the socket is readable. The lock is held. */
void link_listen(struct paracore_channel *channel);
/* Checks a descriptor of shared pages: large enough, and unable to shrink. Returns 0 or -EPROTO. */
int link_check_pages(int fd, uint64_t size);

/* --- wait.c --- */

/* Waits until `waiter` has what it is for. The lock is held, before and after.
 * Returns 0, -ETIMEDOUT, -ENOBUFS when events must be taken first, or what the channel died of. */
int wait_for(struct paracore_channel *channel, struct waiter *waiter, uint64_t deadline);
/* Takes all that waits in the ring, if nobody leads. The lock is held. */
void wait_pump(struct paracore_channel *channel);
/* Shows the backend what was pushed and rings if it sleeps. The lock is held. */
void wait_publish(struct paracore_channel *channel);

/* --- trace.c --- */

/* Records what this process does, from its first channel on, in the folder that PARACORE_TRACE names. */
void trace_begin(void);

/* --- receive.c --- */

/* Takes messages out of the ring until it is empty or no more events may be kept. Only the leader. */
void receive_all(struct paracore_channel *channel);

#endif
