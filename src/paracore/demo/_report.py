# SPDX-License-Identifier: Apache-2.0
"""What a run of the demo has found, as it is printed and written to ``report.json``."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from paracore.demo._plain import libav_versions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from paracore.demo._run import Run

__all__ = ["ClipResult", "DomainResult", "Report", "Thumbnail", "count_different", "machine"]


@dataclass(frozen=True)
class Thumbnail:
    """A small picture for the contact sheet: packed RGB."""

    seconds: float
    width: int
    height: int
    rgb: bytes


@dataclass
class ClipResult:
    """One clip in one domain, and the same clip by plain libav beside it."""

    clip: str
    pictures: int
    different: int
    thumbnails: list[Thumbnail]
    runs: list[Run] = field(default_factory=list)
    plain_runs: list[Run] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Frames per second, the median of the runs."""
        return median(run.rate for run in self.runs)

    @property
    def ratio(self) -> float:
        """Frames per second through paracore for each of plain libav's: the median of the rounds."""
        return median(plain.seconds / run.seconds for run, plain in zip(self.runs, self.plain_runs, strict=True))

    @property
    def first_picture(self) -> float:
        """Seconds from having no channel to the first picture."""
        return median(run.first_picture for run in self.runs)

    @property
    def plain_first_picture(self) -> float:
        """Seconds from opening the codec to the first picture, plain libav."""
        return median(run.first_picture for run in self.plain_runs)

    def facts(self) -> dict[str, object]:
        """As it stands in the report."""
        return {
            "clip": self.clip,
            "pictures": self.pictures,
            "different": self.different,
            "frames_per_second": round(self.rate, 1),
            "ratio": round(self.ratio, 4),
            "first_picture_ms": round(self.first_picture * 1e3, 2),
            "plain_first_picture_ms": round(self.plain_first_picture * 1e3, 2),
            "runs": [_times(run) for run in self.runs],
            "plain_runs": [_times(run) for run in self.plain_runs],
        }


@dataclass
class DomainResult:
    """One domain: who it was, what it found out about its cell, what it decoded."""

    name: str
    who: dict[str, int]
    cell: dict[str, bool]
    clips: list[ClipResult]

    @property
    def pictures(self) -> int:
        """Pictures that it decoded for the comparison."""
        return sum(clip.pictures for clip in self.clips)

    @property
    def different(self) -> int:
        """Pictures that were not plain libav's, or missing, or too many."""
        return sum(clip.different for clip in self.clips)

    def facts(self) -> dict[str, object]:
        """As it stands in the report."""
        return {
            "name": self.name,
            **self.who,
            "confined": all(self.cell.values()),
            "cell": self.cell,
            "pictures": self.pictures,
            "different": self.different,
            "clips": [clip.facts() for clip in self.clips],
        }


@dataclass
class Report:
    """The whole run."""

    device: str
    threads: int
    domains: list[DomainResult]
    pixel_copies: int
    encodings: list[dict[str, object]] = field(default_factory=list)
    """What was encoded as well, each with the number of packets and pictures that ``different``."""

    @property
    def pictures(self) -> int:
        """Pictures compared."""
        return sum(domain.pictures for domain in self.domains)

    @property
    def different(self) -> int:
        """Pictures that differ."""
        return sum(domain.different for domain in self.domains)

    @property
    def ok(self) -> bool:
        """Each picture and packet right, no copy, each domain confined."""
        confined = all(all(domain.cell.values()) for domain in self.domains)
        encoded = all(encoding["packets"] and not encoding["different"] for encoding in self.encodings)
        return confined and encoded and self.pictures > 0 and self.different == self.pixel_copies == 0

    def write(self, path: Path) -> None:
        """Writes it as JSON."""
        facts = {
            "ok": self.ok,
            "pictures": self.pictures,
            "different": self.different,
            "pixel_copies": self.pixel_copies,
            "device": self.device,
            "threads": self.threads,
            "domains": [domain.facts() for domain in self.domains],
            "encodings": self.encodings,
            "versions": libav_versions() | {"python": platform.python_version()},
            "machine": machine(),
        }
        path.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def count_different(hashes: Sequence[str], expected: Sequence[str]) -> int:
    """How many pictures differ, place by place; a missing one and one too many count as well."""
    return sum(one != other for one, other in zip_longest(hashes, expected))


def _times(run: Run) -> dict[str, float]:
    return {"seconds": round(run.seconds, 6), "first_picture": round(run.first_picture, 6)}


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    return {
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "processor": _processor(),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith(("model name", "Model")):
            return line.partition(":")[2].strip()
    return platform.processor()
