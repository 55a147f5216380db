/* SPDX-License-Identifier: Apache-2.0 */
/* What our devices, and what sysfs says of them, look like: stat(), access(), attributes. */
#include "interpose.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

_Static_assert(sizeof(struct stat) == sizeof(struct stat64), "one layout, as on every 64-bit machine");

/* Inode numbers that no file system of /dev or /sys counts up to. */
enum { INODES = 0x70630000, MEDIA_INODES = 0x8000 };

/* --- filling in -------------------------------------------------------------------------------------- */

/* As old as the backend: GStreamer looks at a device again when that has changed. */
static struct timespec age(void)
{
    const char *address = secure_getenv("PARACORE_SOCKET");
    struct stat status;

    if (REAL(stat)(address && *address ? address : PARACORE_DEFAULT_SOCKET, &status) != 0)
        return (struct timespec){0};
    return status.st_mtim;
}

static void fill(struct stat *status, mode_t mode, unsigned number)
{
    *status = (struct stat){.st_mode = mode, .st_nlink = 1, .st_blksize = 4096, .st_ino = INODES + number};
    status->st_atim = status->st_mtim = status->st_ctim = age();
}

/* The owner is whoever runs the program: a program that looks before it opens finds that it may. */
void status_of_node(enum node_kind kind, unsigned number, struct stat *status)
{
    struct stat dev;

    fill(status, S_IFCHR | 0660, kind * MEDIA_INODES + number);
    status->st_rdev = makedev(node_major(kind), number);
    status->st_uid = geteuid();
    status->st_gid = getegid();
    if (REAL(stat)("/dev", &dev) == 0)
        status->st_dev = dev.st_dev;
}

static void status_of_place(const struct place *place, bool follow, struct stat *status)
{
    unsigned inside = place->kind == PLACE_ATTRIBUTE ? place->attribute + 8 : place->kind;
    unsigned inode = (place->number + 1) * 64 + place->owner * 16 + inside;
    bool link = place->kind == PLACE_LINK || place->kind == PLACE_SUBSYSTEM || place->kind == PLACE_PARENT;

    if (place->kind == PLACE_NODE)
        status_of_node((enum node_kind)place->owner, place->number, status);
    else if (place->kind == PLACE_ATTRIBUTE)
        fill(status, S_IFREG | 0444, inode);
    else if (!follow && link)
        fill(status, S_IFLNK | 0777, inode);
    else
        fill(status, S_IFDIR | 0755, inode);
    if (S_ISREG(status->st_mode))
        status->st_size = 4096; /* as sysfs says of any attribute */
}

/* --- asking ------------------------------------------------------------------------------------------ */

static bool fstat_ours(int fd, struct stat *status)
{
    struct visit visit;
    struct v4l2_file *file = visit_file(&visit, fd);

    if (!file)
        return false;
    status_of_node(file_kind(file), file_number(file), status);
    file_put(file);
    visit_end(&visit);
    return true;
}

/* True with *status filled if the path is ours. */
static bool stat_ours(int directory, const char *path, int flags, struct stat *status)
{
    struct visit visit;
    struct place place;

    if (flags & AT_EMPTY_PATH && path && !*path)
        return fstat_ours(directory, status);
    if (visiting || !place_possible(path))
        return false;
    visit_begin(&visit);
    bool found = place_find(directory, path, &place);
    if (found) {
        status_of_place(&place, !(flags & AT_SYMLINK_NOFOLLOW), status);
        place_put(&place);
    }
    visit_end(&visit);
    return found;
}

#define STAT(name, type, flags)                                                                                    \
    INTERPOSED int name(const char *path, struct type *status)                                                     \
    {                                                                                                              \
        return stat_ours(AT_FDCWD, path, flags, (struct stat *)status) ? 0 : REAL(name)(path, status);             \
    }

#define FSTAT(name, type)                                                                                          \
    INTERPOSED int name(int fd, struct type *status)                                                               \
    {                                                                                                              \
        return fstat_ours(fd, (struct stat *)status) ? 0 : REAL(name)(fd, status);                                 \
    }

#define FSTATAT(name, type)                                                                                        \
    INTERPOSED int name(int directory, const char *path, struct type *status, int flags)                           \
    {                                                                                                              \
        return stat_ours(directory, path, flags, (struct stat *)status)                                            \
                   ? 0                                                                                             \
                   : REAL(name)(directory, path, status, flags);                                                   \
    }

STAT(stat, stat, 0)
STAT(stat64, stat64, 0)
STAT(lstat, stat, AT_SYMLINK_NOFOLLOW)
STAT(lstat64, stat64, AT_SYMLINK_NOFOLLOW)
FSTAT(fstat, stat)
FSTAT(fstat64, stat64)
FSTATAT(fstatat, stat)
FSTATAT(fstatat64, stat64)

static struct statx_timestamp stamp(struct timespec time)
{
    return (struct statx_timestamp){.tv_sec = time.tv_sec, .tv_nsec = (uint32_t)time.tv_nsec};
}

