# SPDX-License-Identifier: Apache-2.0
"""How long it takes until something is there: the first picture, many domains."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import paracore
from bench._measure import in_turns
from bench._report import Result, of_pairs, of_value
from bench._setting import Job, Setting, run_jobs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from paracore.demo import Backend

__all__ = ["BENCHMARKS", "connect_all"]

_DOMAINS = 64


def first_picture(setting: Setting) -> Iterator[Result]:
    """From having no channel to the first 1080p picture, beside a plain decoder from opening its codec."""
    path = setting.clip(1080).path
    plain = Job(setting.program("plain-decode", path, 1, 1))
    with setting.backend() as backend:
        ours = Job(setting.client("decode", backend.socket, path, 1, 1), setting.gid())
        pairs = in_turns(lambda: _first(plain), lambda: _first(ours), 2 * setting.pairs)
    yield of_pairs("first-picture", "ms", pairs, "plain libav")


def connect_64(setting: Setting) -> Iterator[Result]:
    """64 domains connect, one after the other, and stay: each gets a worker process of its own."""
    if setting.domains_max < _DOMAINS:
        return
    with setting.backend(_DOMAINS) as backend, ExitStack() as stack:
        started = time.monotonic()
        connect_all(stack, setting, backend, _DOMAINS)
        yield of_value("connect-64", "s", time.monotonic() - started, domains=_DOMAINS)


def connect_all(stack: ExitStack, setting: Setting, backend: Backend, count: int) -> list[paracore.Domain]:
    """Connects this process as so many domains, and asks each for its devices."""
    domains = []
    for number in range(count):
        with _group(setting.gid(number)):
            domains.append(stack.enter_context(paracore.open(str(backend.socket))))
        assert domains[-1].devices
    return domains


@contextmanager
def _group(gid: int | None) -> Iterator[None]:
    """The peer's credentials are those of the moment it connects."""
    before = os.getegid()
    if gid is not None:
        os.setegid(gid)
    try:
        yield
    finally:
        os.setegid(before)


def _first(job: Job) -> float:
    (run,) = run_jobs([job])
    return run.first_picture * 1e3


BENCHMARKS: dict[str, Callable[[Setting], Iterator[Result]]] = {
    "first-picture": first_picture,
    "connect-64": connect_64,
}
