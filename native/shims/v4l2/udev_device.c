/* SPDX-License-Identifier: Apache-2.0 */
/* A device as libudev would describe it, with the properties that udev's own rules give one (v4l_id). */
#include "udev.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "interpose.h"

struct device {
    const void *mark;
    unsigned references; /* atomic */
    struct udev *udev;   /* the program's; libudev does not hold it either */
    struct description description;
};

static const char mark; /* its address is one */

/* --- describing --------------------------------------------------------------------------------------- */

static bool add_number(struct entry **list, const char *name, unsigned number)
{
    char text[16];

    snprintf(text, sizeof text, "%u", number);
    return entry_add(list, name, text);
}

/* In udev's order. A codec is neither a camera nor a tuner: v4l_id names no capability of it. */
static bool add_properties(struct description *description, const struct node *node)
{
    struct entry **list = &description->properties;
    char name[32];

    snprintf(name, sizeof name, "/dev/video%u", node->number);
    return entry_add(list, "DEVPATH", description->syspath + strlen("/sys")) && entry_add(list, "DEVNAME", name) &&
           add_number(list, "MAJOR", VIDEO_MAJOR) && add_number(list, "MINOR", node->number) &&
           entry_add(list, "SUBSYSTEM", "video4linux") && entry_add(list, "USEC_INITIALIZED", "1") &&
           entry_add(list, "ID_V4L_VERSION", "2") && entry_add(list, "ID_V4L_PRODUCT", node->card) &&
           entry_add(list, "ID_V4L_CAPABILITIES", ":");
}

static bool add_attributes(struct description *description, const struct node *node)
{
    struct place place = {.kind = PLACE_ATTRIBUTE, .number = node->number, .node = *node};
    char text[SYSFS_TEXT_MAX];

    for (; place.attribute < ATTRIBUTES_MAX; place.attribute++) {
        const char *name = sysfs_attribute(OF_VIDEO, place.attribute);
        if (!name)
            continue;
        text[sysfs_text(&place, text) - 1] = 0; /* libudev cuts the last line's end */
        if (!entry_add(&description->attributes, name, text))
            return false;
    }
    return true;
}

bool description_make(struct description *description, const struct node *node)
{
    *description = (struct description){.number = node->number};
    snprintf(description->syspath, sizeof description->syspath, "/sys/devices/virtual/video4linux/video%u",
             node->number);
    return add_properties(description, node) && add_attributes(description, node);
}

void description_free(struct description *description)
{
    entry_free(description->properties);
    entry_free(description->attributes);
}

/* --- making and ending -------------------------------------------------------------------------------- */

static struct udev_device *make(struct udev *udev, const struct node *node)
{
    struct device *device = calloc(1, sizeof *device);

    if (!device)
        return NULL;
    device->mark = &mark;
    device->references = 1;
    device->udev = udev;
    if (description_make(&device->description, node))
        return (struct udev_device *)(void *)device;
    description_free(&device->description);
    free(device);
    return NULL;
}

/* The device of a path of ours, or NULL. */
static struct udev_device *make_of_path(struct udev *udev, const char *path)
{
    struct udev_device *device = NULL;
    struct visit visit;
    struct place place;

    if (visiting || !place_possible(path))
        return NULL;
    visit_begin(&visit);
    if (place_find(AT_FDCWD, path, &place)) {
        if (place.owner == OF_VIDEO && (place.kind == PLACE_DEVICE || place.kind == PLACE_LINK))
            device = make(udev, &place.node);
        place_put(&place);
    }
    visit_end(&visit);
    return device;
}

static struct udev_device *make_of_number(struct udev *udev, unsigned number)
{
    char path[64];

    snprintf(path, sizeof path, "/sys/class/video4linux/video%u", number);
    return make_of_path(udev, path);
}

INTERPOSED struct udev_device *udev_device_new_from_syspath(struct udev *udev, const char *path)
{
    struct udev_device *device = make_of_path(udev, path);

    return device ? device : LIBUDEV(udev_device_new_from_syspath)(udev, path);
}

INTERPOSED struct udev_device *udev_device_new_from_devnum(struct udev *udev, char type, dev_t number)
{
    struct udev_device *device = NULL;

    if (type == 'c' && major(number) == VIDEO_MAJOR)
        device = make_of_number(udev, minor(number));
    return device ? device : LIBUDEV(udev_device_new_from_devnum)(udev, type, number);
}

INTERPOSED struct udev_device *udev_device_new_from_subsystem_sysname(struct udev *udev, const char *subsystem,
                                                                      const char *name)
{
    struct udev_device *device = NULL;
    char path[64];

    if (subsystem && name && strcmp(subsystem, "video4linux") == 0 &&
        snprintf(path, sizeof path, "/sys/class/video4linux/%s", name) < (int)sizeof path)
        device = make_of_path(udev, path);
    return device ? device : LIBUDEV(udev_device_new_from_subsystem_sysname)(udev, subsystem, name);
}

