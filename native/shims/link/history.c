/* SPDX-License-Identifier: Apache-2.0 */
/* See history.h. */
#include "history.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "parameters.h"

enum { NO_DRAIN = -1 };

struct unit {
    uint8_t *octets; /* NULL once they are forgotten */
    uint32_t length;
    uint32_t flags;
    int64_t timestamp; /* INT64_MIN: none */
    int64_t duration;
    uint32_t generation; /* of its first picture */
    uint32_t given;      /* pictures that have come of it */
    uint32_t again;      /* how many of those are still to come again */
    bool refused;
    bool key; /* its picture has come, and is one at which a decoder may be able to begin */
};

struct history {
    struct parameters parameters;
    uint64_t octets_max, units_max;
    struct unit *units; /* from `base` on */
    size_t count, capacity;
    struct unit *past; /* those before: of pictures that come in spite of all the time is still known */
    size_t past_count;
    uint64_t octets;
    int64_t base;
    int64_t kept; /* the first unit whose octets are kept */
    int64_t next; /* the next unit that is due to the device */
    int64_t drain;
    uint32_t generation; /* at the base */
    uint32_t repeats;    /* pictures that are to come again */
    uint32_t keys;       /* units flagged so */
    bool drain_due;
    bool lost; /* there is no device: not even what is new is given to one */
    bool unsaid; /* the device has yet to be given the parameter sets, which its predecessor had */
    bool fresh; /* no picture has come of the device: it may have looked at nothing that it was given */
    bool untold; /* the device does not say which unit a picture is of: nothing can be counted off */
};

struct history *history_create(uint32_t codec, uint64_t octets_max, uint64_t units_max)
{
    struct history *history = calloc(1, sizeof *history);

    if (!history)
        return NULL;
    parameters_init(&history->parameters, codec);
    history->octets_max = octets_max;
    history->units_max = units_max;
    history->drain = NO_DRAIN;
    history->generation = 1;
    return history;
}

void history_free(struct history *history)
{
    if (!history)
        return;
    for (size_t n = 0; n < history->count; n++)
        free(history->units[n].octets);
    parameters_clear(&history->parameters);
    free(history->units);
    free(history->past);
    free(history);
}

/* --- units ------------------------------------------------------------------------------------------------- */

static int64_t end_of(const struct history *history)
{
    return history->base + (int64_t)history->count;
}

/* Octets of parameter sets that are given before this unit. */
static size_t size_before(const struct history *history, int64_t number)
{
    return history->unsaid && number == history->next ? parameters_size(&history->parameters) : 0;
}

/* One that the device has been given. */
static struct unit *unit_of(struct history *history, int64_t number)
{
    if (number >= history->base && number < history->next)
        return &history->units[number - history->base];
    if (number < history->base && number >= history->base - (int64_t)history->past_count)
        return &history->past[number - (history->base - (int64_t)history->past_count)];
    return NULL;
}

static void forget(struct history *history, struct unit *unit)
{
    if (!unit->octets)
        return;
    parameters_take(&history->parameters, unit->octets, unit->length);
    history->octets -= unit->length;
    free(unit->octets);
    unit->octets = NULL;
}

/* The units before that one are past. Without memory they are at once forgotten. */
static void cut(struct history *history, int64_t number)
{
    size_t count = (size_t)(number - history->base);

    for (size_t n = 0; n < count; n++) {
        forget(history, &history->units[n]);
        history->repeats -= history->units[n].again;
        history->keys -= history->units[n].key;
        history->units[n].key = false;
    }
    struct unit *past = count ? malloc(count * sizeof *past) : NULL;
    if (past)
        memcpy(past, history->units, count * sizeof *past);
    free(history->past);
    history->past = past;
    history->past_count = past ? count : 0;
    history->count -= count;
    memmove(history->units, history->units + count, history->count * sizeof *history->units);
    history->base = number;
    if (history->kept < number)
        history->kept = number;
    if (history->next < number)
        history->next = number;
}

/* Forgets the octets that are too many, oldest first; and units that are as old as two histories: without an access
 * point, what is kept begins later. */
static void shorten(struct history *history)
{
    while (history->kept < end_of(history) && (history->octets > history->octets_max ||
                                              (uint64_t)(end_of(history) - history->kept) > history->units_max))
        forget(history, &history->units[history->kept++ - history->base]);
    if (history->count > 2 * history->units_max)
        cut(history, history->base + (int64_t)history->units_max);
}

static bool grow(struct history *history)
{
    size_t capacity = history->capacity ? 2 * history->capacity : 64;
    struct unit *units = history->count < history->capacity ? history->units
                                                            : realloc(history->units, capacity * sizeof *units);

    if (!units)
        return false;
    if (history->count == history->capacity)
        history->capacity = capacity;
    history->units = units;
    return true;
}

int64_t history_append(struct history *history, const uint8_t *octets, uint32_t length, uint32_t flags,
                       int64_t timestamp, int64_t duration)
{
    int64_t number = end_of(history);
    bool behind = history_is_behind(history) || size_before(history, number);
    uint8_t *copy = malloc(length ? length : 1);

    if (!copy || !grow(history)) {
        free(copy);
        return -ENOMEM;
    }
    memcpy(copy, octets, length);
    history->units[history->count++] = (struct unit){
        .octets = copy, .length = length, .flags = flags, .timestamp = timestamp, .duration = duration};
    history->octets += length;
    if (!behind) {
        history->next = number + 1;
        history->unsaid = false;
    }
    shorten(history);
    return number;
}

