/* SPDX-License-Identifier: Apache-2.0 */
/* Made by codegen from specs/v4l2.toml; do not edit. To make it again: make gen */
#ifndef PARACORE_SHIMS_V4L2_TABLES_H
#define PARACORE_SHIMS_V4L2_TABLES_H

#define REQUEST_ROWS \
    {VIDIOC_QUERYCAP, ioctl_querycap, 0, 0, BOTH, {SAME, 0}}, \
    {VIDIOC_G_PRIORITY, ioctl_g_priority, 0, 0, BOTH, {SAME, 0}}, \
    {VIDIOC_S_PRIORITY, ioctl_s_priority, 0, CHANGES, BOTH, {SAME, 0}}, \
    {VIDIOC_ENUM_FMT, ioctl_enum_fmt, UP_TO(v4l2_fmtdesc, type), 0, BOTH, {TYPE, offsetof(struct v4l2_fmtdesc, type)}}, \
    {VIDIOC_ENUM_FRAMESIZES, ioctl_enum_framesizes, UP_TO(v4l2_frmsizeenum, pixel_format), 0, BOTH, {SAME, 0}}, \
    {VIDIOC_ENUM_FRAMEINTERVALS, ioctl_enum_frameintervals, UP_TO(v4l2_frmivalenum, height), 0, ENCODERS, {SAME, 0}}, \
    {VIDIOC_G_FMT, ioctl_g_fmt, UP_TO(v4l2_format, type), 0, BOTH, {FORMAT, 0}}, \
    {VIDIOC_S_FMT, ioctl_s_fmt, 0, CHANGES, BOTH, {FORMAT, 0}}, \
    {VIDIOC_TRY_FMT, ioctl_try_fmt, 0, 0, BOTH, {FORMAT, 0}}, \
    {VIDIOC_G_SELECTION, ioctl_g_selection, UP_TO(v4l2_selection, r), 0, BOTH, {SAME, 0}}, \
    {VIDIOC_S_SELECTION, ioctl_s_selection, UP_TO(v4l2_selection, r), CHANGES, BOTH, {SAME, 0}}, \
    {VIDIOC_CROPCAP, ioctl_cropcap, UP_TO(v4l2_cropcap, type), 0, BOTH, {SAME, 0}}, \
    {VIDIOC_G_CROP, ioctl_g_crop, UP_TO(v4l2_crop, type), 0, BOTH, {SAME, 0}}, \
    {VIDIOC_S_CROP, ioctl_s_crop, 0, CHANGES, BOTH, {SAME, 0}}, \
    {VIDIOC_G_PARM, ioctl_g_parm, UP_TO(v4l2_streamparm, type), 0, ENCODERS, {TYPE, offsetof(struct v4l2_streamparm, type)}}, \
    {VIDIOC_S_PARM, ioctl_s_parm, 0, CHANGES, ENCODERS, {TYPE, offsetof(struct v4l2_streamparm, type)}}, \
    {VIDIOC_REQBUFS, ioctl_reqbufs, 0, CHANGES, BOTH, {TYPE, offsetof(struct v4l2_requestbuffers, type)}}, \
    {VIDIOC_CREATE_BUFS, ioctl_create_bufs, UP_TO(v4l2_create_buffers, format), CHANGES, BOTH, {FORMAT, offsetof(struct v4l2_create_buffers, format)}}, \
    {VIDIOC_REMOVE_BUFS, ioctl_remove_bufs, UP_TO(v4l2_remove_buffers, type), CHANGES, BOTH, {TYPE, offsetof(struct v4l2_remove_buffers, type)}}, \
    {VIDIOC_QUERYBUF, ioctl_querybuf, 0, 0, BOTH, {BUFFER, offsetof(struct v4l2_buffer, type)}}, \
    {VIDIOC_PREPARE_BUF, ioctl_prepare_buf, 0, 0, BOTH, {BUFFER, offsetof(struct v4l2_buffer, type)}}, \
    {VIDIOC_QBUF, ioctl_qbuf, 0, 0, BOTH, {BUFFER, offsetof(struct v4l2_buffer, type)}}, \
    {VIDIOC_DQBUF, ioctl_dqbuf, 0, 0, BOTH, {BUFFER, offsetof(struct v4l2_buffer, type)}}, \
    {VIDIOC_STREAMON, ioctl_streamon, 0, CHANGES, BOTH, {TYPE, 0}}, \
    {VIDIOC_STREAMOFF, ioctl_streamoff, 0, CHANGES, BOTH, {TYPE, 0}}, \
    {VIDIOC_QUERYCTRL, ioctl_queryctrl, UP_TO(v4l2_queryctrl, id), 0, BOTH, {SAME, 0}}, \
    {VIDIOC_QUERY_EXT_CTRL, ioctl_query_ext_ctrl, UP_TO(v4l2_query_ext_ctrl, id), 0, BOTH, {SAME, 0}}, \
    {VIDIOC_QUERYMENU, ioctl_querymenu, UP_TO(v4l2_querymenu, index), 0, BOTH, {SAME, 0}}, \
    {VIDIOC_G_CTRL, ioctl_g_ctrl, 0, 0, BOTH, {SAME, 0}}, \
    {VIDIOC_S_CTRL, ioctl_s_ctrl, 0, CHANGES, BOTH, {SAME, 0}}, \
    {VIDIOC_G_EXT_CTRLS, ioctl_g_ext_ctrls, 0, ALWAYS_COPY, BOTH, {SAME, 0}}, \
    {VIDIOC_S_EXT_CTRLS, ioctl_s_ext_ctrls, 0, ALWAYS_COPY | CHANGES, BOTH, {SAME, 0}}, \
    {VIDIOC_TRY_EXT_CTRLS, ioctl_try_ext_ctrls, 0, ALWAYS_COPY, BOTH, {SAME, 0}}, \
    {VIDIOC_SUBSCRIBE_EVENT, ioctl_subscribe_event, 0, 0, BOTH, {SAME, 0}}, \
    {VIDIOC_UNSUBSCRIBE_EVENT, ioctl_unsubscribe_event, 0, 0, BOTH, {SAME, 0}}, \
    {VIDIOC_DQEVENT, ioctl_dqevent, 0, 0, BOTH, {SAME, 0}}, \
    {VIDIOC_DECODER_CMD, ioctl_decoder_cmd, 0, 0, DECODERS, {SAME, 0}}, \
    {VIDIOC_TRY_DECODER_CMD, ioctl_try_decoder_cmd, 0, 0, DECODERS, {SAME, 0}}, \
    {VIDIOC_ENCODER_CMD, ioctl_encoder_cmd, UP_TO(v4l2_encoder_cmd, flags), 0, ENCODERS, {SAME, 0}}, \
    {VIDIOC_TRY_ENCODER_CMD, ioctl_try_encoder_cmd, UP_TO(v4l2_encoder_cmd, flags), 0, ENCODERS, {SAME, 0}}, \

