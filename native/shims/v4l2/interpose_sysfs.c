/* SPDX-License-Identifier: Apache-2.0 */
/* What /sys says of our devices, as drivers/media/v4l2-core/v4l2-dev.c has it for a virtual device of the kernel, and
 * drivers/media/mc/mc-devnode.c for the codec's media device. */
#include "interpose.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { UEVENT, NAME, DEV, INDEX, DEV_DEBUG, MODEL };

static const struct {
    const char *name;
    bool of[OWNERS];
} attributes[ATTRIBUTES_MAX] = {
    [UEVENT] = {"uevent", {[OF_VIDEO] = true, [OF_MEDIA] = true, [OF_CODEC] = true}},
    [NAME] = {"name", {[OF_VIDEO] = true}},
    [DEV] = {"dev", {[OF_VIDEO] = true, [OF_MEDIA] = true}},
    [INDEX] = {"index", {[OF_VIDEO] = true}},
    [DEV_DEBUG] = {"dev_debug", {[OF_VIDEO] = true}},
    [MODEL] = {"model", {[OF_MEDIA] = true}},
};

const char *sysfs_attribute(enum owner owner, unsigned attribute)
{
    return attributes[attribute].of[owner] ? attributes[attribute].name : NULL;
}

static int uevent(const struct place *place, char *text)
{
    enum node_kind kind = (enum node_kind)place->owner;
    unsigned number = place->number;

    if (place->owner == OF_CODEC)
        return snprintf(text, SYSFS_TEXT_MAX, "DRIVER=paracore\nMODALIAS=platform:paracore-%u\n", number);
    return snprintf(text, SYSFS_TEXT_MAX, "MAJOR=%u\nMINOR=%u\nDEVNAME=%s%u\n", node_major(kind), number,
                    node_prefix(kind), number);
}

int sysfs_text(const struct place *place, char *text)
{
    switch (place->attribute) {
    case UEVENT:
        return uevent(place, text);
    case NAME:
    case MODEL:
        return snprintf(text, SYSFS_TEXT_MAX, "%s\n", place->node.card);
    case DEV:
        return snprintf(text, SYSFS_TEXT_MAX, "%u:%u\n", node_major((enum node_kind)place->owner), place->number);
    default: /* the first of its card; no messages of the kernel */
        return snprintf(text, SYSFS_TEXT_MAX, "0\n");
    }
}

int sysfs_folder(enum owner owner, const struct node *node, char *text)
{
    switch (owner) {
    case OF_VIDEO:
        return snprintf(text, SYSFS_TEXT_MAX, "virtual/video4linux/video%u", node->number);
    case OF_MEDIA:
        return snprintf(text, SYSFS_TEXT_MAX, "platform/paracore-%u/media%u", node->number, node->media);
    default:
        return snprintf(text, SYSFS_TEXT_MAX, "platform/paracore-%u", node->number);
    }
}

static int link_to_subsystem(enum owner owner, char *text)
{
    static const char *const links[OWNERS] = {
        [OF_VIDEO] = "../../../../class/video4linux",
        [OF_MEDIA] = "../../../../bus/media",
        [OF_CODEC] = "../../../bus/platform",
    };

    return snprintf(text, SYSFS_TEXT_MAX, "%s", links[owner]);
}

int sysfs_link(const struct place *place, char *text)
{
    char folder[SYSFS_TEXT_MAX];

    if (place->kind == PLACE_SUBSYSTEM)
        return link_to_subsystem(place->owner, text);
    if (place->kind == PLACE_PARENT)
        return snprintf(text, SYSFS_TEXT_MAX, "../../../platform/paracore-%u", place->node.number);
    sysfs_folder(place->owner, &place->node, folder);
    return snprintf(text, SYSFS_TEXT_MAX, "../../devices/%.100s", folder);
}

int sysfs_open(const struct place *place, int flags)
{
    char text[SYSFS_TEXT_MAX];
    int length = sysfs_text(place, text);

    if ((flags & O_ACCMODE) != O_RDONLY)
        return -EACCES;
    int fd = memfd_create(attributes[place->attribute].name, flags & O_CLOEXEC ? MFD_CLOEXEC : 0);
    if (fd < 0)
        return -errno;
    if (pwrite(fd, text, (size_t)length, 0) == length)
        return fd;
    close(fd);
    return -EIO;
}
