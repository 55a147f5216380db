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

static struct port *port_of(struct component *component, uint32_t port)
{
    return &component->ports[port];
}

static uint32_t mask_of(OMX_U32 parameter)
{
    return (uint32_t)parameter == OMX_ALL ? (1u << PORTS) - 1 : 1u << parameter;
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
            tell_complete(component, OMX_CommandFlush, port);
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
    tell_complete(component, OMX_CommandPortDisable, port);
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
    tell_complete(component, OMX_CommandPortEnable, port);
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

    return target == OMX_StateInvalid || step_gives_up(component, target) ||
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
        step_begin(component, (OMX_STATETYPE)command->parameter);
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
    return step_advance(component) || some;
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
