/* SPDX-License-Identifier: Apache-2.0 */
/* The ring, one thread, step by step; what a hostile peer's indices and sizes come to. */
#include <errno.h>

#include "pages.h"

enum { ORDER = 2, HALF = 2 * PARACORE_PAGE_SIZE, OPCODE = 0x0101 };

static uint8_t sent[PARACORE_MESSAGE_MAX], got[PARACORE_MESSAGE_MAX];

static void send_and_publish(struct paracore_ring *ring, uint32_t size, uint32_t serial)
{
    make_message(sent, size, OPCODE, serial);
    CHECK(push_message(ring, sent, size) == 0);
    paracore_ring_publish(ring);
}

static void a_message_arrives_as_it_was_sent(void)
{
    struct pages pages = make_pages(ORDER);

    CHECK(paracore_ring_pop(&pages.backend, got) == 0);
    CHECK(!paracore_ring_readable(&pages.backend));
    send_and_publish(&pages.frontend, 64, 7);
    CHECK(paracore_ring_readable(&pages.backend));
    CHECK(paracore_ring_pop(&pages.backend, got) == 64);
    CHECK(memcmp(sent, got, 64) == 0);
    CHECK(paracore_ring_pop(&pages.backend, got) == 0);
    free_pages(&pages);
}

static void a_message_is_not_seen_before_it_is_published(void)
{
    struct pages pages = make_pages(ORDER);

    make_message(sent, 24, OPCODE, 1);
    CHECK(push_message(&pages.frontend, sent, 24) == 0);
    CHECK(paracore_ring_pop(&pages.backend, got) == 0);
    CHECK(paracore_ring_publish(&pages.frontend));
    CHECK(paracore_ring_pop(&pages.backend, got) == 24);
    free_pages(&pages);
}

static void messages_go_round_the_end(void)
{
    struct pages pages = make_pages(ORDER);

    for (uint32_t serial = 1; serial < 5000; serial++) {
        uint32_t size = 16 + 8 * (serial * 37 % 511);
        send_and_publish(&pages.frontend, size, serial);
        CHECK(paracore_ring_pop(&pages.backend, got) == (int)size);
        CHECK(memcmp(sent, got, size) == 0);
        paracore_ring_release(&pages.backend);
    }
    free_pages(&pages);
}

static void a_full_ring_says_again_until_space_is_released(void)
{
    struct pages pages = make_pages(ORDER);

    send_and_publish(&pages.frontend, PARACORE_MESSAGE_MAX, 1);
    send_and_publish(&pages.frontend, PARACORE_MESSAGE_MAX, 2);
    make_message(sent, 16, OPCODE, 3);
    CHECK(push_message(&pages.frontend, sent, 16) == -EAGAIN);
    CHECK(paracore_ring_pop(&pages.backend, got) == PARACORE_MESSAGE_MAX);
    CHECK(push_message(&pages.frontend, sent, 16) == -EAGAIN);
    paracore_ring_release(&pages.backend);
    CHECK(paracore_ring_space(&pages.frontend) == PARACORE_MESSAGE_MAX);
    CHECK(push_message(&pages.frontend, sent, 16) == 0);
    free_pages(&pages);
}

static void an_impossible_message_is_not_pushed(void)
{
    struct pages pages = make_pages(ORDER);

    CHECK(push_message(&pages.frontend, sent, 8) == -EINVAL);
    CHECK(push_message(&pages.frontend, sent, 20) == -EINVAL);
    struct iovec parts[] = {{sent, PARACORE_MESSAGE_MAX}, {sent, 8}};
    CHECK(paracore_ring_push(&pages.frontend, parts, 2) == -EINVAL);
    CHECK(!paracore_ring_publish(&pages.frontend));
    free_pages(&pages);
}

static void an_order_out_of_limits_is_refused(void)
{
    struct paracore_ring ring;
    uint8_t nothing[8];

    CHECK(paracore_ring_attach(&ring, nothing, PARACORE_RING_ORDER_MIN - 1, PARACORE_BACKEND) == -EINVAL);
    CHECK(paracore_ring_attach(&ring, nothing, PARACORE_RING_ORDER_MAX + 1, PARACORE_BACKEND) == -EINVAL);
    CHECK(paracore_ring_attach(&ring, nothing, UINT32_MAX, PARACORE_BACKEND) == -EINVAL);
}

static void only_a_sleeper_is_notified(void)
{
    struct pages pages = make_pages(ORDER);

    make_message(sent, 16, OPCODE, 1);
    CHECK(push_message(&pages.frontend, sent, 16) == 0 && paracore_ring_publish(&pages.frontend));
    CHECK(push_message(&pages.frontend, sent, 16) == 0 && !paracore_ring_publish(&pages.frontend));
    CHECK(!paracore_ring_arm(&pages.backend)); /* there is something to read */
    while (paracore_ring_pop(&pages.backend, got) > 0)
        ;
    CHECK(paracore_ring_arm(&pages.backend));
    CHECK(push_message(&pages.frontend, sent, 16) == 0 && paracore_ring_publish(&pages.frontend));
    CHECK(push_message(&pages.frontend, sent, 16) == 0 && !paracore_ring_publish(&pages.frontend));
    free_pages(&pages);
}

