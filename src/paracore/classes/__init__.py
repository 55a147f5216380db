# SPDX-License-Identifier: Apache-2.0
"""The device classes as data: calls, replies, posts and events, each a typed tuple.

``core``, ``video``, ``link`` and ``worker`` are made by ``codegen`` from ``specs/paracore.toml``; a
module's ``MESSAGES`` has its messages by opcode. There is no table over all classes: which of them
may come over a ring and which over a socket is for the reader of that ring or socket to say.
"""

from __future__ import annotations

from paracore.classes._common import TraceEvent, TracePage, TraceRecord
from paracore.classes._payload import Kind, MessageType, Payload

__all__ = [
    "Kind",
    "MessageType",
    "Payload",
    "TraceEvent",
    "TracePage",
    "TraceRecord",
    "core",
    "link",
    "video",
    "worker",
]
