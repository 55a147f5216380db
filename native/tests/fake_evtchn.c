/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_evtchn.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <termios.h>
#include <unistd.h>

#include "check.h"
#include "doorbell.h"

enum { ENDS = 256, FIRST_PORT = 7, EVENTS = 16 };

struct end {
    int master; /* -1: free */
    dev_t device;
    uint32_t port;
    struct end *peer;
    bool masked, pending;
};

static struct end ends[ENDS];
static int epoll = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void deliver(const struct end *end)
{
    CHECK(write(end->master, &end->port, sizeof end->port) == sizeof end->port);
}

static void ring(struct end *end)
{
    if (end->masked) {
        end->pending = true;
        return;
    }
    end->masked = true;
    deliver(end);
}

static void unmask(struct end *end)
{
    end->masked = end->pending;
    end->pending = false;
    if (end->masked)
        deliver(end);
}

static void free_end(struct end *end)
{
    close(end->master);
    if (end->peer)
        end->peer->peer = NULL;
    *end = (struct end){.master = -1};
}

/* The program has written ports back, or has closed its descriptors. */
static void hear(struct end *end)
{
    uint32_t ports[16];
    ssize_t size = read(end->master, ports, sizeof ports);

    if (size < 0 && errno == EAGAIN)
        return;
    if (size <= 0) {
        free_end(end);
        return;
    }
    CHECK(size == sizeof ports[0] && ports[0] == end->port && end->masked);
    unmask(end);
}

static void *play_hypervisor(void *argument)
{
    struct epoll_event ready[EVENTS];

    for (;;) {
        int count = epoll_wait(epoll, ready, EVENTS, -1);
        pthread_mutex_lock(&lock);
        for (int i = 0; i < count; i++)
            hear(ready[i].data.ptr);
        pthread_mutex_unlock(&lock);
    }
    return argument;
}

static void start(void)
{
    pthread_t thread;

    for (int i = 0; i < ENDS; i++)
        ends[i].master = -1;
    epoll = epoll_create1(EPOLL_CLOEXEC);
    CHECK(epoll >= 0 && pthread_create(&thread, NULL, play_hypervisor, NULL) == 0);
    pthread_detach(thread);
}

static struct end *free_place(void)
{
    for (int i = 0; i < ENDS; i++)
        if (ends[i].master < 0)
            return &ends[i];
    CHECK(!"a free place");
    return NULL;
}

static int open_terminal(int master)
{
    struct termios settings;
    char name[64];

    CHECK(grantpt(master) == 0 && unlockpt(master) == 0 && ptsname_r(master, name, sizeof name) == 0);
    int fd = open(name, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    CHECK(fd >= 0 && tcgetattr(fd, &settings) == 0);
    cfmakeraw(&settings);
    CHECK(tcsetattr(fd, TCSANOW, &settings) == 0);
    return fd;
}

static struct end *make_end(struct fake_evtchn_end *made)
{
    struct end *end = free_place();
    struct stat status;

    end->master = posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    CHECK(end->master >= 0);
    made->fd = open_terminal(end->master);
    made->port = end->port = FIRST_PORT + (uint32_t)(end - ends);
    CHECK(fstat(made->fd, &status) == 0);
    end->device = status.st_rdev;
    return end;
}

static void listen_to(struct end *end)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = end};

    CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, end->master, &event) == 0);
}

bool fake_evtchn_available(void)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);

    if (master >= 0)
        close(master);
    return master >= 0;
}

void fake_evtchn_connect(struct fake_evtchn_end made[2])
{
    pthread_once(&once, start);
    pthread_mutex_lock(&lock);
    struct end *one = make_end(&made[0]), *other = make_end(&made[1]);
    one->peer = other;
    other->peer = one;
    listen_to(one);
    listen_to(other);
    pthread_mutex_unlock(&lock);
}

static int notify(int fd, uint32_t port)
{
    struct stat status;
    int error = ENOTTY;

    if (fstat(fd, &status) != 0)
        return -1;
    pthread_mutex_lock(&lock);
    for (int i = 0; i < ENDS; i++) {
        if (ends[i].master < 0 || ends[i].device != status.st_rdev)
            continue;
        error = ends[i].port == port ? 0 : ENOTCONN;
        if (error == 0 && ends[i].peer) /* to one that has gone it is lost */
            ring(ends[i].peer);
    }
    pthread_mutex_unlock(&lock);
    errno = error ? error : errno;
    return error ? -1 : 0;
}

/* Also libparacore's, hence visible to it. */
__attribute__((visibility("default"))) int ioctl(int fd, unsigned long request, ...)
{
    va_list arguments;

    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (request == PARACORE_EVTCHN_NOTIFY)
        return notify(fd, *(const uint32_t *)argument);
    return (int)syscall(SYS_ioctl, fd, request, argument);
}
