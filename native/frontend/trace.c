/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The process's own side of a trace: a file of the trace's memory (trace.h) in the folder that PARACORE_TRACE names.
 *
 * It stays when the process is killed, and may be read while it lives. Whatever stands in the way of it, a folder that
 * is not there or a disk that is full, nobody is told and nothing is recorded: the program did not ask for it.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"
#include "trace.h"

/* SAFETY: the octets are there before they are mapped, so that a full disk is found out here and not by SIGBUS. The
 * folder's owner, who may cut the file short, is whoever started this program. */
static void *map(int fd)
{
    if (posix_fallocate(fd, 0, PARACORE_TRACE_SIZE) != 0)
        return MAP_FAILED;
    return mmap(NULL, PARACORE_TRACE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

/* Not open(), in whose place a shim of ours may stand. */
static int create(const char *path)
{
    return (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
}

static void begin(void)
{
    const char *folder = secure_getenv("PARACORE_TRACE");
    char path[4096];

    if (!folder || !*folder)
        return;
    int length = snprintf(path, sizeof path, "%s/%d-%llx.trace", folder, (int)getpid(), (unsigned long long)paracore_now());
    int fd = length < (int)sizeof path ? create(path) : -1;
    if (fd < 0)
        return;
    void *memory = map(fd);
    close(fd);
    if (memory == MAP_FAILED) {
        unlink(path);
        return;
    }
    paracore_trace_format(memory, (uint32_t)getpid());
    paracore_trace_begin(memory);
}

void trace_begin(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, begin);
}
