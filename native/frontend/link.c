/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The descriptor protocol: class `link` on a SOCK_SEQPACKET socket, see docs/protocol/link.md.
 *
 * One request at a time, under link_lock. A goodbye may come at any moment, also instead of a reply; the
 * end of the connection is the end of the channel.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* The largest reply of the class, with its header. */
enum { LINK_MESSAGE_MAX = 256 };

struct packet {
    _Alignas(8) uint8_t octets[LINK_MESSAGE_MAX];
    struct paracore_message_header header;
    size_t payload_size;
    int fds[LINK_FDS_MAX];
    int fd_count;
};

static const uint8_t *payload_of(const struct packet *packet)
{
    return packet->octets + HEADER_SIZE;
}

static void set_timeout(int fd, uint64_t deadline)
{
    uint64_t now = paracore_now();
    uint64_t left = deadline > now ? deadline - now : 1000;
    struct timeval time = {.tv_sec = (time_t)(left / PARACORE_NS_PER_S),
                           .tv_usec = (suseconds_t)(left % PARACORE_NS_PER_S / 1000)};

    if (deadline != UINT64_MAX)
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
}

int link_connect(const char *address, uint64_t deadline)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};

    if (strlen(address) >= sizeof name.sun_path)
        return -ENAMETOOLONG;
    memcpy(name.sun_path, address, strlen(address));
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    set_timeout(fd, deadline); /* connect() waits for a place in the backlog */
    int error;
    do
        error = connect(fd, (struct sockaddr *)&name, sizeof name) ? errno : 0;
    while (error == EINTR && paracore_now() < deadline);
    if (error == 0)
        return fd;
    close(fd);
    return error == EAGAIN ? -ETIMEDOUT : -error;
}

static void close_fds(struct packet *packet)
{
    for (int i = 0; i < packet->fd_count; i++)
        close(packet->fds[i]);
    packet->fd_count = 0;
}

/* Takes over the descriptors that came with a message. False when there were more than any message has:
 * the control buffer is padded and may hold one too many. */
static bool collect_fds(struct packet *packet, struct msghdr *message)
{
    bool all = !(message->msg_flags & MSG_CTRUNC);

    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
            if (packet->fd_count < LINK_FDS_MAX) {
                packet->fds[packet->fd_count++] = fd;
            } else {
                close(fd);
                all = false;
            }
        }
    }
    return all;
}

static bool well_framed(const struct packet *packet, size_t size)
{
    return size >= HEADER_SIZE && packet->header.size == size && size % 8 == 0;
}

/* Reads one message if there is one. Returns 1, 0 when there is none, -EPIPE at the end, -EPROTO. */
static int receive(int fd, struct packet *packet)
{
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int) * LINK_FDS_MAX)];
    struct iovec part = {.iov_base = packet->octets, .iov_len = sizeof packet->octets};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    ssize_t size = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

    /* A peer that closed with something of ours unread: said once, before what it had sent. */
    if (size < 0 && errno == ECONNRESET)
        size = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    packet->fd_count = 0;
    if (size < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -EPIPE;
    bool all = collect_fds(packet, &message);
    if (size == 0 && packet->fd_count == 0)
        return -EPIPE;
    memcpy(&packet->header, packet->octets, HEADER_SIZE);
    if (!all || (message.msg_flags & MSG_TRUNC) || !well_framed(packet, (size_t)size)) {
        close_fds(packet);
        return -EPROTO;
    }
    packet->payload_size = (size_t)size - HEADER_SIZE;
    return 1;
}

/* Notes why the backend is about to go. Returns -EPIPE, or -EPROTO when it is no goodbye at all. */
static int hear_goodbye(struct paracore_channel *channel, const struct packet *packet)
{
    struct paracore_link_goodbye goodbye;

    if (packet->header.opcode != PARACORE_OP_LINK_GOODBYE || packet->header.flags != PARACORE_MESSAGE_FLAG_EVENT ||
        paracore_check_payload(packet->header.opcode, false, payload_of(packet), packet->payload_size) != 0)
        return -EPROTO;
    memcpy(&goodbye, payload_of(packet), sizeof goodbye);
    __atomic_store_n(&channel->goodbye, goodbye.reason, __ATOMIC_RELEASE);
    return -EPIPE;
}

/* Waits for the next message. Returns 0, -ETIMEDOUT, -EPIPE or -EPROTO. */
static int await(int fd, struct packet *packet, uint64_t deadline)
{
    for (;;) {
        int got = receive(fd, packet);
        if (got != 0)
            return got < 0 ? got : 0;
        int left = paracore_milliseconds_until(deadline);
        if (left == 0)
            return -ETIMEDOUT;
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        poll(&ready, 1, left);
    }
}

