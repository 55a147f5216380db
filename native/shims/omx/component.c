/* SPDX-License-Identifier: Apache-2.0 */
/* A component's handle: made and freed here, with the functions that do no more than to ask or to pass on. */
#include "omx.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- calls ----------------------------------------------------------------------------------------------- */

static OMX_VERSIONTYPE version(uint8_t major, uint8_t minor, uint8_t revision)
{
    OMX_VERSIONTYPE version = {.nVersion = 0};

    version.s.nVersionMajor = major;
    version.s.nVersionMinor = minor;
    version.s.nRevision = revision;
    return version;
}

static OMX_VERSIONTYPE own_version(void)
{
    unsigned major = 0, minor = 0, patch = 0;

    sscanf(paracore_version(), "%u.%u.%u", &major, &minor, &patch);
    return version((uint8_t)major, (uint8_t)minor, (uint8_t)patch);
}

static OMX_ERRORTYPE get_component_version(OMX_HANDLETYPE handle, OMX_STRING name, OMX_VERSIONTYPE *component_version,
                                           OMX_VERSIONTYPE *specification, OMX_UUIDTYPE *uuid)
{
    struct component *component = component_of(handle);

    if (!handle || !name || !component_version || !specification || !uuid)
        return OMX_ErrorBadParameter;
    strcpy(name, component->entry.name);
    *component_version = own_version();
    *specification = version(1, 1, 2);
    memset(uuid, 0, sizeof *uuid); /* unique in this process, which is all that a handle is */
    memcpy(uuid, &component, sizeof component);
    return OMX_ErrorNone;
}

static OMX_ERRORTYPE send_command(OMX_HANDLETYPE handle, OMX_COMMANDTYPE command, OMX_U32 parameter, OMX_PTR data)
{
    struct component *component = component_of(handle);

    if (!handle)
        return OMX_ErrorBadParameter;
    pthread_mutex_lock(&component->lock);
    OMX_ERRORTYPE result = command_send(component, command, parameter, data);
    pthread_mutex_unlock(&component->lock);
    return result;
}

static OMX_ERRORTYPE get_state(OMX_HANDLETYPE handle, OMX_STATETYPE *state)
{
    struct component *component = component_of(handle);

    if (!handle || !state)
        return OMX_ErrorBadParameter;
    pthread_mutex_lock(&component->lock);
    *state = component->state;
    pthread_mutex_unlock(&component->lock);
    return OMX_ErrorNone;
}

static OMX_ERRORTYPE get_parameter(OMX_HANDLETYPE handle, OMX_INDEXTYPE index, OMX_PTR structure)
{
    return handle ? index_get(component_of(handle), index, structure, false) : OMX_ErrorBadParameter;
}

static OMX_ERRORTYPE set_parameter(OMX_HANDLETYPE handle, OMX_INDEXTYPE index, OMX_PTR structure)
{
    return handle ? index_set(component_of(handle), index, structure, false) : OMX_ErrorBadParameter;
}

static OMX_ERRORTYPE get_config(OMX_HANDLETYPE handle, OMX_INDEXTYPE index, OMX_PTR structure)
{
    return handle ? index_get(component_of(handle), index, structure, true) : OMX_ErrorBadParameter;
}

static OMX_ERRORTYPE set_config(OMX_HANDLETYPE handle, OMX_INDEXTYPE index, OMX_PTR structure)
{
    return handle ? index_set(component_of(handle), index, structure, true) : OMX_ErrorBadParameter;
}

static OMX_ERRORTYPE get_extension_index(OMX_HANDLETYPE handle, OMX_STRING name, OMX_INDEXTYPE *index)
{
    return handle && name && index ? index_of_name(name, index) : OMX_ErrorBadParameter;
}

/* OpenMAX IL 1.1.2, section 3.2.2.15: without a partner it is a wish to speak to the client, which is so here. */
static OMX_ERRORTYPE tunnel_request(OMX_HANDLETYPE handle, OMX_U32 port, OMX_HANDLETYPE partner, OMX_U32 partner_port,
                                    OMX_TUNNELSETUPTYPE *setup)
{
    (void)partner_port, (void)setup;
    if (!handle)
        return OMX_ErrorBadParameter;
    if (port >= PORTS)
        return OMX_ErrorBadPortIndex;
    return partner ? OMX_ErrorTunnelingUnsupported : OMX_ErrorNone;
}

static OMX_ERRORTYPE set_callbacks(OMX_HANDLETYPE handle, OMX_CALLBACKTYPE *callbacks, OMX_PTR data)
{
    struct component *component = component_of(handle);

    if (!handle || !callbacks || !callbacks->EventHandler || !callbacks->EmptyBufferDone || !callbacks->FillBufferDone)
        return OMX_ErrorBadParameter;
    pthread_mutex_lock(&component->lock);
    bool loaded = component->state == OMX_StateLoaded && component->step == STEP_SAME;
    if (loaded) {
        component->callbacks = *callbacks;
        component->type.pApplicationPrivate = data;
    }
    pthread_mutex_unlock(&component->lock);
    return loaded ? OMX_ErrorNone : OMX_ErrorIncorrectStateOperation;
}

