/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Granted pages, counted: a buffer of a queue, a mapping of the program and a span that the backend still has may
 * each outlive the others.
 */
#ifndef PARACORE_SHIMS_V4L2_MEMORY_H
#define PARACORE_SHIMS_V4L2_MEMORY_H

#include <stdbool.h>

#include "link.h"

struct memory {
    struct shim_link *link; /* NULL: not granted */
    struct paracore_buffer buffer;
    unsigned references; /* atomic */
    unsigned mappings;   /* of the program; atomic */
    struct memory *next; /* while it waits for the backend to let go */
};

/* Grants pages. Returns 0 with one reference, -ENOMEM also for a limit of the domain, or -EIO. */
int memory_create(struct shim_link *link, uint64_t length, uint32_t flags, struct memory **memory);
/* The same of pages that are not granted. */
int memory_create_plain(uint64_t length, struct memory **memory);
struct memory *memory_keep(struct memory *memory);
/* Pages that the backend still uses are revoked later, by one of the following calls or memory_sweep(). */
void memory_put(struct memory *memory);
void memory_sweep(void);

/* The program's mappings: a piece of granted pages is handed out where it is mapped already. */
int memory_map(struct memory *memory, uint64_t offset, size_t length, void **address);
/* Returns 1 when the address was handed out by memory_map(), else 0. */
int memory_unmap(void *address, size_t length);

#endif
