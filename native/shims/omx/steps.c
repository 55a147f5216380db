/* SPDX-License-Identifier: Apache-2.0 */
/* From state to state: what a step begins with, what it waits for, and what it does on the component's thread. */
#include "omx.h"

/* Nobody tells when another's session ends: a component that waits for resources asks this often. */
#define RETRY_NS UINT64_C(250000000)

static void reach(struct component *component, OMX_STATETYPE state)
{
    component->state = state;
    component->step = STEP_SAME;
    tell_complete(component, OMX_CommandStateSet, state);
}

static void start(struct component *component, OMX_STATETYPE state)
{
    if (component->state == OMX_StateIdle)
        component->parameter_sets_told = false; /* a new stream begins */
    reach(component, state);
}

static void set_out(struct component *component, enum step step, OMX_STATETYPE target)
{
    component->step = step;
    component->target = target;
    component->acquired = component->stopped = false;
}

static void wait_for_resources(struct component *component)
{
    component->retry_at = now_ns();
    reach(component, OMX_StateWaitForResources);
}

/* A client that cannot populate its ports gives up the way to OMX_StateIdle like this. */
bool step_gives_up(const struct component *component, OMX_STATETYPE target)
{
    return component->step == STEP_ACQUIRE && target == OMX_StateLoaded;
}

void step_begin(struct component *component, OMX_STATETYPE target)
{
    enum step step = step_gives_up(component, target) ? STEP_RELEASE : TRANSITIONS[component->state][target];

    switch (step) {
    case STEP_NEVER:
        tell_error(component, OMX_ErrorIncorrectStateTransition);
        break;
    case STEP_SAME:
        tell_error(component, OMX_ErrorSameState);
        break;
    case STEP_INVALID:
        component_fail(component, OMX_ErrorInvalidState);
        break;
    case STEP_WAIT:
        wait_for_resources(component);
        break;
    case STEP_START:
        start(component, target);
        break;
    case STEP_ACQUIRE:
    case STEP_RELEASE:
    case STEP_STOP:
        set_out(component, step, target);
        break;
    }
}

static void stream_forget(struct component *component)
{
    input_forget(component);
    output_forget(component);
    traces_forget(component);
}

static bool acquire(struct component *component)
{
    if (!component->acquired) {
        int error = session_open(component);
        if (component->step != STEP_ACQUIRE)
            return true; /* the client has given up meanwhile */
        component->acquired = error == 0;
        if (error) {
            component->step = STEP_SAME;
            tell_error(component, session_error(error));
        }
        return true;
    }
    for (uint32_t port = 0; port < PORTS; port++)
        if (component->ports[port].definition.bEnabled && !port_populated(component, port))
            return false;
    output_agree(component);
    reach(component, OMX_StateIdle);
    return true;
}

static bool try_resources(struct component *component)
{
    if (now_ns() < component->retry_at)
        return false;
    component->retry_at = now_ns() + RETRY_NS;
    if (session_open(component) || component->step != STEP_SAME)
        return true;
    if (component->state != OMX_StateWaitForResources) {
        session_close(component); /* the client has given up meanwhile */
        return true;
    }
    set_out(component, STEP_ACQUIRE, OMX_StateIdle);
    component->acquired = true;
    tell(component, OMX_EventResourcesAcquired, 0, 0, NULL);
    return true;
}

static bool release(struct component *component)
{
    if (!component->stopped) {
        session_close(component);
        stream_forget(component);
        give_back_all(component, INPUT);
        give_back_all(component, OUTPUT);
        component->stopped = true;
        return true;
    }
    if (component->ports[INPUT].count || component->ports[OUTPUT].count)
        return false;
    reach(component, OMX_StateLoaded);
    return true;
}

static bool stop(struct component *component)
{
    if (component->fed) {
        component->flush = FLUSH_WANTED;
        return true;
    }
    stream_forget(component);
    give_back_all(component, INPUT);
    give_back_all(component, OUTPUT);
    reach(component, OMX_StateIdle);
    return true;
}

bool step_advance(struct component *component)
{
    switch (component->step) {
    case STEP_ACQUIRE:
        return acquire(component);
    case STEP_RELEASE:
        return release(component);
    case STEP_STOP:
        return stop(component);
    default:
        return component->state == OMX_StateWaitForResources && try_resources(component);
    }
}
