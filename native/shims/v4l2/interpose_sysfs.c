/* SPDX-License-Identifier: Apache-2.0 */
/* What /sys says of our devices, as drivers/media/v4l2-core/v4l2-dev.c has it for a virtual device of the kernel. */
#include "interpose.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { UEVENT, NAME, DEV, INDEX, DEV_DEBUG };

const char *const sysfs_attributes[ATTRIBUTES_MAX] = {
    [UEVENT] = "uevent", [NAME] = "name", [DEV] = "dev", [INDEX] = "index", [DEV_DEBUG] = "dev_debug"};

int sysfs_text(const struct place *place, char *text)
{
    unsigned number = place->number;

    switch (place->attribute) {
    case UEVENT:
        return snprintf(text, SYSFS_TEXT_MAX, "MAJOR=%d\nMINOR=%u\nDEVNAME=video%u\n", NODE_MAJOR, number, number);
    case NAME:
        return snprintf(text, SYSFS_TEXT_MAX, "%s\n", place->node.card);
    case DEV:
        return snprintf(text, SYSFS_TEXT_MAX, "%d:%u\n", NODE_MAJOR, number);
    default: /* the first of its card; no messages of the kernel */
        return snprintf(text, SYSFS_TEXT_MAX, "0\n");
    }
}

int sysfs_link(const struct place *place, char *text)
{
    if (place->kind == PLACE_SUBSYSTEM)
        return snprintf(text, SYSFS_TEXT_MAX, "../../../../class/video4linux");
    return snprintf(text, SYSFS_TEXT_MAX, "../../devices/virtual/video4linux/video%u", place->number);
}

int sysfs_open(const struct place *place, int flags)
{
    char text[SYSFS_TEXT_MAX];
    int length = sysfs_text(place, text);

    if ((flags & O_ACCMODE) != O_RDONLY)
        return -EACCES;
    int fd = memfd_create(sysfs_attributes[place->attribute], flags & O_CLOEXEC ? MFD_CLOEXEC : 0);
    if (fd < 0)
        return -errno;
    if (pwrite(fd, text, (size_t)length, 0) == length)
        return fd;
    close(fd);
    return -EIO;
}
