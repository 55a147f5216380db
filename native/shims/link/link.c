/* SPDX-License-Identifier: Apache-2.0 */
/* The process's one link: made when it is needed, replaced when it has died, forgotten after a fork; and its channel, which
 * may be followed by another. */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

/* A backend that listens but does not answer: a program that only looks into /dev waits no longer than this. */
#define CONNECT_NS UINT64_C(2000000000)

static struct {
    pthread_mutex_t lock;
    pthread_once_t once;
    struct shim_link *link; /* holds a reference; NULL until asked for */
    unsigned age;           /* forks between the first program and this process */
} process = {.lock = PTHREAD_MUTEX_INITIALIZER, .once = PTHREAD_ONCE_INIT};

/* --- fork ------------------------------------------------------------------------------------------- */

static void before_fork(void)
{
    pthread_mutex_lock(&process.lock);
}

static void after_fork_in_parent(void)
{
    pthread_mutex_unlock(&process.lock);
}

/* The parent's link is left as it is: its locks may be held by threads that are not here. */
static void after_fork_in_child(void)
{
    process.link = NULL;
    process.age++;
    pthread_mutex_unlock(&process.lock);
}

static void watch_forks(void)
{
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

bool shim_link_is_ours(const struct shim_link *link)
{
    return __atomic_load_n(&process.age, __ATOMIC_RELAXED) == link->age;
}

/* --- one link ---------------------------------------------------------------------------------------- */

static void link_free(struct shim_link *link)
{
    if (link->channel)
        paracore_close(link->channel);
    pthread_cond_destroy(&link->idle);
    pthread_mutex_destroy(&link->lock);
    free(link);
}

static void link_init(struct shim_link *link)
{
    pthread_condattr_t monotonic;

    pthread_mutex_init(&link->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&link->idle, &monotonic);
    pthread_condattr_destroy(&monotonic);
    LIST_INIT(&link->pages);
    LIST_INIT(&link->sessions);
}

int link_dial(struct paracore_channel **channel, uint64_t connect_ns)
{
    struct paracore_options options = {.size = sizeof options, .connect_ns = connect_ns};

    return paracore_open(NULL, &options, channel, NULL);
}

/* Asks what there is on the channel, which could, or could not, be opened. One that is lost meanwhile is followed by another. */
static int reach(struct shim_link *link, int error)
{
    for (int times = 0;; times++) {
        if (error == 0)
            error = devices_query(link);
        if (error != -EPIPE || !link->recovers || times == FRUITLESS_MAX)
            return error;
        paracore_close(link->channel);
        link->channel = NULL;
        error = link_dial_again(&link->channel);
        if (error)
            return error;
    }
}

static struct shim_link *link_make(int *error)
{
    struct shim_link *link = calloc(1, sizeof *link);

    *error = -ENOMEM;
    if (!link)
        return NULL;
    link->age = process.age;
    link->references = 2; /* the process's and the caller's */
    link->recovers = wish_recovers();
    link_init(link);
    *error = reach(link, link_dial(&link->channel, CONNECT_NS));
    if (*error == 0)
        return link;
    link_free(link);
    return NULL;
}

/* One message there and back: a backend that went, or that detached the domain, is found out. */
static bool lives(struct shim_link *link)
{
    struct paracore_core_ping ping = {0};
    struct paracore_core_ping_reply reply;
    struct use use;
    int error;

    do {
        size_t size = sizeof reply;
        error = use_begin(link, &use);
        if (error)
            return false;
        error = paracore_call(use.channel, PARACORE_OP_CORE_PING, 0, &ping, sizeof ping, &reply, &size, NULL,
                              SHIM_CALL_NS);
        use_end(link);
    } while (error == -EPIPE && use_again(link, &use));
    return error == 0;
}

/* The lock is held. */
static void put_locked(struct shim_link *link)
{
    if (--link->references == 0)
        link_free(link);
}

/* The process's link, or a new one, with a reference more; `fresh` says which. */
static struct shim_link *take(bool *fresh, int *error)
{
    pthread_mutex_lock(&process.lock);
    struct shim_link *link = process.link;
    *fresh = !link;
    if (link)
        link->references++;
    else
        link = process.link = link_make(error);
    pthread_mutex_unlock(&process.lock);
    return link;
}

static void replace(struct shim_link *link)
{
    pthread_mutex_lock(&process.lock);
    if (process.link == link) {
        process.link = NULL;
        link->references--; /* the caller has another */
    }
    put_locked(link);
    pthread_mutex_unlock(&process.lock);
}

/* Whether it lives is asked without the lock: while another channel is looked for, the answer takes a while. */
struct shim_link *shim_link_get(int *error)
{
    struct shim_link *link;
    bool fresh;

    pthread_once(&process.once, watch_forks);
    *error = 0;
    while ((link = take(&fresh, error)) && !fresh && !lives(link))
        replace(link);
    return link;
}

void shim_link_keep(struct shim_link *link)
{
    pthread_mutex_lock(&process.lock);
    link->references++;
    pthread_mutex_unlock(&process.lock);
}

void shim_link_put(struct shim_link *link)
{
    if (!shim_link_is_ours(link))
        return;
    pthread_mutex_lock(&process.lock);
    put_locked(link);
    pthread_mutex_unlock(&process.lock);
}

bool link_is_wanted(struct shim_link *link)
{
    pthread_mutex_lock(&process.lock);
    bool wanted = link->references > (process.link == link ? 2 : 1);
    pthread_mutex_unlock(&process.lock);
    return wanted;
}

bool shim_link_lives(struct shim_link *link)
{
    return __atomic_load_n(&link->dead, __ATOMIC_ACQUIRE) == 0;
}

const struct shim_device *shim_link_devices(struct shim_link *link, uint32_t *count)
{
    *count = link->device_count;
    return link->devices;
}

/* --- its channel ----------------------------------------------------------------------------------------- */

/* Waits for news of the link until then. The lock is held. */
static bool wait_until(struct shim_link *link, uint64_t deadline)
{
    struct timespec when = {.tv_sec = (time_t)(deadline / PARACORE_NS_PER_S),
                            .tv_nsec = (long)(deadline % PARACORE_NS_PER_S)};

    return pthread_cond_timedwait(&link->idle, &link->lock, &when) == 0;
}

int use_begin(struct shim_link *link, struct use *use)
{
    uint64_t deadline = paracore_deadline(SHIM_CALL_NS);
    int error = 0;

    pthread_mutex_lock(&link->lock);
    while (link->lost && error == 0)
        if (!wait_until(link, deadline))
            error = -ETIMEDOUT;
    if (error == 0)
        error = link->dead;
    if (error == 0) {
        link->users++;
        *use = (struct use){.channel = link->channel, .turn = link->turn};
    }
    pthread_mutex_unlock(&link->lock);
    return error;
}

void use_end(struct shim_link *link)
{
    pthread_mutex_lock(&link->lock);
    if (--link->users == 0)
        pthread_cond_broadcast(&link->idle);
    pthread_mutex_unlock(&link->lock);
}

bool use_again(struct shim_link *link, const struct use *use)
{
    uint64_t deadline = paracore_deadline(SHIM_CALL_NS);
    bool waits = true;

    pthread_mutex_lock(&link->lock);
    waits = link->pumping && link->recovers && !pthread_equal(link->pump, pthread_self());
    while (waits && !link->dead && (link->lost || link->turn == use->turn))
        waits = wait_until(link, deadline);
    waits &= !link->dead;
    pthread_mutex_unlock(&link->lock);
    return waits;
}
