/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's buffers. OMX_AllocateBuffer gives granted pages themselves; a buffer of OMX_UseBuffer has granted
 * pages beside the client's own memory, and each use of it costs a copy.
 */
#include "omx.h"

#include <stdlib.h>

/* --- finding ---------------------------------------------------------------------------------------------- */

/* The client's pointer is looked up, never followed: it may be anything. */
static struct buffer *find(struct component *component, uint32_t port, const OMX_BUFFERHEADERTYPE *header)
{
    struct buffer *buffer;

    TAILQ_FOREACH(buffer, &component->ports[port].buffers, entry)
        if (&buffer->header == header)
            break;
    return buffer;
}

bool buffer_is_foreign(const struct buffer *buffer)
{
    return buffer->header.pBuffer != buffer->slot->memory.address;
}

/* --- making ------------------------------------------------------------------------------------------------ */

static OMX_ERRORTYPE check_room(struct component *component, uint32_t port, OMX_U32 size)
{
    const struct port *of = &component->ports[port];

    if (component->state == OMX_StateInvalid)
        return OMX_ErrorInvalidState;
    if (!port_is_filling(component, port))
        return OMX_ErrorIncorrectStateOperation;
    if (size < of->definition.nBufferSize || size > PARACORE_BUFFER_MAX)
        return OMX_ErrorBadParameter;
    return of->count < of->definition.nBufferCountActual ? OMX_ErrorNone : OMX_ErrorInsufficientResources;
}

/* Octets that the device wants, where that is more than the client is told of: its planes' tails, and whole pages. */
static uint64_t octets_for(const struct component *component, uint32_t port, OMX_U32 size)
{
    const struct paracore_picture_format *format = &component->formats[component->announced % GENERATIONS];
    uint64_t needed = size;

    if (!component->decodes && port == INPUT)
        needed = component->format.size;
    else if (component->decodes && port == OUTPUT && component->announced)
        needed = format->size;
    return needed > size ? needed : size;
}

static void init_header(struct buffer *buffer, OMX_U32 size, OMX_PTR private, OMX_U8 *memory)
{
    OMX_BUFFERHEADERTYPE *header = &buffer->header;

    *header = (OMX_BUFFERHEADERTYPE){.nSize = sizeof *header, .nAllocLen = size, .pAppPrivate = private};
    header->nVersion.s.nVersionMajor = 1;
    header->nVersion.s.nVersionMinor = 1;
    header->nVersion.s.nRevision = 2;
    header->pBuffer = memory;
    header->nInputPortIndex = buffer->port == INPUT ? INPUT : OMX_ALL;
    header->nOutputPortIndex = buffer->port == OUTPUT ? OUTPUT : OMX_ALL;
}

static void attach(struct component *component, struct buffer *buffer, struct slot *slot)
{
    struct port *port = &component->ports[buffer->port];

    buffer->slot = slot;
    slot->buffer = buffer;
    slot_add(component, slot);
    TAILQ_INSERT_TAIL(&port->buffers, buffer, entry);
    port->count++;
    port->definition.bPopulated = port_populated(component, buffer->port) ? OMX_TRUE : OMX_FALSE;
    wake(component);
}

/* For all buffers that the port still wants. The lock is held; it is let go of while the memory is granted. */
static int make_ahead(struct component *component, uint32_t port, uint64_t octets)
{
    const struct port *of = &component->ports[port];
    struct slots made = TAILQ_HEAD_INITIALIZER(made);
    uint32_t wanted = (uint32_t)of->definition.nBufferCountActual - of->count;

    pthread_mutex_unlock(&component->lock);
    int error = slots_make(component, port, octets, wanted, &made);
    pthread_mutex_lock(&component->lock);
    TAILQ_CONCAT(&component->spares, &made, entry);
    return error;
}

/* The lock is held, and may be let go of meanwhile. */
static OMX_ERRORTYPE make(struct component *component, struct buffer *buffer, uint32_t port, OMX_U32 size)
{
    uint64_t octets = octets_for(component, port, size);
    struct slot *slot = spare_take(component, port, octets);

    if (!slot) {
        int error = make_ahead(component, port, octets);
        if (error)
            return session_error(error);
        slot = spare_take(component, port, octets);
    }
    if (!slot)
        return OMX_ErrorInsufficientResources; /* another thread was faster */
    buffer->port = port;
    attach(component, buffer, slot);
    return OMX_ErrorNone;
}

static OMX_ERRORTYPE add(struct component *component, OMX_BUFFERHEADERTYPE **header, uint32_t port, OMX_PTR private,
                         OMX_U32 size, OMX_U8 *memory, bool own)
{
    OMX_ERRORTYPE result = check_room(component, port, size);

    if (result != OMX_ErrorNone)
        return result;
    struct buffer *buffer = calloc(1, sizeof *buffer);
    if (!buffer)
        return OMX_ErrorInsufficientResources;
    result = make(component, buffer, port, size);
    if (result != OMX_ErrorNone) {
        free(buffer);
        return result;
    }
    init_header(buffer, size, private, own ? memory : buffer->slot->memory.address);
    *header = &buffer->header;
    return OMX_ErrorNone;
}

