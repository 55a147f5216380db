# SPDX-License-Identifier: Apache-2.0
"""Ten thousand times connected, some pictures decoded, closed: whether any of the processes grows.

What counts is anonymous memory, which is what a process alone can lose, as a slope through the samples after a warm-up: heaps
come to their size within the first cycles, and stay there.
"""

from __future__ import annotations

import subprocess
from dataclasses import replace
from statistics import linear_regression
from typing import TYPE_CHECKING, Final

import psutil

from bench._report import Result, of_value
from bench.idle import memory_of
from paracore.demo import ProgramFailed, zoomed_clip

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bench._setting import Setting

__all__ = ["BENCHMARKS", "ROLES", "grown", "weigh"]

ROLES: Final = ("supervisor", "warm parent", "worker", "client")
_CYCLES: Final = 10_000
_SAMPLES: Final = 100
_WARM: Final = 0.2
"""Of all cycles."""


def soak(setting: Setting) -> Iterator[Result]:
    """One process of one domain; the worker lingers, so that it is the same one throughout."""
    cycles = _CYCLES // (10 if setting.quick else 1)
    clip = zoomed_clip(setting.clips, "bigbuckbunny", 320, 180, "300k", seconds=1)
    with setting.backend() as backend:
        words = setting.client("cycles", backend.socket, clip.path, cycles, cycles // _SAMPLES)
        weights = weigh(words, backend.process.pid, setting.gid())
    for role in ROLES:
        samples = {"cycles": [float(count) for count, _ in weights], "MiB": [each[role] / 2**20 for _, each in weights]}
        result = of_value(
            f"soak-{role.replace(' ', '-')}", "KiB", round(grown(weights, role), 2), cycles=cycles, per=1000
        )
        yield replace(result, samples=samples, whole=not setting.quick)


def weigh(words: Sequence[str], supervisor: int, gid: int | None = None) -> list[tuple[int, dict[str, int]]]:
    """Runs ``clients/cycles.py``; octets of anonymous memory of each process by its role, by the cycles before."""
    weights = []
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, group=gid) as client:
        assert client.stdin
        assert client.stdout
        for line in client.stdout:
            pids = _roles(supervisor) | {"client": client.pid}
            weights.append((int(line), {role: memory_of(pids[role], "Anonymous") for role in ROLES}))
            client.stdin.write("\n")
            client.stdin.flush()
    if client.returncode:
        raise ProgramFailed(f"cycles.py ended with {client.returncode}")
    return weights


def _roles(supervisor: int) -> dict[str, int]:
    names = {"paracore-warm": "warm parent", "paracore-worker": "worker"}
    children = psutil.Process(supervisor).children(recursive=True)
    return {names[child.name()]: child.pid for child in children} | {"supervisor": supervisor}


def grown(weights: Sequence[tuple[int, dict[str, int]]], role: str) -> float:
    """KiB in a thousand cycles, after the warm-up."""
    counted = [(count, weight[role]) for count, weight in weights if count > _WARM * weights[-1][0]]
    slope, _ = linear_regression(*zip(*counted, strict=True))
    return slope * 1000 / 1024


BENCHMARKS: dict[str, Callable[[Setting], Iterator[Result]]] = {"soak": soak}
