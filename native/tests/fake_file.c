/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "file.h"

struct v4l2_file {
    enum node_kind kind;
    unsigned number;
    int kept;
    ino_t inode;
};

bool fake_present = true;
void (*fake_within_ioctl)(void);

static struct v4l2_file only; /* one open file is enough */
static short state;
static int polls, failures, reaps, references;
static char pages[4096];

/* --- what a test says and asks ----------------------------------------------------------------------- */

void fake_set_state(short is)
{
    __atomic_store_n(&state, is, __ATOMIC_SEQ_CST);
}

void fake_wake(void)
{
    CHECK(send(only.kept, "", 1, 0) == 1);
}

int fake_failures(void)
{
    return __atomic_exchange_n(&failures, 0, __ATOMIC_SEQ_CST);
}

int fake_polls(void)
{
    return __atomic_exchange_n(&polls, 0, __ATOMIC_SEQ_CST);
}

int fake_reaps(void)
{
    return __atomic_exchange_n(&reaps, 0, __ATOMIC_SEQ_CST);
}

int fake_references(void)
{
    return __atomic_load_n(&references, __ATOMIC_SEQ_CST);
}

/* --- nodes.h ----------------------------------------------------------------------------------------- */

static void make_node(struct node *node, unsigned number)
{
    *node = (struct node){.number = number, .media = number + FAKE_MEDIA, .direction = number - FAKE_FIRST + 1};
    snprintf(node->card, sizeof node->card, "fake %u", number);
    __atomic_add_fetch(&references, 1, __ATOMIC_SEQ_CST);
}

int nodes_list(struct node *nodes)
{
    for (unsigned n = 0; fake_present && n < FAKE_COUNT; n++)
        make_node(&nodes[n], FAKE_FIRST + n);
    return fake_present ? FAKE_COUNT : 0;
}

int nodes_find(enum node_kind kind, unsigned number, struct node *node)
{
    number -= kind == NODE_MEDIA ? FAKE_MEDIA : 0;
    if (!fake_present || number < FAKE_FIRST || number >= FAKE_FIRST + FAKE_COUNT)
        return -ENOENT;
    make_node(node, number);
    return 0;
}

void nodes_put(struct node *nodes, int count)
{
    (void)nodes;
    __atomic_sub_fetch(&references, count, __ATOMIC_SEQ_CST);
}

/* --- file.h ------------------------------------------------------------------------------------------ */

int file_open(const struct node *node, enum node_kind kind, int flags)
{
    struct stat status;
    int ends[2];

    (void)flags;
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0 && fstat(ends[0], &status) == 0);
    if (only.kept)
        close(only.kept);
    only = (struct v4l2_file){.kind = kind, .number = node_number(node, kind), .kept = ends[1], .inode = status.st_ino};
    return ends[0];
}

struct v4l2_file *file_find(int fd)
{
    struct stat status;

    if (fstat(fd, &status) != 0 || !S_ISSOCK(status.st_mode) || status.st_ino != only.inode)
        return NULL;
    __atomic_add_fetch(&references, 1, __ATOMIC_SEQ_CST);
    return &only;
}

void file_put(struct v4l2_file *file)
{
    CHECK(file == &only);
    __atomic_sub_fetch(&references, 1, __ATOMIC_SEQ_CST);
}

void file_reap(void)
{
    __atomic_add_fetch(&reaps, 1, __ATOMIC_SEQ_CST);
}

enum node_kind file_kind(const struct v4l2_file *file)
{
    return file->kind;
}

unsigned file_number(const struct v4l2_file *file)
{
    return file->number;
}

int file_ioctl(struct v4l2_file *file, int fd, unsigned long request, void *argument)
{
    (void)file;
    (void)fd;
    if (fake_within_ioctl)
        fake_within_ioctl();
    if (request != 1)
        return -ENOTTY;
    *(int *)argument = (int)file->number;
    return 0;
}

int file_mmap(struct v4l2_file *file, void *wish, size_t length, int protection, int flags, uint64_t offset,
              void **address)
{
    (void)file;
    (void)wish;
    (void)protection;
    (void)flags;
    if (offset != 4096 || length != sizeof pages)
        return -EINVAL;
    *address = pages;
    return 0;
}

int file_munmap(void *address, size_t length)
{
    (void)length;
    return address == pages;
}

short file_poll(struct v4l2_file *file, short asked)
{
    (void)asked;
    CHECK(file == &only);
    __atomic_add_fetch(&polls, 1, __ATOMIC_SEQ_CST);
    return __atomic_load_n(&state, __ATOMIC_SEQ_CST);
}

void file_tell_failure(struct v4l2_file *file)
{
    CHECK(file == &only);
    __atomic_add_fetch(&failures, 1, __ATOMIC_SEQ_CST);
}
