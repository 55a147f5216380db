# SPDX-License-Identifier: Apache-2.0
"""What a worker's report is made of: one description for who writes it and for who reads it and believes nothing of it.

On its way a row is an array, so that a pipe has room for some hundred sessions; in the status each field has its name.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import msgspec

__all__ = ["ChannelRow", "Report", "SessionRow"]

_Word = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9._-]{0,32}$")]
_Count = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]


class SessionRow(NamedTuple):
    """A session, as it is now and with what it has done."""

    session: _Count
    device: _Word
    codec: _Word
    direction: _Word
    state: _Word
    inputs_queued: _Count
    outputs_queued: _Count
    inputs_done: _Count
    outputs_ready: _Count
    errors: _Count
    octets_in: _Count
    octets_out: _Count
    buffers: _Count
    device_ms: _Count
    waited_ms: _Count
    copies: _Count


class ChannelRow(NamedTuple):
    """A channel and its sessions."""

    channel: _Count
    buffers: _Count
    bytes: _Count
    outstanding: _Count
    sessions: list[SessionRow]


class Report(msgspec.Struct, frozen=True):
    """All of it. `truncated` sessions are left out, for which there was no room."""

    sessions: _Count
    buffers: _Count
    truncated: _Count
    counts: dict[_Word, _Count]
    loop: dict[_Word, _Count]
    channels: list[ChannelRow]