/* sd_device_get_device_id(3): "c81:0". */
INTERPOSED struct udev_device *udev_device_new_from_device_id(struct udev *udev, const char *id)
{
    struct udev_device *device = NULL;
    unsigned number;
    char rest;

    if (id && sscanf(id, "c81:%u%c", &number, &rest) == 1)
        device = make_of_number(udev, number);
    return device ? device : LIBUDEV(udev_device_new_from_device_id)(udev, id);
}

/* Any object of libudev's begins with a pointer, so that much can be read. */
static struct device *ours(struct udev_device *given)
{
    struct device *device = (struct device *)(void *)given;

    return device && device->mark == &mark ? device : NULL;
}

INTERPOSED struct udev_device *udev_device_ref(struct udev_device *given)
{
    struct device *device = ours(given);

    if (!device)
        return LIBUDEV(udev_device_ref)(given);
    __atomic_add_fetch(&device->references, 1, __ATOMIC_RELAXED);
    return given;
}

INTERPOSED struct udev_device *udev_device_unref(struct udev_device *given)
{
    struct device *device = ours(given);

    if (!device)
        return LIBUDEV(udev_device_unref)(given);
    if (__atomic_sub_fetch(&device->references, 1, __ATOMIC_ACQ_REL) == 0) {
        description_free(&device->description);
        free(device);
    }
    return NULL;
}

/* --- asking ------------------------------------------------------------------------------------------- */

static const char *property(const struct device *device, const char *name)
{
    const struct entry *entry = name ? entry_find(device->description.properties, name) : NULL;

    return entry ? entry->value : NULL;
}

static const char *attribute(const struct device *device, const char *name)
{
    const struct entry *entry = name ? entry_find(device->description.attributes, name) : NULL;

    return entry ? entry->value : NULL;
}

static struct udev_list_entry *as_list(struct entry *entry)
{
    return (struct udev_list_entry *)(void *)entry;
}

/* What is asked, and what the answer is for a device of ours. */
#define ANSWER(type, name, parameters, arguments, said)                                                            \
    INTERPOSED type name parameters                                                                                \
    {                                                                                                              \
        struct device *device = ours(given);                                                                       \
        return device ? (said) : LIBUDEV(name) arguments;                                                          \
    }
#define ASKED(type, name, said) ANSWER(type, name, (struct udev_device * given), (given), said)

ASKED(struct udev *, udev_device_get_udev, device->udev)
ASKED(const char *, udev_device_get_devpath, property(device, "DEVPATH"))
ASKED(const char *, udev_device_get_subsystem, "video4linux")
ASKED(const char *, udev_device_get_devtype, NULL)
ASKED(const char *, udev_device_get_syspath, device->description.syspath)
ASKED(const char *, udev_device_get_sysname, strrchr(device->description.syspath, '/') + 1)
ASKED(const char *, udev_device_get_sysnum, property(device, "MINOR"))
ASKED(const char *, udev_device_get_devnode, property(device, "DEVNAME"))
ASKED(const char *, udev_device_get_driver, NULL)
ASKED(const char *, udev_device_get_action, NULL)
ANSWER(const char *, udev_device_get_property_value, (struct udev_device * given, const char *name), (given, name),
       property(device, name))
ANSWER(const char *, udev_device_get_sysattr_value, (struct udev_device * given, const char *name), (given, name),
       attribute(device, name))
ANSWER(int, udev_device_set_sysattr_value, (struct udev_device * given, const char *name, const char *value),
       (given, name, value), -EACCES)
ASKED(int, udev_device_get_is_initialized, 1)
ANSWER(int, udev_device_has_tag, (struct udev_device * given, const char *tag), (given, tag), 0)
ANSWER(int, udev_device_has_current_tag, (struct udev_device * given, const char *tag), (given, tag), 0)
ASKED(dev_t, udev_device_get_devnum, makedev(VIDEO_MAJOR, device->description.number))
ASKED(unsigned long long, udev_device_get_seqnum, 0)
ASKED(unsigned long long, udev_device_get_usec_since_initialized, 1)
ASKED(struct udev_list_entry *, udev_device_get_devlinks_list_entry, NULL)
ASKED(struct udev_list_entry *, udev_device_get_properties_list_entry, as_list(device->description.properties))
ASKED(struct udev_list_entry *, udev_device_get_tags_list_entry, NULL)
ASKED(struct udev_list_entry *, udev_device_get_current_tags_list_entry, NULL)
ASKED(struct udev_list_entry *, udev_device_get_sysattr_list_entry, as_list(device->description.attributes))
ASKED(struct udev_device *, udev_device_get_parent, NULL)
ANSWER(struct udev_device *, udev_device_get_parent_with_subsystem_devtype,
       (struct udev_device * given, const char *subsystem, const char *type), (given, subsystem, type), NULL)
