# SPDX-License-Identifier: Apache-2.0
"""Who gets a device when, by each policy, on a virtual clock: what is drawn is what the supervisor's arbiter decides.

Three domains that want all they can get, of different weights and priorities, and one that plays a film of 30 frames
a second; one of the greedy ones comes later and goes again. Nothing here depends on the machine it runs on.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Final

from bench._report import Result, of_value
from paracore.backend._policies import POLICIES, Claim
from paracore.testing import VirtualDevice, VirtualDomain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench._setting import Setting

__all__ = ["BENCHMARKS", "digest", "late", "scene"]

_MS: Final = 1_000_000
_SECOND: Final = 1000 * _MS
_FILM: Final = _SECOND // 30


def scene(policy: str) -> VirtualDevice:
    """One device and four domains, after two seconds."""
    domains = (
        VirtualDomain(Claim("film, 30 frames/s", priority=2, period=_FILM), 4 * _MS, every=_FILM),
        VirtualDomain(Claim("greedy", priority=1), 6 * _MS),
        VirtualDomain(Claim("greedy, weight 300", weight=300), 6 * _MS),
        VirtualDomain(Claim("comes and goes"), 5 * _MS, begins=600 * _MS, ends=1400 * _MS),
    )
    return VirtualDevice(policy, 1, domains).run(2 * _SECOND)


def late(device: VirtualDevice) -> float:
    """Milliseconds until the film's pictures were there: the 99th percentile."""
    latencies = sorted(device.domains["film, 30 frames/s"].latencies)
    return latencies[len(latencies) * 99 // 100] / _MS


def digest() -> str:
    """Of all that a picture of the policies shows; it says of which arbiter it is."""
    return sha256(repr([scene(policy).spans for policy in POLICIES]).encode()).hexdigest()


def policies(_: Setting) -> Iterator[Result]:
    """How long the film's pictures took at worst, by each policy; the plots show the rest."""
    for policy in POLICIES:
        device = scene(policy)
        used = {name: used // _MS for name, used in device.used().items()}
        yield of_value(f"policy-{policy}", "ms", late(device), used_ms=used)


BENCHMARKS: dict[str, Callable[[Setting], Iterator[Result]]] = {"policies": policies}
