/* SPDX-License-Identifier: Apache-2.0 */
/* The session behind an open file, for stream.c, which opens it and hears of it, and feed.c, which gives it work. */
#ifndef PARACORE_SHIMS_V4L2_STREAM_H
#define PARACORE_SHIMS_V4L2_STREAM_H

#include "internal.h"

struct stream {
    struct v4l2_file *file;
    struct shim_session *session;
    bool begins; /* an encoder is told its format and controls now: nobody else tells it, or gives it pictures before that */
    bool begun;  /* it knows them */
};

#endif
