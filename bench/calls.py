# SPDX-License-Identifier: Apache-2.0
"""A small synchronous call and its reply, beside a bare ping-pong between two C programs.

What a wake-up costs depends on whether it crosses processors, by a factor of ten on virtual ones. So the sides
of both, paracore's and the bare one's, are put on the same processors: on one and the same, or on two.
"""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bench._measure import in_turns
from bench._report import Result, of_pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bench._setting import Setting
    from paracore.demo import Backend

__all__ = ["BENCHMARKS"]

_SPIN_SECONDS = 0.02


def call_sleeping(setting: Setting) -> Iterator[Result]:
    """Both sides sleep between messages; answered by the worker's native loop."""
    for name, ours, theirs in (("call-sleeping", *_two()), ("call-sleeping-one-cpu", *_one())):
        with _backend(setting, 0.0, theirs) as backend:
            words = _on(ours, setting.program("paracore-ping", backend.socket, _count(setting)))
            bare = setting.program("paracore-pingpong", "eventfd", _count(setting), ours, theirs)
            yield _compare(name, setting, bare, words, "bare eventfd ping-pong in C")


def call_spinning(setting: Setting) -> Iterator[Result]:
    """Both sides spin, on two processors."""
    ours, theirs = _two()
    with _backend(setting, _SPIN_SECONDS, theirs) as backend:
        words = _on(ours, setting.program("paracore-ping", backend.socket, _count(setting), "--spin"))
        bare = setting.program("paracore-pingpong", "memory", _count(setting), ours, theirs)
        yield _compare("call-spinning", setting, bare, words, "bare shared-memory ping-pong in C")


def call_python_driver(setting: Setting) -> Iterator[Result]:
    """Answered by the worker's Python instead of its native loop, on one processor: what the work costs."""
    ours, theirs = _one()
    with _backend(setting, 0.0, theirs) as backend:
        native = _on(ours, setting.program("paracore-ping", backend.socket, _count(setting)))
        words = [*native, "--opcode", "limits_query"]
        yield _compare("call-python-driver", setting, native, words, "the same answered natively")


def call_from_python(setting: Setting) -> Iterator[Result]:
    """Made by a Python program instead of a C one, on one processor."""
    ours, theirs = _one()
    with _backend(setting, 0.0, theirs) as backend:
        native = _on(ours, setting.program("paracore-ping", backend.socket, _count(setting)))
        words = _on(ours, setting.client("ping", backend.socket, _count(setting)))
        yield _compare("call-from-python", setting, native, words, "the same from C")


def _one() -> tuple[int, int]:
    first = min(os.sched_getaffinity(0))
    return first, first


def _two() -> tuple[int, int]:
    """Two processors; the same twice where there is only one."""
    cpus = sorted(os.sched_getaffinity(0))
    return cpus[0], cpus[-1]


@contextmanager
def _backend(setting: Setting, spin: float, cpu: int) -> Iterator[Backend]:
    """A backend whose worker is there already and stays on one processor."""
    with setting.backend(worker_spin=spin, worker_linger=600.0) as backend:
        _median_us(setting.program("paracore-ping", backend.socket, 1), setting.gid())
        for pid in backend.workers():
            os.sched_setaffinity(pid, {cpu})
        yield backend


def _on(cpu: int, words: Sequence[str]) -> list[str]:
    return ["taskset", "--cpu-list", str(cpu), *words]


def _compare(name: str, setting: Setting, bare: Sequence[str], ours: Sequence[str], against: str) -> Result:
    gid = setting.gid()
    pairs = in_turns(lambda: _median_us(bare, gid), lambda: _median_us(ours, gid), setting.pairs)
    return of_pairs(name, "µs", pairs, against)


def _count(setting: Setting) -> int:
    return 2_000 if setting.quick else 10_000


def _median_us(words: Sequence[str], gid: int | None) -> float:
    run = subprocess.run(words, check=True, capture_output=True, text=True, group=gid)
    return float(json.loads(run.stdout)["median_ns"]) / 1e3


BENCHMARKS: dict[str, Callable[[Setting], Iterator[Result]]] = {
    "call-sleeping": call_sleeping,
    "call-spinning": call_spinning,
    "call-python-driver": call_python_driver,
    "call-from-python": call_from_python,
}
