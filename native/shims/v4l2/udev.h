/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libudev's functions as the program sees them: our devices are among those that it enumerates, and can be asked about.
 *
 * Theory of operation. libudev believes only what lies in a real sysfs, which it walks by descriptors; so it is answered
 * for here rather than below. A device, or an entry of a list, that was made here begins with a mark that none of
 * libudev's own can begin with; each function looks for it and passes on what has none. This is what GStreamer's
 * discovery rests on (libgudev calls libudev), and that of most desktop programs.
 *
 * libudev may be loaded late, and privately, by a plugin; it is looked up when one of its functions is first called.
 */
#ifndef PARACORE_SHIMS_V4L2_UDEV_H
#define PARACORE_SHIMS_V4L2_UDEV_H

#include <stdbool.h>
#include <sys/types.h>

#include "nodes.h"

/* As in <libudev.h>, which need not be there to build this. */
struct udev;
struct udev_device;
struct udev_enumerate;
struct udev_list_entry;

struct udev_enumerate *udev_enumerate_new(struct udev *udev);
struct udev_enumerate *udev_enumerate_ref(struct udev_enumerate *enumerate);
struct udev_enumerate *udev_enumerate_unref(struct udev_enumerate *enumerate);
int udev_enumerate_add_match_subsystem(struct udev_enumerate *enumerate, const char *subsystem);
int udev_enumerate_add_nomatch_subsystem(struct udev_enumerate *enumerate, const char *subsystem);
int udev_enumerate_add_match_sysattr(struct udev_enumerate *enumerate, const char *name, const char *value);
int udev_enumerate_add_nomatch_sysattr(struct udev_enumerate *enumerate, const char *name, const char *value);
int udev_enumerate_add_match_property(struct udev_enumerate *enumerate, const char *name, const char *value);
int udev_enumerate_add_match_sysname(struct udev_enumerate *enumerate, const char *name);
int udev_enumerate_add_match_tag(struct udev_enumerate *enumerate, const char *tag);
int udev_enumerate_add_match_parent(struct udev_enumerate *enumerate, struct udev_device *parent);
int udev_enumerate_scan_devices(struct udev_enumerate *enumerate);
int udev_enumerate_scan_subsystems(struct udev_enumerate *enumerate);
struct udev_list_entry *udev_enumerate_get_list_entry(struct udev_enumerate *enumerate);

struct udev_list_entry *udev_list_entry_get_next(struct udev_list_entry *entry);
struct udev_list_entry *udev_list_entry_get_by_name(struct udev_list_entry *entry, const char *name);
const char *udev_list_entry_get_name(struct udev_list_entry *entry);
const char *udev_list_entry_get_value(struct udev_list_entry *entry);

struct udev_device *udev_device_new_from_syspath(struct udev *udev, const char *path);
struct udev_device *udev_device_new_from_devnum(struct udev *udev, char type, dev_t number);
struct udev_device *udev_device_new_from_subsystem_sysname(struct udev *udev, const char *subsystem, const char *name);
struct udev_device *udev_device_new_from_device_id(struct udev *udev, const char *id);
struct udev_device *udev_device_ref(struct udev_device *device);
struct udev_device *udev_device_unref(struct udev_device *device);
struct udev *udev_device_get_udev(struct udev_device *device);
const char *udev_device_get_devpath(struct udev_device *device);
const char *udev_device_get_subsystem(struct udev_device *device);
const char *udev_device_get_devtype(struct udev_device *device);
const char *udev_device_get_syspath(struct udev_device *device);
const char *udev_device_get_sysname(struct udev_device *device);
const char *udev_device_get_sysnum(struct udev_device *device);
const char *udev_device_get_devnode(struct udev_device *device);
const char *udev_device_get_driver(struct udev_device *device);
const char *udev_device_get_action(struct udev_device *device);
const char *udev_device_get_property_value(struct udev_device *device, const char *name);
const char *udev_device_get_sysattr_value(struct udev_device *device, const char *name);
int udev_device_set_sysattr_value(struct udev_device *device, const char *name, const char *value);
int udev_device_get_is_initialized(struct udev_device *device);
int udev_device_has_tag(struct udev_device *device, const char *tag);
int udev_device_has_current_tag(struct udev_device *device, const char *tag);
dev_t udev_device_get_devnum(struct udev_device *device);
unsigned long long udev_device_get_seqnum(struct udev_device *device);
unsigned long long udev_device_get_usec_since_initialized(struct udev_device *device);
struct udev_list_entry *udev_device_get_devlinks_list_entry(struct udev_device *device);
struct udev_list_entry *udev_device_get_properties_list_entry(struct udev_device *device);
struct udev_list_entry *udev_device_get_tags_list_entry(struct udev_device *device);
struct udev_list_entry *udev_device_get_current_tags_list_entry(struct udev_device *device);
struct udev_list_entry *udev_device_get_sysattr_list_entry(struct udev_device *device);
struct udev_device *udev_device_get_parent(struct udev_device *device);
struct udev_device *udev_device_get_parent_with_subsystem_devtype(struct udev_device *device, const char *subsystem,
                                                                  const char *type);

