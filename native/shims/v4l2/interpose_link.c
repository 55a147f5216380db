/* SPDX-License-Identifier: Apache-2.0 */
/* readlink() and realpath(): our devices are no links, and sysfs links to them. */
#include "interpose.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- readlink() -------------------------------------------------------------------------------------- */

static ssize_t read_place(const struct place *place, char *target, size_t size)
{
    char text[SYSFS_TEXT_MAX];

    if (place->kind != PLACE_LINK && place->kind != PLACE_SUBSYSTEM && place->kind != PLACE_PARENT)
        return -EINVAL;
    size_t length = (size_t)sysfs_link(place, text);
    if (length > size)
        length = size;
    memcpy(target, text, length);
    return (ssize_t)length;
}

static ssize_t readlink_ours(int directory, const char *path, char *target, size_t size)
{
    struct visit visit;
    struct place place;

    if (visiting || !place_possible(path))
        return NOT_OURS;
    visit_begin(&visit);
    if (place_find(directory, path, &place)) {
        ssize_t length = read_place(&place, target, size);
        place_put(&place);
        return visit_answer(&visit, length);
    }
    visit_end(&visit);
    return NOT_OURS;
}

INTERPOSED ssize_t readlink(const char *path, char *target, size_t size)
{
    ssize_t length = readlink_ours(AT_FDCWD, path, target, size);

    return length == NOT_OURS ? REAL(readlink)(path, target, size) : length;
}

INTERPOSED ssize_t readlinkat(int directory, const char *path, char *target, size_t size)
{
    ssize_t length = readlink_ours(directory, path, target, size);

    return length == NOT_OURS ? REAL(readlinkat)(directory, path, target, size) : length;
}

/* What is too long for the room ends the program, in libc. */
INTERPOSED ssize_t __readlink_chk(const char *path, char *target, size_t size, size_t room)
{
    ssize_t length = size > room ? NOT_OURS : readlink_ours(AT_FDCWD, path, target, size);

    return length == NOT_OURS ? REAL(__readlink_chk)(path, target, size, room) : length;
}

INTERPOSED ssize_t __readlinkat_chk(int directory, const char *path, char *target, size_t size, size_t room)
{
    ssize_t length = size > room ? NOT_OURS : readlink_ours(directory, path, target, size);

    return length == NOT_OURS ? REAL(__readlinkat_chk)(directory, path, target, size, room) : length;
}

/* --- realpath() -------------------------------------------------------------------------------------- */

static int name_place(const struct place *place, char *resolved)
{
    static const char *const subsystems[OWNERS] = {"class/video4linux", "bus/media", "bus/platform"};
    const char *attribute = place->kind == PLACE_ATTRIBUTE ? sysfs_attribute(place->owner, place->attribute) : "";
    char folder[SYSFS_TEXT_MAX];

    switch (place->kind) {
    case PLACE_NODE:
        return snprintf(resolved, PATH_MAX, "/dev/%s%u", node_prefix((enum node_kind)place->owner), place->number);
    case PLACE_CLASS:
    case PLACE_SUBSYSTEM:
        return snprintf(resolved, PATH_MAX, "/sys/%s", subsystems[place->owner]);
    default:
        sysfs_folder(place->owner, &place->node, folder);
        return snprintf(resolved, PATH_MAX, "/sys/devices/%s%s%s", folder, *attribute ? "/" : "", attribute);
    }
}

/* True if the path is ours; *result is then what realpath() is to return. */
static bool realpath_ours(const char *path, char *resolved, char **result)
{
    struct visit visit;
    struct place place;
    char text[PATH_MAX];

    if (visiting || !place_possible(path))
        return false;
    visit_begin(&visit);
    bool found = place_find(AT_FDCWD, path, &place);
    if (found) {
        size_t size = (size_t)name_place(&place, text) + 1;
        *result = resolved ? memcpy(resolved, text, size) : strdup(text);
        place_put(&place);
    }
    visit_end(&visit);
    if (found && !*result)
        errno = ENOMEM;
    return found;
}

INTERPOSED char *realpath(const char *path, char *resolved)
{
    char *result;

    return realpath_ours(path, resolved, &result) ? result : REAL(realpath)(path, resolved);
}

INTERPOSED char *__realpath_chk(const char *path, char *resolved, size_t room)
{
    char *result;

    if (room >= PATH_MAX && realpath_ours(path, resolved, &result))
        return result;
    return REAL(__realpath_chk)(path, resolved, room);
}

INTERPOSED char *canonicalize_file_name(const char *path)
{
    char *result;

    return realpath_ours(path, NULL, &result) ? result : REAL(canonicalize_file_name)(path);
}
