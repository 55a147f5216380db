/* SPDX-License-Identifier: Apache-2.0 */
/* The program's memory, which may not be there: pointers from it are followed by the kernel only. */
#ifndef PARACORE_SHIMS_V4L2_USER_H
#define PARACORE_SHIMS_V4L2_USER_H

#include <stddef.h>
#include <stdint.h>

/* Return 0, or -EFAULT when any octet cannot be read or written; then part of it may have been. */
int user_read(void *to, uint64_t from, size_t size);
int user_write(uint64_t to, const void *from, size_t size);

#endif