INTERPOSED int statx(int directory, const char *path, int flags, unsigned mask, struct statx *status)
{
    struct stat plain;

    if (!stat_ours(directory, path, flags, &plain))
        return REAL(statx)(directory, path, flags, mask, status);
    *status = (struct statx){
        .stx_mask = STATX_BASIC_STATS,
        .stx_blksize = (uint32_t)plain.st_blksize,
        .stx_nlink = (uint32_t)plain.st_nlink,
        .stx_uid = plain.st_uid,
        .stx_gid = plain.st_gid,
        .stx_mode = (uint16_t)plain.st_mode,
        .stx_ino = plain.st_ino,
        .stx_size = (uint64_t)plain.st_size,
        .stx_atime = stamp(plain.st_atim),
        .stx_mtime = stamp(plain.st_mtim),
        .stx_ctime = stamp(plain.st_ctim),
        .stx_rdev_major = major(plain.st_rdev),
        .stx_rdev_minor = minor(plain.st_rdev),
        .stx_dev_major = major(plain.st_dev),
        .stx_dev_minor = minor(plain.st_dev),
    };
    return 0;
}

/* --- stat() of programs built before glibc 2.33 ------------------------------------------------------ */

/* <bits/stat.h> of those days: one version of the structure, by two numbers on some machines. */
static int check_version(int version)
{
    if (version == 0 || version == 1)
        return 0;
    errno = EINVAL;
    return -1;
}

INTERPOSED int __xstat(int version, const char *path, struct stat *status)
{
    return check_version(version) ? -1 : stat(path, status);
}

INTERPOSED int __xstat64(int version, const char *path, struct stat64 *status)
{
    return check_version(version) ? -1 : stat64(path, status);
}

INTERPOSED int __lxstat(int version, const char *path, struct stat *status)
{
    return check_version(version) ? -1 : lstat(path, status);
}

INTERPOSED int __lxstat64(int version, const char *path, struct stat64 *status)
{
    return check_version(version) ? -1 : lstat64(path, status);
}

INTERPOSED int __fxstat(int version, int fd, struct stat *status)
{
    return check_version(version) ? -1 : fstat(fd, status);
}

INTERPOSED int __fxstat64(int version, int fd, struct stat64 *status)
{
    return check_version(version) ? -1 : fstat64(fd, status);
}

INTERPOSED int __fxstatat(int version, int directory, const char *path, struct stat *status, int flags)
{
    return check_version(version) ? -1 : fstatat(directory, path, status, flags);
}

INTERPOSED int __fxstatat64(int version, int directory, const char *path, struct stat64 *status, int flags)
{
    return check_version(version) ? -1 : fstatat64(directory, path, status, flags);
}

/* --- access() ---------------------------------------------------------------------------------------- */

/* Returns -1 with errno set, 0, or NOT_OURS. */
static int access_ours(int directory, const char *path, int mode, int flags)
{
    struct stat status;

    if (!stat_ours(directory, path, flags & AT_SYMLINK_NOFOLLOW, &status))
        return NOT_OURS;
    bool writable = S_ISCHR(status.st_mode), searchable = S_ISDIR(status.st_mode);
    if (!(mode & W_OK && !writable) && !(mode & X_OK && !searchable))
        return 0;
    errno = EACCES;
    return -1;
}

#define ACCESS(name)                                                                                               \
    INTERPOSED int name(const char *path, int mode)                                                                \
    {                                                                                                              \
        int result = access_ours(AT_FDCWD, path, mode, 0);                                                         \
        return result == NOT_OURS ? REAL(name)(path, mode) : result;                                               \
    }

ACCESS(access)
ACCESS(euidaccess)
ACCESS(eaccess)

INTERPOSED int faccessat(int directory, const char *path, int mode, int flags)
{
    int result = access_ours(directory, path, mode, flags);

    return result == NOT_OURS ? REAL(faccessat)(directory, path, mode, flags) : result;
}

/* --- extended attributes ----------------------------------------------------------------------------- */

/* ls -l asks for access control lists, and complains of a file that is not there. */
static bool has_none(const char *path, int flags)
{
    struct stat status;

    return stat_ours(AT_FDCWD, path, flags, &status);
}

#define GETXATTR(name, flags)                                                                                      \
    INTERPOSED ssize_t name(const char *path, const char *attribute, void *value, size_t size)                     \
    {                                                                                                              \
        if (!has_none(path, flags))                                                                                \
            return REAL(name)(path, attribute, value, size);                                                       \
        errno = ENODATA;                                                                                           \
        return -1;                                                                                                 \
    }

#define LISTXATTR(name, flags)                                                                                     \
    INTERPOSED ssize_t name(const char *path, char *names, size_t size)                                            \
    {                                                                                                              \
        return has_none(path, flags) ? 0 : REAL(name)(path, names, size);                                          \
    }

GETXATTR(getxattr, 0)
GETXATTR(lgetxattr, AT_SYMLINK_NOFOLLOW)
LISTXATTR(listxattr, 0)
LISTXATTR(llistxattr, AT_SYMLINK_NOFOLLOW)
