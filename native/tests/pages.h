/* SPDX-License-Identifier: Apache-2.0 */
/* Shared pages with both ends attached in one process. */
#ifndef PARACORE_TEST_PAGES_H
#define PARACORE_TEST_PAGES_H

#include <string.h>

#include "check.h"
#include "paracore/ring.h"

struct pages {
    void *mapping;
    struct paracore_ring frontend;
    struct paracore_ring backend;
};

static inline struct pages make_pages(uint32_t ring_order)
{
    struct pages pages = {.mapping = aligned_alloc(PARACORE_PAGE_SIZE, paracore_ring_mapping_size(ring_order))};

    CHECK(pages.mapping);
    memset(pages.mapping, 0, paracore_ring_mapping_size(ring_order));
    paracore_ring_format(pages.mapping, ring_order);
    CHECK(paracore_ring_attach(&pages.frontend, pages.mapping, ring_order, PARACORE_FRONTEND) == 0);
    CHECK(paracore_ring_attach(&pages.backend, pages.mapping, ring_order, PARACORE_BACKEND) == 0);
    return pages;
}

static inline void free_pages(struct pages *pages)
{
    free(pages->mapping);
}

/* A message of `size` octets in `octets`, its payload filled with the low octet of the serial. */
static inline void make_message(uint8_t *octets, uint32_t size, uint16_t opcode, uint32_t serial)
{
    struct paracore_message_header header = {.size = size, .opcode = opcode, .serial = serial};

    memcpy(octets, &header, sizeof header);
    memset(octets + sizeof header, (uint8_t)serial, size - sizeof header);
}

static inline int push_message(struct paracore_ring *ring, const uint8_t *octets, uint32_t size)
{
    struct iovec part = {(void *)(uintptr_t)octets, size};

    return paracore_ring_push(ring, &part, 1);
}

#endif
