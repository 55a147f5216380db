/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filter, and the threads that answer it.
 *
 * A thread of the image that makes a notified call sleeps in the kernel until one of ours has answered. Ours are made
 * beforehand or when all others are busy: a call may wait long (DQBUF). The filter holds for all threads, and for
 * children; but only for calls that are made from the image's own addresses, so that ours are never notified.
 */
#include "static.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined __x86_64__
#define ARCHITECTURE AUDIT_ARCH_X86_64
#else
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV /* Linux 5.19 */
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

enum { FILTER_MAX = 96, THREADS_MAX = 64 };

static int listener;
static int idle, threads; /* atomic */

/* --- the filter --------------------------------------------------------------------------------------- */

struct program {
    struct sock_filter code[FILTER_MAX];
    unsigned short length;
};

static void put(struct program *program, uint16_t code, uint32_t value, uint8_t yes, uint8_t no)
{
    program->code[program->length++] = (struct sock_filter){.code = code, .jt = yes, .jf = no, .k = value};
}

static void load(struct program *program, size_t offset)
{
    put(program, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void result(struct program *program, uint32_t value)
{
    put(program, BPF_RET | BPF_K, value, 0, 0);
}

/* Calls from elsewhere, or of another machine's numbers, are none of ours. The image lies within 4 GiB. */
static void put_origin(struct program *program, const struct image *image)
{
    size_t address = offsetof(struct seccomp_data, instruction_pointer);

    load(program, offsetof(struct seccomp_data, arch));
    put(program, BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
    result(program, SECCOMP_RET_ALLOW);
    load(program, address + 4);
    put(program, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(image->low >> 32), 1, 0);
    result(program, SECCOMP_RET_ALLOW);
    load(program, address);
    put(program, BPF_JMP | BPF_JGE | BPF_K, (uint32_t)image->low, 1, 0);
    result(program, SECCOMP_RET_ALLOW);
    put(program, BPF_JMP | BPF_JGE | BPF_K, (uint32_t)(image->high - 1), 0, 1);
    result(program, SECCOMP_RET_ALLOW);
}

static void put_calls(struct program *program)
{
    load(program, offsetof(struct seccomp_data, nr));
    for (const int *number = served_calls; *number >= 0; number++) {
        put(program, BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)*number, 0, 1);
        result(program, SECCOMP_RET_USER_NOTIF);
    }
}

/* ioctl: those of V4L2, whose type is 'V'. mmap: those of a descriptor. munmap: what is no page, see serve_mmap(). */
static void put_some(struct program *program)
{
    put(program, BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 6);
    load(program, offsetof(struct seccomp_data, args[1]));
    put(program, BPF_ALU | BPF_RSH | BPF_K, 8, 0, 0);
    put(program, BPF_ALU | BPF_AND | BPF_K, 0xff, 0, 0);
    put(program, BPF_JMP | BPF_JEQ | BPF_K, 'V', 0, 1);
    result(program, SECCOMP_RET_USER_NOTIF);
    result(program, SECCOMP_RET_ALLOW);
    put(program, BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 4);
    load(program, offsetof(struct seccomp_data, args[4]));
    put(program, BPF_JMP | BPF_JSET | BPF_K, UINT32_C(1) << 31, 1, 0);
    result(program, SECCOMP_RET_USER_NOTIF);
    result(program, SECCOMP_RET_ALLOW);
    put(program, BPF_JMP | BPF_JEQ | BPF_K, SYS_munmap, 0, 3);
    load(program, offsetof(struct seccomp_data, args[0]));
    put(program, BPF_JMP | BPF_JSET | BPF_K, (uint32_t)getpagesize() - 1, 0, 1);
    result(program, SECCOMP_RET_USER_NOTIF);
    result(program, SECCOMP_RET_ALLOW);
}

static int install(const struct image *image)
{
    struct program program = {0};
    unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;

    put_origin(&program, image);
    put_calls(&program);
    put_some(&program);
    struct sock_fprog whole = {.len = program.length, .filter = program.code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return -errno;
    long fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &whole);
    if (fd < 0 && errno == EINVAL)
        fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &whole);
    return fd < 0 ? -errno : (int)fd;
}

/* --- answering ---------------------------------------------------------------------------------------- */

static void *answer_all(void *unused);

static void start_thread(void)
{
    pthread_t thread;
    sigset_t all, before;

    if (__atomic_add_fetch(&threads, 1, __ATOMIC_RELAXED) > THREADS_MAX)
        return;
    sigfillset(&all); /* the image's handlers are for its own threads */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&thread, NULL, answer_all, NULL) == 0)
        pthread_detach(thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* A child of a fork has memory of its own: nothing can be done for it here. */
static bool is_here(uint32_t thread)
{
    return syscall(SYS_tgkill, getpid(), thread, 0) == 0;
}

static void answer(const struct seccomp_notif *asked)
{
    uint64_t arguments[6];
    struct seccomp_notif_resp said = {.id = asked->id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};

    for (int n = 0; n < 6; n++)
        arguments[n] = asked->data.args[n];
    long value = is_here(asked->pid) ? serve(asked->data.nr, arguments) : CONTINUE;
    if (value != CONTINUE) {
        said.flags = 0;
        said.error = value < 0 && value >= -4095 ? (int)value : 0;
        said.val = said.error ? 0 : value;
    }
    syscall(SYS_ioctl, listener, SECCOMP_IOCTL_NOTIF_SEND, &said);
}

static void *answer_all(void *unused)
{
    for (;;) {
        struct seccomp_notif asked = {0};
        __atomic_add_fetch(&idle, 1, __ATOMIC_SEQ_CST);
        long got = syscall(SYS_ioctl, listener, SECCOMP_IOCTL_NOTIF_RECV, &asked);
        if (__atomic_sub_fetch(&idle, 1, __ATOMIC_SEQ_CST) == 0)
            start_thread();
        if (got == 0)
            answer(&asked);
    }
    return unused;
}

int notify_start(const struct image *image)
{
    /* the image's malloc has the program break for itself: ours must not move it under its feet */
    mallopt(M_TRIM_THRESHOLD, -1);
    mallopt(M_ARENA_MAX, 4 * THREADS_MAX);
    int line = keeper_start();
    if (line < 0)
        return line;
    listener = install(image);
    if (listener < 0) {
        close(line);
        return listener;
    }
    int error = keeper_give(line, listener);
    if (error)
        return error;
    start_thread();
    start_thread();
    return 0;
}
