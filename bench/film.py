# SPDX-License-Identifier: Apache-2.0
"""A film of 30 pictures a second beside domains that want all of the device, or attack it: how late its pictures are.

The device does one thing at a time, as a coprocessor does, and the film is due an eighth of it. What it is compared with
is the same film alone, held to that eighth by the policy ``fixed-share``. Late is a picture from when its unit was due.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from bench._measure import Pair
from bench._neighbours import greedy, hostile
from bench._report import Result, of_pairs
from paracore.backend._policies import POLICIES
from paracore.demo import Runner
from paracore.frontend import configure_backend

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    from bench._setting import Setting
    from paracore.demo import Backend

    _Neighbours = Callable[[Setting, Backend], AbstractContextManager[None]]

__all__ = ["BENCHMARKS"]

_DOMAINS: Final = 8
_RATE: Final = 30
_PICTURES: Final = 450
"""Of each measurement: fifteen seconds, so that four are later than the one in a hundred that counts."""
_PAIRS: Final = 5
_BEST: Final = "deadline"
"""The policy that films are for, see docs/guides/sharing.md: what is promised is promised of it."""


def beside_greedy(setting: Setting) -> Iterator[Result]:
    """Seven domains decode the same film over and over; with the film's rate declared to the policy for it."""
    yield from _film(setting, "film-beside-greedy", _BEST, _seven, _PAIRS)


def beside_hostile(setting: Setting) -> Iterator[Result]:
    """One domain sends what cannot be, as fast as it can."""
    yield from _film(setting, "film-beside-hostile", _BEST, _one, _PAIRS)


def by_policy(setting: Setting) -> Iterator[Result]:
    """The first again by each of the other policies; none of them was made for it."""
    for policy in POLICIES:
        if policy != _BEST:
            yield from _film(setting, f"film-{policy}", policy, _seven, 1)


def _seven(setting: Setting, backend: Backend) -> AbstractContextManager[None]:
    return greedy(setting, backend, setting.film().path, range(1, _DOMAINS))


def _one(setting: Setting, backend: Backend) -> AbstractContextManager[None]:
    return hostile(setting, backend, 1)


def _film(setting: Setting, name: str, policy: str, neighbours: _Neighbours, pairs: int) -> Iterator[Result]:
    if setting.domains_max < _DOMAINS:
        return
    alone: list[float] = []
    beside: list[float] = []
    with (
        setting.backend(_DOMAINS, slots=1, policy="fixed-share") as held,
        setting.backend(_DOMAINS, slots=1, policy=policy) as shared,
    ):
        _prefer_film(setting, shared)
        measured = []
        for _ in range(1 if setting.quick else pairs):
            one = _late(setting, held)
            with neighbours(setting, shared):
                other = _late(setting, shared)
            measured.append(Pair(_percentile(one, 99), _percentile(other, 99)))
            alone += one
            beside += other
    samples = {"alone": _quantiles(alone), "beside": _quantiles(beside)}
    against = "the film alone, held to its eighth"
    yield replace(of_pairs(name, "ms", measured, against, policy=policy), samples=samples, whole=not setting.quick)


def _prefer_film(setting: Setting, backend: Backend) -> None:
    """What an administrator would set for the policy `priority`; the others do not look at it."""
    configure_backend(str(backend.socket), {"domain": {f"domain{setting.gid()}": {"priority": 9}}})


def _late(setting: Setting, backend: Backend) -> list[float]:
    """Milliseconds of each picture."""
    pictures = _PICTURES // (3 if setting.quick else 1)
    words = setting.client("film", backend.socket, setting.film().path, _RATE, pictures)
    with Runner(words, gid=setting.gid()) as runner:
        runner.go()
        late: list[float] = runner.answer()
    return late


def _percentile(values: Sequence[float], percent: int) -> float:
    return sorted(values)[min(len(values) - 1, len(values) * percent // 100)]


def _quantiles(values: Sequence[float]) -> list[float]:
    """From the least to the most, in hundredths."""
    return [_percentile(values, percent) for percent in range(101)]


BENCHMARKS: dict[str, Callable[[Setting], Iterator[Result]]] = {
    "film-beside-greedy": beside_greedy,
    "film-beside-hostile": beside_hostile,
    "film-policies": by_policy,
}
