/* SPDX-License-Identifier: Apache-2.0 */
/* What the tests in C have in common. A test that fails says where and ends the program. */
#ifndef PARACORE_CHECK_H
#define PARACORE_CHECK_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define CHECK(fact)                                                                  \
    do {                                                                             \
        if (!(fact)) {                                                               \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #fact);       \
            abort();                                                                 \
        }                                                                            \
    } while (0)

struct test {
    const char *name;
    void (*run)(void);
};

static inline void run_tests(const struct test *tests, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        fprintf(stderr, "%s\n", tests[i].name);
        tests[i].run();
    }
}

/* xorshift64*: the same numbers on every machine. */
static inline uint32_t next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (uint32_t)(*state * UINT64_C(2685821657736338717) >> 32);
}

#endif
