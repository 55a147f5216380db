/* SPDX-License-Identifier: Apache-2.0 */
/* The real functions, visits, and the shim's own calls, which are never interposed. */
#include "interpose.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* --- the real functions ------------------------------------------------------------------------------ */

uintptr_t real_functions[REAL_COUNT];

static const char *const real_names[REAL_COUNT] = {
#define REAL_NAME(name) [REAL_##name] = #name,
    REAL_FUNCTIONS(REAL_NAME)
#undef REAL_NAME
};

/* Several threads may find the same at once. Each is there: glibc has had all of them since 2.33, and with an older one
 * this library is not loaded. */
uintptr_t real_find(enum real_number number)
{
    int before = errno;
    uintptr_t function = (uintptr_t)dlsym(RTLD_NEXT, real_names[number]);

    if (!function)
        abort();
    __atomic_store_n(&real_functions[number], function, __ATOMIC_RELAXED);
    errno = before;
    return function;
}

/* --- visits ------------------------------------------------------------------------------------------ */

_Thread_local bool visiting __attribute__((tls_model("initial-exec")));
bool devices_opened;

void visit_begin(struct visit *visit)
{
    visit->error = errno;
    visiting = true;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &visit->cancellable);
}

void visit_end(const struct visit *visit)
{
    pthread_setcancelstate(visit->cancellable, NULL);
    visiting = false;
    errno = visit->error;
}

long visit_answer(const struct visit *visit, long result)
{
    visit_end(visit);
    if (result >= 0)
        return result;
    errno = (int)-result;
    return -1;
}

struct v4l2_file *visit_file(struct visit *visit, int fd)
{
    if (fd < 0 || visiting || !__atomic_load_n(&devices_opened, __ATOMIC_RELAXED))
        return NULL;
    visit_begin(visit);
    struct v4l2_file *file = file_find(fd);
    if (!file)
        visit_end(visit);
    return file;
}

/* --- what the shim calls ----------------------------------------------------------------------------- */

/* The linker sends the shim's own calls here (--wrap). tests/integration/shims has the list checked. */
#define WRAPPED(type, name, parameters, arguments)                                                                \
    type __wrap_##name parameters;                                                                                 \
    type __wrap_##name parameters                                                                                  \
    {                                                                                                              \
        return REAL(name) arguments;                                                                               \
    }

WRAPPED(int, access, (const char *path, int mode), (path, mode))
WRAPPED(int, close, (int fd), (fd))
WRAPPED(int, fstat, (int fd, struct stat *status), (fd, status))
WRAPPED(int, fstat64, (int fd, struct stat64 *status), (fd, status))
WRAPPED(int, ioctl, (int fd, unsigned long request, void *argument), (fd, request, argument))
WRAPPED(void *, mmap, (void *wish, size_t length, int protection, int flags, int fd, off_t offset),
        (wish, length, protection, flags, fd, offset))
WRAPPED(void *, mmap64, (void *wish, size_t length, int protection, int flags, int fd, off64_t offset),
        (wish, length, protection, flags, fd, offset))
WRAPPED(int, munmap, (void *address, size_t length), (address, length))
WRAPPED(int, open, (const char *path, int flags, mode_t mode), (path, flags, mode))
WRAPPED(int, open64, (const char *path, int flags, mode_t mode), (path, flags, mode))
WRAPPED(int, poll, (struct pollfd * fds, nfds_t count, int timeout), (fds, count, timeout))
WRAPPED(ssize_t, read, (int fd, void *octets, size_t size), (fd, octets, size))
WRAPPED(int, stat, (const char *path, struct stat *status), (path, status))
WRAPPED(int, stat64, (const char *path, struct stat64 *status), (path, status))
WRAPPED(ssize_t, write, (int fd, const void *octets, size_t size), (fd, octets, size))

struct start {
    void *(*body)(void *);
    void *argument;
};

static void *run_visiting(void *argument)
{
    struct start start = *(struct start *)argument;

    visiting = true;
    free(argument);
    return start.body(start.argument);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument)
{
    struct start *start = malloc(sizeof *start);

    if (!start)
        return ENOMEM;
    *start = (struct start){body, argument};
    int error = REAL(pthread_create)(thread, attributes, run_visiting, start);
    if (error)
        free(start);
    return error;
}
