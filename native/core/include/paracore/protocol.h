/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wire of paracore, version 1: little-endian, fixed width, unpadded.
 *
 * Made by codegen from specs/paracore.toml; do not edit.
 * To make it again: make gen
 */
#ifndef PARACORE_PROTOCOL_H
#define PARACORE_PROTOCOL_H

#include <stddef.h>
#include <stdint.h>

/* --- limits ----------------------------------------------------------------------------------- */

#define PARACORE_MAGIC 0x31524350u
#define PARACORE_PROTOCOL_VERSION 1u
/*
 * Octets of one message with its header. Bounds what a consumer copies out before it looks at
 * anything.
 */
#define PARACORE_MESSAGE_MAX 4096u
/*
 * log2 of the ring pages, both directions together. The least that holds two of the largest message
 * each way.
 */
#define PARACORE_RING_ORDER_MIN 2u
/* log2 of the ring pages: 512 KiB each way. Bounds the memory one channel pins. */
#define PARACORE_RING_ORDER_MAX 8u
/* Xen's page, whatever the guest's own is. Grants are counted in it. */
#define PARACORE_PAGE_SIZE 4096u
/* Planes of one picture. */
#define PARACORE_PLANE_MAX 4u
/*
 * Width or height of a picture in pixels, the largest that 32-bit plane arithmetic is proven for.
 */
#define PARACORE_DIMENSION_MAX 16384u
/* Octets of a device or domain name with its terminating zero. */
#define PARACORE_NAME_MAX 32u
/* Octets of one buffer. Bounds the mapping a single call can ask for. */
#define PARACORE_BUFFER_MAX 1073741824u
/*
 * A decoder's output span begins at a multiple of this in its buffer: what the widest vector
 * instructions want.
 */
#define PARACORE_SPAN_ALIGNMENT 64u
/*
 * Records that a trace's memory holds. Bounds what tracing takes; those not read before they are
 * written over are lost, and counted.
 */
#define PARACORE_TRACE_RECORDS 16384u
/* Octets of a trace's memory: a page, and the records. */
#define PARACORE_TRACE_SIZE 790528u

/* --- classes and opcodes ---------------------------------------------------------------------- */

enum paracore_message_kind {
    PARACORE_MESSAGE_KIND_CALL = 1,
    PARACORE_MESSAGE_KIND_POST = 2,
    PARACORE_MESSAGE_KIND_EVENT = 3,
};

enum paracore_class {
    PARACORE_CLASS_CORE = 0,
    PARACORE_CLASS_VIDEO = 1,
    PARACORE_CLASS_LINK = 112,
    PARACORE_CLASS_WORKER = 113,
    PARACORE_CLASS_BRIDGE = 114,
};

enum paracore_opcode {
    PARACORE_OP_CORE_PING = 0x0001,
    PARACORE_OP_CORE_DEVICE_QUERY = 0x0002,
    PARACORE_OP_CORE_BUFFER_ATTACH = 0x0003,
    PARACORE_OP_CORE_BUFFER_DETACH = 0x0004,
    PARACORE_OP_CORE_LIMITS_QUERY = 0x0005,
    PARACORE_OP_CORE_POST_FAILED = 0x0006,
    PARACORE_OP_VIDEO_CAPABILITY_QUERY = 0x0101,
    PARACORE_OP_VIDEO_OPEN = 0x0102,
    PARACORE_OP_VIDEO_CLOSE = 0x0103,
    PARACORE_OP_VIDEO_FORMAT_GET = 0x0104,
    PARACORE_OP_VIDEO_FORMAT_SET = 0x0105,
    PARACORE_OP_VIDEO_CONTROL_GET = 0x0106,
    PARACORE_OP_VIDEO_CONTROL_SET = 0x0107,
    PARACORE_OP_VIDEO_QUEUE_INPUT = 0x0108,
    PARACORE_OP_VIDEO_QUEUE_OUTPUT = 0x0109,
    PARACORE_OP_VIDEO_DRAIN = 0x010a,
    PARACORE_OP_VIDEO_FLUSH = 0x010b,
    PARACORE_OP_VIDEO_RECALL = 0x010c,
    PARACORE_OP_VIDEO_INPUT_DONE = 0x0110,
    PARACORE_OP_VIDEO_OUTPUT_READY = 0x0111,
    PARACORE_OP_VIDEO_SOURCE_CHANGE = 0x0112,
    PARACORE_OP_VIDEO_DRAINED = 0x0113,
    PARACORE_OP_VIDEO_SESSION_FAILED = 0x0114,
    PARACORE_OP_LINK_HELLO = 0x7001,
    PARACORE_OP_LINK_CHANNEL_OPEN = 0x7002,
    PARACORE_OP_LINK_GRANT = 0x7003,
    PARACORE_OP_LINK_REVOKE = 0x7004,
    PARACORE_OP_LINK_STATUS = 0x7005,
    PARACORE_OP_LINK_GOODBYE = 0x7006,
    PARACORE_OP_LINK_CONFIGURE = 0x7007,
    PARACORE_OP_LINK_TRACE = 0x7010,
    PARACORE_OP_WORKER_CHANNEL_ADD = 0x7101,
    PARACORE_OP_WORKER_CHANNEL_REMOVE = 0x7102,
    PARACORE_OP_WORKER_MAP = 0x7103,
    PARACORE_OP_WORKER_UNMAP = 0x7104,
    PARACORE_OP_WORKER_VIOLATION = 0x7105,
    PARACORE_OP_WORKER_REPORT = 0x7106,
    PARACORE_OP_WORKER_CHANNEL_REMOVED = 0x7107,
    PARACORE_OP_WORKER_DEVICE_WANT = 0x7108,
    PARACORE_OP_WORKER_DEVICE_LEASE = 0x7109,
    PARACORE_OP_WORKER_DEVICE_RELEASE = 0x710a,
    PARACORE_OP_WORKER_DEVICE_HANG = 0x710b,
    PARACORE_OP_WORKER_DEVICE_RESET = 0x710c,
    PARACORE_OP_WORKER_DEVICE_USE = 0x710d,
    PARACORE_OP_WORKER_DEVICE_REST = 0x710e,
    PARACORE_OP_WORKER_DEVICE_AT = 0x710f,
    PARACORE_OP_WORKER_RESERVE = 0x7110,
    PARACORE_OP_WORKER_DEVICE_PACE = 0x7111,
    PARACORE_OP_WORKER_DRAIN = 0x7118,
    PARACORE_OP_WORKER_DRAINED = 0x7119,
    PARACORE_OP_WORKER_TRACE = 0x7120,
    PARACORE_OP_WORKER_DEVICE_USED = 0x7130,
    PARACORE_OP_WORKER_RATES = 0x7131,
    PARACORE_OP_WORKER_RATES_OWED = 0x7132,
    PARACORE_OP_WORKER_COUNTED = 0x7133,
    PARACORE_OP_BRIDGE_CONNECT = 0x7201,
    PARACORE_OP_BRIDGE_CHANNEL_OPEN = 0x7202,
    PARACORE_OP_BRIDGE_GRANT = 0x7203,
    PARACORE_OP_BRIDGE_REVOKE = 0x7204,
    PARACORE_OP_BRIDGE_DISCONNECT = 0x7205,
    PARACORE_OP_BRIDGE_GOODBYE = 0x7206,
    PARACORE_OP_BRIDGE_PING = 0x7207,
};

/* --- enumerations ----------------------------------------------------------------------------- */

/* Why a call failed: the numbers of Xen's errno.h, which are Linux's on ARM and x86. */
enum paracore_error {
    /* The policy does not allow it (EPERM). */
    PARACORE_ERROR_PERMISSION = 1,
    /* No such device, session, buffer or control (ENOENT). */
    PARACORE_ERROR_NO_ENTRY = 2,
    /* The device failed; the session is over (EIO). */
    PARACORE_ERROR_IO = 5,
    /* Not now; ask again (EAGAIN). */
    PARACORE_ERROR_AGAIN = 11,
    /* Out of memory or of a storage limit (ENOMEM). */
    PARACORE_ERROR_NO_MEMORY = 12,
    /* In use, or not in this state (EBUSY). */
    PARACORE_ERROR_BUSY = 16,
    /* The device has gone away (ENODEV). */
    PARACORE_ERROR_NO_DEVICE = 19,
    /* An argument is out of range (EINVAL). */
    PARACORE_ERROR_INVALID = 22,
    /* A limit of the domain is reached; `limit` says which (ENOSPC). */
    PARACORE_ERROR_NO_SPACE = 28,
    /* The peer broke the protocol (EPROTO). */
    PARACORE_ERROR_PROTOCOL = 71,
    /* Not an operation of this device (EOPNOTSUPP). */
    PARACORE_ERROR_NOT_SUPPORTED = 95,
    /* The device did not finish a job by its deadline; the session is over (ETIMEDOUT). */
    PARACORE_ERROR_TIMED_OUT = 110,
    /* Cancelled by the caller, by a flush or by a close (ECANCELED). */
    PARACORE_ERROR_CANCELLED = 125,
};

/* Which limit of the domain a failure is about. 0: none. */
enum paracore_limit {
    /* No limit. */
    PARACORE_LIMIT_NONE = 0,
    /* Channels of the domain. */
    PARACORE_LIMIT_CHANNELS = 1,
    /* Sessions of the domain. */
    PARACORE_LIMIT_SESSIONS = 2,
    /* Buffers attached or granted by the domain. */
    PARACORE_LIMIT_BUFFERS = 3,
    /* Octets granted by the domain. */
    PARACORE_LIMIT_BYTES = 4,
    /* Calls and queued buffers of a channel that are not yet answered. */
    PARACORE_LIMIT_OUTSTANDING = 5,
    /*
     * Pages that a Xen guest may grant: a setting of the guest's kernel or of Xen, not of the
     * backend.
     */
    PARACORE_LIMIT_GRANTS = 6,
    /*
     * Samples a second that sessions may declare: of the domain, or of the device, which others may
     * have reserved.
     */
    PARACORE_LIMIT_PIXEL_RATE = 7,
};

/* What a device does. */
enum paracore_device_class {
    /* Video codec. */
    PARACORE_DEVICE_CLASS_VIDEO = 1,
};

