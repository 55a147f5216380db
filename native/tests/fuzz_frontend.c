/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Invariant: whatever a backend writes into the rings, libparacore neither reads nor writes where it should
 * not, a call succeeds only with a reply of the right shape, and the worst is a channel that has ended.
 *
 *     test-fuzz-frontend [LIVES [SEED]]
 *
 * The second thread is the backend: it hands out a channel and then fills it with garbage.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "check.h"
#include "clock.h"
#include "pages.h"
#include "paracore/paracore.h"
#include "protocol_table.h"

enum { ORDER = 2, HALF = 2 * PARACORE_PAGE_SIZE, HEADER = sizeof(struct paracore_message_header) };

static uint64_t lives = 300;
static uint64_t seed = 1;
static char directory[] = "/tmp/paracore-fuzz-XXXXXX";
static char address[sizeof directory + 8];
static int listener;

/* The hostile side of one channel. */
struct villain {
    uint8_t *mapping;
    struct paracore_ring ring;
    int bell_in, bell_out;
    uint64_t state;
};

/* --- handing out a channel ------------------------------------------------------------------------ */

static void answer(int fd, const void *payload, size_t size, const int *fds, size_t fd_count)
{
    struct paracore_message_header header;
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(3 * sizeof(int))] = {0};
    uint8_t request[256];

    CHECK(recv(fd, request, sizeof request, 0) > HEADER);
    memcpy(&header, request, HEADER);
    header.size = (uint32_t)(HEADER + size);
    header.flags = PARACORE_MESSAGE_FLAG_REPLY;
    struct iovec parts[] = {{&header, HEADER}, {(void *)(uintptr_t)payload, size}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    if (fd_count) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(fd_count * sizeof(int));
        *CMSG_FIRSTHDR(&message) = (struct cmsghdr){CMSG_LEN(fd_count * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
        memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), fds, fd_count * sizeof(int));
    }
    CHECK(sendmsg(fd, &message, MSG_NOSIGNAL) > 0);
}

