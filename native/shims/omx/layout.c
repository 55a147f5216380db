/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How pictures lie: the device says where each plane begins, OpenMAX IL only how long a row is (nStride) and how
 * many rows the first plane has (nSliceHeight); chroma rows are as many times shorter and fewer as there is less of
 * it. The software driver lays its pictures out so that both are true, and nothing is copied.
 */
#include "omx.h"

#include <string.h>

/* More than any codec reads at once; a client allocates as many as it is told. */
enum { BUFFERS_MIN_MAX = 64 };

static uint32_t even(uint32_t n)
{
    return (n + 1) & ~1u;
}

static uint32_t chroma_stride(const struct pixels *pixels, uint32_t stride)
{
    return (stride >> pixels->across) * pixels->interleaved;
}

static uint32_t plane_stride(const struct pixels *pixels, uint32_t plane, uint32_t stride)
{
    return plane ? chroma_stride(pixels, stride) : stride;
}

static uint32_t plane_rows(const struct pixels *pixels, uint32_t plane, uint32_t rows)
{
    return plane ? (rows + (1u << pixels->down) - 1) >> pixels->down : rows;
}

/* Octets of a row that are samples. */
static uint32_t plane_width(const struct pixels *pixels, uint32_t plane, uint32_t width)
{
    return plane ? ((width + (1u << pixels->across) - 1) >> pixels->across) * pixels->interleaved : width;
}

/* Rows of the first plane, as far as the next one's beginning tells. */
static uint32_t rows_of(const struct paracore_picture_format *format)
{
    uint32_t rows = format->plane_offset[1] / format->plane_stride[0];

    return rows < format->coded_height || rows > 2 * PARACORE_DIMENSION_MAX ? even(format->coded_height) : rows & ~1u;
}

struct layout layout_of(const struct paracore_picture_format *format)
{
    const struct pixels *pixels = pixels_of_wire(format->pixel_format);
    struct layout layout = {.stride = format->plane_stride[0], .rows = format->coded_height};

    if (pixels->planes > 1)
        layout = (struct layout){.stride = even(format->plane_stride[0]), .rows = rows_of(format)};
    for (uint32_t plane = 0; plane < pixels->planes; plane++)
        layout.size += plane_stride(pixels, plane, layout.stride) * plane_rows(pixels, plane, layout.rows);
    return layout;
}

bool layout_is_direct(const struct paracore_picture_format *format)
{
    const struct pixels *pixels = pixels_of_wire(format->pixel_format);
    struct layout layout = layout_of(format);
    uint32_t offset = 0;

    for (uint32_t plane = 0; plane < pixels->planes; plane++) {
        uint32_t stride = plane_stride(pixels, plane, layout.stride);
        if (format->plane_offset[plane] != offset || format->plane_stride[plane] != stride)
            return false;
        offset += stride * plane_rows(pixels, plane, layout.rows);
    }
    return layout.size <= format->size;
}

bool layout_is_sound(const struct paracore_picture_format *format)
{
    const struct pixels *pixels = pixels_of_wire(format->pixel_format);
    bool sound = pixels && format->buffers_min <= BUFFERS_MIN_MAX && format->plane_count == pixels->planes &&
                 format->size <= PARACORE_BUFFER_MAX && format->coded_width &&
                 format->coded_width <= PARACORE_DIMENSION_MAX && format->coded_height &&
                 format->coded_height <= PARACORE_DIMENSION_MAX &&
                 (uint64_t)format->crop_left + format->width <= format->coded_width &&
                 (uint64_t)format->crop_top + format->height <= format->coded_height && format->width && format->height;

    for (uint32_t plane = 0; sound && plane < pixels->planes; plane++) {
        uint64_t rows = plane_rows(pixels, plane, format->coded_height);
        uint32_t stride = format->plane_stride[plane];
        sound = stride <= 8 * PARACORE_DIMENSION_MAX && stride >= plane_width(pixels, plane, format->coded_width) &&
                format->plane_offset[plane] + rows * stride <= format->size;
    }
    return sound;
}

struct rows {
    uint8_t *to;
    const uint8_t *from;
    uint32_t to_stride, from_stride, width, count;
};

static void copy_rows(struct rows rows)
{
    for (uint32_t n = 0; n < rows.count; n++)
        memcpy(rows.to + (size_t)n * rows.to_stride, rows.from + (size_t)n * rows.from_stride, rows.width);
}

static struct rows plane_of(const struct paracore_picture_format *format, const struct pixels *pixels, uint32_t plane)
{
    return (struct rows){
        .width = plane_width(pixels, plane, format->crop_left + format->width),
        .count = plane_rows(pixels, plane, format->crop_top + format->height),
    };
}

void layout_pack(const struct paracore_picture_format *format, const uint8_t *from, uint8_t *to)
{
    const struct pixels *pixels = pixels_of_wire(format->pixel_format);
    struct layout layout = layout_of(format);

    for (uint32_t plane = 0; plane < pixels->planes; plane++) {
        struct rows rows = plane_of(format, pixels, plane);
        rows.from = from + format->plane_offset[plane];
        rows.from_stride = format->plane_stride[plane];
        rows.to = to;
        rows.to_stride = plane_stride(pixels, plane, layout.stride);
        copy_rows(rows);
        to += (size_t)rows.to_stride * plane_rows(pixels, plane, layout.rows);
    }
}

void layout_unpack(const struct paracore_picture_format *format, const uint8_t *from, uint8_t *to)
{
    const struct pixels *pixels = pixels_of_wire(format->pixel_format);
    struct layout layout = layout_of(format);

    for (uint32_t plane = 0; plane < pixels->planes; plane++) {
        struct rows rows = plane_of(format, pixels, plane);
        rows.to = to + format->plane_offset[plane];
        rows.to_stride = format->plane_stride[plane];
        rows.from = from;
        rows.from_stride = plane_stride(pixels, plane, layout.stride);
        copy_rows(rows);
        from += (size_t)rows.from_stride * plane_rows(pixels, plane, layout.rows);
    }
}
