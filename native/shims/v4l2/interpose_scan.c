/* SPDX-License-Identifier: Apache-2.0 */
/* scandir() and glob(): libc's own would look with its own opendir(). */
#include "interpose.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- scandir() --------------------------------------------------------------------------------------- */

struct scan {
    struct dirent **names;
    size_t count, room;
};

static bool scan_add(struct scan *scan, const struct dirent *entry)
{
    size_t size = entry->d_reclen < sizeof *entry ? entry->d_reclen : sizeof *entry;

    if (scan->count == scan->room) {
        size_t room = scan->room ? 2 * scan->room : 32;
        struct dirent **names = reallocarray(scan->names, room, sizeof(struct dirent *));
        if (!names)
            return false;
        scan->names = names;
        scan->room = room;
    }
    struct dirent *copy = malloc(size);
    if (!copy)
        return false;
    scan->names[scan->count++] = memcpy(copy, entry, size);
    return true;
}

static void scan_free(struct scan *scan)
{
    while (scan->count)
        free(scan->names[--scan->count]);
    free(scan->names);
}

/* All entries that the program's filter takes. */
static bool scan_all(struct scan *scan, DIR *dir, int (*filter)(const struct dirent *))
{
    struct dirent *entry;

    while ((errno = 0, entry = readdir(dir)))
        if ((!filter || filter(entry)) && !scan_add(scan, entry))
            return false;
    return errno == 0;
}

static int scan_listed(const char *path, struct dirent ***names, int (*filter)(const struct dirent *),
                       int (*order)(const struct dirent **, const struct dirent **))
{
    struct scan scan = {0};
    int before = errno;
    DIR *dir = opendir(path);

    if (!dir)
        return -1;
    bool complete = scan_all(&scan, dir, filter);
    int error = errno ? errno : ENOMEM;
    closedir(dir);
    errno = complete ? before : error;
    if (!complete) {
        scan_free(&scan);
        return -1;
    }
    if (order)
        qsort(scan.names, scan.count, sizeof *scan.names, (int (*)(const void *, const void *))(uintptr_t)order);
    *names = scan.names ? scan.names : malloc(sizeof **names);
    return (int)scan.count;
}

INTERPOSED int scandir(const char *path, struct dirent ***names, int (*filter)(const struct dirent *),
                       int (*order)(const struct dirent **, const struct dirent **))
{
    return visiting || !listing_possible(path) ? REAL(scandir)(path, names, filter, order)
                                        : scan_listed(path, names, filter, order);
}

INTERPOSED int scandir64(const char *path, struct dirent64 ***names, int (*filter)(const struct dirent64 *),
                         int (*order)(const struct dirent64 **, const struct dirent64 **))
{
    return visiting || !listing_possible(path)
               ? REAL(scandir64)(path, names, filter, order)
               : scan_listed(path, (struct dirent ***)names, (int (*)(const struct dirent *))(uintptr_t)filter,
                             (int (*)(const struct dirent **, const struct dirent **))(uintptr_t)order);
}

/* --- glob() ------------------------------------------------------------------------------------------ */

/* libc's can be told which functions to use. */
#define GLOB(name, type)                                                                                           \
    INTERPOSED int name(const char *pattern, int flags, int (*failed)(const char *, int), type *found)             \
    {                                                                                                              \
        if (visiting || flags & GLOB_ALTDIRFUNC || !pattern ||                                                     \
            (strncmp(pattern, "/dev/", 5) != 0 && strncmp(pattern, "/sys/", 5) != 0))                              \
            return REAL(name)(pattern, flags, failed, found);                                                      \
        found->gl_opendir = (void *(*)(const char *))(uintptr_t)opendir;                                              \
        found->gl_readdir = (__typeof__(found->gl_readdir))(uintptr_t)readdir;                                     \
        found->gl_closedir = (void (*)(void *))(uintptr_t)closedir;                                                   \
        found->gl_stat = (__typeof__(found->gl_stat))(uintptr_t)stat;                                                 \
        found->gl_lstat = (__typeof__(found->gl_lstat))(uintptr_t)lstat;                                              \
        return REAL(name)(pattern, flags | GLOB_ALTDIRFUNC, failed, found);                                        \
    }

GLOB(glob, glob_t)
GLOB(glob64, glob64_t)
