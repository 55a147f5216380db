/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The way in: libc's functions as the program sees them, and what those have in common.
 *
 * Rules. An interposed function first asks something that costs next to nothing: is the path's last word "video…"
 * or "media…", has this process opened a device at all? Only when the answer is yes does it begin a visit, in which anything may be
 * done. While a thread is on a visit, whatever it calls goes straight to libc: what runs below (the program's own
 * allocator, a handler of a signal) may call the same functions. errno is as libc leaves it: touched only when
 * something went wrong.
 *
 * What the shim itself calls goes straight to libc, too: the linker turns its calls of `close` into `__wrap_close`
 * (meson.build, interpose_real.c). Its threads are on a visit all their life.
 */
#ifndef PARACORE_SHIMS_V4L2_INTERPOSE_H
#define PARACORE_SHIMS_V4L2_INTERPOSE_H

#include <dirent.h>
#include <glob.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "file.h"

/* Exported, see v4l2.map. */
#define INTERPOSED __attribute__((visibility("default")))

/* --- the real functions ------------------------------------------------------------------------------ */

/* glibc's entries for which no header has a prototype: checked variants of programs built with _FORTIFY_SOURCE, and
 * the stat() of programs built before glibc 2.33. */
int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int directory, const char *path, int flags);
int __openat64_2(int directory, const char *path, int flags);
int __poll_chk(struct pollfd *fds, nfds_t count, int timeout, size_t room);
int __ppoll_chk(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask, size_t room);
ssize_t __read_chk(int fd, void *octets, size_t size, size_t room);
ssize_t __readlink_chk(const char *path, char *target, size_t size, size_t room);
ssize_t __readlinkat_chk(int directory, const char *path, char *target, size_t size, size_t room);
char *__realpath_chk(const char *path, char *resolved, size_t room);
int __xstat(int version, const char *path, struct stat *status);
int __xstat64(int version, const char *path, struct stat64 *status);
int __lxstat(int version, const char *path, struct stat *status);
int __lxstat64(int version, const char *path, struct stat64 *status);
int __fxstat(int version, int fd, struct stat *status);
int __fxstat64(int version, int fd, struct stat64 *status);
int __fxstatat(int version, int directory, const char *path, struct stat *status, int flags);
int __fxstatat64(int version, int directory, const char *path, struct stat64 *status, int flags);

#define REAL_FUNCTIONS(X)                                                                                          \
    X(open) X(open64) X(openat) X(openat64) X(__open_2) X(__open64_2) X(__openat_2) X(__openat64_2)               \
    X(fopen) X(fopen64) X(fdopen) X(close) X(ioctl) X(mmap) X(mmap64) X(munmap) X(read) X(__read_chk) X(write)    \
    X(getxattr) X(lgetxattr) X(listxattr) X(llistxattr)                                                           \
    X(poll) X(ppoll) X(__poll_chk) X(__ppoll_chk) X(select) X(pselect)                                            \
    X(stat) X(stat64) X(lstat) X(lstat64) X(fstat) X(fstat64) X(fstatat) X(fstatat64) X(statx)                    \
    X(access) X(faccessat) X(euidaccess) X(eaccess) X(readlink) X(readlinkat) X(__readlink_chk)                   \
    X(__readlinkat_chk) X(realpath) X(__realpath_chk) X(canonicalize_file_name)                                   \
    X(opendir) X(fdopendir) X(closedir) X(readdir) X(readdir64) X(readdir_r) X(readdir64_r) X(rewinddir)          \
    X(telldir) X(seekdir) X(scandir) X(scandir64) X(glob) X(glob64) X(pthread_create)

enum real_number {
#define REAL_NUMBER(name) REAL_##name,
    REAL_FUNCTIONS(REAL_NUMBER)
#undef REAL_NUMBER
        REAL_COUNT
};

/* As numbers, which ISO C lets become pointers to functions. */
extern uintptr_t real_functions[REAL_COUNT];

uintptr_t real_find(enum real_number number);

