# SPDX-License-Identifier: Apache-2.0
"""How much the machine itself disturbed a run."""

from __future__ import annotations

from pathlib import Path

from bench._report import Result, of_value
from paracore.demo import libav_versions, machine

__all__ = ["Noise"]

# proc(5), /proc/stat: user nice system idle iowait irq softirq steal
_STEAL = 7


class Noise:
    """Processor time that the hypervisor gave to others since this object was made."""

    def __init__(self) -> None:
        self._before = _times()

    def result(self) -> Result:
        """Per cent of all processor time, with the machine and the versions that were measured."""
        passed = [after - before for after, before in zip(_times(), self._before, strict=True)]
        stolen = 100 * passed[_STEAL] / (sum(passed) or 1)
        return of_value("noise-steal", "%", stolen, machine=machine(), versions=libav_versions())


def _times() -> list[int]:
    line = Path("/proc/stat").read_text(encoding="ascii").splitlines()[0]
    return [int(word) for word in line.split()[1:9]]
