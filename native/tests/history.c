/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The history of a decoder's input against a stream that is made up: what is due after a loss at any point, and what is
 * dropped when it comes again. The rules' own proof is the Python API's: tests/unit/frontend/test_history.py.
 */
#include "history.h"

#include <errno.h>
#include <string.h>

#include "check.h"
#include "internal.h"
#include "paracore/protocol.h"
#include "parameters.h"

enum { GOP = 8, GOPS = 4, UNITS = GOP * GOPS };

/* --- a stream: each unit is its number, in four octets. Every other one is shown before the one it follows, also behind a
 * key picture: the groups are open. --- */

static bool is_key(int64_t number)
{
    return number % GOP == 0;
}

static int64_t time_of(int64_t number)
{
    return number ^ 1;
}

static int64_t shown_at(int64_t time)
{
    return time ^ 1;
}

static int64_t append(struct history *history, int64_t number)
{
    uint32_t octets = (uint32_t)number;

    return history_append(history, (const uint8_t *)&octets, sizeof octets, 0, time_of(number), 1);
}

static uint32_t octets_due(const struct history *history)
{
    struct history_due due;
    uint32_t octets = 0;

    CHECK(history_due(history, &due));
    CHECK(due.length == sizeof octets);
    history_write(history, (uint8_t *)&octets);
    CHECK(octets == (uint32_t)due.number);
    return octets;
}

static int64_t latest(int64_t picture)
{
    return picture | 1;
}

/* The device has given out so many pictures, and the units that they need. Returns how many were delivered. */
static int play(struct history *history, int64_t from, int64_t pictures, int64_t *next)
{
    int delivered = 0;

    for (int64_t n = from; n < pictures; n++) {
        int64_t number = shown_at(n), timestamp;
        while (*next <= latest(n))
            CHECK(append(history, (*next)++) >= 0);
        if (history_picture(history, number, is_key(number), 1, &timestamp)) {
            CHECK(timestamp == n);
            delivered++;
        }
    }
    return delivered;
}

/* --- tests ------------------------------------------------------------------------------------------------- */

static void give_all(struct history *history)
{
    struct history_due due;

    history_resume(history);
    while (history_due(history, &due)) {
        octets_due(history);
        history_given(history);
    }
    CHECK(!history_is_behind(history));
}

/* Lost behind any picture: the access point is a key picture, and each picture is delivered once. */
static void test_lost_anywhere(void)
{
    for (int64_t lost = 1; lost < UNITS - 1; lost++) {
        struct history *history = history_create(PARACORE_CODEC_VP8, HISTORY_OCTETS_MAX, HISTORY_UNITS_MAX);
        int64_t next = 0;

        CHECK(play(history, 0, lost, &next) == lost);
        CHECK(history_is_usable(history));
        int64_t base = history_base(history);
        CHECK(is_key(base) && base <= shown_at(lost - 1) && shown_at(lost - 1) - base <= GOP + 1);
        history_lose(history);
        CHECK(history_repeats(history));
        give_all(history);
        CHECK(play(history, base, UNITS - 1, &next) == UNITS - 1 - lost);
        CHECK(!history_repeats(history));
        history_free(history);
    }
}

/* Lost again while it is given again. */
static void test_lost_twice(void)
{
    struct history *history = history_create(PARACORE_CODEC_VP8, HISTORY_OCTETS_MAX, HISTORY_UNITS_MAX);
    int64_t next = 0;

    CHECK(play(history, 0, 13, &next) == 13);
    int64_t base = history_base(history);
    history_lose(history);
    octets_due(history);
    history_given(history);
    CHECK(append(history, next++) >= 0); /* waits its turn */
    CHECK(octets_due(history) == (uint32_t)base + 1);
    history_lose(history);
    CHECK(octets_due(history) == (uint32_t)base);
    give_all(history);
    CHECK(play(history, base, UNITS - 1, &next) == UNITS - 1 - 13);
    history_free(history);
}

