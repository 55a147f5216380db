/* SPDX-License-Identifier: Apache-2.0 */
/* Parameters and configurations of coding: formats, profiles, and what an encoder is to do. */
#include "parameters.h"


static OMX_VIDEO_PORTDEFINITIONTYPE *video_of(struct component *component, OMX_U32 port)
{
    return &component->ports[port].definition.format.video;
}

static bool is_coded(const struct component *component, OMX_U32 port)
{
    return component->decodes == (port == INPUT);
}

/* What cannot change while a stream is under way. */
static OMX_ERRORTYPE change(struct component *component)
{
    if (component->fed)
        return OMX_ErrorUnsupportedSetting;
    component->changed_settings = true;
    return OMX_ErrorNone;
}

/* --- formats ------------------------------------------------------------------------------------------------ */

OMX_ERRORTYPE get_port_format(struct component *component, void *structure)
{
    OMX_VIDEO_PARAM_PORTFORMATTYPE *format = structure;
    uint64_t pixel_formats = component->entry.capability.pixel_formats;

    format->eCompressionFormat = OMX_VIDEO_CodingUnused;
    format->eColorFormat = OMX_COLOR_FormatUnused;
    format->xFramerate = video_of(component, format->nPortIndex)->xFramerate;
    if (is_coded(component, format->nPortIndex)) {
        format->eCompressionFormat = component->entry.codec->coding;
        return format->nIndex == 0 ? OMX_ErrorNone : OMX_ErrorNoMore;
    }
    const struct pixels *pixels =
        format->nIndex <= UINT32_MAX ? pixels_of_capability(pixel_formats, (uint32_t)format->nIndex) : NULL;
    if (!pixels)
        return OMX_ErrorNoMore;
    format->eColorFormat = pixels->color;
    return OMX_ErrorNone;
}

/* As if the port's definition had been set with these. */
OMX_ERRORTYPE set_port_format(struct component *component, const void *structure)
{
    const OMX_VIDEO_PARAM_PORTFORMATTYPE *format = structure;
    OMX_PARAM_PORTDEFINITIONTYPE wanted = component->ports[format->nPortIndex].definition;

    wanted.format.video.eCompressionFormat = format->eCompressionFormat;
    if (!is_coded(component, format->nPortIndex))
        wanted.format.video.eColorFormat = format->eColorFormat;
    if (format->xFramerate)
        wanted.format.video.xFramerate = format->xFramerate;
    return port_define(component, &wanted);
}

/* --- profiles and levels -------------------------------------------------------------------------------------- */

static const struct level *level_of(const struct component *component, OMX_U32 profile)
{
    const struct codec *codec = component->entry.codec;

    for (uint32_t n = 0; n < codec->level_count; n++)
        if (codec->levels[n].profile == profile)
            return &codec->levels[n];
    return NULL;
}

OMX_ERRORTYPE get_supported_level(struct component *component, void *structure)
{
    OMX_VIDEO_PARAM_PROFILELEVELTYPE *level = structure;
    const struct codec *codec = component->entry.codec;

    if (codec->level_count == 0)
        return OMX_ErrorUnsupportedIndex;
    if (is_coded(component, level->nPortIndex) == false)
        return OMX_ErrorBadPortIndex;
    if (level->nProfileIndex >= codec->level_count)
        return OMX_ErrorNoMore;
    level->eProfile = codec->levels[level->nProfileIndex].profile;
    level->eLevel = codec->levels[level->nProfileIndex].level;
    return OMX_ErrorNone;
}

/* An encoder's level follows from size and rate; a decoder takes any that there is. */
static uint32_t present_level(struct component *component)
{
    const struct codec *codec = component->entry.codec;
    const OMX_VIDEO_PORTDEFINITIONTYPE *video = video_of(component, INPUT);

    if (component->decodes || codec->codec != PARACORE_CODEC_H264)
        return codec->levels[0].level;
    return avc_level((uint32_t)video->nFrameWidth, (uint32_t)video->nFrameHeight, (uint32_t)video->xFramerate);
}

static uint32_t present_profile(const struct component *component)
{
    const struct codec *codec = component->entry.codec;

    return component->settings.profile ? component->settings.profile : codec->levels[codec->level_count - 1].profile;
}

OMX_ERRORTYPE get_level(struct component *component, void *structure)
{
    OMX_VIDEO_PARAM_PROFILELEVELTYPE *level = structure;

    if (component->entry.codec->level_count == 0)
        return OMX_ErrorUnsupportedIndex;
    if (is_coded(component, level->nPortIndex) == false)
        return OMX_ErrorBadPortIndex;
    level->eProfile = present_profile(component);
    level->eLevel = component->settings.level ? component->settings.level : present_level(component);
    return OMX_ErrorNone;
}