/* libc's own, or that of whatever else has been put before it. Found at the first use: constructors of other
 * libraries run before ours. */
static inline uintptr_t real_function(enum real_number number)
{
    uintptr_t function = __atomic_load_n(&real_functions[number], __ATOMIC_RELAXED);

    return function ? function : real_find(number);
}

#define REAL(name) ((__typeof__(&name))real_function(REAL_##name))

/* --- visits ------------------------------------------------------------------------------------------ */

struct visit {
    int error;       /* errno as it was */
    int cancellable; /* a thread that were cancelled below would leave locks behind */
};

extern _Thread_local bool visiting __attribute__((tls_model("initial-exec")));

/* Atomic: this process has opened a device once, or its parent had before a fork. */
extern bool devices_opened;

void visit_begin(struct visit *visit);
void visit_end(const struct visit *visit);

/* Ends a visit and returns what libc would: -1 with errno set for a negative result. */
long visit_answer(const struct visit *visit, long result);

/* Begins a visit if the descriptor is a device's; else returns NULL, and nothing has happened. */
struct v4l2_file *visit_file(struct visit *visit, int fd);

/* No path, or no descriptor, of ours: libc is to answer. Not an errno number. */
enum { NOT_OURS = -0x10000 };

/* --- places ------------------------------------------------------------------------------------------ */

/* What a path of ours leads to. */
enum place_kind {
    PLACE_NODE,      /* /dev/video0, /dev/media0 */
    PLACE_DEVICE,    /* a folder: /sys/devices/virtual/video4linux/video0 */
    PLACE_LINK,      /* to the above: /sys/class/video4linux/video0, /sys/dev/char/81:0 */
    PLACE_SUBSYSTEM, /* a link, from the device to its class */
    PLACE_PARENT,    /* a link, "device", from the video device to the codec of which it is a part */
    PLACE_ATTRIBUTE, /* a file of the device: uevent, name, … */
    PLACE_CLASS,     /* /sys/class/video4linux, where the kernel has none */
};

/* Whose: a node has two, and sysfs has besides the codec itself, which both belong to:
 * /sys/devices/platform/paracore-0, and in it media0. */
enum owner { OF_VIDEO = NODE_VIDEO, OF_MEDIA = NODE_MEDIA, OF_CODEC, OWNERS };

struct place {
    enum place_kind kind;
    enum owner owner;
    unsigned number;    /* in its name */
    int within;         /* the number of the codec in whose folder the path has a media device; or -1 */
    unsigned attribute; /* index */
    struct node node;   /* with a reference; not of PLACE_CLASS */
};

/* Whether it is worth a visit to look. */
bool place_possible(const char *path);

/* Finds what of ours the path leads to, relative to a directory's descriptor. To be put back if true. */
bool place_find(int directory, const char *path, struct place *place);
void place_put(struct place *place);

/* Whether it is the directory of all our devices in sysfs, by its own name. */
bool place_is_class(const char *path);

bool is_same_directory(int directory, const char *path, const char *known);

/* A cheap look whether one of our devices may be in a directory: an absolute path has to begin like theirs, a
 * relative one may lead anywhere. */
bool listing_possible(const char *path);

/* --- sysfs ------------------------------------------------------------------------------------------- */

enum { ATTRIBUTES_MAX = 6, SYSFS_TEXT_MAX = 128 };

/* The name, if the owner has that attribute; else NULL. */
const char *sysfs_attribute(enum owner owner, unsigned attribute);

/* Returns the length. */
int sysfs_text(const struct place *place, char *text);
/* Where a device's folder is, without "/sys/devices/". Returns the length. */
int sysfs_folder(enum owner owner, const struct node *node, char *text);
/* Where a link leads. Returns the length. */
int sysfs_link(const struct place *place, char *text);
/* A descriptor of the attribute's text, or a negative error. */
int sysfs_open(const struct place *place, int flags);

/* --- stat -------------------------------------------------------------------------------------------- */

void status_of_node(enum node_kind kind, unsigned number, struct stat *status);

#endif
