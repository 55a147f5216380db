/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long a session has been at one job: a unit, or what a drain still has to give. What it waits for the domain, or
 * for its turn at the device, does not count; each picture or packet that comes of it begins a new one, as a drain
 * gives many. A codec that hangs is found by that (codec.h); nothing here can stop it.
 *
 * A thread of the codec's that waits makes the whole session wait, though others may still work: a codec that hangs
 * is then found when the domain has given what is waited for.
 */
#include "clock.h"
#include "session.h"
#include "trace_mark.h"

static struct mark mark_of(const struct slip *slip)
{
    return (struct mark){slip->done.cookie, slip->timestamp, slip->done.kind == PARACORE_COMPLETION_DRAINED};
}

static void tell(const struct paracore_codec *codec, uint32_t event, const struct mark *mark)
{
    if (paracore_tracing())
        paracore_trace_mark(event, codec->channel, codec->number, mark->cookie, mark->timestamp, mark->drains);
}

void paracore_job_mark(const struct paracore_codec *codec, uint32_t event, const struct slip *slip)
{
    struct mark mark = mark_of(slip);
    tell(codec, event, &mark);
}

void paracore_job_begin(struct paracore_codec *codec, const struct slip *slip)
{
    codec->job.mark = mark_of(slip);
    tell(codec, PARACORE_TRACE_EVENT_JOB_BEGUN, &codec->job.mark);
    codec->job.since = paracore_now();
}

void paracore_job_end(struct paracore_codec *codec)
{
    if (codec->job.since) {
        tell(codec, PARACORE_TRACE_EVENT_JOB_ENDED, &codec->job.mark);
        codec->job.spent.worked += paracore_now() - codec->job.since;
    }
    codec->job.since = 0;
}

void paracore_job_advance(struct paracore_codec *codec, const struct slip *slip)
{
    const struct paracore_completion *done = &slip->done;

    if (paracore_tracing())
        paracore_trace_mark(PARACORE_TRACE_EVENT_OUTPUT_MADE, codec->channel, codec->number, done->cookie,
                            done->timestamp, (uint64_t)done->flags << 32 | done->bytes_used);
    if (codec->job.since) {
        uint64_t now = paracore_now();
        codec->job.spent.worked += now - codec->job.since;
        codec->job.since = now;
    }
}

void paracore_job_pause(struct paracore_codec *codec)
{
    if (codec->job.waiting++)
        return;
    codec->job.paused = paracore_now();
    tell(codec, PARACORE_TRACE_EVENT_WAIT_BEGUN, &codec->job.mark);
}

void paracore_job_resume(struct paracore_codec *codec)
{
    if (--codec->job.waiting)
        return;
    if (codec->job.since)
        codec->job.since += paracore_now() - codec->job.paused;
    tell(codec, PARACORE_TRACE_EVENT_WAIT_ENDED, &codec->job.mark);
}

/* Between two units there is one in a moment: nobody else would tell the worker of it. */
static bool is_due(const struct paracore_codec *codec)
{
    return !TAILQ_EMPTY(&codec->inputs) && codec->pass.wish != GATE_WAITS;
}

uint64_t paracore_codec_busy_since(struct paracore_codec *codec)
{
    uint64_t since = 0;
    pthread_mutex_lock(&codec->lock);
    if (!codec->job.waiting && !codec->over)
        since = codec->job.since ? codec->job.since : is_due(codec) ? paracore_now() : 0;
    pthread_mutex_unlock(&codec->lock);
    return since;
}

void paracore_codec_times(struct paracore_codec *codec, struct paracore_codec_times *times)
{
    pthread_mutex_lock(&codec->lock);
    *times = codec->job.spent;
    if (codec->pass.wish == GATE_WAITS)
        times->waited += paracore_now() - codec->pass.waits_since;
    pthread_mutex_unlock(&codec->lock);
}