/* A level is a promise that the stream asks no more of its decoder: the device keeps it if its own is not above. */
static OMX_ERRORTYPE set_profile_and_level(struct component *component, OMX_U32 profile, OMX_U32 level)
{
    const struct level *known = level_of(component, profile);

    if (!known || (level && (level > known->level || level < present_level(component))))
        return OMX_ErrorUnsupportedSetting;
    if (!component->decodes && known->control < 0)
        return OMX_ErrorUnsupportedSetting;
    component->settings.profile = (uint32_t)profile;
    component->settings.level = (uint32_t)level;
    return OMX_ErrorNone;
}

OMX_ERRORTYPE set_level(struct component *component, const void *structure)
{
    const OMX_VIDEO_PARAM_PROFILELEVELTYPE *level = structure;

    if (component->entry.codec->level_count == 0 || component->decodes)
        return OMX_ErrorUnsupportedSetting; /* a decoder reads them from the stream */
    OMX_ERRORTYPE result = change(component);
    return result == OMX_ErrorNone ? set_profile_and_level(component, level->eProfile, level->eLevel) : result;
}

/* --- AVC -------------------------------------------------------------------------------------------------------- */

/* What the device does of all that the structure can say. */
OMX_ERRORTYPE get_avc(struct component *component, void *structure)
{
    OMX_VIDEO_PARAM_AVCTYPE *avc = structure;
    const struct settings *settings = &component->settings;
    OMX_VIDEO_PARAM_AVCTYPE now = {
        .nSize = avc->nSize,
        .nVersion = avc->nVersion,
        .nPortIndex = avc->nPortIndex,
        .nPFrames = settings->p_frames,
        .nBFrames = settings->b_frames,
        .bUseHadamard = OMX_TRUE,
        .nRefFrames = 1,
        .eProfile = (OMX_VIDEO_AVCPROFILETYPE)present_profile(component),
        .eLevel = (OMX_VIDEO_AVCLEVELTYPE)(settings->level ? settings->level : present_level(component)),
        .nAllowedPictureTypes = OMX_VIDEO_PictureTypeI | OMX_VIDEO_PictureTypeP | OMX_VIDEO_PictureTypeB,
        .bFrameMBsOnly = OMX_TRUE,
        .bEntropyCodingCABAC = OMX_TRUE,
        .bDirect8x8Inference = OMX_TRUE,
        .eLoopFilterMode = OMX_VIDEO_AVCLoopFilterEnable,
    };

    if (is_coded(component, avc->nPortIndex) == false)
        return OMX_ErrorBadPortIndex;
    *avc = now;
    return OMX_ErrorNone;
}

/* Error resilience of the profiles that nobody has; the fields that are not looked at are the device's choice. */
static bool wants_too_much(const OMX_VIDEO_PARAM_AVCTYPE *avc)
{
    return avc->bEnableUEP || avc->bEnableFMO || avc->bEnableASO || avc->bEnableRS || avc->nSliceHeaderSpacing;
}

OMX_ERRORTYPE set_avc(struct component *component, const void *structure)
{
    const OMX_VIDEO_PARAM_AVCTYPE *avc = structure;

    if (component->decodes || wants_too_much(avc))
        return OMX_ErrorUnsupportedSetting;
    OMX_ERRORTYPE result = change(component);
    if (result == OMX_ErrorNone)
        result = set_profile_and_level(component, avc->eProfile, avc->eLevel);
    if (result != OMX_ErrorNone)
        return result;
    component->settings.p_frames = (uint32_t)avc->nPFrames;
    component->settings.b_frames = (uint32_t)avc->nBFrames;
    return OMX_ErrorNone;
}

OMX_ERRORTYPE get_intra_period(struct component *component, void *structure)
{
    OMX_VIDEO_CONFIG_AVCINTRAPERIOD *period = structure;
    const struct settings *settings = &component->settings;

    period->nIDRPeriod = settings->idr_period ? settings->idr_period : settings->p_frames + settings->b_frames + 1;
    period->nPFrames = settings->p_frames;
    return OMX_ErrorNone;
}

OMX_ERRORTYPE set_intra_period(struct component *component, const void *structure)
{
    const OMX_VIDEO_CONFIG_AVCINTRAPERIOD *period = structure;
    OMX_ERRORTYPE result = change(component);

    if (result != OMX_ErrorNone)
        return result;
    component->settings.idr_period = (uint32_t)period->nIDRPeriod;
    component->settings.p_frames = (uint32_t)period->nPFrames;
    return OMX_ErrorNone;
}

/* --- rate control ------------------------------------------------------------------------------------------------- */

