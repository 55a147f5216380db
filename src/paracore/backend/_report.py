# SPDX-License-Identifier: Apache-2.0
"""What a worker says of itself. The supervisor reads it as it reads anything of a worker's: as hostile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from paracore.backend._tally import sums

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paracore.backend._books import Books
    from paracore.backend._channel import Channel
    from paracore.backend._session import Session
    from paracore.transport import LoopStatistics

__all__ = ["report"]


def report(books: Books, channels: Iterable[Channel], loop: LoopStatistics) -> dict[str, Any]:
    """What the worker holds now and has done so far."""
    channels = list(channels)
    live = (session for channel in channels for session in channel.sessions.values() if session.descriptor >= 0)
    return {
        "sessions": books.sessions,
        "buffers": books.buffers,
        "counts": sums(books, live),
        "loop": loop._asdict(),
        "channels": [_channel(books, channel) for channel in channels],
    }


def _channel(books: Books, channel: Channel) -> dict[str, Any]:
    return {
        "channel": channel.number,
        "buffers": len(channel.buffers),
        "bytes": sum(buffer.mapping.length for buffer in channel.buffers.values()),
        "outstanding": channel.outstanding,
        "sessions": [_session(books, session) for session in channel.sessions.values()],
    }


def _session(books: Books, session: Session) -> dict[str, Any]:
    return {
        "session": session.number,
        "device": books.devices[session.call.device].name,
        "codec": session.call.codec.name.lower(),
        "direction": session.call.direction.name.lower(),
        "state": session.state.value,
        "inputs_queued": len(session.inputs),
        "outputs_queued": len(session.outputs),
        "inputs_done": session.inputs_done,
        "outputs_ready": session.outputs_ready,
        "errors": session.errors,
        "octets_in": session.octets_in,
        "octets_out": session.octets_out,
        "buffers": session.buffers,
        "device_ms": session.driver.worked // 1_000_000,
        "waited_ms": session.driver.waited // 1_000_000,
        "copies": session.driver.copies,
    }
