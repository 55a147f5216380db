/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parameters and configurations: each index is a row of INDEXES, which is made from specs/omx.toml; here is who may ask
 * and set, and what concerns the component and its ports as such. What concerns coding is in codings.c.
 */
#include "parameters.h"

#include <string.h>

/* What all structures begin with; those about no port end before the last field. */
struct head {
    OMX_U32 nSize;
    OMX_VERSIONTYPE nVersion;
    OMX_U32 nPortIndex;
};

OMX_ERRORTYPE structure_check(const void *structure, size_t size)
{
    const struct head *head = structure;

    if (head->nSize != size)
        return OMX_ErrorBadParameter;
    return head->nVersion.s.nVersionMajor == 1 && head->nVersion.s.nVersionMinor <= 1 ? OMX_ErrorNone
                                                                                      : OMX_ErrorVersionMismatch;
}

/* --- rows ----------------------------------------------------------------------------------------------- */

/* A configuration may also go by as a parameter: gst-omx asks for OMX_IndexConfigVideoAVCIntraPeriod like that. */
static const struct index *find(const struct component *component, OMX_INDEXTYPE number, bool config)
{
    for (size_t n = 0; n < INDEX_COUNT; n++) {
        const struct index *index = &INDEXES[n];
        bool fits = (!index->encoder_only || !component->decodes) &&
                    (!index->codec || index->codec == component->entry.codec->codec);
        if (index->index == number && (index->config || !config))
            return fits ? index : NULL;
    }
    return NULL;
}

static bool reaches(enum reach reach, OMX_U32 port)
{
    switch (reach) {
    case REACH_COMPONENT:
        return true;
    case REACH_INPUT:
        return port == INPUT;
    case REACH_OUTPUT:
        return port == OUTPUT;
    default:
        return port < PORTS;
    }
}

static OMX_ERRORTYPE check(const struct component *component, const struct index *index, const void *structure)
{
    const struct head *head = structure;

    if (component->state == OMX_StateInvalid)
        return OMX_ErrorInvalidState;
    OMX_ERRORTYPE result = structure_check(structure, index->size);
    if (result != OMX_ErrorNone)
        return result;
    return index->reach == REACH_COMPONENT || reaches(index->reach, head->nPortIndex) ? OMX_ErrorNone
                                                                                      : OMX_ErrorBadPortIndex;
}

/* OpenMAX IL 1.1.2, section 3.2.2.6: parameters are set before resources are taken, or while their port is disabled. */
static bool is_settable(const struct component *component, const struct index *index, const void *structure)
{
    const struct head *head = structure;
    bool loaded = (component->state == OMX_StateLoaded || component->state == OMX_StateWaitForResources) &&
                  component->step == STEP_SAME;

    if (index->config || loaded)
        return true;
    return index->reach != REACH_COMPONENT && !component->ports[head->nPortIndex].definition.bEnabled;
}

static OMX_ERRORTYPE get(struct component *component, const struct index *index, void *structure)
{
    OMX_ERRORTYPE result = check(component, index, structure);

    return result == OMX_ErrorNone ? index->get(component, structure) : result;
}

static OMX_ERRORTYPE set(struct component *component, const struct index *index, const void *structure)
{
    OMX_ERRORTYPE result = check(component, index, structure);

    if (result != OMX_ErrorNone)
        return result;
    if (!index->set)
        return OMX_ErrorUnsupportedSetting;
    if (!is_settable(component, index, structure))
        return OMX_ErrorIncorrectStateOperation;
    return index->set(component, structure);
}

OMX_ERRORTYPE index_get(struct component *component, OMX_INDEXTYPE number, void *structure, bool config)
{
    const struct index *index = find(component, number, config);

    if (!structure)
        return OMX_ErrorBadParameter;
    if (!index)
        return OMX_ErrorUnsupportedIndex;
    pthread_mutex_lock(&component->lock);
    OMX_ERRORTYPE result = get(component, index, structure);
    pthread_mutex_unlock(&component->lock);
    return result;
}

