/* SPDX-License-Identifier: Apache-2.0 */
/* See gate.h. Its lock is taken under a session's; sessions come and go on the worker's thread alone. */
#include "gate.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "clock.h"
#include "session.h"

struct paracore_gate {
    int timer;
    bool armed;
    TAILQ_HEAD(, gate_pass) passes; /* the worker's thread's own */
    pthread_mutex_t lock;
    unsigned waiting, running; /* sessions */
    uint32_t number;           /* of the lease, or of the last */
    bool leased, limited;
    bool fresh; /* nothing has been done with the lease yet */
    bool asked; /* the supervisor has been told that there is work */
    uint64_t ends; /* of the process's processor time, if limited */
};

static bool spent(const struct paracore_gate *gate)
{
    return gate->limited && paracore_work() >= gate->ends;
}

static uint32_t words(const struct paracore_gate *gate)
{
    if (!gate->leased)
        return gate->waiting && !gate->asked ? PARACORE_GATE_WANT : 0;
    if (gate->running || !gate->limited || (gate->waiting && (gate->fresh || !spent(gate))))
        return 0;
    return PARACORE_GATE_RELEASE | (gate->waiting ? PARACORE_GATE_WANT : 0);
}

/* A domain whose program answers each picture has work again in a moment: to lose a turn for that would cost it its
 * share. So a lease that is not used up is kept for a moment. */
#define GRACE_NS (2 * PARACORE_NS_PER_MS)

static void arm(const struct paracore_gate *gate, uint64_t ns)
{
    const struct itimerspec when = {.it_value = {.tv_nsec = (long)ns}};

    timerfd_settime(gate->timer, 0, &when, NULL);
}

static void tell(struct paracore_gate *gate)
{
    uint32_t said = words(gate);

    if (said)
        arm(gate, said == PARACORE_GATE_RELEASE && !spent(gate) ? GRACE_NS : 1);
    else if (gate->armed)
        arm(gate, 0);
    gate->armed = said;
}

/* --- the worker's --------------------------------------------------------------------------------- */

int paracore_gate_new(struct paracore_gate **out)
{
    struct paracore_gate *gate = calloc(1, sizeof *gate);
    if (!gate)
        return -ENOMEM;
    gate->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (gate->timer < 0) {
        free(gate);
        return -ENOMEM;
    }
    TAILQ_INIT(&gate->passes);
    pthread_mutex_init(&gate->lock, NULL);
    *out = gate;
    return 0;
}

void paracore_gate_free(struct paracore_gate *gate)
{
    close(gate->timer);
    pthread_mutex_destroy(&gate->lock);
    free(gate);
}

int paracore_gate_descriptor(const struct paracore_gate *gate)
{
    return gate->timer;
}

static void wake(struct paracore_gate *gate)
{
    struct gate_pass *pass;

    TAILQ_FOREACH(pass, &gate->passes, link) {
        pthread_mutex_lock(&pass->codec->lock);
        pthread_cond_broadcast(&pass->codec->changed);
        pthread_mutex_unlock(&pass->codec->lock);
    }
}

void paracore_gate_lease(struct paracore_gate *gate, uint32_t number, uint64_t budget)
{
    pthread_mutex_lock(&gate->lock);
    if (gate->leased || number != gate->number) { /* else it is about a lease that is on its way back */
        gate->fresh = budget && (gate->fresh || number != gate->number);
        gate->leased = true;
        gate->asked = false;
        gate->number = number;
        gate->limited = budget < INT64_MAX;
        gate->ends = gate->limited ? paracore_work() + budget : 0;
    }
    tell(gate);
    pthread_mutex_unlock(&gate->lock);
    wake(gate);
}

uint32_t paracore_gate_words(struct paracore_gate *gate, uint32_t *number)
{
    uint64_t expirations;

    pthread_mutex_lock(&gate->lock);
    ssize_t octets = read(gate->timer, &expirations, sizeof expirations);
    (void)octets; /* the words count, however often it ran out */
    uint32_t said = words(gate);
    *number = gate->number;
    gate->armed = false;
    if (said & PARACORE_GATE_RELEASE)
        gate->leased = gate->fresh = gate->asked = false;
    if (said & PARACORE_GATE_WANT)
        gate->asked = true;
    pthread_mutex_unlock(&gate->lock);
    return said;
}

/* --- the sessions' ------------------------------------------------------------------------------------ */

/* Counts it anew. The session's lock is held, too, or it has no threads any more. */
static void settle(struct paracore_gate *gate, struct gate_pass *pass)
{
    enum gate_state state = pass->wish == GATE_RUNS && pass->blocked ? GATE_RESTS : pass->wish;

    gate->waiting -= pass->state == GATE_WAITS;
    gate->running -= pass->state == GATE_RUNS;
    gate->waiting += state == GATE_WAITS;
    gate->running += state == GATE_RUNS;
    pass->state = state;
    tell(gate);
}

static void changed(struct paracore_codec *codec)
{
    struct paracore_gate *gate = codec->options.gate;

    pthread_mutex_lock(&gate->lock);
    settle(gate, &codec->pass);
    pthread_mutex_unlock(&gate->lock);
}

/* Of the session's thread; the clock is read where it begins to wait, and where that ends. */
static void wish(struct paracore_codec *codec, enum gate_state state)
{
    struct gate_pass *pass = &codec->pass;

    if (pass->wish != GATE_WAITS && state == GATE_WAITS)
        pass->waits_since = paracore_now();
    else if (pass->wish == GATE_WAITS && state != GATE_WAITS)
        codec->job.spent.waited += paracore_now() - pass->waits_since;
    pass->wish = state;
}

void paracore_gate_enter(struct paracore_codec *codec)
{
    codec->pass.codec = codec;
    if (codec->options.gate)
        TAILQ_INSERT_TAIL(&codec->options.gate->passes, &codec->pass, link);
}

void paracore_gate_leave(struct paracore_codec *codec)
{
    paracore_gate_rest(codec);
    if (codec->options.gate)
        TAILQ_REMOVE(&codec->options.gate->passes, &codec->pass, link);
}

/* A new lease is good for a unit at least, however small: one that is used up by telling of it would lead nowhere. */
bool paracore_gate_pass(struct paracore_codec *codec)
{
    struct paracore_gate *gate = codec->options.gate;

    if (!gate)
        return true;
    pthread_mutex_lock(&gate->lock);
    bool open = gate->leased && (gate->fresh || !spent(gate));
    gate->fresh &= !open;
    if (!open && codec->pass.wish != GATE_WAITS)
        paracore_job_mark(codec, PARACORE_TRACE_EVENT_DEVICE_AWAITED, TAILQ_FIRST(&codec->inputs));
    wish(codec, open ? GATE_RUNS : GATE_WAITS);
    settle(gate, &codec->pass);
    pthread_mutex_unlock(&gate->lock);
    return open;
}

void paracore_gate_rest(struct paracore_codec *codec)
{
    if (!codec->options.gate || codec->pass.wish == GATE_RESTS)
        return;
    wish(codec, GATE_RESTS);
    changed(codec);
}

/* What was begun is ended, with a lease or without. */
void paracore_gate_wait(struct paracore_codec *codec)
{
    paracore_job_pause(codec);
    if (codec->options.gate) {
        codec->pass.blocked++;
        changed(codec);
    }
    paracore_wait(codec);
    if (codec->options.gate) {
        codec->pass.blocked--;
        changed(codec);
    }
    paracore_job_resume(codec);
}
