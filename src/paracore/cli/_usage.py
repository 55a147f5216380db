# SPDX-License-Identifier: Apache-2.0
"""What each domain has used so far, out of the backend's own account; and how fast, out of two of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DeviceUsage", "Rates", "Usage", "devices_of", "rates_of", "usages_of"]


@dataclass(frozen=True)
class Usage:
    """Of one domain: what it holds now, and counts since the backend began, whatever became of its workers.

    Attributes:
        domain: its name.
        worker: the process number of its worker; 0: none runs.
        sessions: open now.
        buffers: granted now.
        octets: of these.
        units: inputs that were worked off: coded units of decoders, pictures of encoders.
        pictures: outputs that came back: pictures of decoders, packets of encoders.
        errors: of the units, those that came back with an error.
        octets_in: of the units.
        octets_out: of the pictures.
        device_seconds: device time: where the device is a software codec, processor time.
        waited_seconds: that it waited until it got a device.
        throttled_seconds: during which units of it waited for its own rates, of pictures or macroblocks.
        copies: pictures whose pixels had to be copied.
        refused: calls that were refused.
        failed: sessions that ended with an error.
        violations: breaks of the protocol.
        workers_lost: workers that died under it.
    """

    domain: str
    worker: int
    sessions: int
    buffers: int
    octets: int
    units: int
    pictures: int
    errors: int
    octets_in: int
    octets_out: int
    device_seconds: float
    waited_seconds: float
    throttled_seconds: float
    copies: int
    refused: int
    failed: int
    violations: int
    workers_lost: int


@dataclass(frozen=True)
class DeviceUsage:
    """Of one device.

    Attributes:
        device: its name.
        power: ``on`` or ``off``; of a device of the kernel's ``active``, ``suspended`` or ``unsupported``.
        hangs: jobs that were not done by their deadline.
        resets: how often it was reset for that.
    """

    device: str
    power: str
    hangs: int
    resets: int


@dataclass(frozen=True)
class Rates:
    """Of one domain between two accounts: device time in parts of a processor, the others per second."""

    device: float
    units: float
    pictures: float


def usages_of(status: Mapping[str, Any]) -> list[Usage]:
    """One for each domain, in the backend's order."""
    return [_usage(domain) for domain in status["domains"]]


def devices_of(status: Mapping[str, Any]) -> list[DeviceUsage]:
    """One for each device, in the backend's order."""
    return [DeviceUsage(each["name"], each["power"], each["hangs"], each["resets"]) for each in status["devices"]]


def _usage(domain: Mapping[str, Any]) -> Usage:
    worker = domain["worker"] or {"pid": 0, "report": None}
    counts = domain["counts"]
    return Usage(
        domain=domain["name"],
        worker=worker["pid"],
        sessions=(worker["report"] or {"sessions": 0})["sessions"],
        buffers=domain["held"]["buffers"],
        octets=domain["held"]["bytes"],
        units=counts["inputs"],
        pictures=counts["outputs"],
        errors=counts["errors"],
        octets_in=counts["octets_in"],
        octets_out=counts["octets_out"],
        device_seconds=sum(device["used_ms"] for device in domain["time"].values()) / 1000,
        waited_seconds=sum(device["waited_ms"] for device in domain["time"].values()) / 1000,
        throttled_seconds=counts["throttled_ms"] / 1000,
        copies=counts["copies"],
        refused=counts["refused"],
        failed=counts["sessions_failed"],
        violations=domain["violations"],
        workers_lost=domain["workers_lost"],
    )


def rates_of(before: Usage | None, after: Usage, seconds: float) -> Rates:
    """How fast it went; nothing is known of a domain that was not there before."""
    if before is None or seconds <= 0:
        return Rates(0.0, 0.0, 0.0)
    # the backend may have begun anew: never less than nothing
    return Rates(
        device=max(0.0, after.device_seconds - before.device_seconds) / seconds,
        units=max(0, after.units - before.units) / seconds,
        pictures=max(0, after.pictures - before.pictures) / seconds,
    )