static OMX_ERRORTYPE add_locked(OMX_HANDLETYPE handle, OMX_BUFFERHEADERTYPE **header, OMX_U32 port, OMX_PTR private,
                                OMX_U32 size, OMX_U8 *memory, bool own)
{
    struct component *component = component_of(handle);

    if (!handle || !header)
        return OMX_ErrorBadParameter;
    if (port >= PORTS)
        return OMX_ErrorBadPortIndex;
    pthread_mutex_lock(&component->lock);
    OMX_ERRORTYPE result = add(component, header, (uint32_t)port, private, size, memory, own);
    pthread_mutex_unlock(&component->lock);
    return result;
}

/* Without memory there may be some later: clients set pBuffer before each use (ffmpeg's -zerocopy). */
OMX_ERRORTYPE buffer_use(OMX_HANDLETYPE handle, OMX_BUFFERHEADERTYPE **header, OMX_U32 port, OMX_PTR private,
                         OMX_U32 size, OMX_U8 *memory)
{
    return add_locked(handle, header, port, private, size, memory, true);
}

OMX_ERRORTYPE buffer_allocate(OMX_HANDLETYPE handle, OMX_BUFFERHEADERTYPE **header, OMX_U32 port, OMX_PTR private,
                              OMX_U32 size)
{
    return add_locked(handle, header, port, private, size, NULL, false);
}

/* --- freeing ------------------------------------------------------------------------------------------------ */

static void detach(struct component *component, struct buffer *buffer)
{
    struct port *port = &component->ports[buffer->port];

    if (buffer->here)
        TAILQ_REMOVE(&port->queue, buffer, queued);
    if (buffer->notice.queued)
        TAILQ_REMOVE(&component->notices, &buffer->notice, entry);
    TAILQ_REMOVE(&port->buffers, buffer, entry);
    spares_doom(component);
    port->count--;
    port->definition.bPopulated = OMX_FALSE;
    slot_doom(buffer->slot);
    wake(component);
}

/* OpenMAX IL 1.1.2, section 3.2.2.16: a port that loses a buffer while it needs it says so. */
static void free_buffer(struct component *component, struct buffer *buffer)
{
    bool needed = component->state != OMX_StateInvalid && !port_is_emptying(component, buffer->port) &&
                  !port_is_filling(component, buffer->port);

    detach(component, buffer);
    if (needed)
        tell(component, OMX_EventError, OMX_ErrorPortUnpopulated, buffer->port, NULL);
    free(buffer);
}

OMX_ERRORTYPE buffer_free(OMX_HANDLETYPE handle, OMX_U32 port, OMX_BUFFERHEADERTYPE *header)
{
    struct component *component = component_of(handle);

    if (!handle || !header)
        return OMX_ErrorBadParameter;
    if (port >= PORTS)
        return OMX_ErrorBadPortIndex;
    pthread_mutex_lock(&component->lock);
    struct buffer *buffer = find(component, (uint32_t)port, header);
    if (buffer)
        free_buffer(component, buffer);
    pthread_mutex_unlock(&component->lock);
    return buffer ? OMX_ErrorNone : OMX_ErrorBadParameter;
}

void buffers_forget(struct component *component)
{
    struct buffer *buffer;

    for (uint32_t port = 0; port < PORTS; port++)
        while ((buffer = TAILQ_FIRST(&component->ports[port].buffers))) {
            detach(component, buffer);
            free(buffer);
        }
}

/* --- handing over ---------------------------------------------------------------------------------------------- */

static OMX_ERRORTYPE check_header(const OMX_BUFFERHEADERTYPE *header, uint32_t port)
{
    OMX_ERRORTYPE result = structure_check(header, sizeof *header);

    if (result != OMX_ErrorNone || port == OUTPUT)
        return result;
    return header->nOffset <= header->nAllocLen && header->nFilledLen <= header->nAllocLen - header->nOffset
               ? OMX_ErrorNone
               : OMX_ErrorBadParameter;
}

static OMX_ERRORTYPE check_hand_over(struct component *component, const OMX_BUFFERHEADERTYPE *header, uint32_t port)
{
    const struct buffer *buffer = find(component, port, header);

    if (component->state == OMX_StateInvalid)
        return OMX_ErrorInvalidState;
    if (!buffer)
        return find(component, 1 - port, header) ? OMX_ErrorBadPortIndex : OMX_ErrorBadParameter;
    if (!port_runs(component, port) || buffer->here || buffer->notice.queued)
        return OMX_ErrorIncorrectStateOperation;
    return check_header(header, port);
}

static OMX_ERRORTYPE hand_over(OMX_HANDLETYPE handle, OMX_BUFFERHEADERTYPE *header, uint32_t port)
{
    struct component *component = component_of(handle);

    if (!handle || !header)
        return OMX_ErrorBadParameter;
    pthread_mutex_lock(&component->lock);
    OMX_ERRORTYPE result = check_hand_over(component, header, port);
    if (result == OMX_ErrorNone) {
        struct buffer *buffer = find(component, port, header);
        buffer->here = true;
        if (port == INPUT && header->nFilledLen) { /* this one, not one that waits to be coded */
            buffer->key = component->force_key;
            component->force_key = false;
        }
        TAILQ_INSERT_TAIL(&component->ports[port].queue, buffer, queued);
        wake(component);
    }
    pthread_mutex_unlock(&component->lock);
    return result;
}

OMX_ERRORTYPE buffer_empty(OMX_HANDLETYPE handle, OMX_BUFFERHEADERTYPE *header)
{
    return hand_over(handle, header, INPUT);
}

OMX_ERRORTYPE buffer_fill(OMX_HANDLETYPE handle, OMX_BUFFERHEADERTYPE *header)
{
    return hand_over(handle, header, OUTPUT);
}
