/* SPDX-License-Identifier: Apache-2.0 */
/* Which paths are ours: /dev/videoN by whatever name it is called, and what sysfs says of it. */
#include "interpose.h"

#include <ctype.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

static const char class_path[] = "/sys/class/video4linux";
static const char devices_path[] = "/sys/devices/virtual/video4linux";

/* What a number may follow in sysfs, and what the whole then is. */
static const struct root {
    const char *path;
    enum place_kind kind;
} roots[] = {
    {"/sys/class/video4linux/video", PLACE_LINK},
    {"/sys/devices/virtual/video4linux/video", PLACE_DEVICE},
    {"/sys/dev/char/81:", PLACE_LINK},
};

static const char *last_word(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static bool is_video(const char *word)
{
    return strncmp(word, "video", 5) == 0 && isdigit((unsigned char)word[5]);
}

/* Under /sys, those of video4linux. */
static bool is_sysfs(const char *path)
{
    return strncmp(path, "/sys/", 5) == 0 && (strstr(path, "/video4linux") || strncmp(path, "/sys/dev/char/81:", 17) == 0);
}

bool place_possible(const char *path)
{
    return path && (is_video(last_word(path)) || is_sysfs(path));
}

/* --- nodes ------------------------------------------------------------------------------------------- */

/* A decimal number as the kernel writes it. Returns where it ends, NULL when there is none. */
static const char *read_number(const char *text, unsigned *number)
{
    *number = 0;
    if (!isdigit((unsigned char)*text) || (*text == '0' && isdigit((unsigned char)text[1])))
        return NULL;
    for (; isdigit((unsigned char)*text); text++) {
        if (*number > UINT_MAX / 10 - 1)
            return NULL;
        *number = *number * 10 + (unsigned)(*text - '0');
    }
    return text;
}

bool is_same_directory(int directory, const char *path, const char *known)
{
    struct stat one, other;

    return REAL(fstatat)(directory, path, &one, 0) == 0 && REAL(fstatat)(AT_FDCWD, known, &other, 0) == 0 &&
           one.st_dev == other.st_dev && one.st_ino == other.st_ino;
}

/* Whether the word stands for a file of /dev in this path. */
static bool is_in_dev(int directory, const char *path, const char *word)
{
    size_t length = (size_t)(word - path);
    char parent[PATH_MAX];

    if (length == 5 && strncmp(path, "/dev/", 5) == 0)
        return true;
    if (length >= sizeof parent)
        return false;
    memcpy(parent, path, length);
    parent[length] = 0;
    return is_same_directory(directory, length ? parent : ".", "/dev");
}

static bool find_node(int directory, const char *path, struct place *place)
{
    const char *word = last_word(path), *end;

    if (!is_video(word))
        return false;
    end = read_number(word + 5, &place->number);
    if (!end || *end || !is_in_dev(directory, path, word))
        return false;
    place->kind = PLACE_NODE;
    return true;
}

/* --- sysfs ------------------------------------------------------------------------------------------- */

/* What follows the device's directory in a path: nothing, or one of its files. */
static bool find_inside(const char *rest, struct place *place)
{
    if (*rest == 0)
        return true;
    if (*rest++ != '/')
        return false;
    place->kind = PLACE_DEVICE;
    if (*rest == 0)
        return true;
    place->kind = PLACE_SUBSYSTEM;
    if (strcmp(rest, "subsystem") == 0)
        return true;
    place->kind = PLACE_ATTRIBUTE;
    for (place->attribute = 0; place->attribute < ATTRIBUTES_MAX; place->attribute++)
        if (strcmp(rest, sysfs_attributes[place->attribute]) == 0)
            return true;
    return false;
}

static bool find_sysfs(const char *path, struct place *place)
{
    for (size_t n = 0; n < sizeof roots / sizeof *roots; n++) {
        size_t length = strlen(roots[n].path);
        const char *end;
        if (strncmp(path, roots[n].path, length) != 0)
            continue;
        end = read_number(path + length, &place->number);
        place->kind = roots[n].kind;
        return end && find_inside(end, place);
    }
    return false;
}

bool place_is_class(const char *path)
{
    size_t length = strlen(path);

    while (length && path[length - 1] == '/')
        length--;
    return (length == strlen(class_path) && strncmp(path, class_path, length) == 0) ||
           (length == strlen(devices_path) && strncmp(path, devices_path, length) == 0);
}

/* The class itself is ours only where the kernel has no device of it. */
static bool find_class(const char *path, struct place *place)
{
    struct node nodes[NODES_MAX];
    struct stat status;

    if (!place_is_class(path) || REAL(lstat)(path, &status) == 0)
        return false;
    int count = nodes_list(nodes);
    nodes_put(nodes, count);
    place->kind = PLACE_CLASS;
    return count > 0;
}

/* --- both -------------------------------------------------------------------------------------------- */

bool place_find(int directory, const char *path, struct place *place)
{
    memset(place, 0, sizeof *place);
    if (find_class(path, place))
        return true;
    if (!find_sysfs(path, place) && !find_node(directory, path, place))
        return false;
    return nodes_find(place->number, &place->node) == 0;
}

void place_put(struct place *place)
{
    if (place->kind != PLACE_CLASS)
        nodes_put(&place->node, 1);
}
