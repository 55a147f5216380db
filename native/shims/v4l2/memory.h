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
    struct shim_piece piece; /* without `pages`: not granted */
    struct shim_link *link;  /* as long as there are pages */
    unsigned references; /* atomic */
    unsigned mappings;   /* of the program; atomic */
    struct memory *next; /* while it waits for the backend to let go */
};

/* What V4L2 says when a limit is in the way (ENOMEM, never ENOSPC) or the device is (EBUSY), and otherwise. */
int error_of_backend(int error);

/* Grants up to `count` pieces of so many octets, each with one reference. Returns how many, at least one, or -ENOMEM, also
 * for a limit of the domain, or -EIO. */
int memory_create(struct shim_link *link, uint64_t length, uint32_t flags, uint32_t count, struct memory **memories);
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