static void hand_out(struct villain *villain, int fd)
{
    struct paracore_link_hello_reply hello = {.version = 1, .domain = "victim"};
    struct paracore_link_channel_open_reply opened = {.ring_order = ORDER};
    size_t size = paracore_ring_mapping_size(ORDER);
    int pages = memfd_create("paracore-fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);

    CHECK(pages >= 0 && ftruncate(pages, (off_t)size) == 0 && fcntl(pages, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
    villain->mapping = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, pages, 0);
    CHECK(villain->mapping != MAP_FAILED);
    paracore_ring_format(villain->mapping, ORDER);
    CHECK(paracore_ring_attach(&villain->ring, villain->mapping, ORDER, PARACORE_BACKEND) == 0);
    villain->bell_in = eventfd(0, EFD_NONBLOCK);
    villain->bell_out = eventfd(0, EFD_NONBLOCK);
    answer(fd, &hello, sizeof hello, NULL, 0);
    answer(fd, &opened, sizeof opened, (int[]){pages, villain->bell_in, villain->bell_out}, 3);
    close(pages);
}

/* --- garbage --------------------------------------------------------------------------------------- */

static uint32_t roll(struct villain *villain)
{
    return next_random(&villain->state);
}

/* What the table says of some event; now and then of something else. */
static const struct paracore_message_info *some_event(struct villain *villain)
{
    const struct paracore_message_info *info;

    do
        info = &paracore_messages[roll(villain) % PARACORE_MESSAGE_COUNT];
    while (roll(villain) % 32 && (info->kind != PARACORE_MESSAGE_KIND_EVENT || info->class_number > PARACORE_CLASS_VIDEO));
    return info;
}

/* Zeros under a header, with a bit of it wrong now and then. */
static void push_nearly_right(struct villain *villain, struct paracore_message_header header, uint32_t payload_size)
{
    _Alignas(8) uint8_t octets[PARACORE_MESSAGE_MAX] = {0};

    header.size = HEADER + payload_size;
    memcpy(octets, &header, HEADER);
    if (roll(villain) % 16 == 0)
        octets[roll(villain) % header.size] ^= (uint8_t)(1u << roll(villain) % 8);
    push_message(&villain->ring, octets, header.size);
}

static void push_event(struct villain *villain)
{
    const struct paracore_message_info *info = some_event(villain);

    push_nearly_right(villain,
                      (struct paracore_message_header){.opcode = info->opcode, .flags = PARACORE_MESSAGE_FLAG_EVENT},
                      info->request.size);
}

/* Answers a request; with some events before, or twice, or not at all. */
static void answer_request(struct villain *villain, struct paracore_message_header header)
{
    uint32_t size = paracore_message_find(header.opcode)->reply.size;

    header.flags = PARACORE_MESSAGE_FLAG_REPLY;
    for (uint32_t count = roll(villain) % 3; count > 0; count--)
        push_event(villain);
    if (roll(villain) % 16)
        push_nearly_right(villain, header, size);
    if (roll(villain) % 32 == 0)
        push_nearly_right(villain, header, size);
}

static void corrupt(struct villain *villain)
{
    uint32_t value = roll(villain) % 2 ? roll(villain) : roll(villain) % (HALF + 64);

    if (roll(villain) % 2)
        memcpy(villain->mapping + 128 + 4 * (roll(villain) % 4), &value, sizeof value);
    else
        memcpy(villain->mapping + PARACORE_PAGE_SIZE + HALF + 8 * (roll(villain) % (HALF / 8)), &value, sizeof value);
}

static void misbehave(struct villain *villain)
{
    static const uint64_t one = 1;
    uint8_t request[PARACORE_MESSAGE_MAX];
    struct paracore_message_header header;

    while (paracore_ring_pop(&villain->ring, request) > 0) {
        memcpy(&header, request, HEADER);
        answer_request(villain, header);
    }
    paracore_ring_release(&villain->ring);
    paracore_ring_publish(&villain->ring);
    if (roll(villain) % 128 == 0)
        corrupt(villain);
    CHECK(write(villain->bell_out, &one, sizeof one) == sizeof one || errno == EAGAIN);
}

static void *play_backend(void *nothing)
{
    struct villain villain = {.state = seed * 7919};

    (void)nothing;
    for (uint64_t life = 0; life < lives; life++) {
        int fd = accept(listener, NULL, NULL);
        CHECK(fd >= 0);
        hand_out(&villain, fd);
        struct pollfd ready[] = {{.fd = fd, .events = POLLIN}, {.fd = villain.bell_in, .events = POLLIN}};
        while (poll(ready, 2, 1) >= 0 && !(ready[0].revents & POLLIN))
            misbehave(&villain);
        munmap(villain.mapping, paracore_ring_mapping_size(ORDER));
        close(villain.bell_in);
        close(villain.bell_out);
        close(fd);
    }
    return NULL;
}

/* --- the victim ------------------------------------------------------------------------------------ */

/* One call or event. False when the channel has ended. */
static bool use(struct paracore_channel *channel, uint32_t number)
{
    struct paracore_core_limits_query_reply reply;
    struct paracore_event event;
    size_t size = sizeof reply;
    int result = number % 3 ? paracore_call(channel, PARACORE_OP_CORE_LIMITS_QUERY, 0, NULL, 0, &reply, &size, NULL,
                                            3 * PARACORE_NS_PER_MS)
                            : paracore_next_event(channel, &event, 0);

    CHECK(result <= 1 && (number % 3 == 0 || result != 0 || size == sizeof reply));
    CHECK(number % 3 || result != 1 || paracore_check_payload(event.header.opcode, false, event.payload, event.header.size - HEADER) == 0);
    return result != -EPROTO && result != -EPIPE;
}

static void live_once(void)
{
    struct paracore_channel *channel;

    CHECK(paracore_open(address, NULL, &channel, NULL) == 0);
    for (uint32_t i = 0; i < 200 && use(channel, i); i++)
        ;
    paracore_close(channel);
}

static void listen_somewhere(void)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};

    CHECK(mkdtemp(directory));
    snprintf(address, sizeof address, "%s/socket", directory);
    memcpy(name.sun_path, address, sizeof address);
    listener = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    CHECK(bind(listener, (struct sockaddr *)&name, sizeof name) == 0 && listen(listener, 8) == 0);
}

int main(int argc, char **argv)
{
    pthread_t backend;

    if (argc > 1)
        lives = strtoull(argv[1], NULL, 10);
    if (argc > 2)
        seed = strtoull(argv[2], NULL, 10);
    listen_somewhere();
    CHECK(seed != 0 && pthread_create(&backend, NULL, play_backend, NULL) == 0);
    for (uint64_t life = 0; life < lives; life++)
        live_once();
    pthread_join(backend, NULL);
    close(listener);
    unlink(address);
    rmdir(directory);
    return 0;
}
