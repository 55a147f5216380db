/* SPDX-License-Identifier: Apache-2.0 */
/* See parameters.h. The Python API's are the same: frontend/_parameters.py. */
#include "parameters.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "paracore/protocol.h"

enum {
    /* Sets kept, and octets of them: the standards allow 16, 32 and 256 of a kind, real streams have three. The oldest
     * are forgotten beyond that. */
    SETS_MAX = 320,
    SETS_OCTETS_MAX = 256 << 10,
    START = 3, /* octets of a start code */
};

struct parameter_set {
    TAILQ_ENTRY(parameter_set) entry;
    size_t length;
    uint8_t octets[];
};

/* How a codec's start codes read, from the octet behind them. `ends`: picture data; no header follows in this unit. */
struct syntax {
    uint32_t codec;
    bool (*keeps)(uint8_t octet);
    bool (*ends)(uint8_t octet);
};

/* --- syntax ------------------------------------------------------------------------------------------------ */

/* H.264 Table 7-1: sequence, picture, extension and subset parameter sets; slices. */
static bool h264_keeps(uint8_t octet)
{
    uint8_t type = octet & 31;

    return type == 7 || type == 8 || type == 13 || type == 15;
}

static bool h264_ends(uint8_t octet)
{
    return (octet & 31) >= 1 && (octet & 31) <= 5;
}

/* H.265 Table 7-1: video, sequence and picture parameter sets; all of the VCL. */
static bool hevc_keeps(uint8_t octet)
{
    return (octet >> 1 & 63) >= 32 && (octet >> 1 & 63) <= 34;
}

static bool hevc_ends(uint8_t octet)
{
    return (octet >> 1 & 63) < 32;
}

/* H.262 Table 6-1: sequence header and its extensions; picture and group headers. */
static bool mpeg2_keeps(uint8_t octet)
{
    return octet == 0xB3 || octet == 0xB5;
}

static bool mpeg2_ends(uint8_t octet)
{
    return octet == 0x00 || octet == 0xB8;
}

/* ISO/IEC 14496-2 Table 6-3: sequence, object, object layer; object plane. */
static bool mpeg4_keeps(uint8_t octet)
{
    return octet <= 0x2F || octet == 0xB0 || octet == 0xB5;
}

static bool mpeg4_ends(uint8_t octet)
{
    return octet == 0xB6;
}

static const struct syntax SYNTAXES[] = {
    {PARACORE_CODEC_H264, h264_keeps, h264_ends},
    {PARACORE_CODEC_HEVC, hevc_keeps, hevc_ends},
    {PARACORE_CODEC_MPEG2, mpeg2_keeps, mpeg2_ends},
    {PARACORE_CODEC_MPEG4, mpeg4_keeps, mpeg4_ends},
};

/* --- all of them ------------------------------------------------------------------------------------------- */

void parameters_init(struct parameters *parameters, uint32_t codec)
{
    *parameters = (struct parameters){.syntax = NULL};
    TAILQ_INIT(&parameters->sets);
    for (size_t n = 0; n < sizeof SYNTAXES / sizeof *SYNTAXES; n++)
        if (SYNTAXES[n].codec == codec)
            parameters->syntax = &SYNTAXES[n];
}

static void drop_oldest(struct parameters *parameters)
{
    struct parameter_set *oldest = TAILQ_FIRST(&parameters->sets);

    TAILQ_REMOVE(&parameters->sets, oldest, entry);
    parameters->count--;
    parameters->octets -= oldest->length;
    free(oldest);
}

void parameters_clear(struct parameters *parameters)
{
    while (!TAILQ_EMPTY(&parameters->sets))
        drop_oldest(parameters);
}

static struct parameter_set *find(const struct parameters *parameters, const uint8_t *octets, size_t length)
{
    struct parameter_set *set;

    TAILQ_FOREACH(set, &parameters->sets, entry)
        if (set->length == length && memcmp(set->octets, octets, length) == 0)
            break;
    return set;
}

/* Without memory it is not kept: a stream that says it once cannot be taken up again, then. */
static struct parameter_set *add(struct parameters *parameters, const uint8_t *octets, size_t length)
{
    struct parameter_set *set = malloc(sizeof *set + length);

    if (!set)
        return NULL;
    set->length = length;
    memcpy(set->octets, octets, length);
    parameters->count++;
    parameters->octets += length;
    return set;
}

static void keep(struct parameters *parameters, const uint8_t *octets, size_t length)
{
    struct parameter_set *set = find(parameters, octets, length);

    if (set)
        TAILQ_REMOVE(&parameters->sets, set, entry);
    else
        set = add(parameters, octets, length);
    if (set)
        TAILQ_INSERT_TAIL(&parameters->sets, set, entry);
    while (parameters->count > SETS_MAX || parameters->octets > SETS_OCTETS_MAX)
        drop_oldest(parameters);
}

/* Where the next start code is, or the end. */
static size_t next_start(const uint8_t *octets, size_t length, size_t from)
{
    for (; from + START < length; from++)
        if (octets[from] == 0 && octets[from + 1] == 0 && octets[from + 2] == 1)
            return from;
    return length;
}

void parameters_take(struct parameters *parameters, const uint8_t *octets, size_t length)
{
    const struct syntax *syntax = parameters->syntax;

    if (!syntax)
        return;
    for (size_t start = next_start(octets, length, 0), next; start < length; start = next) {
        uint8_t octet = octets[start + START];
        if (syntax->ends(octet))
            return;
        next = next_start(octets, length, start + START);
        if (syntax->keeps(octet))
            keep(parameters, octets + start, next - start);
    }
}

size_t parameters_size(const struct parameters *parameters)
{
    return parameters->octets + parameters->count;
}

void parameters_write(const struct parameters *parameters, uint8_t *out)
{
    const struct parameter_set *set;

    TAILQ_FOREACH(set, &parameters->sets, entry) {
        *out++ = 0; /* H.264 B.1.2: four octets before a parameter set */
        memcpy(out, set->octets, set->length);
        out += set->length;
    }
}
