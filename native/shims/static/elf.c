/* SPDX-License-Identifier: Apache-2.0 */
/* Loading a program as fs/binfmt_elf.c does, and beginning it. */
#include "static.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined __x86_64__
#define MACHINE EM_X86_64
#elif defined __aarch64__
#define MACHINE EM_AARCH64
#else
#error "for x86-64 and arm64"
#endif

enum { HEADERS_MAX = 64, AUXILIARY_MAX = 64 };

/* Where a program that can be anywhere is put: within 4 GiB, which the filter wants, and away from all else. */
#define ANYWHERE UINT64_C(0x2000000000)
#define STACK_SIZE (UINT64_C(8) << 20)

struct file {
    int fd;
    Elf64_Ehdr header;
    Elf64_Phdr headers[HEADERS_MAX];
};

static uintptr_t page_down(uintptr_t address)
{
    return address & ~((uintptr_t)getpagesize() - 1);
}

static uintptr_t page_up(uintptr_t address)
{
    return page_down(address + (uintptr_t)getpagesize() - 1);
}

/* --- reading ------------------------------------------------------------------------------------------ */

static bool is_program(const Elf64_Ehdr *header)
{
    return memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 && header->e_ident[EI_CLASS] == ELFCLASS64 &&
           header->e_machine == MACHINE && (header->e_type == ET_EXEC || header->e_type == ET_DYN) &&
           header->e_phentsize == sizeof(Elf64_Phdr) && header->e_phnum > 0 && header->e_phnum <= HEADERS_MAX;
}

static int read_headers(struct file *file)
{
    ssize_t size;

    if (pread(file->fd, &file->header, sizeof file->header, 0) != sizeof file->header || !is_program(&file->header))
        return -ENOEXEC;
    size = file->header.e_phnum * (ssize_t)sizeof(Elf64_Phdr);
    if (pread(file->fd, file->headers, (size_t)size, (off_t)file->header.e_phoff) != size)
        return -ENOEXEC;
    for (int n = 0; n < file->header.e_phnum; n++)
        if (file->headers[n].p_type == PT_INTERP)
            return -ELIBEXEC;
    return 0;
}

/* --- mapping ------------------------------------------------------------------------------------------ */

