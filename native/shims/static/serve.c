/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a notified call comes to. Whatever may concern a device is done with the shim's functions, which know what does
 * not; the rest goes on in the kernel.
 */
#include "static.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MAJOR_V4L2 = 81, NAMES_MAX = 64, DESCRIPTORS_MAX = 1024 };

const int served_calls[] = {
#ifdef SYS_open /* not on arm64 */
    SYS_open,       SYS_stat,  SYS_lstat,   SYS_access,     SYS_readlink,
#endif
    SYS_openat,     SYS_fstat, SYS_newfstatat, SYS_statx,   SYS_faccessat, SYS_faccessat2, SYS_readlinkat,
    SYS_getdents64, -1,
};

/* --- the image's memory ------------------------------------------------------------------------------- */

/* SAFETY: the image may pass pointers that lead nowhere. The kernel copies, so that no signal is raised. */
static bool copy_in(void *to, uint64_t from, size_t size)
{
    struct iovec ours = {.iov_base = to, .iov_len = size};
    struct iovec theirs = {.iov_base = (void *)(uintptr_t)from, .iov_len = size};

    return process_vm_readv(getpid(), &ours, 1, &theirs, 1, 0) == (ssize_t)size;
}

static bool can_write(uint64_t to, size_t size)
{
    static const char zeros[4096];
    struct iovec ours = {.iov_base = (void *)(uintptr_t)zeros, .iov_len = size};
    struct iovec theirs = {.iov_base = (void *)(uintptr_t)to, .iov_len = size};

    return size <= sizeof zeros && process_vm_writev(getpid(), &ours, 1, &theirs, 1, 0) == (ssize_t)size;
}

/* A path that may be a device's, or lead to what sysfs says of one. All others are the kernel's affair. */
static bool copy_path(char *path, uint64_t from)
{
    size_t page = (size_t)getpagesize();

    for (size_t length = 0; length < PATH_MAX;) {
        size_t chunk = page - (from + length) % page;
        if (chunk > PATH_MAX - length)
            chunk = PATH_MAX - length;
        if (!copy_in(path + length, from + length, chunk))
            return false;
        if (memchr(path + length, 0, chunk))
            return strstr(path, "video") || strncmp(path, "/sys/dev/char/", 14) == 0;
        length += chunk;
    }
    return false;
}

/* With AT_EMPTY_PATH the descriptor itself is meant if the path is empty; `from` is 0 for calls that have none. */
static bool copy_path_or_none(char *path, uint64_t from, int flags)
{
    path[0] = 0;
    if (flags & AT_EMPTY_PATH && (from == 0 || (copy_in(path, from, 1) && path[0] == 0)))
        return true;
    return copy_path(path, from);
}

static long told(long value)
{
    return value < 0 ? -errno : value;
}

/* --- paths -------------------------------------------------------------------------------------------- */

static long serve_open(int directory, uint64_t from, uint64_t flags, uint64_t mode)
{
    char path[PATH_MAX];

    return copy_path(path, from) ? told(openat(directory, path, (int)flags, (mode_t)mode)) : CONTINUE;
}

static long serve_stat(int directory, uint64_t from, uint64_t to, int flags)
{
    char path[PATH_MAX];
    struct stat status;

    if (!copy_path_or_none(path, from, flags))
        return CONTINUE;
    long value = told(fstatat(directory, path, &status, flags));
    if (value < 0 || !can_write(to, sizeof status))
        return value < 0 ? value : -EFAULT;
    memcpy((void *)(uintptr_t)to, &status, sizeof status);
    return 0;
}

static long serve_statx(const uint64_t *arguments)
{
    char path[PATH_MAX];
    struct statx status;
    int flags = (int)arguments[2];

    if (!copy_path_or_none(path, arguments[1], flags))
        return CONTINUE;
    long value = told(statx((int)arguments[0], path, flags, (unsigned)arguments[3], &status));
    if (value < 0 || !can_write(arguments[4], sizeof status))
        return value < 0 ? value : -EFAULT;
    memcpy((void *)(uintptr_t)arguments[4], &status, sizeof status);
    return 0;
}

static long serve_access(int directory, uint64_t from, uint64_t mode, int flags)
{
    char path[PATH_MAX];

    return copy_path(path, from) ? told(faccessat(directory, path, (int)mode, flags)) : CONTINUE;
}

static long serve_readlink(int directory, uint64_t from, uint64_t to, uint64_t size)
{
    char path[PATH_MAX], target[PATH_MAX];

    if (!copy_path(path, from))
        return CONTINUE;
    long length = told(readlinkat(directory, path, target, size < sizeof target ? size : sizeof target));
    if (length > 0 && !can_write(to, (size_t)length))
        return -EFAULT;
    if (length > 0)
        memcpy((void *)(uintptr_t)to, target, (size_t)length);
    return length;
}

/* --- descriptors -------------------------------------------------------------------------------------- */

static bool is_device(int fd)
{
    struct stat status;

    return fstat(fd, &status) == 0 && S_ISCHR(status.st_mode) && major(status.st_rdev) == MAJOR_V4L2;
}

static long serve_ioctl(const uint64_t *arguments)
{
    int fd = (int)arguments[0];

    return is_device(fd) ? told(ioctl(fd, (unsigned long)arguments[1], arguments[2])) : CONTINUE;
}

