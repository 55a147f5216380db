/* SPDX-License-Identifier: Apache-2.0 */
/* open() and fopen(), of our devices and of what sysfs says of them. */
#include "interpose.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* --- open() ------------------------------------------------------------------------------------------ */

static int open_node(const struct place *place, int flags)
{
    if ((flags & (O_CREAT | O_EXCL)) == (O_CREAT | O_EXCL))
        return -EEXIST;
    if (flags & O_DIRECTORY)
        return -ENOTDIR;
    int fd = file_open(&place->node, (enum node_kind)place->owner, flags);
    if (fd >= 0)
        __atomic_store_n(&devices_opened, true, __ATOMIC_RELAXED);
    return fd;
}

static int open_place(const struct place *place, int flags)
{
    switch (place->kind) {
    case PLACE_NODE:
        return open_node(place, flags);
    case PLACE_ATTRIBUTE:
        return sysfs_open(place, flags);
    default: /* a directory that is nowhere: what can be read of it, opendir() gives */
        return -ENOENT;
    }
}

static int open_ours(int directory, const char *path, int flags)
{
    struct visit visit;
    struct place place;
    int fd = NOT_OURS;

    if (visiting || !place_possible(path))
        return NOT_OURS;
    visit_begin(&visit);
    if (place_find(directory, path, &place)) {
        fd = open_place(&place, flags);
        place_put(&place);
    }
    if (fd != NOT_OURS)
        return (int)visit_answer(&visit, fd);
    visit_end(&visit);
    return NOT_OURS;
}

/* open(2): the mode is there only when a file may be made. */
#define MODE_OF(flags, last)                                                                                       \
    mode_t mode = 0;                                                                                               \
    if ((flags) & O_CREAT || ((flags) & O_TMPFILE) == O_TMPFILE) {                                                 \
        va_list more;                                                                                              \
        va_start(more, last);                                                                                      \
        mode = va_arg(more, mode_t);                                                                               \
        va_end(more);                                                                                              \
    }

#define OPEN(name)                                                                                                 \
    INTERPOSED int name(const char *path, int flags, ...)                                                          \
    {                                                                                                              \
        MODE_OF(flags, flags)                                                                                      \
        int fd = open_ours(AT_FDCWD, path, flags);                                                                 \
        return fd == NOT_OURS ? REAL(name)(path, flags, mode) : fd;                                                \
    }

#define OPENAT(name)                                                                                               \
    INTERPOSED int name(int directory, const char *path, int flags, ...)                                           \
    {                                                                                                              \
        MODE_OF(flags, flags)                                                                                      \
        int fd = open_ours(directory, path, flags);                                                                \
        return fd == NOT_OURS ? REAL(name)(directory, path, flags, mode) : fd;                                     \
    }

#define OPEN_CHECKED(name)                                                                                         \
    INTERPOSED int name(const char *path, int flags)                                                               \
    {                                                                                                              \
        int fd = open_ours(AT_FDCWD, path, flags);                                                                 \
        return fd == NOT_OURS ? REAL(name)(path, flags) : fd;                                                      \
    }

#define OPENAT_CHECKED(name)                                                                                       \
    INTERPOSED int name(int directory, const char *path, int flags)                                                \
    {                                                                                                              \
        int fd = open_ours(directory, path, flags);                                                                \
        return fd == NOT_OURS ? REAL(name)(directory, path, flags) : fd;                                           \
    }

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
OPEN_CHECKED(__open_2)
OPEN_CHECKED(__open64_2)
OPENAT_CHECKED(__openat_2)
OPENAT_CHECKED(__openat64_2)

/* --- fopen() ----------------------------------------------------------------------------------------- */

/* fopen(3), but for the flags that only a file's making needs: nothing of ours can be made. */
static int flags_of(const char *mode)
{
    int access_mode = strchr(mode, '+') ? O_RDWR : *mode == 'r' ? O_RDONLY : O_WRONLY;

    return access_mode | (strchr(mode, 'e') ? O_CLOEXEC : 0);
}

/* True if the path is ours; *stream is then what fopen() is to return, with errno set when it is NULL. */
static bool fopen_ours(const char *path, const char *mode, FILE **stream)
{
    int fd = open_ours(AT_FDCWD, path, flags_of(mode));

    if (fd == NOT_OURS)
        return false;
    *stream = fd < 0 ? NULL : REAL(fdopen)(fd, mode);
    if (fd >= 0 && !*stream)
        REAL(close)(fd);
    return true;
}

#define FOPEN(name)                                                                                                \
    INTERPOSED FILE *name(const char *path, const char *mode)                                                      \
    {                                                                                                              \
        FILE *stream;                                                                                              \
        return fopen_ours(path, mode, &stream) ? stream : REAL(name)(path, mode);                                  \
    }

FOPEN(fopen)
FOPEN(fopen64)
