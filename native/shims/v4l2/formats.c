/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What V4L2 calls the formats of the video class, and how a picture's planes become V4L2's.
 *
 * A decoder's raw formats in the multi-planar API are the "N-C" ones, in which each plane is a piece of memory of its
 * own: a codec that writes whole blocks needs rows below the visible ones, which the other formats have only by being
 * higher than the picture. In the single-planar API there are none but those others, and that is what they are; the
 * rectangle of ioctl_selection.c is the picture. An encoder only reads, and takes them in both APIs if its device has
 * the planes one behind the other: ffmpeg 5.1 cannot fill N-C buffers from frames that are one piece.
 */
#include "internal.h"

#include <errno.h>
#include <string.h>

#ifndef V4L2_PIX_FMT_AV1
#define V4L2_PIX_FMT_AV1 v4l2_fourcc('A', 'V', '0', '1')
#endif

/* Not JPEG: V4L2 has it on nodes of its own, with colours by rules of their own (v4l2-compliance insists). */
static const struct coded_format CODED[] = {
    {PARACORE_CODEC_H264, V4L2_PIX_FMT_H264, "H.264"},
    {PARACORE_CODEC_HEVC, V4L2_PIX_FMT_HEVC, "HEVC"},
    {PARACORE_CODEC_VP8, V4L2_PIX_FMT_VP8, "VP8"},
    {PARACORE_CODEC_VP9, V4L2_PIX_FMT_VP9, "VP9"},
    {PARACORE_CODEC_AV1, V4L2_PIX_FMT_AV1, "AV1"},
    {PARACORE_CODEC_MPEG2, V4L2_PIX_FMT_MPEG2, "MPEG-2 ES"},
    {PARACORE_CODEC_MPEG4, V4L2_PIX_FMT_MPEG4, "MPEG-4 Part 2 ES"},
    {PARACORE_CODEC_FWHT, V4L2_PIX_FMT_FWHT, "FWHT"},
};

static const struct raw_format RAW[] = {
    {PARACORE_PIXEL_FORMAT_YUV420P, V4L2_PIX_FMT_YUV420, 1, 3, 1, 1, 1, "Planar YUV 4:2:0"},
    {PARACORE_PIXEL_FORMAT_NV12, V4L2_PIX_FMT_NV12, 1, 2, 1, 1, 2, "Y/CbCr 4:2:0"},
    {PARACORE_PIXEL_FORMAT_YUV422P, V4L2_PIX_FMT_YUV422P, 1, 3, 1, 0, 1, "Planar YUV 4:2:2"},
    {PARACORE_PIXEL_FORMAT_YUV420P, V4L2_PIX_FMT_YUV420M, 3, 3, 1, 1, 1, "Planar YUV 4:2:0 (N-C)"},
    {PARACORE_PIXEL_FORMAT_NV12, V4L2_PIX_FMT_NV12M, 2, 2, 1, 1, 2, "Y/CbCr 4:2:0 (N-C)"},
    {PARACORE_PIXEL_FORMAT_YUV422P, V4L2_PIX_FMT_YUV422M, 3, 3, 1, 0, 1, "Planar YUV 4:2:2 (N-C)"},
    {PARACORE_PIXEL_FORMAT_YUV444P, V4L2_PIX_FMT_YUV444M, 3, 3, 0, 0, 1, "Planar YUV 4:4:4 (N-C)"},
    {PARACORE_PIXEL_FORMAT_GRAY, V4L2_PIX_FMT_GREY, 1, 1, 0, 0, 1, "8-bit Greyscale"},
};

#define COUNT(table) (sizeof(table) / sizeof *(table))

const struct coded_format *coded_format_of_codec(uint32_t codec)
{
    for (size_t n = 0; n < COUNT(CODED); n++)
        if (CODED[n].codec == codec)
            return &CODED[n];
    return NULL;
}

const struct coded_format *coded_format_of_fourcc(uint32_t fourcc)
{
    for (size_t n = 0; n < COUNT(CODED); n++)
        if (CODED[n].fourcc == fourcc)
            return &CODED[n];
    return NULL;
}

const struct raw_format *raw_format_at(size_t index)
{
    return index < COUNT(RAW) ? &RAW[index] : NULL;
}

static bool in_one_piece(const struct raw_format *raw)
{
    return raw->planes == 1 && raw->components > 1;
}

