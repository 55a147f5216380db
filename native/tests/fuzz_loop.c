/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Invariant: whatever is in the shared pages, the worker's loop hands over well-formed messages only, ends
 * at most the channel that holds the garbage, and a good channel beside it loses nothing.
 *
 *     test-fuzz-loop [MESSAGES [SEED]]
 *
 * A second thread rewrites the pages while they are read. All is traced meanwhile.
 */
#include <err.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "loop.h"
#include "pages.h"
#include "protocol_table.h"
#include "trace.h"

enum { ORDER = 2, HALF = 2 * PARACORE_PAGE_SIZE, GOOD = 1, BAD = 2, ENTRIES = 32 };

/* One channel as its domain sees it. */
struct domain {
    int pages;
    uint8_t *mapping;
    struct paracore_ring ring;
    int doorbell;
};

static uint64_t seed = 1;
static uint64_t fuzzed;
static bool stop, rewriting;

static struct domain make_domain(void)
{
    size_t size = paracore_ring_mapping_size(ORDER);
    struct domain domain = {.pages = memfd_create("paracore-fuzz", MFD_CLOEXEC), .doorbell = eventfd(0, EFD_NONBLOCK)};

    CHECK(domain.pages >= 0 && ftruncate(domain.pages, (off_t)size) == 0);
    domain.mapping = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, domain.pages, 0);
    CHECK(domain.mapping != MAP_FAILED);
    return domain;
}

/* Gives the loop a fresh channel in the pages of a domain. */
static void join_loop(struct paracore_loop *loop, struct domain *domain, uint32_t number)
{
    int back = eventfd(0, EFD_NONBLOCK);

    paracore_ring_format(domain->mapping, ORDER);
    CHECK(paracore_ring_attach(&domain->ring, domain->mapping, ORDER, PARACORE_FRONTEND) == 0);
    CHECK(paracore_loop_channel_add(loop, number, ORDER, dup(domain->pages), dup(domain->doorbell), back, 0) == 0);
}

static void free_domain(struct domain *domain)
{
    munmap(domain->mapping, paracore_ring_mapping_size(ORDER));
    close(domain->pages);
    close(domain->doorbell);
}

static void ring_bell(const struct domain *domain)
{
    static const uint64_t one = 1;

    CHECK(write(domain->doorbell, &one, sizeof one) == sizeof one);
}

/* --- garbage --------------------------------------------------------------------------------------- */

static void fill(uint8_t *octets, size_t count)
{
    for (size_t i = 0; i < count; i++)
        octets[i] = (uint8_t)next_random(&seed);
}

/* A message that is right in most respects. */
static void push_nearly_right(struct domain *domain)
{
    _Alignas(8) uint8_t octets[PARACORE_MESSAGE_MAX] = {0};
    const struct paracore_message_info *info = &paracore_messages[next_random(&seed) % PARACORE_MESSAGE_COUNT];
    struct paracore_message_header header = {.size = 16u + info->request.size, .opcode = info->opcode};

    if (next_random(&seed) % 4 == 0)
        fill(octets + 16, info->request.size);
    if (info->class_number != PARACORE_CLASS_CORE)
        header.object = next_random(&seed) % 4;
    memcpy(octets, &header, sizeof header);
    if (next_random(&seed) % 8 == 0)
        octets[next_random(&seed) % header.size] ^= (uint8_t)(1u << next_random(&seed) % 8);
    fuzzed += push_message(&domain->ring, octets, header.size) == 0;
}

static void push_some(struct domain *domain)
{
    for (uint32_t count = next_random(&seed) % 40; count > 0; count--)
        push_nearly_right(domain);
    paracore_ring_publish(&domain->ring);
}

static void corrupt_an_index(struct domain *domain)
{
    uint32_t value = next_random(&seed) % 2 ? next_random(&seed) : next_random(&seed) % (HALF + 64);

    memcpy(domain->mapping + 64 + 4 * (next_random(&seed) % 4), &value, sizeof value);
    fuzzed++;
}

static void fill_the_ring(struct domain *domain)
{
    uint32_t produced = 8 * (next_random(&seed) % (HALF / 8));

    fill(domain->mapping + PARACORE_PAGE_SIZE, HALF);
    memcpy(domain->mapping + 64, &produced, sizeof produced);
    fuzzed++;
}

static void misbehave(struct domain *domain)
{
    switch (next_random(&seed) % 8) {
    case 0:
        corrupt_an_index(domain);
        break;
    case 1:
        fill_the_ring(domain);
        break;
    default:
        push_some(domain);
    }
    ring_bell(domain);
}

