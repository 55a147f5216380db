/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands: taken in order, each begun as soon as nothing is in its way, and completed when its condition is met.
 *
 * What must be true at once for the client's next call is done as a command begins, within OMX_SendCommand: a port
 * that is being enabled takes buffers, one that is being disabled takes none. What speaks to the backend is
 * done by the component's thread (commands_advance). A command that waits for the client, to populate or
 * to free, keeps only those commands waiting that are about the same port or state.
 */
#include "omx.h"

#include <stdlib.h>

/* Nobody tells when another's session ends: a component that waits for resources asks this often. */
#define RETRY_NS UINT64_C(250000000)

static struct port *port_of(struct component *component, uint32_t port)
{
    return &component->ports[port];
}

static void complete(struct component *component, OMX_COMMANDTYPE command, OMX_U32 data)
{
    tell(component, OMX_EventCmdComplete, command, data, NULL);
}

static void refuse(struct component *component, OMX_ERRORTYPE error)
{
    tell(component, OMX_EventError, error, 0, NULL);
}

static uint32_t mask_of(OMX_U32 parameter)
{
    return (uint32_t)parameter == OMX_ALL ? (1u << PORTS) - 1 : 1u << parameter;
}

/* --- states --------------------------------------------------------------------------------------------- */

static void reach(struct component *component, OMX_STATETYPE state)
{
    component->state = state;
    component->step = STEP_SAME;
    complete(component, OMX_CommandStateSet, state);
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
static bool gives_up(const struct component *component, OMX_STATETYPE target)
{
    return component->step == STEP_ACQUIRE && target == OMX_StateLoaded;
}

static void begin_state(struct component *component, OMX_STATETYPE target)
{
    enum step step = gives_up(component, target) ? STEP_RELEASE : TRANSITIONS[component->state][target];

    switch (step) {
    case STEP_NEVER:
        refuse(component, OMX_ErrorIncorrectStateTransition);
        break;
    case STEP_SAME:
        refuse(component, OMX_ErrorSameState);
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
            refuse(component, session_error(error));
        }
        return true;
    }
    for (uint32_t port = 0; port < PORTS; port++)
        if (port_of(component, port)->definition.bEnabled && !port_populated(component, port))
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

static bool advance_state(struct component *component)
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

/* --- flush ------------------------------------------------------------------------------------------------- */

static void begin_flush(struct component *component, uint32_t mask)
{
    component->flushing |= mask;
    if (mask & 1u << INPUT && component->fed)
        component->flush = FLUSH_WANTED;
}

static void forget(struct component *component, uint32_t port)
{
    if (port == INPUT) {
        input_forget(component);
        traces_forget(component);
    } else {
        output_forget(component);
    }
    give_back_all(component, port);
}

/* The device is at rest as far as it has to be. */
static bool advance_flushes(struct component *component)
{
    uint32_t mask = component->flushing;

    component->flushing = 0;
    for (uint32_t port = 0; port < PORTS; port++)
        if (mask & 1u << port) {
            forget(component, port);
            complete(component, OMX_CommandFlush, port);
        }
    return mask;
}

/* --- ports ------------------------------------------------------------------------------------------------- */

static void begin_disable(struct component *component, uint32_t port)
{
    port_of(component, port)->definition.bEnabled = OMX_FALSE;
    port_of(component, port)->enabling = false;
    port_of(component, port)->disabling = true;
    component->recall |= port == OUTPUT && component->session; /* the client is going to free them */
}

static void begin_enable(struct component *component, uint32_t port)
{
    port_of(component, port)->definition.bEnabled = OMX_TRUE;
    port_of(component, port)->enabling = true;
    if (port == OUTPUT)
        component->offered = component->announced;
}

static bool has_lent(struct component *component, uint32_t port)
{
    struct slot *slot;

    TAILQ_FOREACH(slot, &component->slots, entry)
        if (slot->port == port && slot->lent)
            break;
    return slot;
}

/* Inputs come back from the device only by a flush. */
static bool advance_disable(struct component *component, uint32_t port)
{
    if (port == INPUT && has_lent(component, INPUT)) {
        component->flush = FLUSH_WANTED;
        return true;
    }
    if (port == INPUT)
        input_forget(component);
    give_back_all(component, port);
    if (port_of(component, port)->count)
        return false;
    port_of(component, port)->disabling = false;
    complete(component, OMX_CommandPortDisable, port);
    return true;
}

static bool needs_buffers(const struct component *component)
{
    return component->state != OMX_StateLoaded && component->state != OMX_StateWaitForResources;
}

static bool advance_enable(struct component *component, uint32_t port)
{
    bool waits = needs_buffers(component) || component->step == STEP_ACQUIRE;

    if (waits && !port_populated(component, port))
        return false;
    port_of(component, port)->enabling = false;
    if (port == OUTPUT && waits)
        output_agree(component);
    complete(component, OMX_CommandPortEnable, port);
    return true;
}

static bool advance_port(struct component *component, uint32_t port)
{
    if (port_of(component, port)->disabling)
        return advance_disable(component, port);
    return port_of(component, port)->enabling && advance_enable(component, port);
}

/* --- the queue --------------------------------------------------------------------------------------------- */

static bool port_is_free(struct component *component, uint32_t port, OMX_COMMANDTYPE command)
{
    const struct port *of = port_of(component, port);

    if (of->disabling || component->flushing & 1u << port)
        return false;
    return !of->enabling || command == OMX_CommandPortDisable;
}

static bool ports_are_free(struct component *component, const struct command *command)
{
    bool all = true;

    for (uint32_t port = 0; port < PORTS; port++)
        if (mask_of(command->parameter) & 1u << port)
            all &= port_is_free(component, port, command->command);
    return all;
}

static bool state_is_free(const struct component *component, const struct command *command)
{
    OMX_STATETYPE target = (OMX_STATETYPE)command->parameter;

    return target == OMX_StateInvalid || gives_up(component, target) ||
           (component->step == STEP_SAME && !component->flushing);
}

static bool is_free(struct component *component, const struct command *command)
{
    switch (command->command) {
    case OMX_CommandStateSet:
        return state_is_free(component, command);
    case OMX_CommandMarkBuffer:
        return component->ports[command->parameter].mark.hMarkTargetComponent == NULL;
    default:
        return ports_are_free(component, command);
    }
}

static void begin_ports(struct component *component, const struct command *command,
                        void (*begin)(struct component *component, uint32_t port))
{
    for (uint32_t port = 0; port < PORTS; port++)
        if (mask_of(command->parameter) & 1u << port)
            begin(component, port);
}

static void begin(struct component *component, const struct command *command)
{
    switch ((int)command->command) {
    case OMX_CommandStateSet:
        begin_state(component, (OMX_STATETYPE)command->parameter);
        break;
    case OMX_CommandFlush:
        begin_flush(component, mask_of(command->parameter));
        break;
    case OMX_CommandPortDisable:
        begin_ports(component, command, begin_disable);
        break;
    case OMX_CommandPortEnable:
        begin_ports(component, command, begin_enable);
        break;
    case OMX_CommandMarkBuffer:
        component->ports[command->parameter].mark = command->mark;
        break;
    default:
        break;
    }
}

void commands_run(struct component *component)
{
    struct command *command;

    while ((command = TAILQ_FIRST(&component->commands)) && is_free(component, command)) {
        TAILQ_REMOVE(&component->commands, command, entry);
        if (component->state != OMX_StateInvalid)
            begin(component, command);
        free(command);
    }
}

bool commands_advance(struct component *component)
{
    if (component->state == OMX_StateInvalid)
        return false;
    if (component->flush == FLUSH_WANTED) {
        session_flush(component);
        return true;
    }
    if (component->flush == FLUSH_SETTLING)
        return false;
    if (component->recall) {
        session_recall(component);
        return true;
    }
    bool some = advance_flushes(component);
    for (uint32_t port = 0; port < PORTS; port++)
        some |= advance_port(component, port);
    return advance_state(component) || some;
}

void commands_forget(struct component *component)
{
    struct command *command;

    while ((command = TAILQ_FIRST(&component->commands))) {
        TAILQ_REMOVE(&component->commands, command, entry);
        free(command);
    }
}

/* --- from the client --------------------------------------------------------------------------------------- */

static bool is_state(OMX_U32 state)
{
    return state < STATES;
}

static bool is_port(OMX_U32 port)
{
    return port < PORTS;
}

static bool is_port_or_all(OMX_U32 port)
{
    return port < PORTS || (uint32_t)port == OMX_ALL;
}

static OMX_ERRORTYPE check(OMX_COMMANDTYPE command, OMX_U32 parameter, const OMX_MARKTYPE *mark)
{
    static const struct {
        bool (*fits)(OMX_U32 parameter);
        OMX_ERRORTYPE error;
    } PARAMETERS[] = {
        [OMX_CommandStateSet] = {is_state, OMX_ErrorBadParameter},
        [OMX_CommandFlush] = {is_port_or_all, OMX_ErrorBadPortIndex},
        [OMX_CommandPortDisable] = {is_port_or_all, OMX_ErrorBadPortIndex},
        [OMX_CommandPortEnable] = {is_port_or_all, OMX_ErrorBadPortIndex},
        [OMX_CommandMarkBuffer] = {is_port, OMX_ErrorBadPortIndex},
    };

    if ((unsigned)command >= COUNT(PARAMETERS))
        return OMX_ErrorNotImplemented;
    if (!PARAMETERS[command].fits(parameter))
        return PARAMETERS[command].error;
    bool markless = !mark || !mark->hMarkTargetComponent;
    return command == OMX_CommandMarkBuffer && markless ? OMX_ErrorBadParameter : OMX_ErrorNone;
}

OMX_ERRORTYPE command_send(struct component *component, OMX_COMMANDTYPE code, OMX_U32 parameter,
                           const OMX_MARKTYPE *mark)
{
    if (component->state == OMX_StateInvalid)
        return OMX_ErrorInvalidState;
    OMX_ERRORTYPE error = check(code, parameter, mark);
    if (error != OMX_ErrorNone)
        return error;
    struct command *command = calloc(1, sizeof *command);
    if (!command)
        return OMX_ErrorInsufficientResources;
    *command = (struct command){.command = code, .parameter = parameter};
    if (code == OMX_CommandMarkBuffer)
        command->mark = *mark;
    TAILQ_INSERT_TAIL(&component->commands, command, entry);
    commands_run(component);
    wake(component);
    return OMX_ErrorNone;
}
