/* SPDX-License-Identifier: Apache-2.0 */
/* The process's one link: made when it is needed, replaced when it has died, forgotten after a fork. */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>

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

static struct shim_link *link_make(int *error)
{
    struct paracore_options options = {.size = sizeof options, .connect_ns = CONNECT_NS};
    struct shim_link *link = calloc(1, sizeof *link);

    *error = -ENOMEM;
    if (!link)
        return NULL;
    link->age = process.age;
    link->references = 2; /* the process's and the caller's */
    pthread_mutex_init(&link->lock, NULL);
    pthread_cond_init(&link->idle, NULL);
    *error = paracore_open(NULL, &options, &link->channel, NULL);
    if (*error == 0)
        *error = devices_query(link);
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
    size_t size = sizeof reply;

    return paracore_call(link->channel, PARACORE_OP_CORE_PING, 0, &ping, sizeof ping, &reply, &size, NULL,
                         SHIM_CALL_NS) == 0;
}

/* The lock is held. */
static void put_locked(struct shim_link *link)
{
    if (--link->references == 0)
        link_free(link);
}

/* The lock is held. */
static struct shim_link *get_locked(int *error)
{
    if (process.link && !lives(process.link)) {
        put_locked(process.link);
        process.link = NULL;
    }
    if (!process.link)
        return process.link = link_make(error);
    process.link->references++;
    *error = 0;
    return process.link;
}

struct shim_link *shim_link_get(int *error)
{
    pthread_once(&process.once, watch_forks);
    pthread_mutex_lock(&process.lock);
    struct shim_link *link = get_locked(error);
    pthread_mutex_unlock(&process.lock);
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

bool shim_link_lives(struct shim_link *link)
{
    return __atomic_load_n(&link->dead, __ATOMIC_ACQUIRE) == 0;
}

const struct shim_device *shim_link_devices(struct shim_link *link, uint32_t *count)
{
    *count = link->device_count;
    return link->devices;
}

struct paracore_channel *shim_link_channel(struct shim_link *link)
{
    return link->channel;
}
