/* SPDX-License-Identifier: Apache-2.0 */
/* Open files: from open() to the last close, and what the program's descriptor shows. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static LIST_HEAD(, v4l2_file) files = LIST_HEAD_INITIALIZER(files);
static unsigned file_count; /* atomic, for a quick look without the lock */

/* --- fork ------------------------------------------------------------------------------------------------- */

static void before_fork(void)
{
    pthread_mutex_lock(&list_lock);
}

static void after_fork_in_parent(void)
{
    pthread_mutex_unlock(&list_lock);
}

/* The kept ends are the parent's: with a copy here, its own would hang up only when the child ends. What the child
 * has open stays known, and answers EIO. */
static void after_fork_in_child(void)
{
    struct v4l2_file *file;

    LIST_FOREACH(file, &files, entry) {
        close(file->kept);
        file->kept = -1;
    }
    pthread_mutex_unlock(&list_lock);
}

static void watch_forks(void)
{
    pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

/* --- the socket ------------------------------------------------------------------------------------------- */

static void say(int fd, int flags)
{
    (void)!send(fd, "", 1, flags | MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Until there is no room for more. */
static void fill(int fd)
{
    static const char octets[4096];

    while (send(fd, octets, sizeof octets, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
        ;
}

static void empty(int fd)
{
    char octets[4096];

    while (recv(fd, octets, sizeof octets, MSG_OOB | MSG_DONTWAIT) > 0)
        ;
    while (recv(fd, octets, sizeof octets, MSG_DONTWAIT) > 0)
        ;
}

/* What can be read and what is urgent share a queue: when one of them has to go, both are said anew. */
static void show_input(struct v4l2_file *file, int fd, bool in, bool urgent)
{
    if (fd >= 0 && ((file->told_in && !in) || (file->told_pri && !urgent))) {
        empty(fd);
        file->told_in = file->told_pri = false;
    }
    if (urgent && !file->told_pri)
        say(file->kept, MSG_OOB);
    if (in && !file->told_in)
        say(file->kept, 0);
    file->told_pri |= urgent;
    file->told_in |= in;
}

static void show_output(struct v4l2_file *file, int fd, bool out)
{
    if (out && !file->told_out) {
        empty(file->kept);
        file->told_out = true;
    } else if (!out && file->told_out && fd >= 0) {
        fill(fd);
        file->told_out = false;
    }
}

static bool idle(const struct queue *queue)
{
    return !queue->streaming || (queue->queued == 0 && TAILQ_EMPTY(&queue->done));
}

/*
 * After a failure: an error, until poll() has said so, or a call EIO. From then on there is something to dequeue, which is
 * EIO again: ffmpeg takes the error of poll() for a passing one, and polls for ever unless a call tells it the end; of a
 * drain that fails its user hears by DQEVENT alone. Who waits for none of these is told the error again. A decoder whose
 * pictures do not stream yet is not told by poll() at all: ffmpeg 5.1 looks at buffers that it has not got, and crashes.
 */
static int failure(const struct v4l2_file *file, short asked)
{
    int dequeue = asked & (POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM | POLLPRI);
    bool told = file->failure_told || !file->queues[CAPTURE_QUEUE].streaming;

    return told && dequeue ? dequeue : POLLERR;
}

/* v4l2-mem2mem.c, v4l2_m2m_poll(): an error when neither queue can come to anything. media-devnode.c, media_poll(): a
 * media device has nothing to wait for, DEFAULT_POLLMASK. */
static short state_of(const struct v4l2_file *file, short asked)
{
    const struct queue *output = &file->queues[OUTPUT_QUEUE], *capture = &file->queues[CAPTURE_QUEUE];
    int state = file->event_count ? POLLPRI : 0;

    if (file->kind == NODE_MEDIA)
        return POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM;
    if (file->gone || file->broken)
        return (short)(state | failure(file, asked));
    if (capture->streaming && (file->last_taken || !TAILQ_EMPTY(&capture->done)))
        state |= POLLIN | POLLRDNORM;
    else if (idle(output) && idle(capture))
        return (short)(state | POLLERR);
    if (output->streaming && !TAILQ_EMPTY(&output->done))
        state |= POLLOUT | POLLWRNORM;
    return (short)state;
}

void file_show(struct v4l2_file *file, int fd)
{
    short state = state_of(file, POLLIN | POLLOUT);
    bool error = state & POLLERR;

    __atomic_add_fetch(&file->changed, 1, __ATOMIC_RELEASE);
    if (file->sleepers)
        syscall(SYS_futex, &file->changed, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
    if (file->kept < 0)
        return;
    show_input(file, fd, error || state & POLLIN, state & POLLPRI);
    show_output(file, fd, error || state & POLLOUT);
    if (file->gone && !file->told_end) {
        shutdown(file->kept, SHUT_RDWR);
        file->told_end = true;
    }
}

/* A futex by itself, for it tells of signals: a program that sleeps in DQBUF wants to hear of its own. */
int file_sleep(struct v4l2_file *file, const struct timespec *until)
{
    uint32_t seen = __atomic_load_n(&file->changed, __ATOMIC_ACQUIRE);

    stream_publish(file);
    file->sleepers++;
    pthread_mutex_unlock(&file->lock);
    pthread_mutex_unlock(&file->serial);
    long said = syscall(SYS_futex, &file->changed, FUTEX_WAIT_BITSET_PRIVATE, seen, until, NULL, FUTEX_BITSET_MATCH_ANY);
    int error = said < 0 && (errno == EINTR || errno == ETIMEDOUT) ? -errno : 0;
    pthread_mutex_lock(&file->serial);
    pthread_mutex_lock(&file->lock);
    file->sleepers--;
    return error;
}

short file_poll(struct v4l2_file *file, short asked)
{
    if (!shim_link_is_ours(file->node.link))
        return POLLERR;
    pthread_mutex_lock(&file->lock);
    short state = state_of(file, asked);
    if (state == 0)
        stream_publish(file);
    pthread_mutex_unlock(&file->lock);
    return state;
}

void file_tell_failure(struct v4l2_file *file)
{
    pthread_mutex_lock(&file->lock);
    file->failure_told |= file->gone || file->broken;
    pthread_mutex_unlock(&file->lock);
}

/* --- opening and closing ---------------------------------------------------------------------------------- */

static void prepare(struct v4l2_file *file, const struct node *node, enum node_kind kind)
{
    file->references = 1;
    file->kept = -1;
    file->node = *node;
    file->kind = kind;
    file->planar = planar_wanted();
    pthread_mutex_init(&file->serial, NULL);
    pthread_mutex_init(&file->lock, NULL);
    TAILQ_INIT(&file->held);
    LIST_INIT(&file->foreign);
    for (unsigned n = 0; n < QUEUE_COUNT; n++) {
        TAILQ_INIT(&file->queues[n].waiting);
        TAILQ_INIT(&file->queues[n].done);
    }
    if (kind == NODE_VIDEO) {
        priority_set(file, V4L2_PRIORITY_DEFAULT);
        formats_reset(file);
        controls_reset(file);
    }
    shim_link_keep(node->link);
}

static void destroy(struct v4l2_file *file)
{
    priority_set(file, V4L2_PRIORITY_UNSET);
    if (shim_link_is_ours(file->node.link)) {
        pthread_mutex_lock(&file->lock);
        stream_close(file);
        for (unsigned n = 0; n < QUEUE_COUNT; n++)
            queue_free(file, n);
        pthread_mutex_unlock(&file->lock);
        shim_link_put(file->node.link);
    }
    if (file->kept >= 0)
        close(file->kept);
    pthread_mutex_destroy(&file->lock);
    pthread_mutex_destroy(&file->serial);
    free(file);
}

/* The program's end, filled so that nothing can be written; the other is in file->kept. */
static int connect_ends(struct v4l2_file *file, int flags)
{
    int type = SOCK_STREAM | (flags & O_CLOEXEC ? SOCK_CLOEXEC : 0) | (flags & O_NONBLOCK ? SOCK_NONBLOCK : 0);
    int ends[2], least = 1;
    struct stat status;

    if (socketpair(AF_UNIX, type, 0, ends) != 0)
        return -errno;
    file->kept = fcntl(ends[1], F_DUPFD_CLOEXEC, 0);
    close(ends[1]);
    if (file->kept < 0 || fstat(ends[0], &status) != 0) {
        int error = -errno;
        close(ends[0]);
        return error;
    }
    file->device = status.st_dev;
    file->inode = status.st_ino;
    setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &least, sizeof least);
    fill(ends[0]);
    file_show(file, ends[0]);
    return ends[0];
}

int file_open(const struct node *node, enum node_kind kind, int flags)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct v4l2_file *file = calloc(1, sizeof *file);

    if (!file)
        return -ENOMEM;
    pthread_once(&once, watch_forks);
    file_reap();
    prepare(file, node, kind);
    int fd = connect_ends(file, flags);
    if (fd < 0) {
        destroy(file);
        return fd;
    }
    pthread_mutex_lock(&list_lock);
    LIST_INSERT_HEAD(&files, file, entry);
    pthread_mutex_unlock(&list_lock);
    __atomic_add_fetch(&file_count, 1, __ATOMIC_RELEASE);
    return fd;
}

struct v4l2_file *file_find(int fd)
{
    struct v4l2_file *file;
    struct stat status;

    if (__atomic_load_n(&file_count, __ATOMIC_ACQUIRE) == 0 || fstat(fd, &status) != 0 || !S_ISSOCK(status.st_mode))
        return NULL;
    pthread_mutex_lock(&list_lock);
    LIST_FOREACH(file, &files, entry)
        if (file->inode == status.st_ino && file->device == status.st_dev)
            break;
    if (file)
        file->references++;
    pthread_mutex_unlock(&list_lock);
    return file;
}

void file_put(struct v4l2_file *file)
{
    pthread_mutex_lock(&list_lock);
    bool last = --file->references == 0;
    pthread_mutex_unlock(&list_lock);
    if (last)
        destroy(file);
}

/* Nobody has the program's end any more. */
static bool closed(const struct v4l2_file *file)
{
    struct pollfd kept = {.fd = file->kept};

    return file->kept >= 0 && !file->told_end && poll(&kept, 1, 0) == 1 && kept.revents & POLLHUP;
}

static struct v4l2_file *take_closed(void)
{
    struct v4l2_file *file;

    pthread_mutex_lock(&list_lock);
    LIST_FOREACH(file, &files, entry)
        if (closed(file))
            break;
    if (file)
        LIST_REMOVE(file, entry);
    pthread_mutex_unlock(&list_lock);
    return file;
}

void file_reap(void)
{
    struct v4l2_file *file;

    if (__atomic_load_n(&file_count, __ATOMIC_ACQUIRE) == 0)
        return;
    while ((file = take_closed())) {
        __atomic_sub_fetch(&file_count, 1, __ATOMIC_RELEASE);
        file_put(file);
    }
    memory_sweep();
}

enum node_kind file_kind(const struct v4l2_file *file)
{
    return file->kind;
}

unsigned file_number(const struct v4l2_file *file)
{
    return node_number(&file->node, file->kind);
}
