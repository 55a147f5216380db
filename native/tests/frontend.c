/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libparacore with many threads at once, under the sanitizers. What one thread sees is tested from Python.
 *
 *     test-frontend [evtchn]    with event channels as Xen has them in place of eventfds
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "clock.h"
#include "fake_backend.h"
#include "fake_evtchn.h"
#include "paracore/paracore.h"

enum { THREADS = 6, CALLS = 300, POSTS = 2000, SKIPPED = 77 };

static struct fake_backend *backend;

static struct paracore_channel *open_channel(uint64_t spin_ns)
{
    struct paracore_options options = {.size = sizeof options, .spin_ns = spin_ns};
    struct paracore_channel *channel;

    CHECK(paracore_open(fake_backend_address(backend), &options, &channel, NULL) == 0);
    return channel;
}

static int ping(struct paracore_channel *channel, uint64_t cookie, uint64_t timeout_ns)
{
    struct paracore_core_ping request = {.cookie = cookie};
    struct paracore_core_ping_reply reply = {0};
    size_t size = sizeof reply;
    int error = paracore_call(channel, PARACORE_OP_CORE_PING, 0, &request, sizeof request, &reply, &size, NULL, timeout_ns);

    CHECK(error || (reply.cookie == cookie && size == sizeof reply));
    return error;
}

/* A call that the backend never answers. */
static int call_in_vain(struct paracore_channel *channel, uint64_t timeout_ns)
{
    struct paracore_video_capability_query request = {0};

    return paracore_call(channel, PARACORE_OP_VIDEO_CAPABILITY_QUERY, 0, &request, sizeof request, NULL, NULL, NULL,
                         timeout_ns);
}

static void run_threads(void *(*body)(void *), struct paracore_channel *channel, pthread_t *threads)
{
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, body, channel) == 0);
}

static void join_threads(pthread_t *threads)
{
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
}

/* --- calls ---------------------------------------------------------------------------------------- */

static void *make_calls(void *argument)
{
    struct paracore_core_device_query query = {0};
    struct paracore_failure failure;

    for (uint64_t i = 0; i < CALLS; i++) {
        CHECK(ping(argument, (uint64_t)(uintptr_t)&query + i, PARACORE_FOREVER) == 0);
        CHECK(paracore_call(argument, PARACORE_OP_CORE_DEVICE_QUERY, 0, &query, sizeof query, NULL, NULL, &failure,
                            PARACORE_FOREVER) == -ENOENT);
        CHECK(failure.error == PARACORE_ERROR_NO_ENTRY);
    }
    return NULL;
}

static void each_of_many_threads_gets_its_own_reply(uint64_t spin_ns)
{
    struct paracore_channel *channel = open_channel(spin_ns);
    struct paracore_statistics statistics;
    pthread_t threads[THREADS];

    run_threads(make_calls, channel, threads);
    join_threads(threads);
    paracore_get_statistics(channel, &statistics);
    CHECK(statistics.calls == 2 * THREADS * CALLS);
    paracore_close(channel);
}

static void threads_that_sleep(void)
{
    each_of_many_threads_gets_its_own_reply(0);
}

static void threads_that_spin(void)
{
    each_of_many_threads_gets_its_own_reply(50000);
}

static void a_late_reply_is_nobody_s(void)
{
    struct paracore_channel *channel = open_channel(0);

    CHECK(paracore_call(channel, PARACORE_OP_VIDEO_FORMAT_GET, 1, NULL, 0, NULL, NULL, NULL, PARACORE_NS_PER_MS) ==
          -ETIMEDOUT);
    for (uint64_t i = 0; i < 10; i++)
        CHECK(ping(channel, i, PARACORE_FOREVER) == 0);
    paracore_close(channel);
}

/* --- posts and events ----------------------------------------------------------------------------- */

static void *post_all(void *argument)
{
    for (int i = 0; i < POSTS; i++)
        CHECK(paracore_post(argument, PARACORE_OP_VIDEO_DRAIN, (uint32_t)i + 1, NULL, 0, NULL, PARACORE_FOREVER) == 0);
    CHECK(paracore_flush(argument) == 0);
    return NULL;
}

