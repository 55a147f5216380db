/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What components there are: one for each codec and direction of each device. The first device that can do it has the
 * plain name, the others one with the device's name in it.
 */
#include "omx.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static bool has_pictures(const struct paracore_video_capability_query_reply *capability)
{
    return pixels_of_capability(capability->pixel_formats, 0);
}

static bool is_first(const struct shim_device *devices, uint32_t device,
                     const struct paracore_video_capability_query_reply *capability)
{
    for (uint32_t n = 0; n < device; n++) {
        const struct paracore_video_capability_query_reply *other =
            shim_capability(&devices[n], capability->codec, capability->direction);
        if (other && has_pictures(other))
            return false;
    }
    return true;
}

/* Component names are written to files by people: no blanks, no quotes. */
static void write_device(char *out, const struct shim_device *device)
{
    size_t n = 0;

    for (; device->name[n] && n < PARACORE_NAME_MAX - 1; n++)
        out[n] = isalnum((unsigned char)device->name[n]) || device->name[n] == '-' ? device->name[n] : '_';
    out[n++] = '.';
    out[n] = '\0';
}

static void fill(struct entry *entry, const struct shim_device *devices, uint32_t device,
                 const struct paracore_video_capability_query_reply *capability, const struct codec *codec)
{
    const char *direction = capability->direction == PARACORE_DIRECTION_DECODE ? "decoder" : "encoder";
    char part[PARACORE_NAME_MAX + 1] = "";

    if (!is_first(devices, device, capability))
        write_device(part, &devices[device]);
    entry->codec = codec;
    entry->device = devices[device].index;
    entry->capability = *capability;
    snprintf(entry->role, sizeof entry->role, "video_%s.%s", direction, codec->role);
    snprintf(entry->name, sizeof entry->name, "OMX.paracore.%svideo_%s.%s", part, direction, codec->role);
}

/* The n-th of one device; counts `n` down by those that it passes. */
static bool entry_of_device(const struct shim_device *devices, uint32_t device, uint32_t *n, struct entry *entry)
{
    for (uint32_t i = 0; i < devices[device].capability_count; i++) {
        const struct paracore_video_capability_query_reply *capability = &devices[device].capabilities[i];
        const struct codec *codec = codec_find(capability->codec);
        if (!codec || !has_pictures(capability) || (*n)--)
            continue;
        fill(entry, devices, device, capability, codec);
        return true;
    }
    return false;
}

bool catalogue_entry(struct shim_link *link, uint32_t n, struct entry *entry)
{
    uint32_t count;
    const struct shim_device *devices = shim_link_devices(link, &count);

    for (uint32_t device = 0; device < count; device++)
        if (entry_of_device(devices, device, &n, entry))
            return true;
    return false;
}

bool catalogue_find(struct shim_link *link, const char *name, struct entry *entry)
{
    for (uint32_t n = 0; catalogue_entry(link, n, entry); n++)
        if (strcmp(entry->name, name) == 0)
            return true;
    return false;
}