/* An elementary stream format. h264 and hevc cross in Annex B form, av1 as OBU temporal units. */
enum paracore_codec_id {
    /* ITU-T H.264, Annex B byte stream. */
    PARACORE_CODEC_H264 = 1,
    /* ITU-T H.265, Annex B byte stream. */
    PARACORE_CODEC_HEVC = 2,
    /* RFC 6386 frames. */
    PARACORE_CODEC_VP8 = 3,
    /* VP9 frames or superframes. */
    PARACORE_CODEC_VP9 = 4,
    /* AV1 low-overhead OBU temporal units. */
    PARACORE_CODEC_AV1 = 5,
    /* ISO/IEC 13818-2, also MPEG-1 video. */
    PARACORE_CODEC_MPEG2 = 6,
    /* ISO/IEC 14496-2, configuration in band. */
    PARACORE_CODEC_MPEG4 = 7,
    /* One JPEG per picture. */
    PARACORE_CODEC_MJPEG = 8,
    /*
     * Linux's Fast Walsh Hadamard Transform (V4L2_PIX_FMT_FWHT), one frame with its header: the
     * codec of the kernel's own test device.
     */
    PARACORE_CODEC_FWHT = 9,
};

/* What a session does with its codec. */
enum paracore_direction {
    /* Bit stream in, pictures out. */
    PARACORE_DIRECTION_DECODE = 1,
    /* Pictures in, bit stream out. */
    PARACORE_DIRECTION_ENCODE = 2,
};

/*
 * Sample layouts, by FFmpeg's names. Components of more than 8 bits are little-endian 16-bit words.
 */
enum paracore_pixel_format {
    /* Not known yet. */
    PARACORE_PIXEL_FORMAT_NONE = 0,
    /* 8 bit 4:2:0, three planes. */
    PARACORE_PIXEL_FORMAT_YUV420P = 1,
    /* 8 bit 4:2:2, three planes. */
    PARACORE_PIXEL_FORMAT_YUV422P = 2,
    /* 8 bit 4:4:4, three planes. */
    PARACORE_PIXEL_FORMAT_YUV444P = 3,
    /* 8 bit 4:4:0, three planes. */
    PARACORE_PIXEL_FORMAT_YUV440P = 4,
    /* 8 bit 4:1:1, three planes. */
    PARACORE_PIXEL_FORMAT_YUV411P = 5,
    /* 8 bit, luma only. */
    PARACORE_PIXEL_FORMAT_GRAY = 6,
    /* 8 bit 4:2:0, chroma interleaved. */
    PARACORE_PIXEL_FORMAT_NV12 = 7,
    /* 10 bit 4:2:0, three planes. */
    PARACORE_PIXEL_FORMAT_YUV420P10LE = 8,
    /* 10 bit 4:2:2, three planes. */
    PARACORE_PIXEL_FORMAT_YUV422P10LE = 9,
    /* 10 bit 4:4:4, three planes. */
    PARACORE_PIXEL_FORMAT_YUV444P10LE = 10,
    /* 10 bit, luma only. */
    PARACORE_PIXEL_FORMAT_GRAY10LE = 11,
    /* 10 bit 4:2:0 in the high bits, chroma interleaved. */
    PARACORE_PIXEL_FORMAT_P010LE = 12,
    /* 12 bit 4:2:0, three planes. */
    PARACORE_PIXEL_FORMAT_YUV420P12LE = 13,
    /* 12 bit 4:2:2, three planes. */
    PARACORE_PIXEL_FORMAT_YUV422P12LE = 14,
    /* 12 bit 4:4:4, three planes. */
    PARACORE_PIXEL_FORMAT_YUV444P12LE = 15,
    /* 8 bit RGB, planes in the order G, B, R. */
    PARACORE_PIXEL_FORMAT_GBRP = 16,
    /* 10 bit RGB, planes in the order G, B, R. */
    PARACORE_PIXEL_FORMAT_GBRP10LE = 17,
};

/* Interlacing of a picture. */
enum paracore_field_order {
    /* Not known. */
    PARACORE_FIELD_ORDER_UNKNOWN = 0,
    /* One frame. */
    PARACORE_FIELD_ORDER_PROGRESSIVE = 1,
    /* Two fields, the top one is earlier. */
    PARACORE_FIELD_ORDER_TOP_FIRST = 2,
    /* Two fields, the bottom one is earlier. */
    PARACORE_FIELD_ORDER_BOTTOM_FIRST = 3,
};

/* How a picture is coded. */
enum paracore_picture_type {
    /* Not known. */
    PARACORE_PICTURE_TYPE_UNKNOWN = 0,
    /* I. */
    PARACORE_PICTURE_TYPE_INTRA = 1,
    /* P. */
    PARACORE_PICTURE_TYPE_PREDICTED = 2,
    /* B. */
    PARACORE_PICTURE_TYPE_BIDIRECTIONAL = 3,
};

/* Knobs of a session. All are 64-bit integers. */
enum paracore_control {
    /* Bits per second; 0 leaves it to `quality`. */
    PARACORE_CONTROL_BITRATE = 1,
    /* Pictures from one key frame to the next at most. */
    PARACORE_CONTROL_GOP = 2,
    /* Bidirectional pictures in a row at most. */
    PARACORE_CONTROL_B_FRAMES = 3,
    /* Constant quality, in the codec's own scale (crf, q); -1 is off. */
    PARACORE_CONTROL_QUALITY = 4,
    /* Speed against size: 0 fastest to 9 smallest. */
    PARACORE_CONTROL_PRESET = 5,
    /* Codec threads; 0 lets the device choose within the domain's limit. */
    PARACORE_CONTROL_THREADS = 6,
    /* 1: no reordering and no look-ahead. */
    PARACORE_CONTROL_LOW_DELAY = 7,
    /* The codec's own profile number; -1 is the codec's choice. */
    PARACORE_CONTROL_PROFILE = 8,
    /*
     * Pictures in a thousand seconds that the session's user wants, for the policy `deadline`; 0:
     * it does not say. Every session has it; an encoder's is its format's rate until it is set.
     * Reserved as a format's rate is.
     */
    PARACORE_CONTROL_RATE = 9,
    /*
     * Samples of a picture that a decoder's user expects, until the stream says how large they are;
     * 0: it does not know. Every decoder has it, and what it expects at its `rate` is reserved.
     */
    PARACORE_CONTROL_SAMPLES = 10,
};

/* Why the backend ends or refuses a connection. */
enum paracore_refusal {
    /* Not refused. */
    PARACORE_REFUSAL_NONE = 0,
    /* The peer's credentials match no domain of the configuration. */
    PARACORE_REFUSAL_UNKNOWN_PEER = 1,
    /* No protocol version in common. */
    PARACORE_REFUSAL_VERSION = 2,
    /* A limit of the domain. */
    PARACORE_REFUSAL_LIMIT = 3,
    /* The peer broke the protocol. */
    PARACORE_REFUSAL_PROTOCOL = 4,
    /* The domain's worker died. */
    PARACORE_REFUSAL_WORKER_LOST = 5,
    /* The backend is stopping. */
    PARACORE_REFUSAL_SHUTDOWN = 6,
    /* The administrator detached the domain. */
    PARACORE_REFUSAL_DETACHED = 7,
    /* The guest's frontend daemon has no backend at the moment. */
    PARACORE_REFUSAL_NO_BACKEND = 8,
};

/*
 * What a trace's record tells of. `posted` and `received` are the domain's, all else is the
 * worker's.
 */
enum paracore_trace_event {
    /* The session exists. `value`: codec x 2^32 + direction. */
    PARACORE_TRACE_EVENT_OPENED = 1,
    /* It does no longer. */
    PARACORE_TRACE_EVENT_CLOSED = 2,
    /* A unit has been queued by the application. `value`: input flags x 2^32 + octets. */
    PARACORE_TRACE_EVENT_INPUT_POSTED = 3,
    /* The worker has taken that message out of the ring. `value`: as before. */
    PARACORE_TRACE_EVENT_INPUT_SEEN = 4,
    /* The domain has no credit for the unit, which waits before the driver. */
    PARACORE_TRACE_EVENT_INPUT_THROTTLED = 5,
    /* The driver has the unit. */
    PARACORE_TRACE_EVENT_INPUT_GIVEN = 6,
    /* The session waits for its turn at the device. */
    PARACORE_TRACE_EVENT_DEVICE_AWAITED = 7,
    /*
     * The codec is given the unit. `value`: 1 when it is no unit but what a drain still has to
     * give.
     */
    PARACORE_TRACE_EVENT_JOB_BEGUN = 8,
    /* It wants the next. `value`: as before. */
    PARACORE_TRACE_EVENT_JOB_ENDED = 9,
    /* In the midst of a unit: the codec waits for what the domain is to give. */
    PARACORE_TRACE_EVENT_WAIT_BEGUN = 10,
    /* It does no longer. */
    PARACORE_TRACE_EVENT_WAIT_ENDED = 11,
    /* The domain is told that a unit's span is its own again. `value`: enum error. */
    PARACORE_TRACE_EVENT_INPUT_TOLD = 12,
    /* The application has taken that event. */
    PARACORE_TRACE_EVENT_INPUT_RECEIVED = 13,
    /* The domain is told of a picture, or packet. `value`: output flags x 2^32 + octets. */
    PARACORE_TRACE_EVENT_OUTPUT_TOLD = 14,
    /* The application has taken that event. `value`: as before. */
    PARACORE_TRACE_EVENT_OUTPUT_RECEIVED = 15,
    /*
     * A span for outputs has been queued by the application, mostly one given back. `value`:
     * octets.
     */
    PARACORE_TRACE_EVENT_OUTPUT_POSTED = 16,
    /*
     * The codec has given a picture, or packet, out; it may be told of together with others.
     * `value`: as of `output_told`.
     */
    PARACORE_TRACE_EVENT_OUTPUT_MADE = 18,
    /* The worker has taken that message out of the ring. `value`: octets. */
    PARACORE_TRACE_EVENT_OUTPUT_SEEN = 17,
};

/* Flags of a message header (16 bits). */
enum paracore_message_flag {
    /* Answers the call with this serial. */
    PARACORE_MESSAGE_FLAG_REPLY = 0x1,
    /* With `reply`: the call failed, the payload is `core.failure`. */
    PARACORE_MESSAGE_FLAG_ERROR = 0x2,
    /* Sent by the backend unasked. */
    PARACORE_MESSAGE_FLAG_EVENT = 0x4,
};

