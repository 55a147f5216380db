/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /dev/mediaN: the media controller device that the kernel's codecs have beside their node (v4l2-mem2mem.c,
 * v4l2_m2m_register_media_controller()). From it a program learns, without trying, that a node is a decoder or an
 * encoder. The graph is the same for all: source -> proc -> sink, of which the first and the last are the node's two
 * queues. Nothing in it can be changed.
 */
#ifndef PARACORE_SHIMS_V4L2_MEDIA_H
#define PARACORE_SHIMS_V4L2_MEDIA_H

#include <linux/media.h>

#include "internal.h"

ioctl_handler media_device_info, media_enum_entities, media_enum_links, media_setup_link, media_topology;

/* Rows of ioctl.c's table. No REQUEST_ALLOC: requests are for codecs without a state, ENOTTY for all others. */
#define MEDIA_ROWS \
    {MEDIA_IOC_DEVICE_INFO, media_device_info, 0, 0, MEDIA, {SAME, 0}}, \
    {MEDIA_IOC_ENUM_ENTITIES, media_enum_entities, UP_TO(media_entity_desc, id), 0, MEDIA, {SAME, 0}}, \
    {MEDIA_IOC_ENUM_LINKS, media_enum_links, UP_TO(media_links_enum, links), 0, MEDIA, {SAME, 0}}, \
    {MEDIA_IOC_SETUP_LINK, media_setup_link, UP_TO(media_link_desc, flags), 0, MEDIA, {SAME, 0}}, \
    {MEDIA_IOC_G_TOPOLOGY, media_topology, 0, 0, MEDIA, {SAME, 0}},

#endif
