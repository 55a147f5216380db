/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Granted memory. A slot that nobody needs any more is destroyed as soon as the device lets go of it: it may still have
 * it lent, or read its picture as a reference, and says so by refusing the detachment.
 */
#include "omx.h"

#include <errno.h>
#include <stdlib.h>

/* Inputs are read-only to the backend where that costs no copy. */
static uint32_t grant_flags(const struct component *component, uint32_t port)
{
    bool writable = component->entry.capability.flags & PARACORE_CAPABILITY_FLAG_WRITABLE_INPUT;

    return port == INPUT && !writable ? PARACORE_BUFFER_FLAG_READ_ONLY : 0;
}

static void add_made(struct slots *made, uint32_t port, struct shim_piece *piece)
{
    struct slot *slot = calloc(1, sizeof *slot);

    if (!slot) {
        shim_piece_drop(piece); /* nothing uses it yet */
        return;
    }
    slot->port = port;
    slot->memory = *piece;
    TAILQ_INSERT_TAIL(made, slot, entry);
}

int slots_make(struct component *component, uint32_t port, uint64_t length, uint32_t count, struct slots *made)
{
    struct shim_piece pieces[SLOTS_AT_ONCE];

    if (count > SLOTS_AT_ONCE)
        count = SLOTS_AT_ONCE;
    int granted = shim_pieces_make(component->link, length, grant_flags(component, port), count, pieces);
    for (int i = 0; i < granted; i++)
        add_made(made, port, &pieces[i]);
    if (granted < 0)
        return granted;
    return TAILQ_EMPTY(made) ? -ENOMEM : 0;
}

int slot_make(struct component *component, uint32_t port, uint64_t length, struct slot **slot)
{
    struct slots made = TAILQ_HEAD_INITIALIZER(made);
    int error = slots_make(component, port, length, 1, &made);

    *slot = TAILQ_FIRST(&made);
    return error;
}

struct slot *spare_take(struct component *component, uint32_t port, uint64_t length)
{
    struct slot *slot;

    TAILQ_FOREACH(slot, &component->spares, entry)
        if (slot->port == port && slot->memory.length >= length)
            break;
    if (slot)
        TAILQ_REMOVE(&component->spares, slot, entry);
    return slot;
}

void spares_doom(struct component *component)
{
    struct slot *slot;

    while ((slot = TAILQ_FIRST(&component->spares))) {
        TAILQ_REMOVE(&component->spares, slot, entry);
        slot_add(component, slot);
        slot_doom(slot);
    }
}
void slot_add(struct component *component, struct slot *slot)
{
    TAILQ_INSERT_TAIL(&component->slots, slot, entry);
}

uint32_t slot_lend(struct component *component, struct slot *slot)
{
    slot->lent = true;
    return slot->cookie = ++component->next_cookie;
}

struct slot *slot_find(struct component *component, uint32_t port, uint32_t cookie)
{
    struct slot *slot;

    TAILQ_FOREACH(slot, &component->slots, entry)
        if (slot->port == port && slot->cookie == cookie)
            break;
    return slot;
}

uint32_t slots_own(struct component *component)
{
    struct slot *slot;
    uint32_t count = 0;

    TAILQ_FOREACH(slot, &component->slots, entry)
        count += slot->port == OUTPUT && !slot->buffer && (slot->lent || slot->filled);
    return count;
}

/* An own slot that has done its duty. */
static bool is_over(const struct slot *slot)
{
    return slot->doomed && !slot->buffer && !slot->lent && !slot->filled;
}

void slot_doom(struct slot *slot)
{
    slot->buffer = NULL;
    slot->doomed = true;
    slot->untried = true;
}

static struct slot *first_over(struct component *component)
{
    struct slot *slot;

    TAILQ_FOREACH(slot, &component->slots, entry)
        if (is_over(slot) && slot->untried)
            break;
    return slot;
}

/* Lets go of the lock. The slot is off the list meanwhile: it is nobody else's. */
static void destroy(struct component *component, struct slot *slot)
{
    slot->untried = false;
    TAILQ_REMOVE(&component->slots, slot, entry);
    pthread_mutex_unlock(&component->lock);
    int error = shim_piece_drop(&slot->memory);
    pthread_mutex_lock(&component->lock);
    if (error == -EBUSY)
        TAILQ_INSERT_TAIL(&component->slots, slot, entry);
    else
        free(slot);
}

bool slots_sweep(struct component *component)
{
    struct slot *slot = first_over(component);

    if (slot)
        destroy(component, slot);
    return slot;
}

void slots_retry(struct component *component)
{
    struct slot *slot;

    TAILQ_FOREACH(slot, &component->slots, entry)
        slot->untried = true;
}

void slots_destroy(struct component *component)
{
    struct slot *slot;

    spares_doom(component);
    TAILQ_FOREACH(slot, &component->slots, entry)
        slot_doom(slot);
    while (slots_sweep(component))
        ;
}
