/* SPDX-License-Identifier: Apache-2.0 */
/* What is in an access unit, as far as its start codes tell. Pure. */
#include "omx.h"

#include <stdlib.h>
#include <string.h>

static bool is_start(const uint8_t *octets, size_t at, size_t length)
{
    return at + 3 < length && octets[at] == 0 && octets[at + 1] == 0 && octets[at + 2] == 1;
}

static size_t next_start(const uint8_t *octets, size_t at, size_t length)
{
    while (at < length && !is_start(octets, at, length))
        at++;
    return at;
}

/* ITU-T H.264 table 7-1: slices are 1 to 5, SPS and PPS 7 and 8. */
static bool avc_is_slice(uint8_t octet)
{
    return (octet & 0x1f) >= 1 && (octet & 0x1f) <= 5;
}

static bool avc_is_set(uint8_t octet)
{
    return (octet & 0x1f) == 7 || (octet & 0x1f) == 8;
}

/* ITU-T H.265 table 7-1: what has samples is below 32, VPS, SPS and PPS are 32 to 34. */
static bool hevc_is_slice(uint8_t octet)
{
    return (octet >> 1 & 0x3f) < 32;
}

static bool hevc_is_set(uint8_t octet)
{
    return (octet >> 1 & 0x3f) >= 32 && (octet >> 1 & 0x3f) <= 34;
}

/* ISO/IEC 13818-2 table 6-1: picture_start_code. */
static bool mpeg2_is_picture(uint8_t octet)
{
    return octet == 0x00;
}

/* ISO/IEC 14496-2 table 6-3: vop_start_code. */
static bool mpeg4_is_picture(uint8_t octet)
{
    return octet == 0xb6;
}

static const struct syntax {
    uint32_t codec;
    bool (*is_picture)(uint8_t octet); /* behind a start code */
    bool (*is_set)(uint8_t octet);
} SYNTAXES[] = {
    {PARACORE_CODEC_H264, avc_is_slice, avc_is_set},
    {PARACORE_CODEC_HEVC, hevc_is_slice, hevc_is_set},
    {PARACORE_CODEC_MPEG2, mpeg2_is_picture, NULL},
    {PARACORE_CODEC_MPEG4, mpeg4_is_picture, NULL},
};

static const struct syntax *syntax_of(uint32_t codec)
{
    for (size_t n = 0; n < COUNT(SYNTAXES); n++)
        if (SYNTAXES[n].codec == codec)
            return &SYNTAXES[n];
    return NULL;
}

bool unit_is_config(uint32_t codec, const uint8_t *octets, size_t length)
{
    const struct syntax *syntax = syntax_of(codec);
    size_t at = syntax ? next_start(octets, 0, length) : length;
    bool starts = at < length;

    for (; at < length; at = next_start(octets, at + 3, length))
        if (syntax->is_picture(octets[at + 3]))
            return false;
    return starts;
}

bool unit_has_sets(uint32_t codec)
{
    const struct syntax *syntax = syntax_of(codec);

    return syntax && syntax->is_set;
}

/* With a zero before the start code, which makes it one of four octets. */
static uint32_t append(uint8_t *to, uint32_t at, const uint8_t *nal, size_t length)
{
    while (length && nal[length - 1] == 0)
        length--;
    to[at++] = 0;
    memcpy(to + at, nal, length);
    return at + (uint32_t)length;
}

uint8_t *unit_sets(uint32_t codec, const uint8_t *octets, size_t length, uint32_t *found)
{
    const struct syntax *syntax = syntax_of(codec);
    uint8_t *sets = malloc(length * 2 + 1);
    size_t next;

    *found = 0;
    for (size_t at = next_start(octets, 0, length); sets && at < length; at = next) {
        next = next_start(octets, at + 3, length);
        if (syntax->is_set(octets[at + 3]))
            *found = append(sets, *found, octets + at, next - at);
    }
    if (*found)
        return sets;
    free(sets);
    return NULL;
}
