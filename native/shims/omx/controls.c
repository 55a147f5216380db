/* SPDX-License-Identifier: Apache-2.0 */
/* An encoder's settings in the wire's words. */
#include "omx.h"

enum { GOP_DEFAULT = 250, GOP_MAX = 100000, B_FRAMES_MAX = 16 };

void controls_defaults(struct settings *settings)
{
    *settings = (struct settings){.rate_control = OMX_Video_ControlRateVariable, .p_frames = GOP_DEFAULT - 1};
}

static bool has_bitrate(const struct settings *settings)
{
    return settings->rate_control != OMX_Video_ControlRateDisable && settings->bitrate;
}

static int64_t quality(const struct settings *settings)
{
    bool constant = settings->rate_control == OMX_Video_ControlRateDisable && settings->quantizer;

    return constant ? (int64_t)settings->quantizer : -1;
}

/* OpenMAX IL counts the pictures between two I pictures, and sets the IDR pictures among them apart; the device begins
 * anew with each of its I pictures. */
static int64_t gop(const struct settings *settings)
{
    uint32_t pictures = settings->p_frames + settings->b_frames + 1;

    if (settings->idr_period && settings->idr_period < pictures)
        pictures = settings->idr_period;
    return pictures > GOP_MAX ? GOP_MAX : pictures ? pictures : 1;
}

/* All B pictures between two I pictures, shared out between those that begin a group. */
static int64_t b_frames(const struct settings *settings)
{
    uint64_t groups = (uint64_t)settings->p_frames + 1;
    uint64_t in_a_row = (settings->b_frames + groups - 1) / groups;

    return in_a_row > B_FRAMES_MAX ? B_FRAMES_MAX : (int64_t)in_a_row;
}

static int64_t profile(const struct component *component)
{
    const struct codec *codec = component->entry.codec;

    for (uint32_t n = 0; n < codec->level_count; n++)
        if (codec->levels[n].profile == component->settings.profile)
            return codec->levels[n].control;
    return -1;
}

static void add(const struct component *component, struct controls *controls, uint32_t control, int64_t value)
{
    if (!(component->entry.capability.controls & BIT(control)))
        return;
    controls->list[controls->count].control = control;
    controls->list[controls->count++].value = value;
}

void controls_list(const struct component *component, struct controls *controls)
{
    const struct settings *settings = &component->settings;

    controls->count = 0;
    controls->low_delay = !settings->b_frames;
    add(component, controls, PARACORE_CONTROL_BITRATE, has_bitrate(settings) ? settings->bitrate : 0);
    add(component, controls, PARACORE_CONTROL_QUALITY, quality(settings));
    add(component, controls, PARACORE_CONTROL_GOP, gop(settings));
    add(component, controls, PARACORE_CONTROL_B_FRAMES, b_frames(settings));
    add(component, controls, PARACORE_CONTROL_PROFILE, profile(component));
}
