# SPDX-License-Identifier: Apache-2.0
"""A round trip of 64 octets by what else one might have used, from Python, in the same run.

Each peer is a program in ``peers/`` that echoes; the caller measures here. Both sides are on one processor, as those
of ``call-from-python`` are: what is measured is the work, not what a wake-up costs that crosses processors. None of
the peers works over grants, so they are company, not competition.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from importlib import import_module
from statistics import median
from typing import TYPE_CHECKING

from bench._report import Result, of_value
from bench._setting import ROOT, Setting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["BENCHMARKS"]

_PEERS = {"unix-socket": "unix_socket", "pyzmq": "zeromq", "grpc": "grpc_unary", "iceoryx2": "iceoryx"}


def _alongside(name: str) -> Callable[[Setting], Iterator[Result]]:
    def measure(setting: Setting) -> Iterator[Result]:
        peer = import_module(f"bench.peers.{_PEERS[name]}")
        with (
            _one_processor(),
            tempfile.TemporaryDirectory(prefix="paracore-bench-") as folder,
            _server(_PEERS[name], folder),
            peer.caller(folder) as call,
        ):
            times = sorted(_timed(call, bytes(64)) for _ in range(1000 if setting.quick else 5000))
        yield of_value(f"call-{name}", "µs", median(times) * 1e6, p99=times[len(times) * 99 // 100] * 1e6)

    return measure


@contextmanager
def _one_processor() -> Iterator[None]:
    """Keeps this process, and what it starts meanwhile, on one processor."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextmanager
def _server(module: str, folder: str) -> Iterator[None]:
    words = [sys.executable, "-m", f"bench.peers.{module}", folder]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        process.stdout.readline()
        try:
            yield
        finally:
            process.kill()


def _timed(call: Callable[[bytes], object], payload: bytes) -> float:
    started = time.perf_counter()
    call(payload)
    return time.perf_counter() - started


BENCHMARKS: dict[str, Callable[[Setting], Iterator[Result]]] = {f"call-{name}": _alongside(name) for name in _PEERS}
