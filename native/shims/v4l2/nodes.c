/* SPDX-License-Identifier: Apache-2.0 */
#include "nodes.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Nanoseconds until a process that found no backend looks for one again. A program that goes through /dev asks
 * dozens of times, and an attempt is a connect(). */
#define RETRY_NS INT64_C(500000000)

/* The numbers that a device's direction has been given. */
struct given {
    char device[PARACORE_NAME_MAX];
    uint32_t direction;
    unsigned numbers[NODE_KINDS];
};

static struct {
    pthread_mutex_t lock; /* guards what follows; nothing is waited for under it */
    const struct shim_link *link; /* of which the numbers are; only compared */
    int count;
    struct given given[NODES_MAX];
} numbers = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int64_t retry_at; /* atomic, CLOCK_MONOTONIC; 0: there was a backend */

/* --- fork ------------------------------------------------------------------------------------------- */

static void before_fork(void)
{
    pthread_mutex_lock(&numbers.lock);
}

static void after_fork(void)
{
    pthread_mutex_unlock(&numbers.lock);
}

static void watch_forks(void)
{
    pthread_atfork(before_fork, after_fork, after_fork);
}

/* --- the backend ------------------------------------------------------------------------------------ */

static int64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static struct shim_link *reach(void)
{
    int64_t wait_until = __atomic_load_n(&retry_at, __ATOMIC_RELAXED);
    int error;

    if (wait_until && now() < wait_until)
        return NULL;
    struct shim_link *link = shim_link_get(&error);
    __atomic_store_n(&retry_at, link ? 0 : now() + RETRY_NS, __ATOMIC_RELAXED);
    return link;
}

static bool can(const struct shim_device *device, uint32_t direction)
{
    for (uint32_t n = 0; n < device->capability_count; n++)
        if (device->capabilities[n].direction == direction)
            return true;
    return false;
}

/* --- numbers ---------------------------------------------------------------------------------------- */

/* Whether the kernel has a device of this number: in /dev, or only in sysfs, as in a container without it. */
static bool exists(enum node_kind kind, unsigned number)
{
    static const char *const forms[NODE_KINDS][3] = {
        [NODE_VIDEO] = {"/dev/video%u", "/sys/class/video4linux/video%u", "/sys/dev/char/81:%u"},
        [NODE_MEDIA] = {"/dev/media%u", "/sys/bus/media/devices/media%u", "/sys/dev/char/240:%u"},
    };
    char path[64];

    for (size_t n = 0; n < sizeof *forms / sizeof **forms; n++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(path, sizeof path, forms[kind][n], number);
#pragma GCC diagnostic pop
        if (access(path, F_OK) == 0)
            return true;
    }
    return false;
}

static const struct given *find_given(const struct given *given, int count, const struct node *node)
{
    for (int n = 0; n < count; n++)
        if (given[n].direction == node->direction && strcmp(given[n].device, node->device->name) == 0)
            return &given[n];
    return NULL;
}

static bool is_given(const struct given *given, int count, enum node_kind kind, unsigned number)
{
    for (int n = 0; n < count; n++)
        if (given[n].numbers[kind] == number)
            return true;
    return false;
}

static unsigned first_free(const struct given *given, int count, enum node_kind kind)
{
    unsigned number = 0;

    while (is_given(given, count, kind, number) || exists(kind, number))
        number++;
    return number;
}

static bool still_free(const struct given *given)
{
    return !exists(NODE_VIDEO, given->numbers[NODE_VIDEO]) && !exists(NODE_MEDIA, given->numbers[NODE_MEDIA]);
}

static void give_new(struct given *given, int *count, const struct node *node)
{
    struct given one = {.direction = node->direction};

    for (enum node_kind kind = 0; kind < NODE_KINDS; kind++)
        one.numbers[kind] = first_free(given, *count, kind);
    memcpy(one.device, node->device->name, sizeof one.device);
    given[(*count)++] = one;
}

/* Old numbers first: they are stable while the backend lives, and beyond unless the kernel has one of them now.
 * The lock is held. */
static void number_all(struct node *nodes, int count)
{
    const struct shim_link *link = nodes[0].link;
    struct given fresh[NODES_MAX];
    int known = 0;

    for (int n = 0; n < count; n++) {
        const struct given *old = find_given(numbers.given, numbers.count, &nodes[n]);
        if (old && (link == numbers.link || still_free(old)))
            fresh[known++] = *old;
    }
    for (int n = 0; n < count; n++)
        if (!find_given(fresh, known, &nodes[n]))
            give_new(fresh, &known, &nodes[n]);
    for (int n = 0; n < count; n++) {
        const struct given *given = find_given(fresh, known, &nodes[n]);
        nodes[n].number = given->numbers[NODE_VIDEO];
        nodes[n].media = given->numbers[NODE_MEDIA];
    }
    memcpy(numbers.given, fresh, sizeof fresh[0] * (size_t)known);
    numbers.count = known;
    numbers.link = link;
}

/* --- nodes ------------------------------------------------------------------------------------------ */

/* The name is cut so that the direction stands: the field has 31 characters, and some programs show 30. */
static void name_card(struct node *node)
{
    const char *direction = node->direction == PARACORE_DIRECTION_DECODE ? "decoder" : "encoder";

    snprintf(node->card, sizeof node->card, "paracore: %.10s (%s)", node->device->name, direction);
}

static int by_number(const void *one, const void *other)
{
    const struct node *a = one, *b = other;

    return (a->number > b->number) - (a->number < b->number);
}

static int make_all(struct shim_link *link, struct node *nodes)
{
    static const uint32_t directions[] = {PARACORE_DIRECTION_DECODE, PARACORE_DIRECTION_ENCODE};
    uint32_t device_count;
    const struct shim_device *devices = shim_link_devices(link, &device_count);
    int count = 0;

    for (uint32_t device = 0; device < device_count; device++)
        for (int n = 0; n < 2; n++)
            if (can(&devices[device], directions[n])) {
                nodes[count] =
                    (struct node){.link = link, .device = &devices[device], .direction = directions[n]};
                name_card(&nodes[count++]);
            }
    return count;
}

int nodes_list(struct node *nodes)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct shim_link *link = reach();

    if (!link)
        return 0;
    pthread_once(&once, watch_forks);
    int count = make_all(link, nodes);
    if (count) {
        pthread_mutex_lock(&numbers.lock);
        number_all(nodes, count);
        pthread_mutex_unlock(&numbers.lock);
        qsort(nodes, (size_t)count, sizeof *nodes, by_number);
    }
    for (int n = 0; n < count; n++)
        shim_link_keep(link);
    shim_link_put(link);
    return count;
}

int nodes_find(enum node_kind kind, unsigned number, struct node *node)
{
    struct node nodes[NODES_MAX];
    int count = nodes_list(nodes), found = -1;

    for (int n = 0; n < count && found < 0; n++)
        if (node_number(&nodes[n], kind) == number)
            found = n;
    if (found >= 0) {
        *node = nodes[found];
        shim_link_keep(node->link);
    }
    nodes_put(nodes, count);
    return found >= 0 ? 0 : -ENOENT;
}

void nodes_put(struct node *nodes, int count)
{
    for (int n = 0; n < count; n++)
        shim_link_put(nodes[n].link);
}
