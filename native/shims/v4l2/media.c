/* SPDX-License-Identifier: Apache-2.0 */
/* The graph, and what media-device.c says of one. */
#include "media.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "user.h"

/* --- the graph ---------------------------------------------------------------------------------------------- */

/* Object numbers as the kernel gives them (media-entity.c, media_gobj_create()): a type above a count of all that was
 * made, in the order in which v4l2-mem2mem.c makes it. 9 and 11 are the links' other halves, which are not shown. */
#define ENTITY(number) (0U << 24 | (number))
#define PAD(number) (1U << 24 | (number))
#define LINK(number) (2U << 24 | (number))
#define INTERFACE(number) (3U << 24 | (number))

enum {
    SOURCE = ENTITY(1),
    PROC = ENTITY(3),
    SINK = ENTITY(6),
    NODE = INTERFACE(12),
    OBJECTS = 14, /* the version of the topology counts them */
    DATA = MEDIA_LNK_FL_ENABLED | MEDIA_LNK_FL_IMMUTABLE,
    OF_NODE = DATA | MEDIA_LNK_FL_INTERFACE_LINK,
};

static const struct entity {
    uint32_t id;
    const char *name;
    uint16_t pads, links; /* links: those that leave it */
} ENTITIES[] = {
    {SOURCE, "source", 1, 1},
    {PROC, "proc", 2, 1},
    {SINK, "sink", 1, 0},
};

static const struct pad {
    uint32_t id, entity, index, flags;
} PADS[] = {
    {PAD(2), SOURCE, 0, MEDIA_PAD_FL_SOURCE},
    {PAD(4), PROC, 0, MEDIA_PAD_FL_SINK},
    {PAD(5), PROC, 1, MEDIA_PAD_FL_SOURCE},
    {PAD(7), SINK, 0, MEDIA_PAD_FL_SINK},
};

static const struct link {
    uint32_t id, source, sink, flags;
} LINKS[] = {
    {LINK(8), PAD(2), PAD(4), DATA},
    {LINK(10), PAD(5), PAD(7), DATA},
    {LINK(13), NODE, SOURCE, OF_NODE},
    {LINK(14), NODE, SINK, OF_NODE},
};

#define COUNT(table) ((uint32_t)(sizeof(table) / sizeof *(table)))

/* With the flag, the first of those behind it. */
static const struct entity *find_entity(uint32_t id)
{
    uint32_t wanted = id & ~MEDIA_ENT_ID_FLAG_NEXT;

    for (uint32_t n = 0; n < COUNT(ENTITIES); n++)
        if (id & MEDIA_ENT_ID_FLAG_NEXT ? ENTITIES[n].id > wanted : ENTITIES[n].id == wanted)
            return &ENTITIES[n];
    return NULL;
}

static const struct pad *find_pad(uint32_t entity, uint32_t index)
{
    for (uint32_t n = 0; n < COUNT(PADS); n++)
        if (PADS[n].entity == entity && PADS[n].index == index)
            return &PADS[n];
    return NULL;
}

static const struct pad *pad_of_id(uint32_t id)
{
    for (uint32_t n = 0; n < COUNT(PADS); n++)
        if (PADS[n].id == id)
            return &PADS[n];
    return NULL;
}

static const struct link *find_link(const struct pad *source, const struct pad *sink)
{
    for (uint32_t n = 0; source && sink && n < COUNT(LINKS); n++)
        if (LINKS[n].source == source->id && LINKS[n].sink == sink->id)
            return &LINKS[n];
    return NULL;
}

/* As the kernel's are called: "vpu0-decoder-source". The older of the two structures has room for 31 characters. */
static void name_entity(const struct v4l2_file *file, const struct entity *entity, char *name, size_t room)
{
    const char *direction = is_decoder(file) ? "decoder" : "encoder";

    snprintf(name, room, "%.10s-%s-%s", file->node.device->name, direction, entity->name);
}

static uint32_t function_of(const struct v4l2_file *file, const struct entity *entity)
{
    if (entity->id != PROC)
        return MEDIA_ENT_F_IO_V4L;
    return is_decoder(file) ? MEDIA_ENT_F_PROC_VIDEO_DECODER : MEDIA_ENT_F_PROC_VIDEO_ENCODER;
}

/* --- the device --------------------------------------------------------------------------------------------- */

int media_device_info(struct v4l2_file *file, int fd, void *argument)
{
    struct media_device_info *info = argument;

    (void)fd;
    *info = (struct media_device_info){.media_version = KERNEL_VERSION, .driver_version = KERNEL_VERSION};
    snprintf(info->driver, sizeof info->driver, "paracore");
    memcpy(info->model, file->node.card, sizeof info->model);
    file_bus(file, info->bus_info, sizeof info->bus_info);
    return 0;
}

/* --- one by one: the older interface, which media-ctl uses --------------------------------------------------- */

/* A function that this interface cannot say is "unknown" in it: media_device_enum_entities() for media-ctl's sake. */
static uint32_t type_of(const struct v4l2_file *file, const struct entity *entity)
{
    return entity->id == PROC ? MEDIA_ENT_T_DEVNODE_UNKNOWN : function_of(file, entity);
}

int media_enum_entities(struct v4l2_file *file, int fd, void *argument)
{
    struct media_entity_desc *description = argument;
    const struct entity *entity = find_entity(description->id);

    (void)fd;
    if (!entity)
        return -EINVAL;
    *description = (struct media_entity_desc){
        .id = entity->id, .type = type_of(file, entity), .pads = entity->pads, .links = entity->links};
    name_entity(file, entity, description->name, sizeof description->name);
    if (entity->id != PROC) {
        description->dev.major = VIDEO_MAJOR;
        description->dev.minor = file->node.number;
    }
    return 0;
}