bool raw_format_is_for(const struct v4l2_file *file, const struct raw_format *raw)
{
    if (file->planar == SINGLE_PLANAR)
        return raw->planes == 1;
    return !is_decoder(file) || !in_one_piece(raw);
}

static const struct raw_format *offered(const struct v4l2_file *file, uint32_t pixel_format, bool one_piece)
{
    for (size_t n = 0; n < COUNT(RAW); n++)
        if (RAW[n].pixel_format == pixel_format && in_one_piece(&RAW[n]) == one_piece &&
            raw_format_is_for(file, &RAW[n]))
            return &RAW[n];
    return NULL;
}

const struct raw_format *raw_format_usual(const struct v4l2_file *file)
{
    return offered(file, PARACORE_PIXEL_FORMAT_YUV420P, file->planar == SINGLE_PLANAR);
}

const struct raw_format *raw_format_of_fourcc(uint32_t fourcc)
{
    for (size_t n = 0; n < COUNT(RAW); n++)
        if (RAW[n].fourcc == fourcc)
            return &RAW[n];
    return NULL;
}

const struct paracore_video_capability_query_reply *file_capability(const struct v4l2_file *file)
{
    const struct coded_format *coded = coded_format_of_fourcc(file->sides[coded_queue(file)].fourcc);

    return coded ? shim_capability(file->node.device, coded->codec, file->node.direction) : NULL;
}

/* --- layout ------------------------------------------------------------------------------------------------- */

static uint32_t end_of_plane(const struct paracore_picture_format *format, uint32_t plane)
{
    uint64_t end = plane + 1 < format->plane_count ? format->plane_offset[plane + 1] : format->size;

    return (uint32_t)end;
}

/* The piece of a plane that begins with its first visible sample. */
static void cut(const struct paracore_picture_format *format, const struct raw_format *raw, uint32_t plane,
                struct layout *layout)
{
    uint32_t across = plane ? raw->across : 0, down = plane ? raw->down : 0;
    uint32_t octets = plane ? raw->chroma_octets : 1;
    uint32_t stride = format->plane_stride[plane];

    layout->stride[plane] = stride;
    layout->offset[plane] = format->plane_offset[plane] + (format->crop_top >> down) * stride +
                            (format->crop_left >> across) * octets;
    layout->size[plane] = end_of_plane(format, plane) - layout->offset[plane];
}

/* Octets of a row that are samples. */
static uint64_t row_of(const struct side *side, const struct raw_format *raw, uint32_t plane)
{
    uint32_t across = plane ? raw->across : 0, octets = plane ? raw->chroma_octets : 1;

    return (((uint64_t)side->width + (1u << across) - 1) >> across) * octets;
}

/* SAFETY: the backend says where planes lie. What does not lie within the span in this order would lead the program
 * beyond its own buffer. */
static bool lies_within(const struct paracore_picture_format *format, const struct side *side,
                        const struct raw_format *raw)
{
    uint64_t before = 0;

    for (uint32_t n = 0; n < raw->components; n++) {
        uint64_t rows = (side->height + (n ? (1u << raw->down) - 1 : 0)) >> (n ? raw->down : 0);
        uint64_t end = side->layout.offset[n] + rows * side->layout.stride[n];
        if (format->plane_offset[n] < before || format->plane_stride[n] < row_of(side, raw, n) ||
            end > end_of_plane(format, n))
            return false;
        before = end_of_plane(format, n);
    }
    return format->size <= PARACORE_BUFFER_MAX && before <= format->size;
}

static int cut_apart(const struct paracore_picture_format *format, const struct raw_format *raw, struct side *side)
{
    for (uint32_t n = 0; n < raw->components; n++)
        cut(format, raw, n, &side->layout);
    return lies_within(format, side, raw) ? 0 : -EINVAL;
}

/* How high the picture is of which these are the planes, if they lie as those formats have it (pixfmt-yuv-planar.rst):
 * strides divided, nothing between but rows. Else 0. */