static void every_post_is_paid_back_while_others_call(void)
{
    struct paracore_channel *channel = open_channel(0);
    struct paracore_event event;
    pthread_t threads[THREADS], poster;

    run_threads(make_calls, channel, threads);
    CHECK(pthread_create(&poster, NULL, post_all, channel) == 0);
    for (uint32_t i = 0; i < POSTS; i++) {
        CHECK(paracore_next_event(channel, &event, PARACORE_FOREVER) == 1);
        CHECK(event.header.opcode == PARACORE_OP_VIDEO_DRAINED && event.header.object == i + 1);
    }
    CHECK(paracore_next_event(channel, &event, 0) == 0);
    join_threads(threads);
    pthread_join(poster, NULL);
    paracore_close(channel);
}

static void a_poll_loop_sees_every_event_while_others_call(void)
{
    struct paracore_channel *channel = open_channel(0);
    struct paracore_event event;
    pthread_t threads[THREADS], poster;
    int seen = 0, fd = paracore_fd(channel);

    CHECK(fd >= 0 && paracore_fd(channel) == fd);
    run_threads(make_calls, channel, threads);
    CHECK(pthread_create(&poster, NULL, post_all, channel) == 0);
    while (seen < POSTS) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        if (paracore_arm(channel) == 1)
            CHECK(poll(&ready, 1, 20000) == 1);
        while (paracore_next_event(channel, &event, 0) == 1)
            seen++;
    }
    join_threads(threads);
    pthread_join(poster, NULL);
    paracore_close(channel);
}

/* --- buffers -------------------------------------------------------------------------------------- */

static void *make_buffers(void *argument)
{
    struct paracore_buffer buffer;

    for (uint64_t i = 1; i < 40; i++) {
        CHECK(paracore_buffer_create(argument, i * 1000, 0, &buffer) == 0);
        CHECK(buffer.length % PARACORE_PAGE_SIZE == 0 && buffer.length >= i * 1000 && buffer.id && buffer.grant);
        memset(buffer.address, 1, buffer.length);
        CHECK(ping(argument, i, PARACORE_FOREVER) == 0);
        CHECK(paracore_buffer_destroy(argument, &buffer) == 0 && buffer.address == NULL);
    }
    return NULL;
}

static void many_threads_have_buffers(void)
{
    struct paracore_channel *channel = open_channel(0);
    struct paracore_statistics statistics;
    pthread_t threads[THREADS];

    run_threads(make_buffers, channel, threads);
    join_threads(threads);
    paracore_get_statistics(channel, &statistics);
    CHECK(statistics.buffers == 0 && statistics.bytes_granted == 0);
    paracore_close(channel);
}

/* The caller may hold a number there that is somebody else's descriptor by now. */
static void refused_pages_leave_no_descriptor(void)
{
    struct paracore_channel *channel = open_channel(0);
    struct paracore_buffer buffer;
    int fd = -1;

    CHECK(paracore_buffer_create_open(channel, 5000, PARACORE_BUFFER_FLAG_READ_ONLY, &buffer, &fd) == -ENOENT);
    CHECK(fd == -1);
    paracore_close(channel);
}

/* --- ends ----------------------------------------------------------------------------------------- */

static void *wait_for_the_end(void *argument)
{
    struct paracore_event event;
    int error = (uintptr_t)pthread_self() / 4096 % 2 ? call_in_vain(argument, PARACORE_FOREVER)
                                                     : paracore_next_event(argument, &event, PARACORE_FOREVER);

    CHECK(error == -ECANCELED || error == -EPIPE);
    return NULL;
}

static void wait_until_asleep(struct paracore_channel *channel)
{
    struct paracore_statistics statistics = {0};

    while (statistics.sleeps < 1) {
        paracore_get_statistics(channel, &statistics);
        poll(NULL, 0, 1);
    }
    poll(NULL, 0, 20);
}

static void closing_wakes_every_waiter(void)
{
    struct paracore_channel *channel = open_channel(0);
    pthread_t threads[THREADS];

    run_threads(wait_for_the_end, channel, threads);
    wait_until_asleep(channel);
    paracore_close(channel);
    join_threads(threads);
}

