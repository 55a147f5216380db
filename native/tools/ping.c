/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a small synchronous call through libparacore costs.
 *
 *     paracore-ping ADDRESS COUNT [--spin] [--opcode ping|limits_query]
 *
 * core.ping is answered by the worker's native loop, core.limits_query by its Python. --spin makes this
 * side spin; whether the worker does is for its configuration to say.
 */
#include <err.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "paracore/paracore.h"
#include "samples.h"

enum { WARM_UP = 1000 };

#define SPIN_NS (20 * PARACORE_NS_PER_MS)

struct plan {
    bool spin;
    bool python;
};

static void call_once(struct paracore_channel *channel, const struct plan *plan, uint64_t number)
{
    struct paracore_core_ping request = {.cookie = number};
    union {
        struct paracore_core_ping_reply ping;
        struct paracore_core_limits_query_reply limits;
    } reply;
    size_t size = sizeof reply;
    int error = plan->python ? paracore_call(channel, PARACORE_OP_CORE_LIMITS_QUERY, 0, NULL, 0, &reply, &size, NULL,
                                             PARACORE_FOREVER)
                             : paracore_call(channel, PARACORE_OP_CORE_PING, 0, &request, sizeof request, &reply,
                                             &size, NULL, PARACORE_FOREVER);

    if (error)
        errx(1, "call: %s", strerror(-error));
    if (!plan->python && reply.ping.cookie != number)
        errx(1, "another cookie came back");
}

static void measure(struct paracore_channel *channel, const struct plan *plan, size_t count)
{
    struct samples samples;

    samples_create(&samples, count);
    for (size_t i = 1; i <= WARM_UP + count; i++) {
        uint64_t start = paracore_now();
        call_once(channel, plan, i);
        if (i > WARM_UP)
            samples_add(&samples, paracore_now() - start);
    }
    samples_print(&samples, plan->python ? "limits_query" : "ping");
}

static struct plan parse_options(int argc, char **argv)
{
    static const struct option options[] = {{"spin", no_argument, NULL, 's'}, {"opcode", required_argument, NULL, 'o'}, {0}};
    struct plan plan = {0};
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (option == 's')
            plan.spin = true;
        else if (option == 'o' && strcmp(optarg, "limits_query") == 0)
            plan.python = true;
        else if (option != 'o' || strcmp(optarg, "ping") != 0)
            errx(2, "usage: paracore-ping ADDRESS COUNT [--spin] [--opcode ping|limits_query]");
    }
    if (argc - optind != 2)
        errx(2, "usage: paracore-ping ADDRESS COUNT [--spin] [--opcode ping|limits_query]");
    return plan;
}

int main(int argc, char **argv)
{
    struct plan plan = parse_options(argc, argv);
    struct paracore_options options = {.size = sizeof options, .spin_ns = plan.spin ? SPIN_NS : 0};
    struct paracore_channel *channel;
    uint32_t reason;
    int error = paracore_open(argv[optind], &options, &channel, &reason);

    if (error)
        errx(1, "%s: %s (%s)", argv[optind], strerror(-error), paracore_refusal_text(reason));
    measure(channel, &plan, parse_count(argv[optind + 1]));
    paracore_close(channel);
    return 0;
}
