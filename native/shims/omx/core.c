/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The nine functions of an OpenMAX IL core. What components there are is asked of the backend each time, over the
 * process's one link, so that a device attached later is there without a word; without a backend there are none.
 */
#include "omx.h"

#include <string.h>

static struct {
    pthread_mutex_t lock;
    unsigned users; /* calls of OMX_Init that no OMX_Deinit has answered */
} core = {.lock = PTHREAD_MUTEX_INITIALIZER};

static bool is_initialized(void)
{
    pthread_mutex_lock(&core.lock);
    bool is = core.users != 0;
    pthread_mutex_unlock(&core.lock);
    return is;
}

OMX_API OMX_ERRORTYPE OMX_APIENTRY OMX_Init(void)
{
    pthread_mutex_lock(&core.lock);
    core.users++;
    pthread_mutex_unlock(&core.lock);
    return OMX_ErrorNone;
}

OMX_API OMX_ERRORTYPE OMX_APIENTRY OMX_Deinit(void)
{
    pthread_mutex_lock(&core.lock);
    OMX_ERRORTYPE result = core.users ? OMX_ErrorNone : OMX_ErrorNotReady;
    core.users -= core.users != 0;
    pthread_mutex_unlock(&core.lock);
    return result;
}

/* --- names and roles --------------------------------------------------------------------------------------- */

static OMX_ERRORTYPE entry_at(OMX_U32 n, struct entry *entry)
{
    int error;
    struct shim_link *link = shim_link_get(&error);

    if (!link)
        return OMX_ErrorNoMore;
    bool found = n <= UINT32_MAX && catalogue_entry(link, (uint32_t)n, entry);
    shim_link_put(link);
    return found ? OMX_ErrorNone : OMX_ErrorNoMore;
}

OMX_API OMX_ERRORTYPE OMX_APIENTRY OMX_ComponentNameEnum(OMX_OUT OMX_STRING name, OMX_IN OMX_U32 length,
                                                         OMX_IN OMX_U32 index)
{
    struct entry entry;

    if (!name)
        return OMX_ErrorBadParameter;
    if (!is_initialized())
        return OMX_ErrorNotReady;
    OMX_ERRORTYPE result = entry_at(index, &entry);
    if (result != OMX_ErrorNone)
        return result;
    if (strlen(entry.name) >= length)
        return OMX_ErrorBadParameter;
    strcpy(name, entry.name);
    return OMX_ErrorNone;
}

/* Writes those of a role into as many places as there are; returns how many there are. */
static OMX_U32 list_role(struct shim_link *link, const char *role, OMX_U8 **names, OMX_U32 places)
{
    struct entry entry;
    OMX_U32 count = 0;

    for (uint32_t n = 0; catalogue_entry(link, n, &entry); n++) {
        if (strcmp(entry.role, role) != 0)
            continue;
        if (names && count < places)
            strcpy((char *)names[count], entry.name);
        count++;
    }
    return count;
}

OMX_API OMX_ERRORTYPE OMX_GetComponentsOfRole(OMX_IN OMX_STRING role, OMX_INOUT OMX_U32 *count,
                                              OMX_INOUT OMX_U8 **names)
{
    int error;

    if (!role || !count)
        return OMX_ErrorBadParameter;
    if (!is_initialized())
        return OMX_ErrorNotReady;
    struct shim_link *link = shim_link_get(&error);
    OMX_U32 found = link ? list_role(link, role, names, *count) : 0;
    if (link)
        shim_link_put(link);
    OMX_ERRORTYPE result = names && found > *count ? OMX_ErrorBadParameter : OMX_ErrorNone;
    *count = found;
    return result;
}

static bool find(const char *name, struct entry *entry, struct shim_link **link)
{
    int error;

    *link = shim_link_get(&error);
    if (*link && catalogue_find(*link, name, entry))
        return true;
    if (*link)
        shim_link_put(*link);
    return false;
}

OMX_API OMX_ERRORTYPE OMX_GetRolesOfComponent(OMX_IN OMX_STRING name, OMX_INOUT OMX_U32 *count, OMX_OUT OMX_U8 **roles)
{
    struct entry entry;
    struct shim_link *link;

    if (!name || !count)
        return OMX_ErrorBadParameter;
    if (!is_initialized())
        return OMX_ErrorNotReady;
    if (!find(name, &entry, &link))
        return OMX_ErrorInvalidComponentName;
    shim_link_put(link);
    if (roles && *count < 1)
        return OMX_ErrorBadParameter;
    if (roles)
        strcpy((char *)roles[0], entry.role);
    *count = 1;
    return OMX_ErrorNone;
}

/* --- handles ------------------------------------------------------------------------------------------------ */

OMX_API OMX_ERRORTYPE OMX_APIENTRY OMX_GetHandle(OMX_OUT OMX_HANDLETYPE *handle, OMX_IN OMX_STRING name,
                                                 OMX_IN OMX_PTR data, OMX_IN OMX_CALLBACKTYPE *callbacks)
{
    struct component *component;
    struct shim_link *link;
    struct entry entry;

    if (!handle || !name || !callbacks)
        return OMX_ErrorBadParameter;
    *handle = NULL;
    if (!is_initialized())
        return OMX_ErrorNotReady;
    if (strlen(name) >= OMX_MAX_STRINGNAME_SIZE)
        return OMX_ErrorInvalidComponentName;
    if (!find(name, &entry, &link))
        return OMX_ErrorComponentNotFound;
    OMX_ERRORTYPE result = component_make(link, &entry, &component);
    shim_link_put(link);
    if (result != OMX_ErrorNone)
        return result;
    *handle = component;
    return component->type.SetCallbacks(component, callbacks, data);
}

OMX_API OMX_ERRORTYPE OMX_APIENTRY OMX_FreeHandle(OMX_IN OMX_HANDLETYPE handle)
{
    if (!handle)
        return OMX_ErrorBadParameter;
    if (component_is_thread(component_of(handle)))
        return OMX_ErrorIncorrectStateOperation; /* within a callback: it would wait for itself */
    component_free(component_of(handle));
    return OMX_ErrorNone;
}

/* --- what there is not -------------------------------------------------------------------------------------- */

/* OpenMAX IL 1.1.2, section 3.3.11: a core whose components do not tunnel says so here. */
OMX_API OMX_ERRORTYPE OMX_APIENTRY OMX_SetupTunnel(OMX_IN OMX_HANDLETYPE output, OMX_IN OMX_U32 output_port,
                                                   OMX_IN OMX_HANDLETYPE input, OMX_IN OMX_U32 input_port)
{
    (void)output_port, (void)input_port;
    return output || input ? OMX_ErrorTunnelingUnsupported : OMX_ErrorBadParameter;
}

OMX_API OMX_ERRORTYPE OMX_GetContentPipe(OMX_OUT OMX_HANDLETYPE *pipe, OMX_IN OMX_STRING uri)
{
    (void)uri;
    if (!pipe)
        return OMX_ErrorBadParameter;
    *pipe = NULL;
    return OMX_ErrorNotImplemented;
}
