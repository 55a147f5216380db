/* SPDX-License-Identifier: Apache-2.0 */
/* See trace.h. */
#include "trace_mark.h"

#include <string.h>

#include "clock.h"

_Static_assert(PARACORE_TRACE_SIZE == PARACORE_PAGE_SIZE + PARACORE_TRACE_RECORDS * sizeof(struct paracore_trace_record),
               "trace_size");

struct paracore_trace_page *paracore_trace_memory;

void paracore_trace_format(void *memory, uint32_t process)
{
    struct paracore_trace_page *page = memory;

    page->version = PARACORE_PROTOCOL_VERSION;
    page->records = PARACORE_TRACE_RECORDS;
    page->process = process;
}

void paracore_trace_begin(void *memory)
{
    __atomic_store_n(&paracore_trace_memory, memory, __ATOMIC_RELEASE);
}

static struct paracore_trace_record *place(struct paracore_trace_page *page, uint64_t number)
{
    uint8_t *records = (uint8_t *)page + PARACORE_PAGE_SIZE;

    return (struct paracore_trace_record *)(void *)records + number % PARACORE_TRACE_RECORDS;
}

/* No word of the record is seen before its number is gone. */
static void void_record(struct paracore_trace_record *record)
{
#ifdef __SANITIZE_THREAD__ /* it knows no fences */
    __atomic_exchange_n(&record->sequence, 0, __ATOMIC_SEQ_CST);
#else
    __atomic_store_n(&record->sequence, 0, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
#endif
}

/* SAFETY: other processes write there as well, and any of them may write what it likes. Nothing of it decides anything
 * here: the place is bounded whatever number is found. */
void paracore_trace_mark(uint32_t event, uint32_t channel, uint32_t session, uint32_t cookie, int64_t timestamp,
                         uint64_t value)
{
    struct paracore_trace_page *page = __atomic_load_n(&paracore_trace_memory, __ATOMIC_ACQUIRE);

    if (!page)
        return;
    uint64_t number = __atomic_fetch_add(&page->begun, 1, __ATOMIC_ACQ_REL);
    struct paracore_trace_record *record = place(page, number);
    void_record(record);
    record->time = paracore_now();
    record->event = event;
    record->channel = channel;
    record->session = session;
    record->cookie = cookie;
    record->timestamp = timestamp;
    record->value = value;
    __atomic_store_n(&record->sequence, number + 1, __ATOMIC_RELEASE);
}

/* --- messages --------------------------------------------------------------------------------- */

struct facts {
    uint32_t cookie;
    int64_t timestamp;
    uint64_t value;
};

static void read_queue_input(const void *payload, struct facts *facts)
{
    struct paracore_video_queue_input input;

    memcpy(&input, payload, sizeof input);
    *facts = (struct facts){input.cookie, input.timestamp, (uint64_t)input.flags << 32 | input.span.length};
}

static void read_queue_output(const void *payload, struct facts *facts)
{
    struct paracore_video_queue_output output;

    memcpy(&output, payload, sizeof output);
    *facts = (struct facts){output.cookie, 0, output.span.length};
}

static void read_input_done(const void *payload, struct facts *facts)
{
    struct paracore_video_input_done done;

    memcpy(&done, payload, sizeof done);
    *facts = (struct facts){done.cookie, 0, done.error};
}

static void read_output_ready(const void *payload, struct facts *facts)
{
    struct paracore_video_output_ready ready;

    memcpy(&ready, payload, sizeof ready);
    *facts = (struct facts){ready.cookie, ready.timestamp, (uint64_t)ready.flags << 32 | ready.bytes_used};
}

static const struct row {
    uint16_t opcode;
    uint16_t event[2]; /* by the side that records */
    uint32_t size;
    void (*read)(const void *payload, struct facts *facts);
} rows[] = {
    {PARACORE_OP_VIDEO_QUEUE_INPUT,
     {[PARACORE_FRONTEND] = PARACORE_TRACE_EVENT_INPUT_POSTED, [PARACORE_BACKEND] = PARACORE_TRACE_EVENT_INPUT_SEEN},
     sizeof(struct paracore_video_queue_input),
     read_queue_input},
    {PARACORE_OP_VIDEO_QUEUE_OUTPUT,
     {[PARACORE_FRONTEND] = PARACORE_TRACE_EVENT_OUTPUT_POSTED, [PARACORE_BACKEND] = PARACORE_TRACE_EVENT_OUTPUT_SEEN},
     sizeof(struct paracore_video_queue_output),
     read_queue_output},
    {PARACORE_OP_VIDEO_INPUT_DONE,
     {[PARACORE_FRONTEND] = PARACORE_TRACE_EVENT_INPUT_RECEIVED, [PARACORE_BACKEND] = PARACORE_TRACE_EVENT_INPUT_TOLD},
     sizeof(struct paracore_video_input_done),
     read_input_done},
    {PARACORE_OP_VIDEO_OUTPUT_READY,
     {[PARACORE_FRONTEND] = PARACORE_TRACE_EVENT_OUTPUT_RECEIVED, [PARACORE_BACKEND] = PARACORE_TRACE_EVENT_OUTPUT_TOLD},
     sizeof(struct paracore_video_output_ready),
     read_output_ready},
};

void paracore_trace_record_message(enum paracore_role side, uint32_t channel, uint16_t opcode, uint32_t session,
                                   const void *payload, size_t size)
{
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        if (row->opcode != opcode || size < row->size)
            continue;
        struct facts facts;
        row->read(payload, &facts);
        paracore_trace_mark(row->event[side], channel, session, facts.cookie, facts.timestamp, facts.value);
    }
}
