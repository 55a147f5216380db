/* SPDX-License-Identifier: Apache-2.0 */
/* A channel's life: opening, ending, closing, and what can be asked about it. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- ending --------------------------------------------------------------------------------------- */

int channel_enter(struct paracore_channel *channel)
{
    pthread_mutex_lock(&channel->lock);
    if (channel->error) {
        int error = channel->error;
        pthread_mutex_unlock(&channel->lock);
        return error;
    }
    channel->users++;
    return 0;
}

void channel_leave(struct paracore_channel *channel)
{
    if (--channel->users == 0 && channel->closing)
        pthread_cond_broadcast(&channel->left);
    pthread_mutex_unlock(&channel->lock);
}

int channel_hold(struct paracore_channel *channel)
{
    int error = channel_enter(channel);

    if (error == 0)
        pthread_mutex_unlock(&channel->lock);
    return error;
}

void channel_drop(struct paracore_channel *channel)
{
    pthread_mutex_lock(&channel->lock);
    channel_leave(channel);
}

bool channel_is_dead(struct paracore_channel *channel)
{
    pthread_mutex_lock(&channel->lock);
    bool dead = channel->error != 0;
    pthread_mutex_unlock(&channel->lock);
    return dead;
}

void channel_fail(struct paracore_channel *channel, int error)
{
    struct waiter *waiter;

    if (channel->error)
        return;
    channel->error = error;
    paracore_notify(channel->wake);
    if (channel->attention >= 0)
        paracore_notify(channel->attention);
    TAILQ_FOREACH(waiter, &channel->waiters, entry)
        pthread_cond_signal(&waiter->woken);
}

static void close_if_open(int fd)
{
    if (fd >= 0)
        close(fd);
}

static void forget_calls(struct paracore_channel *channel)
{
    struct call *call;

    while ((call = TAILQ_FIRST(&channel->calls))) { /* abandoned ones: nobody is inside */
        TAILQ_REMOVE(&channel->calls, call, entry);
        free(call);
    }
}

static void unmap_buffers(struct paracore_channel *channel)
{
    struct mapped *mapped;

    while ((mapped = LIST_FIRST(&channel->buffers))) {
        LIST_REMOVE(mapped, entry);
        munmap(mapped->buffer.address, mapped->buffer.length);
        free(mapped);
    }
}

static void destroy(struct paracore_channel *channel)
{
    forget_calls(channel);
    unmap_buffers(channel);
    if (channel->mapping)
        munmap(channel->mapping, channel->mapping_size);
    paracore_queue_clear(&channel->events);
    close_if_open(channel->socket);
    close_if_open(channel->doorbell_in);
    close_if_open(channel->doorbell_out);
    close_if_open(channel->epoll);
    close_if_open(channel->wake);
    close_if_open(channel->outside);
    close_if_open(channel->attention);
    pthread_cond_destroy(&channel->left);
    pthread_mutex_destroy(&channel->link_lock);
    pthread_mutex_destroy(&channel->lock);
    free(channel);
}

void paracore_close(struct paracore_channel *channel)
{
    if (!channel)
        return;
    pthread_mutex_lock(&channel->lock);
    channel->closing = true;
    channel_fail(channel, -ECANCELED);
    shutdown(channel->socket, SHUT_RDWR); /* wakes a link request */
    while (channel->users)
        pthread_cond_wait(&channel->left, &channel->lock);
    pthread_mutex_unlock(&channel->lock);
    destroy(channel);
}

/* --- opening -------------------------------------------------------------------------------------- */

static struct paracore_channel *create(void)
{
    struct paracore_channel *channel = calloc(1, sizeof *channel);

    if (!channel)
        return NULL;
    pthread_mutex_init(&channel->lock, NULL);
    pthread_mutex_init(&channel->link_lock, NULL);
    pthread_cond_init(&channel->left, NULL);
    TAILQ_INIT(&channel->waiters);
    TAILQ_INIT(&channel->calls);
    channel->socket = channel->doorbell_in = channel->doorbell_out = -1;
    channel->outside = channel->attention = -1;
    channel->events.limit = EVENTS_MAX;
    channel->epoll = epoll_create1(EPOLL_CLOEXEC);
    channel->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return channel;
}

static int say_hello(struct paracore_channel *channel, uint64_t deadline)
{
    struct paracore_link_hello hello = {
        .version_min = PARACORE_PROTOCOL_VERSION, .version_max = PARACORE_PROTOCOL_VERSION};
    struct paracore_link_hello_reply reply;
    int error =
        link_request(channel, PARACORE_OP_LINK_HELLO, &hello, sizeof hello, &reply, sizeof reply, NULL, 0, deadline);

    if (error)
        return error;
    memcpy(channel->domain, reply.domain, sizeof channel->domain); /* ends in zero: checked by the table */
    return reply.version == PARACORE_PROTOCOL_VERSION ? 0 : -EPROTO;
}

/* SAFETY: writing to a pipe or a socket whose other end is closed would raise SIGPIPE. */
static int check_doorbell(int fd)
{
    struct stat status;

    if (fstat(fd, &status) != 0 || S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode))
        return -EPROTO;
    return 0;
}

