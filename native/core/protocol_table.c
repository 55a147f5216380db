/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules of every payload and the table of opcodes.
 *
 * Made by codegen from specs/paracore.toml; do not edit.
 * To make it again: make gen
 */
#include "protocol_table.h"

static const uint64_t set_error[] = {UINT64_C(0x10491826), UINT64_C(0x2000400080000080)};
static const uint64_t set_limit[] = {UINT64_C(0xff), UINT64_C(0x0)};
static const uint64_t set_device_class[] = {UINT64_C(0x2), UINT64_C(0x0)};
static const uint64_t set_codec[] = {UINT64_C(0x3fe), UINT64_C(0x0)};
static const uint64_t set_direction[] = {UINT64_C(0x6), UINT64_C(0x0)};
static const uint64_t set_pixel_format[] = {UINT64_C(0x3ffff), UINT64_C(0x0)};
static const uint64_t set_field_order[] = {UINT64_C(0xf), UINT64_C(0x0)};
static const uint64_t set_picture_type[] = {UINT64_C(0xf), UINT64_C(0x0)};
static const uint64_t set_control[] = {UINT64_C(0x7fe), UINT64_C(0x0)};
static const uint64_t set_refusal[] = {UINT64_C(0x1ff), UINT64_C(0x0)};
static const uint64_t set_open_flag[] = {UINT64_C(0x1)};
static const uint64_t set_buffer_flag[] = {UINT64_C(0x1)};
static const uint64_t set_input_flag[] = {UINT64_C(0x3)};
static const uint64_t set_output_flag[] = {UINT64_C(0x7f)};
static const uint64_t set_change_flag[] = {UINT64_C(0x7)};
static const uint64_t set_capability_flag[] = {UINT64_C(0xf)};

static const struct paracore_rule rules_core_device_query[] = {
    {PARACORE_RULE_ZERO, 4, 4, NULL},
};

static const struct paracore_rule rules_core_device_query_reply[] = {
    {PARACORE_RULE_TEXT, 0, 32, NULL},
    {PARACORE_RULE_TEXT, 32, 32, NULL},
    {PARACORE_RULE_ENUM, 64, 4, set_device_class},
};

static const struct paracore_rule rules_core_buffer_attach[] = {
    {PARACORE_RULE_FLAGS, 4, 4, set_buffer_flag},
};

static const struct paracore_rule rules_core_buffer_attach_reply[] = {
    {PARACORE_RULE_ZERO, 4, 4, NULL},
};

static const struct paracore_rule rules_core_buffer_detach[] = {
    {PARACORE_RULE_ZERO, 4, 4, NULL},
};

static const struct paracore_rule rules_core_post_failed[] = {
    {PARACORE_RULE_ENUM, 8, 4, set_error},
    {PARACORE_RULE_ENUM, 12, 4, set_limit},
};

static const struct paracore_rule rules_video_capability_query_reply[] = {
    {PARACORE_RULE_ENUM, 0, 4, set_codec},
    {PARACORE_RULE_ENUM, 4, 4, set_direction},
    {PARACORE_RULE_FLAGS, 8, 4, set_capability_flag},
    {PARACORE_RULE_ZERO, 20, 4, NULL},
};

static const struct paracore_rule rules_video_open[] = {
    {PARACORE_RULE_ENUM, 4, 4, set_codec},
    {PARACORE_RULE_ENUM, 8, 4, set_direction},
    {PARACORE_RULE_FLAGS, 12, 4, set_open_flag},
};

static const struct paracore_rule rules_video_open_reply[] = {
    {PARACORE_RULE_ZERO, 4, 4, NULL},
};

static const struct paracore_rule rules_video_format_get_reply[] = {
    {PARACORE_RULE_ENUM, 0, 4, set_pixel_format},
    {PARACORE_RULE_ENUM, 76, 4, set_field_order},
    {PARACORE_RULE_ZERO, 85, 3, NULL},
};

static const struct paracore_rule rules_video_format_set[] = {
    {PARACORE_RULE_ENUM, 0, 4, set_pixel_format},
    {PARACORE_RULE_ENUM, 76, 4, set_field_order},
    {PARACORE_RULE_ZERO, 85, 3, NULL},
};

