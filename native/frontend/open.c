/* SPDX-License-Identifier: Apache-2.0 */
/* Opening a channel: hello, the rings and doorbells, and what a refusal comes to. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

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

/* SAFETY: a device is written to only when it is said to have a port, and then only if it can be rung. A read
 * of it must not sleep. Writing to a pipe or a socket whose other end is closed would raise SIGPIPE. */
static int check_doorbell(const struct paracore_doorbell *bell)
{
    struct stat status;

    if (fstat(bell->fd, &status) != 0 || S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode))
        return -EPROTO;
    if (S_ISCHR(status.st_mode) != (bell->port != 0))
        return -EPROTO;
    if (bell->port == 0)
        return 0;
    return fcntl(bell->fd, F_SETFL, O_RDWR | O_NONBLOCK) == 0 && paracore_doorbell_ring(bell) ? 0 : -EPROTO;
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
    channel->number = reply.channel;
    channel->doorbell_out = (struct paracore_doorbell){fds[1], reply.port};
    channel->doorbell_in = (struct paracore_doorbell){fds[2], reply.port};
    error = map_rings(channel, fds[0], reply.ring_order);
    close(fds[0]);
    if (error == 0)
        error = check_doorbell(&channel->doorbell_out);
    return error ? error : check_doorbell(&channel->doorbell_in);
}

/* Each ring of a doorbell is an edge, see doorbell.h. */
static int listen_all(struct paracore_channel *channel)
{
    int error = channel_listen(channel->epoll, channel->doorbell_in.fd, EPOLLIN | EPOLLET, READY_DOORBELL);

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
    struct paracore_channel *channel = channel_create();

    if (reason)
        *reason = PARACORE_REFUSAL_NONE;
    if (!channel)
        return -ENOMEM;
    trace_begin();
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
    channel_destroy(channel);
    return error_of_refusal(why, error);
}
