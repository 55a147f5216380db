/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_backend.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "check.h"
#include "fake_evtchn.h"
#include "loop.h"

enum { ORDER = 3, CONNECTIONS = 64, ENTRIES = 32, LISTENER = 1000, STOP, HANG_UP, HEADER = 16 };

struct fake_backend {
    char directory[32];
    char address[64];
    bool evtchn;
    int listener, stop, hang_up;
    int connections[CONNECTIONS]; /* -1: free; its index is the channel */
    uint32_t last_number;
    struct paracore_loop *loop;
    struct paracore_message_header owed[CONNECTIONS]; /* a format_get that waits for its reply */
    pthread_t thread;
};

struct packet {
    struct paracore_message_header header;
    uint8_t payload[PARACORE_MESSAGE_MAX - HEADER];
};

/* --- the link ------------------------------------------------------------------------------------- */

static void send_packet(int fd, const struct packet *packet, const int *fds, size_t fd_count)
{
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(3 * sizeof(int))] = {0};
    struct iovec part = {(void *)(uintptr_t)packet, packet->header.size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};

    if (fd_count) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        *rights = (struct cmsghdr){CMSG_LEN(fd_count * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(rights), fds, fd_count * sizeof(int));
    }
    CHECK(sendmsg(fd, &message, MSG_NOSIGNAL) >= 0 || errno == EPIPE);
}

static struct packet make_reply(const struct paracore_message_header *to, const void *payload, size_t size)
{
    struct packet packet = {.header = *to};

    packet.header.size = (uint32_t)(HEADER + size);
    packet.header.flags = PARACORE_MESSAGE_FLAG_REPLY;
    if (size)
        memcpy(packet.payload, payload, size);
    return packet;
}

static int make_pages(size_t size)
{
    int fd = memfd_create("paracore-test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    CHECK(fd >= 0 && ftruncate(fd, (off_t)size) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) == 0);
    return fd;
}

static void answer_hello(int fd, const struct paracore_message_header *header)
{
    struct paracore_link_hello_reply hello = {.version = 1, .domain = "test"};
    struct packet reply = make_reply(header, &hello, sizeof hello);

    send_packet(fd, &reply, NULL, 0);
}

/* The doorbells of a channel, as each end has them: in, out. */
struct bells {
    int frontend[2], backend[2];
    uint32_t frontend_port, backend_port;
};

static struct bells make_eventfds(void)
{
    int there = eventfd(0, EFD_NONBLOCK), back = eventfd(0, EFD_NONBLOCK);

    return (struct bells){.frontend = {dup(back), dup(there)}, .backend = {there, back}};
}

static struct bells make_evtchn(void)
{
    struct fake_evtchn_end ends[2];

    fake_evtchn_connect(ends);
    return (struct bells){.frontend = {ends[0].fd, dup(ends[0].fd)}, .frontend_port = ends[0].port,
                          .backend = {ends[1].fd, dup(ends[1].fd)}, .backend_port = ends[1].port};
}

static void answer_channel_open(struct fake_backend *backend, uint32_t channel, const struct paracore_message_header *header)
{
    size_t size = paracore_ring_mapping_size(ORDER);
    int pages = make_pages(size);
    struct bells bells = backend->evtchn ? make_evtchn() : make_eventfds();
    struct paracore_link_channel_open_reply opened = {
        .channel = channel, .ring_order = ORDER, .port = bells.frontend_port};
    struct packet reply = make_reply(header, &opened, sizeof opened);
    void *mapping = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, pages, 0);

    CHECK(mapping != MAP_FAILED);
    paracore_ring_format(mapping, ORDER);
    munmap(mapping, size);
    send_packet(backend->connections[channel], &reply, (int[]){pages, bells.frontend[1], bells.frontend[0]}, 3);
    close(bells.frontend[0]);
    close(bells.frontend[1]);
    CHECK(paracore_loop_channel_add(backend->loop, channel, ORDER, pages, bells.backend[0], bells.backend[1],
                                    bells.backend_port) == 0);
}

static void answer_grant(struct fake_backend *backend, int fd, const struct packet *request)
{
    struct paracore_link_grant grant;
    struct paracore_link_grant_reply granted = {.grant = ++backend->last_number};
    struct packet reply = make_reply(&request->header, &granted, sizeof granted);

    memcpy(&grant, request->payload, sizeof grant);
    int pages = make_pages(grant.length);
    send_packet(fd, &reply, &pages, 1);
    close(pages);
}

