/* SPDX-License-Identifier: Apache-2.0 */
/* What the device has made, until output.c can give it out: a queue, and what the device says about it. */
#include "omx.h"

#include <stdlib.h>
#include <string.h>

static const struct paracore_picture_format *format_of(const struct component *component, uint32_t generation)
{
    return &component->formats[generation % GENERATIONS];
}

/* --- the queue -------------------------------------------------------------------------------------------- */

static struct picture *add(struct component *component)
{
    struct picture *picture = calloc(1, sizeof *picture);

    if (picture)
        TAILQ_INSERT_TAIL(&component->pictures, picture, entry);
    else
        component_fail(component, OMX_ErrorInsufficientResources);
    return picture;
}

void picture_drop(struct component *component, struct picture *picture)
{
    TAILQ_REMOVE(&component->pictures, picture, entry);
    if (picture->slot) {
        picture->slot->filled = false;
        if (!picture->slot->buffer && !output_wants_own(component))
            slot_doom(picture->slot);
    }
    free(picture->octets);
    free(picture);
}

void output_forget(struct component *component)
{
    struct picture *picture;

    while ((picture = TAILQ_FIRST(&component->pictures)))
        picture_drop(component, picture);
}

void output_octets(struct component *component, const uint8_t *octets, uint32_t length, OMX_U32 flags)
{
    struct picture *picture = add(component);
    uint8_t *copy = picture ? malloc(length) : NULL;

    if (!copy)
        return;
    memcpy(copy, octets, length);
    picture->octets = copy;
    picture->length = length;
    picture->flags = flags;
    TAILQ_REMOVE(&component->pictures, picture, entry); /* before all that there is */
    TAILQ_INSERT_HEAD(&component->pictures, picture, entry);
}

/* --- outputs ---------------------------------------------------------------------------------------------- */

static OMX_U32 flags_of(const struct paracore_video_output_ready *ready)
{
    return (ready->flags & PARACORE_OUTPUT_FLAG_KEY ? OMX_BUFFERFLAG_SYNCFRAME : 0) |
           (ready->flags & PARACORE_OUTPUT_FLAG_ERROR ? OMX_BUFFERFLAG_DATACORRUPT : 0);
}

/* SAFETY: the backend says how much there is; libparacore does not know how long the span was. A picture of a format that
 * the client has been told to leave behind would wait for ever. */
static bool is_sound(const struct component *component, const struct slot *slot,
                     const struct paracore_video_output_ready *ready)
{
    if (!component->decodes)
        return ready->bytes_used <= slot->memory.length;
    uint32_t age = component->newest - ready->generation;
    return ready->generation && ready->generation >= component->announced &&
           ready->generation <= component->newest && age < GENERATIONS &&
           format_of(component, ready->generation)->size <= slot->memory.length;
}

static void keep(struct component *component, struct slot *slot, const struct paracore_video_output_ready *ready)
{
    struct picture *picture = is_sound(component, slot, ready) ? add(component) : NULL;

    if (!picture) {
        component_fail(component, OMX_ErrorHardware);
        return;
    }
    slot->filled = true;
    picture->slot = slot;
    picture->ready = *ready;
    picture->flags = flags_of(ready);
    picture->last = ready->flags & PARACORE_OUTPUT_FLAG_LAST;
    picture->length = ready->bytes_used;
    if (!component->decodes)
        component->required = 0;
}

static void unused(struct component *component, struct slot *slot, const struct paracore_video_output_ready *ready)
{
    bool small = ready->flags & PARACORE_OUTPUT_FLAG_CANCELLED;

    if (small && component->required < ready->bytes_used)
        component->required = ready->bytes_used;
    if (!slot->buffer && (slot->memory.length < component->required || !output_wants_own(component)))
        slot_doom(slot);
}

void output_ready(struct component *component, const struct paracore_video_output_ready *ready)
{
    struct slot *slot = slot_find(component, OUTPUT, ready->cookie);

    if (!slot || !slot->lent)
        return;
    slot->lent = false;
    slots_retry(component);
    if (ready->flags & PARACORE_OUTPUT_FLAG_LAST)
        component->ended = ready->generation;
    if (component->flush == FLUSH_SETTLING)
        return; /* of before the flush */
    if (ready->flags & (PARACORE_OUTPUT_FLAG_CANCELLED | PARACORE_OUTPUT_FLAG_EMPTY))
        unused(component, slot, ready);
    else
        keep(component, slot, ready);
}

/* --- formats and ends ---------------------------------------------------------------------------------------- */

void output_change(struct component *component, const struct paracore_video_source_change *change)
{
    if (!layout_is_sound(&change->format)) { /* one that OpenMAX IL 1.1.2 has no name for, such as 10 bit */
        component_fail(component, OMX_ErrorUnsupportedSetting);
        return;
    }
    if (change->generation != component->newest + 1 || component->newest - component->announced >= GENERATIONS - 1) {
        component_fail(component, OMX_ErrorHardware);
        return;
    }
    component->newest = change->generation;
    component->formats[change->generation % GENERATIONS] = change->format;
    component->required = change->format.size;
}

/* The end of the stream goes with its last picture, if that is still here, else in a buffer of its own. */
static void end(struct component *component)
{
    struct picture *last = TAILQ_LAST(&component->pictures, pictures);

    if (!last || !last->last)
        last = add(component);
    if (last)
        last->flags |= OMX_BUFFERFLAG_EOS;
}

void output_drained(struct component *component)
{
    bool settled = component->flush == FLUSH_SETTLING, renewed = component->reopening;

    if (!component->draining)
        return; /* nobody has asked */
    component->draining = component->reopening = false;
    component->fed = component->fed_after;
    component->fed_after = false;
    slots_retry(component);
    if (settled)
        component->flush = FLUSH_NONE;
    else if (!renewed)
        end(component);
}

void output_agree(struct component *component)
{
    component->agreed = component->offered;
}

void output_restart(struct component *component)
{
    component->newest = component->announced = component->offered = component->agreed = component->ended = 0;
    component->required = 0;
}
