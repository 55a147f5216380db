/* SPDX-License-Identifier: Apache-2.0 */
/* Codecs, their profiles and levels, and sample layouts: OpenMAX IL's numbers beside the wire's. */
#include "omx.h"

#define LEVELS(table) .levels = (table), .level_count = COUNT(table)

/* The wire's profiles are those of the stream: profile_idc. */
static const struct level AVC[] = {
    {OMX_VIDEO_AVCProfileBaseline, OMX_VIDEO_AVCLevel51, 66},
    {OMX_VIDEO_AVCProfileMain, OMX_VIDEO_AVCLevel51, 77},
    {OMX_VIDEO_AVCProfileHigh, OMX_VIDEO_AVCLevel51, 100},
};
static const struct level HEVC[] = {
    {OMX_PARACORE_HEVCProfileMain, OMX_PARACORE_HEVCMainTierLevel62, -1},
};
static const struct level MPEG2[] = {
    {OMX_VIDEO_MPEG2ProfileSimple, OMX_VIDEO_MPEG2LevelHL, -1},
    {OMX_VIDEO_MPEG2ProfileMain, OMX_VIDEO_MPEG2LevelHL, -1},
    {OMX_VIDEO_MPEG2Profile422, OMX_VIDEO_MPEG2LevelHL, -1},
};
static const struct level MPEG4[] = {
    {OMX_VIDEO_MPEG4ProfileSimple, OMX_VIDEO_MPEG4Level5, -1},
    {OMX_VIDEO_MPEG4ProfileAdvancedSimple, OMX_VIDEO_MPEG4Level5, -1},
};

static const struct codec CODECS[] = {
    {
        .codec = PARACORE_CODEC_H264,
        .role = "avc",
        .mime = "video/avc",
        .coding = OMX_VIDEO_CodingAVC,
        LEVELS(AVC),
    },
    {
        .codec = PARACORE_CODEC_HEVC,
        .role = "hevc",
        .mime = "video/hevc",
        .coding = (OMX_VIDEO_CODINGTYPE)OMX_PARACORE_CodingHEVC,
        LEVELS(HEVC),
    },
    {
        .codec = PARACORE_CODEC_VP8,
        .role = "vp8",
        .mime = "video/x-vnd.on2.vp8",
        .coding = (OMX_VIDEO_CODINGTYPE)OMX_PARACORE_CodingVP8,
    },
    {
        .codec = PARACORE_CODEC_VP9,
        .role = "vp9",
        .mime = "video/x-vnd.on2.vp9",
        .coding = (OMX_VIDEO_CODINGTYPE)OMX_PARACORE_CodingVP9,
    },
    {
        .codec = PARACORE_CODEC_AV1,
        .role = "av1",
        .mime = "video/av01",
        .coding = (OMX_VIDEO_CODINGTYPE)OMX_PARACORE_CodingAV1,
    },
    {
        .codec = PARACORE_CODEC_MPEG2,
        .role = "mpeg2",
        .mime = "video/mpeg2",
        .coding = OMX_VIDEO_CodingMPEG2,
        LEVELS(MPEG2),
    },
    {
        .codec = PARACORE_CODEC_MPEG4,
        .role = "mpeg4",
        .mime = "video/mp4v-es",
        .coding = OMX_VIDEO_CodingMPEG4,
        LEVELS(MPEG4),
    },
    {
        .codec = PARACORE_CODEC_MJPEG,
        .role = "mjpeg",
        .mime = "video/x-motion-jpeg",
        .coding = OMX_VIDEO_CodingMJPEG,
    },
    {
        .codec = PARACORE_CODEC_FWHT,
        .role = "fwht",
        .mime = "video/x-fwht",
        .coding = (OMX_VIDEO_CODINGTYPE)OMX_PARACORE_CodingFWHT,
    },
};