OMX_ERRORTYPE index_set(struct component *component, OMX_INDEXTYPE number, const void *structure, bool config)
{
    const struct index *index = find(component, number, config);

    if (!structure)
        return OMX_ErrorBadParameter;
    if (!index)
        return OMX_ErrorUnsupportedIndex;
    pthread_mutex_lock(&component->lock);
    OMX_ERRORTYPE result = set(component, index, structure);
    wake(component);
    pthread_mutex_unlock(&component->lock);
    return result;
}

OMX_ERRORTYPE index_of_name(const char *name, OMX_INDEXTYPE *number)
{
    for (size_t n = 0; n < INDEX_COUNT; n++)
        if (INDEXES[n].name && strcmp(INDEXES[n].name, name) == 0) {
            *number = INDEXES[n].index;
            return OMX_ErrorNone;
        }
    return OMX_ErrorUnsupportedIndex;
}

/* --- the component and its ports -------------------------------------------------------------------------- */

OMX_ERRORTYPE get_no_ports(struct component *component, void *structure)
{
    OMX_PORT_PARAM_TYPE *ports = structure;

    (void)component;
    ports->nPorts = 0;
    ports->nStartPortNumber = 0;
    return OMX_ErrorNone;
}

OMX_ERRORTYPE get_video_ports(struct component *component, void *structure)
{
    OMX_PORT_PARAM_TYPE *ports = structure;

    (void)component;
    ports->nPorts = PORTS;
    ports->nStartPortNumber = 0;
    return OMX_ErrorNone;
}

OMX_ERRORTYPE get_role(struct component *component, void *structure)
{
    OMX_PARAM_COMPONENTROLETYPE *role = structure;

    memcpy(role->cRole, component->entry.role, sizeof role->cRole);
    return OMX_ErrorNone;
}

OMX_ERRORTYPE set_role(struct component *component, const void *structure)
{
    const OMX_PARAM_COMPONENTROLETYPE *role = structure;
    bool is = strncmp((const char *)role->cRole, component->entry.role, sizeof role->cRole) == 0;

    return is ? OMX_ErrorNone : OMX_ErrorUnsupportedSetting;
}

OMX_ERRORTYPE get_definition(struct component *component, void *structure)
{
    OMX_PARAM_PORTDEFINITIONTYPE *definition = structure;

    *definition = component->ports[definition->nPortIndex].definition;
    return OMX_ErrorNone;
}

OMX_ERRORTYPE set_definition(struct component *component, const void *structure)
{
    return port_define(component, structure);
}

OMX_ERRORTYPE get_supplier(struct component *component, void *structure)
{
    OMX_PARAM_BUFFERSUPPLIERTYPE *supplier = structure;

    (void)component;
    supplier->eBufferSupplier = OMX_BufferSupplyUnspecified;
    return OMX_ErrorNone;
}

/* Who supplies the buffers of a tunnel is of no matter where there are no tunnels. */
OMX_ERRORTYPE set_supplier(struct component *component, const void *structure)
{
    const OMX_PARAM_BUFFERSUPPLIERTYPE *supplier = structure;

    (void)component;
    return supplier->eBufferSupplier == OMX_BufferSupplyUnspecified ? OMX_ErrorNone : OMX_ErrorUnsupportedSetting;
}

/* What there is to see of each picture: a decoder says where it begins. */
OMX_ERRORTYPE get_crop(struct component *component, void *structure)
{
    OMX_CONFIG_RECTTYPE *crop = structure;
    const struct paracore_picture_format *format =
        component->announced ? &component->formats[component->announced % GENERATIONS] : &component->format;

    crop->nLeft = (OMX_S32)format->crop_left;
    crop->nTop = (OMX_S32)format->crop_top;
    crop->nWidth = format->width;
    crop->nHeight = format->height;
    return OMX_ErrorNone;
}

OMX_ERRORTYPE get_statistics(struct component *component, void *structure)
{
    OMX_PARACORE_CONFIG_STATISTICSTYPE *statistics = structure;

    statistics->nPictures = component->statistics.nPictures;
    statistics->nCopied = component->statistics.nCopied;
    return OMX_ErrorNone;
}
