/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for descriptors of which one at least is a device of ours.
 *
 * Theory of operation. The waiting is the kernel's: a device's descriptor is a socket that becomes ready when the device
 * does (file.h). What it is ready for, file_poll() says; a socket cannot show an error while nothing streams, for one.
 * So each round first asks all devices, waits only if none has anything, and asks them again. A descriptor that
 * woke the kernel for nothing that counts is left out of the next round, which then is short: a device that has news
 * nevertheless is seen a millisecond late at most.
 */
#ifndef PARACORE_SHIMS_V4L2_INTERPOSE_WAIT_H
#define PARACORE_SHIMS_V4L2_INTERPOSE_WAIT_H

#include "interpose.h"

#define NS_PER_S INT64_C(1000000000)

enum { FEW = 64 }; /* so many descriptors need no memory of their own */

/* One descriptor that is waited for. */
struct watch {
    struct v4l2_file *file; /* with a reference; NULL when it is none of ours */
    int fd;
    short counts; /* what ends the wait */
    bool idle;    /* ready for nothing that counts */
};

struct wait {
    struct pollfd *fds; /* what the kernel is given, and what came of it */
    struct watch *watches;
    size_t count;
    int64_t until; /* CLOCK_MONOTONIC; negative: for ever */
    const sigset_t *mask;
    struct visit visit;
    struct pollfd few_fds[FEW];
    struct watch few_watches[FEW];
};

/* Whether it is worth a visit to look. */
bool wait_possible(void);

/* Begins a visit if one of the descriptors is ours; else returns false, and nothing has happened. A timeout of NULL is
 * for ever. With -ENOMEM in *error the visit is over. */
bool wait_begin(struct wait *wait, const struct pollfd *fds, size_t count, const struct timespec *timeout,
                const sigset_t *mask, int *error);

/* Returns how many descriptors have something that counts, in their `revents`, or a negative error. */
int wait_run(struct wait *wait);

/* Lets go of what it holds. The visit is still to be ended. */
void wait_finish(struct wait *wait);

/* Nanoseconds of the timeout that are left. */
int64_t wait_left(const struct wait *wait);

#endif
