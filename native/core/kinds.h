/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PARACORE_KINDS_H
#define PARACORE_KINDS_H

#include "protocol_table.h"

/* True for a message that travels on rings. Classes from `link` on are those of the descriptor sockets. */
static inline bool paracore_is_for_rings(const struct paracore_message_info *info)
{
    return info && info->class_number < PARACORE_CLASS_LINK;
}

#endif
