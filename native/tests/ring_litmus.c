/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two pairs of stores and loads that no wake-up may fall between, each run by two threads that start
 * at the same moment: of a side that says it is safe to sleep and one that says nobody asked to be
 * notified, one must be wrong. Weaker ordering than seq_cst fails here within seconds, on x86 too.
 */
#include <pthread.h>
#include <sched.h>

#include "clock.h"
#include "pages.h"

enum { ORDER = 2, HALF = 2 * PARACORE_PAGE_SIZE, PATIENCE = 2000 };

/* What the two sides do at once, and what they said. */
struct race {
    void (*prepare)(struct pages *pages);
    bool (*notifies)(struct pages *pages); /* in the second thread */
    bool (*may_sleep)(struct pages *pages);
};

static uint32_t rounds = 30000;
static struct pages pages;
static const struct race *current;
static uint32_t turn;      /* odd: both run; even: the first prepares */
static uint32_t done;      /* the last turn that the second thread has finished */
static bool notified;

static void wait_for(const uint32_t *word, uint32_t value)
{
    for (uint32_t i = 0; __atomic_load_n(word, __ATOMIC_ACQUIRE) != value; i++) {
        paracore_relax();
        if (i > PATIENCE)
            sched_yield();
    }
}

static void *second(void *nothing)
{
    (void)nothing;
    for (uint32_t round = 0; round < rounds; round++) {
        wait_for(&turn, 2 * round + 1);
        notified = current->notifies(&pages);
        __atomic_store_n(&done, 2 * round + 1, __ATOMIC_RELEASE);
    }
    return NULL;
}

static void run(const struct race *race)
{
    pthread_t thread;
    uint32_t both = 0;

    pages = make_pages(ORDER);
    current = race;
    turn = done = 0;
    CHECK(pthread_create(&thread, NULL, second, NULL) == 0);
    for (uint32_t round = 0; round < rounds; round++) {
        race->prepare(&pages);
        __atomic_store_n(&turn, 2 * round + 1, __ATOMIC_RELEASE);
        for (uint32_t i = round % 64; i > 0; i--) /* the other needs a moment to see it */
            paracore_relax();
        bool sleeps = race->may_sleep(&pages);
        wait_for(&done, 2 * round + 1);
        CHECK(!sleeps || notified);
        both += !sleeps && notified;
    }
    pthread_join(thread, NULL);
    free_pages(&pages);
    fprintf(stderr, "  %u of %u rounds met\n", both, rounds);
}

/* --- a message against a consumer that goes to sleep ---------------------------------------------- */

static void drain(struct pages *rings)
{
    uint8_t message[PARACORE_MESSAGE_MAX];

    while (paracore_ring_pop(&rings->backend, message) > 0)
        ;
    paracore_ring_release(&rings->backend);
    make_message(message, 16, 0x0101, 1);
    CHECK(push_message(&rings->frontend, message, 16) == 0);
}

static bool publish(struct pages *rings)
{
    return paracore_ring_publish(&rings->frontend);
}

static bool arm(struct pages *rings)
{
    return paracore_ring_arm(&rings->backend);
}

/* --- room against a producer that goes to sleep --------------------------------------------------- */

static void fill(struct pages *rings)
{
    uint8_t message[PARACORE_MESSAGE_MAX];

    make_message(message, 1024, 0x0101, 1);
    while (push_message(&rings->frontend, message, 1024) == 0)
        paracore_ring_publish(&rings->frontend);
    CHECK(paracore_ring_pop(&rings->backend, message) == 1024);
}

static bool release(struct pages *rings)
{
    return paracore_ring_release(&rings->backend);
}

static bool arm_space(struct pages *rings)
{
    return paracore_ring_arm_space(&rings->frontend, 1024);
}

int main(int argc, char **argv)
{
    static const struct race races[] = {{drain, publish, arm}, {fill, release, arm_space}};

    if (argc > 1)
        rounds = (uint32_t)strtoul(argv[1], NULL, 10);
    for (size_t i = 0; i < sizeof races / sizeof races[0]; i++)
        run(&races[i]);
    return 0;
}
