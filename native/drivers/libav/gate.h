/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A device's time as one worker has it: leased by the supervisor, used by the sessions of the domain, given back at the
 * end of a unit. Leases have numbers, so that words which cross on their way are known for what they are.
 *
 * With no end to its lease a gate costs two locks a unit. With an end it looks at the processor time of the whole
 * process, which is what the supervisor charges: a codec's own threads are in it.
 *
 * All functions are called from the worker's thread; sessions pass the gate by session.h.
 */
#ifndef PARACORE_LIBAV_GATE_H
#define PARACORE_LIBAV_GATE_H

#include <stdint.h>

struct paracore_gate;

enum paracore_gate_word {
    PARACORE_GATE_WANT = 1,    /* a session has work, and there is no lease */
    PARACORE_GATE_RELEASE = 2, /* the lease is used up, or others wait and no session has work */
};

/* -ENOMEM. */
int paracore_gate_new(struct paracore_gate **gate);
/* No session uses it any more. */
void paracore_gate_free(struct paracore_gate *gate);
/* Polls readable while there may be words. */
int paracore_gate_descriptor(const struct paracore_gate *gate);
/* Nanoseconds of processor time from now; 0 ends the lease at the end of the unit. INT64_MAX is no end. */
void paracore_gate_lease(struct paracore_gate *gate, uint32_t number, uint64_t budget);
/* Takes the words, if any, with the number of the lease that they are about. */
uint32_t paracore_gate_words(struct paracore_gate *gate, uint32_t *number);

#endif
