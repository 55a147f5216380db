/* SPDX-License-Identifier: Apache-2.0 */
/* Time and patience, for what spins before it sleeps. */
#ifndef PARACORE_CLOCK_H
#define PARACORE_CLOCK_H

#include <limits.h>
#include <stdint.h>
#include <time.h>

#define PARACORE_NS_PER_S UINT64_C(1000000000)
#define PARACORE_NS_PER_MS UINT64_C(1000000)

static inline uint64_t paracore_time_of(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * PARACORE_NS_PER_S + (uint64_t)now.tv_nsec;
}

/* Nanoseconds of the monotonic clock. */
static inline uint64_t paracore_now(void)
{
    return paracore_time_of(CLOCK_MONOTONIC);
}

/* Nanoseconds that processors have worked for this process. */
static inline uint64_t paracore_work(void)
{
    return paracore_time_of(CLOCK_PROCESS_CPUTIME_ID);
}

/* The moment that lies `timeout_ns` ahead; UINT64_MAX is never, in both. */
static inline uint64_t paracore_deadline(uint64_t timeout_ns)
{
    uint64_t now = timeout_ns == UINT64_MAX ? 0 : paracore_now();

    return timeout_ns > UINT64_MAX - now ? UINT64_MAX : now + timeout_ns;
}

/* How long epoll and poll may sleep before a deadline: rounded up, -1 for ever. */
static inline int paracore_milliseconds_until(uint64_t deadline)
{
    if (deadline == UINT64_MAX)
        return -1;
    uint64_t now = paracore_now();
    uint64_t left = now >= deadline ? 0 : (deadline - now + PARACORE_NS_PER_MS - 1) / PARACORE_NS_PER_MS;
    return left > INT_MAX ? INT_MAX : (int)left;
}

/* Tells the processor that this is a spin: it saves power and lets its sibling thread run. */
static inline void paracore_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
    __asm__ volatile("yield" ::: "memory");
#endif
}

#endif