static int send_request(struct paracore_channel *channel, uint16_t opcode, const void *request, size_t size)
{
    struct paracore_message_header header = {
        .size = (uint32_t)(HEADER_SIZE + size), .opcode = opcode, .serial = ++channel->link_serial};
    struct iovec parts[] = {{&header, sizeof header}, {(void *)(uintptr_t)request, size}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};

    /* A backend that does not read its socket gets no second chance to make us wait. One that has gone
     * may have left a goodbye, which is still to be read. */
    bool stuck = sendmsg(channel->socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EAGAIN;
    return stuck ? -ETIMEDOUT : 0;
}

/* What is asked of a reply, and what it said. */
struct answer {
    void *payload;
    size_t size;
    int *fds;
    int fd_count;
    int refusal; /* the negated error of a refused request */
};

/* The payload of a reply that refuses. */
static int read_refusal(struct paracore_channel *channel, const struct packet *packet, struct answer *answer)
{
    struct paracore_failure failure;

    if (paracore_check_failure(payload_of(packet), packet->payload_size) != 0)
        return -EPROTO;
    memcpy(&failure, payload_of(packet), sizeof failure);
    if (packet->header.opcode == PARACORE_OP_LINK_GRANT)
        channel->refused = failure;
    answer->refusal = -(int)failure.error;
    return 0;
}

/* Takes one message apart. The descriptors are handed over only if all is well. */
static int read_answer(struct paracore_channel *channel, struct packet *packet, uint16_t opcode, struct answer *answer)
{
    if (!(packet->header.flags & PARACORE_MESSAGE_FLAG_REPLY))
        return hear_goodbye(channel, packet);
    if (packet->header.opcode != opcode || packet->header.serial != channel->link_serial)
        return -EPROTO;
    if (packet->header.flags == (PARACORE_MESSAGE_FLAG_REPLY | PARACORE_MESSAGE_FLAG_ERROR))
        return read_refusal(channel, packet, answer);
    if (paracore_check_payload(opcode, true, payload_of(packet), packet->payload_size) != 0 ||
        packet->payload_size != answer->size || packet->fd_count != answer->fd_count)
        return -EPROTO;
    if (answer->size)
        memcpy(answer->payload, payload_of(packet), answer->size);
    for (int i = 0; i < answer->fd_count; i++)
        answer->fds[i] = packet->fds[i];
    packet->fd_count = 0;
    return 0;
}

int link_request(struct paracore_channel *channel, uint16_t opcode, const void *request, size_t request_size,
                 void *reply, size_t reply_size, int *fds, int fd_count, uint64_t deadline)
{
    struct packet packet = {.fd_count = 0};
    struct answer answer = {.payload = reply, .size = reply_size, .fds = fds, .fd_count = fd_count};

    pthread_mutex_lock(&channel->link_lock);
    int error = send_request(channel, opcode, request, request_size);
    if (error == 0)
        error = await(channel->socket, &packet, deadline);
    if (error == 0)
        error = read_answer(channel, &packet, opcode, &answer);
    close_fds(&packet);
    pthread_mutex_unlock(&channel->link_lock);
    if (error == 0)
        return answer.refusal;
    pthread_mutex_lock(&channel->lock);
    channel_fail(channel, error);
    pthread_mutex_unlock(&channel->lock);
    return error;
}

void link_listen(struct paracore_channel *channel)
{
    struct packet packet;

    /* A request is under way: it reads whatever comes, a goodbye too. */
    if (pthread_mutex_trylock(&channel->link_lock) != 0)
        return;
    int got = receive(channel->socket, &packet);
    if (got > 0) {
        got = hear_goodbye(channel, &packet);
        close_fds(&packet);
    }
    pthread_mutex_unlock(&channel->link_lock);
    if (got < 0)
        channel_fail(channel, got);
}

int link_check_pages(int fd, uint64_t size)
{
    struct stat status;

    if (fstat(fd, &status) != 0)
        return -EPROTO;
    if (!S_ISREG(status.st_mode)) /* a grant device: the hypervisor holds the pages */
        return S_ISCHR(status.st_mode) ? 0 : -EPROTO;
    /* SAFETY: a file that shrinks under a mapping is a SIGBUS in this process. */
    int seals = fcntl(fd, F_GET_SEALS);
    return seals >= 0 && (seals & F_SEAL_SHRINK) && (uint64_t)status.st_size >= size ? 0 : -EPROTO;
}