static const struct paracore_rule rules_video_format_set_reply[] = {
    {PARACORE_RULE_ENUM, 0, 4, set_pixel_format},
    {PARACORE_RULE_ENUM, 76, 4, set_field_order},
    {PARACORE_RULE_ZERO, 85, 3, NULL},
};

static const struct paracore_rule rules_video_control_get[] = {
    {PARACORE_RULE_ENUM, 0, 4, set_control},
    {PARACORE_RULE_ZERO, 4, 4, NULL},
};

static const struct paracore_rule rules_video_control_set[] = {
    {PARACORE_RULE_ENUM, 0, 4, set_control},
    {PARACORE_RULE_ZERO, 4, 4, NULL},
};

static const struct paracore_rule rules_video_queue_input[] = {
    {PARACORE_RULE_FLAGS, 20, 4, set_input_flag},
};

static const struct paracore_rule rules_video_queue_output[] = {
    {PARACORE_RULE_ZERO, 20, 4, NULL},
};

static const struct paracore_rule rules_video_output_ready[] = {
    {PARACORE_RULE_FLAGS, 4, 4, set_output_flag},
    {PARACORE_RULE_ENUM, 40, 4, set_picture_type},
    {PARACORE_RULE_ZERO, 60, 4, NULL},
};

static const struct paracore_rule rules_video_source_change[] = {
    {PARACORE_RULE_FLAGS, 4, 4, set_change_flag},
    {PARACORE_RULE_ENUM, 8, 4, set_pixel_format},
    {PARACORE_RULE_ENUM, 84, 4, set_field_order},
    {PARACORE_RULE_ZERO, 93, 3, NULL},
};

static const struct paracore_rule rules_video_session_failed[] = {
    {PARACORE_RULE_ENUM, 0, 4, set_error},
    {PARACORE_RULE_ENUM, 4, 4, set_limit},
};

static const struct paracore_rule rules_link_hello_reply[] = {
    {PARACORE_RULE_ZERO, 4, 4, NULL},
    {PARACORE_RULE_TEXT, 8, 32, NULL},
};

static const struct paracore_rule rules_link_channel_open[] = {
    {PARACORE_RULE_ZERO, 4, 4, NULL},
};

static const struct paracore_rule rules_link_channel_open_reply[] = {
    {PARACORE_RULE_ZERO, 12, 4, NULL},
};

static const struct paracore_rule rules_link_grant[] = {
    {PARACORE_RULE_FLAGS, 8, 4, set_buffer_flag},
    {PARACORE_RULE_ZERO, 12, 4, NULL},
};

static const struct paracore_rule rules_link_grant_reply[] = {
    {PARACORE_RULE_ZERO, 4, 4, NULL},
};

static const struct paracore_rule rules_link_revoke[] = {
    {PARACORE_RULE_ZERO, 4, 4, NULL},
};

static const struct paracore_rule rules_link_goodbye[] = {
    {PARACORE_RULE_ENUM, 0, 4, set_refusal},
    {PARACORE_RULE_ENUM, 4, 4, set_limit},
};

static const struct paracore_rule rules_link_configure[] = {
    {PARACORE_RULE_ZERO, 4, 4, NULL},
};

static const struct paracore_rule rules_link_configure_reply[] = {
    {PARACORE_RULE_ZERO, 4, 4, NULL},
};

static const struct paracore_rule rules_link_trace[] = {
    {PARACORE_RULE_TEXT, 0, 32, NULL},
};

static const struct paracore_rule rules_link_trace_reply[] = {
    {PARACORE_RULE_ZERO, 4, 4, NULL},
    {PARACORE_RULE_TEXT, 8, 32, NULL},
};

static const struct paracore_rule rules_worker_channel_add[] = {
    {PARACORE_RULE_ZERO, 12, 4, NULL},
};

static const struct paracore_rule rules_worker_channel_remove[] = {
    {PARACORE_RULE_ZERO, 4, 4, NULL},
};

static const struct paracore_rule rules_worker_map[] = {
    {PARACORE_RULE_FLAGS, 16, 4, set_buffer_flag},
    {PARACORE_RULE_ZERO, 20, 4, NULL},
};

static const struct paracore_rule rules_worker_channel_removed[] = {
    {PARACORE_RULE_ZERO, 4, 4, NULL},
};

static const struct paracore_rule rules_worker_device_want[] = {
    {PARACORE_RULE_ZERO, 4, 4, NULL},
};

