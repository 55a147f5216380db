/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What goes with an input to the output that comes of it: marks (OpenMAX IL 1.1.2, section 3.1.2.9) and the flags that
 * are the client's own. The wire carries timestamps only, so that the timestamp tells which output that is.
 */
#include "omx.h"

#include <stdlib.h>

enum {
    CARRIED = OMX_BUFFERFLAG_STARTTIME | OMX_BUFFERFLAG_DECODEONLY | OMX_BUFFERFLAG_DATACORRUPT,
    TRACES_MAX = 1024, /* inputs whose output never came; the oldest is forgotten then */
};

/* A mark is for the component that it names; any other hands it on. */
static void honour(struct component *component, OMX_MARKTYPE *mark)
{
    if (mark->hMarkTargetComponent == component) {
        tell(component, OMX_EventMark, 0, 0, mark->pMarkData);
        *mark = (OMX_MARKTYPE){0};
    }
}

/* The mark that OMX_CommandMarkBuffer has left for the next buffer of a port. */
static void take_command(struct component *component, uint32_t port, OMX_MARKTYPE *mark)
{
    struct port *of = &component->ports[port];

    if (!of->mark.hMarkTargetComponent || mark->hMarkTargetComponent)
        return;
    *mark = of->mark;
    of->mark = (OMX_MARKTYPE){0};
    tell(component, OMX_EventCmdComplete, OMX_CommandMarkBuffer, port, NULL);
}

static void remember(struct component *component, int64_t timestamp, OMX_U32 flags, const OMX_MARKTYPE *mark)
{
    struct trace *trace = calloc(1, sizeof *trace), *other;
    size_t count = 0;

    if (!trace)
        return;
    *trace = (struct trace){.timestamp = timestamp, .flags = flags, .mark = *mark};
    TAILQ_INSERT_TAIL(&component->traces, trace, entry);
    TAILQ_FOREACH(other, &component->traces, entry)
        count++;
    if (count > TRACES_MAX) {
        other = TAILQ_FIRST(&component->traces);
        TAILQ_REMOVE(&component->traces, other, entry);
        free(other);
    }
}

void trace_input(struct component *component, struct buffer *buffer)
{
    OMX_BUFFERHEADERTYPE *header = &buffer->header;
    OMX_MARKTYPE mark = {header->hMarkTargetComponent, header->pMarkData};

    take_command(component, INPUT, &mark);
    honour(component, &mark);
    header->hMarkTargetComponent = NULL;
    header->pMarkData = NULL;
    if (mark.hMarkTargetComponent || header->nFlags & CARRIED)
        remember(component, header->nTimeStamp, header->nFlags & CARRIED, &mark);
}

/* The last output takes what is left. */
static struct trace *find(struct component *component, int64_t timestamp, bool end)
{
    struct trace *trace;

    TAILQ_FOREACH(trace, &component->traces, entry)
        if (trace->timestamp == timestamp || end)
            break;
    return trace;
}

void trace_output(struct component *component, OMX_BUFFERHEADERTYPE *header, bool end)
{
    struct trace *trace = find(component, header->nTimeStamp, end);
    OMX_MARKTYPE mark = trace ? trace->mark : (OMX_MARKTYPE){0};

    if (trace) {
        header->nFlags |= trace->flags;
        TAILQ_REMOVE(&component->traces, trace, entry);
        free(trace);
    }
    take_command(component, OUTPUT, &mark);
    honour(component, &mark);
    header->hMarkTargetComponent = mark.hMarkTargetComponent;
    header->pMarkData = mark.pMarkData;
}

void traces_forget(struct component *component)
{
    struct trace *trace;

    while ((trace = TAILQ_FIRST(&component->traces))) {
        TAILQ_REMOVE(&component->traces, trace, entry);
        free(trace);
    }
}