#define UDEV_FUNCTIONS(X)                                                                                          \
    X(udev_enumerate_new) X(udev_enumerate_ref) X(udev_enumerate_unref) X(udev_enumerate_add_match_subsystem)      \
    X(udev_enumerate_add_nomatch_subsystem) X(udev_enumerate_add_match_sysattr)                                    \
    X(udev_enumerate_add_nomatch_sysattr) X(udev_enumerate_add_match_property)                                     \
    X(udev_enumerate_add_match_sysname) X(udev_enumerate_add_match_tag) X(udev_enumerate_add_match_parent)         \
    X(udev_enumerate_scan_devices) X(udev_enumerate_scan_subsystems) X(udev_enumerate_get_list_entry)              \
    X(udev_list_entry_get_next) X(udev_list_entry_get_by_name) X(udev_list_entry_get_name)                         \
    X(udev_list_entry_get_value) X(udev_device_new_from_syspath) X(udev_device_new_from_devnum)                    \
    X(udev_device_new_from_subsystem_sysname) X(udev_device_new_from_device_id) X(udev_device_ref)                 \
    X(udev_device_unref) X(udev_device_get_udev) X(udev_device_get_devpath) X(udev_device_get_subsystem)           \
    X(udev_device_get_devtype) X(udev_device_get_syspath) X(udev_device_get_sysname) X(udev_device_get_sysnum)     \
    X(udev_device_get_devnode) X(udev_device_get_driver) X(udev_device_get_action)                                 \
    X(udev_device_get_property_value) X(udev_device_get_sysattr_value) X(udev_device_set_sysattr_value)            \
    X(udev_device_get_is_initialized) X(udev_device_has_tag) X(udev_device_has_current_tag)                        \
    X(udev_device_get_devnum) X(udev_device_get_seqnum) X(udev_device_get_usec_since_initialized)                  \
    X(udev_device_get_devlinks_list_entry) X(udev_device_get_properties_list_entry)                                \
    X(udev_device_get_tags_list_entry) X(udev_device_get_current_tags_list_entry)                                  \
    X(udev_device_get_sysattr_list_entry) X(udev_device_get_parent)                                                \
    X(udev_device_get_parent_with_subsystem_devtype)

enum udev_number {
#define UDEV_NUMBER(name) UDEV_##name,
    UDEV_FUNCTIONS(UDEV_NUMBER)
#undef UDEV_NUMBER
        UDEV_COUNT
};

/* --- udev.c ------------------------------------------------------------------------------------------- */

/* libudev's own. */
uintptr_t udev_find(enum udev_number number);

#define LIBUDEV(name) ((__typeof__(&name))udev_find(UDEV_##name))

/* A list that was made here: of devices, properties, attributes. */
struct entry {
    const void *mark;
    struct entry *next;
    char *name, *value;
};

/* Adds one at the end. False without memory. */
bool entry_add(struct entry **list, const char *name, const char *value);
void entry_free(struct entry *list);
const struct entry *entry_find(const struct entry *list, const char *name);

/* --- udev_device.c ------------------------------------------------------------------------------------ */

/* What is known of a device that was made here. */
struct description {
    unsigned number;
    char syspath[64];
    struct entry *properties, *attributes;
};

/* False without memory. To be freed in any case. */
bool description_make(struct description *description, const struct node *node);
void description_free(struct description *description);

#endif