static struct media_pad_desc describe_pad(const struct pad *pad)
{
    return (struct media_pad_desc){.entity = pad->entity, .index = (uint16_t)pad->index, .flags = pad->flags};
}

static int give_pads(uint32_t entity, uint64_t address)
{
    for (uint32_t index = 0; find_pad(entity, index); index++, address += sizeof(struct media_pad_desc)) {
        struct media_pad_desc description = describe_pad(find_pad(entity, index));
        if (user_write(address, &description, sizeof description) != 0)
            return -EFAULT;
    }
    return 0;
}

/* Those that leave the entity: a link is given once. */
static int give_links(uint32_t entity, uint64_t address)
{
    for (uint32_t n = 0; n < COUNT(LINKS); n++) {
        const struct pad *source = pad_of_id(LINKS[n].source), *sink = pad_of_id(LINKS[n].sink);
        if (!source || !sink || source->entity != entity)
            continue;
        struct media_link_desc description = {
            .source = describe_pad(source), .sink = describe_pad(sink), .flags = LINKS[n].flags};
        if (user_write(address, &description, sizeof description) != 0)
            return -EFAULT;
        address += sizeof description;
    }
    return 0;
}

int media_enum_links(struct v4l2_file *file, int fd, void *argument)
{
    const struct media_links_enum *links = argument;
    int error = 0;

    (void)file;
    (void)fd;
    if (!find_entity(links->entity))
        return -EINVAL;
    if (links->pads)
        error = give_pads(find_entity(links->entity)->id, (uintptr_t)links->pads);
    if (links->links && !error)
        error = give_links(find_entity(links->entity)->id, (uintptr_t)links->links);
    return error;
}

/* media-entity.c, __media_entity_setup_link(): what cannot be changed may be set to what it is. */
int media_setup_link(struct v4l2_file *file, int fd, void *argument)
{
    const struct media_link_desc *wanted = argument;
    const struct link *link = find_link(find_pad(wanted->source.entity, wanted->source.index),
                                        find_pad(wanted->sink.entity, wanted->sink.index));

    (void)file;
    (void)fd;
    return link && link->flags == wanted->flags ? 0 : -EINVAL;
}

/* --- all at once: G_TOPOLOGY --------------------------------------------------------------------------------- */

typedef void describe(const struct v4l2_file *file, uint32_t index, void *description);

static void describe_v2_entity(const struct v4l2_file *file, uint32_t index, void *description)
{
    struct media_v2_entity *entity = description;

    *entity = (struct media_v2_entity){
        .id = ENTITIES[index].id, .function = function_of(file, &ENTITIES[index])};
    name_entity(file, &ENTITIES[index], entity->name, sizeof entity->name);
}

static void describe_v2_interface(const struct v4l2_file *file, uint32_t index, void *description)
{
    (void)index;
    *(struct media_v2_interface *)description = (struct media_v2_interface){
        .id = NODE,
        .intf_type = MEDIA_INTF_T_V4L_VIDEO,
        .devnode = {.major = VIDEO_MAJOR, .minor = file->node.number},
    };
}

static void describe_v2_pad(const struct v4l2_file *file, uint32_t index, void *description)
{
    const struct pad *pad = &PADS[index];

    (void)file;
    *(struct media_v2_pad *)description =
        (struct media_v2_pad){.id = pad->id, .entity_id = pad->entity, .flags = pad->flags, .index = pad->index};
}

static void describe_v2_link(const struct v4l2_file *file, uint32_t index, void *description)
{
    const struct link *link = &LINKS[index];

    (void)file;
    *(struct media_v2_link *)description =
        (struct media_v2_link){.id = link->id, .source_id = link->source, .sink_id = link->sink, .flags = link->flags};
}

/* In the order of the structure's parts. */
static const struct array {
    uint32_t count, size; /* size: octets of each */
    describe *describe;
} ARRAYS[] = {
    {COUNT(ENTITIES), sizeof(struct media_v2_entity), describe_v2_entity},
    {1, sizeof(struct media_v2_interface), describe_v2_interface},
    {COUNT(PADS), sizeof(struct media_v2_pad), describe_v2_pad},
    {COUNT(LINKS), sizeof(struct media_v2_link), describe_v2_link},
};

/* What media_v2_topology has four of, behind its version. */
struct part {
    uint32_t count, reserved;
    uint64_t address;
};

enum { PARTS_AT = offsetof(struct media_v2_topology, num_entities) };

_Static_assert(sizeof(struct media_v2_topology) == PARTS_AT + COUNT(ARRAYS) * sizeof(struct part), "four parts");

/* Without an address only the count is asked for. */
static int give_array(const struct v4l2_file *file, const struct array *array, const struct part *part)
{
    uint64_t octets[32]; /* the largest, an interface, has 112 octets */

    for (uint32_t n = 0; part->address && n < array->count; n++) {
        if (n == part->count)
            return -ENOSPC;
        array->describe(file, n, octets);
        if (user_write(part->address + n * array->size, octets, array->size) != 0)
            return -EFAULT;
    }
    return 0;
}

int media_topology(struct v4l2_file *file, int fd, void *argument)
{
    uint8_t *octets = argument;
    struct part parts[COUNT(ARRAYS)];
    int error = 0;

    (void)fd;
    ((struct media_v2_topology *)argument)->topology_version = OBJECTS;
    memcpy(parts, octets + PARTS_AT, sizeof parts);
    for (uint32_t n = 0; n < COUNT(ARRAYS) && !error; n++) {
        error = give_array(file, &ARRAYS[n], &parts[n]);
        parts[n].count = ARRAYS[n].count;
        parts[n].reserved = 0;
    }
    memcpy(octets + PARTS_AT, parts, sizeof parts);
    return error;
}