static const struct paracore_rule rules_worker_device_release[] = {
    {PARACORE_RULE_ZERO, 12, 4, NULL},
};

static const struct paracore_rule rules_worker_device_reset[] = {
    {PARACORE_RULE_ZERO, 4, 4, NULL},
};

static const struct paracore_rule rules_worker_device_rest[] = {
    {PARACORE_RULE_ZERO, 4, 4, NULL},
};

static const struct paracore_rule rules_worker_device_at[] = {
    {PARACORE_RULE_ZERO, 4, 4, NULL},
};

static const struct paracore_rule rules_worker_device_pace[] = {
    {PARACORE_RULE_ZERO, 4, 4, NULL},
};

static const struct paracore_rule rules_worker_trace[] = {
    {PARACORE_RULE_ZERO, 4, 4, NULL},
};

static const struct paracore_rule rules_worker_device_used[] = {
    {PARACORE_RULE_ZERO, 4, 4, NULL},
};

static const struct paracore_rule rules_bridge_connect_reply[] = {
    {PARACORE_RULE_ZERO, 4, 4, NULL},
    {PARACORE_RULE_TEXT, 8, 32, NULL},
};

static const struct paracore_rule rules_bridge_channel_open[] = {
    {PARACORE_RULE_ZERO, 12, 4, NULL},
};

static const struct paracore_rule rules_bridge_channel_open_reply[] = {
    {PARACORE_RULE_ZERO, 4, 4, NULL},
};

static const struct paracore_rule rules_bridge_grant[] = {
    {PARACORE_RULE_FLAGS, 4, 4, set_buffer_flag},
    {PARACORE_RULE_ZERO, 20, 4, NULL},
};

static const struct paracore_rule rules_bridge_revoke[] = {
    {PARACORE_RULE_ZERO, 4, 4, NULL},
};

static const struct paracore_rule rules_bridge_goodbye[] = {
    {PARACORE_RULE_ENUM, 0, 4, set_refusal},
    {PARACORE_RULE_ENUM, 4, 4, set_limit},
};

static const struct paracore_rule rules_failure[] = {
    {PARACORE_RULE_ENUM, 0, 4, set_error},
    {PARACORE_RULE_ENUM, 4, 4, set_limit},
};

const struct paracore_layout paracore_failure_layout = {16, false, 0, 2, rules_failure};

