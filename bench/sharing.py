# SPDX-License-Identifier: Apache-2.0
"""What sharing out a device gives and costs: greedy domains of different weights, and the same with and without.

How much of the time each got is the kernel's own count. A device that is not the processor is one of the driver `null`,
whose jobs take their time and nobody else's: there a worker lets no more units through to the driver than keep it at work.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from bench._measure import in_turns
from bench._neighbours import greedy, used_ms
from bench._report import Result, of_pairs, of_value
from bench._setting import SCENE, Job, run_jobs, run_rate
from paracore import Packet
from paracore import open as open_domain
from paracore.demo import Backend, Member, Runner
from paracore.drivers.null._session import UNIT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bench._setting import Setting

__all__ = ["BENCHMARKS"]

_WEIGHTS = (100, 100, 200, 400, 100, 100, 200, 400)
_SECONDS = 8.0
_CROWD_PAIRS = 5
_PICTURES = 800
"""Of all domains together."""
_TURNS = 15
"""How many pairs of scenes there are for each that was asked for: one per cent is less than two scenes differ by."""
_JOB = 0.002
"""Seconds of a job of the device that is not the processor: 500 pictures a second."""
_JOBS = 500
_PROCESSES = 4
_DEVICE_TIME = 0.25
_PICTURES_PER_SECOND = 50.0
_LIMITED_SECONDS = 20.0
"""Long against the bursts, which are a part of what is allowed."""


def shares(setting: Setting) -> Iterator[Result]:
    """Eight domains decode 1080p, all at once."""
    if setting.domains_max < len(_WEIGHTS):
        return
    slots, clip = len(os.sched_getaffinity(0)), setting.clip(1080).path
    everybody = range(len(_WEIGHTS))
    with setting.backend(len(_WEIGHTS), _WEIGHTS, slots) as backend, greedy(setting, backend, clip, everybody):
        before = used_ms(backend)
        time.sleep(2.0 if setting.quick else _SECONDS)  # the measurement itself
        used = [after - first for after, first in zip(used_ms(backend), before, strict=True)]
    parts = [each / weight for each, weight in zip(used, _WEIGHTS, strict=True)]
    mean = sum(used) / sum(_WEIGHTS)
    worst = max(abs(part / mean - 1) for part in parts)
    yield of_value("shares-off", "%", round(100 * worst, 2), used_ms=used, weights=list(_WEIGHTS))
    jain = sum(parts) ** 2 / len(parts) / sum(part * part for part in parts)
    yield of_value("shares-jain", "", round(jain, 5), domains=len(parts))


def alone(setting: Setting) -> Iterator[Result]:
    """A domain that has a shared device to itself, beside the same on a device that is not shared out."""
    if setting.domains_max < 2:
        return
    with _scenes(setting, slots=0) as unshared, _scenes(setting, slots=1) as shared:
        pairs = in_turns(lambda: _pace(unshared), lambda: _pace(shared), _TURNS * setting.pairs)
    yield of_pairs("share-alone", "frames/s", pairs, "a device that is not shared out", scene=SCENE)


def alone_on_a_device(setting: Setting) -> Iterator[Result]:
    """The same, of a device that is not the processor."""
    with _device(0) as unshared, _device(1) as shared:
        pairs = in_turns(lambda: _job_rate(unshared), lambda: _job_rate(shared), setting.pairs)
    yield of_pairs("share-alone-device", "frames/s", pairs, "such a device that is not shared out", job_ms=1000 * _JOB)


def crowd(setting: Setting) -> Iterator[Result]:
    """Eight domains that share a device with a slot for each processor, beside the same with the kernel's shares."""
    if setting.domains_max < len(_WEIGHTS):
        return
    count, slots = len(_WEIGHTS), len(os.sched_getaffinity(0))
    with setting.backend(count) as unshared, setting.backend(count, slots=slots) as shared:
        pairs = in_turns(lambda: _rate(setting, unshared, count), lambda: _rate(setting, shared, count), _CROWD_PAIRS)
    yield of_pairs("share-8-domains", "frames/s", pairs, "eight on a device that is not shared out", slots=slots)


def limits(setting: Setting) -> Iterator[Result]:
    """A domain wants all that it can get, by four programs at once: how far from its limit it is then."""
    yield _off(
        setting,
        "limit-device-time",
        {"device_time": _DEVICE_TIME, "device_burst": 0.01},
        lambda backend: used_ms(backend)[0] / 1000 / _DEVICE_TIME,
    )
    yield _off(
        setting,
        "limit-pictures",
        {"pictures_per_second": _PICTURES_PER_SECOND, "pictures_burst": 4.0},
        lambda backend: sum(report["counts"]["inputs"] for report in backend.workers().values()) / _PICTURES_PER_SECOND,
    )


def _off(setting: Setting, name: str, limit: Mapping[str, float], due: Callable[[Backend], float]) -> Result:
    """`due` says in how many seconds the domain may have what it has had."""
    gid = setting.gid()
    member = Member("limited", uid=None if gid else os.geteuid(), gid=gid, limits=limit)
    with Backend([member], slots=1) as backend, greedy(setting, backend, setting.film().path, [0] * _PROCESSES):
        before, began = due(backend), time.monotonic()
        time.sleep(2.0 if setting.quick else _LIMITED_SECONDS)  # the measurement itself
        ratio = (due(backend) - before) / (time.monotonic() - began)
    notes: dict[str, object] = {"processes": _PROCESSES, **limit}
    return Result(name, round(100 * abs(ratio - 1), 2), "%", whole=not setting.quick, notes=notes)


@contextmanager
def _scenes(setting: Setting, slots: int) -> Iterator[Runner]:
    """A domain that decodes a scene when it is told to."""
    with setting.backend(2, slots=slots) as backend:
        words = setting.client("scenes", backend.socket, setting.clip(1080).path, SCENE)
        with Runner(words, gid=setting.gid()) as runner:
            yield runner


def _pace(runner: Runner) -> float:
    runner.go()
    return runner.result().rate


def _rate(setting: Setting, backend: Backend, domains: int) -> float:
    words = setting.client("decode", backend.socket, setting.clip(1080).path, 1, _PICTURES // domains)
    return run_rate(run_jobs([Job(words, setting.gid(number)) for number in range(domains)]))


def _device(slots: int) -> Backend:
    """A backend with such a device, for the caller's own domain."""
    return Backend([Member("own", uid=os.geteuid())], driver="null", settings={"job": _JOB}, slots=slots)


def _job_rate(backend: Backend) -> float:
    units = [Packet(UNIT.pack(b"null", 64, 64, number % 256), number) for number in range(_JOBS)]
    with open_domain(str(backend.socket)) as domain, domain.devices["vpu0"].decoder("h264") as decoder:
        began = time.monotonic()
        for picture in decoder.decode(units):
            picture.release()
        return _JOBS / (time.monotonic() - began)


BENCHMARKS: dict[str, Callable[[Setting], Iterator[Result]]] = {
    "shares": shares,
    "share-alone": alone,
    "share-alone-device": alone_on_a_device,
    "share-8-domains": crowd,
    "limits": limits,
}
