/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a decoder would have to be given again if its device were lost now, sans-I/O.
 *
 * The rules are those of the Python API, and are explained there: frontend/_history.py. In short: each unit of input has a
 * number, which goes over the wire in the place of its timestamp and comes back with its pictures. Units are kept, in
 * memory of the program's, from the newest access point on: a key picture that has been shown, behind which a picture
 * has been shown that trails it, and before which nothing is to come any more. When the device is lost they are due again; the
 * pictures that had come of them come again, are counted off and are not delivered. A drain that is complete, and a
 * flush, are access points as well.
 *
 * One thread at a time. Nobody is trusted with anything here: a device that lies about its pictures could have lied in
 * their samples.
 */
#ifndef PARACORE_SHIMS_HISTORY_H
#define PARACORE_SHIMS_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct history;

/* A stream's history may be of any length: these are what is kept of it. Beyond it the stream cannot be taken up again,
 * until its next access point. */
#define HISTORY_OCTETS_MAX (UINT64_C(64) << 20) /* ten seconds at 50 Mb/s */
#define HISTORY_UNITS_MAX UINT64_C(8192)        /* two minutes at 60 pictures a second */

/* Of a decoder of this codec; NULL without memory. */
struct history *history_create(uint32_t codec, uint64_t octets_max, uint64_t units_max);
void history_free(struct history *history);

/* --- as the stream goes --- */

/* A unit that is given to the device, now or when it is due. Its octets are copied. Returns its number, or a negative
 * error: -ENOMEM. */
int64_t history_append(struct history *history, const uint8_t *octets, uint32_t length, uint32_t flags,
                       int64_t timestamp, int64_t duration);

/* The codec could make nothing of it. */
void history_refused(struct history *history, int64_t number);

/* A picture has come: `number` is what the device says in the place of its timestamp; `generation` is that of its
 * format. Returns whether it is to be delivered, with the time of its unit. */
bool history_picture(struct history *history, int64_t number, bool key, uint32_t generation, int64_t *timestamp);

/* The stream ends here, for now. */
void history_drain(struct history *history);
/* All before the drain has been given out; the format is that of `generation`. */
void history_drained(struct history *history, uint32_t generation);
/* The device has forgotten all it had, and nobody wants any of it. */
void history_clear(struct history *history, uint32_t generation);

/* --- when the device is lost --- */

/* All is there to take the stream up again. */
bool history_is_usable(const struct history *history);
/* A new device knows nothing: all from the access point on is due again, and what comes until there is one. */
void history_lose(struct history *history);
/* There is one. */
void history_resume(struct history *history);
/* The format at the access point; 0 when none was told before it. */
uint32_t history_generation(const struct history *history);
/* The first unit that is kept. */
int64_t history_base(const struct history *history);

/* Something is due to the device that it, or its predecessor, should have been given before. */
bool history_is_behind(const struct history *history);
/* Pictures that have been delivered are still to come again. */
bool history_repeats(const struct history *history);
/* What is due next is the drain. */
bool history_drain_is_due(const struct history *history);

/* The unit that is due next. */
struct history_due {
    int64_t number;
    uint32_t flags;
    int64_t duration;
    size_t length; /* of all that is to be given */
};
/* False when there is none. */
bool history_due(const struct history *history, struct history_due *due);
/* What is to be given for it, `length` octets: the first after a loss brings the stream's parameter sets, also when nothing
 * was due and the unit is new. */
void history_write(const struct history *history, uint8_t *out);
/* What was due has been given. */
void history_given(struct history *history);

/* The largest unit that is due, with parameter sets. */
size_t history_largest(const struct history *history);

#endif
