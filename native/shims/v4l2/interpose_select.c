/* SPDX-License-Identifier: Apache-2.0 */
/* select() and pselect(): the sets become a list as poll() has it, and back. */
#include "interpose_wait.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* fs/select.c: what select() asks of a descriptor, and what it takes for an answer. */
enum {
    IN_ASKED = POLLIN | POLLRDNORM | POLLRDBAND,
    IN_SET = IN_ASKED | POLLHUP | POLLERR,
    OUT_ASKED = POLLOUT | POLLWRNORM | POLLWRBAND,
    OUT_SET = OUT_ASKED | POLLERR,
    EXCEPTION_SET = POLLPRI,
};

struct sets {
    int count;
    fd_set *in, *out, *exception;
};

/* A program may have more descriptors than an fd_set has bits, and a larger one of its own: the bits are its words'. */
static fd_mask bit(int fd)
{
    return (fd_mask)(1UL << fd % NFDBITS);
}

static bool is_set(const fd_set *set, int fd)
{
    return set && set->fds_bits[fd / NFDBITS] & bit(fd);
}

static size_t words(const struct sets *sets)
{
    return ((size_t)sets->count + NFDBITS - 1) / NFDBITS;
}

static short asked(const struct sets *sets, int fd)
{
    return (short)((is_set(sets->in, fd) ? IN_ASKED : 0) | (is_set(sets->out, fd) ? OUT_ASKED : 0) |
                   (is_set(sets->exception, fd) ? POLLPRI : 0));
}

static short counting(short events)
{
    return (short)((events & POLLIN ? IN_SET : 0) | (events & POLLOUT ? OUT_SET : 0) | (events & POLLPRI) | POLLNVAL);
}

static size_t gather(const struct sets *sets, struct pollfd *fds)
{
    size_t count = 0;

    for (int fd = 0; fd < sets->count; fd++) {
        short events = asked(sets, fd);
        if (events)
            fds[count++] = (struct pollfd){.fd = fd, .events = events};
    }
    return count;
}

static void clear(const struct sets *sets, fd_set *set)
{
    if (set)
        memset(set->fds_bits, 0, words(sets) * sizeof set->fds_bits[0]);
}

static int mark(fd_set *set, int fd, bool wanted, bool ready)
{
    if (!wanted || !ready)
        return 0;
    set->fds_bits[fd / NFDBITS] |= bit(fd);
    return 1;
}

static int tell(const struct sets *sets, const struct wait *wait)
{
    int count = 0;

    for (size_t n = 0; n < wait->count; n++)
        if (wait->fds[n].revents & POLLNVAL)
            return -EBADF;
    clear(sets, sets->in);
    clear(sets, sets->out);
    clear(sets, sets->exception);
    for (size_t n = 0; n < wait->count; n++) {
        short events = wait->fds[n].events, said = wait->fds[n].revents;
        int fd = wait->watches[n].fd;
        count += mark(sets->in, fd, events & POLLIN, said & IN_SET);
        count += mark(sets->out, fd, events & POLLOUT, said & OUT_SET);
        count += mark(sets->exception, fd, events & POLLPRI, said & EXCEPTION_SET);
    }
    return count;
}

/* Returns NOT_OURS, or what select() does with an error as a negative number. */
static int select_gathered(struct wait *wait, const struct sets *sets, const struct pollfd *fds, size_t count,
                           const struct timespec *timeout, const sigset_t *mask)
{
    int error;

    if (!wait_begin(wait, fds, count, timeout, mask, &error))
        return NOT_OURS;
    if (error)
        return error;
    for (size_t n = 0; n < wait->count; n++)
        wait->watches[n].counts = counting(wait->fds[n].events);
    int result = wait_run(wait);
    if (result >= 0)
        result = tell(sets, wait);
    wait_finish(wait);
    visit_end(&wait->visit);
    return result;
}

static int select_ours(struct wait *wait, const struct sets *sets, const struct timespec *timeout, const sigset_t *mask)
{
    struct pollfd few[FEW] = {0};
    struct pollfd *fds = sets->count > FEW ? malloc((size_t)sets->count * sizeof *fds) : few;
    int result = fds ? select_gathered(wait, sets, fds, gather(sets, fds), timeout, mask) : -ENOMEM;

    if (fds != few)
        free(fds);
    return result;
}

static bool select_possible(int count)
{
    return wait_possible() && count > 0;
}

static int answer(int result)
{
    if (result >= 0)
        return result;
    errno = -result;
    return -1;
}

/* select(2): Linux says in the timeout how much of it was left. */
static void say_left(const struct wait *wait, struct timeval *timeout)
{
    int64_t left = timeout ? wait_left(wait) : 0;

    if (timeout)
        *timeout = (struct timeval){.tv_sec = left / NS_PER_S, .tv_usec = left % NS_PER_S / 1000};
}

/* Microseconds may be more than a second. */
static struct timespec of_microseconds(const struct timeval *timeout)
{
    return (struct timespec){.tv_sec = timeout->tv_sec + timeout->tv_usec / 1000000,
                             .tv_nsec = timeout->tv_usec % 1000000 * 1000};
}

static int select_slow(const struct sets *sets, struct timeval *timeout)
{
    struct wait wait;
    struct timespec time = {0};

    if (timeout)
        time = of_microseconds(timeout);
    int result = select_ours(&wait, sets, timeout ? &time : NULL, NULL);
    if (result == NOT_OURS)
        return REAL(select)(sets->count, sets->in, sets->out, sets->exception, timeout);
    if (result != -ENOMEM)
        say_left(&wait, timeout);
    return answer(result);
}

INTERPOSED int select(int count, fd_set *in, fd_set *out, fd_set *exception, struct timeval *timeout)
{
    struct sets sets = {count, in, out, exception};

    return select_possible(count) ? select_slow(&sets, timeout) : REAL(select)(count, in, out, exception, timeout);
}

static int pselect_slow(const struct sets *sets, const struct timespec *timeout, const sigset_t *mask)
{
    struct wait wait;
    int result = select_ours(&wait, sets, timeout, mask);

    return result == NOT_OURS ? REAL(pselect)(sets->count, sets->in, sets->out, sets->exception, timeout, mask)
                              : answer(result);
}

INTERPOSED int pselect(int count, fd_set *in, fd_set *out, fd_set *exception, const struct timespec *timeout,
                       const sigset_t *mask)
{
    struct sets sets = {count, in, out, exception};

    return select_possible(count) ? pselect_slow(&sets, timeout, mask)
                                  : REAL(pselect)(count, in, out, exception, timeout, mask);
}
