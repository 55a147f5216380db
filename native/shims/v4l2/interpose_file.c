/* SPDX-License-Identifier: Apache-2.0 */
/* What is done with a descriptor: ioctl, mmap, read, write, close. Waiting is in interpose_poll.c. */
#include "interpose.h"

#include <errno.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

INTERPOSED int ioctl(int fd, unsigned long request, ...)
{
    struct visit visit;
    va_list more;

    va_start(more, request);
    void *argument = va_arg(more, void *);
    va_end(more);
    struct v4l2_file *file = visit_file(&visit, fd);
    if (!file)
        return REAL(ioctl)(fd, request, argument);
    int result = file_ioctl(file, fd, request, argument);
    file_put(file);
    return (int)visit_answer(&visit, result);
}

static void *map_ours(const struct visit *visit, struct v4l2_file *file, void *wish, size_t length, int protection,
                      int flags, off_t offset)
{
    void *address = MAP_FAILED;
    int error = offset < 0 ? -EINVAL : file_mmap(file, wish, length, protection, flags, (uint64_t)offset, &address);

    file_put(file);
    return visit_answer(visit, error) == 0 ? address : MAP_FAILED;
}

#define MMAP(name)                                                                                                 \
    INTERPOSED void *name(void *wish, size_t length, int protection, int flags, int fd, off_t offset)              \
    {                                                                                                              \
        struct visit visit;                                                                                        \
        struct v4l2_file *file = flags & MAP_ANONYMOUS ? NULL : visit_file(&visit, fd);                            \
        return file ? map_ours(&visit, file, wish, length, protection, flags, offset)                              \
                    : REAL(name)(wish, length, protection, flags, fd, offset);                                     \
    }

MMAP(mmap)
MMAP(mmap64)

INTERPOSED int munmap(void *address, size_t length)
{
    struct visit visit;

    if (visiting || !__atomic_load_n(&devices_opened, __ATOMIC_RELAXED))
        return REAL(munmap)(address, length);
    visit_begin(&visit);
    int result = file_munmap(address, length);
    if (result == 0) {
        visit_end(&visit);
        return REAL(munmap)(address, length);
    }
    return (int)visit_answer(&visit, result > 0 ? 0 : result);
}

/* A mem2mem device has neither (v4l2-dev.c, v4l2_read()): the program's octets must not get into the socket. */
static ssize_t refuse(const struct visit *visit, struct v4l2_file *file)
{
    file_put(file);
    return visit_answer(visit, -EINVAL);
}

INTERPOSED ssize_t read(int fd, void *octets, size_t size)
{
    struct visit visit;
    struct v4l2_file *file = visit_file(&visit, fd);

    return file ? refuse(&visit, file) : REAL(read)(fd, octets, size);
}

INTERPOSED ssize_t __read_chk(int fd, void *octets, size_t size, size_t room)
{
    struct visit visit;
    struct v4l2_file *file = visit_file(&visit, fd);

    return file ? refuse(&visit, file) : REAL(__read_chk)(fd, octets, size, room);
}

INTERPOSED ssize_t write(int fd, const void *octets, size_t size)
{
    struct visit visit;
    struct v4l2_file *file = visit_file(&visit, fd);

    return file ? refuse(&visit, file) : REAL(write)(fd, octets, size);
}

INTERPOSED int close(int fd)
{
    struct visit visit;
    struct v4l2_file *file = visit_file(&visit, fd);

    if (!file)
        return REAL(close)(fd);
    file_put(file);
    int result = REAL(close)(fd) == 0 ? 0 : -errno;
    file_reap();
    return (int)visit_answer(&visit, result);
}