static void test_drain(void)
{
    struct history *history = history_create(PARACORE_CODEC_VP8, HISTORY_OCTETS_MAX, HISTORY_UNITS_MAX);
    int64_t next = 0, timestamp;

    play(history, 0, GOP - 1, &next);
    history_drain(history);
    CHECK(!history_is_behind(history)); /* it is asked for now */
    int64_t after = append(history, next);
    history_lose(history);
    CHECK(history_base(history) == 0);
    history_resume(history);
    for (int64_t n = 0; n < after; n++) {
        CHECK(!history_drain_is_due(history));
        history_given(history);
    }
    CHECK(history_drain_is_due(history)); /* before what was sent behind it */
    history_given(history);
    CHECK(octets_due(history) == (uint32_t)next);
    history_given(history);
    CHECK(!history_is_behind(history));
    history_drained(history, 3);
    CHECK(history_base(history) == after && history_generation(history) == 3);
    CHECK(history_picture(history, after, true, 3, &timestamp));
    history_free(history);
}

/* What is sent while there is no device is given to the next one, also when no unit was kept. */
static void test_sent_without_a_device(void)
{
    struct history *history = history_create(PARACORE_CODEC_VP8, HISTORY_OCTETS_MAX, HISTORY_UNITS_MAX);

    history_lose(history);
    CHECK(append(history, 0) == 0);
    history_drain(history);
    CHECK(history_is_behind(history));
    history_resume(history);
    CHECK(octets_due(history) == 0);
    history_given(history);
    CHECK(history_drain_is_due(history));
    history_given(history);
    CHECK(!history_is_behind(history));
    history_free(history);
}

static void test_flush(void)
{
    struct history *history = history_create(PARACORE_CODEC_VP8, HISTORY_OCTETS_MAX, HISTORY_UNITS_MAX);
    int64_t next = 0, timestamp;

    play(history, 0, 5, &next);
    history_lose(history);
    history_clear(history, 2);
    history_resume(history);
    CHECK(!history_is_behind(history) && !history_repeats(history));
    CHECK(history_base(history) == next && history_generation(history) == 2);
    CHECK(!history_picture(history, 0, true, 1, &timestamp)); /* a late one, delivered before: still counted off */
    CHECK(history_is_usable(history));
    history_free(history);
}

static void test_refused_units_settle(void)
{
    struct history *history = history_create(PARACORE_CODEC_VP8, HISTORY_OCTETS_MAX, HISTORY_UNITS_MAX);
    int64_t timestamp;

    for (int64_t n = 0; n < 6; n++)
        CHECK(history_append(history, (const uint8_t *)"x", 1, 0, n == 1 ? 100 : n, 1) == n); /* unit 1: far ahead */
    history_picture(history, 0, true, 1, &timestamp);
    history_picture(history, 2, true, 1, &timestamp);
    history_picture(history, 3, false, 1, &timestamp);
    CHECK(history_base(history) == 0); /* a picture of unit 1 may still come */
    history_refused(history, 1);
    history_picture(history, 4, true, 1, &timestamp);
    history_picture(history, 5, false, 1, &timestamp);
    CHECK(history_base(history) == 4);
    history_free(history);
}

/* Beyond the bounds the stream is not usable, until its next access point; memory is bounded all the time. */
static void test_bounds(void)
{
    struct history *history = history_create(PARACORE_CODEC_VP8, 1 << 20, 4);
    int64_t timestamp;

    for (int64_t n = 0; n < 100; n++) {
        CHECK(history_append(history, (const uint8_t *)"octets", 6, 0, n, 1) == n);
        history_picture(history, n, false, 1, &timestamp);
        CHECK(history_is_usable(history) == (n < 4));
    }
    history_append(history, (const uint8_t *)"key", 3, 0, 100, 1);
    history_append(history, (const uint8_t *)"P", 1, 0, 101, 1);
    history_picture(history, 100, true, 7, &timestamp);
    history_picture(history, 101, false, 7, &timestamp);
    CHECK(history_is_usable(history) && history_base(history) == 100 && history_generation(history) == 7);
    history_free(history);
    history = history_create(PARACORE_CODEC_VP8, 10, 1000);
    history_append(history, (const uint8_t *)"octets", 6, 0, 0, 1);
    CHECK(history_is_usable(history));
    history_append(history, (const uint8_t *)"octets", 6, 0, 1, 1);
    CHECK(!history_is_usable(history));
    history_free(history);
}

