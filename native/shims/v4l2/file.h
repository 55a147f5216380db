/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a descriptor of /dev/videoN or /dev/mediaN is: the open file behind it, found again by the descriptor's identity.
 *
 * Theory of operation. The program's descriptor is one end of a socket pair; the file keeps the other. Whatever
 * the program does with its end (dup, fcntl, close_range, passing it on) needs no notice: the socket's inode tells
 * whose it is, and when the last copy is closed the kept end hangs up. The kernel's own poll, select and epoll work
 * on it: an octet to read stands for a buffer to dequeue on the capture side, room to write for one on the output
 * side, an urgent octet for an event, a hang-up for a device that went.
 *
 * All functions return 0 or a positive value, or a negative errno number. They may be called from any thread;
 * none is to be called with a lock held that the program's allocator, or another thread in the shim, may want.
 * Pointers that come from the program are never followed: they go through user.h.
 */
#ifndef PARACORE_SHIMS_V4L2_FILE_H
#define PARACORE_SHIMS_V4L2_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nodes.h"

struct v4l2_file;

/* open() of a node, or of its media device: `flags` are open()'s. Returns the program's descriptor. */
int file_open(const struct node *node, enum node_kind kind, int flags);

/* The file behind a descriptor, with a reference; NULL when it is none of ours. No system call is made as long
 * as the process has no file open. */
struct v4l2_file *file_find(int fd);
void file_put(struct v4l2_file *file);

/* Frees, now rather than soon, what belongs to descriptors whose last copy has just been closed. */
void file_reap(void);

/* What it was opened from: for fstat(). */
enum node_kind file_kind(const struct v4l2_file *file);
unsigned file_number(const struct v4l2_file *file);

/* ioctl(): `fd` is the descriptor it was called with. */
int file_ioctl(struct v4l2_file *file, int fd, unsigned long request, void *argument);

/* mmap() and munmap(). The latter returns 1 when the range was one of ours, else 0 with nothing done. */
int file_mmap(struct v4l2_file *file, void *wish, size_t length, int protection, int flags, uint64_t offset,
              void **address);
int file_munmap(void *address, size_t length);

/* What poll() would say now, asked for these, as the kernel's v4l2-mem2mem.c does: POLLIN, POLLOUT, POLLPRI, POLLERR, POLLHUP
 * and their *NORM twins. */
short file_poll(struct v4l2_file *file, short asked);
/* The program has been answered POLLERR. */
void file_tell_failure(struct v4l2_file *file);

#endif
