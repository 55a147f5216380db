/* SPDX-License-Identifier: Apache-2.0 */
/* Devices of which a test says what they are ready for, in place of native/shims/v4l2/file.c and nodes.c. */
#ifndef PARACORE_TESTS_FAKE_FILE_H
#define PARACORE_TESTS_FAKE_FILE_H

#include <stdbool.h>

enum {
    FAKE_FIRST = 40, /* /dev/video40 and /dev/video41: numbers that no machine here has */
    FAKE_COUNT = 2,
    FAKE_MEDIA = 10, /* /dev/media50 is of /dev/video40 */
};

extern bool fake_present; /* whether there is a backend */

/* What file_poll() says from now on. */
void fake_set_state(short state);

/* Puts one octet into the program's descriptor, so that the kernel's poll() wakes up. */
void fake_wake(void);

/* Calls since the last time that was asked. */
int fake_polls(void);
int fake_failures(void);
int fake_reaps(void);

/* Called in the midst of file_ioctl(). */
extern void (*fake_within_ioctl)(void);

/* References that were not put back. */
int fake_references(void);

#endif
