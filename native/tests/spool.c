/* SPDX-License-Identifier: Apache-2.0 */
/* The spool: units lie apart, in the spool, whatever is taken and given back in whatever order; and none is forgotten. */
#include "spool.h"

#include <stdbool.h>
#include <string.h>

#include "check.h"

#define ROUNDS 200000

static struct spool spool;
static struct spool_unit taken[SPOOL_UNITS]; /* that are not given back, by what the test knows */
static uint32_t count, last_cookie;

static bool apart(uint32_t begin, uint32_t end)
{
    for (uint32_t n = 0; n < count; n++)
        if (begin < taken[n].end && taken[n].begin < end)
            return false;
    return true;
}

static bool take(uint32_t length)
{
    uint32_t begin, cookie = ++last_cookie;

    if (!spool_take(&spool, length, cookie, &begin))
        return false;
    CHECK(count < SPOOL_UNITS && begin + length <= SPOOL_SIZE && apart(begin, begin + length));
    taken[count++] = (struct spool_unit){.cookie = cookie, .begin = begin, .end = begin + length};
    return true;
}

static void give_back(uint32_t n)
{
    CHECK(spool_give_back(&spool, taken[n].cookie));
    CHECK(!spool_give_back(&spool, taken[n].cookie));
    memmove(&taken[n], &taken[n + 1], (--count - n) * sizeof taken[0]);
}

static void forget(void)
{
    spool_clear(&spool);
    count = 0;
}

static void check_ends(void)
{
    CHECK(!take(0));
    CHECK(!take(SPOOL_UNIT_MAX + 1));
    for (uint32_t n = 0; n < SPOOL_SIZE / SPOOL_UNIT_MAX; n++)
        CHECK(take(SPOOL_UNIT_MAX));
    CHECK(!take(1));
    give_back(0);
    CHECK(take(SPOOL_UNIT_MAX) && !take(1));
    forget();
    for (uint32_t n = 0; n < SPOOL_UNITS; n++)
        CHECK(take(1));
    CHECK(!take(1));
    forget();
    CHECK(!spool_give_back(&spool, last_cookie));
}

/* A backend gives units back in their order, nearly always. */
static void check_any(void)
{
    uint64_t state = 1;

    for (unsigned n = 0; n < ROUNDS; n++) {
        uint32_t most = next_random(&state) % 4 ? 1 << 14 : SPOOL_UNIT_MAX;
        if (next_random(&state) % 2)
            take(next_random(&state) % most + 1);
        else if (count)
            give_back(next_random(&state) % 8 ? 0 : next_random(&state) % count);
        if (count == 0)
            CHECK(take(SPOOL_UNIT_MAX)); /* all its room is there again */
    }
    while (count)
        give_back(count - 1);
    CHECK(spool.count == 0);
}

int main(void)
{
    check_ends();
    check_any();
    return 0;
}
