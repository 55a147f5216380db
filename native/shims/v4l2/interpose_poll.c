/* SPDX-License-Identifier: Apache-2.0 */
/* poll() and its variants. */
#include "interpose_wait.h"

#include <errno.h>

static int poll_ours(struct wait *wait, struct pollfd *fds)
{
    int result = wait_run(wait);

    for (size_t n = 0; n < wait->count && result >= 0; n++)
        fds[n].revents = wait->fds[n].revents;
    wait_finish(wait);
    return (int)visit_answer(&wait->visit, result);
}

static int no_memory(int error)
{
    errno = -error;
    return -1;
}

/* poll(2): a negative time is for ever. */
static const struct timespec *of_milliseconds(int timeout, struct timespec *time)
{
    *time = (struct timespec){.tv_sec = timeout / 1000, .tv_nsec = timeout % 1000 * 1000000L};
    return timeout < 0 ? NULL : time;
}

#define POLL(name, parameters, arguments, timeout, mask)                                                           \
    static int name##_slow parameters                                                                              \
    {                                                                                                              \
        struct wait wait;                                                                                          \
        struct timespec time;                                                                                      \
        int error;                                                                                                 \
        (void)time;                                                                                                \
        if (!wait_begin(&wait, fds, count, timeout, mask, &error))                                                 \
            return REAL(name) arguments;                                                                           \
        return error ? no_memory(error) : poll_ours(&wait, fds);                                                   \
    }                                                                                                              \
    INTERPOSED int name parameters                                                                                 \
    {                                                                                                              \
        return wait_possible() ? name##_slow arguments : REAL(name) arguments;                                          \
    }

POLL(poll, (struct pollfd * fds, nfds_t count, int milliseconds), (fds, count, milliseconds),
     of_milliseconds(milliseconds, &time), NULL)
POLL(ppoll, (struct pollfd * fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask),
     (fds, count, timeout, mask), timeout, mask)
POLL(__poll_chk, (struct pollfd * fds, nfds_t count, int milliseconds, size_t room), (fds, count, milliseconds, room),
     of_milliseconds(milliseconds, &time), NULL)
POLL(__ppoll_chk,
     (struct pollfd * fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask, size_t room),
     (fds, count, timeout, mask, room), timeout, mask)
