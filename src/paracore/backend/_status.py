# SPDX-License-Identifier: Apache-2.0
"""The backend's state as JSON, for ``paracore list``: what is configured, held, and was counted so far.

Workers are asked and have a second; one that does not answer, or answers with another shape, is shown
without its own words.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from paracore.backend._domain import Domain
    from paracore.backend._supervisor import Supervisor
    from paracore.backend._worker_end import WorkerEnd

__all__ = ["Status", "guest_account"]


def guest_account(domain: Domain, times: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """What its nodes in xenstore say: a guest's `stats`."""
    counts = domain.ledger.totals()
    return {
        "device-ms": sum(time["used_ms"] for time in times.values()),
        "waited-ms": sum(time["waited_ms"] for time in times.values()),
        "turns": sum(time["turns"] for time in times.values()),
        "channels": domain.quota.channels,
        "buffers": domain.quota.buffers,
        "bytes": domain.quota.bytes,
        "units": counts["inputs"],
        "pictures": counts["outputs"],
        "errors": counts["errors"],
        "octets-in": counts["octets_in"],
        "octets-out": counts["octets_out"],
        "throttled-ms": counts["throttled_ms"],
        "sessions-failed": counts["sessions_failed"],
        "violations": domain.violations,
        "workers-lost": domain.workers_lost,
    }


class Status:
    """One status in the making; `answer` is called once, when the last worker has reported or may no more."""

    def __init__(self, supervisor: Supervisor, answer: Callable[[bytes], None]) -> None:
        self._supervisor = supervisor
        self._answer = answer
        self._reports: dict[Domain, dict[str, Any] | None] = {}
        self._pending = 1

    def gather(self) -> None:
        """Asks all workers."""
        for domain in self._supervisor.domains:
            if domain.worker:
                self._pending += 1
                domain.worker.report(self._reporter(domain, domain.worker))
        self._one_less()

    def _reporter(self, domain: Domain, worker: WorkerEnd) -> Callable[[dict[str, Any] | None], None]:
        def reported(report: dict[str, Any] | None) -> None:
            self._reports[domain] = report
            if report and domain.worker is worker:
                domain.ledger.count(report["counts"])
            self._one_less()

        return reported

    def _one_less(self) -> None:
        self._pending -= 1
        if not self._pending:
            self._answer(json.dumps(self._text()).encode())

    def _text(self) -> dict[str, Any]:
        supervisor = self._supervisor
        return {
            "pid": os.getpid(),
            "socket": supervisor.config.backend.socket,
            "devices": [device | self._device(device["name"]) for device in supervisor.devices],
            "sandbox": supervisor.sandbox,
            "statistics": asdict(supervisor.statistics()),
            "reload_complaint": supervisor.reload_complaint,
            "transports": supervisor.transport_counts(),
            "domains": [self._domain(domain) for domain in supervisor.domains],
        }

    def _device(self, name: str) -> dict[str, Any]:
        """What of it changes."""
        section = next(each for each in self._supervisor.config.device if each.name == name)
        return {
            "policy": section.policy,
            "slots": self._supervisor.sharing.slots(name),
            "pixel_rate": section.pixel_rate,
            "power": self._supervisor.power.state(name),
            **self._supervisor.hangs.account(name),
        }

    def _domain(self, domain: Domain) -> dict[str, Any]:
        limits = domain.section.limits
        return {
            "name": domain.name,
            "identities": domain.identities,
            "devices": domain.section.device_names(device.name for device in self._supervisor.config.device),
            "weight": domain.section.weight,
            "priority": domain.section.priority,
            "time": self._supervisor.sharing.account(domain),
            "reserved": self._supervisor.admission.account(domain),
            "limits": {name: getattr(limits, name) for name in limits.__struct_fields__},
            "held": {
                "connections": len(domain.connections),
                "channels": domain.quota.channels,
                "buffers": domain.quota.buffers,
                "bytes": domain.quota.bytes,
            },
            "counts": domain.ledger.totals(),
            "violations": domain.violations,
            "workers_lost": domain.workers_lost,
            "traced": domain.trace.readers,
            "worker": self._worker(domain, domain.worker) if domain.worker and domain.worker.pid else None,
        }

    def _worker(self, domain: Domain, worker: WorkerEnd) -> dict[str, Any]:
        return {"pid": worker.pid, "report": self._reports.get(domain)}
