/* SPDX-License-Identifier: Apache-2.0 */
/* What whoever started the program wishes of its sessions, by its environment (cli/_environment.py). What is not
 * understood is as good as not set: a program is not to fail of it. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

enum {
    PER_SECONDS = 1000, /* the control counts pictures in as many */
    /* Of either number of a rate: 240000/1001 is the largest in use. */
    TERM_MAX = 1000000,
};

bool wish_recovers(void)
{
    const char *wish = getenv("PARACORE_ON_LOSS");

    return !wish || strcmp(wish, "fail") != 0;
}

/* A number without sign and blanks; 0 when there is none, or it is too large. */
static uint64_t term(const char **text)
{
    uint64_t value = 0;

    for (; **text >= '0' && **text <= '9' && value <= TERM_MAX; (*text)++)
        value = value * 10 + (uint64_t)(**text - '0');
    return value <= TERM_MAX ? value : 0;
}

int64_t wish_rate(void)
{
    const char *text = getenv("PARACORE_RATE");

    if (!text)
        return 0;
    uint64_t count = term(&text), seconds = *text == '/' ? (text++, term(&text)) : 1;
    return *text || !seconds ? 0 : (int64_t)((count * PER_SECONDS + seconds / 2) / seconds);
}