/* The image unmaps pages by itself, unseen. So it gets a second mapping of them, and the shim has the first one back at
 * once. Where the kernel gives no second one (a device's memory), the first is the image's for good. A plane that begins
 * within a page is the shim's mapping itself: no other memory is unmapped so, and the filter notices. */
static long serve_mmap(const uint64_t *arguments)
{
    int fd = (int)arguments[4];
    size_t length = (size_t)arguments[1];

    if (!is_device(fd))
        return CONTINUE;
    void *first = mmap((void *)(uintptr_t)arguments[0], length, (int)arguments[2], (int)arguments[3], fd,
                       (off_t)arguments[5]);
    if (first == MAP_FAILED)
        return -errno;
    bool is_page = (uintptr_t)first % (uintptr_t)getpagesize() == 0;
    void *second = is_page ? mremap(first, 0, length, MREMAP_MAYMOVE) : MAP_FAILED;
    if (second == MAP_FAILED)
        return (long)(uintptr_t)first;
    munmap(first, length);
    return (long)(uintptr_t)second;
}

static long serve_munmap(const uint64_t *arguments)
{
    return told(munmap((void *)(uintptr_t)arguments[0], (size_t)arguments[1]));
}

/* --- listings ----------------------------------------------------------------------------------------- */

/* Which descriptors of /dev have had ours; those that begin anew get them again. */
static bool listed[DESCRIPTORS_MAX];
static pthread_mutex_t listing_lock = PTHREAD_MUTEX_INITIALIZER;

/* As in getdents(2). */
struct kernel_entry {
    uint64_t inode;
    int64_t offset;
    unsigned short length;
    unsigned char type;
    char name[29];
};

static bool is_dev(int fd)
{
    struct stat one, dev;

    return fstat(fd, &one) == 0 && stat("/dev", &dev) == 0 && one.st_dev == dev.st_dev && one.st_ino == dev.st_ino;
}

static size_t list_ours(struct kernel_entry *entries)
{
    DIR *dir = opendir("/dev");
    struct dirent *entry;
    size_t count = 0;

    while (dir && (entry = readdir(dir)) && count < NAMES_MAX) {
        if (entry->d_off >= 0 || strncmp(entry->d_name, "video", 5) != 0)
            continue; /* libc's own: positions of ours are negative */
        entries[count] = (struct kernel_entry){
            .inode = entry->d_ino, .offset = INT64_MAX, .length = sizeof *entries, .type = entry->d_type};
        memcpy(entries[count++].name, entry->d_name, strnlen(entry->d_name, sizeof entries->name - 1));
    }
    if (dir)
        closedir(dir);
    return count * sizeof *entries;
}

/* After the kernel's entries have ended, ours; then the end. */
static long list_end(int fd, uint64_t to, size_t room)
{
    struct kernel_entry entries[NAMES_MAX];

    listed[fd] = !listed[fd];
    size_t size = listed[fd] ? list_ours(entries) : 0;
    if (size > room)
        size -= (size - room + sizeof *entries - 1) / sizeof *entries * sizeof *entries;
    if (size && !can_write(to, size))
        return -EFAULT;
    memcpy((void *)(uintptr_t)to, entries, size);
    return (long)size;
}

static long serve_listing(const uint64_t *arguments)
{
    int fd = (int)arguments[0];

    if (fd < 0 || fd >= DESCRIPTORS_MAX || !is_dev(fd))
        return CONTINUE;
    pthread_mutex_lock(&listing_lock);
    long value = told(syscall(SYS_getdents64, fd, arguments[1], arguments[2]));
    if (value == 0)
        value = list_end(fd, arguments[1], (size_t)arguments[2]);
    else
        listed[fd] = false;
    pthread_mutex_unlock(&listing_lock);
    return value;
}

/* --- all ---------------------------------------------------------------------------------------------- */

long serve(int number, const uint64_t *arguments)
{
    int first = (int)arguments[0];

    switch (number) {
    case SYS_openat:
        return serve_open(first, arguments[1], arguments[2], arguments[3]);
    case SYS_newfstatat:
        return serve_stat(first, arguments[1], arguments[2], (int)arguments[3]);
    case SYS_fstat:
        return serve_stat(first, 0, arguments[1], AT_EMPTY_PATH);
    case SYS_statx:
        return serve_statx(arguments);
    case SYS_faccessat:
        return serve_access(first, arguments[1], arguments[2], 0);
    case SYS_faccessat2:
        return serve_access(first, arguments[1], arguments[2], (int)arguments[3]);
    case SYS_readlinkat:
        return serve_readlink(first, arguments[1], arguments[2], arguments[3]);
    case SYS_ioctl:
        return serve_ioctl(arguments);
    case SYS_mmap:
        return serve_mmap(arguments);
    case SYS_munmap:
        return serve_munmap(arguments);
    case SYS_getdents64:
        return serve_listing(arguments);
#ifdef SYS_open
    case SYS_open:
        return serve_open(AT_FDCWD, arguments[0], arguments[1], arguments[2]);
    case SYS_stat:
        return serve_stat(AT_FDCWD, arguments[0], arguments[1], 0);
    case SYS_lstat:
        return serve_stat(AT_FDCWD, arguments[0], arguments[1], AT_SYMLINK_NOFOLLOW);
    case SYS_access:
        return serve_access(AT_FDCWD, arguments[0], arguments[1], 0);
    case SYS_readlink:
        return serve_readlink(AT_FDCWD, arguments[0], arguments[1], arguments[2]);
#endif
    default:
        return CONTINUE;
    }
}