static void test_a_device_that_does_not_say_which(void)
{
    struct history *history = history_create(PARACORE_CODEC_VP8, HISTORY_OCTETS_MAX, HISTORY_UNITS_MAX);
    int64_t next = 0, timestamp;

    play(history, 0, 3, &next);
    CHECK(history_picture(history, INT64_MIN, true, 1, &timestamp) && timestamp == INT64_MIN);
    CHECK(!history_is_usable(history));
    history_free(history);
}

static void test_parameter_sets(void)
{
    static const uint8_t first[] = {0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x68, 3, 0, 0, 1, 0x65, 9, 9};
    static const uint8_t second[] = {0, 0, 1, 0x68, 3, 0, 0, 1, 0x67, 4, 0, 0, 1, 0x65, 0, 0, 1, 0x67, 9};
    static const uint8_t both[] = {0, 0, 0, 1, 0x67, 1, 2, 0, 0, 0, 1, 0x68, 3, 0, 0, 0, 1, 0x67, 4};
    uint8_t out[sizeof both];
    struct parameters parameters;

    parameters_init(&parameters, PARACORE_CODEC_H264);
    parameters_take(&parameters, first, sizeof first);
    parameters_take(&parameters, second, sizeof second); /* behind the picture there is none */
    CHECK(parameters_size(&parameters) == sizeof both);
    parameters_write(&parameters, out);
    CHECK(memcmp(out, both, sizeof both) == 0);
    for (size_t length = 0; length < sizeof first; length++)
        parameters_take(&parameters, first, length); /* cut anywhere */
    parameters_clear(&parameters);
    parameters_init(&parameters, PARACORE_CODEC_VP9);
    parameters_take(&parameters, first, sizeof first);
    CHECK(parameters_size(&parameters) == 0);
}

static const uint8_t HEAD[] = {0, 0, 0, 1, 0x67, 1};
static const uint8_t PICTURE[] = {0, 0, 0, 1, 0x65, 9};

/* The next unit comes without parameter sets. Returns how many octets are due for it. */
static size_t due_for_picture(struct history *history)
{
    uint8_t out[sizeof HEAD + sizeof PICTURE];
    struct history_due due;

    CHECK(history_append(history, PICTURE, sizeof PICTURE, 0, 0, 1) >= 0);
    if (!history_due(history, &due))
        return 0;
    CHECK(due.length <= sizeof out);
    history_write(history, out);
    if (due.length == sizeof out)
        CHECK(memcmp(out, HEAD, sizeof HEAD) == 0 && memcmp(out + sizeof HEAD, PICTURE, sizeof PICTURE) == 0);
    history_given(history);
    return due.length;
}

/* A device that is lost while nothing is kept has taken the parameter sets with it as well. */
static void test_parameter_sets_of_an_empty_history(void)
{
    struct history *history = history_create(PARACORE_CODEC_H264, HISTORY_OCTETS_MAX, HISTORY_UNITS_MAX);
    int64_t timestamp;

    CHECK(history_append(history, HEAD, sizeof HEAD, 0, 0, 1) == 0);
    history_clear(history, 1);
    CHECK(due_for_picture(history) == 0); /* the device knows them */
    history_clear(history, 1);
    history_lose(history);
    history_resume(history);
    CHECK(!history_is_behind(history));
    CHECK(due_for_picture(history) == sizeof HEAD + sizeof PICTURE);
    CHECK(due_for_picture(history) == 0);
    history_clear(history, 1); /* before it has looked at any */
    CHECK(due_for_picture(history) == sizeof HEAD + sizeof PICTURE);
    CHECK(history_picture(history, history_base(history), true, 1, &timestamp));
    history_clear(history, 1);
    CHECK(due_for_picture(history) == 0);
    history_free(history);
}

