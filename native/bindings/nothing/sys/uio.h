/* SPDX-License-Identifier: Apache-2.0 */
/* All of <sys/uio.h> that the project's headers use. */
struct iovec {
    void *iov_base;
    size_t iov_len;
};
