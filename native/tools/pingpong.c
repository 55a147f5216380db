/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a round trip between two processes costs without paracore: the reference of its promises.
 *
 *     paracore-pingpong eventfd COUNT [CPU CPU]   each side sleeps in read() and is woken by write()
 *     paracore-pingpong memory COUNT [CPU CPU]    each side spins on a word of shared memory
 *
 * With two numbers each side stays on that processor: what a wake-up costs depends on whether it crosses one.
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

typedef void turn(struct sides *sides, uint64_t number);

static const struct way {
    const char *name;
    turn *ping, *pong;
} ways[] = {{"eventfd", eventfd_ping, eventfd_pong}, {"memory", memory_ping, memory_pong}};

static void measure(const struct way *way, struct sides *sides, size_t count)
{
    struct samples samples;

    samples_create(&samples, count);
    for (size_t i = 1; i <= WARM_UP + count; i++) {
        uint64_t start = paracore_now();
        way->ping(sides, i);
        if (i > WARM_UP)
            samples_add(&samples, paracore_now() - start);
    }
    samples_print(&samples, way->name);
}

static void echo(const struct way *way, struct sides *sides, size_t count)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (size_t i = 1; i <= WARM_UP + count; i++)
        way->pong(sides, i);
    _exit(0);
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
    errx(2, "%s: eventfd or memory is wanted", name);
}

int main(int argc, char **argv)
{
    if (argc != 3 && argc != 5)
        errx(2, "usage: paracore-pingpong eventfd|memory COUNT [CPU CPU]");
    const struct way *way = find_way(argv[1]);
    size_t count = parse_count(argv[2]);
    struct sides sides = {.there = eventfd(0, 0), .back = eventfd(0, 0)};
    sides.words = mmap(NULL, sizeof *sides.words, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (sides.there < 0 || sides.back < 0 || sides.words == MAP_FAILED)
        err(1, "descriptors");
    pid_t child = fork();
    if (child < 0)
        err(1, "fork");
    if (argc == 5)
        stay_on(argv[child ? 3 : 4]);
    if (child == 0)
        echo(way, &sides, count);
    measure(way, &sides, count);
    waitpid(child, NULL, 0);
    return 0;
}