OMX_ERRORTYPE get_bitrate(struct component *component, void *structure)
{
    OMX_VIDEO_PARAM_BITRATETYPE *bitrate = structure;

    bitrate->eControlRate = component->settings.rate_control;
    bitrate->nTargetBitrate = component->settings.bitrate;
    return OMX_ErrorNone;
}

/* The device never leaves pictures out to keep a rate. */
OMX_ERRORTYPE set_bitrate(struct component *component, const void *structure)
{
    const OMX_VIDEO_PARAM_BITRATETYPE *bitrate = structure;

    if (bitrate->eControlRate > OMX_Video_ControlRateConstant || bitrate->nTargetBitrate > INT32_MAX)
        return OMX_ErrorUnsupportedSetting;
    OMX_ERRORTYPE result = change(component);
    if (result != OMX_ErrorNone)
        return result;
    component->settings.rate_control = bitrate->eControlRate;
    component->settings.bitrate = (uint32_t)bitrate->nTargetBitrate;
    video_of(component, OUTPUT)->nBitrate = bitrate->nTargetBitrate;
    return OMX_ErrorNone;
}

OMX_ERRORTYPE get_quantization(struct component *component, void *structure)
{
    OMX_VIDEO_PARAM_QUANTIZATIONTYPE *quantization = structure;

    quantization->nQpI = quantization->nQpP = quantization->nQpB = component->settings.quantizer;
    return OMX_ErrorNone;
}

/* One quantizer for all pictures, in the codec's own scale; it counts while the rate control is disabled. */
OMX_ERRORTYPE set_quantization(struct component *component, const void *structure)
{
    const OMX_VIDEO_PARAM_QUANTIZATIONTYPE *quantization = structure;
    OMX_ERRORTYPE result = change(component);

    if (result == OMX_ErrorNone)
        component->settings.quantizer = (uint32_t)quantization->nQpI;
    return result;
}

/* --- while it runs ----------------------------------------------------------------------------------------------- */

OMX_ERRORTYPE get_config_bitrate(struct component *component, void *structure)
{
    OMX_VIDEO_CONFIG_BITRATETYPE *bitrate = structure;

    bitrate->nEncodeBitrate = component->settings.bitrate;
    return OMX_ErrorNone;
}

OMX_ERRORTYPE set_config_bitrate(struct component *component, const void *structure)
{
    const OMX_VIDEO_CONFIG_BITRATETYPE *bitrate = structure;
    bool able = component->entry.capability.flags & PARACORE_CAPABILITY_FLAG_BITRATE_CHANGE &&
                component->settings.bitrate && component->settings.rate_control != OMX_Video_ControlRateDisable;

    if (bitrate->nEncodeBitrate == 0 || bitrate->nEncodeBitrate > INT32_MAX || (component->fed && !able))
        return OMX_ErrorUnsupportedSetting;
    component->settings.bitrate = (uint32_t)bitrate->nEncodeBitrate;
    video_of(component, OUTPUT)->nBitrate = bitrate->nEncodeBitrate;
    if (component->fed)
        component->rate_changed = true;
    else
        component->changed_settings = true;
    return OMX_ErrorNone;
}

OMX_ERRORTYPE get_framerate(struct component *component, void *structure)
{
    OMX_CONFIG_FRAMERATETYPE *rate = structure;

    rate->xEncodeFramerate = video_of(component, INPUT)->xFramerate;
    return OMX_ErrorNone;
}

OMX_ERRORTYPE set_framerate(struct component *component, const void *structure)
{
    const OMX_CONFIG_FRAMERATETYPE *rate = structure;
    OMX_PARAM_PORTDEFINITIONTYPE wanted = component->ports[INPUT].definition;

    if (rate->xEncodeFramerate == wanted.format.video.xFramerate)
        return OMX_ErrorNone;
    if (component->fed || rate->xEncodeFramerate > UINT32_MAX)
        return OMX_ErrorUnsupportedSetting;
    wanted.format.video.xFramerate = rate->xEncodeFramerate;
    return port_define(component, &wanted);
}

OMX_ERRORTYPE get_key_frame(struct component *component, void *structure)
{
    OMX_CONFIG_INTRAREFRESHVOPTYPE *refresh = structure;

    refresh->IntraRefreshVOP = component->force_key ? OMX_TRUE : OMX_FALSE;
    return OMX_ErrorNone;
}

OMX_ERRORTYPE set_key_frame(struct component *component, const void *structure)
{
    const OMX_CONFIG_INTRAREFRESHVOPTYPE *refresh = structure;

    component->force_key = refresh->IntraRefreshVOP != OMX_FALSE;
    return OMX_ErrorNone;
}