/* In the order in which they are offered. OpenMAX IL 1.1.2 has no name for the others that the wire knows. */
static const struct pixels PIXELS[] = {
    {PARACORE_PIXEL_FORMAT_YUV420P, OMX_COLOR_FormatYUV420Planar, 3, 1, 1, 1},
    {PARACORE_PIXEL_FORMAT_NV12, OMX_COLOR_FormatYUV420SemiPlanar, 2, 1, 1, 2},
    {PARACORE_PIXEL_FORMAT_YUV422P, OMX_COLOR_FormatYUV422Planar, 3, 1, 0, 1},
    {PARACORE_PIXEL_FORMAT_GRAY, OMX_COLOR_FormatL8, 1, 0, 0, 1},
};

const struct codec *codec_find(uint32_t codec)
{
    for (size_t n = 0; n < COUNT(CODECS); n++)
        if (CODECS[n].codec == codec)
            return &CODECS[n];
    return NULL;
}

const struct pixels *pixels_of_wire(uint32_t pixel_format)
{
    for (size_t n = 0; n < COUNT(PIXELS); n++)
        if (PIXELS[n].pixel_format == pixel_format)
            return &PIXELS[n];
    return NULL;
}

const struct pixels *pixels_of_capability(uint64_t pixel_formats, uint32_t n)
{
    for (size_t i = 0; i < COUNT(PIXELS); i++)
        if (pixel_formats & BIT(PIXELS[i].pixel_format) && n-- == 0)
            return &PIXELS[i];
    return NULL;
}

/* "Packed" says that there is one picture per buffer, which there is here in any case. */
static OMX_COLOR_FORMATTYPE unpacked(OMX_COLOR_FORMATTYPE color)
{
    switch ((int)color) {
    case OMX_COLOR_FormatYUV420PackedPlanar:
        return OMX_COLOR_FormatYUV420Planar;
    case OMX_COLOR_FormatYUV420PackedSemiPlanar:
        return OMX_COLOR_FormatYUV420SemiPlanar;
    case OMX_COLOR_FormatYUV422PackedPlanar:
        return OMX_COLOR_FormatYUV422Planar;
    default:
        return color;
    }
}

const struct pixels *pixels_of_color(uint64_t pixel_formats, OMX_COLOR_FORMATTYPE color)
{
    for (size_t n = 0; n < COUNT(PIXELS); n++)
        if (pixel_formats & BIT(PIXELS[n].pixel_format) && PIXELS[n].color == unpacked(color))
            return &PIXELS[n];
    return NULL;
}

/* ITU-T H.264 table A-1: macroblocks per second, and per picture. */
uint32_t avc_level(uint32_t width, uint32_t height, uint32_t rate)
{
    static const struct {
        uint32_t level, per_second, per_picture;
    } LIMITS[] = {
        {OMX_VIDEO_AVCLevel1, 1485, 99},       {OMX_VIDEO_AVCLevel11, 3000, 396},
        {OMX_VIDEO_AVCLevel12, 6000, 396},     {OMX_VIDEO_AVCLevel13, 11880, 396},
        {OMX_VIDEO_AVCLevel21, 19800, 792},    {OMX_VIDEO_AVCLevel22, 20250, 1620},
        {OMX_VIDEO_AVCLevel3, 40500, 1620},    {OMX_VIDEO_AVCLevel31, 108000, 3600},
        {OMX_VIDEO_AVCLevel32, 216000, 5120},  {OMX_VIDEO_AVCLevel4, 245760, 8192},
        {OMX_VIDEO_AVCLevel42, 522240, 8704},  {OMX_VIDEO_AVCLevel5, 589824, 22080},
        {OMX_VIDEO_AVCLevel51, 983040, 36864},
    };
    uint64_t picture = (uint64_t)((width + 15) / 16) * ((height + 15) / 16);
    uint64_t second = picture * rate >> 16;

    for (size_t n = 0; n < COUNT(LIMITS) - 1; n++)
        if (picture <= LIMITS[n].per_picture && second <= LIMITS[n].per_second)
            return LIMITS[n].level;
    return LIMITS[COUNT(LIMITS) - 1].level;
}
