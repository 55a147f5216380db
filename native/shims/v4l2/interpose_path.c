/* SPDX-License-Identifier: Apache-2.0 */
/* Which paths are ours: /dev/videoN and /dev/mediaN by whatever name they are called, and what sysfs says of them. */
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
    enum owner owner;
} roots[] = {
    {"/sys/class/video4linux/video", PLACE_LINK, OF_VIDEO},
    {"/sys/devices/virtual/video4linux/video", PLACE_DEVICE, OF_VIDEO},
    {"/sys/devices/platform/paracore-", PLACE_DEVICE, OF_CODEC},
    {"/sys/dev/char/81:", PLACE_LINK, OF_VIDEO},
    {"/sys/dev/char/240:", PLACE_LINK, OF_MEDIA},
};

static const char *last_word(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static bool is_node(const char *word, enum node_kind kind)
{
    return strncmp(word, node_prefix(kind), 5) == 0 && isdigit((unsigned char)word[5]);
}

/* Under /sys, those of video4linux, and the roots. */
static bool is_sysfs(const char *path)
{
    bool possible = strstr(path, "/video4linux");

    for (size_t n = 0; n < sizeof roots / sizeof *roots && !possible; n++)
        possible = strncmp(path, roots[n].path, strlen(roots[n].path)) == 0;
    return possible;
}

bool place_possible(const char *path)
{
    const char *word = path ? last_word(path) : "";

    return is_node(word, NODE_VIDEO) || is_node(word, NODE_MEDIA) ||
           (path && strncmp(path, "/sys/", 5) == 0 && is_sysfs(path));
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
    enum node_kind kind = is_node(word, NODE_MEDIA) ? NODE_MEDIA : NODE_VIDEO;

    if (!is_node(word, kind))
        return false;
    end = read_number(word + 5, &place->number);
    if (!end || *end || !is_in_dev(directory, path, word))
        return false;
    place->kind = PLACE_NODE;
    place->owner = (enum owner)kind;
    return true;
}

/* --- sysfs ------------------------------------------------------------------------------------------- */

static bool find_inside(const char *rest, struct place *place);

/* Another device's: of the video device the codec's, of the codec that of the media device. */
static bool find_folder(const char *rest, struct place *place)
{
    if (place->owner == OF_VIDEO && strncmp(rest, "device", 6) == 0 && (rest[6] == 0 || rest[6] == '/')) {
        place->kind = PLACE_PARENT;
        place->owner = OF_CODEC;
        return find_inside(rest + 6, place);
    }
    if (place->owner != OF_CODEC || !is_node(rest, NODE_MEDIA))
        return false;
    place->owner = OF_MEDIA;
    place->within = (int)place->number;
    const char *end = read_number(rest + 5, &place->number);
    return end && find_inside(end, place);
}

static bool find_file(const char *rest, struct place *place)
{
    place->kind = PLACE_SUBSYSTEM;
    if (strcmp(rest, "subsystem") == 0)
        return true;
    place->kind = PLACE_ATTRIBUTE;
    for (place->attribute = 0; place->attribute < ATTRIBUTES_MAX; place->attribute++) {
        const char *name = sysfs_attribute(place->owner, place->attribute);
        if (name && strcmp(rest, name) == 0)
            return true;
    }
    return false;
}

/* What follows the device's directory in a path: nothing, or what is in it. */
static bool find_inside(const char *rest, struct place *place)
{
    if (*rest == 0)
        return true;
    if (*rest++ != '/')
        return false;
    place->kind = PLACE_DEVICE;
    if (*rest == 0)
        return true;
    return find_folder(rest, place) || find_file(rest, place);
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
        place->owner = roots[n].owner;
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
    *place = (struct place){.within = -1};
    if (find_class(path, place))
        return true;
    if (!find_sysfs(path, place) && !find_node(directory, path, place))
        return false;
    enum node_kind kind = place->owner == OF_MEDIA ? NODE_MEDIA : NODE_VIDEO;
    if (nodes_find(kind, place->number, &place->node) != 0)
        return false;
    if (place->within < 0 || (unsigned)place->within == place->node.number)
        return true;
    place_put(place);
    return false;
}

void place_put(struct place *place)
{
    if (place->kind != PLACE_CLASS)
        nodes_put(&place->node, 1);
}