static void a_goodbye_wakes_every_waiter(void)
{
    struct paracore_channel *channel = open_channel(0);
    struct paracore_buffer buffer;
    pthread_t threads[THREADS];

    CHECK(paracore_buffer_create(channel, 1, 0, &buffer) == 0);
    run_threads(wait_for_the_end, channel, threads);
    wait_until_asleep(channel);
    fake_backend_hang_up(backend);
    join_threads(threads);
    CHECK(paracore_goodbye(channel) == PARACORE_REFUSAL_SHUTDOWN);
    CHECK(ping(channel, 1, PARACORE_FOREVER) == -EPIPE && paracore_flush(channel) == -EPIPE);
    CHECK(paracore_buffer_create(channel, 1, 0, &buffer) == -EPIPE);
    CHECK(paracore_buffer_destroy(channel, &buffer) == 0);
    paracore_close(channel);
}

/* Pages that are left are there when their channel is not; a piece of them can be put anywhere. */
static void pages_outlive_their_channel(void)
{
    struct paracore_channel *channel = open_channel(0);
    struct paracore_buffer buffer, left;
    uint64_t length = 3 * PARACORE_PAGE_SIZE;
    int fd, error;

    CHECK(paracore_buffer_create_open(channel, length, 0, &buffer, &fd) == 0);
    memset(buffer.address, 1, length);
    uint8_t *piece = mmap(NULL, PARACORE_PAGE_SIZE, PROT_READ, MAP_SHARED, fd, 2 * PARACORE_PAGE_SIZE);
    CHECK(piece != MAP_FAILED && close(fd) == 0);
    CHECK(piece[0] == 1);
    left = buffer;
    CHECK(paracore_buffer_leave(channel, &buffer) == -EBUSY && buffer.id == left.id);
    fake_backend_hang_up(backend);
    while ((error = ping(channel, 1, PARACORE_FOREVER)) == 0)
        ; /* answered before it hung up */
    CHECK(error == -EPIPE);
    CHECK(paracore_buffer_leave(channel, &buffer) == 0 && buffer.address == NULL);
    CHECK(paracore_buffer_leave(channel, &left) == -EBUSY); /* no more its own */
    paracore_close(channel);
    memset(left.address, 2, length);
    CHECK(piece[0] == 2);
    CHECK(munmap(left.address, length) == 0 && munmap(piece, PARACORE_PAGE_SIZE) == 0);
}

static void *make_buffers_until_the_end(void *argument)
{
    struct paracore_buffer buffer;
    int error = 0;

    while (error == 0) {
        error = paracore_buffer_create(argument, 5000, 0, &buffer);
        if (error == 0)
            error = paracore_buffer_destroy(argument, &buffer);
    }
    CHECK(error == -EPIPE || error == -ECANCELED);
    return NULL;
}

static void a_goodbye_in_the_middle_of_link_requests(void)
{
    struct paracore_channel *channel = open_channel(0);
    pthread_t threads[THREADS];

    run_threads(make_buffers_until_the_end, channel, threads);
    poll(NULL, 0, 30);
    fake_backend_hang_up(backend);
    join_threads(threads);
    CHECK(paracore_goodbye(channel) == PARACORE_REFUSAL_SHUTDOWN);
    paracore_close(channel);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        {"each of many threads gets its own reply, sleeping", threads_that_sleep},
        {"each of many threads gets its own reply, spinning", threads_that_spin},
        {"a late reply is nobody's", a_late_reply_is_nobody_s},
        {"every post is paid back while others call", every_post_is_paid_back_while_others_call},
        {"a poll loop sees every event while others call", a_poll_loop_sees_every_event_while_others_call},
        {"many threads have buffers", many_threads_have_buffers},
        {"refused pages leave no descriptor", refused_pages_leave_no_descriptor},
        {"closing wakes every waiter", closing_wakes_every_waiter},
        {"a goodbye wakes every waiter", a_goodbye_wakes_every_waiter},
        {"pages outlive their channel", pages_outlive_their_channel},
        {"a goodbye in the middle of link requests", a_goodbye_in_the_middle_of_link_requests},
    };

    bool evtchn = argc > 1 && strcmp(argv[1], "evtchn") == 0;
    if (evtchn && !fake_evtchn_available())
        return SKIPPED;
    backend = fake_backend_start(evtchn);
    run_tests(tests, sizeof tests / sizeof tests[0]);
    fake_backend_stop(backend);
    return 0;
}
