# SPDX-License-Identifier: Apache-2.0
"""What sharing out a device gives and costs: greedy domains of different weights, and the same with and without.

How much of the time each got is the kernel's own count. A device that is not the processor is one of the driver `null`,
whose jobs take their time and nobody else's: there a worker lets no more units through to the driver than keep it at work.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

from bench._measure import in_turns
from bench._neighbours import greedy, used_ms
from bench._report import Result, of_pairs, of_value
from bench._setting import Job, run_jobs, run_rate
from paracore import Packet
from paracore import open as open_domain
from paracore.demo import Backend, Member
from paracore.drivers.null._session import UNIT
from paracore.media import demux

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from bench._setting import Setting
    from paracore import Decoder

__all__ = ["BENCHMARKS"]

_WEIGHTS = (100, 100, 200, 400, 100, 100, 200, 400)
_SECONDS = 8.0
_CROWD_PAIRS = 5
_PICTURES = 800
"""Of all domains together."""
_SCENE = 50
"""Pictures that each of two devices decodes in its turn: a quarter of a second, in which a machine drifts little."""
_TURNS = 15
"""How many pairs of scenes there are for each that was asked for: one per cent is less than two scenes differ by."""
_JOB = 0.002
"""Seconds of a job of the device that is not the processor: 500 pictures a second."""
_JOBS = 500


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
    with demux(setting.clip(1080).path) as stream:
        codec, units = stream.codec, list(islice(stream, _SCENE))
    with _decoder(codec, slots=0) as unshared, _decoder(codec, slots=1) as shared:
        pairs = in_turns(lambda: _pace(unshared, units), lambda: _pace(shared, units), _TURNS * setting.pairs)
    yield of_pairs("share-alone", "frames/s", pairs, "a device that is not shared out", scene=_SCENE)


def alone_on_a_device(setting: Setting) -> Iterator[Result]:
    """The same, of a device that is not the processor."""
    units = [Packet(UNIT.pack(b"null", 64, 64, number % 256), number) for number in range(_JOBS)]
    device = {"driver": "null", "settings": {"job": _JOB}}
    with _decoder("h264", slots=0, **device) as unshared, _decoder("h264", slots=1, **device) as shared:
        pairs = in_turns(lambda: _pace(unshared, units), lambda: _pace(shared, units), setting.pairs)
    yield of_pairs("share-alone-device", "frames/s", pairs, "such a device that is not shared out", job_ms=1000 * _JOB)


def crowd(setting: Setting) -> Iterator[Result]:
    """Eight domains that share a device with a slot for each processor, beside the same with the kernel's shares."""
    if setting.domains_max < len(_WEIGHTS):
        return
    count, slots = len(_WEIGHTS), len(os.sched_getaffinity(0))
    with setting.backend(count) as unshared, setting.backend(count, slots=slots) as shared:
        pairs = in_turns(lambda: _rate(setting, unshared, count), lambda: _rate(setting, shared, count), _CROWD_PAIRS)
    yield of_pairs("share-8-domains", "frames/s", pairs, "eight on a device that is not shared out", slots=slots)


def _rate(setting: Setting, backend: Backend, domains: int) -> float:
    words = setting.client("decode", backend.socket, setting.clip(1080).path, 1, _PICTURES // domains)
    return run_rate(run_jobs([Job(words, setting.gid(number)) for number in range(domains)]))


@contextmanager
def _decoder(codec: str, **device: Any) -> Iterator[Decoder]:
    """A decoder of the caller's own domain, on a device of its own backend."""
    with (
        Backend([Member("own", uid=os.geteuid())], **device) as backend,
        open_domain(str(backend.socket)) as domain,
        domain.devices["vpu0"].decoder(codec, threads=1) as decoder,
    ):
        yield decoder


def _pace(decoder: Decoder, units: Sequence[Packet]) -> float:
    """Pictures per second."""
    began = time.monotonic()
    for picture in decoder.decode(units):
        picture.release()
    return len(units) / (time.monotonic() - began)


BENCHMARKS: dict[str, Callable[[Setting], Iterator[Result]]] = {
    "shares": shares,
    "share-alone": alone,
    "share-alone-device": alone_on_a_device,
    "share-8-domains": crowd,
}