/* Rewrites octets of the bad domain's rings, as fast as it can. */
static void *rewrite(void *argument)
{
    const struct domain *bad = argument;
    uint64_t state = 99;

    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        uint32_t at = next_random(&state) % HALF;
        if (__atomic_load_n(&rewriting, __ATOMIC_RELAXED) && next_random(&state) % 64 == 0)
            __atomic_store_n(bad->mapping + PARACORE_PAGE_SIZE + at, (uint8_t)next_random(&state), __ATOMIC_RELAXED);
    }
    return NULL;
}

/* --- the invariant ---------------------------------------------------------------------------------- */

static void check_message(const struct paracore_entry *entry)
{
    struct paracore_message_header header;

    CHECK(entry->size >= sizeof header && entry->size <= PARACORE_MESSAGE_MAX);
    memcpy(&header, entry->message, sizeof header);
    const struct paracore_message_info *info = paracore_message_find(header.opcode);
    CHECK(header.size == entry->size && header.flags == 0 && info && !info->native);
    CHECK(info->class_number == PARACORE_CLASS_CORE || info->class_number == PARACORE_CLASS_VIDEO);
    CHECK(info->kind != PARACORE_MESSAGE_KIND_EVENT);
    CHECK(paracore_check_payload(header.opcode, false, entry->message + 16, header.size - 16) == 0);
}

/* Waits until there is nothing more. Returns whether the bad channel has ended; counts what the good one gave. */
static bool serve(struct paracore_loop *loop, bool ended, int *good)
{
    struct paracore_entry entries[ENTRIES];
    int count;

    while ((count = paracore_loop_wait(loop, entries, ENTRIES, 0)) > 0) {
        for (int i = 0; i < count; i++) {
            CHECK(entries[i].channel == GOOD || !ended);
            if (entries[i].kind == PARACORE_ENTRY_MESSAGE)
                check_message(&entries[i]);
            else
                CHECK(entries[i].channel == BAD && entries[i].reason);
            ended |= entries[i].kind == PARACORE_ENTRY_VIOLATION;
            *good += entries[i].channel == GOOD;
        }
    }
    CHECK(count == 0);
    return ended;
}

static void send_good(struct domain *domain)
{
    uint8_t octets[24] = {0};
    struct paracore_message_header header = {.size = 24, .opcode = PARACORE_OP_CORE_DEVICE_QUERY};

    memcpy(octets, &header, sizeof header);
    CHECK(push_message(&domain->ring, octets, 24) == 0);
    paracore_ring_publish(&domain->ring);
    ring_bell(domain);
}

/* The life of one bad channel. */
static void fuzz_one(struct paracore_loop *loop, struct domain *good, struct domain *bad)
{
    static const uint64_t drained[] = {16 | (uint64_t)PARACORE_OP_VIDEO_DRAINED << 32, 0};
    bool ended = false;
    int served = 0, rounds = 0;

    join_loop(loop, bad, BAD);
    __atomic_store_n(&rewriting, next_random(&seed) % 2 == 0, __ATOMIC_RELAXED);
    for (; !ended && rounds < 20; rounds++) {
        misbehave(bad);
        send_good(good);
        ended = serve(loop, ended, &served);
        CHECK(paracore_loop_send(loop, BAD, drained, sizeof drained) == 0);
    }
    CHECK(served == rounds);
    CHECK(paracore_loop_channel_remove(loop, BAD) == 0);
}

int main(int argc, char **argv)
{
    uint64_t wanted = argc > 1 ? strtoull(argv[1], NULL, 10) : 20000;
    struct domain good = make_domain(), bad = make_domain();
    struct paracore_loop *loop;
    pthread_t rewriter;

    seed = argc > 2 ? strtoull(argv[2], NULL, 10) : 1;
    CHECK(seed != 0 && paracore_loop_create(0, &loop) == 0);
    void *trace = mmap(NULL, PARACORE_TRACE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(trace != MAP_FAILED);
    paracore_trace_format(trace, 0);
    paracore_trace_begin(trace);
    join_loop(loop, &good, GOOD);
    CHECK(pthread_create(&rewriter, NULL, rewrite, &bad) == 0);
    while (fuzzed < wanted)
        fuzz_one(loop, &good, &bad);
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    pthread_join(rewriter, NULL);
    paracore_loop_destroy(loop);
    paracore_trace_begin(NULL);
    CHECK(munmap(trace, PARACORE_TRACE_SIZE) == 0);
    free_domain(&good);
    free_domain(&bad);
    return 0;
}