/* Whatever a device says of its pictures, nothing but what was given is given again. */
static void test_at_random(void)
{
    uint64_t state = 88172645463325252;
    struct history *history = history_create(PARACORE_CODEC_H264, 400, 40);
    int64_t count = 0, timestamp;
    uint8_t octets[64];

    for (int step = 0; step < 200000; step++) {
        uint32_t what = next_random(&state) % 32, value = next_random(&state);
        struct history_due due;
        if (what < 12) {
            memset(octets, (int)(value & 1), sizeof octets);
            CHECK(history_append(history, octets, value % sizeof octets, 0, (int64_t)(value % 50), 1) == count++);
        } else if (what < 24) {
            history_picture(history, count - (int64_t)(value % 60), value & 1, 1, &timestamp);
        } else if (what == 24 && history_is_usable(history)) {
            history_lose(history);
        } else if (what == 25) {
            history_drain(history);
        } else if (what == 26) {
            history_drained(history, 1);
        } else if (what == 27) {
            history_clear(history, 1);
        } else if (what == 28) {
            history_refused(history, count - (int64_t)(value % 60));
        } else if (history_drain_is_due(history)) {
            history_given(history);
        } else if (history_due(history, &due) && due.length <= 1 << 19) {
            uint8_t *out = malloc(due.length ? due.length : 1);
            CHECK(out);
            history_write(history, out);
            free(out);
            history_given(history);
        }
        CHECK(history_base(history) <= count);
    }
    history_free(history);
}

/* What no worker survives is given to three more, and then to none; a picture in between is hope. */
static void test_fruitless_recoveries(void)
{
    struct shim_session session = {.recovers = true, .request.direction = PARACORE_DIRECTION_ENCODE};

    TAILQ_INIT(&session.sent);
    TAILQ_INIT(&session.loans);
    TAILQ_INIT(&session.words);
    for (int n = 0; n < FRUITLESS_MAX; n++)
        CHECK(replay_lose(&session));
    session.fruitless = 0; /* journal.c, at each picture */
    for (int n = 0; n < FRUITLESS_MAX; n++)
        CHECK(replay_lose(&session));
    CHECK(!replay_lose(&session) && !session.recovers);
    CHECK(!replay_lose(&session));
}

/* The generation in which pictures of this format come to the program. */
static uint32_t view_of(struct shim_session *session, uint32_t generation, struct paracore_picture_format format)
{
    struct paracore_event event = {.header.opcode = PARACORE_OP_VIDEO_SOURCE_CHANGE};
    struct paracore_video_source_change change = {.generation = generation, .format = format};

    memcpy(event.payload, &change, sizeof change);
    CHECK(journal_event(session, &event) == 0); /* the program knows it */
    return session->views[generation % GENERATIONS];
}

static const struct paracore_picture_format FIRST = {.width = 16, .height = 16, .size = 384, .buffers_min = 2};

/* The new device comes from the first format to that one, as the lost one had. */
static void go_on_to(struct paracore_picture_format second)
{
    struct shim_session session = {.recovers = true, .request.direction = PARACORE_DIRECTION_DECODE};

    TAILQ_INIT(&session.sent);
    TAILQ_INIT(&session.loans);
    TAILQ_INIT(&session.words);
    pthread_mutex_init(&session.lock, NULL);
    session.history = history_create(PARACORE_CODEC_H264, HISTORY_OCTETS_MAX, HISTORY_UNITS_MAX);
    session.unsettled = true;
    session.told = 2;
    session.formats[1] = FIRST;
    session.formats[2] = second;
    CHECK(view_of(&session, 1, FIRST) == 1);
    CHECK(view_of(&session, 2, FIRST) == 1);
    CHECK(view_of(&session, 3, second) == 2);
    CHECK(view_of(&session, 4, second) == 2);
    history_free(session.history);
    pthread_mutex_destroy(&session.lock);
}

static void test_formats_alike(void)
{
    struct paracore_picture_format second = FIRST;

    second.color_matrix = 9;
    go_on_to(second);
    second = FIRST;
    second.buffers_min = 3;
    go_on_to(second);
    second = FIRST;
    second.width = 8;
    go_on_to(second);
}

static const struct test TESTS[] = {
    {"lost anywhere", test_lost_anywhere},
    {"lost twice", test_lost_twice},
    {"drain", test_drain},
    {"sent without a device", test_sent_without_a_device},
    {"flush", test_flush},
    {"refused units settle", test_refused_units_settle},
    {"bounds", test_bounds},
    {"a device that does not say which", test_a_device_that_does_not_say_which},
    {"parameter sets", test_parameter_sets},
    {"parameter sets of an empty history", test_parameter_sets_of_an_empty_history},
    {"at random", test_at_random},
    {"fruitless recoveries", test_fruitless_recoveries},
    {"formats alike", test_formats_alike},
};

int main(void)
{
    run_tests(TESTS, sizeof TESTS / sizeof *TESTS);
    return 0;
}