static const char *const BITRATE_MODE_MENU[] = {"Variable Bitrate"};
static const char *const HEADER_MODE_MENU[] = {NULL, "Joined With 1st Frame"};
static const char *const H264_LEVEL_MENU[] = {"1", "1b", "1.1", "1.2", "1.3", "2", "2.1", "2.2", "3", "3.1", "3.2", "4", "4.1", "4.2", "5", "5.1"};
static const char *const H264_PROFILE_MENU[] = {"Baseline", "Constrained Baseline", "Main", NULL, "High"};
static const int32_t H264_PROFILE_VALUES[] = {66, 66, 77, 88, 100};
static const char *const VP8_PROFILE_MENU[] = {"0"};
static const char *const VP9_PROFILE_MENU[] = {"0"};
static const char *const HEVC_PROFILE_MENU[] = {"Main"};
static const char *const HEVC_LEVEL_MENU[] = {"1", "2", "2.1", "3", "3.1", "4", "4.1", "5", "5.1", "5.2", "6", "6.1", "6.2"};

#define CONTROL_ROWS \
    {V4L2_CID_USER_CLASS, V4L2_CTRL_TYPE_CTRL_CLASS, "User Controls", 0, 0, 0, 0, V4L2_CTRL_FLAG_READ_ONLY | V4L2_CTRL_FLAG_WRITE_ONLY, BOTH, 0, 0, NULL, NULL}, \
    {V4L2_CID_MIN_BUFFERS_FOR_CAPTURE, V4L2_CTRL_TYPE_INTEGER, "Min Number of Capture Buffers", 1, 32, 1, 1, V4L2_CTRL_FLAG_READ_ONLY | V4L2_CTRL_FLAG_VOLATILE, DECODERS, 0, 0, NULL, NULL}, \
    {V4L2_CID_MIN_BUFFERS_FOR_OUTPUT, V4L2_CTRL_TYPE_INTEGER, "Min Number of Output Buffers", 1, 32, 1, 1, V4L2_CTRL_FLAG_READ_ONLY | V4L2_CTRL_FLAG_VOLATILE, ENCODERS, 0, 0, NULL, NULL}, \
    {V4L2_CID_CODEC_CLASS, V4L2_CTRL_TYPE_CTRL_CLASS, "Codec Controls", 0, 0, 0, 0, V4L2_CTRL_FLAG_READ_ONLY | V4L2_CTRL_FLAG_WRITE_ONLY, ENCODERS, 0, 0, NULL, NULL}, \
    {V4L2_CID_MPEG_VIDEO_B_FRAMES, V4L2_CTRL_TYPE_INTEGER, "Video B Frames", 0, 16, 1, 0, 0, ENCODERS, 0, PARACORE_CONTROL_B_FRAMES, NULL, NULL}, \
    {V4L2_CID_MPEG_VIDEO_GOP_SIZE, V4L2_CTRL_TYPE_INTEGER, "Video GOP Size", 1, 1000, 1, 250, 0, ENCODERS, 0, PARACORE_CONTROL_GOP, NULL, NULL}, \
    {V4L2_CID_MPEG_VIDEO_BITRATE_MODE, V4L2_CTRL_TYPE_MENU, "Video Bitrate Mode", 0, 0, 1, 0, 0, ENCODERS, 0, 0, BITRATE_MODE_MENU, NULL}, \
    {V4L2_CID_MPEG_VIDEO_BITRATE, V4L2_CTRL_TYPE_INTEGER, "Video Bitrate", 1000, 1000000000, 1, 2000000, 0, ENCODERS, 0, PARACORE_CONTROL_BITRATE, NULL, NULL}, \
    {V4L2_CID_MPEG_VIDEO_HEADER_MODE, V4L2_CTRL_TYPE_MENU, "Sequence Header Mode", 1, 1, 1, 1, 0, ENCODERS, 0, 0, HEADER_MODE_MENU, NULL}, \
    {V4L2_CID_MPEG_VIDEO_FORCE_KEY_FRAME, V4L2_CTRL_TYPE_BUTTON, "Force Key Frame", 0, 0, 0, 0, V4L2_CTRL_FLAG_WRITE_ONLY | V4L2_CTRL_FLAG_EXECUTE_ON_WRITE, ENCODERS, 0, 0, NULL, NULL}, \
    {V4L2_CID_MPEG_VIDEO_H264_LEVEL, V4L2_CTRL_TYPE_MENU, "H264 Level", 0, 15, 1, 15, 0, ENCODERS, PARACORE_CODEC_H264, 0, H264_LEVEL_MENU, NULL}, \
    {V4L2_CID_MPEG_VIDEO_H264_PROFILE, V4L2_CTRL_TYPE_MENU, "H264 Profile", 0, 4, 1, 4, 0, ENCODERS, PARACORE_CODEC_H264, PARACORE_CONTROL_PROFILE, H264_PROFILE_MENU, H264_PROFILE_VALUES}, \
    {V4L2_CID_MPEG_VIDEO_VP8_PROFILE, V4L2_CTRL_TYPE_MENU, "VP8 Profile", 0, 0, 1, 0, 0, ENCODERS, 0, 0, VP8_PROFILE_MENU, NULL}, \
    {V4L2_CID_MPEG_VIDEO_VP9_PROFILE, V4L2_CTRL_TYPE_MENU, "VP9 Profile", 0, 0, 1, 0, 0, ENCODERS, PARACORE_CODEC_VP9, 0, VP9_PROFILE_MENU, NULL}, \
    {V4L2_CID_MPEG_VIDEO_HEVC_PROFILE, V4L2_CTRL_TYPE_MENU, "HEVC Profile", 0, 0, 1, 0, 0, ENCODERS, PARACORE_CODEC_HEVC, 0, HEVC_PROFILE_MENU, NULL}, \
    {V4L2_CID_MPEG_VIDEO_HEVC_LEVEL, V4L2_CTRL_TYPE_MENU, "HEVC Level", 0, 12, 1, 12, 0, ENCODERS, PARACORE_CODEC_HEVC, 0, HEVC_LEVEL_MENU, NULL}, \

#endif
