/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Recording what happens to sessions into memory that somebody else reads: docs/protocol/trace.md.
 *
 * Off until somebody asks; trace_mark.h is what is called meanwhile. Any thread may record, at any time. Memory that
 * was recorded into stays mapped as long as the process lives, since a thread may just be at it.
 */
#ifndef PARACORE_TRACE_H
#define PARACORE_TRACE_H

#include <stdint.h>

#include "paracore/protocol.h"

/* Makes the first page of a new memory of PARACORE_TRACE_SIZE octets; all else in it is zero. */
void paracore_trace_format(void *memory, uint32_t process);
/* Records there from now on; NULL: no more. */
void paracore_trace_begin(void *memory);
/* Records one thing, if anybody wants to know: an enum paracore_trace_event. */
void paracore_trace_mark(uint32_t event, uint32_t channel, uint32_t session, uint32_t cookie, int64_t timestamp,
                         uint64_t value);

#endif
