/* SPDX-License-Identifier: Apache-2.0 */
#include "memory.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/queue.h>

struct mapping {
    LIST_ENTRY(mapping) entry;
    struct memory *memory;
    void *address;
    size_t length;
};

enum { AT_ONCE = 64 }; /* pieces of one grant */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static LIST_HEAD(, mapping) mappings = LIST_HEAD_INITIALIZER(mappings);
static unsigned mapping_count; /* atomic, for a quick look without the lock */
static struct memory *refused; /* the backend still uses them */

/* --- pages ------------------------------------------------------------------------------------------------ */

int error_of_backend(int error)
{
    switch (error) {
    case -ENOSPC:
    case -ENOMEM:
        return -ENOMEM;
    case -EBUSY:
    case -EINVAL:
        return error;
    default:
        return -EIO;
    }
}

static struct memory *of_piece(struct shim_link *link, struct shim_piece *piece)
{
    struct memory *memory = calloc(1, sizeof *memory);

    if (!memory) {
        shim_piece_drop(piece); /* nothing uses it yet */
        return NULL;
    }
    *memory = (struct memory){.piece = *piece, .link = link, .references = 1};
    return memory;
}

int memory_create(struct shim_link *link, uint64_t length, uint32_t flags, uint32_t count, struct memory **memories)
{
    struct shim_piece pieces[AT_ONCE];

    memory_sweep();
    int granted = shim_pieces_make(link, length, flags, count < AT_ONCE ? count : AT_ONCE, pieces);
    if (granted < 0)
        return error_of_backend(granted);
    count = 0;
    for (int i = 0; i < granted; i++) {
        struct memory *memory = of_piece(link, &pieces[i]);
        if (memory)
            memories[count++] = memory;
    }
    return count ? (int)count : -ENOMEM;
}

int memory_create_plain(uint64_t length, struct memory **out)
{
    struct memory *memory = calloc(1, sizeof *memory);

    if (!memory)
        return -ENOMEM;
    memory->piece.address = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory->piece.address == MAP_FAILED) {
        free(memory);
        return -ENOMEM;
    }
    memory->piece.length = length;
    memory->references = 1;
    *out = memory;
    return 0;
}

struct memory *memory_keep(struct memory *memory)
{
    __atomic_add_fetch(&memory->references, 1, __ATOMIC_RELAXED);
    return memory;
}

/* False when the backend has not let go of it. */
static bool destroy(struct memory *memory)
{
    if (!memory->piece.pages)
        munmap(memory->piece.address, memory->piece.length);
    else if (shim_piece_drop(&memory->piece) == -EBUSY)
        return false;
    free(memory);
    return true;
}

void memory_put(struct memory *memory)
{
    if (__atomic_sub_fetch(&memory->references, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    if (memory->link && !shim_link_is_ours(memory->link))
        return; /* the parent's */
    if (destroy(memory))
        return;
    pthread_mutex_lock(&lock);
    memory->next = refused;
    refused = memory;
    pthread_mutex_unlock(&lock);
}

static struct memory *take_refused(void)
{
    pthread_mutex_lock(&lock);
    struct memory *first = refused;
    refused = NULL;
    pthread_mutex_unlock(&lock);
    return first;
}

void memory_sweep(void)
{
    struct memory *still = NULL;

    for (struct memory *memory = take_refused(), *next; memory; memory = next) {
        next = memory->next;
        if (destroy(memory))
            continue;
        memory->next = still;
        still = memory;
    }
    while (still) {
        struct memory *memory = still;
        still = memory->next;
        pthread_mutex_lock(&lock);
        memory->next = refused;
        refused = memory;
        pthread_mutex_unlock(&lock);
    }
}

/* --- mappings --------------------------------------------------------------------------------------------- */

int memory_map(struct memory *memory, uint64_t offset, size_t length, void **address)
{
    struct mapping *mapping = calloc(1, sizeof *mapping);

    if (!mapping)
        return -ENOMEM;
    *mapping = (struct mapping){.memory = memory_keep(memory), .length = length};
    mapping->address = *address = (char *)memory->piece.address + offset;
    __atomic_add_fetch(&memory->mappings, 1, __ATOMIC_RELAXED);
    pthread_mutex_lock(&lock);
    LIST_INSERT_HEAD(&mappings, mapping, entry);
    pthread_mutex_unlock(&lock);
    __atomic_add_fetch(&mapping_count, 1, __ATOMIC_RELEASE);
    return 0;
}

static struct mapping *take_mapping(const void *address)
{
    struct mapping *mapping;

    pthread_mutex_lock(&lock);
    LIST_FOREACH(mapping, &mappings, entry)
        if (mapping->address == address)
            break;
    if (mapping)
        LIST_REMOVE(mapping, entry);
    pthread_mutex_unlock(&lock);
    return mapping;
}

int memory_unmap(void *address, size_t length)
{
    (void)length; /* a program unmaps what it mapped; the pages go with the last that uses them */
    if (__atomic_load_n(&mapping_count, __ATOMIC_ACQUIRE) == 0)
        return 0;
    struct mapping *mapping = take_mapping(address);
    if (!mapping)
        return 0;
    __atomic_sub_fetch(&mapping_count, 1, __ATOMIC_RELEASE);
    __atomic_sub_fetch(&mapping->memory->mappings, 1, __ATOMIC_RELAXED);
    memory_put(mapping->memory);
    free(mapping);
    return 1;
}
