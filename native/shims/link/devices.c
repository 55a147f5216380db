/* SPDX-License-Identifier: Apache-2.0 */
/* Asks the backend what devices there are, and what each can do. */
#include "internal.h"

#include <errno.h>
#include <string.h>

/* Of a codec without a format for its pictures nothing is said: programs do not expect it. */
static int query_capability(struct shim_link *link, struct shim_device *device, uint32_t index)
{
    struct paracore_video_capability_query request = {.device = device->index, .index = index};
    struct paracore_video_capability_query_reply *reply = &device->capabilities[device->capability_count];
    size_t size = sizeof *reply;

    int error = paracore_call(link->channel, PARACORE_OP_VIDEO_CAPABILITY_QUERY, 0, &request, sizeof request, reply,
                              &size, NULL, SHIM_CALL_NS);

    device->capability_count += error == 0 && reply->pixel_formats;
    return error;
}

static int query_capabilities(struct shim_link *link, struct shim_device *device, uint32_t count)
{
    for (uint32_t index = 0; index < count && index < SHIM_CAPABILITIES_MAX; index++) {
        int error = query_capability(link, device, index);
        if (error)
            return error == -ENOENT ? 0 : error;
    }
    return 0;
}

/* Returns 1 when there is no such device. */
static int query_device(struct shim_link *link, uint32_t index)
{
    struct paracore_core_device_query request = {.index = index};
    struct paracore_core_device_query_reply reply;
    size_t size = sizeof reply;
    int error = paracore_call(link->channel, PARACORE_OP_CORE_DEVICE_QUERY, 0, &request, sizeof request, &reply, &size,
                              NULL, SHIM_CALL_NS);

    if (error || reply.device_class != PARACORE_DEVICE_CLASS_VIDEO)
        return error == -ENOENT ? 1 : error;
    struct shim_device *device = &link->devices[link->device_count++];
    *device = (struct shim_device){.index = index};
    memcpy(device->name, reply.name, sizeof device->name); /* ends in zero: checked by libparacore */
    memcpy(device->driver, reply.driver, sizeof device->driver);
    return query_capabilities(link, device, reply.capability_count);
}

int devices_query(struct shim_link *link)
{
    int error = 0;

    link->device_count = 0;
    for (uint32_t index = 0; error == 0 && link->device_count < SHIM_DEVICES_MAX; index++)
        error = query_device(link, index);
    return error < 0 ? error : 0;
}

int device_check(struct paracore_channel *channel, uint32_t index, const char *name)
{
    struct paracore_core_device_query request = {.index = index};
    struct paracore_core_device_query_reply reply;
    size_t size = sizeof reply;
    int error = paracore_call(channel, PARACORE_OP_CORE_DEVICE_QUERY, 0, &request, sizeof request, &reply, &size, NULL,
                              SHIM_CALL_NS);

    if (error)
        return error;
    bool same = reply.device_class == PARACORE_DEVICE_CLASS_VIDEO && strncmp(reply.name, name, sizeof reply.name) == 0;
    return same ? 0 : -ENODEV;
}

const struct paracore_video_capability_query_reply *shim_capability(const struct shim_device *device, uint32_t codec,
                                                                    uint32_t direction)
{
    for (uint32_t n = 0; n < device->capability_count; n++)
        if (device->capabilities[n].codec == codec && device->capabilities[n].direction == direction)
            return &device->capabilities[n];
    return NULL;
}
