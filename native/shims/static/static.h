/* SPDX-License-Identifier: Apache-2.0 */
/*
 * paracore-static: runs a program that has no dynamic libc, and nothing could be put before its libraries.
 *
 *     paracore-static PROGRAM [ARGUMENT...]
 *
 * Theory of operation. The program is loaded into this very process, as the kernel would load it, and jumped to. Its
 * system calls that may concern a device (those of its own text, by a seccomp filter) are notified to threads of this
 * process: they have the same memory, the same descriptors, the same working directory, and do with the preloadable shim
 * what a program with a libc would have done. Whatever concerns no device is let go on in the kernel. So mmap gives the
 * granted pages themselves here, too.
 *
 * What the program forks, or becomes by exec, has its filter, too, but not its threads. A keeper, a process of its own,
 * then lets all calls go on in the kernel, until nobody has the filter any more.
 *
 * Limits. A child of a fork does not see the devices. /proc/self/exe is this program; when it is executed as such it
 * begins the same program again, which does not see them either. Linux 5.9 or later.
 */
#ifndef PARACORE_SHIMS_STATIC_H
#define PARACORE_SHIMS_STATIC_H

#include <elf.h>
#include <stddef.h>
#include <stdint.h>

/* A program in this process's memory. */
struct image {
    uintptr_t base;      /* what is added to its addresses */
    uintptr_t low, high; /* where it lies */
    uintptr_t entry;
    uintptr_t headers;   /* its program headers, in memory */
    Elf64_Half header_count;
};

/* Loads it. Returns 0 or a negative error: -ENOEXEC is no program for this machine, -ELIBEXEC one that wants an
 * interpreter, which is not static. */
int image_load(const char *path, struct image *image);

/* Begins it as the kernel would, on a stack of its own. `arguments` is the end of main()'s own, `environment` main()'s as
 * it was given, above which lies what else the kernel says to a program. Does not return. */
_Noreturn void image_start(const struct image *image, int count, char **arguments, char **environment);

/* From now on the image's system calls are looked at. Returns 0 or a negative error: -EBUSY when a parent's are. */
int notify_start(const struct image *image);

/* Forks the keeper off, which outlives this process. Returns a line to it, or a negative error. When that closes
 * without anything having been given, the keeper ends. */
int keeper_start(void);
/* Closes the line, too. */
int keeper_give(int line, int listener);

/* What a call of the image comes to: what the kernel would return, or CONTINUE. */
enum { CONTINUE = -0x10000 };

long serve(int number, const uint64_t *arguments);

/* The calls that serve() looks at; ends with -1. ioctl, mmap and munmap are not among them: only some of those are notified. */
extern const int served_calls[];

#endif
