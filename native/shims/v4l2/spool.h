/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a decoder's units wait for the device, so that the program has its buffers back at once.
 *
 * Theory of operation. A program such as ffmpeg gives one unit for each buffer that comes back, and then waits: device and
 * program would work in turns, with four wake-ups for each picture. A real device has a memory of its own for the bit
 * stream, and so has this one: granted pages that units are copied into, some ten kilobytes each. It is a ring of
 * pieces in the order in which they were taken; those given back out of turn wait until it is theirs.
 */
#ifndef PARACORE_SHIMS_V4L2_SPOOL_H
#define PARACORE_SHIMS_V4L2_SPOOL_H

#include <stdbool.h>
#include <stdint.h>

enum {
    SPOOL_SIZE = 1 << 20,     /* octets, which count against the domain's limit: some dozen units of 1080p */
    SPOOL_UNIT_MAX = 1 << 18, /* a larger unit goes to the device where it is: several have to fit in here */
    SPOOL_UNITS = 16,         /* bounds what is shown after a seek by a program that does not flush, as ffmpeg does not */
};

struct spool_unit {
    uint32_t cookie;
    uint32_t begin, end; /* octets from the spool's beginning */
    bool over;           /* the backend has given it back */
};

struct spool {
    struct spool_unit units[SPOOL_UNITS];
    uint32_t first, count;
};

/* Takes room for a unit of 1 to SPOOL_UNIT_MAX octets. False when there is none. */
bool spool_take(struct spool *spool, uint32_t length, uint32_t cookie, uint32_t *begin);
/* A unit has come back. False when there is none of that name. */
bool spool_give_back(struct spool *spool, uint32_t cookie);
/* All have. */
void spool_clear(struct spool *spool);

#endif
