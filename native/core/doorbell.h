/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PARACORE_DOORBELL_H
#define PARACORE_DOORBELL_H

#include <stdbool.h>
#include <stdint.h>
#include <unistd.h>

/* Writes a doorbell. False when it could not: its counter is full, hence not zero, which is all that was
 * wanted; a peer that fills it, or makes its descriptor blocking, holds up its own domain. */
static inline bool paracore_notify(int eventfd)
{
    static const uint64_t one = 1;

    return write(eventfd, &one, sizeof one) == sizeof one;
}

#endif
