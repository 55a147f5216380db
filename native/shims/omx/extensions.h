/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this core has beyond OpenMAX IL 1.1.2. Codecs have the numbers that Android's and GStreamer's headers give them;
 * where those differ, Android's.
 */
#ifndef PARACORE_SHIMS_OMX_EXTENSIONS_H
#define PARACORE_SHIMS_OMX_EXTENSIONS_H

#include <OMX_Index.h>
#include <OMX_Video.h>

/* OMX_VIDEO_CODINGTYPE */
enum {
    OMX_PARACORE_CodingVP8 = 9,
    OMX_PARACORE_CodingVP9 = 10,
    OMX_PARACORE_CodingHEVC = 11,
    OMX_PARACORE_CodingAV1 = 14,
    OMX_PARACORE_CodingFWHT = OMX_VIDEO_CodingVendorStartUnused + 1,
};

/* OMX_VIDEO_PARAM_PROFILELEVELTYPE of HEVC, as Android has it. */
enum {
    OMX_PARACORE_HEVCProfileMain = 0x1,
    OMX_PARACORE_HEVCMainTierLevel62 = 0x1000000,
};

/* By OMX_GetConfig; "OMX.paracore.index.statistics". */
enum { OMX_PARACORE_IndexConfigStatistics = OMX_IndexVendorStartUnused + 0x5043 };

struct statistics_of_paracore {
    OMX_U32 nSize;
    OMX_VERSIONTYPE nVersion;
    OMX_U32 nPictures; /* decoder: pictures given out; encoder: pictures taken */
    OMX_U32 nCopied;   /* of those, how many were copied: to or from the client's own memory, or on a new format */
};
typedef struct statistics_of_paracore OMX_PARACORE_CONFIG_STATISTICSTYPE;

#endif
