/* SPDX-License-Identifier: Apache-2.0 */
/* Whom the rows of index_table.c name. A getter fills in what follows nPortIndex; both run with the lock held. */
#ifndef PARACORE_SHIMS_OMX_PARAMETERS_H
#define PARACORE_SHIMS_OMX_PARAMETERS_H

#include "omx.h"

/* --- parameters.c --- */
OMX_ERRORTYPE get_no_ports(struct component *component, void *structure);
OMX_ERRORTYPE get_video_ports(struct component *component, void *structure);
OMX_ERRORTYPE get_role(struct component *component, void *structure);
OMX_ERRORTYPE set_role(struct component *component, const void *structure);
OMX_ERRORTYPE get_definition(struct component *component, void *structure);
OMX_ERRORTYPE set_definition(struct component *component, const void *structure);
OMX_ERRORTYPE get_supplier(struct component *component, void *structure);
OMX_ERRORTYPE set_supplier(struct component *component, const void *structure);
OMX_ERRORTYPE get_crop(struct component *component, void *structure);
OMX_ERRORTYPE get_statistics(struct component *component, void *structure);

/* --- codings.c --- */
OMX_ERRORTYPE get_port_format(struct component *component, void *structure);
OMX_ERRORTYPE set_port_format(struct component *component, const void *structure);
OMX_ERRORTYPE get_bitrate(struct component *component, void *structure);
OMX_ERRORTYPE set_bitrate(struct component *component, const void *structure);
OMX_ERRORTYPE get_quantization(struct component *component, void *structure);
OMX_ERRORTYPE set_quantization(struct component *component, const void *structure);
OMX_ERRORTYPE get_avc(struct component *component, void *structure);
OMX_ERRORTYPE set_avc(struct component *component, const void *structure);
OMX_ERRORTYPE get_supported_level(struct component *component, void *structure);
OMX_ERRORTYPE get_level(struct component *component, void *structure);
OMX_ERRORTYPE set_level(struct component *component, const void *structure);
OMX_ERRORTYPE get_config_bitrate(struct component *component, void *structure);
OMX_ERRORTYPE set_config_bitrate(struct component *component, const void *structure);
OMX_ERRORTYPE get_framerate(struct component *component, void *structure);
OMX_ERRORTYPE set_framerate(struct component *component, const void *structure);
OMX_ERRORTYPE get_key_frame(struct component *component, void *structure);
OMX_ERRORTYPE set_key_frame(struct component *component, const void *structure);
OMX_ERRORTYPE get_intra_period(struct component *component, void *structure);
OMX_ERRORTYPE set_intra_period(struct component *component, const void *structure);

#endif
