/* SPDX-License-Identifier: Apache-2.0 */
/* The way in of the V4L2 shim, linked into a program in place of being preloaded, with devices of our own making. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "fake_file.h"

#define NODE "/dev/video40"
#define CLASS "/sys/class/video4linux"

static int open_node(void)
{
    int fd = open(NODE, O_RDWR);

    CHECK(fd >= 0);
    return fd;
}

static double seconds(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void pause_ms(long milliseconds)
{
    struct timespec time = {.tv_nsec = milliseconds * 1000000};

    nanosleep(&time, NULL);
}

/* --- opening ----------------------------------------------------------------------------------------- */

static void a_node_is_opened_by_any_of_its_names(void)
{
    int dev = open("/dev", O_RDONLY | O_DIRECTORY), fds[4];
    char before[PATH_MAX];

    CHECK(getcwd(before, sizeof before) && chdir("/dev") == 0);
    fds[0] = open("video41", O_RDWR | O_NONBLOCK);
    fds[1] = openat(dev, "video41", O_RDWR);
    fds[2] = open64("//dev/../dev/./video41", O_RDWR);
    fds[3] = openat64(AT_FDCWD, "./video41", O_RDWR, 0600);
    CHECK(chdir(before) == 0);
    for (int n = 0; n < 4; n++)
        CHECK(fds[n] >= 0 && close(fds[n]) == 0);
    close(dev);
}

static void what_is_not_there_stays_so(void)
{
    static const char *const paths[] = {"/dev/video39", "/dev/video040", "/dev/video", "/dev/video40x", "/tmp/video40",
                                        "video40", "/sys/class/video4linux/video39/name", "/dev/video99999999999"};

    for (size_t n = 0; n < sizeof paths / sizeof *paths; n++) {
        errno = 0;
        CHECK(open(paths[n], O_RDWR) == -1 && errno == ENOENT);
        CHECK(access(paths[n], F_OK) == -1 && errno == ENOENT);
    }
    fake_present = false;
    CHECK(open(NODE, O_RDWR) == -1 && errno == ENOENT);
    fake_present = true;
}

static void errno_is_kept_when_nothing_went_wrong(void)
{
    struct stat status;

    errno = ENOTEMPTY;
    int fd = open_node(), plain = open("/dev/null", O_RDWR);
    CHECK(stat(NODE, &status) == 0 && fstat(fd, &status) == 0 && fstat(plain, &status) == 0);
    CHECK(close(fd) == 0 && close(plain) == 0);
    CHECK(errno == ENOTEMPTY);
}

static void flags_that_make_no_sense(void)
{
    CHECK(open(NODE, O_RDWR | O_CREAT | O_EXCL, 0600) == -1 && errno == EEXIST);
    CHECK(open(NODE, O_RDONLY | O_DIRECTORY) == -1 && errno == ENOTDIR);
    CHECK(open(CLASS "/video40/name", O_RDWR) == -1 && errno == EACCES);
}

/* --- what it looks like ------------------------------------------------------------------------------ */

static void check_status(const struct stat *status, unsigned number)
{
    CHECK(S_ISCHR(status->st_mode) && (status->st_mode & 0777) == 0660);
    CHECK(status->st_rdev == makedev(81, number) && status->st_nlink == 1);
}

static void stat_says_a_character_device(void)
{
    struct stat status;
    struct stat64 status64;
    struct statx extended;
    int fd = open_node();

    CHECK(stat(NODE, &status) == 0);
    check_status(&status, 40);
    CHECK(lstat("/dev/video41", &status) == 0);
    check_status(&status, 41);
    CHECK(fstat(fd, &status) == 0);
    check_status(&status, 40);
    CHECK(fstatat(fd, "", &status, AT_EMPTY_PATH) == 0);
    check_status(&status, 40);
    CHECK(fstat64(fd, &status64) == 0 && S_ISCHR(status64.st_mode));
    CHECK(statx(fd, "", AT_EMPTY_PATH, STATX_ALL, &extended) == 0);
    CHECK(S_ISCHR(extended.stx_mode) && extended.stx_rdev_major == 81 && extended.stx_rdev_minor == 40);
    CHECK(access(NODE, R_OK | W_OK) == 0);
    CHECK(access(NODE, X_OK) == -1 && errno == EACCES);
    close(fd);
}