/* Flags of `video.open`. */
enum paracore_open_flag {
    /* Give pictures out as soon as the codec has them. */
    PARACORE_OPEN_FLAG_LOW_DELAY = 0x1,
};

/* Flags of a grant and of an attached buffer. */
enum paracore_buffer_flag {
    /* The backend may only read it: inputs. */
    PARACORE_BUFFER_FLAG_READ_ONLY = 0x1,
};

/* Flags of a queued input. */
enum paracore_input_flag {
    /* Encoder: code this picture as a key frame. */
    PARACORE_INPUT_FLAG_KEY = 0x1,
    /* Decoder: parameter sets only; no picture comes of it. */
    PARACORE_INPUT_FLAG_CONFIG = 0x2,
};

/* Flags of a finished output. */
enum paracore_output_flag {
    /* A decoder can start here. */
    PARACORE_OUTPUT_FLAG_KEY = 0x1,
    /* Damaged: shown as the codec concealed it. */
    PARACORE_OUTPUT_FLAG_ERROR = 0x2,
    /* The last before a drain completes or a new format begins. */
    PARACORE_OUTPUT_FLAG_LAST = 0x4,
    /* Given back unused, because it is too small: `bytes_used` says how many octets are needed. */
    PARACORE_OUTPUT_FLAG_CANCELLED = 0x8,
    /* Holds no picture; comes with `last` when there is no picture left to carry it. */
    PARACORE_OUTPUT_FLAG_EMPTY = 0x10,
    /* Two fields. */
    PARACORE_OUTPUT_FLAG_INTERLACED = 0x20,
    /* With `interlaced`: the top field is earlier. */
    PARACORE_OUTPUT_FLAG_TOP_FIRST = 0x40,
};

/* What a source change is about. */
enum paracore_change_flag {
    /* Size, layout or pixel format: spans of the new size are needed. */
    PARACORE_CHANGE_FLAG_BUFFERS = 0x1,
    /* More spans are needed than before. */
    PARACORE_CHANGE_FLAG_COUNT = 0x2,
    /* Colour description, aspect ratio, rate or crop only. */
    PARACORE_CHANGE_FLAG_COLOR = 0x4,
};

/* Properties of a codec on a device. */
enum paracore_capability_flag {
    /* The resolution may change in mid-stream. */
    PARACORE_CAPABILITY_FLAG_DYNAMIC_RESOLUTION = 0x1,
    /* Pictures are made in, or read from, the domain's own pages. */
    PARACORE_CAPABILITY_FLAG_ZERO_COPY = 0x2,
    /* The bit rate may change in mid-stream. */
    PARACORE_CAPABILITY_FLAG_BITRATE_CHANGE = 0x4,
    /*
     * Encoder: with `zero_copy`, pictures are read in place only in pages that are not granted
     * `read_only`; others are copied.
     */
    PARACORE_CAPABILITY_FLAG_WRITABLE_INPUT = 0x8,
};

/* --- structs ---------------------------------------------------------------------------------- */

/* Stands before every message, on a ring and on the descriptor socket alike. */
struct paracore_message_header {
    /* Octets of the whole message, this header included; a multiple of 8, at most `message_max`. */
    uint32_t size;
    /* What it is; the high octet is the class. */
    uint16_t opcode;
    /* `message_flag` bits. */
    uint16_t flags;
    /* The session it is for, 0 for the channel itself. */
    uint32_t object;
    /* Chosen by the caller, copied into the reply. 0 in events. */
    uint32_t serial;
};

/*
 * The first page of a channel's shared memory. One cache line per writer. All four indices are
 * octet counts modulo 2^32; the place in the ring is the index modulo the ring's size. The `out`
 * ring (frontend to backend) is the first half of the ring pages, `in` the second.
 */
struct paracore_interface_page {
    /* `magic`; written once by the side that allocates the pages. */
    uint32_t magic;
    /* Protocol version of this page. */
    uint32_t version;
    /* log2 of the ring pages. Read once, when the channel is connected. */
    uint32_t ring_order;
    uint8_t reserved0[52];
    /* Written by the frontend: octets produced into `out`. */
    uint32_t out_prod;
    /* Written by the frontend: octets consumed from `in`. */
    uint32_t in_cons;
    /* Written by the frontend: notify me once `in_prod` has passed this. */
    uint32_t in_event;
    /* Written by the frontend: notify me once `out_cons` has passed this. */
    uint32_t out_space_event;
    uint8_t reserved1[48];
    /* Written by the backend: octets produced into `in`. */
    uint32_t in_prod;
    /* Written by the backend: octets consumed from `out`. */
    uint32_t out_cons;
    /* Written by the backend: notify me once `out_prod` has passed this. */
    uint32_t out_event;
    /* Written by the backend: notify me once `in_cons` has passed this. */
    uint32_t in_space_event;
    uint8_t reserved2[48];
};

/* How a raw picture lies in its buffer. */
struct paracore_picture_format {
    /* Sample layout. */
    uint32_t pixel_format;
    /* Pixels per row that the codec writes, a multiple of its block size. */
    uint32_t coded_width;
    /* Rows that the codec writes. */
    uint32_t coded_height;
    /* First visible column. */
    uint32_t crop_left;
    /* First visible row. */
    uint32_t crop_top;
    /* Visible columns. */
    uint32_t width;
    /* Visible rows. */
    uint32_t height;
    /* 1 to `plane_max`. */
    uint32_t plane_count;
    /* Octets from the start of the buffer span to the first sample of each plane. */
    uint32_t plane_offset[4];
    /* Octets from one row to the next. */
    uint32_t plane_stride[4];
    /* Octets a buffer span must have. */
    uint64_t size;
    /* Spans the driver needs to make progress if each is given back at once. */
    uint32_t buffers_min;
    /* Interlacing. */
    uint32_t field_order;
    /* ISO/IEC 23091-2 code point; 2 is unspecified. */
    uint8_t color_primaries;
    /* ISO/IEC 23091-2 code point. */
    uint8_t color_transfer;
    /* ISO/IEC 23091-2 code point. */
    uint8_t color_matrix;
    /* 0 unspecified, 1 limited, 2 full. */
    uint8_t color_range;
    /* As H.273 Figure 1 plus one; 0 is unspecified. */
    uint8_t chroma_location;
    uint8_t reserved0[3];
    /* Sample aspect ratio, numerator; 0 when unknown. */
    uint32_t aspect_num;
    /* Sample aspect ratio, denominator. */
    uint32_t aspect_den;
    /* Frames per second, numerator; 0 when unknown. */
    uint32_t rate_num;
    /* Frames per second, denominator. */
    uint32_t rate_den;
};

/* A piece of an attached buffer. Checked against the attached length on every use. */
struct paracore_span {
    /* The buffer, from `core.buffer_attach`. */
    uint32_t buffer;
    /* Octets. */
    uint32_t length;
    /* Octets from the buffer's start. */
    uint64_t offset;
};

/* The first page of a trace's memory; `trace_records` records follow at `page_size`. */
struct paracore_trace_page {
    /* Protocol version of the page and its records. */
    uint32_t version;
    /* `trace_records`. */
    uint32_t records;
    /* Of the program that writes it; 0: workers, one after the other. */
    uint32_t process;
    uint8_t reserved0[52];
    /*
     * Records begun so far; record n has the place n modulo `records`. Each writer takes a number
     * by adding one.
     */
    uint64_t begun;
    uint8_t reserved1[56];
};

/* One thing that happened to a session, on either side. */
struct paracore_trace_record {
    /* Its number plus one, written last; 0 while it is being written. */
    uint64_t sequence;
    /* Nanoseconds of CLOCK_MONOTONIC. */
    uint64_t time;
    /* What. */
    uint32_t event;
    /* The channel's number, which both ends have from `link.channel_open`. */
    uint32_t channel;
    /* The session's number on it. */
    uint32_t session;
    /* The span's, of an input or an output; the device's index of `opened`. */
    uint32_t cookie;
    /* The unit's or the picture's; 0 where there is none. */
    int64_t timestamp;
    /* See the event. */
    uint64_t value;
};

/* Payload of a reply with the `error` flag, whatever the call. */
struct paracore_failure {
    /* Why. */
    uint32_t error;
    /* The limit, if it was one. */
    uint32_t limit;
    /* The limit's value, or the largest valid argument; 0 when neither applies. */
    uint64_t allowed;
};

/* --- payloads; an empty one has no struct ----------------------------------------------------- */

/* core.ping, a call: Answered by the worker's native loop, without the interpreter. */
struct paracore_core_ping {
    /* Any number. */
    uint64_t cookie;
};

/* Reply to core.ping. */
struct paracore_core_ping_reply {
    /* The same number. */
    uint64_t cookie;
};

/* core.device_query, a call: Describes the device with this index; `no_entry` beyond the last. */
struct paracore_core_device_query {
    /* 0, 1, ... */
    uint32_t index;
    uint32_t reserved0;
};

/* Reply to core.device_query. */
struct paracore_core_device_query_reply {
    /* The device's name, UTF-8, zero-padded. */
    char name[32];
    /* The driver behind it. */
    char driver[32];
    /* Its class. */
    uint32_t device_class;
    /* How many `video.capability_query` indices there are. */
    uint32_t capability_count;
};

/* core.buffer_attach, a call: Maps granted pages once, for as long as the buffer is attached. */
struct paracore_core_buffer_attach {
    /* What the transport named the granted pages. */
    uint32_t grant;
    /* Must repeat the grant's. */
    uint32_t flags;
    /* Octets; a multiple of `page_size`, at most `buffer_max` and at most what was granted. */
    uint64_t length;
};

/* Reply to core.buffer_attach. */
struct paracore_core_buffer_attach_reply {
    /* Names it in spans. Never 0. */
    uint32_t buffer;
    uint32_t reserved0;
};

/*
 * core.buffer_detach, a call: Unmaps a buffer; `busy` while a session holds a span of it, or its
 * codec still reads a picture in it.
 */
struct paracore_core_buffer_detach {
    /* From `buffer_attach`. */
    uint32_t buffer;
    uint32_t reserved0;
};

