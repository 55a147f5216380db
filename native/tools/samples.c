/* SPDX-License-Identifier: Apache-2.0 */
#include "samples.h"

#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

void samples_create(struct samples *samples, size_t capacity)
{
    *samples = (struct samples){.ns = calloc(capacity, sizeof *samples->ns), .capacity = capacity};
    if (!samples->ns)
        err(1, "%zu samples", capacity);
}

void samples_add(struct samples *samples, uint64_t ns)
{
    if (samples->count < samples->capacity)
        samples->ns[samples->count++] = ns;
}

static int compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

void samples_print(struct samples *samples, const char *name)
{
    qsort(samples->ns, samples->count, sizeof *samples->ns, compare);
    printf("{\"name\": \"%s\", \"count\": %zu, \"median_ns\": %" PRIu64 ", \"p99_ns\": %" PRIu64
           ", \"minimum_ns\": %" PRIu64 "}\n",
           name, samples->count, samples->ns[samples->count / 2], samples->ns[samples->count * 99 / 100],
           samples->ns[0]);
    free(samples->ns);
}

size_t parse_count(const char *text)
{
    char *end;
    unsigned long count = strtoul(text, &end, 10);

    if (*end || count == 0 || count > 100000000)
        errx(2, "%s: a number from 1 to 100000000 is wanted", text);
    return count;
}