static void read_text(const char *path, char *text, size_t size)
{
    FILE *file = fopen(path, "re");

    CHECK(file);
    text[fread(text, 1, size - 1, file)] = 0;
    fclose(file);
}

static void sysfs_is_there(void)
{
    char text[256] = {0};
    struct stat status;

    read_text("/sys/dev/char/81:40/uevent", text, sizeof text);
    CHECK(strcmp(text, "MAJOR=81\nMINOR=40\nDEVNAME=video40\n") == 0);
    read_text(CLASS "/video41/name", text, sizeof text);
    CHECK(strcmp(text, "fake 41\n") == 0);
    memset(text, 0, sizeof text);
    CHECK(readlink(CLASS "/video40", text, sizeof text - 1) > 0);
    CHECK(strcmp(text, "../../devices/virtual/video4linux/video40") == 0);
    CHECK(readlink(NODE, text, sizeof text) == -1 && errno == EINVAL);
    CHECK(lstat(CLASS "/video40", &status) == 0 && S_ISLNK(status.st_mode));
    CHECK(stat(CLASS "/video40", &status) == 0 && S_ISDIR(status.st_mode));
    CHECK(stat(CLASS "/video40/dev", &status) == 0 && S_ISREG(status.st_mode));
    char *real = realpath("/sys/dev/char/81:41/dev", NULL);
    CHECK(strcmp(real, "/sys/devices/virtual/video4linux/video41/dev") == 0);
    free(real);
}

/* From the node to its media device, as v4l2-compliance goes. */
static void media_devices_are_there(void)
{
    char text[256] = {0};
    struct stat status;
    int number = 0, fd = open("/dev/media51", O_RDWR);

    CHECK(fd >= 0 && fstat(fd, &status) == 0 && status.st_rdev == makedev(240, 51));
    CHECK(ioctl(fd, 1, &number) == 0 && number == 51);
    close(fd);
    read_text("/sys/dev/char/81:41/device/media51/dev", text, sizeof text);
    CHECK(strcmp(text, "240:51\n") == 0);
    CHECK(lstat("/sys/dev/char/81:41/device", &status) == 0 && S_ISLNK(status.st_mode));
    char *real = realpath("/sys/dev/char/240:50/model", NULL);
    CHECK(strcmp(real, "/sys/devices/platform/paracore-40/media50/model") == 0);
    free(real);
    CHECK(access("/sys/devices/platform/paracore-41/media50", F_OK) == -1 && errno == ENOENT);
    CHECK(access("/sys/dev/char/81:41/device/device", F_OK) == -1 && access("/sys/dev/char/240:51/name", F_OK) == -1);
    CHECK(access("/dev/media40", F_OK) == -1 && access("/dev/video50", F_OK) == -1);
}

/* --- listings ---------------------------------------------------------------------------------------- */

static int count_names(DIR *dir, const char *prefix, unsigned char type)
{
    struct dirent *entry;
    int count = 0;

    errno = 0;
    while ((entry = readdir(dir)))
        if (strncmp(entry->d_name, prefix, strlen(prefix)) == 0 && entry->d_type == type)
            count++;
    CHECK(errno == 0);
    return count;
}

