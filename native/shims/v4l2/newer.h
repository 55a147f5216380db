/* SPDX-License-Identifier: Apache-2.0 */
/* What linux/videodev2.h has got since Linux 6.1, of whose header the shim can be built, too. */
#ifndef PARACORE_SHIMS_V4L2_NEWER_H
#define PARACORE_SHIMS_V4L2_NEWER_H

#include <linux/videodev2.h>

#ifndef VIDIOC_REMOVE_BUFS /* Linux 6.10 */
struct v4l2_remove_buffers {
    __u32 index;
    __u32 count;
    __u32 type;
    __u32 reserved[13];
};
#define VIDIOC_REMOVE_BUFS _IOWR('V', 104, struct v4l2_remove_buffers)
#define V4L2_BUF_CAP_SUPPORTS_REMOVE_BUFS (1 << 8)
#endif

#endif
