/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The libav driver under a domain that does things in any order: queues, holds back, drains, flushes and closes at any
 * moment, while codec threads run. Every span given back must be one it had, every input must come back once,
 * and after a close the memory is unmapped at once: whoever still touches it ends the program.
 *
 * The streams are made by the driver's own encoders.
 */
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "clock.h"
#include "codec.h"
#include "gate.h"
#include "session.h"

enum { UNITS = 40, SPANS = 24, INPUTS = 6, ROOM = 1 << 16, SILENCE = 60000 };

struct stream {
    uint32_t codec, count;
    uint32_t length[UNITS];
    uint8_t octets[UNITS][ROOM];
};

struct player {
    struct paracore_codec *codec;
    int notify;
    uint8_t *memory; /* the output spans, one after the other */
    size_t span;     /* octets of each; 0: none told of yet */
    bool lent[SPANS];
    uint8_t *input[INPUTS];
    bool queued[INPUTS];
    uint32_t next, pictures, copies, changes, generation;
    bool draining;
};

/* --- the device's time --------------------------------------------------------------------------------- */

static struct paracore_gate *gate; /* of all decoders; NULL: there is nobody to share with */
static uint64_t leases;

/* Leases of any length; each third one ends as soon as it has begun. */
static void answer(void)
{
    uint32_t number;

    if (!gate || !(paracore_gate_words(gate, &number) & PARACORE_GATE_WANT))
        return;
    paracore_gate_lease(gate, number + 1, leases++ * 7919 % 300000);
    if (leases % 3 == 0)
        paracore_gate_lease(gate, number + 1, 0);
}

/* --- streams --------------------------------------------------------------------------------------- */

static struct paracore_codec *open_codec(uint32_t codec, uint32_t direction, uint32_t threads, int notify)
{
    struct paracore_codec_options options = {
        .codec = codec, .direction = direction, .threads = threads, .notify = notify,
        .gate = direction == PARACORE_DIRECTION_DECODE ? gate : NULL};
    struct paracore_codec *opened = NULL;
    int error = paracore_codec_open(&options, &opened);

    CHECK(error == 0 || error == -95);
    return opened;
}

static void await(int notify)
{
    struct pollfd ready = {.fd = notify, .events = POLLIN};
    uint64_t value;

    CHECK(poll(&ready, 1, SILENCE) == 1);
    CHECK(read(notify, &value, sizeof value) == sizeof value);
}

static void set(struct paracore_codec *codec, uint32_t control, int64_t value)
{
    (void)!paracore_codec_control_set(codec, control, &value); /* not every encoder has all */
}

static void paint(uint8_t *picture, const struct paracore_picture_format *format, uint32_t number)
{
    for (uint64_t n = 0; n < format->size; n++)
        picture[n] = (uint8_t)(n / 7 * (n >> 9) + number * 3);
}

static void keep_packet(struct stream *stream, const struct paracore_completion *done, const uint8_t *octets)
{
    if (done->flags & PARACORE_OUTPUT_FLAG_EMPTY)
        return;
    CHECK(stream->count < UNITS);
    stream->length[stream->count] = done->bytes_used;
    memcpy(stream->octets[stream->count++], octets, done->bytes_used);
}

static void encode(struct stream *stream, struct paracore_codec *codec, int notify)
{
    struct paracore_completion done;
    uint8_t *room = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bool drained = false;

    CHECK(!paracore_codec_queue_output(codec, 0, room, ROOM));
    CHECK(!paracore_codec_drain(codec));
    while (!drained) {
        await(notify);
        while (paracore_codec_completions(codec, &done, 1)) {
            drained = done.kind == PARACORE_COMPLETION_DRAINED;
            if (done.kind != PARACORE_COMPLETION_OUTPUT_READY)
                continue;
            keep_packet(stream, &done, room);
            CHECK(!paracore_codec_queue_output(codec, 0, room, ROOM));
        }
    }
    paracore_codec_close(codec);
    munmap(room, ROOM);
}

