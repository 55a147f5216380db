/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When things happened in a run, on the monotonic clock, which all processes of a machine share; and
 * the start signal, so that several programs can begin at once.
 */
#ifndef PARACORE_BENCH_CLOCK_H
#define PARACORE_BENCH_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

struct run_times {
    int64_t pictures;
    int64_t connecting; /* before there was anything */
    int64_t started;    /* before the codec was opened */
    int64_t first;      /* the first picture was there */
    int64_t ended;      /* the last one was */
};

static inline int64_t now_ns(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

/* Waits for a line of standard input, or its end: then false. */
static inline bool wait_for_line(void)
{
    int c;

    fflush(stdout);
    do
        c = getchar();
    while (c != '\n' && c != EOF);
    return c != EOF;
}

/* Says that all is prepared and waits for a line, or the end, of standard input. */
static inline void wait_for_start(void)
{
    puts("ready");
    wait_for_line();
}

static inline void count_picture(struct run_times *times)
{
    if (!times->pictures++)
        times->first = now_ns();
}

/* One line of JSON, in seconds. */
static inline void report_times(const struct run_times *times)
{
    printf("{\"pictures\": %lld, \"connecting\": %.9f, \"started\": %.9f, \"first\": %.9f, \"ended\": %.9f}\n",
           (long long)times->pictures, (double)times->connecting / 1e9, (double)times->started / 1e9,
           (double)times->first / 1e9, (double)times->ended / 1e9);
}

#endif