static uint32_t rows_in_one_piece(const struct paracore_picture_format *format, const struct raw_format *raw)
{
    uint64_t stride = format->plane_stride[0], end = 0;
    uint32_t rows = stride ? (uint32_t)(format->plane_offset[1] / stride) >> raw->down << raw->down : 0;

    for (uint32_t n = 0; n < raw->components; n++) {
        uint64_t wide = n ? (stride >> raw->across) * raw->chroma_octets : stride;
        if (format->plane_offset[n] != end || format->plane_stride[n] != wide)
            return 0;
        end += wide * (n ? rows >> raw->down : rows);
    }
    return end <= format->size && format->size <= PARACORE_BUFFER_MAX ? rows : 0;
}

/* SAFETY: as lies_within(). The rows below the picture are a decoder's only: an encoder's formats are its pictures. */
static int unite(const struct v4l2_file *file, const struct paracore_picture_format *format,
                 const struct raw_format *raw, struct side *side)
{
    uint32_t rows = rows_in_one_piece(format, raw);
    uint64_t right = (uint64_t)format->crop_left + format->width, bottom = (uint64_t)format->crop_top + format->height;

    if (rows < bottom || format->plane_stride[0] < right)
        return -EINVAL;
    if (!is_decoder(file) && (rows != format->height || right != format->width))
        return -EINVAL;
    side->width = (uint32_t)right;
    side->height = rows;
    side->visible.left = (int32_t)format->crop_left;
    side->visible.top = (int32_t)format->crop_top;
    memcpy(side->layout.offset, format->plane_offset, sizeof side->layout.offset);
    memcpy(side->layout.stride, format->plane_stride, sizeof side->layout.stride);
    side->layout.size[0] = (uint32_t)side->layout.total;
    return 0;
}

static int lay_out(const struct v4l2_file *file, const struct paracore_picture_format *format,
                   const struct raw_format *raw, struct side *side)
{
    if (!raw || format->plane_count != raw->components || format->width == 0 || format->height == 0)
        return -EINVAL;
    *side = (struct side){.fourcc = raw->fourcc, .width = format->width, .height = format->height};
    side->visible = (struct v4l2_rect){.width = format->width, .height = format->height};
    side->layout.planes = raw->planes;
    side->layout.total = format->size;
    return in_one_piece(raw) ? unite(file, format, raw, side) : cut_apart(format, raw, side);
}

int side_of_format(const struct v4l2_file *file, const struct paracore_picture_format *format, uint32_t wish,
                   struct side *side)
{
    const struct raw_format *wanted = raw_format_of_fourcc(wish);
    bool one_piece = wanted && in_one_piece(wanted);

    if (lay_out(file, format, offered(file, format->pixel_format, one_piece), side) == 0)
        return 0;
    return lay_out(file, format, offered(file, format->pixel_format, !one_piece), side);
}

bool side_is_same(const struct side *one, const struct side *other)
{
    return one->fourcc == other->fourcc && one->width == other->width && one->height == other->height &&
           !memcmp(&one->visible, &other->visible, sizeof one->visible);
}

static uint32_t align(uint32_t value, uint32_t to)
{
    return (value + to - 1) / to * to;
}

/*
 * Larger than any picture of the size that the program expects: a program compares sizes to find out whether it has
 * to allocate anew, and ffmpeg 5.1 takes a change that leaves the size as it was for the end of the stream.
 */
void side_guess(struct side *side, uint32_t fourcc, uint32_t width, uint32_t height)
{
    const struct raw_format *raw = raw_format_of_fourcc(fourcc);
    uint32_t offset = 0;

    *side = (struct side){.fourcc = fourcc, .width = align(width + 1, 64), .height = align(height + 1, 64)};
    side->visible = (struct v4l2_rect){.width = side->width, .height = side->height};
    side->layout.planes = raw->planes;
    for (uint32_t n = 0; n < raw->components; n++) {
        side->layout.offset[n] = offset;
        side->layout.stride[n] = (n ? (side->width >> raw->across) * raw->chroma_octets : side->width);
        side->layout.size[n] = side->layout.stride[n] * (n ? side->height >> raw->down : side->height);
        offset += side->layout.size[n];
    }
    side->layout.total = offset;
    if (raw->planes == 1)
        side->layout.size[0] = offset;
}

/* A unit of a bit stream is seldom half as large as its picture; what does not fit into a buffer is the program's to
 * ask for. */
enum { CODED_SIZE_MIN = 256 << 10, CODED_SIZE_MAX = 64 << 20 };

