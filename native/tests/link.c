/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A decoder's program on the shims' link, whose backend loses its worker on the way: tests/integration/shims/test_link.py
 * runs it, and sees what becomes of it there. $PARACORE_SOCKET says where the backend is; the word is what it does.
 */
#include "link.h"

#include <semaphore.h>
#include <string.h>

#include "check.h"
#include "paracore/protocol.h"

enum { ROOM = 40960 };

static struct shim_link *backend;
static struct shim_session *session;
static struct shim_piece pieces[2]; /* a unit's, a picture's */
static sem_t picture, drained;

/* --- what it is told ------------------------------------------------------------------------------------------ */

static void hear_input(void *owner, const struct paracore_video_input_done *done)
{
    (void)owner, (void)done;
}

static void hear_output(void *owner, const struct paracore_video_output_ready *ready)
{
    (void)owner, (void)ready;
    sem_post(&picture);
}

static void hear_change(void *owner, const struct paracore_video_source_change *change)
{
    (void)owner, (void)change;
}

static void hear_drained(void *owner)
{
    (void)owner;
    sem_post(&drained);
}

static void hear_failure(void *owner, int error)
{
    (void)owner, (void)error;
    CHECK(!"a failure");
}

/* --- what it does ------------------------------------------------------------------------------------------------- */

static void begin(void)
{
    static const struct shim_listener listener = {.input_done = hear_input,
                                                  .output_ready = hear_output,
                                                  .source_change = hear_change,
                                                  .drained = hear_drained,
                                                  .failed = hear_failure};
    static const struct paracore_video_open request = {.codec = PARACORE_CODEC_H264,
                                                       .direction = PARACORE_DIRECTION_DECODE};
    int error;

    sem_init(&picture, 0, 0);
    sem_init(&drained, 0, 0);
    backend = shim_link_get(&error);
    CHECK(backend);
    CHECK(shim_session_open(backend, &request, (struct shim_stream){0}, &listener, NULL, &session) == 0);
    CHECK(shim_pieces_make(backend, ROOM, 0, 2, pieces) == 2);
}

static void end(void)
{
    shim_session_close(session);
    CHECK(shim_piece_drop(&pieces[0]) == 0 && shim_piece_drop(&pieces[1]) == 0);
    shim_link_put(backend);
}

static void give(const uint8_t *unit, uint32_t length)
{
    struct paracore_video_queue_input request = {.span = shim_piece_span(&pieces[0], 0, length), .cookie = 1};

    memcpy(pieces[0].address, unit, length);
    CHECK(shim_session_post(session, PARACORE_OP_VIDEO_QUEUE_INPUT, &request, sizeof request) == 0);
}

/* A call waits for the end of a recovery. */
static void recover(void)
{
    CHECK(shim_session_control(session, PARACORE_CONTROL_RATE, 25000) == 0);
}

/* Parameter sets and a picture, and a picture alone. */
static const uint8_t WHOLE[] = {0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x68, 3, 0, 0, 1, 0x65, 9, 9};
static const uint8_t BARE[] = {0, 0, 1, 0x65, 8, 8};

static void close_while_units_are_given_again(void)
{
    give(WHOLE, sizeof WHOLE);
    recover();
}

static void drain_what_is_empty(void)
{
    CHECK(shim_session_post(session, PARACORE_OP_VIDEO_DRAIN, NULL, 0) == 0);
    sem_wait(&drained);
    recover();
}

static void show(void)
{
    struct paracore_video_queue_output request = {.span = shim_piece_span(&pieces[1], 0, ROOM), .cookie = 1};

    CHECK(shim_session_post(session, PARACORE_OP_VIDEO_QUEUE_OUTPUT, &request, sizeof request) == 0);
    sem_wait(&picture);
}

static void seek(void)
{
    give(WHOLE, sizeof WHOLE);
    show();
    CHECK(shim_session_call(session, PARACORE_OP_VIDEO_FLUSH, NULL, 0, NULL, 0) == 0);
    recover();
    give(BARE, sizeof BARE);
    show();
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        {"close", close_while_units_are_given_again},
        {"drain", drain_what_is_empty},
        {"seek", seek},
    };

    for (size_t n = 0; argc > 1 && n < sizeof tests / sizeof *tests; n++) {
        if (strcmp(argv[1], tests[n].name) != 0)
            continue;
        begin();
        tests[n].run();
        end();
        return 0;
    }
    return 1;
}
