/* SPDX-License-Identifier: Apache-2.0 */
/* Drain and resume: DECODER_CMD and ENCODER_CMD, as v4l2-mem2mem.c's helpers serve them. */
#include "internal.h"

#include <errno.h>

/* V4L2_ENC_CMD_* and V4L2_DEC_CMD_* agree on these two. */
_Static_assert(V4L2_ENC_CMD_START == V4L2_DEC_CMD_START && V4L2_ENC_CMD_STOP == V4L2_DEC_CMD_STOP, "one handler");

static int resume(struct v4l2_file *file)
{
    file->drain = RUNNING;
    file->last_taken = false;
    capture_settle(file);
    stream_feed(file);
    return 0;
}

static int command(struct v4l2_file *file, uint32_t number)
{
    if (file->gone || file->broken)
        return -EIO;
    if (!file->queues[OUTPUT_QUEUE].streaming || !file->queues[CAPTURE_QUEUE].streaming)
        return 0; /* dev-decoder.rst, Drain: without effect */
    if (file->drain == DRAINING)
        return -EBUSY;
    if (number == V4L2_DEC_CMD_START)
        return resume(file);
    return file->drain == DRAINED ? 0 : stream_drain(file);
}

int ioctl_try_decoder_cmd(struct v4l2_file *file, int fd, void *argument)
{
    struct v4l2_decoder_cmd *wanted = argument;

    (void)file, (void)fd;
    if (wanted->cmd != V4L2_DEC_CMD_START && wanted->cmd != V4L2_DEC_CMD_STOP)
        return -EINVAL;
    *wanted = (struct v4l2_decoder_cmd){.cmd = wanted->cmd}; /* neither flags nor speeds */
    return 0;
}

int ioctl_decoder_cmd(struct v4l2_file *file, int fd, void *argument)
{
    int error = ioctl_try_decoder_cmd(file, fd, argument);

    return error ? error : command(file, ((struct v4l2_decoder_cmd *)argument)->cmd);
}

int ioctl_try_encoder_cmd(struct v4l2_file *file, int fd, void *argument)
{
    struct v4l2_encoder_cmd *wanted = argument;

    (void)file, (void)fd;
    if (wanted->cmd != V4L2_ENC_CMD_START && wanted->cmd != V4L2_ENC_CMD_STOP)
        return -EINVAL;
    wanted->flags = 0;
    return 0;
}

int ioctl_encoder_cmd(struct v4l2_file *file, int fd, void *argument)
{
    int error = ioctl_try_encoder_cmd(file, fd, argument);

    return error ? error : command(file, ((struct v4l2_encoder_cmd *)argument)->cmd);
}