/* Reply to core.limits_query. */
struct paracore_core_limits_query_reply {
    /* Channels of the domain. */
    uint32_t channels;
    /* Sessions of the domain. */
    uint32_t sessions;
    /* Buffers of the domain. */
    uint32_t buffers;
    /* Unanswered calls and queued buffers of a channel. */
    uint32_t outstanding;
    /* Octets granted by the domain. */
    uint64_t bytes;
};

/*
 * core.post_failed, a event: A post could not be served. The queued span, if it was one, is given
 * back by this event.
 */
struct paracore_core_post_failed {
    /* The post's. */
    uint32_t serial;
    /* The post's. */
    uint32_t opcode;
    /* Why. */
    uint32_t error;
    /* The limit, if it was one. */
    uint32_t limit;
};

/*
 * video.capability_query, a call: Describes one codec and direction of a device; `no_entry` beyond
 * the last.
 */
struct paracore_video_capability_query {
    /* Index of the device. */
    uint32_t device;
    /* 0, 1, ... */
    uint32_t index;
};

/* Reply to video.capability_query. */
struct paracore_video_capability_query_reply {
    /* The elementary stream. */
    uint32_t codec;
    /* Decode or encode. */
    uint32_t direction;
    /* Properties. */
    uint32_t flags;
    /* Pixels. */
    uint32_t width_max;
    /* Pixels. */
    uint32_t height_max;
    uint32_t reserved0;
    /* Bit n is set when `pixel_format` n can be made or taken. */
    uint64_t pixel_formats;
    /* Bit n is set when `control` n can be set. */
    uint64_t controls;
};

/* video.open, a call: Opens a session. Its number is the object of all that follows. */
struct paracore_video_open {
    /* Index of the device. */
    uint32_t device;
    /* The elementary stream. */
    uint32_t codec;
    /* Decode or encode. */
    uint32_t direction;
    /* Properties. */
    uint32_t flags;
};

/* Reply to video.open. */
struct paracore_video_open_reply {
    /* Never 0. */
    uint32_t session;
    uint32_t reserved0;
};

/* Reply to video.format_get. */
struct paracore_video_format_get_reply {
    /* The raw side's. */
    struct paracore_picture_format format;
};

/*
 * video.format_set, a call: Encoder: what pictures will look like; only before the first is queued
 * or a drain is asked for (`busy` after). The reply holds the layout the device wants. A decoder
 * refuses with `not_supported`. `no_space` with `pixel_rate`: with a rate that large the device has
 * no room for it; nothing has changed.
 */
struct paracore_video_format_set {
    /* `pixel_format`, `width`, `height`, colour, aspect and rate count; the rest is ignored. */
    struct paracore_picture_format format;
};

/* Reply to video.format_set. */
struct paracore_video_format_set_reply {
    /* With offsets, strides, size and `buffers_min`. */
    struct paracore_picture_format format;
};

/* video.control_get, a call: Reads a control; `no_entry` when the codec has none such. */
struct paracore_video_control_get {
    /* Which. */
    uint32_t control;
    uint32_t reserved0;
};

/* Reply to video.control_get. */
struct paracore_video_control_get_reply {
    /* Its value. */
    int64_t value;
};

/*
 * video.control_set, a call: Sets a control. `busy` when the codec takes it only before it starts.
 * `no_space` with `pixel_rate`: an encoder's `rate` at the size of its format, or a decoder's at
 * the `samples` that it expects, is more than the device has room for; nothing has changed.
 */
struct paracore_video_control_set {
    /* Which. */
    uint32_t control;
    uint32_t reserved0;
    /* Its value. */
    int64_t value;
};

/* Reply to video.control_set. */
struct paracore_video_control_set_reply {
    /* As the device took it. */
    int64_t value;
};

/*
 * video.queue_input, a post: Gives a span to the device: one access unit to a decoder, one picture
 * to an encoder. Paid back by `input_done`.
 */
struct paracore_video_queue_input {
    /* Where it lies. */
    struct paracore_span span;
    /* Comes back in `input_done`. One that an input has already is `busy`. */
    uint32_t cookie;
    /* Properties. */
    uint32_t flags;
    /*
     * Presentation time in the caller's unit; copied to the output it belongs to. The least value
     * means none.
     */
    int64_t timestamp;
    /* In the same unit; copied too. 0 means none. */
    int64_t duration;
};

/*
 * video.queue_output, a post: Lends a span to the device to write an output into. Paid back by
 * `output_ready`.
 */
struct paracore_video_queue_output {
    /* Where it lies; not read-only. */
    struct paracore_span span;
    /*
     * Comes back in `output_ready`. One that an output has already is `busy`, and so is a span that
     * overlaps one lent.
     */
    uint32_t cookie;
    uint32_t reserved0;
};

/* video.input_done, a event: An input span is the domain's again. */
struct paracore_video_input_done {
    /* As queued. */
    uint32_t cookie;
    /*
     * 0, or an `error` number: `invalid` when the codec could make nothing of it (with several
     * codec threads: or of one shortly before it), `cancelled` after a flush.
     */
    uint32_t error;
};

/* video.output_ready, a event: An output span is the domain's again. */
struct paracore_video_output_ready {
    /* As queued. */
    uint32_t cookie;
    /* Properties. */
    uint32_t flags;
    /* Of the input it came from. */
    int64_t timestamp;
    /* Encoder: when a decoder must have it, same unit. Decoder: equal to `timestamp`. */
    int64_t decode_timestamp;
    /* Of the input it came from. */
    int64_t duration;
    /* Decoder: of the `source_change` whose layout it has. */
    uint32_t generation;
    /*
     * Encoder: octets of bit stream. Decoder: the format's size. With `cancelled`: octets that a
     * span must have.
     */
    uint32_t bytes_used;
    /* How it is coded. */
    uint32_t picture_type;
    /* First visible column. */
    uint32_t crop_left;
    /* First visible row. */
    uint32_t crop_top;
    /* Visible columns. */
    uint32_t width;
    /* Visible rows. */
    uint32_t height;
    uint32_t reserved0;
};

/*
 * video.source_change, a event: Decoder: the stream has met a (new) format. With `buffers` or
 * `count` set, attach and queue spans of `format.size`, at least `format.buffers_min` of them, at
 * once: do not wait for the last old picture, a codec may want the new spans before it gives that
 * out. Old spans that are too small come back `cancelled`; pictures of the old generation may still
 * follow, the last of them with `last`. At most one is outstanding per session.
 */
struct paracore_video_source_change {
    /* Counts up from 1. */
    uint32_t generation;
    /* What is new. */
    uint32_t changes;
    /* The new format. */
    struct paracore_picture_format format;
};

/*
 * video.session_failed, a event: The session is over; all further calls but `close` fail with `io`.
 * `no_space`: the device, or the domain's part of it, has no room for the stream at the rate that
 * the decoder has declared by its control `rate`; the limit is `pixel_rate`.
 */
struct paracore_video_session_failed {
    /* Why. */
    uint32_t error;
    /* The limit, if it was one. */
    uint32_t limit;
    /* The limit's value; 0 when there was none. */
    uint64_t allowed;
};

/* link.hello, a call: First message of a connection. */
struct paracore_link_hello {
    /* Oldest protocol version spoken. */
    uint32_t version_min;
    /* Newest. */
    uint32_t version_max;
};

/* Reply to link.hello. */
struct paracore_link_hello_reply {
    /* The newest both speak. */
    uint32_t version;
    uint32_t reserved0;
    /* The name the backend knows the domain by. */
    char domain[32];
};

/*
 * link.channel_open, a call: Opens the connection's channel. With the reply travel three
 * descriptors: the interface page followed by the ring pages, the doorbell that the frontend
 * writes, the doorbell it waits on.
 */
struct paracore_link_channel_open {
    /* log2 of the ring pages wished for. */
    uint32_t ring_order;
    uint32_t reserved0;
};

/* Reply to link.channel_open. */
struct paracore_link_channel_open_reply {
    /* For logs. */
    uint32_t channel;
    /* log2 of the ring pages given. */
    uint32_t ring_order;
    /* The event channel's port, for both doorbells; 0 when they are eventfds. */
    uint32_t port;
    uint32_t reserved0;
};

/*
 * link.grant, a call: Allocates pages and grants them to the backend. With the reply travels their
 * descriptor.
 */
struct paracore_link_grant {
    /* Octets; a multiple of `page_size`. */
    uint64_t length;
    /* What the backend may do with them. */
    uint32_t flags;
    uint32_t reserved0;
};

/* Reply to link.grant. */
struct paracore_link_grant_reply {
    /* Names the pages in `core.buffer_attach`. Never 0. */
    uint32_t grant;
    uint32_t reserved0;
};

/* link.revoke, a call: Takes a grant back; `busy` while the backend has it mapped. */
struct paracore_link_revoke {
    /* From `grant`. */
    uint32_t grant;
    uint32_t reserved0;
};

/* Reply to link.status. */
struct paracore_link_status_reply {
    /* Octets of the text. */
    uint64_t length;
};

/* link.goodbye, a event: The other side is about to close the connection, and why. */
struct paracore_link_goodbye {
    /* Why. */
    uint32_t reason;
    /* With `limit`: which. */
    uint32_t limit;
};

/*
 * link.configure, a call: Changes settings of devices and domains while both are used, for an
 * administrator; others get `permission`. The text is a JSON object, `{"device": {NAME: {SETTING:
 * VALUE}}, "domain": {NAME: {SETTING: VALUE}}}`, with settings of the configuration. All of it is
 * done, or nothing and the reply says why.
 */
struct paracore_link_configure {
    /* Octets of `text` used. */
    uint32_t length;
    uint32_t reserved0;
    /* JSON, UTF-8. */
    uint8_t text[];
};

/* Reply to link.configure. */
struct paracore_link_configure_reply {
    /* Octets of `text` used; 0 when it is done. */
    uint32_t length;
    uint32_t reserved0;
    /* What is wrong, one line for a person, UTF-8. */
    uint8_t text[];
};

/*
 * link.trace, a call: Traces a domain's sessions for as long as this connection lives, see
 * trace.md: an administrator any domain's, others their own; to all else the answer is
 * `permission`. With the reply travels a descriptor of the trace's memory, for reading. `busy` when
 * this connection traces it already.
 */
struct paracore_link_trace {
    /* Its name; empty: the caller's own. */
    char domain[32];
};