void history_refused(struct history *history, int64_t number)
{
    struct unit *unit = unit_of(history, number);

    if (unit)
        unit->refused = true;
}

/* --- access points ------------------------------------------------------------------------------------------ */

/* Whether its picture is surely earlier: when their timestamps say so. */
static bool is_shown_before(const struct unit *unit, const struct unit *other)
{
    return unit->timestamp != INT64_MIN && other->timestamp != INT64_MIN && unit->timestamp < other->timestamp;
}

/* Whether no picture can come any more of any unit before the key one. */
static bool all_settled(const struct history *history, size_t key, const struct unit *shown)
{
    for (size_t n = 0; n < key; n++) {
        const struct unit *unit = &history->units[n];
        if (!unit->given && !unit->refused && is_shown_before(shown, unit))
            return false;
    }
    return true;
}

/* Forgets what is not needed any more, now that this unit's picture has come. */
static void advance(struct history *history, size_t shown)
{
    struct unit picture = history->units[shown]; /* by value: what is cut moves it */
    int64_t number = history->base + (int64_t)shown;

    for (int64_t key = history->base; history->keys && key < number; key++) {
        struct unit *unit = &history->units[key - history->base];
        if (!unit->key)
            continue;
        if (is_shown_before(&picture, unit))
            return; /* it leads */
        unit->key = false;
        history->keys--;
        if (all_settled(history, (size_t)(key - history->base), &picture)) {
            history->generation = unit->generation;
            cut(history, key);
        }
    }
}

bool history_picture(struct history *history, int64_t number, bool key, uint32_t generation, int64_t *timestamp)
{
    struct unit *unit = unit_of(history, number);

    history->fresh = false;
    if (!unit) {
        history->untold = true;
        *timestamp = INT64_MIN;
        return true;
    }
    *timestamp = unit->timestamp;
    bool again = unit->again;
    if (again) {
        unit->again--;
        history->repeats -= number >= history->base;
    } else if (unit->given++ == 0) {
        unit->generation = generation;
    }
    if (number < history->base)
        return !again;
    if (key && number > history->base && !unit->key) {
        unit->key = true;
        history->keys++;
    }
    if (history->keys)
        advance(history, (size_t)(number - history->base));
    return !again;
}

void history_drain(struct history *history)
{
    bool behind = history_is_behind(history);

    history->drain = end_of(history);
    history->drain_due = behind;
}

void history_drained(struct history *history, uint32_t generation)
{
    if (history->drain == NO_DRAIN || history->drain_due)
        return;
    if (history->drain > history->base) /* else a device has given out what comes behind it */
        cut(history, history->drain);
    history->drain = NO_DRAIN;
    history->generation = generation ? generation : 1;
}

void history_clear(struct history *history, uint32_t generation)
{
    cut(history, end_of(history));
    history->next = history->base;
    history->unsaid |= history->fresh;
    history->drain = NO_DRAIN;
    history->drain_due = false;
    history->generation = generation ? generation : 1;
}

/* --- when the device is lost -------------------------------------------------------------------------------- */

bool history_is_usable(const struct history *history)
{
    return history->kept == history->base && !history->untold;
}

void history_lose(struct history *history)
{
    history->lost = history->unsaid = history->fresh = true;
    history->next = history->base;
    history->drain_due = history->drain != NO_DRAIN;
    history->repeats = history->keys = 0;
    for (size_t n = 0; n < history->count; n++) {
        history->units[n].again = history->units[n].given;
        history->units[n].key = false;
        history->repeats += history->units[n].again;
    }
}

void history_resume(struct history *history)
{
    history->lost = false;
}

uint32_t history_generation(const struct history *history)
{
    return history->generation;
}

int64_t history_base(const struct history *history)
{
    return history->base;
}

bool history_is_behind(const struct history *history)
{
    return history->lost || history->next < end_of(history) || history->drain_due;
}

bool history_repeats(const struct history *history)
{
    return history->repeats;
}

bool history_drain_is_due(const struct history *history)
{
    return history->drain_due && history->next >= history->drain;
}

static size_t size_of(const struct history *history, int64_t number)
{
    return size_before(history, number) + history->units[number - history->base].length;
}

bool history_due(const struct history *history, struct history_due *due)
{
    if (history->next >= end_of(history))
        return false;
    const struct unit *unit = &history->units[history->next - history->base];
    *due = (struct history_due){
        .number = history->next,
        .flags = unit->flags,
        .duration = unit->duration,
        .length = size_of(history, history->next),
    };
    return true;
}

void history_write(const struct history *history, uint8_t *out)
{
    const struct unit *unit = &history->units[history->next - history->base];

    if (history->unsaid) {
        parameters_write(&history->parameters, out);
        out += parameters_size(&history->parameters);
    }
    if (unit->octets)
        memcpy(out, unit->octets, unit->length);
}

void history_given(struct history *history)
{
    if (history_drain_is_due(history)) {
        history->drain_due = false;
    } else {
        history->next++;
        history->unsaid = false;
    }
}

size_t history_largest(const struct history *history)
{
    size_t largest = 0;

    for (int64_t number = history->next; number < end_of(history); number++)
        if (size_of(history, number) > largest)
            largest = size_of(history, number);
    return largest;
}
