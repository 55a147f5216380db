# SPDX-License-Identifier: Apache-2.0
"""Many domains with several sessions each on one backend: what they do in sum, and what they cost while they rest."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from bench._measure import in_turns
from bench._report import Result, of_pairs, of_value
from bench._setting import Job, Setting, run_jobs, run_rate
from bench.idle import memory_of, processor_time, settle
from bench.startup import connect_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from paracore.demo import Backend

__all__ = ["BENCHMARKS"]

_DOMAINS: Final = 64
_FEW: Final = 8
_SESSIONS: Final = 4
"""Of each domain."""
_PICTURES: Final = 1000
"""Of each session of the few; the many decode as much in sum."""
_PAIRS: Final = 3


def domains_64(setting: Setting) -> Iterator[Result]:
    """64 domains decode 480p in 256 sessions, beside 8 that decode as many pictures in 32."""
    if setting.domains_max < _DOMAINS:
        return
    pictures = _PICTURES // (4 if setting.quick else 1)
    with setting.backend(_DOMAINS) as backend:

        def rate(domains: int) -> float:
            words = (backend.socket, setting.clip(480).path, _SESSIONS, pictures * _FEW // domains)
            jobs = [Job(setting.client("sessions", *words), setting.gid(number)) for number in range(domains)]
            return run_rate(run_jobs(jobs))

        pairs = in_turns(lambda: rate(_FEW), lambda: rate(_DOMAINS), _PAIRS)
    yield of_pairs("domains-64", "frames/s", pairs, "eight domains", sessions=_DOMAINS * _SESSIONS)


def idle_64(setting: Setting) -> Iterator[Result]:
    """What the supervisor weighs for each of 64 domains, and what a thousand sessions that rest cost."""
    if setting.domains_max < _DOMAINS:
        return
    with setting.backend(_DOMAINS) as backend, ExitStack() as stack:
        settle()
        before = memory_of(backend.process.pid, "Anonymous")
        domains = connect_all(stack, setting, backend, _DOMAINS)
        for domain in domains:
            for _ in range(_SESSIONS):
                stack.enter_context(domain.devices["vpu0"].decoder("h264", threads=1))
        settle()
        weight = (memory_of(backend.process.pid, "Anonymous") - before) / _DOMAINS
        used = _used(backend, 2.0 if setting.quick else 10.0)
    yield of_value("idle-supervisor", "KiB", weight / 1024, domains=_DOMAINS)
    sessions = _DOMAINS * _SESSIONS
    yield of_value("idle-sessions", "ms/s", round(used * 1e3 / sessions * 1000, 2), sessions=sessions, per=1000)


def _used(backend: Backend, seconds: float) -> float:
    """Processor time of the backend in a second."""
    before = processor_time(backend)
    time.sleep(seconds)  # the measurement itself
    return (processor_time(backend) - before) / seconds


BENCHMARKS: dict[str, Callable[[Setting], Iterator[Result]]] = {"domains-64": domains_64, "idle-64": idle_64}
