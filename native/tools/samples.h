/* SPDX-License-Identifier: Apache-2.0 */
/* Round-trip times and what is said of them: one line of JSON on standard output. */
#ifndef PARACORE_SAMPLES_H
#define PARACORE_SAMPLES_H

#include <stddef.h>
#include <stdint.h>

struct samples {
    uint64_t *ns;
    size_t count;
    size_t capacity;
};

/* Ends the program when there is no memory. */
void samples_create(struct samples *samples, size_t capacity);
void samples_add(struct samples *samples, uint64_t ns);
/* Sorts them and prints {"name", "count", "median_ns", "p99_ns", "minimum_ns"}. */
void samples_print(struct samples *samples, const char *name);

/* The positive number that an argument is; ends the program when it is none. */
size_t parse_count(const char *text);

#endif