static void listings_have_ours(void)
{
    char before[PATH_MAX];
    DIR *dir = opendir("/dev");

    CHECK(count_names(dir, "video4", DT_CHR) == FAKE_COUNT);
    rewinddir(dir);
    CHECK(count_names(dir, "media5", DT_CHR) == FAKE_COUNT);
    rewinddir(dir);
    CHECK(count_names(dir, "null", DT_CHR) == 1);
    closedir(dir);
    CHECK((dir = opendir(CLASS)) && count_names(dir, "video4", DT_LNK) == FAKE_COUNT);
    closedir(dir);
    CHECK((dir = opendir(CLASS "/video40")) && count_names(dir, "", DT_REG) == 5);
    closedir(dir);
    CHECK((dir = opendir(CLASS "/video40/device")) && count_names(dir, "media50", DT_DIR) == 1);
    closedir(dir);
    CHECK(getcwd(before, sizeof before) && chdir("/dev") == 0 && (dir = opendir(".")));
    CHECK(count_names(dir, "video4", DT_CHR) == FAKE_COUNT);
    closedir(dir);
    CHECK(chdir(before) == 0 && (dir = fdopendir(open("/dev", O_RDONLY))));
    CHECK(count_names(dir, "video4", DT_CHR) == FAKE_COUNT);
    closedir(dir);
    CHECK((dir = opendir("/proc/self")) && count_names(dir, "video4", DT_CHR) == 0);
    closedir(dir);
    CHECK(opendir("/dev/nowhere") == NULL && errno == ENOENT);
    fake_present = false;
    CHECK(opendir(CLASS "/video40") == NULL && errno == ENOENT);
    fake_present = true;
}

static void positions_among_ours_can_be_gone_back_to(void)
{
    DIR *dir = opendir("/dev");
    struct dirent *entry;
    char name[256];
    long position;

    do {
        position = telldir(dir);
        CHECK((entry = readdir(dir)));
    } while (strcmp(entry->d_name, "media51") != 0);
    strcpy(name, entry->d_name);
    CHECK(readdir(dir) == NULL);
    seekdir(dir, position);
    CHECK((entry = readdir(dir)) && strcmp(entry->d_name, name) == 0);
    closedir(dir);
}

static int is_ours(const struct dirent *entry)
{
    return strncmp(entry->d_name, "video4", 6) == 0;
}

static void scandir_and_glob_find_them(void)
{
    struct dirent **names;
    glob_t found = {0};

    CHECK(scandir("/dev", &names, is_ours, alphasort) == 2);
    CHECK(strcmp(names[0]->d_name, "video40") == 0 && strcmp(names[1]->d_name, "video41") == 0);
    free(names[0]);
    free(names[1]);
    free(names);
    CHECK(glob("/dev/video4*", 0, NULL, &found) == 0 && found.gl_pathc == 2);
    CHECK(strcmp(found.gl_pathv[0], NODE) == 0);
    globfree(&found);
    CHECK(glob(CLASS "/*/name", 0, NULL, &found) == 0 && found.gl_pathc == 2);
    globfree(&found);
    CHECK(glob("/dev/nul*", 0, NULL, &found) == 0 && found.gl_pathc == 1);
    globfree(&found);
}

/* --- a descriptor ------------------------------------------------------------------------------------ */

/* What runs below an ioctl (an allocator, say) may call the same functions: they go to libc. */
static void call_everything(void)
{
    int fd = open("/dev/null", O_RDWR);
    struct pollfd wait = {.fd = fd, .events = POLLIN};

    CHECK(fd >= 0 && poll(&wait, 1, 0) == 1 && close(fd) == 0);
    CHECK(open(NODE, O_RDWR) == -1 && errno == ENOENT);
}

static void calls_reach_the_device(void)
{
    int fd = open_node(), number = 0;
    char octet;

    fake_within_ioctl = call_everything;
    CHECK(ioctl(fd, 1, &number) == 0 && number == 40);
    fake_within_ioctl = NULL;
    CHECK(ioctl(fd, 2, &number) == -1 && errno == ENOTTY);
    CHECK(read(fd, &octet, 1) == -1 && errno == EINVAL);
    CHECK(write(fd, "x", 1) == -1 && errno == EINVAL);
    void *pages = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 4096);
    CHECK(pages != MAP_FAILED && munmap(pages, 4096) == 0);
    CHECK(mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED && errno == EINVAL);
    pages = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(pages != MAP_FAILED && munmap(pages, 4096) == 0);
    fake_reaps();
    CHECK(close(fd) == 0 && fake_reaps() == 1);
    CHECK(close(fd) == -1 && errno == EBADF && fake_reaps() == 0);
}

