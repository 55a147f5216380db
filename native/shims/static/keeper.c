/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper of a filter: see static.h. It is made before there is one, so that it is not among those who have it.
 *
 * It waits for a lock that the program's process has on a file without a name. A lock, unlike a descriptor, is not
 * inherited by a child: it goes with the process, or when that becomes another program by exec.
 */
#include "static.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Until nobody has the filter any more, which poll() says (Linux 5.8), everything goes on in the kernel. */
static void keep(int listener)
{
    struct pollfd wait = {.fd = listener, .events = POLLIN};

    while ((poll(&wait, 1, -1) >= 0 || errno == EINTR) && !(wait.revents & (POLLHUP | POLLERR | POLLNVAL))) {
        struct seccomp_notif asked = {0};
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) != 0)
            continue;
        struct seccomp_notif_resp said = {.id = asked.id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};
        ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &said);
    }
}

/* The descriptor in a message, or -1. */
static int take(int line)
{
    union {
        struct cmsghdr header;
        char octets[CMSG_SPACE(sizeof(int))];
    } control;
    char octet;
    struct iovec part = {.iov_base = &octet, .iov_len = 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    int fd = -1;

    if (recvmsg(line, &message, 0) != 1 || message.msg_controllen < sizeof control.header)
        return -1;
    memcpy(&fd, CMSG_DATA(&control.header), sizeof fd);
    return fd;
}

static int lock(int file)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

    while (fcntl(file, F_SETLKW, &whole) != 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

/* It has nothing of the program's open: a pipe that it kept would never end. */
static _Noreturn void be_keeper(int line, int file)
{
    int ours = fcntl(file, F_DUPFD, 2);

    dup2(line, 0);
    dup2(ours, 1);
    syscall(SYS_close_range, 2U, ~0U, 0U); /* Linux 5.9 */
    setsid();
    int listener = take(0);
    close(0);
    if (listener >= 0 && lock(1) == 0)
        keep(listener);
    _exit(0);
}

/* Forked twice: it is no child that the program could wait for. The file stays open, for its lock. */
int keeper_start(void)
{
    int line[2], status = -1, file = memfd_create("paracore-keeper", MFD_CLOEXEC);

    if (file < 0 || lock(file) != 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line) != 0)
        return -errno;
    pid_t child = fork();
    if (child == 0) {
        pid_t keeper = fork();
        if (keeper == 0)
            be_keeper(line[1], file);
        _exit(keeper < 0);
    }
    close(line[1]);
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (child > 0 && status == 0)
        return line[0];
    close(line[0]);
    return -EAGAIN;
}

int keeper_give(int line, int listener)
{
    union {
        struct cmsghdr header;
        char octets[CMSG_SPACE(sizeof(int))];
    } control = {.header = {.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
    char octet = 0;
    struct iovec part = {.iov_base = &octet, .iov_len = 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};

    memcpy(CMSG_DATA(&control.header), &listener, sizeof listener);
    int error = sendmsg(line, &message, MSG_NOSIGNAL) == 1 ? 0 : -errno;
    close(line);
    return error;
}