/* Reply to link.trace. */
struct paracore_link_trace_reply {
    /* `trace_records`. */
    uint32_t records;
    uint32_t reserved0;
    /* Its name. */
    char domain[32];
};

/*
 * worker.channel_add, a event: To the worker, with three descriptors: shared pages, doorbell to
 * wait on, doorbell to write.
 */
struct paracore_worker_channel_add {
    /* Its number. */
    uint32_t channel;
    /* log2 of the ring pages. */
    uint32_t ring_order;
    /* The event channel's port, for both doorbells; 0 when they are eventfds. */
    uint32_t port;
    uint32_t reserved0;
};

/*
 * worker.channel_remove, a event: To the worker: the process has gone; close its sessions and unmap
 * its buffers.
 */
struct paracore_worker_channel_remove {
    /* Its number. */
    uint32_t channel;
    uint32_t reserved0;
};

/*
 * worker.map, a call: From the worker: please map this grant of that channel. With the reply
 * travels a descriptor.
 */
struct paracore_worker_map {
    /* Whose grant. */
    uint32_t channel;
    /* Which. */
    uint32_t grant;
    /* Octets. */
    uint64_t length;
    /* As the domain said. */
    uint32_t flags;
    uint32_t reserved0;
};

/* worker.unmap, a event: From the worker: this grant is no longer mapped. */
struct paracore_worker_unmap {
    /* Whose grant. */
    uint32_t channel;
    /* Which. */
    uint32_t grant;
};

/* worker.violation, a event: From the worker: this channel broke the protocol and is closed. */
struct paracore_worker_violation {
    /* Whose. */
    uint32_t channel;
    /* Octets of `text` used. */
    uint32_t length;
    /* For the log, UTF-8. */
    uint8_t text[];
};

/* Reply to worker.report. */
struct paracore_worker_report_reply {
    /* Octets of the text. */
    uint64_t length;
};

/*
 * worker.channel_removed, a event: From the worker: all that the channel held is closed and
 * unmapped.
 */
struct paracore_worker_channel_removed {
    /* Its number. */
    uint32_t channel;
    uint32_t reserved0;
};

/*
 * worker.device_want, a event: From the worker: there is work for this device, and no lease of its
 * time.
 */
struct paracore_worker_device_want {
    /* Its index, as the domain has it. */
    uint32_t device;
    uint32_t reserved0;
};

/*
 * worker.device_lease, a event: To the worker: it may use the device's time. With a number that it
 * has, the lease of this number is changed; if it was given back meanwhile the message is void.
 */
struct paracore_worker_device_lease {
    /* Its index. */
    uint32_t device;
    /* Its number; it differs from that of the lease before. */
    uint32_t lease;
    /*
     * Nanoseconds of device time from now, to the end of a unit of work; 2^63 - 1: until another
     * message; 0: to the end of this unit.
     */
    uint64_t budget;
};

/*
 * worker.device_release, a event: From the worker: the lease is used up, or there is no work and
 * the lease has an end.
 */
struct paracore_worker_device_release {
    /* Its index. */
    uint32_t device;
    /* Its number. */
    uint32_t lease;
    /* 1: there is work for another lease. */
    uint32_t wants;
    uint32_t reserved0;
};

/*
 * worker.device_hang, a event: From the worker: a driver was at one job for longer than the
 * device's deadline, and the session has failed with `timed_out`.
 */
struct paracore_worker_device_hang {
    /* Its index. */
    uint32_t device;
    /* 1: the job cannot be stopped but by the end of this worker; 0: it has been stopped. */
    uint32_t stuck;
};

/*
 * worker.device_reset, a event: To the worker: the device hangs again and again; reset it, and
 * carry its sessions over. A worker whose driver cannot do that ends, if it has any.
 */
struct paracore_worker_device_reset {
    /* Its index. */
    uint32_t device;
    uint32_t reserved0;
};

/*
 * worker.device_use, a event: From the worker: the first session of this device has been opened, or
 * the last one has ended.
 */
struct paracore_worker_device_use {
    /* Its index. */
    uint32_t device;
    /* 1: a session is open; 0: none is. */
    uint32_t used;
};

/*
 * worker.device_rest, a event: To the worker: no domain has had a session of this device for a
 * while; its driver is to let go of what it keeps.
 */
struct paracore_worker_device_rest {
    /* Its index. */
    uint32_t device;
    uint32_t reserved0;
};

/*
 * worker.device_at, a event: From the worker: from now on it calls this device's driver where that
 * may not come back. Said before the call, and again before one of another device: when the kernel
 * ends the worker for it, nobody else knows which device it was.
 */
struct paracore_worker_device_at {
    /* Its index. */
    uint32_t device;
    uint32_t reserved0;
};

/*
 * worker.reserve, a call: From the worker: a session is going to need so much of a device, instead
 * of what it has reserved before. Fails with `no_space` and `pixel_rate` when the device or the
 * domain has not so much left; then it keeps what it had.
 */
struct paracore_worker_reserve {
    /* Its index, as the domain has it. */
    uint32_t device;
    /* Its number, which the worker gives to no other. */
    uint32_t session;
    /* Samples a second; 0: it needs nothing any more. */
    uint64_t rate;
};

/*
 * worker.device_pace, a event: From the worker: how soon one picture follows another, of the
 * session of this device that declares the highest rate.
 */
struct paracore_worker_device_pace {
    /* Its index. */
    uint32_t device;
    uint32_t reserved0;
    /* Nanoseconds; 0: no session declares a rate. */
    uint64_t period;
};

/*
 * worker.trace, a event: To the worker, with the descriptor of the trace's memory when `on` is 1:
 * record what happens there, or stop. A worker gets the same memory each time.
 */
struct paracore_worker_trace {
    /* 1: record; 0: stop. */
    uint32_t on;
    uint32_t reserved0;
};

/*
 * worker.device_used, a event: From the worker: so much of a device's time has been used since it
 * said so last. Not of a device whose time is the processor's, which the kernel counts.
 */
struct paracore_worker_device_used {
    /* Its index, as the domain has it. */
    uint32_t device;
    uint32_t reserved0;
    /* Nanoseconds. */
    uint64_t used;
};

/*
 * worker.rates, a event: To the worker: how fast its domain may give work to the drivers from now
 * on. All in thousandths, of pictures and of macroblocks.
 */
struct paracore_worker_rates {
    /* In the long run; 0: as many as there are. */
    uint64_t pictures_per_second;
    /* At once, after a rest. */
    uint64_t pictures_burst;
    /* In the long run; 0: as many as there are. */
    uint64_t macroblocks_per_second;
    /* At once, after a rest. */
    uint64_t macroblocks_burst;
};

/*
 * worker.rates_owed, a event: From the worker: so much more has been let go by now than those rates
 * give, in thousandths as well. It is told when it has become more, or less, than time alone makes
 * of what was told before: the domain's next worker begins with what is left of it.
 */
struct paracore_worker_rates_owed {
    /* 0: none. */
    uint64_t pictures;
    /* 0: none. */
    uint64_t macroblocks;
};

/*
 * worker.counted, a event: From the worker: what it has done so far, all sessions together. Told
 * now and then while it works, and before `channel_removed`.
 */
struct paracore_worker_counted {
    /* Calls and posts. */
    uint64_t calls;
    /* Of these, those that were refused. */
    uint64_t refused;
    /* Told to the domain. */
    uint64_t events;
    /* Opened. */
    uint64_t sessions;
    /* Ended with an error. */
    uint64_t sessions_failed;
    /* Jobs that were not done by their deadline. */
    uint64_t hangs;
    /* Given back. */
    uint64_t inputs;
    /* Given back. */
    uint64_t outputs;
    /* Inputs given back with an error, other than that they were cancelled. */
    uint64_t errors;
    /* Of the inputs. */
    uint64_t octets_in;
    /* Of pictures or units in the outputs. */
    uint64_t octets_out;
    /* Pictures whose pixels were copied. */
    uint64_t copies;
    /* During which any unit waited for the domain's rates. */
    uint64_t throttled_ms;
};

/* bridge.connect, a call: A process has come. The connection's number must not be in use. */
struct paracore_bridge_connect {
    /* Oldest protocol version that it speaks. */
    uint32_t version_min;
    /* Newest. */
    uint32_t version_max;
    /* Its number in the guest, for logs. */
    uint32_t process;
    /* Its user in the guest, for logs. */
    uint32_t user;
};

/* Reply to bridge.connect. */
struct paracore_bridge_connect_reply {
    /* The newest both speak. */
    uint32_t version;
    uint32_t reserved0;
    /* The name the backend knows the domain by. */
    char domain[32];
};

/*
 * bridge.channel_open, a call: Opens the connection's channel on pages that the guest has
 * formatted.
 */
struct paracore_bridge_channel_open {
    /* log2 of the ring pages. */
    uint32_t ring_order;
    /* Names the interface page and the ring pages. */
    uint32_t directory;
    /* The guest's event-channel port, unbound until now. */
    uint32_t port;
    uint32_t reserved0;
};

/* Reply to bridge.channel_open. */
struct paracore_bridge_channel_open_reply {
    /* For logs. */
    uint32_t channel;
    uint32_t reserved0;
};

/* bridge.grant, a call: Tells of granted pages, so that the worker can have them mapped. */
struct paracore_bridge_grant {
    /*
     * Names the pages in `core.buffer_attach`; chosen by the daemon, each greater than the one
     * before. Never 0.
     */
    uint32_t grant;
    /* What the backend may do with them. */
    uint32_t flags;
    /* Octets; a multiple of `page_size`. */
    uint64_t length;
    /* Names the pages. */
    uint32_t directory;
    uint32_t reserved0;
};

/* bridge.revoke, a call: Takes a grant back; `busy` while the backend has it mapped. */
struct paracore_bridge_revoke {
    /* From `grant`. */
    uint32_t grant;
    uint32_t reserved0;
};

/*
 * bridge.goodbye, a event: The connection is over, and why. Whatever call it had outstanding may
 * stay without an answer; a refused `connect` always does. Only `disconnect` is served after it,
 * and has to come: until then the number is in use.
 */
struct paracore_bridge_goodbye {
    /* Why. */
    uint32_t reason;
    /* With `limit`: which. */
    uint32_t limit;
};

/* --- proof that nothing is padded ------------------------------------------------------------- */

