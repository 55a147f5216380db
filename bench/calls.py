# SPDX-License-Identifier: Apache-2.0
"""A small synchronous call and its reply, beside a bare ping-pong between two C programs."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

from bench._measure import in_turns
from bench._report import Result, of_pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bench._setting import Setting

__all__ = ["BENCHMARKS"]


def call_sleeping(setting: Setting) -> Iterator[Result]:
    """Both sides sleep between messages; answered by the worker's native loop."""
    with setting.backend(worker_spin=0.0) as backend:
        ours = setting.program("paracore-ping", backend.socket, _count(setting))
        bare = setting.program("paracore-pingpong", "eventfd", _count(setting))
        yield _compare("call-sleeping", setting, bare, ours, "bare eventfd ping-pong in C")


def call_spinning(setting: Setting) -> Iterator[Result]:
    """Both sides spin."""
    with setting.backend(worker_spin=0.02) as backend:
        ours = setting.program("paracore-ping", backend.socket, _count(setting), "--spin")
        bare = setting.program("paracore-pingpong", "memory", _count(setting))
        yield _compare("call-spinning", setting, bare, ours, "bare shared-memory ping-pong in C")


def call_python_driver(setting: Setting) -> Iterator[Result]:
    """Answered by the worker's Python instead of its native loop."""
    with setting.backend() as backend:
        words = setting.program("paracore-ping", backend.socket, _count(setting))
        yield _compare(
            "call-python-driver", setting, words, [*words, "--opcode", "limits_query"], "the same answered natively"
        )


def call_from_python(setting: Setting) -> Iterator[Result]:
    """Made by a Python program instead of a C one."""
    with setting.backend() as backend:
        native = setting.program("paracore-ping", backend.socket, _count(setting))
        ours = setting.client("ping", backend.socket, _count(setting))
        yield _compare("call-from-python", setting, native, ours, "the same from C")


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
