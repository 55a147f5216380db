# SPDX-License-Identifier: Apache-2.0
"""Many domains with several sessions each on one backend: what they do in sum, and what they cost while they rest."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Final

from bench._measure import in_turns
from bench._report import Result, of_pairs, of_value
from bench.idle import memory_of, processor_time, settle
from bench.startup import connect_all
from paracore.demo import Runner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bench._setting import Setting
    from paracore.demo import Backend

__all__ = ["BENCHMARKS"]

_DOMAINS: Final = 64
_FEW: Final = 8
_SESSIONS: Final = 4
"""Of each domain."""
_WARM: Final = 48
"""Pictures that each session has given out before the measurement: by then it has touched most of the memory that it will use."""
_SECONDS: Final = 10.0
_PAIRS: Final = 3


def domains_64(setting: Setting) -> Iterator[Result]:
    """64 domains decode 480p in 256 sessions, beside 8 that do in 32; while all are at it."""
    if setting.domains_max < _DOMAINS:
        return
    with setting.backend(_DOMAINS) as backend:
        words = setting.client("sessions", backend.socket, setting.clip(480).path, _SESSIONS, _WARM)

        def rate(domains: int) -> float:
            with ExitStack() as stack:
                numbers = range(domains)
                runners = [stack.enter_context(Runner(words, gid=setting.gid(number))) for number in numbers]
                _all_at(runners)
                before = _all_at(runners)
                time.sleep(_SECONDS / (4 if setting.quick else 1))  # the measurement itself
                after = _all_at(runners)
            return sum((now[1] - then[1]) / (now[0] - then[0]) for now, then in zip(after, before, strict=True))

        pairs = in_turns(lambda: rate(_FEW), lambda: rate(_DOMAINS), _PAIRS)
    yield of_pairs("domains-64", "frames/s", pairs, "eight domains", sessions=_DOMAINS * _SESSIONS)


def _all_at(runners: Sequence[Runner]) -> list[tuple[float, int]]:
    """When each answered, and how many pictures it had by then."""
    for runner in runners:
        runner.go()
    return [tuple(runner.answer()) for runner in runners]


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