static void drop_connection(struct fake_backend *backend, uint32_t channel)
{
    paracore_loop_unwatch(backend->loop, backend->connections[channel]);
    paracore_loop_channel_remove(backend->loop, channel);
    close(backend->connections[channel]);
    backend->connections[channel] = -1;
    backend->owed[channel].size = 0;
}

static void serve_link(struct fake_backend *backend, uint32_t channel)
{
    struct packet packet, reply;
    int fd = backend->connections[channel];

    if (recv(fd, &packet, sizeof packet, 0) <= 0) {
        drop_connection(backend, channel);
        return;
    }
    switch (packet.header.opcode) {
    case PARACORE_OP_LINK_HELLO:
        answer_hello(fd, &packet.header);
        break;
    case PARACORE_OP_LINK_CHANNEL_OPEN:
        answer_channel_open(backend, channel, &packet.header);
        break;
    case PARACORE_OP_LINK_GRANT:
        answer_grant(backend, fd, &packet);
        break;
    default: /* revoke */
        reply = make_reply(&packet.header, NULL, 0);
        send_packet(fd, &reply, NULL, 0);
    }
}

/* --- the ring ------------------------------------------------------------------------------------- */

static void send_message(struct fake_backend *backend, uint32_t channel, const struct packet *packet)
{
    CHECK(paracore_loop_send(backend->loop, channel, packet, packet->header.size) == 0);
}

static void refuse(struct fake_backend *backend, uint32_t channel, const struct paracore_message_header *header)
{
    struct paracore_failure failure = {.error = PARACORE_ERROR_NO_ENTRY};
    struct packet reply = make_reply(header, &failure, sizeof failure);

    reply.header.flags |= PARACORE_MESSAGE_FLAG_ERROR;
    send_message(backend, channel, &reply);
}

static void answer_attach(struct fake_backend *backend, uint32_t channel, const uint8_t *message)
{
    struct paracore_message_header header;
    struct paracore_core_buffer_attach attach;
    struct paracore_core_buffer_attach_reply attached = {.buffer = ++backend->last_number};

    memcpy(&header, message, sizeof header);
    memcpy(&attach, message + sizeof header, sizeof attach);
    if (attach.flags & PARACORE_BUFFER_FLAG_READ_ONLY) {
        refuse(backend, channel, &header);
        return;
    }
    struct packet reply = make_reply(&header, &attached, sizeof attached);
    send_message(backend, channel, &reply);
}

/* A reply of this size whose payload is zeros. */
static void answer_zeros(struct fake_backend *backend, uint32_t channel, const struct paracore_message_header *header,
                         size_t size)
{
    static const uint8_t zeros[256];
    struct packet reply = make_reply(header, zeros, size);

    send_message(backend, channel, &reply);
}

static void pay_debt(struct fake_backend *backend, uint32_t channel)
{
    if (backend->owed[channel].size)
        refuse(backend, channel, &backend->owed[channel]);
    backend->owed[channel].size = 0;
}

static void serve_message(struct fake_backend *backend, uint32_t channel, const uint8_t *message)
{
    struct paracore_message_header header;

    memcpy(&header, message, sizeof header);
    if (header.opcode == PARACORE_OP_VIDEO_FORMAT_GET) {
        backend->owed[channel] = header;
        return;
    }
    pay_debt(backend, channel);
    switch (header.opcode) {
    case PARACORE_OP_VIDEO_CAPABILITY_QUERY:
        break;
    case PARACORE_OP_CORE_BUFFER_ATTACH:
        answer_attach(backend, channel, message);
        break;
    case PARACORE_OP_CORE_BUFFER_DETACH:
        answer_zeros(backend, channel, &header, 0);
        break;
    case PARACORE_OP_CORE_LIMITS_QUERY:
        answer_zeros(backend, channel, &header, sizeof(struct paracore_core_limits_query_reply));
        break;
    case PARACORE_OP_VIDEO_DRAIN:
        send_message(backend, channel,
                     &(struct packet){.header = {.size = HEADER,
                                                 .opcode = PARACORE_OP_VIDEO_DRAINED,
                                                 .flags = PARACORE_MESSAGE_FLAG_EVENT,
                                                 .object = header.object}});
        break;
    default:
        refuse(backend, channel, &header);
    }
}

/* --- the thread ----------------------------------------------------------------------------------- */