static void a_copy_is_the_same_device(void)
{
    int fd = open_node(), copy = dup(fd), number;

    close(fd);
    CHECK(ioctl(copy, 1, &number) == 0 && number == 40);
    close(copy);
}

static void a_child_has_it_too(void)
{
    int fd = open_node(), status, number;
    pid_t child = fork();

    if (child == 0)
        _exit(ioctl(fd, 1, &number) == 0 && number == 40 && access(NODE, R_OK) == 0 ? 0 : 1);
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    close(fd);
}

/* --- poll() ------------------------------------------------------------------------------------------ */

static int poll_one(int fd, short events, int timeout, short *said)
{
    struct pollfd wait = {.fd = fd, .events = events, .revents = -1};
    int count = poll(&wait, 1, timeout);

    *said = wait.revents;
    return count;
}

static void poll_says_what_the_device_says(void)
{
    int fd = open_node();
    short said;

    fake_set_state(POLLERR);
    CHECK(poll_one(fd, POLLIN, -1, &said) == 1 && said == POLLERR);
    CHECK(fake_failures() == 1);
    fake_set_state(POLLIN | POLLRDNORM | POLLOUT);
    CHECK(poll_one(fd, POLLIN, -1, &said) == 1 && said == POLLIN);
    CHECK(poll_one(fd, POLLOUT | POLLRDNORM, 0, &said) == 1 && said == (POLLOUT | POLLRDNORM));
    fake_set_state(0);
    fake_wake();
    CHECK(poll_one(fd, POLLIN, 0, &said) == 0 && said == 0);
    CHECK(fake_failures() == 0);
    close(fd);
}

static void octets_that_mean_nothing_end_no_wait(void)
{
    int fd = open_node();
    double start;
    short said;

    fake_set_state(0);
    fake_wake();
    fake_polls();
    start = seconds();
    CHECK(poll_one(fd, POLLIN, 50, &said) == 0);
    CHECK(seconds() - start >= 0.05);
    CHECK(fake_polls() <= 250); /* it neither spins nor sleeps through */
    close(fd);
}

static void *wake_later(void *argument)
{
    (void)argument;
    pause_ms(20);
    fake_set_state(POLLIN);
    fake_wake();
    return NULL;
}

static void a_wait_ends_with_the_devices_news(void)
{
    int fd = open_node(), ends[2];
    pthread_t thread;

    CHECK(pipe(ends) == 0);
    struct pollfd wait[] = {{.fd = ends[0], .events = POLLIN}, {.fd = -7}, {.fd = fd, .events = POLLIN}};
    fake_set_state(0);
    CHECK(pthread_create(&thread, NULL, wake_later, NULL) == 0);
    CHECK(ppoll(wait, 3, NULL, NULL) == 1);
    CHECK(wait[0].revents == 0 && wait[1].revents == 0 && wait[2].revents == POLLIN);
    pthread_join(thread, NULL);
    fake_set_state(POLLOUT);
    CHECK(write(ends[1], "x", 1) == 1 && poll(wait, 3, -1) == 1 && wait[0].revents == POLLIN);
    wait[2].events = POLLOUT;
    CHECK(poll(wait, 3, -1) == 2 && wait[0].revents == POLLIN && wait[2].revents == POLLOUT);
    close(ends[0]);
    close(ends[1]);
    close(fd);
}

static void many_descriptors(void)
{
    struct pollfd wait[200];
    int fd = open_node();

    for (int n = 0; n < 200; n++)
        wait[n] = (struct pollfd){.fd = n == 150 ? fd : -1, .events = POLLIN};
    fake_set_state(POLLIN);
    CHECK(poll(wait, 200, 1000) == 1 && wait[150].revents == POLLIN);
    close(fd);
}

static void on_alarm(int signal)
{
    (void)signal;
}

static void a_signal_ends_a_wait(void)
{
    struct sigaction action = {.sa_handler = on_alarm};
    int fd = open_node();
    short said;

    fake_set_state(0);
    sigaction(SIGALRM, &action, NULL);
    CHECK(ualarm(20000, 0) == 0);
    CHECK(poll_one(fd, POLLIN, 5000, &said) == -1 && errno == EINTR);
    struct timespec wrong = {.tv_nsec = -1};
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    CHECK(ppoll(&wait, 1, &wrong, NULL) == -1 && errno == EINVAL);
    close(fd);
}

