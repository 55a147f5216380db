/* SPDX-License-Identifier: Apache-2.0 */
/* A program without a dynamic libc that uses a decoder's node: test_static.py builds and runs it. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHECK(fact)                                                            \
    do {                                                                       \
        if (!(fact)) {                                                         \
            fprintf(stderr, "line %d: not so: %s (%m)\n", __LINE__, #fact);    \
            exit(1);                                                           \
        }                                                                      \
    } while (0)

static char node[300];

static void find_node(void)
{
    DIR *dir = opendir("/dev");
    struct dirent *entry;
    int count = 0;

    while ((entry = readdir(dir)))
        if (strncmp(entry->d_name, "video", 5) == 0 && count++ == 0)
            snprintf(node, sizeof node, "/dev/%s", entry->d_name);
    rewinddir(dir);
    for (int again = 0; (entry = readdir(dir)) || again != count;)
        CHECK(entry && (again += strncmp(entry->d_name, "video", 5) == 0) <= count);
    closedir(dir);
    printf("%d nodes\n", count);
}

static int open_node(void)
{
    int fd = open(node, O_RDWR);

    CHECK(fd >= 0);
    return fd;
}

static void look_at_it(void)
{
    struct v4l2_capability capability;
    struct stat status;
    int fd = open_node();

    CHECK(stat(node, &status) == 0 && S_ISCHR(status.st_mode) && access(node, R_OK | W_OK) == 0);
    CHECK(fstat(fd, &status) == 0 && S_ISCHR(status.st_mode));
    CHECK(ioctl(fd, VIDIOC_QUERYCAP, &capability) == 0);
    CHECK(ioctl(fd, VIDIOC_QUERYCAP, (void *)1) == -1 && errno == EFAULT);
    CHECK(ioctl(0, VIDIOC_QUERYCAP, &capability) == -1 && errno == ENOTTY);
    CHECK(open((const char *)1, O_RDWR) == -1 && errno == EFAULT);
    CHECK(syscall(SYS_newfstatat, AT_FDCWD, node, 1, 0) == -1 && errno == EFAULT); /* musl's stat() would crash */
    CHECK(open("/dev/video999", O_RDWR) == -1 && errno == ENOENT);
    printf("%s\n", capability.card);
    close(fd);
}

/* Buffers of a queue, mapped, written to and unmapped; twice, for the second finds what the first left. */
static void map_buffers(int fd)
{
    struct v4l2_format format = {.type = V4L2_BUF_TYPE_VIDEO_OUTPUT_MPLANE};
    struct v4l2_requestbuffers request = {.count = 4, .type = format.type, .memory = V4L2_MEMORY_MMAP};

    format.fmt.pix_mp.pixelformat = V4L2_PIX_FMT_H264;
    format.fmt.pix_mp.width = 640;
    format.fmt.pix_mp.height = 480;
    CHECK(ioctl(fd, VIDIOC_S_FMT, &format) == 0 && ioctl(fd, VIDIOC_REQBUFS, &request) == 0);
    for (unsigned n = 0; n < request.count; n++) {
        struct v4l2_plane planes[8] = {0};
        struct v4l2_buffer buffer = {.index = n, .type = format.type, .m.planes = planes, .length = 8};
        CHECK(ioctl(fd, VIDIOC_QUERYBUF, &buffer) == 0);
        char *octets = mmap(NULL, planes[0].length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, planes[0].m.mem_offset);
        CHECK(octets != MAP_FAILED);
        memset(octets, (int)n, planes[0].length);
        CHECK(munmap(octets, planes[0].length) == 0);
    }
    request.count = 0;
    CHECK(ioctl(fd, VIDIOC_REQBUFS, &request) == 0);
}

static void *in_a_thread(void *unused)
{
    int fd = open_node();

    for (int n = 0; n < 10; n++)
        map_buffers(fd);
    close(fd);
    return unused;
}

static void several_at_once(void)
{
    pthread_t threads[8];

    for (int n = 0; n < 8; n++)
        CHECK(pthread_create(&threads[n], NULL, in_a_thread, NULL) == 0);
    for (int n = 0; n < 8; n++)
        CHECK(pthread_join(threads[n], NULL) == 0);
    printf("8 threads\n");
}

/* The program break is the program's alone. */
static void allocate(void)
{
    void *pieces[1000];

    for (size_t n = 0; n < 1000; n++)
        memset(pieces[n] = malloc(n * 100 + 1), 1, n * 100 + 1);
    for (size_t n = 0; n < 1000; n++)
        free(pieces[n]);
}

static void a_child_goes_on_without(void)
{
    pid_t child = fork();
    int status;

    if (child == 0)
        _exit(access(node, F_OK) == -1 && access("/", F_OK) == 0 ? 0 : 1);
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(system("true") == 0);
    printf("a child\n");
}

/* What it was before has ended, but the filter has not. */
static int be_another(void)
{
    CHECK(access("/", F_OK) == 0 && open("/dev/null", O_RDWR) >= 0 && access("/dev/video999", F_OK) == -1);
    printf("another\n");
    return 8;
}

static int outlive(void)
{
    pid_t parent = getpid();

    if (fork())
        return 9;
    while (getppid() == parent)
        usleep(1000);
    CHECK(access("/", F_OK) == 0 && open("/dev/null", O_RDWR) >= 0);
    printf("outlived\n");
    return 0;
}

int main(int count, char **arguments)
{
    CHECK(count >= 2 && getenv("HOME"));
    if (strcmp(arguments[1], "another") == 0)
        return be_another();
    if (strcmp(arguments[1], "outlive") == 0)
        return outlive();
    if (strcmp(arguments[1], "exec") == 0)
        return execl(arguments[2], arguments[0], "another", NULL);
    CHECK(strcmp(arguments[1], "a word") == 0);
    find_node();
    look_at_it();
    allocate();
    several_at_once();
    allocate();
    a_child_goes_on_without();
    return 7;
}