#ifdef __cplusplus
#define PARACORE_PROVE(fact) static_assert(fact, #fact)
#else
#define PARACORE_PROVE(fact) _Static_assert(fact, #fact)
#endif

PARACORE_PROVE(sizeof(struct paracore_message_header) == 16);
PARACORE_PROVE(offsetof(struct paracore_message_header, size) == 0);
PARACORE_PROVE(offsetof(struct paracore_message_header, opcode) == 4);
PARACORE_PROVE(offsetof(struct paracore_message_header, flags) == 6);
PARACORE_PROVE(offsetof(struct paracore_message_header, object) == 8);
PARACORE_PROVE(offsetof(struct paracore_message_header, serial) == 12);
PARACORE_PROVE(sizeof(struct paracore_interface_page) == 192);
PARACORE_PROVE(offsetof(struct paracore_interface_page, magic) == 0);
PARACORE_PROVE(offsetof(struct paracore_interface_page, version) == 4);
PARACORE_PROVE(offsetof(struct paracore_interface_page, ring_order) == 8);
PARACORE_PROVE(offsetof(struct paracore_interface_page, reserved0) == 12);
PARACORE_PROVE(offsetof(struct paracore_interface_page, out_prod) == 64);
PARACORE_PROVE(offsetof(struct paracore_interface_page, in_cons) == 68);
PARACORE_PROVE(offsetof(struct paracore_interface_page, in_event) == 72);
PARACORE_PROVE(offsetof(struct paracore_interface_page, out_space_event) == 76);
PARACORE_PROVE(offsetof(struct paracore_interface_page, reserved1) == 80);
PARACORE_PROVE(offsetof(struct paracore_interface_page, in_prod) == 128);
PARACORE_PROVE(offsetof(struct paracore_interface_page, out_cons) == 132);
PARACORE_PROVE(offsetof(struct paracore_interface_page, out_event) == 136);
PARACORE_PROVE(offsetof(struct paracore_interface_page, in_space_event) == 140);
PARACORE_PROVE(offsetof(struct paracore_interface_page, reserved2) == 144);
PARACORE_PROVE(sizeof(struct paracore_picture_format) == 104);
PARACORE_PROVE(offsetof(struct paracore_picture_format, pixel_format) == 0);
PARACORE_PROVE(offsetof(struct paracore_picture_format, coded_width) == 4);
PARACORE_PROVE(offsetof(struct paracore_picture_format, coded_height) == 8);
PARACORE_PROVE(offsetof(struct paracore_picture_format, crop_left) == 12);
PARACORE_PROVE(offsetof(struct paracore_picture_format, crop_top) == 16);
PARACORE_PROVE(offsetof(struct paracore_picture_format, width) == 20);
PARACORE_PROVE(offsetof(struct paracore_picture_format, height) == 24);
PARACORE_PROVE(offsetof(struct paracore_picture_format, plane_count) == 28);
PARACORE_PROVE(offsetof(struct paracore_picture_format, plane_offset) == 32);
PARACORE_PROVE(offsetof(struct paracore_picture_format, plane_stride) == 48);
PARACORE_PROVE(offsetof(struct paracore_picture_format, size) == 64);
PARACORE_PROVE(offsetof(struct paracore_picture_format, buffers_min) == 72);
PARACORE_PROVE(offsetof(struct paracore_picture_format, field_order) == 76);
PARACORE_PROVE(offsetof(struct paracore_picture_format, color_primaries) == 80);
PARACORE_PROVE(offsetof(struct paracore_picture_format, color_transfer) == 81);
PARACORE_PROVE(offsetof(struct paracore_picture_format, color_matrix) == 82);
PARACORE_PROVE(offsetof(struct paracore_picture_format, color_range) == 83);
PARACORE_PROVE(offsetof(struct paracore_picture_format, chroma_location) == 84);
PARACORE_PROVE(offsetof(struct paracore_picture_format, reserved0) == 85);
PARACORE_PROVE(offsetof(struct paracore_picture_format, aspect_num) == 88);
PARACORE_PROVE(offsetof(struct paracore_picture_format, aspect_den) == 92);
PARACORE_PROVE(offsetof(struct paracore_picture_format, rate_num) == 96);
PARACORE_PROVE(offsetof(struct paracore_picture_format, rate_den) == 100);
PARACORE_PROVE(sizeof(struct paracore_span) == 16);
PARACORE_PROVE(offsetof(struct paracore_span, buffer) == 0);
PARACORE_PROVE(offsetof(struct paracore_span, length) == 4);
PARACORE_PROVE(offsetof(struct paracore_span, offset) == 8);
PARACORE_PROVE(sizeof(struct paracore_trace_page) == 128);
PARACORE_PROVE(offsetof(struct paracore_trace_page, version) == 0);
PARACORE_PROVE(offsetof(struct paracore_trace_page, records) == 4);
PARACORE_PROVE(offsetof(struct paracore_trace_page, process) == 8);
PARACORE_PROVE(offsetof(struct paracore_trace_page, reserved0) == 12);
PARACORE_PROVE(offsetof(struct paracore_trace_page, begun) == 64);
PARACORE_PROVE(offsetof(struct paracore_trace_page, reserved1) == 72);
PARACORE_PROVE(sizeof(struct paracore_trace_record) == 48);
PARACORE_PROVE(offsetof(struct paracore_trace_record, sequence) == 0);
PARACORE_PROVE(offsetof(struct paracore_trace_record, time) == 8);
PARACORE_PROVE(offsetof(struct paracore_trace_record, event) == 16);
PARACORE_PROVE(offsetof(struct paracore_trace_record, channel) == 20);
PARACORE_PROVE(offsetof(struct paracore_trace_record, session) == 24);
PARACORE_PROVE(offsetof(struct paracore_trace_record, cookie) == 28);
PARACORE_PROVE(offsetof(struct paracore_trace_record, timestamp) == 32);
PARACORE_PROVE(offsetof(struct paracore_trace_record, value) == 40);
PARACORE_PROVE(sizeof(struct paracore_failure) == 16);
PARACORE_PROVE(offsetof(struct paracore_failure, error) == 0);
PARACORE_PROVE(offsetof(struct paracore_failure, limit) == 4);
PARACORE_PROVE(offsetof(struct paracore_failure, allowed) == 8);
PARACORE_PROVE(sizeof(struct paracore_core_ping) == 8);
PARACORE_PROVE(offsetof(struct paracore_core_ping, cookie) == 0);
PARACORE_PROVE(sizeof(struct paracore_core_ping_reply) == 8);
PARACORE_PROVE(offsetof(struct paracore_core_ping_reply, cookie) == 0);
PARACORE_PROVE(sizeof(struct paracore_core_device_query) == 8);
PARACORE_PROVE(offsetof(struct paracore_core_device_query, index) == 0);
PARACORE_PROVE(offsetof(struct paracore_core_device_query, reserved0) == 4);
PARACORE_PROVE(sizeof(struct paracore_core_device_query_reply) == 72);
PARACORE_PROVE(offsetof(struct paracore_core_device_query_reply, name) == 0);
PARACORE_PROVE(offsetof(struct paracore_core_device_query_reply, driver) == 32);
PARACORE_PROVE(offsetof(struct paracore_core_device_query_reply, device_class) == 64);
PARACORE_PROVE(offsetof(struct paracore_core_device_query_reply, capability_count) == 68);
PARACORE_PROVE(sizeof(struct paracore_core_buffer_attach) == 16);
PARACORE_PROVE(offsetof(struct paracore_core_buffer_attach, grant) == 0);
PARACORE_PROVE(offsetof(struct paracore_core_buffer_attach, flags) == 4);
PARACORE_PROVE(offsetof(struct paracore_core_buffer_attach, length) == 8);
PARACORE_PROVE(sizeof(struct paracore_core_buffer_attach_reply) == 8);
PARACORE_PROVE(offsetof(struct paracore_core_buffer_attach_reply, buffer) == 0);
PARACORE_PROVE(offsetof(struct paracore_core_buffer_attach_reply, reserved0) == 4);
PARACORE_PROVE(sizeof(struct paracore_core_buffer_detach) == 8);
PARACORE_PROVE(offsetof(struct paracore_core_buffer_detach, buffer) == 0);
PARACORE_PROVE(offsetof(struct paracore_core_buffer_detach, reserved0) == 4);
PARACORE_PROVE(sizeof(struct paracore_core_limits_query_reply) == 24);
PARACORE_PROVE(offsetof(struct paracore_core_limits_query_reply, channels) == 0);
PARACORE_PROVE(offsetof(struct paracore_core_limits_query_reply, sessions) == 4);
PARACORE_PROVE(offsetof(struct paracore_core_limits_query_reply, buffers) == 8);
PARACORE_PROVE(offsetof(struct paracore_core_limits_query_reply, outstanding) == 12);
PARACORE_PROVE(offsetof(struct paracore_core_limits_query_reply, bytes) == 16);
PARACORE_PROVE(sizeof(struct paracore_core_post_failed) == 16);
PARACORE_PROVE(offsetof(struct paracore_core_post_failed, serial) == 0);
PARACORE_PROVE(offsetof(struct paracore_core_post_failed, opcode) == 4);
PARACORE_PROVE(offsetof(struct paracore_core_post_failed, error) == 8);
PARACORE_PROVE(offsetof(struct paracore_core_post_failed, limit) == 12);
PARACORE_PROVE(sizeof(struct paracore_video_capability_query) == 8);
PARACORE_PROVE(offsetof(struct paracore_video_capability_query, device) == 0);
PARACORE_PROVE(offsetof(struct paracore_video_capability_query, index) == 4);
PARACORE_PROVE(sizeof(struct paracore_video_capability_query_reply) == 40);
PARACORE_PROVE(offsetof(struct paracore_video_capability_query_reply, codec) == 0);
PARACORE_PROVE(offsetof(struct paracore_video_capability_query_reply, direction) == 4);
PARACORE_PROVE(offsetof(struct paracore_video_capability_query_reply, flags) == 8);
PARACORE_PROVE(offsetof(struct paracore_video_capability_query_reply, width_max) == 12);
PARACORE_PROVE(offsetof(struct paracore_video_capability_query_reply, height_max) == 16);
PARACORE_PROVE(offsetof(struct paracore_video_capability_query_reply, reserved0) == 20);
PARACORE_PROVE(offsetof(struct paracore_video_capability_query_reply, pixel_formats) == 24);
PARACORE_PROVE(offsetof(struct paracore_video_capability_query_reply, controls) == 32);
PARACORE_PROVE(sizeof(struct paracore_video_open) == 16);
PARACORE_PROVE(offsetof(struct paracore_video_open, device) == 0);
PARACORE_PROVE(offsetof(struct paracore_video_open, codec) == 4);
PARACORE_PROVE(offsetof(struct paracore_video_open, direction) == 8);
PARACORE_PROVE(offsetof(struct paracore_video_open, flags) == 12);
PARACORE_PROVE(sizeof(struct paracore_video_open_reply) == 8);
PARACORE_PROVE(offsetof(struct paracore_video_open_reply, session) == 0);
PARACORE_PROVE(offsetof(struct paracore_video_open_reply, reserved0) == 4);
PARACORE_PROVE(sizeof(struct paracore_video_format_get_reply) == 104);
PARACORE_PROVE(offsetof(struct paracore_video_format_get_reply, format) == 0);
PARACORE_PROVE(sizeof(struct paracore_video_format_set) == 104);
PARACORE_PROVE(offsetof(struct paracore_video_format_set, format) == 0);
PARACORE_PROVE(sizeof(struct paracore_video_format_set_reply) == 104);
PARACORE_PROVE(offsetof(struct paracore_video_format_set_reply, format) == 0);
PARACORE_PROVE(sizeof(struct paracore_video_control_get) == 8);
PARACORE_PROVE(offsetof(struct paracore_video_control_get, control) == 0);
PARACORE_PROVE(offsetof(struct paracore_video_control_get, reserved0) == 4);
PARACORE_PROVE(sizeof(struct paracore_video_control_get_reply) == 8);
PARACORE_PROVE(offsetof(struct paracore_video_control_get_reply, value) == 0);
PARACORE_PROVE(sizeof(struct paracore_video_control_set) == 16);
PARACORE_PROVE(offsetof(struct paracore_video_control_set, control) == 0);
PARACORE_PROVE(offsetof(struct paracore_video_control_set, reserved0) == 4);
PARACORE_PROVE(offsetof(struct paracore_video_control_set, value) == 8);
PARACORE_PROVE(sizeof(struct paracore_video_control_set_reply) == 8);
PARACORE_PROVE(offsetof(struct paracore_video_control_set_reply, value) == 0);
PARACORE_PROVE(sizeof(struct paracore_video_queue_input) == 40);
PARACORE_PROVE(offsetof(struct paracore_video_queue_input, span) == 0);
PARACORE_PROVE(offsetof(struct paracore_video_queue_input, cookie) == 16);
PARACORE_PROVE(offsetof(struct paracore_video_queue_input, flags) == 20);
PARACORE_PROVE(offsetof(struct paracore_video_queue_input, timestamp) == 24);
PARACORE_PROVE(offsetof(struct paracore_video_queue_input, duration) == 32);
PARACORE_PROVE(sizeof(struct paracore_video_queue_output) == 24);
PARACORE_PROVE(offsetof(struct paracore_video_queue_output, span) == 0);
PARACORE_PROVE(offsetof(struct paracore_video_queue_output, cookie) == 16);
PARACORE_PROVE(offsetof(struct paracore_video_queue_output, reserved0) == 20);
PARACORE_PROVE(sizeof(struct paracore_video_input_done) == 8);
PARACORE_PROVE(offsetof(struct paracore_video_input_done, cookie) == 0);
PARACORE_PROVE(offsetof(struct paracore_video_input_done, error) == 4);
PARACORE_PROVE(sizeof(struct paracore_video_output_ready) == 64);
PARACORE_PROVE(offsetof(struct paracore_video_output_ready, cookie) == 0);
PARACORE_PROVE(offsetof(struct paracore_video_output_ready, flags) == 4);
PARACORE_PROVE(offsetof(struct paracore_video_output_ready, timestamp) == 8);
PARACORE_PROVE(offsetof(struct paracore_video_output_ready, decode_timestamp) == 16);
PARACORE_PROVE(offsetof(struct paracore_video_output_ready, duration) == 24);
PARACORE_PROVE(offsetof(struct paracore_video_output_ready, generation) == 32);
PARACORE_PROVE(offsetof(struct paracore_video_output_ready, bytes_used) == 36);
PARACORE_PROVE(offsetof(struct paracore_video_output_ready, picture_type) == 40);
PARACORE_PROVE(offsetof(struct paracore_video_output_ready, crop_left) == 44);
PARACORE_PROVE(offsetof(struct paracore_video_output_ready, crop_top) == 48);
PARACORE_PROVE(offsetof(struct paracore_video_output_ready, width) == 52);
PARACORE_PROVE(offsetof(struct paracore_video_output_ready, height) == 56);
PARACORE_PROVE(offsetof(struct paracore_video_output_ready, reserved0) == 60);
PARACORE_PROVE(sizeof(struct paracore_video_source_change) == 112);
PARACORE_PROVE(offsetof(struct paracore_video_source_change, generation) == 0);
PARACORE_PROVE(offsetof(struct paracore_video_source_change, changes) == 4);
PARACORE_PROVE(offsetof(struct paracore_video_source_change, format) == 8);
PARACORE_PROVE(sizeof(struct paracore_video_session_failed) == 16);
PARACORE_PROVE(offsetof(struct paracore_video_session_failed, error) == 0);
PARACORE_PROVE(offsetof(struct paracore_video_session_failed, limit) == 4);
PARACORE_PROVE(offsetof(struct paracore_video_session_failed, allowed) == 8);
PARACORE_PROVE(sizeof(struct paracore_link_hello) == 8);
PARACORE_PROVE(offsetof(struct paracore_link_hello, version_min) == 0);
PARACORE_PROVE(offsetof(struct paracore_link_hello, version_max) == 4);
PARACORE_PROVE(sizeof(struct paracore_link_hello_reply) == 40);
PARACORE_PROVE(offsetof(struct paracore_link_hello_reply, version) == 0);
PARACORE_PROVE(offsetof(struct paracore_link_hello_reply, reserved0) == 4);
PARACORE_PROVE(offsetof(struct paracore_link_hello_reply, domain) == 8);
PARACORE_PROVE(sizeof(struct paracore_link_channel_open) == 8);
PARACORE_PROVE(offsetof(struct paracore_link_channel_open, ring_order) == 0);
PARACORE_PROVE(offsetof(struct paracore_link_channel_open, reserved0) == 4);
PARACORE_PROVE(sizeof(struct paracore_link_channel_open_reply) == 16);
PARACORE_PROVE(offsetof(struct paracore_link_channel_open_reply, channel) == 0);
PARACORE_PROVE(offsetof(struct paracore_link_channel_open_reply, ring_order) == 4);
PARACORE_PROVE(offsetof(struct paracore_link_channel_open_reply, port) == 8);
PARACORE_PROVE(offsetof(struct paracore_link_channel_open_reply, reserved0) == 12);
PARACORE_PROVE(sizeof(struct paracore_link_grant) == 16);
PARACORE_PROVE(offsetof(struct paracore_link_grant, length) == 0);
PARACORE_PROVE(offsetof(struct paracore_link_grant, flags) == 8);
PARACORE_PROVE(offsetof(struct paracore_link_grant, reserved0) == 12);
PARACORE_PROVE(sizeof(struct paracore_link_grant_reply) == 8);
PARACORE_PROVE(offsetof(struct paracore_link_grant_reply, grant) == 0);
PARACORE_PROVE(offsetof(struct paracore_link_grant_reply, reserved0) == 4);
PARACORE_PROVE(sizeof(struct paracore_link_revoke) == 8);
PARACORE_PROVE(offsetof(struct paracore_link_revoke, grant) == 0);
PARACORE_PROVE(offsetof(struct paracore_link_revoke, reserved0) == 4);
PARACORE_PROVE(sizeof(struct paracore_link_status_reply) == 8);
PARACORE_PROVE(offsetof(struct paracore_link_status_reply, length) == 0);
PARACORE_PROVE(sizeof(struct paracore_link_goodbye) == 8);
PARACORE_PROVE(offsetof(struct paracore_link_goodbye, reason) == 0);
PARACORE_PROVE(offsetof(struct paracore_link_goodbye, limit) == 4);
PARACORE_PROVE(sizeof(struct paracore_link_configure) == 8);
PARACORE_PROVE(offsetof(struct paracore_link_configure, length) == 0);
PARACORE_PROVE(offsetof(struct paracore_link_configure, reserved0) == 4);
PARACORE_PROVE(offsetof(struct paracore_link_configure, text) == 8);
PARACORE_PROVE(sizeof(struct paracore_link_configure_reply) == 8);
PARACORE_PROVE(offsetof(struct paracore_link_configure_reply, length) == 0);
PARACORE_PROVE(offsetof(struct paracore_link_configure_reply, reserved0) == 4);
PARACORE_PROVE(offsetof(struct paracore_link_configure_reply, text) == 8);
PARACORE_PROVE(sizeof(struct paracore_link_trace) == 32);
PARACORE_PROVE(offsetof(struct paracore_link_trace, domain) == 0);
PARACORE_PROVE(sizeof(struct paracore_link_trace_reply) == 40);
PARACORE_PROVE(offsetof(struct paracore_link_trace_reply, records) == 0);
PARACORE_PROVE(offsetof(struct paracore_link_trace_reply, reserved0) == 4);
PARACORE_PROVE(offsetof(struct paracore_link_trace_reply, domain) == 8);
PARACORE_PROVE(sizeof(struct paracore_worker_channel_add) == 16);
PARACORE_PROVE(offsetof(struct paracore_worker_channel_add, channel) == 0);
PARACORE_PROVE(offsetof(struct paracore_worker_channel_add, ring_order) == 4);
PARACORE_PROVE(offsetof(struct paracore_worker_channel_add, port) == 8);
PARACORE_PROVE(offsetof(struct paracore_worker_channel_add, reserved0) == 12);
PARACORE_PROVE(sizeof(struct paracore_worker_channel_remove) == 8);
PARACORE_PROVE(offsetof(struct paracore_worker_channel_remove, channel) == 0);
PARACORE_PROVE(offsetof(struct paracore_worker_channel_remove, reserved0) == 4);
PARACORE_PROVE(sizeof(struct paracore_worker_map) == 24);
PARACORE_PROVE(offsetof(struct paracore_worker_map, channel) == 0);
PARACORE_PROVE(offsetof(struct paracore_worker_map, grant) == 4);
PARACORE_PROVE(offsetof(struct paracore_worker_map, length) == 8);
PARACORE_PROVE(offsetof(struct paracore_worker_map, flags) == 16);
PARACORE_PROVE(offsetof(struct paracore_worker_map, reserved0) == 20);
PARACORE_PROVE(sizeof(struct paracore_worker_unmap) == 8);
PARACORE_PROVE(offsetof(struct paracore_worker_unmap, channel) == 0);
PARACORE_PROVE(offsetof(struct paracore_worker_unmap, grant) == 4);
PARACORE_PROVE(sizeof(struct paracore_worker_violation) == 8);
PARACORE_PROVE(offsetof(struct paracore_worker_violation, channel) == 0);
PARACORE_PROVE(offsetof(struct paracore_worker_violation, length) == 4);
PARACORE_PROVE(offsetof(struct paracore_worker_violation, text) == 8);
PARACORE_PROVE(sizeof(struct paracore_worker_report_reply) == 8);
PARACORE_PROVE(offsetof(struct paracore_worker_report_reply, length) == 0);
PARACORE_PROVE(sizeof(struct paracore_worker_channel_removed) == 8);
PARACORE_PROVE(offsetof(struct paracore_worker_channel_removed, channel) == 0);
PARACORE_PROVE(offsetof(struct paracore_worker_channel_removed, reserved0) == 4);
PARACORE_PROVE(sizeof(struct paracore_worker_device_want) == 8);
PARACORE_PROVE(offsetof(struct paracore_worker_device_want, device) == 0);
PARACORE_PROVE(offsetof(struct paracore_worker_device_want, reserved0) == 4);
PARACORE_PROVE(sizeof(struct paracore_worker_device_lease) == 16);
PARACORE_PROVE(offsetof(struct paracore_worker_device_lease, device) == 0);
PARACORE_PROVE(offsetof(struct paracore_worker_device_lease, lease) == 4);
PARACORE_PROVE(offsetof(struct paracore_worker_device_lease, budget) == 8);
PARACORE_PROVE(sizeof(struct paracore_worker_device_release) == 16);
PARACORE_PROVE(offsetof(struct paracore_worker_device_release, device) == 0);
PARACORE_PROVE(offsetof(struct paracore_worker_device_release, lease) == 4);
PARACORE_PROVE(offsetof(struct paracore_worker_device_release, wants) == 8);
PARACORE_PROVE(offsetof(struct paracore_worker_device_release, reserved0) == 12);
PARACORE_PROVE(sizeof(struct paracore_worker_device_hang) == 8);
PARACORE_PROVE(offsetof(struct paracore_worker_device_hang, device) == 0);
PARACORE_PROVE(offsetof(struct paracore_worker_device_hang, stuck) == 4);
PARACORE_PROVE(sizeof(struct paracore_worker_device_reset) == 8);
PARACORE_PROVE(offsetof(struct paracore_worker_device_reset, device) == 0);
PARACORE_PROVE(offsetof(struct paracore_worker_device_reset, reserved0) == 4);
PARACORE_PROVE(sizeof(struct paracore_worker_device_use) == 8);
PARACORE_PROVE(offsetof(struct paracore_worker_device_use, device) == 0);
PARACORE_PROVE(offsetof(struct paracore_worker_device_use, used) == 4);
PARACORE_PROVE(sizeof(struct paracore_worker_device_rest) == 8);
PARACORE_PROVE(offsetof(struct paracore_worker_device_rest, device) == 0);
PARACORE_PROVE(offsetof(struct paracore_worker_device_rest, reserved0) == 4);
PARACORE_PROVE(sizeof(struct paracore_worker_device_at) == 8);
PARACORE_PROVE(offsetof(struct paracore_worker_device_at, device) == 0);
PARACORE_PROVE(offsetof(struct paracore_worker_device_at, reserved0) == 4);
PARACORE_PROVE(sizeof(struct paracore_worker_reserve) == 16);
PARACORE_PROVE(offsetof(struct paracore_worker_reserve, device) == 0);
PARACORE_PROVE(offsetof(struct paracore_worker_reserve, session) == 4);
PARACORE_PROVE(offsetof(struct paracore_worker_reserve, rate) == 8);
PARACORE_PROVE(sizeof(struct paracore_worker_device_pace) == 16);
PARACORE_PROVE(offsetof(struct paracore_worker_device_pace, device) == 0);
PARACORE_PROVE(offsetof(struct paracore_worker_device_pace, reserved0) == 4);
PARACORE_PROVE(offsetof(struct paracore_worker_device_pace, period) == 8);
PARACORE_PROVE(sizeof(struct paracore_worker_trace) == 8);
PARACORE_PROVE(offsetof(struct paracore_worker_trace, on) == 0);
PARACORE_PROVE(offsetof(struct paracore_worker_trace, reserved0) == 4);
PARACORE_PROVE(sizeof(struct paracore_worker_device_used) == 16);
PARACORE_PROVE(offsetof(struct paracore_worker_device_used, device) == 0);
PARACORE_PROVE(offsetof(struct paracore_worker_device_used, reserved0) == 4);
PARACORE_PROVE(offsetof(struct paracore_worker_device_used, used) == 8);
PARACORE_PROVE(sizeof(struct paracore_worker_rates) == 32);
PARACORE_PROVE(offsetof(struct paracore_worker_rates, pictures_per_second) == 0);
PARACORE_PROVE(offsetof(struct paracore_worker_rates, pictures_burst) == 8);
PARACORE_PROVE(offsetof(struct paracore_worker_rates, macroblocks_per_second) == 16);
PARACORE_PROVE(offsetof(struct paracore_worker_rates, macroblocks_burst) == 24);
PARACORE_PROVE(sizeof(struct paracore_worker_rates_owed) == 16);
PARACORE_PROVE(offsetof(struct paracore_worker_rates_owed, pictures) == 0);
PARACORE_PROVE(offsetof(struct paracore_worker_rates_owed, macroblocks) == 8);
PARACORE_PROVE(sizeof(struct paracore_worker_counted) == 104);
PARACORE_PROVE(offsetof(struct paracore_worker_counted, calls) == 0);
PARACORE_PROVE(offsetof(struct paracore_worker_counted, refused) == 8);
PARACORE_PROVE(offsetof(struct paracore_worker_counted, events) == 16);
PARACORE_PROVE(offsetof(struct paracore_worker_counted, sessions) == 24);
PARACORE_PROVE(offsetof(struct paracore_worker_counted, sessions_failed) == 32);
PARACORE_PROVE(offsetof(struct paracore_worker_counted, hangs) == 40);
PARACORE_PROVE(offsetof(struct paracore_worker_counted, inputs) == 48);
PARACORE_PROVE(offsetof(struct paracore_worker_counted, outputs) == 56);
PARACORE_PROVE(offsetof(struct paracore_worker_counted, errors) == 64);
PARACORE_PROVE(offsetof(struct paracore_worker_counted, octets_in) == 72);
PARACORE_PROVE(offsetof(struct paracore_worker_counted, octets_out) == 80);
PARACORE_PROVE(offsetof(struct paracore_worker_counted, copies) == 88);
PARACORE_PROVE(offsetof(struct paracore_worker_counted, throttled_ms) == 96);
PARACORE_PROVE(sizeof(struct paracore_bridge_connect) == 16);
PARACORE_PROVE(offsetof(struct paracore_bridge_connect, version_min) == 0);
PARACORE_PROVE(offsetof(struct paracore_bridge_connect, version_max) == 4);
PARACORE_PROVE(offsetof(struct paracore_bridge_connect, process) == 8);
PARACORE_PROVE(offsetof(struct paracore_bridge_connect, user) == 12);
PARACORE_PROVE(sizeof(struct paracore_bridge_connect_reply) == 40);
PARACORE_PROVE(offsetof(struct paracore_bridge_connect_reply, version) == 0);
PARACORE_PROVE(offsetof(struct paracore_bridge_connect_reply, reserved0) == 4);
PARACORE_PROVE(offsetof(struct paracore_bridge_connect_reply, domain) == 8);
PARACORE_PROVE(sizeof(struct paracore_bridge_channel_open) == 16);
PARACORE_PROVE(offsetof(struct paracore_bridge_channel_open, ring_order) == 0);
PARACORE_PROVE(offsetof(struct paracore_bridge_channel_open, directory) == 4);
PARACORE_PROVE(offsetof(struct paracore_bridge_channel_open, port) == 8);
PARACORE_PROVE(offsetof(struct paracore_bridge_channel_open, reserved0) == 12);
PARACORE_PROVE(sizeof(struct paracore_bridge_channel_open_reply) == 8);
PARACORE_PROVE(offsetof(struct paracore_bridge_channel_open_reply, channel) == 0);
PARACORE_PROVE(offsetof(struct paracore_bridge_channel_open_reply, reserved0) == 4);
PARACORE_PROVE(sizeof(struct paracore_bridge_grant) == 24);
PARACORE_PROVE(offsetof(struct paracore_bridge_grant, grant) == 0);
PARACORE_PROVE(offsetof(struct paracore_bridge_grant, flags) == 4);
PARACORE_PROVE(offsetof(struct paracore_bridge_grant, length) == 8);
PARACORE_PROVE(offsetof(struct paracore_bridge_grant, directory) == 16);
PARACORE_PROVE(offsetof(struct paracore_bridge_grant, reserved0) == 20);
PARACORE_PROVE(sizeof(struct paracore_bridge_revoke) == 8);
PARACORE_PROVE(offsetof(struct paracore_bridge_revoke, grant) == 0);
PARACORE_PROVE(offsetof(struct paracore_bridge_revoke, reserved0) == 4);
PARACORE_PROVE(sizeof(struct paracore_bridge_goodbye) == 8);
PARACORE_PROVE(offsetof(struct paracore_bridge_goodbye, reason) == 0);
PARACORE_PROVE(offsetof(struct paracore_bridge_goodbye, limit) == 4);

#undef PARACORE_PROVE

#endif