/* Reserves the addresses from the first segment's begin to the last one's end. */
static int reserve(const struct file *file, struct image *image)
{
    uintptr_t low = UINTPTR_MAX, high = 0;

    for (int n = 0; n < file->header.e_phnum; n++) {
        const Elf64_Phdr *segment = &file->headers[n];
        if (segment->p_type != PT_LOAD)
            continue;
        low = segment->p_vaddr < low ? segment->p_vaddr : low;
        high = segment->p_vaddr + segment->p_memsz > high ? segment->p_vaddr + segment->p_memsz : high;
    }
    if (low >= high || high > ANYWHERE)
        return -ENOEXEC;
    image->base = file->header.e_type == ET_DYN ? ANYWHERE : 0;
    image->low = image->base + page_down(low);
    image->high = image->base + page_up(high);
    void *there = mmap((void *)image->low, image->high - image->low, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
    return there == (void *)image->low ? 0 : -ENOMEM;
}

static int protection(const Elf64_Phdr *segment)
{
    return (segment->p_flags & PF_R ? PROT_READ : 0) | (segment->p_flags & PF_W ? PROT_WRITE : 0) |
           (segment->p_flags & PF_X ? PROT_EXEC : 0);
}

/* The file's part, and zeros up to the segment's end. */
static int map_segment(const struct file *file, const struct image *image, const Elf64_Phdr *segment)
{
    uintptr_t begin = image->base + segment->p_vaddr, page = page_down(begin);
    uintptr_t zeros = begin + segment->p_filesz, end = begin + segment->p_memsz;
    int flags = MAP_PRIVATE | MAP_FIXED;
    off_t offset = (off_t)(segment->p_offset - (begin - page));

    if (segment->p_filesz && mmap((void *)page, zeros - page, protection(segment), flags, file->fd, offset) == MAP_FAILED)
        return -errno;
    uintptr_t rest = segment->p_filesz ? page_up(zeros) : page;
    if (end > rest &&
        mmap((void *)rest, end - rest, protection(segment), flags | MAP_ANONYMOUS, -1, 0) == MAP_FAILED)
        return -errno;
    if (end > zeros && rest > zeros && segment->p_flags & PF_W)
        memset((void *)zeros, 0, rest - zeros);
    return 0;
}

static int map_all(const struct file *file, struct image *image)
{
    int error = reserve(file, image);

    for (int n = 0; n < file->header.e_phnum && error == 0; n++) {
        const Elf64_Phdr *segment = &file->headers[n];
        if (segment->p_type != PT_LOAD)
            continue;
        error = map_segment(file, image, segment);
        if (segment->p_offset <= file->header.e_phoff && file->header.e_phoff < segment->p_offset + segment->p_filesz)
            image->headers = image->base + segment->p_vaddr + file->header.e_phoff - segment->p_offset;
    }
    image->entry = image->base + file->header.e_entry;
    image->header_count = file->header.e_phnum;
    return error;
}

int image_load(const char *path, struct image *image)
{
    struct file file = {.fd = open(path, O_RDONLY | O_CLOEXEC)};

    if (file.fd < 0)
        return -errno;
    memset(image, 0, sizeof *image);
    int error = read_headers(&file);
    if (error == 0)
        error = map_all(&file, image);
    close(file.fd);
    return error;
}

/* --- beginning ---------------------------------------------------------------------------------------- */

static Elf64_auxv_t adapt(const struct image *image, Elf64_auxv_t entry, const char *path)
{
    switch (entry.a_type) {
    case AT_PHDR:
        entry.a_un.a_val = image->headers;
        break;
    case AT_PHNUM:
        entry.a_un.a_val = image->header_count;
        break;
    case AT_ENTRY:
        entry.a_un.a_val = image->entry;
        break;
    case AT_BASE: /* of an interpreter */
        entry.a_un.a_val = 0;
        break;
    case AT_EXECFN:
        entry.a_un.a_val = (uintptr_t)path;
        break;
    default:
        break;
    }
    return entry;
}

/* Above the environment lie the kernel's words for this process: most hold for the program, too. Returns how many. */
static size_t copy_auxiliary(const struct image *image, Elf64_auxv_t *to, char **environment, const char *path)
{
    const Elf64_auxv_t *from;
    size_t count = 0;

    while (*environment)
        environment++;
    from = (const Elf64_auxv_t *)(void *)(environment + 1);
    do
        to[count] = adapt(image, from[count], path);
    while (from[count++].a_type != AT_NULL && count < AUXILIARY_MAX);
    return count;
}

/* SAFETY: no C runs on the old stack any more; its strings stay where they are. */
static _Noreturn void jump(uintptr_t stack, uintptr_t entry)
{
#if defined __x86_64__
    __asm__ volatile("mov %0, %%rsp\n\txor %%edx, %%edx\n\txor %%ebp, %%ebp\n\tjmp *%1" : : "r"(stack), "r"(entry) : "memory", "rdx");
#else
    __asm__ volatile("mov sp, %0\n\tmov x0, #0\n\tmov x29, #0\n\tmov x30, #0\n\tbr %1" : : "r"(stack), "r"(entry) : "memory", "x0");
#endif
    __builtin_unreachable();
}

_Noreturn void image_start(const struct image *image, int count, char **arguments, char **environment)
{
    Elf64_auxv_t auxiliary[AUXILIARY_MAX];
    size_t auxiliary_count = copy_auxiliary(image, auxiliary, environment, arguments[0]), environment_count = 0;

    while (environment[environment_count])
        environment_count++;
    size_t words = 1 + (size_t)count + 1 + environment_count + 1;
    char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (stack == MAP_FAILED)
        _exit(126);
    size_t size = words * sizeof(uintptr_t) + auxiliary_count * sizeof *auxiliary;
    uintptr_t *top = (uintptr_t *)(((uintptr_t)stack + STACK_SIZE - size) & ~(uintptr_t)15);
    top[0] = (uintptr_t)count;
    memcpy(top + 1, arguments, ((size_t)count + 1) * sizeof *arguments);
    memcpy(top + 2 + count, environment, (environment_count + 1) * sizeof *environment);
    memcpy(top + words, auxiliary, auxiliary_count * sizeof *auxiliary);
    jump((uintptr_t)top, image->entry);
}