/* --- select() ---------------------------------------------------------------------------------------- */

static fd_set set_of(int fd)
{
    fd_set set;

    FD_ZERO(&set);
    FD_SET(fd, &set);
    return set;
}

static void select_says_what_the_device_says(void)
{
    int fd = open_node();
    fd_set in = set_of(fd), out = set_of(fd), exception = set_of(fd);
    struct timeval time = {.tv_sec = 5};

    fake_set_state(POLLIN | POLLRDNORM);
    CHECK(select(fd + 1, &in, &out, &exception, &time) == 1);
    CHECK(FD_ISSET(fd, &in) && !FD_ISSET(fd, &out) && !FD_ISSET(fd, &exception));
    CHECK(time.tv_sec == 4 && time.tv_usec > 0);
    in = out = set_of(fd);
    fake_set_state(POLLERR);
    CHECK(select(fd + 1, &in, &out, NULL, NULL) == 2);
    in = set_of(fd);
    FD_SET(fd + 500, &in);
    CHECK(select(fd + 501, &in, NULL, NULL, NULL) == -1 && errno == EBADF);
    close(fd);
}

/* Only an event ends a wait for exceptions, not that nothing streams (fs/select.c). */
static void a_wait_for_events_alone(void)
{
    int fd = open_node();
    fd_set exception = set_of(fd);
    struct timespec time = {.tv_nsec = 30000000};
    double start = seconds();

    fake_set_state(POLLERR);
    CHECK(pselect(fd + 1, NULL, NULL, &exception, &time, NULL) == 0);
    CHECK(!FD_ISSET(fd, &exception) && seconds() - start >= 0.03);
    FD_SET(fd, &exception);
    fake_set_state(POLLERR | POLLPRI);
    CHECK(pselect(fd + 1, NULL, NULL, &exception, NULL, NULL) == 1 && FD_ISSET(fd, &exception));
    close(fd);
}

static void select_without_ours_is_libcs(void)
{
    int ends[2], fd = open_node();
    struct timeval time = {.tv_usec = 1000};

    CHECK(pipe(ends) == 0);
    fd_set in = set_of(ends[0]);
    CHECK(select(ends[0] + 1, &in, NULL, NULL, &time) == 0 && !FD_ISSET(ends[0], &in));
    close(ends[0]);
    close(ends[1]);
    close(fd);
}

static const struct test tests[] = {
    {"what is not there stays so", what_is_not_there_stays_so},
    {"a node is opened by any of its names", a_node_is_opened_by_any_of_its_names},
    {"errno is kept when nothing went wrong", errno_is_kept_when_nothing_went_wrong},
    {"flags that make no sense", flags_that_make_no_sense},
    {"stat says a character device", stat_says_a_character_device},
    {"sysfs is there", sysfs_is_there},
    {"media devices are there", media_devices_are_there},
    {"listings have ours", listings_have_ours},
    {"positions among ours can be gone back to", positions_among_ours_can_be_gone_back_to},
    {"scandir and glob find them", scandir_and_glob_find_them},
    {"calls reach the device", calls_reach_the_device},
    {"a copy is the same device", a_copy_is_the_same_device},
    {"a child has it, too", a_child_has_it_too},
    {"poll says what the device says", poll_says_what_the_device_says},
    {"octets that mean nothing end no wait", octets_that_mean_nothing_end_no_wait},
    {"a wait ends with the device's news", a_wait_ends_with_the_devices_news},
    {"many descriptors", many_descriptors},
    {"a signal ends a wait", a_signal_ends_a_wait},
    {"select says what the device says", select_says_what_the_device_says},
    {"a wait for events alone", a_wait_for_events_alone},
    {"select without ours is libc's", select_without_ours_is_libcs},
};

int main(void)
{
    run_tests(tests, sizeof tests / sizeof *tests);
    CHECK(fake_references() == 0);
    return 0;
}