static OMX_ERRORTYPE deinit(OMX_HANDLETYPE handle)
{
    return handle ? OMX_ErrorNone : OMX_ErrorBadParameter; /* OMX_FreeHandle does it */
}

static OMX_ERRORTYPE use_egl_image(OMX_HANDLETYPE handle, OMX_BUFFERHEADERTYPE **header, OMX_U32 port, OMX_PTR private,
                                   void *image)
{
    (void)handle, (void)header, (void)port, (void)private, (void)image;
    return OMX_ErrorNotImplemented;
}

static OMX_ERRORTYPE role_enum(OMX_HANDLETYPE handle, OMX_U8 *role, OMX_U32 index)
{
    if (!handle || !role)
        return OMX_ErrorBadParameter;
    if (index != 0)
        return OMX_ErrorNoMore;
    strcpy((char *)role, component_of(handle)->entry.role);
    return OMX_ErrorNone;
}

static const OMX_COMPONENTTYPE FUNCTIONS = {
    .nSize = sizeof(OMX_COMPONENTTYPE),
    .GetComponentVersion = get_component_version,
    .SendCommand = send_command,
    .GetParameter = get_parameter,
    .SetParameter = set_parameter,
    .GetConfig = get_config,
    .SetConfig = set_config,
    .GetExtensionIndex = get_extension_index,
    .GetState = get_state,
    .ComponentTunnelRequest = tunnel_request,
    .UseBuffer = buffer_use,
    .AllocateBuffer = buffer_allocate,
    .FreeBuffer = buffer_free,
    .EmptyThisBuffer = buffer_empty,
    .FillThisBuffer = buffer_fill,
    .SetCallbacks = set_callbacks,
    .ComponentDeInit = deinit,
    .UseEGLImage = use_egl_image,
    .ComponentRoleEnum = role_enum,
};

/* --- making and freeing -------------------------------------------------------------------------------------- */

static void init_lock(struct component *component)
{
    pthread_condattr_t monotonic;

    pthread_mutex_init(&component->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&component->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

static void init_queues(struct component *component)
{
    TAILQ_INIT(&component->commands);
    TAILQ_INIT(&component->notices);
    TAILQ_INIT(&component->events);
    TAILQ_INIT(&component->slots);
    TAILQ_INIT(&component->spares);
    TAILQ_INIT(&component->pictures);
    TAILQ_INIT(&component->traces);
    for (uint32_t port = 0; port < PORTS; port++) {
        TAILQ_INIT(&component->ports[port].buffers);
        TAILQ_INIT(&component->ports[port].queue);
    }
}

/* An encoder's pictures lie as the device says: it is asked now, so that the first definition is a true one. */
static int init_format(struct component *component)
{
    const struct pixels *pixels = pixels_of_capability(component->entry.capability.pixel_formats, 0);

    component->format = (struct paracore_picture_format){
        .pixel_format = pixels->pixel_format, .width = 176, .height = 144, .rate_num = 15, .rate_den = 1};
    return component->decodes ? 0 : session_layout(component, &component->format);
}

/* The program's signals are for the program's threads. */
static int start(struct component *component)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&component->thread, NULL, component_run, component);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -error;
}

static void discard(struct component *component)
{
    shim_link_put(component->link);
    pthread_cond_destroy(&component->changed);
    pthread_mutex_destroy(&component->lock);
    free(component);
}

OMX_ERRORTYPE component_make(struct shim_link *link, const struct entry *entry, struct component **out)
{
    struct component *component = calloc(1, sizeof *component);

    if (!component)
        return OMX_ErrorInsufficientResources;
    component->type = FUNCTIONS;
    component->type.nVersion = version(1, 1, 2);
    component->entry = *entry;
    component->decodes = entry->capability.direction == PARACORE_DIRECTION_DECODE;
    component->state = OMX_StateLoaded;
    component->step = STEP_SAME;
    component->link = link;
    shim_link_keep(link);
    init_lock(component);
    init_queues(component);
    controls_defaults(&component->settings);
    int error = init_format(component);
    if (error == 0) {
        ports_init(component);
        error = start(component);
    }
    if (error) {
        discard(component);
        return session_error(error);
    }
    *out = component;
    return OMX_ErrorNone;
}

bool component_is_thread(const struct component *component)
{
    return pthread_equal(component->thread, pthread_self());
}

static void empty(struct notices *notices)
{
    struct notice *notice;

    while ((notice = TAILQ_FIRST(notices))) {
        TAILQ_REMOVE(notices, notice, entry);
        notice->queued = false;
        if (!notice->buffer)
            free(notice);
    }
}

/* In any state: the specification wants OMX_StateLoaded, but a client that is about to end has no better one. */
void component_free(struct component *component)
{
    pthread_mutex_lock(&component->lock);
    component->ending = true;
    wake(component);
    pthread_mutex_unlock(&component->lock);
    pthread_join(component->thread, NULL);
    pthread_mutex_lock(&component->lock);
    session_close(component);
    free(component->parameter_sets);
    empty(&component->notices);
    buffers_forget(component);
    output_forget(component);
    input_forget(component);
    traces_forget(component);
    slots_destroy(component);
    commands_forget(component);
    events_forget(component);
    pthread_mutex_unlock(&component->lock);
    discard(component);
}
