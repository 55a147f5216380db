/* SPDX-License-Identifier: Apache-2.0 */
/* How pictures lie in memory, in the wire's words and in libav's. Pure but for paracore_libraries_quiet. */
#ifndef PARACORE_LIBAV_FORMATS_H
#define PARACORE_LIBAV_FORMATS_H

#include <stdbool.h>

#include <libavutil/frame.h>
#include <libavutil/pixfmt.h>

#include "paracore/protocol.h"

/* libav's number for a pixel format of the wire, AV_PIX_FMT_NONE when there is none. */
enum AVPixelFormat paracore_pixel_format_to_av(uint32_t pixel_format);
/* The wire's number, PARACORE_PIXEL_FORMAT_NONE when it has none. The full-range twins of JPEG map to the plain ones. */
uint32_t paracore_pixel_format_of_av(enum AVPixelFormat pixel_format);

/*
 * Fills pixel format, planes and size for memory of at least width x height, strides being multiples of
 * `align`. The planes follow each other without a gap, each of an even count of rows (of the first plane's).
 * Negative AVERROR when the wire cannot describe it.
 */
int paracore_format_layout(struct paracore_picture_format *format, enum AVPixelFormat pixel_format, int width,
                           int height, const int align[4]);
/*
 * The same for a picture that is only read: as close as programs have it, row by row and plane by plane. What vector
 * code reads beyond a plane is the next one, or a page behind the last.
 */
int paracore_format_pack(struct paracore_picture_format *format, enum AVPixelFormat pixel_format, int width, int height);
/* Fills coded size, a multiple of `block`, and what can be seen of it. */
void paracore_format_size(struct paracore_picture_format *format, int coded_width, int coded_height, int block,
                          int width, int height);
/* Fills colour, aspect and crop from a picture, and the rate. */
void paracore_format_look(struct paracore_picture_format *format, const AVFrame *frame, AVRational rate);

bool paracore_same_layout(const struct paracore_picture_format *one, const struct paracore_picture_format *other);
bool paracore_same_look(const struct paracore_picture_format *one, const struct paracore_picture_format *other);

/* Points a frame's planes into memory of this layout. */
void paracore_frame_point(AVFrame *frame, uint8_t *memory, const struct paracore_picture_format *format);
/* Whether a frame's planes lie in memory as the format says. */
bool paracore_frame_lies(const AVFrame *frame, const uint8_t *memory, const struct paracore_picture_format *format);
/* Copies a frame's pixels into memory of this layout. */
void paracore_frame_copy(const AVFrame *frame, uint8_t *memory, const struct paracore_picture_format *format);

/* Once per process: nothing that the codec libraries have to say reaches stderr. */
void paracore_libraries_quiet(void);

#endif
