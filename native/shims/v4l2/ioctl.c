/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ioctl(): which there are, and how what the program passes gets in and out, as the kernel's v4l2-ioctl.c and media-device.c do it.
 *
 * The argument is copied in, made multi-planar, served, made into what it was, and copied out; nothing is read from
 * the program twice. Controls, which an argument points to, are copied by those who know how many there are.
 */
#include "internal.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "media.h"
#include "newer.h"
#include "tables.h"
#include "user.h"

/* How far into the argument the handler sees; what is behind it is zero, as INFO_FL_CLEAR of v4l2-ioctl.c has it. */
#define UP_TO(type, field) (offsetof(struct type, field) + sizeof(((struct type *)0)->field))

/* Octets: the largest argument, v4l2_create_buffers, has 256. */
union argument {
    _Alignas(16) uint8_t octets[512];
    struct buffer_argument buffer;
};

enum {
    ALWAYS_COPY = 1, /* the argument says which of its parts was wrong */
    CHANGES = 2,     /* INFO_FL_PRIO: only for those of the highest priority */
};

static const struct request {
    unsigned long number;
    ioctl_handler *handler;
    size_t kept; /* octets that the handler sees; 0: all */
    unsigned flags;
    enum who who;
    struct differs differs;
} REQUESTS[] = {REQUEST_ROWS MEDIA_ROWS};

static const struct request *find(unsigned long number)
{
    for (size_t n = 0; n < sizeof REQUESTS / sizeof *REQUESTS; n++)
        if (REQUESTS[n].number == number)
            return &REQUESTS[n];
    return NULL;
}

static int serve(struct v4l2_file *file, int fd, const struct request *request, void *argument)
{
    if (!shim_link_is_ours(file->node.link))
        return -EIO; /* the parent's: see file.c */
    pthread_mutex_lock(&file->serial);
    pthread_mutex_lock(&file->lock);
    bool refused = request->flags & CHANGES && !priority_allows(file);
    int result = refused ? -EBUSY : request->handler(file, fd, argument);
    file->failure_told |= result == -EIO;
    file_show(file, fd);
    pthread_mutex_unlock(&file->lock);
    pthread_mutex_unlock(&file->serial);
    return result;
}

/* Whether the program sees what became of the argument. */
static bool copies_back(const struct request *request, int result)
{
    return _IOC_DIR(request->number) & _IOC_READ && (result >= 0 || request->flags & ALWAYS_COPY);
}

static int translate_and_serve(struct v4l2_file *file, int fd, const struct request *request, void *argument)
{
    int error = planar_in(file->planar, &request->differs, argument);
    int result = error ? error : serve(file, fd, request, argument);

    if (result >= 0 && copies_back(request, result))
        error = planar_out(file->planar, &request->differs, argument);
    return error ? error : result;
}

int file_ioctl(struct v4l2_file *file, int fd, unsigned long number, void *theirs)
{
    union argument argument = {0};
    uint64_t address = (uintptr_t)theirs;
    size_t size = _IOC_SIZE(number = (uint32_t)number); /* the kernel's is an unsigned int, too */
    const struct request *request = find(number);

    if (size > sizeof argument.octets)
        return -ENOTTY; /* none of V4L2's is so large */
    if (_IOC_DIR(number) & _IOC_WRITE && user_read(argument.octets, address, size) != 0)
        return -EFAULT;
    if (!request || !(request->who & file_who(file)))
        return -ENOTTY;
    if (request->kept && request->kept < size)
        memset(argument.octets + request->kept, 0, size - request->kept);
    int result = translate_and_serve(file, fd, request, &argument);
    if (copies_back(request, result) && user_write(address, argument.octets, size) != 0)
        return -EFAULT;
    return result;
}
