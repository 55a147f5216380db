/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two threads on one pair of rings, each sleeping on its doorbell whenever it may: a lost wake-up is a
 * hang, a missing barrier a wrong octet, and either a report of the thread sanitizer.
 */
#include <err.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "pages.h"

enum { ORDER = 2, OPCODE = 0x0101 };

static uint32_t messages = 20000;

struct end {
    struct paracore_ring *ring;
    int doorbell_in, doorbell_out;
};

static void ring_bell(const struct end *end)
{
    static const uint64_t one = 1;

    CHECK(write(end->doorbell_out, &one, sizeof one) == sizeof one);
}

static void sleep_on_bell(const struct end *end)
{
    struct pollfd ready = {.fd = end->doorbell_in, .events = POLLIN};
    uint64_t value;

    if (poll(&ready, 1, 20000) != 1)
        errx(1, "a wake-up was lost");
    CHECK(read(end->doorbell_in, &value, sizeof value) == sizeof value);
}

static uint32_t size_of(uint32_t serial)
{
    return 16 + 8 * (serial * 2654435761u >> 23);
}

static void send_one(const struct end *end, uint32_t serial)
{
    uint8_t message[PARACORE_MESSAGE_MAX];
    uint32_t size = size_of(serial);

    if (size > PARACORE_MESSAGE_MAX)
        size = PARACORE_MESSAGE_MAX;
    make_message(message, size, OPCODE, serial);
    while (push_message(end->ring, message, size) != 0) {
        if (paracore_ring_publish(end->ring))
            ring_bell(end);
        if (paracore_ring_arm_space(end->ring, size))
            sleep_on_bell(end);
    }
    if (serial % 3 == 0 && paracore_ring_publish(end->ring))
        ring_bell(end);
}

static void *produce(void *argument)
{
    const struct end *end = argument;

    for (uint32_t serial = 1; serial <= messages; serial++)
        send_one(end, serial);
    if (paracore_ring_publish(end->ring))
        ring_bell(end);
    return NULL;
}

static void check_one(const uint8_t *message, int size, uint32_t serial)
{
    struct paracore_message_header header;

    memcpy(&header, message, sizeof header);
    CHECK(header.serial == serial && header.size == (uint32_t)size);
    for (int i = (int)sizeof header; i < size; i++)
        CHECK(message[i] == (uint8_t)serial);
}

static void *consume(void *argument)
{
    const struct end *end = argument;
    uint8_t message[PARACORE_MESSAGE_MAX];

    for (uint32_t serial = 1; serial <= messages;) {
        int size = paracore_ring_pop(end->ring, message);
        CHECK(size >= 0);
        if (size > 0)
            check_one(message, size, serial++);
        if ((size == 0 || serial % 5 == 0) && paracore_ring_release(end->ring))
            ring_bell(end);
        if (size == 0 && paracore_ring_arm(end->ring))
            sleep_on_bell(end);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    struct pages pages = make_pages(ORDER);
    int there = eventfd(0, EFD_NONBLOCK), back = eventfd(0, EFD_NONBLOCK);
    struct end frontend = {&pages.frontend, back, there}, backend = {&pages.backend, there, back};
    pthread_t producer, consumer;

    if (argc > 1)
        messages = (uint32_t)atoi(argv[1]);
    CHECK(pthread_create(&producer, NULL, produce, &frontend) == 0);
    CHECK(pthread_create(&consumer, NULL, consume, &backend) == 0);
    pthread_join(producer, NULL);
    pthread_join(consumer, NULL);
    free_pages(&pages);
    return 0;
}
