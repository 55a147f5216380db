/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a round trip between two processes costs without paracore: the reference of its promises.
 *
 *     paracore-pingpong eventfd COUNT [CPU CPU]   each side sleeps in read() and is woken by write()
 *     paracore-pingpong memory COUNT [CPU CPU]    each side spins on a word of shared memory
 *
 * With two numbers each side stays on that processor: what a wake-up costs depends on whether it crosses one.
 * Between two Xen domains, each side is started by hand; the first prints the port that the other is told:
 *
 *     paracore-pingpong evtchn COUNT DOMAIN            measures to that domain, once it answers
 *     paracore-pingpong evtchn COUNT DOMAIN PORT       answers
 */
#include <err.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "evtchn.h"
#include "samples.h"

enum { WARM_UP = 1000 };

/* The two words that spinning sides pass a number through, each in a cache line of its own. */
struct words {
    _Alignas(64) uint64_t there;
    _Alignas(64) uint64_t back;
};

struct sides {
    int there, back;     /* eventfds */
    struct words *words; /* or shared memory */
    struct paracore_doorbell bell; /* or an event channel */
};

static void wait_fd(int fd)
{
    uint64_t value;

    if (read(fd, &value, sizeof value) != sizeof value)
        err(1, "eventfd");
}

static void notify_fd(int fd)
{
    static const uint64_t one = 1;

    if (write(fd, &one, sizeof one) != sizeof one)
        err(1, "eventfd");
}

static void wait_word(const uint64_t *word, uint64_t value)
{
    while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != value)
        paracore_relax();
}

static void eventfd_ping(struct sides *sides, uint64_t number)
{
    (void)number;
    notify_fd(sides->there);
    wait_fd(sides->back);
}

static void eventfd_pong(struct sides *sides, uint64_t number)
{
    (void)number;
    wait_fd(sides->there);
    notify_fd(sides->back);
}

static void memory_ping(struct sides *sides, uint64_t number)
{
    __atomic_store_n(&sides->words->there, number, __ATOMIC_RELEASE);
    wait_word(&sides->words->back, number);
}

static void memory_pong(struct sides *sides, uint64_t number)
{
    wait_word(&sides->words->there, number);
    __atomic_store_n(&sides->words->back, number, __ATOMIC_RELEASE);
}

static void evtchn_ping(struct sides *sides, uint64_t number)
{
    (void)number;
    evtchn_notify(&sides->bell);
    evtchn_wait(&sides->bell);
}

static void evtchn_pong(struct sides *sides, uint64_t number)
{
    (void)number;
    evtchn_wait(&sides->bell);
    evtchn_notify(&sides->bell);
}

/* Rounds that are not measured; both sides must agree. */
static size_t warm_up(size_t count)
{
    return count < WARM_UP ? count : WARM_UP;
}

typedef void turn(struct sides *sides, uint64_t number);

static const struct way {
    const char *name;
    turn *ping, *pong;
} ways[] = {
    {"eventfd", eventfd_ping, eventfd_pong},
    {"memory", memory_ping, memory_pong},
    {"evtchn", evtchn_ping, evtchn_pong},
};

static void measure(const struct way *way, struct sides *sides, size_t count)
{
    struct samples samples;

    samples_create(&samples, count);
    for (size_t i = 1; i <= warm_up(count) + count; i++) {
        uint64_t start = paracore_now();
        way->ping(sides, i);
        if (i > warm_up(count))
            samples_add(&samples, paracore_now() - start);
    }
    samples_print(&samples, way->name);
}

static void echo(const struct way *way, struct sides *sides, size_t count)
{
    for (size_t i = 1; i <= warm_up(count) + count; i++)
        way->pong(sides, i);
}

static void stay_on(const char *cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((size_t)atoi(cpu), &set);
    if (sched_setaffinity(0, sizeof set, &set))
        err(1, "processor %s", cpu);
}

static const struct way *find_way(const char *name)
{
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        if (strcmp(ways[i].name, name) == 0)
            return &ways[i];
    errx(2, "%s: eventfd, memory or evtchn is wanted", name);
}

/* This is one side; the other is a program in another domain. */
static void with_domain(const struct way *way, size_t count, uint32_t domain, const char *port)
{
    struct sides sides = {.bell = port ? evtchn_bind(domain, (uint32_t)parse_count(port)) : evtchn_offer(domain)};

    if (port) {
        echo(way, &sides, count);
        return;
    }
    printf("%u\n", sides.bell.port);
    fflush(stdout);
    evtchn_wait(&sides.bell);
    measure(way, &sides, count);
}

/* The other side is a child. */
static void with_child(const struct way *way, size_t count, char **cpus)
{
    struct sides sides = {.there = eventfd(0, 0), .back = eventfd(0, 0)};
    sides.words = mmap(NULL, sizeof *sides.words, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (sides.there < 0 || sides.back < 0 || sides.words == MAP_FAILED)
        err(1, "descriptors");
    pid_t child = fork();
    if (child < 0)
        err(1, "fork");
    if (cpus)
        stay_on(cpus[child ? 0 : 1]);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        echo(way, &sides, count);
        _exit(0);
    }
    measure(way, &sides, count);
    waitpid(child, NULL, 0);
}

int main(int argc, char **argv)
{
    if (argc < 3 || argc > 5)
        errx(2, "usage: paracore-pingpong eventfd|memory COUNT [CPU CPU]\n"
                "       paracore-pingpong evtchn COUNT DOMAIN [PORT]");
    const struct way *way = find_way(argv[1]);
    size_t count = parse_count(argv[2]);
    if (way->ping == evtchn_ping && argc > 3)
        with_domain(way, count, (uint32_t)atoi(argv[3]), argc > 4 ? argv[4] : NULL);
    else if (way->ping != evtchn_ping && argc != 4)
        with_child(way, count, argc == 5 ? argv + 3 : NULL);
    else
        errx(2, "%s: not with %d arguments", argv[1], argc - 2);
    return 0;
}