static void accept_one(struct fake_backend *backend)
{
    for (uint32_t i = 0; i < CONNECTIONS; i++) {
        if (backend->connections[i] >= 0)
            continue;
        backend->connections[i] = accept(backend->listener, NULL, NULL);
        CHECK(paracore_loop_watch(backend->loop, backend->connections[i], i) == 0);
        return;
    }
    CHECK(!"a free place");
}

static void hang_up_all(struct fake_backend *backend)
{
    struct paracore_link_goodbye goodbye = {.reason = PARACORE_REFUSAL_SHUTDOWN};
    struct packet packet = {.header = {.size = HEADER + sizeof goodbye,
                                       .opcode = PARACORE_OP_LINK_GOODBYE,
                                       .flags = PARACORE_MESSAGE_FLAG_EVENT}};
    uint64_t value;

    memcpy(packet.payload, &goodbye, sizeof goodbye);
    CHECK(read(backend->hang_up, &value, sizeof value) == sizeof value);
    for (uint32_t i = 0; i < CONNECTIONS; i++) {
        if (backend->connections[i] < 0)
            continue;
        send_packet(backend->connections[i], &packet, NULL, 0);
        drop_connection(backend, i);
    }
}

/* Serves one entry. False when it is time to stop. */
static bool serve(struct fake_backend *backend, const struct paracore_entry *entry)
{
    if (entry->kind == PARACORE_ENTRY_FD && entry->channel == STOP)
        return false;
    if (entry->kind == PARACORE_ENTRY_FD && entry->channel == LISTENER)
        accept_one(backend);
    else if (entry->kind == PARACORE_ENTRY_FD && entry->channel == HANG_UP)
        hang_up_all(backend);
    else if (backend->connections[entry->channel] < 0)
        return true; /* ended earlier in this batch */
    else if (entry->kind == PARACORE_ENTRY_FD)
        serve_link(backend, entry->channel);
    else
        serve_message(backend, entry->channel, entry->message);
    return true;
}

static void *run(void *argument)
{
    struct fake_backend *backend = argument;
    struct paracore_entry entries[ENTRIES];

    for (;;) {
        int count = paracore_loop_wait(backend->loop, entries, ENTRIES, -1);
        CHECK(count >= 0);
        for (int i = 0; i < count; i++) {
            CHECK(entries[i].kind != PARACORE_ENTRY_VIOLATION);
            if (!serve(backend, &entries[i]))
                return NULL;
        }
    }
}

struct fake_backend *fake_backend_start(bool evtchn)
{
    struct fake_backend *backend = calloc(1, sizeof *backend);
    struct sockaddr_un name = {.sun_family = AF_UNIX};

    CHECK(backend && paracore_loop_create(0, &backend->loop) == 0);
    backend->evtchn = evtchn;
    strcpy(backend->directory, "/tmp/paracore-test-XXXXXX");
    CHECK(mkdtemp(backend->directory));
    snprintf(backend->address, sizeof backend->address, "%s/socket", backend->directory);
    memcpy(name.sun_path, backend->address, sizeof backend->address);
    memset(backend->connections, 0xff, sizeof backend->connections);
    backend->listener = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    backend->stop = eventfd(0, 0);
    backend->hang_up = eventfd(0, 0);
    CHECK(bind(backend->listener, (struct sockaddr *)&name, sizeof name) == 0 && listen(backend->listener, 16) == 0);
    CHECK(paracore_loop_watch(backend->loop, backend->listener, LISTENER) == 0);
    CHECK(paracore_loop_watch(backend->loop, backend->stop, STOP) == 0);
    CHECK(paracore_loop_watch(backend->loop, backend->hang_up, HANG_UP) == 0);
    CHECK(pthread_create(&backend->thread, NULL, run, backend) == 0);
    return backend;
}

const char *fake_backend_address(const struct fake_backend *backend)
{
    return backend->address;
}

static void raise_flag(int fd)
{
    static const uint64_t one = 1;

    CHECK(write(fd, &one, sizeof one) == sizeof one);
}

void fake_backend_hang_up(struct fake_backend *backend)
{
    raise_flag(backend->hang_up);
}

void fake_backend_stop(struct fake_backend *backend)
{
    raise_flag(backend->stop);
    pthread_join(backend->thread, NULL);
    for (uint32_t i = 0; i < CONNECTIONS; i++)
        if (backend->connections[i] >= 0)
            drop_connection(backend, i);
    paracore_loop_destroy(backend->loop);
    close(backend->listener);
    close(backend->stop);
    close(backend->hang_up);
    unlink(backend->address);
    rmdir(backend->directory);
    free(backend);
}