static void a_sleeper_for_space_is_notified_when_there_is_enough(void)
{
    struct pages pages = make_pages(ORDER);

    for (uint32_t i = 0; i < HALF / 1024; i++)
        send_and_publish(&pages.frontend, 1024, i);
    CHECK(paracore_ring_pop(&pages.backend, got) == 1024);
    paracore_ring_release(&pages.backend); /* the first is announced: a fresh page asks for it */
    CHECK(paracore_ring_arm_space(&pages.frontend, 3 * 1024));
    CHECK(!paracore_ring_arm_space(&pages.frontend, 1024));
    CHECK(paracore_ring_arm_space(&pages.frontend, 3 * 1024));
    CHECK(paracore_ring_pop(&pages.backend, got) == 1024 && !paracore_ring_release(&pages.backend));
    CHECK(paracore_ring_pop(&pages.backend, got) == 1024 && paracore_ring_release(&pages.backend));
    CHECK(paracore_ring_pop(&pages.backend, got) == 1024 && !paracore_ring_release(&pages.backend));
    free_pages(&pages);
}

/* --- a hostile peer --------------------------------------------------------------------------- */

static void a_producer_index_beyond_the_ring_is_refused(void)
{
    static const uint32_t lies[] = {HALF + 8, HALF + 1, UINT32_MAX, UINT32_MAX - 7, 0x80000000, 1, 7, 9, 15};

    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        struct pages pages = make_pages(ORDER);
        pages.frontend.page->out_prod = lies[i];
        CHECK(paracore_ring_pop(&pages.backend, got) == -EPROTO);
        free_pages(&pages);
    }
}

static void a_producer_index_that_goes_back_is_refused(void)
{
    struct pages pages = make_pages(ORDER);

    send_and_publish(&pages.frontend, 64, 1);
    send_and_publish(&pages.frontend, 64, 2);
    CHECK(paracore_ring_pop(&pages.backend, got) == 64);
    CHECK(paracore_ring_pop(&pages.backend, got) == 64);
    pages.frontend.page->out_prod = 64;
    CHECK(paracore_ring_pop(&pages.backend, got) == -EPROTO);
    free_pages(&pages);
}

static void a_consumer_index_that_was_never_shown_is_refused(void)
{
    struct pages pages = make_pages(ORDER);

    send_and_publish(&pages.frontend, 64, 1);
    pages.backend.page->out_cons = 72;
    CHECK(paracore_ring_space(&pages.frontend) == -EPROTO);
    pages.backend.page->out_cons = UINT32_MAX;
    CHECK(paracore_ring_space(&pages.frontend) == -EPROTO);
    pages.backend.page->out_cons = 64;
    CHECK(paracore_ring_space(&pages.frontend) == HALF);
    pages.backend.page->out_cons = 0; /* and back */
    CHECK(paracore_ring_space(&pages.frontend) == -EPROTO);
    make_message(sent, PARACORE_MESSAGE_MAX, OPCODE, 1);
    CHECK(push_message(&pages.frontend, sent, PARACORE_MESSAGE_MAX) == 0);
    CHECK(push_message(&pages.frontend, sent, PARACORE_MESSAGE_MAX) == 0);
    CHECK(push_message(&pages.frontend, sent, PARACORE_MESSAGE_MAX) == -EPROTO);
    free_pages(&pages);
}

static void an_impossible_size_is_refused(void)
{
    static const uint32_t lies[] = {0, 8, 15, 17, 20, 4104, 0x80000010, UINT32_MAX};

    for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
        struct pages pages = make_pages(ORDER);
        send_and_publish(&pages.frontend, 4096, 1);
        send_and_publish(&pages.frontend, 4096, 2);
        memcpy(pages.frontend.produce_data, &lies[i], sizeof lies[i]);
        CHECK(paracore_ring_pop(&pages.backend, got) == -EPROTO);
        free_pages(&pages);
    }
}

static void a_size_beyond_what_was_published_is_refused(void)
{
    struct pages pages = make_pages(ORDER);
    uint32_t size = 72;

    send_and_publish(&pages.frontend, 64, 1);
    memcpy(pages.frontend.produce_data, &size, sizeof size);
    CHECK(paracore_ring_pop(&pages.backend, got) == -EPROTO);
    free_pages(&pages);
}

int main(void)
{
    static const struct test tests[] = {
        {"a message arrives as it was sent", a_message_arrives_as_it_was_sent},
        {"a message is not seen before it is published", a_message_is_not_seen_before_it_is_published},
        {"messages go round the end", messages_go_round_the_end},
        {"a full ring says again", a_full_ring_says_again_until_space_is_released},
        {"an impossible message is not pushed", an_impossible_message_is_not_pushed},
        {"an order out of limits is refused", an_order_out_of_limits_is_refused},
        {"only a sleeper is notified", only_a_sleeper_is_notified},
        {"a sleeper for space is notified", a_sleeper_for_space_is_notified_when_there_is_enough},
        {"a producer index beyond the ring", a_producer_index_beyond_the_ring_is_refused},
        {"a producer index that goes back", a_producer_index_that_goes_back_is_refused},
        {"a consumer index never shown", a_consumer_index_that_was_never_shown_is_refused},
        {"an impossible size", an_impossible_size_is_refused},
        {"a size beyond what was published", a_size_beyond_what_was_published_is_refused},
    };

    run_tests(tests, sizeof tests / sizeof tests[0]);
    return 0;
}
