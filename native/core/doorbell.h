/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What wakes the other end of a channel: an eventfd or, between Xen domains, a port of an event channel.
 *
 * Theory of operation. An eventfd is never read: each write of it is an edge. An event channel is masked
 * from the moment it was rung until its port has been read and written back, and has one port only; whoever
 * is woken does both at once, before it looks at the rings, so that what comes meanwhile wakes it again.
 */
#ifndef PARACORE_DOORBELL_H
#define PARACORE_DOORBELL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* One end of it: `port` is 0 for an eventfd, else the descriptor is an evtchn device, opened non-blocking. */
struct paracore_doorbell {
    int fd;
    uint32_t port;
};

/* xen/evtchn.h: IOCTL_EVTCHN_NOTIFY, with struct ioctl_evtchn_notify. */
#define PARACORE_EVTCHN_NOTIFY _IOC(_IOC_NONE, 'E', 4, sizeof(uint32_t))

/* Writes an eventfd. False when it could not: its counter is full, hence not zero, which is all that was
 * wanted; a peer that fills it, or makes its descriptor blocking, holds up its own domain. */
static inline bool paracore_notify(int eventfd)
{
    static const uint64_t one = 1;

    return write(eventfd, &one, sizeof one) == sizeof one;
}

/* Rings. False when it could not: as paracore_notify, or the port is none of the descriptor's. */
static inline bool paracore_doorbell_ring(const struct paracore_doorbell *bell)
{
    uint32_t port = bell->port;

    return port ? ioctl(bell->fd, PARACORE_EVTCHN_NOTIFY, &port) == 0 : paracore_notify(bell->fd);
}

/* Has been woken: lets the next ring wake again. Before anything looks at the rings. */
static inline void paracore_doorbell_answer(const struct paracore_doorbell *bell)
{
    uint32_t port;

    if (bell->port && read(bell->fd, &port, sizeof port) == sizeof port) {
        ssize_t unmasked = write(bell->fd, &port, sizeof port);
        (void)unmasked; /* a port that has gone rings no more */
    }
}

#endif
