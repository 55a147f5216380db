/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Event channels without Xen. An end is a pseudo-terminal: a character device that polls, is read and is
 * written as /dev/xen/evtchn is; its other side is a thread that plays the hypervisor. The one ioctl is
 * caught by this program's own ioctl(), which stands before the C library's.
 *
 * As there, an end is masked from the time it was rung until its port is written back.
 */
#ifndef PARACORE_TEST_FAKE_EVTCHN_H
#define PARACORE_TEST_FAKE_EVTCHN_H

#include <stdbool.h>
#include <stdint.h>

struct fake_evtchn_end {
    int fd;
    uint32_t port;
};

/* False when this machine has no pseudo-terminals. */
bool fake_evtchn_available(void);
/* Two ends that ring each other; the descriptors are the caller's. */
void fake_evtchn_connect(struct fake_evtchn_end ends[2]);

#endif
