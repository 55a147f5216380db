/* SPDX-License-Identifier: Apache-2.0 */
#include "spool.h"

enum { ALIGNMENT = 64 }; /* of a unit's beginning: a line of the processor's cache */

static struct spool_unit *unit(struct spool *spool, uint32_t n)
{
    return &spool->units[(spool->first + n) % SPOOL_UNITS];
}

/* Where `length` octets have room behind the last unit, or SPOOL_SIZE. */
static uint32_t find_room(struct spool *spool, uint32_t length)
{
    if (spool->count == 0)
        return 0;
    uint32_t front = unit(spool, 0)->begin, back = unit(spool, spool->count - 1)->end;
    back = (back + ALIGNMENT - 1) & ~(uint32_t)(ALIGNMENT - 1);
    if (unit(spool, spool->count - 1)->begin < front) /* it has wrapped: what is free lies between them */
        return back + length <= front ? back : SPOOL_SIZE;
    if (back + length <= SPOOL_SIZE)
        return back;
    return length <= front ? 0 : SPOOL_SIZE;
}

bool spool_take(struct spool *spool, uint32_t length, uint32_t cookie, uint32_t *begin)
{
    uint32_t at = length && length <= SPOOL_UNIT_MAX && spool->count < SPOOL_UNITS ? find_room(spool, length) : SPOOL_SIZE;

    if (at == SPOOL_SIZE)
        return false;
    *unit(spool, spool->count++) = (struct spool_unit){.cookie = cookie, .begin = at, .end = at + length};
    *begin = at;
    return true;
}

bool spool_give_back(struct spool *spool, uint32_t cookie)
{
    bool known = false;

    for (uint32_t n = 0; n < spool->count && !known; n++) {
        struct spool_unit *found = unit(spool, n);
        known = found->cookie == cookie && !found->over;
        found->over |= known;
    }
    for (; spool->count && unit(spool, 0)->over; spool->count--)
        spool->first = (spool->first + 1) % SPOOL_UNITS;
    return known;
}

void spool_clear(struct spool *spool)
{
    *spool = (struct spool){.count = 0};
}
