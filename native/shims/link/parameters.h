/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a decoder has learned of a stream's headers, sans-I/O: the parameter sets that a new one needs before it can go on.
 *
 * A stream may say its parameter sets once, at its beginning, and have access points without them ever after (H.264 from
 * a container at a recovery point, MPEG-2 without a repeated sequence header). Octets are the program's own and are only
 * looked through for start codes, as far as the unit's first picture data.
 */
#ifndef PARACORE_SHIMS_PARAMETERS_H
#define PARACORE_SHIMS_PARAMETERS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct parameter_set;
TAILQ_HEAD(parameter_sets, parameter_set);

struct parameters {
    const struct syntax *syntax; /* NULL: of a codec that has all it needs in each access point */
    struct parameter_sets sets;  /* in the order in which they were said last */
    uint32_t count;
    size_t octets;
};

void parameters_init(struct parameters *parameters, uint32_t codec);
void parameters_clear(struct parameters *parameters);

/* Looks through the head of a unit. */
void parameters_take(struct parameters *parameters, const uint8_t *octets, size_t length);

/* How many octets parameters_write() writes. */
size_t parameters_size(const struct parameters *parameters);
/* All of them, to be given before a unit. */
void parameters_write(const struct parameters *parameters, uint8_t *out);

#endif
