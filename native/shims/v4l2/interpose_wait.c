/* SPDX-License-Identifier: Apache-2.0 */
#include "interpose_wait.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define SHORT_NS INT64_C(1000000)
#define YEARS_S INT64_C(1000000000)

static int64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * NS_PER_S + time.tv_nsec;
}

/* A time that does not fit is as good as for ever. */
static int64_t end_of(const struct timespec *timeout)
{
    int64_t seconds = timeout->tv_sec < YEARS_S ? timeout->tv_sec : YEARS_S;

    return now() + seconds * NS_PER_S + timeout->tv_nsec;
}

int64_t wait_left(const struct wait *wait)
{
    int64_t left = wait->until - now();

    return left > 0 ? left : 0;
}

bool wait_possible(void)
{
    return !visiting && __atomic_load_n(&devices_opened, __ATOMIC_RELAXED);
}

/* --- beginning and ending ---------------------------------------------------------------------------- */

static bool has_ours(const struct pollfd *fds, size_t count)
{
    for (size_t n = 0; n < count; n++) {
        struct v4l2_file *file = fds[n].fd < 0 ? NULL : file_find(fds[n].fd);
        if (!file)
            continue;
        file_put(file);
        return true;
    }
    return false;
}

static bool wait_prepare(struct wait *wait, const struct pollfd *fds, size_t count)
{
    bool many = count > FEW;

    wait->fds = many ? malloc(count * sizeof *wait->fds) : wait->few_fds;
    wait->watches = many ? malloc(count * sizeof *wait->watches) : wait->few_watches;
    wait->count = 0;
    if (!wait->fds || !wait->watches)
        return false;
    for (; wait->count < count; wait->count++) {
        const struct pollfd *asked = &fds[wait->count];
        wait->fds[wait->count] = *asked;
        wait->watches[wait->count] = (struct watch){
            .file = asked->fd < 0 ? NULL : file_find(asked->fd),
            .fd = asked->fd,
            .counts = (short)(asked->events | POLLERR | POLLHUP | POLLNVAL),
        };
    }
    return true;
}

void wait_finish(struct wait *wait)
{
    for (size_t n = 0; n < wait->count; n++)
        if (wait->watches[n].file)
            file_put(wait->watches[n].file);
    if (wait->fds != wait->few_fds)
        free(wait->fds);
    if (wait->watches != wait->few_watches)
        free(wait->watches);
}

bool wait_begin(struct wait *wait, const struct pollfd *fds, size_t count, const struct timespec *timeout,
                const sigset_t *mask, int *error)
{
    *error = 0;
    if (timeout && (timeout->tv_sec < 0 || timeout->tv_nsec < 0 || timeout->tv_nsec >= NS_PER_S))
        return false; /* the kernel will say so */
    visit_begin(&wait->visit);
    bool ours = has_ours(fds, count);
    wait->until = timeout ? end_of(timeout) : -1;
    wait->mask = mask;
    if (ours && !wait_prepare(wait, fds, count)) {
        wait_finish(wait);
        *error = -ENOMEM;
    }
    if (!ours || *error)
        visit_end(&wait->visit);
    return ours;
}

/* --- one round --------------------------------------------------------------------------------------- */

static int devices_ready(const struct wait *wait)
{
    int ready = 0;

    for (size_t n = 0; n < wait->count; n++)
        ready += wait->watches[n].file && file_poll(wait->watches[n].file, wait->watches[n].counts) & wait->watches[n].counts;
    return ready;
}

/* How long the kernel is to wait; NULL is for ever. */
static const struct timespec *time_left(const struct wait *wait, bool ready, struct timespec *left)
{
    bool some_idle = false;

    for (size_t n = 0; n < wait->count; n++)
        some_idle |= wait->watches[n].file && wait->watches[n].idle;
    if (wait->until < 0 && !ready && !some_idle)
        return NULL;
    int64_t rest = ready ? 0 : wait->until < 0 ? SHORT_NS : wait_left(wait);
    if (some_idle && rest > SHORT_NS)
        rest = SHORT_NS;
    *left = (struct timespec){.tv_sec = rest / NS_PER_S, .tv_nsec = rest % NS_PER_S};
    return left;
}

/* What runs meanwhile (a handler of a signal) is no visit, and the thread may be cancelled as in any poll(). */
static int wait_kernel(struct wait *wait, bool ready)
{
    struct timespec left;
    const struct timespec *timeout = time_left(wait, ready, &left);
    int before = wait->visit.error;

    for (size_t n = 0; n < wait->count; n++) {
        wait->fds[n].fd = wait->watches[n].idle ? -1 : wait->watches[n].fd;
        wait->fds[n].revents = 0;
    }
    visit_end(&wait->visit);
    int said = REAL(ppoll)(wait->fds, wait->count, timeout, wait->mask);
    int error = said < 0 ? -errno : 0;
    visit_begin(&wait->visit);
    wait->visit.error = before;
    return error ? error : said;
}

/* Says what the descriptors are really ready for. Returns how many are. */
static int correct(struct wait *wait)
{
    int ready = 0;

    for (size_t n = 0; n < wait->count; n++) {
        struct watch *watch = &wait->watches[n];
        short said = wait->fds[n].revents;
        wait->fds[n].revents = (short)((watch->file ? file_poll(watch->file, watch->counts) : said) & watch->counts);
        /* one that is not ours stays left out: its readiness will not be another */
        watch->idle = (said && !wait->fds[n].revents) || (!watch->file && watch->idle);
        if (watch->file && wait->fds[n].revents & POLLERR)
            file_tell_failure(watch->file);
        ready += wait->fds[n].revents != 0;
    }
    return ready;
}

int wait_run(struct wait *wait)
{
    for (;;) {
        bool ready = devices_ready(wait) > 0;
        int said = wait_kernel(wait, ready);
        if (said < 0 && !(said == -EINTR && ready))
            return said;
        int count = correct(wait);
        if (count || (wait->until >= 0 && wait_left(wait) == 0))
            return count;
    }
}