void side_coded(struct side *side, uint32_t fourcc, uint32_t width, uint32_t height, uint32_t wish)
{
    uint32_t usual = align(width * height / 4 * 3, PARACORE_PAGE_SIZE);
    uint32_t size = wish > usual ? align(wish < CODED_SIZE_MAX ? wish : CODED_SIZE_MAX, PARACORE_PAGE_SIZE) : usual;

    *side = (struct side){.fourcc = fourcc, .width = width, .height = height};
    side->layout.planes = 1;
    side->layout.size[0] = size < CODED_SIZE_MIN ? CODED_SIZE_MIN : size;
    side->layout.total = side->layout.size[0];
}

/* --- colour ------------------------------------------------------------------------------------------------- */

/* ISO/IEC 23091-2 code points beside V4L2's numbers (colorspaces-defs.rst). */
static const struct { uint8_t code; uint32_t v4l2; } PRIMARIES[] = {
    {1, V4L2_COLORSPACE_REC709}, {4, V4L2_COLORSPACE_470_SYSTEM_M}, {5, V4L2_COLORSPACE_470_SYSTEM_BG},
    {6, V4L2_COLORSPACE_SMPTE170M}, {7, V4L2_COLORSPACE_SMPTE240M}, {9, V4L2_COLORSPACE_BT2020},
    {11, V4L2_COLORSPACE_DCI_P3},
};
static const struct { uint8_t code, v4l2; } TRANSFERS[] = {
    {1, V4L2_XFER_FUNC_709}, {6, V4L2_XFER_FUNC_709}, {7, V4L2_XFER_FUNC_SMPTE240M}, {8, V4L2_XFER_FUNC_NONE},
    {13, V4L2_XFER_FUNC_SRGB}, {14, V4L2_XFER_FUNC_709}, {15, V4L2_XFER_FUNC_709}, {16, V4L2_XFER_FUNC_SMPTE2084},
}, MATRICES[] = {
    {1, V4L2_YCBCR_ENC_709}, {5, V4L2_YCBCR_ENC_601}, {6, V4L2_YCBCR_ENC_601}, {7, V4L2_YCBCR_ENC_SMPTE240M},
    {9, V4L2_YCBCR_ENC_BT2020}, {10, V4L2_YCBCR_ENC_BT2020_CONST_LUM},
};

enum { UNSPECIFIED = 2 };

#define TO_V4L2(table, of, otherwise, result)                                                                         \
    do {                                                                                                               \
        (result) = (otherwise);                                                                                        \
        for (size_t n = 0; n < COUNT(table); n++)                                                                      \
            if ((table)[n].code == (of))                                                                               \
                (result) = (table)[n].v4l2;                                                                            \
    } while (0)

#define TO_CODE(table, of, result)                                                                                     \
    do {                                                                                                               \
        (result) = UNSPECIFIED;                                                                                        \
        for (size_t n = COUNT(table); n-- > 0;)                                                                        \
            if ((table)[n].v4l2 == (of))                                                                               \
                (result) = (table)[n].code;                                                                            \
    } while (0)

void color_of_format(struct color *color, const struct paracore_picture_format *format)
{
    static const uint8_t RANGES[] = {V4L2_QUANTIZATION_DEFAULT, V4L2_QUANTIZATION_LIM_RANGE,
                                     V4L2_QUANTIZATION_FULL_RANGE};

    TO_V4L2(PRIMARIES, format->color_primaries, V4L2_COLORSPACE_REC709, color->space);
    TO_V4L2(TRANSFERS, format->color_transfer, V4L2_XFER_FUNC_DEFAULT, color->transfer);
    TO_V4L2(MATRICES, format->color_matrix, V4L2_YCBCR_ENC_DEFAULT, color->encoding);
    color->quantization = format->color_range < COUNT(RANGES) ? RANGES[format->color_range] : V4L2_QUANTIZATION_DEFAULT;
}

void color_to_format(const struct color *color, struct paracore_picture_format *format)
{
    TO_CODE(PRIMARIES, color->space, format->color_primaries);
    TO_CODE(TRANSFERS, color->transfer, format->color_transfer);
    TO_CODE(MATRICES, color->encoding, format->color_matrix);
    format->color_range = color->quantization == V4L2_QUANTIZATION_FULL_RANGE  ? 2
                          : color->quantization == V4L2_QUANTIZATION_LIM_RANGE ? 1
                                                                               : 0;
}