static int map_rings(struct paracore_channel *channel, int pages, uint32_t ring_order)
{
    if (ring_order < PARACORE_RING_ORDER_MIN || ring_order > PARACORE_RING_ORDER_MAX)
        return -EPROTO;
    size_t size = paracore_ring_mapping_size(ring_order);
    int error = link_check_pages(pages, size);
    if (error)
        return error;
    void *mapping = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, pages, 0);
    if (mapping == MAP_FAILED)
        return -errno;
    channel->mapping = mapping;
    channel->mapping_size = size;
    return paracore_ring_attach(&channel->ring, mapping, ring_order, PARACORE_FRONTEND);
}

static int open_rings(struct paracore_channel *channel, uint32_t ring_order, uint64_t deadline)
{
    struct paracore_link_channel_open request = {.ring_order = ring_order};
    struct paracore_link_channel_open_reply reply;
    int fds[3];
    int error = link_request(channel, PARACORE_OP_LINK_CHANNEL_OPEN, &request, sizeof request, &reply, sizeof reply,
                             fds, 3, deadline);

    if (error)
        return error;
    channel->doorbell_out = fds[1];
    channel->doorbell_in = fds[2];
    error = map_rings(channel, fds[0], reply.ring_order);
    close(fds[0]);
    if (error == 0)
        error = check_doorbell(channel->doorbell_out);
    return error ? error : check_doorbell(channel->doorbell_in);
}

int channel_listen(int epoll, int fd, uint32_t events, uint32_t what)
{
    struct epoll_event event = {.events = events, .data.u32 = what};

    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

/* Doorbells are never read: each write of an eventfd is an edge. */
static int listen_all(struct paracore_channel *channel)
{
    int error = channel_listen(channel->epoll, channel->doorbell_in, EPOLLIN | EPOLLET, READY_DOORBELL);

    if (error == 0)
        error = channel_listen(channel->epoll, channel->socket, EPOLLIN, READY_SOCKET);
    if (error == 0)
        error = channel_listen(channel->epoll, channel->wake, EPOLLIN, READY_WAKE);
    return error;
}

static int establish(struct paracore_channel *channel, const char *address, uint32_t ring_order, uint64_t deadline)
{
    if (channel->epoll < 0 || channel->wake < 0)
        return -EMFILE;
    channel->socket = link_connect(address, deadline);
    if (channel->socket < 0)
        return channel->socket;
    int error = say_hello(channel, deadline);
    if (error == 0)
        error = open_rings(channel, ring_order, deadline);
    return error ? error : listen_all(channel);
}

/* What opening fails with when the backend said why it hung up. */
static int error_of_refusal(uint32_t reason, int error)
{
    switch (reason) {
    case PARACORE_REFUSAL_NONE:
        return error == -EPERM ? -EACCES : error;
    case PARACORE_REFUSAL_UNKNOWN_PEER:
        return -EACCES;
    case PARACORE_REFUSAL_VERSION:
        return -EPROTONOSUPPORT;
    case PARACORE_REFUSAL_LIMIT:
        return -ENOSPC;
    case PARACORE_REFUSAL_PROTOCOL:
        return -EPROTO;
    default:
        return -EPIPE;
    }
}

/* The caller's options, as far as its version of the structure goes; zeros elsewhere. */
static struct paracore_options read_options(const struct paracore_options *given)
{
    struct paracore_options options = {0};

    if (given)
        memcpy(&options, given, given->size < sizeof options ? given->size : sizeof options);
    if (options.ring_order == 0)
        options.ring_order = PARACORE_DEFAULT_RING_ORDER;
    if (options.connect_ns == 0)
        options.connect_ns = ADMIN_NS;
    return options;
}

static const char *default_address(void)
{
    const char *address = secure_getenv("PARACORE_SOCKET");

    return address && *address ? address : PARACORE_DEFAULT_SOCKET;
}

int paracore_open(const char *address, const struct paracore_options *given, struct paracore_channel **out,
                  uint32_t *reason)
{
    struct paracore_options options = read_options(given);
    struct paracore_channel *channel = create();

    if (reason)
        *reason = PARACORE_REFUSAL_NONE;
    if (!channel)
        return -ENOMEM;
    channel->spin_ns = options.spin_ns;
    int error = establish(channel, address ? address : default_address(), options.ring_order,
                          paracore_deadline(options.connect_ns));
    if (error == 0) {
        *out = channel;
        return 0;
    }
    uint32_t why = paracore_goodbye(channel);
    if (reason)
        *reason = why;
    destroy(channel);
    return error_of_refusal(why, error);
}

/* --- asking --------------------------------------------------------------------------------------- */

const char *paracore_domain(struct paracore_channel *channel)
{
    return channel->domain;
}

uint32_t paracore_goodbye(struct paracore_channel *channel)
{
    return __atomic_load_n(&channel->goodbye, __ATOMIC_ACQUIRE);
}

void paracore_get_statistics(struct paracore_channel *channel, struct paracore_statistics *statistics)
{
    pthread_mutex_lock(&channel->lock);
    *statistics = channel->statistics;
    pthread_mutex_unlock(&channel->lock);
}
