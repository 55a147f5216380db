# SPDX-License-Identifier: Apache-2.0
"""What a worker says of itself. The supervisor reads it as it reads anything of a worker's: as hostile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from paracore.backend._report_rows import ChannelRow, Report, SessionRow
from paracore.backend._tally import sums

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from paracore.backend._books import Books
    from paracore.backend._channel import Channel
    from paracore.backend._session import Session
    from paracore.transport import LoopStatistics

__all__ = ["report_octets", "report_of"]


def report_octets(report: Report, most: int) -> bytes:
    """As it is sent, in no more than that: what has no room is left out, and how much that is stands there."""
    while len(octets := msgspec.json.encode(report)) > most and report.channels:
        report = _shortened(report)
    return octets


def report_of(books: Books, channels: Iterable[Channel], loop: LoopStatistics) -> Report:
    """What the worker holds now and has done so far."""
    channels = list(channels)
    live = (session for channel in channels for session in channel.sessions.values() if session.descriptor >= 0)
    return Report(
        sessions=books.sessions,
        buffers=books.buffers,
        truncated=0,
        counts=sums(books, live),
        loop=loop._asdict(),
        channels=[_channel(books, channel) for channel in channels],
    )


def _shortened(report: Report) -> Report:
    """Without an eighth of its sessions, those of the youngest channels; without channels when none is left."""
    there = sum(len(channel.sessions) for channel in report.channels)
    keep = there * 7 // 8
    channels = _first(report.channels, keep) if there else []
    return msgspec.structs.replace(report, truncated=report.truncated + there - keep, channels=channels)


def _first(channels: Sequence[ChannelRow], keep: int) -> list[ChannelRow]:
    kept = []
    for channel in channels:
        kept.append(channel._replace(sessions=channel.sessions[:keep]))
        keep -= len(kept[-1].sessions)
    return kept


def _channel(books: Books, channel: Channel) -> ChannelRow:
    return ChannelRow(
        channel=channel.number,
        buffers=len(channel.buffers),
        bytes=sum(buffer.mapping.length for buffer in channel.buffers.values()),
        outstanding=channel.outstanding,
        sessions=[_session(books, session) for session in channel.sessions.values()],
    )


def _session(books: Books, session: Session) -> SessionRow:
    return SessionRow(
        session=session.number,
        device=books.devices[session.call.device].name,
        codec=session.call.codec.name.lower(),
        direction=session.call.direction.name.lower(),
        state=session.state.value,
        inputs_queued=len(session.inputs),
        outputs_queued=len(session.outputs),
        inputs_done=session.inputs_done,
        outputs_ready=session.outputs_ready,
        errors=session.errors,
        octets_in=session.octets_in,
        octets_out=session.octets_out,
        buffers=session.buffers,
        device_ms=session.driver.worked // 1_000_000,
        waited_ms=session.driver.waited // 1_000_000,
        copies=session.driver.copies,
    )