const struct paracore_message_info paracore_messages[PARACORE_MESSAGE_COUNT] = {
    {PARACORE_OP_CORE_PING, PARACORE_CLASS_CORE, PARACORE_MESSAGE_KIND_CALL, true, "core.ping",
     {8, false, 0, 0, NULL},
     {8, false, 0, 0, NULL}},
    {PARACORE_OP_CORE_DEVICE_QUERY, PARACORE_CLASS_CORE, PARACORE_MESSAGE_KIND_CALL, false, "core.device_query",
     {8, false, 0, 1, rules_core_device_query},
     {72, false, 0, 3, rules_core_device_query_reply}},
    {PARACORE_OP_CORE_BUFFER_ATTACH, PARACORE_CLASS_CORE, PARACORE_MESSAGE_KIND_CALL, false, "core.buffer_attach",
     {16, false, 0, 1, rules_core_buffer_attach},
     {8, false, 0, 1, rules_core_buffer_attach_reply}},
    {PARACORE_OP_CORE_BUFFER_DETACH, PARACORE_CLASS_CORE, PARACORE_MESSAGE_KIND_CALL, false, "core.buffer_detach",
     {8, false, 0, 1, rules_core_buffer_detach},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_CORE_LIMITS_QUERY, PARACORE_CLASS_CORE, PARACORE_MESSAGE_KIND_CALL, false, "core.limits_query",
     {0, false, 0, 0, NULL},
     {24, false, 0, 0, NULL}},
    {PARACORE_OP_CORE_POST_FAILED, PARACORE_CLASS_CORE, PARACORE_MESSAGE_KIND_EVENT, false, "core.post_failed",
     {16, false, 0, 2, rules_core_post_failed},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_VIDEO_CAPABILITY_QUERY, PARACORE_CLASS_VIDEO, PARACORE_MESSAGE_KIND_CALL, false, "video.capability_query",
     {8, false, 0, 0, NULL},
     {40, false, 0, 4, rules_video_capability_query_reply}},
    {PARACORE_OP_VIDEO_OPEN, PARACORE_CLASS_VIDEO, PARACORE_MESSAGE_KIND_CALL, false, "video.open",
     {16, false, 0, 3, rules_video_open},
     {8, false, 0, 1, rules_video_open_reply}},
    {PARACORE_OP_VIDEO_CLOSE, PARACORE_CLASS_VIDEO, PARACORE_MESSAGE_KIND_CALL, false, "video.close",
     {0, false, 0, 0, NULL},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_VIDEO_FORMAT_GET, PARACORE_CLASS_VIDEO, PARACORE_MESSAGE_KIND_CALL, false, "video.format_get",
     {0, false, 0, 0, NULL},
     {104, false, 0, 3, rules_video_format_get_reply}},
    {PARACORE_OP_VIDEO_FORMAT_SET, PARACORE_CLASS_VIDEO, PARACORE_MESSAGE_KIND_CALL, false, "video.format_set",
     {104, false, 0, 3, rules_video_format_set},
     {104, false, 0, 3, rules_video_format_set_reply}},
    {PARACORE_OP_VIDEO_CONTROL_GET, PARACORE_CLASS_VIDEO, PARACORE_MESSAGE_KIND_CALL, false, "video.control_get",
     {8, false, 0, 2, rules_video_control_get},
     {8, false, 0, 0, NULL}},
    {PARACORE_OP_VIDEO_CONTROL_SET, PARACORE_CLASS_VIDEO, PARACORE_MESSAGE_KIND_CALL, false, "video.control_set",
     {16, false, 0, 2, rules_video_control_set},
     {8, false, 0, 0, NULL}},
    {PARACORE_OP_VIDEO_QUEUE_INPUT, PARACORE_CLASS_VIDEO, PARACORE_MESSAGE_KIND_POST, false, "video.queue_input",
     {40, false, 0, 1, rules_video_queue_input},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_VIDEO_QUEUE_OUTPUT, PARACORE_CLASS_VIDEO, PARACORE_MESSAGE_KIND_POST, false, "video.queue_output",
     {24, false, 0, 1, rules_video_queue_output},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_VIDEO_DRAIN, PARACORE_CLASS_VIDEO, PARACORE_MESSAGE_KIND_POST, false, "video.drain",
     {0, false, 0, 0, NULL},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_VIDEO_FLUSH, PARACORE_CLASS_VIDEO, PARACORE_MESSAGE_KIND_CALL, false, "video.flush",
     {0, false, 0, 0, NULL},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_VIDEO_RECALL, PARACORE_CLASS_VIDEO, PARACORE_MESSAGE_KIND_CALL, false, "video.recall",
     {0, false, 0, 0, NULL},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_VIDEO_INPUT_DONE, PARACORE_CLASS_VIDEO, PARACORE_MESSAGE_KIND_EVENT, false, "video.input_done",
     {8, false, 0, 0, NULL},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_VIDEO_OUTPUT_READY, PARACORE_CLASS_VIDEO, PARACORE_MESSAGE_KIND_EVENT, false, "video.output_ready",
     {64, false, 0, 3, rules_video_output_ready},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_VIDEO_SOURCE_CHANGE, PARACORE_CLASS_VIDEO, PARACORE_MESSAGE_KIND_EVENT, false, "video.source_change",
     {112, false, 0, 4, rules_video_source_change},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_VIDEO_DRAINED, PARACORE_CLASS_VIDEO, PARACORE_MESSAGE_KIND_EVENT, false, "video.drained",
     {0, false, 0, 0, NULL},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_VIDEO_SESSION_FAILED, PARACORE_CLASS_VIDEO, PARACORE_MESSAGE_KIND_EVENT, false, "video.session_failed",
     {16, false, 0, 2, rules_video_session_failed},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_LINK_HELLO, PARACORE_CLASS_LINK, PARACORE_MESSAGE_KIND_CALL, false, "link.hello",
     {8, false, 0, 0, NULL},
     {40, false, 0, 2, rules_link_hello_reply}},
    {PARACORE_OP_LINK_CHANNEL_OPEN, PARACORE_CLASS_LINK, PARACORE_MESSAGE_KIND_CALL, false, "link.channel_open",
     {8, false, 0, 1, rules_link_channel_open},
     {16, false, 0, 1, rules_link_channel_open_reply}},
    {PARACORE_OP_LINK_GRANT, PARACORE_CLASS_LINK, PARACORE_MESSAGE_KIND_CALL, false, "link.grant",
     {16, false, 0, 2, rules_link_grant},
     {8, false, 0, 1, rules_link_grant_reply}},
    {PARACORE_OP_LINK_REVOKE, PARACORE_CLASS_LINK, PARACORE_MESSAGE_KIND_CALL, false, "link.revoke",
     {8, false, 0, 1, rules_link_revoke},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_LINK_STATUS, PARACORE_CLASS_LINK, PARACORE_MESSAGE_KIND_CALL, false, "link.status",
     {0, false, 0, 0, NULL},
     {8, false, 0, 0, NULL}},
    {PARACORE_OP_LINK_GOODBYE, PARACORE_CLASS_LINK, PARACORE_MESSAGE_KIND_EVENT, false, "link.goodbye",
     {8, false, 0, 2, rules_link_goodbye},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_LINK_CONFIGURE, PARACORE_CLASS_LINK, PARACORE_MESSAGE_KIND_CALL, false, "link.configure",
     {8, true, 0, 1, rules_link_configure},
     {8, true, 0, 1, rules_link_configure_reply}},
    {PARACORE_OP_LINK_TRACE, PARACORE_CLASS_LINK, PARACORE_MESSAGE_KIND_CALL, false, "link.trace",
     {32, false, 0, 1, rules_link_trace},
     {40, false, 0, 2, rules_link_trace_reply}},
    {PARACORE_OP_WORKER_CHANNEL_ADD, PARACORE_CLASS_WORKER, PARACORE_MESSAGE_KIND_EVENT, false, "worker.channel_add",
     {16, false, 0, 1, rules_worker_channel_add},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_WORKER_CHANNEL_REMOVE, PARACORE_CLASS_WORKER, PARACORE_MESSAGE_KIND_EVENT, false, "worker.channel_remove",
     {8, false, 0, 1, rules_worker_channel_remove},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_WORKER_MAP, PARACORE_CLASS_WORKER, PARACORE_MESSAGE_KIND_CALL, false, "worker.map",
     {24, false, 0, 2, rules_worker_map},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_WORKER_UNMAP, PARACORE_CLASS_WORKER, PARACORE_MESSAGE_KIND_EVENT, false, "worker.unmap",
     {8, false, 0, 0, NULL},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_WORKER_VIOLATION, PARACORE_CLASS_WORKER, PARACORE_MESSAGE_KIND_EVENT, false, "worker.violation",
     {8, true, 4, 0, NULL},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_WORKER_REPORT, PARACORE_CLASS_WORKER, PARACORE_MESSAGE_KIND_CALL, false, "worker.report",
     {0, false, 0, 0, NULL},
     {8, false, 0, 0, NULL}},
    {PARACORE_OP_WORKER_CHANNEL_REMOVED, PARACORE_CLASS_WORKER, PARACORE_MESSAGE_KIND_EVENT, false, "worker.channel_removed",
     {8, false, 0, 1, rules_worker_channel_removed},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_WORKER_DEVICE_WANT, PARACORE_CLASS_WORKER, PARACORE_MESSAGE_KIND_EVENT, false, "worker.device_want",
     {8, false, 0, 1, rules_worker_device_want},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_WORKER_DEVICE_LEASE, PARACORE_CLASS_WORKER, PARACORE_MESSAGE_KIND_EVENT, false, "worker.device_lease",
     {16, false, 0, 0, NULL},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_WORKER_DEVICE_RELEASE, PARACORE_CLASS_WORKER, PARACORE_MESSAGE_KIND_EVENT, false, "worker.device_release",
     {16, false, 0, 1, rules_worker_device_release},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_WORKER_DEVICE_HANG, PARACORE_CLASS_WORKER, PARACORE_MESSAGE_KIND_EVENT, false, "worker.device_hang",
     {8, false, 0, 0, NULL},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_WORKER_DEVICE_RESET, PARACORE_CLASS_WORKER, PARACORE_MESSAGE_KIND_EVENT, false, "worker.device_reset",
     {8, false, 0, 1, rules_worker_device_reset},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_WORKER_DEVICE_USE, PARACORE_CLASS_WORKER, PARACORE_MESSAGE_KIND_EVENT, false, "worker.device_use",
     {8, false, 0, 0, NULL},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_WORKER_DEVICE_REST, PARACORE_CLASS_WORKER, PARACORE_MESSAGE_KIND_EVENT, false, "worker.device_rest",
     {8, false, 0, 1, rules_worker_device_rest},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_WORKER_DEVICE_AT, PARACORE_CLASS_WORKER, PARACORE_MESSAGE_KIND_EVENT, false, "worker.device_at",
     {8, false, 0, 1, rules_worker_device_at},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_WORKER_RESERVE, PARACORE_CLASS_WORKER, PARACORE_MESSAGE_KIND_CALL, false, "worker.reserve",
     {16, false, 0, 0, NULL},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_WORKER_DEVICE_PACE, PARACORE_CLASS_WORKER, PARACORE_MESSAGE_KIND_EVENT, false, "worker.device_pace",
     {16, false, 0, 1, rules_worker_device_pace},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_WORKER_DRAIN, PARACORE_CLASS_WORKER, PARACORE_MESSAGE_KIND_EVENT, false, "worker.drain",
     {0, false, 0, 0, NULL},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_WORKER_DRAINED, PARACORE_CLASS_WORKER, PARACORE_MESSAGE_KIND_EVENT, false, "worker.drained",
     {0, false, 0, 0, NULL},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_WORKER_TRACE, PARACORE_CLASS_WORKER, PARACORE_MESSAGE_KIND_EVENT, false, "worker.trace",
     {8, false, 0, 1, rules_worker_trace},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_WORKER_DEVICE_USED, PARACORE_CLASS_WORKER, PARACORE_MESSAGE_KIND_EVENT, false, "worker.device_used",
     {16, false, 0, 1, rules_worker_device_used},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_WORKER_RATES, PARACORE_CLASS_WORKER, PARACORE_MESSAGE_KIND_EVENT, false, "worker.rates",
     {32, false, 0, 0, NULL},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_WORKER_RATES_OWED, PARACORE_CLASS_WORKER, PARACORE_MESSAGE_KIND_EVENT, false, "worker.rates_owed",
     {16, false, 0, 0, NULL},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_WORKER_COUNTED, PARACORE_CLASS_WORKER, PARACORE_MESSAGE_KIND_EVENT, false, "worker.counted",
     {104, false, 0, 0, NULL},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_BRIDGE_CONNECT, PARACORE_CLASS_BRIDGE, PARACORE_MESSAGE_KIND_CALL, false, "bridge.connect",
     {16, false, 0, 0, NULL},
     {40, false, 0, 2, rules_bridge_connect_reply}},
    {PARACORE_OP_BRIDGE_CHANNEL_OPEN, PARACORE_CLASS_BRIDGE, PARACORE_MESSAGE_KIND_CALL, false, "bridge.channel_open",
     {16, false, 0, 1, rules_bridge_channel_open},
     {8, false, 0, 1, rules_bridge_channel_open_reply}},
    {PARACORE_OP_BRIDGE_GRANT, PARACORE_CLASS_BRIDGE, PARACORE_MESSAGE_KIND_CALL, false, "bridge.grant",
     {24, false, 0, 2, rules_bridge_grant},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_BRIDGE_REVOKE, PARACORE_CLASS_BRIDGE, PARACORE_MESSAGE_KIND_CALL, false, "bridge.revoke",
     {8, false, 0, 1, rules_bridge_revoke},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_BRIDGE_DISCONNECT, PARACORE_CLASS_BRIDGE, PARACORE_MESSAGE_KIND_CALL, false, "bridge.disconnect",
     {0, false, 0, 0, NULL},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_BRIDGE_GOODBYE, PARACORE_CLASS_BRIDGE, PARACORE_MESSAGE_KIND_EVENT, false, "bridge.goodbye",
     {8, false, 0, 2, rules_bridge_goodbye},
     {0, false, 0, 0, NULL}},
    {PARACORE_OP_BRIDGE_PING, PARACORE_CLASS_BRIDGE, PARACORE_MESSAGE_KIND_CALL, false, "bridge.ping",
     {0, false, 0, 0, NULL},
     {0, false, 0, 0, NULL}},
};
