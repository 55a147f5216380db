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
    """Of one domain: what it holds now, and counts since its worker began, which are 0 again with the next worker.

    Attributes:
        domain: its name.
        worker: the process number of its worker; 0: none runs.
        sessions: open now.
        buffers: granted now.
        octets: of these.
        units: inputs that were worked off: coded units of decoders, pictures of encoders.
        pictures: outputs that came back: pictures of decoders, packets of encoders.
        device_seconds: device time: where the device is a software codec, processor time. It goes on with the next worker.
        waited_seconds: that it waited until it got a device. It goes on as well.
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
    report = worker["report"] or {"sessions": 0, "counts": {}}
    counts = report["counts"]
    return Usage(
        domain=domain["name"],
        worker=worker["pid"],
        sessions=report["sessions"],
        buffers=domain["held"]["buffers"],
        octets=domain["held"]["bytes"],
        units=counts.get("inputs", 0),
        pictures=counts.get("outputs", 0),
        device_seconds=sum(device["used_ms"] for device in domain["time"].values()) / 1000,
        waited_seconds=sum(device["waited_ms"] for device in domain["time"].values()) / 1000,
        throttled_seconds=counts.get("throttled_ms", 0) / 1000,
        copies=counts.get("copies", 0),
        refused=counts.get("refused", 0),
        failed=counts.get("sessions_failed", 0),
        violations=domain["violations"],
        workers_lost=domain["workers_lost"],
    )


def rates_of(before: Usage | None, after: Usage, seconds: float) -> Rates:
    """How fast it went; nothing is known of a worker that was not there before."""
    if before is None or before.worker != after.worker or seconds <= 0:
        return Rates(0.0, 0.0, 0.0)
    # a worker's own words, which it may take back: never less than nothing
    return Rates(
        device=max(0.0, after.device_seconds - before.device_seconds) / seconds,
        units=max(0, after.units - before.units) / seconds,
        pictures=max(0, after.pictures - before.pictures) / seconds,
    )