/* All pictures are queued before the drain; then the packets come one by one. */
static bool make_stream(struct stream *stream, uint32_t kind, uint32_t width, uint32_t height)
{
    struct paracore_picture_format format = {
        .pixel_format = PARACORE_PIXEL_FORMAT_YUV420P, .width = width, .height = height, .rate_num = 25, .rate_den = 1};
    int notify = eventfd(0, 0);
    struct paracore_codec *codec = open_codec(kind, PARACORE_DIRECTION_ENCODE, 1, notify);
    uint8_t *pictures;

    stream->codec = kind;
    if (!codec)
        return false;
    set(codec, PARACORE_CONTROL_PRESET, 0);
    set(codec, PARACORE_CONTROL_GOP, 9);
    set(codec, PARACORE_CONTROL_B_FRAMES, 2);
    CHECK(!paracore_codec_format_set(codec, &format));
    pictures = mmap(NULL, format.size * UNITS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (uint32_t n = 0; n < UNITS; n++) {
        paint(pictures + n * format.size, &format, n);
        CHECK(!paracore_codec_queue_input(codec, n, pictures + n * format.size, format.size, n, 1, 0));
    }
    encode(stream, codec, notify);
    munmap(pictures, format.size * UNITS);
    close(notify);
    return true;
}

/* --- a domain ------------------------------------------------------------------------------------------- */

static void start(struct player *player, const struct stream *stream, uint32_t threads)
{
    memset(player, 0, sizeof *player);
    player->notify = eventfd(0, EFD_NONBLOCK);
    player->codec = open_codec(stream->codec, PARACORE_DIRECTION_DECODE, threads, player->notify);
    CHECK(player->codec);
    for (int n = 0; n < INPUTS; n++)
        player->input[n] = mmap(NULL, ROOM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static void stop(struct player *player)
{
    paracore_codec_close(player->codec);
    if (player->memory)
        munmap(player->memory, player->span * SPANS);
    for (int n = 0; n < INPUTS; n++)
        munmap(player->input[n], ROOM);
    close(player->notify);
}

static void on_change(struct player *player, const struct paracore_completion *done)
{
    CHECK(done->generation == ++player->changes);
    if (player->memory)
        return;
    player->span = done->format.size * 2; /* room for whatever comes later */
    player->memory = mmap(NULL, player->span * SPANS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(player->memory != MAP_FAILED);
}

static void on_output(struct player *player, const struct paracore_completion *done)
{
    CHECK(done->cookie < SPANS && player->lent[done->cookie]);
    CHECK(done->generation >= player->generation && done->generation <= player->changes);
    player->copies += done->copied;
    player->generation = done->generation;
    player->lent[done->cookie] = false;
    player->pictures += !(done->flags & (PARACORE_OUTPUT_FLAG_EMPTY | PARACORE_OUTPUT_FLAG_CANCELLED));
}

static void on_input(struct player *player, const struct paracore_completion *done)
{
    CHECK(done->cookie < INPUTS && player->queued[done->cookie]);
    player->queued[done->cookie] = false;
}

static void take(struct player *player)
{
    struct paracore_completion done[5];
    uint64_t value;
    int count;

    answer();
    (void)!read(player->notify, &value, sizeof value);
    while ((count = paracore_codec_completions(player->codec, done, 5)))
        for (int n = 0; n < count; n++) {
            if (done[n].kind == PARACORE_COMPLETION_INPUT_DONE)
                on_input(player, &done[n]);
            else if (done[n].kind == PARACORE_COMPLETION_OUTPUT_READY)
                on_output(player, &done[n]);
            else if (done[n].kind == PARACORE_COMPLETION_SOURCE_CHANGE)
                on_change(player, &done[n]);
            else
                player->draining = false;
            CHECK(done[n].kind != PARACORE_COMPLETION_FAILED);
        }
}

static void lend(struct player *player, uint32_t most)
{
    for (uint32_t n = 0; player->memory && n < SPANS && most; n++)
        if (!player->lent[n]) {
            CHECK(!paracore_codec_queue_output(player->codec, n, player->memory + n * player->span, player->span));
            player->lent[n] = true;
            most--;
        }
}

/* Whether there was a free input for it. */
static bool send(struct player *player, const struct stream *stream, uint32_t unit)
{
    for (uint32_t n = 0; n < INPUTS; n++)
        if (!player->queued[n]) {
            memcpy(player->input[n], stream->octets[unit], stream->length[unit]);
            CHECK(!paracore_codec_queue_input(player->codec, n, player->input[n], stream->length[unit], unit, 1, 0));
            player->queued[n] = true;
            return true;
        }
    return false;
}

static void drain(struct player *player)
{
    int error = paracore_codec_drain(player->codec);

    CHECK(error == (player->draining ? -16 : 0));
    player->draining = true;
}

static void flush(struct player *player)
{
    CHECK(!paracore_codec_flush(player->codec));
    take(player);
    for (int n = 0; n < INPUTS; n++)
        CHECK(!player->queued[n]);
    player->draining = false;
}

/* --- tests ------------------------------------------------------------------------------------------------ */

static struct stream streams[4];
static size_t stream_count;

static void make_streams(void)
{
    static const struct {
        uint32_t codec, width, height;
    } WANTED[] = {
        {PARACORE_CODEC_H264, 96, 64},
        {PARACORE_CODEC_VP9, 64, 64},
        {PARACORE_CODEC_MJPEG, 64, 48},
        {PARACORE_CODEC_AV1, 64, 64},
    };
    for (size_t n = 0; n < sizeof WANTED / sizeof *WANTED; n++)
        if (make_stream(&streams[stream_count], WANTED[n].codec, WANTED[n].width, WANTED[n].height))
            stream_count++;
    CHECK(stream_count);
}

static void work_off(struct player *player)
{
    struct pollfd ready[] = {{.fd = player->notify, .events = POLLIN},
                             {.fd = gate ? paracore_gate_descriptor(gate) : -1, .events = POLLIN}};

    CHECK(poll(ready, 2, SILENCE) > 0);
    take(player);
    lend(player, SPANS);
}

static bool copies(uint32_t codec)
{
    uint64_t pixel_formats, controls;
    uint32_t flags;

    paracore_codec_capability(codec, PARACORE_DIRECTION_DECODE, &pixel_formats, &controls, &flags);
    return !(flags & PARACORE_CAPABILITY_FLAG_ZERO_COPY);
}

/* Everything once, in order: each unit becomes a picture, and none is copied unless the device says so. */
static void play(const struct stream *stream, uint32_t threads)
{
    struct player player;

    start(&player, stream, threads);
    while (player.next < stream->count) {
        if (send(&player, stream, player.next))
            player.next++;
        else
            work_off(&player);
    }
    drain(&player);
    while (player.draining)
        work_off(&player);
    CHECK(player.pictures == stream->count);
    CHECK(player.copies == (copies(stream->codec) ? stream->count : 0));
    stop(&player);
}

static void test_play(void)
{
    for (size_t n = 0; n < stream_count; n++)
        for (uint32_t threads = 1; threads <= 3; threads++)
            play(&streams[n], threads);
}

static void act(struct player *player, const struct stream *stream, uint64_t *random)
{
    switch (next_random(random) % 16) {
    case 0:
        flush(player);
        player->next = 0;
        break;
    case 1:
        drain(player);
        break;
    case 2:
        send(player, stream, next_random(random) % stream->count); /* out of its place */
        break;
    case 3:
        usleep(next_random(random) % 2000);
        break;
    case 4:
    case 5:
    case 6:
        lend(player, 1 + next_random(random) % 4);
        break;
    case 7:
    case 8:
    case 9:
        take(player);
        break;
    default:
        player->next += send(player, stream, player->next % stream->count);
    }
}

static void test_any_order(void)
{
    uint64_t random = 1;
    for (int round = 0; round < 120; round++) {
        const struct stream *stream = &streams[(size_t)round % stream_count];
        struct player player;
        start(&player, stream, 1 + next_random(&random) % 3);
        for (uint32_t left = next_random(&random) % 200; left; left--)
            act(&player, stream, &random);
        stop(&player);
    }
}

/* The same with a device whose time is leased. */
static void test_leased(void)
{
    CHECK(!paracore_gate_new(&gate));
    test_play();
    test_any_order();
    paracore_gate_free(gate);
    gate = NULL;
}

static void pass(uint64_t ns)
{
    for (uint64_t until = paracore_now() + ns; paracore_now() < until;)
        ;
}

/* What is waited for the domain is left out, whichever threads wait; what comes of a job begins another. */
static void test_job(void)
{
    struct paracore_codec codec = {.lock = PTHREAD_MUTEX_INITIALIZER};
    const struct slip unit = {.codec = &codec};
    TAILQ_INIT(&codec.inputs);
    CHECK(!paracore_codec_busy_since(&codec));
    paracore_job_advance(&codec, &unit);
    CHECK(!paracore_codec_busy_since(&codec));
    paracore_job_begin(&codec, &unit);
    uint64_t since = paracore_codec_busy_since(&codec);
    CHECK(since && since <= paracore_now());
    paracore_job_pause(&codec);
    paracore_job_pause(&codec);
    pass(2 * PARACORE_NS_PER_MS);
    paracore_job_resume(&codec);
    CHECK(!paracore_codec_busy_since(&codec));
    paracore_job_resume(&codec);
    CHECK(paracore_codec_busy_since(&codec) >= since + 2 * PARACORE_NS_PER_MS);
    since = paracore_codec_busy_since(&codec);
    CHECK(paracore_codec_busy_since(&codec) == since);
    paracore_job_advance(&codec, &unit);
    CHECK(paracore_codec_busy_since(&codec) > since);
    struct paracore_codec_times before, after;
    paracore_codec_times(&codec, &before);
    pass(2 * PARACORE_NS_PER_MS);
    paracore_job_end(&codec);
    CHECK(!paracore_codec_busy_since(&codec));
    paracore_codec_times(&codec, &after);
    CHECK(after.worked >= before.worked + 2 * PARACORE_NS_PER_MS && !after.waited);
    codec.pass.wish = GATE_WAITS;
    codec.pass.waits_since = paracore_now() - PARACORE_NS_PER_MS;
    paracore_codec_times(&codec, &after);
    CHECK(after.waited >= PARACORE_NS_PER_MS);
}

/* Between two units there is one in a moment, unless it is another session's turn. */
static void test_job_due(void)
{
    struct paracore_codec codec = {.lock = PTHREAD_MUTEX_INITIALIZER};
    struct slip slip = {.codec = &codec};
    TAILQ_INIT(&codec.inputs);
    TAILQ_INSERT_TAIL(&codec.inputs, &slip, link);
    CHECK(paracore_codec_busy_since(&codec));
    codec.pass.wish = GATE_WAITS;
    CHECK(!paracore_codec_busy_since(&codec));
}

/* The stream's octets flipped anywhere: errors, but nothing that the sanitizers see. */
static void test_damaged(void)
{
    static struct stream damaged;
    uint64_t random = 7;
    for (int round = 0; round < 40; round++) {
        struct player player;
        damaged = streams[(size_t)round % stream_count];
        for (int flip = 0; flip < 30; flip++) {
            uint32_t unit = next_random(&random) % damaged.count;
            damaged.octets[unit][next_random(&random) % damaged.length[unit]] ^= (uint8_t)(1u << next_random(&random) % 8);
        }
        start(&player, &damaged, 1 + next_random(&random) % 2);
        for (uint32_t left = 150; left; left--) {
            player.next += send(&player, &damaged, player.next % damaged.count);
            take(&player);
            lend(&player, SPANS);
        }
        stop(&player);
    }
}

int main(void)
{
    static const struct test TESTS[] = {
        {"make the streams", make_streams},
        {"each unit becomes a picture", test_play},
        {"any order", test_any_order},
        {"the device's time is leased", test_leased},
        {"damaged streams", test_damaged},
        {"how long a job takes", test_job},
        {"a job that is due", test_job_due},
    };
    run_tests(TESTS, sizeof TESTS / sizeof *TESTS);
    return 0;
}
