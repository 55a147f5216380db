# SPDX-License-Identifier: Apache-2.0
"""Timelines as numbers: how long units were where."""

from __future__ import annotations

from statistics import quantiles
from typing import TYPE_CHECKING, Any

from paracore.frontend._tracing._chrome import part_names

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paracore.frontend._tracing._timeline import SessionLine

__all__ = ["summary_of"]


def summary_of(lines: Sequence[SessionLine], devices: dict[str, list[str]]) -> list[dict[str, Any]]:
    """A row for each session; times in microseconds, the median and what one in a hundred exceeds."""
    return [_row(line, devices.get(line.domain, [])) for line in lines]


def _row(line: SessionLine, devices: list[str]) -> dict[str, Any]:
    parts: dict[str, list[int]] = {}
    for unit in line.units:
        for name, begin, end in part_names(unit):
            parts.setdefault(name, []).append(end - begin)
    return {
        "domain": line.domain or None,
        "channel": line.channel,
        "session": line.session,
        "device": line.device_name(devices) or None,
        "codec": line.codec or None,
        "direction": line.direction or None,
        "units": len(line.units),
        "pictures": sum(unit.has_picture for unit in line.units),
        "parts": {name: _times(times) for name, times in parts.items()},
    }


def _times(times: list[int]) -> dict[str, float]:
    cuts = quantiles(times, n=100, method="inclusive") if len(times) > 1 else times * 99
    return {"median_us": cuts[49] / 1000, "p99_us": cuts[98] / 1000}
