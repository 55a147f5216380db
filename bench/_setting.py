# SPDX-License-Identifier: Apache-2.0
"""Where the benchmarks run: clips, programs, backends, domains.

Domains are told apart by their group: root starts each client in a group of its own, so that all can read this
tree. Without root there is one domain, the caller's, and what needs more is left out.
"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from paracore.demo import Backend, Clip, Member, Run, Runner, zoomed_clip

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["ROOT", "SCENE", "Job", "Setting", "run_all", "run_jobs", "run_rate"]

ROOT = Path(__file__).parents[1]
SCENE = 50
"""Pictures that each side decodes in its turn, again and again: 1080p takes a third of a second, in which a machine drifts
little."""

_FIRST_GID = 62001


class Job(NamedTuple):
    """A program to be timed, and the group it runs in."""

    words: Sequence[str]
    gid: int | None = None


@dataclass(frozen=True)
class Setting:
    """What was asked for.

    Attributes:
        pairs: how many measurements of each.
        quick: shorter ones, for a look.
        clips: the folder of the clips.
    """

    pairs: int
    quick: bool
    clips: Path

    def clip(self, height: int) -> Clip:
        """H.264 of natural video, 16:9, some seconds of decoding long."""
        bitrate, seconds = {480: ("1500k", 40), 720: ("3M", 10), 1080: ("6M", 20)}[height]
        return zoomed_clip(self.clips, "bigbuckbunny", round(height * 8 / 9) * 2, height, bitrate, seconds=seconds)

    def film(self) -> Clip:
        """H.264, 480p, in order: a picture comes out for each unit that goes in."""
        return zoomed_clip(self.clips, "bigbuckbunny", 854, 480, "1500k", seconds=20, reordered=False)

    @property
    def domains_max(self) -> int:
        """How many domains there can be."""
        return 64 if os.geteuid() == 0 else 1

    @contextmanager
    def backend(
        self, domains: int = 1, weights: Sequence[int] = (), slots: int = 0, policy: str = "fair", **options: float
    ) -> Iterator[Backend]:
        """A backend that serves so many domains; ``options`` are of its section of the configuration."""
        gids = [(gid, number) for number in range(domains) if (gid := self.gid(number)) is not None]
        members = [
            Member(f"domain{gid}", gid=gid, weight=weights[number] if weights else 100) for gid, number in gids
        ] or [Member("own", uid=os.geteuid())]
        with Backend(members, slots=slots, policy=policy, options=options) as backend:
            yield backend

    def gid(self, number: int = 0) -> int | None:
        """The group of a domain; None when there is only the caller's own."""
        return _FIRST_GID + number if self.domains_max > 1 else None

    def program(self, name: str, *arguments: object) -> list[str]:
        """The command line of one of the C programs."""
        folders = ("bench/native", "native/tools")
        paths = [ROOT / "build" / "native" / folder / name for folder in folders]
        return [str(next(path for path in paths if path.exists())), *map(str, arguments)]

    def client(self, name: str, *arguments: object) -> list[str]:
        """The command line of one of the Python programs in ``bench/clients``."""
        return [sys.executable, str(ROOT / "bench" / "clients" / f"{name}.py"), *map(str, arguments)]


def run_jobs(jobs: Sequence[Job]) -> list[Run]:
    """Runs programs at once, all beginning together."""
    with ExitStack() as stack:
        runners = [stack.enter_context(Runner(job.words, gid=job.gid)) for job in jobs]
        return run_all(runners)


def run_all(runners: Sequence[Runner]) -> list[Run]:
    """Has programs do what they do once, all beginning together."""
    for runner in runners:
        runner.go()
    return [runner.result() for runner in runners]


def run_rate(runs: Sequence[Run]) -> float:
    """Pictures per second of all together, from the first start to the last end."""
    seconds = max(run.ended for run in runs) - min(run.started for run in runs)
    return sum(run.pictures for run in runs) / seconds
