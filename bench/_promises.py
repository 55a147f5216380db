# SPDX-License-Identifier: Apache-2.0
"""What paracore promises, by the name of the benchmark that measures it."""

from __future__ import annotations

from typing import Literal, NamedTuple

__all__ = ["PROMISES", "Promise"]


class Promise(NamedTuple):
    """A limit on a result's value, its ratio to the reference, or its difference from it."""

    of: Literal["value", "ratio", "difference"]
    relation: Literal["≥", "≤"]
    limit: float

    def met(self, value: float, reference: float | None, ratio: float | None) -> bool:
        """Whether the figures keep it."""
        seen = {"value": value, "ratio": ratio, "difference": value - (reference or 0.0)}[self.of]
        if seen is None:
            return False
        return seen >= self.limit if self.relation == "≥" else seen <= self.limit

    def __str__(self) -> str:
        return f"{self.of} {self.relation} {self.limit:g}"


PROMISES = {
    # frames per second beside plain libav's
    "decode-1080p-python": Promise("ratio", "≥", 0.98),
    "decode-1080p-c": Promise("ratio", "≥", 0.98),
    "decode-1080p-threads": Promise("ratio", "≥", 0.95),
    "decode-480p": Promise("ratio", "≥", 0.93),
    "encode-720p": Promise("ratio", "≥", 0.97),
    "decode-8-domains": Promise("ratio", "≥", 0.95),
    # an unmodified program through a shim beside ffmpeg's software decoder
    "shim-v4l2": Promise("ratio", "≥", 0.95),
    "shim-omx": Promise("ratio", "≥", 0.95),
    # microseconds of a small synchronous call
    "call-sleeping": Promise("ratio", "≤", 1.3),
    "call-sleeping-one-cpu": Promise("ratio", "≤", 1.3),
    "call-spinning": Promise("value", "≤", 2.0),
    "call-python-driver": Promise("difference", "≤", 25.0),
    "call-from-python": Promise("difference", "≤", 15.0),
    # milliseconds from nothing to the first picture
    "first-picture": Promise("difference", "≤", 20.0),
    # device time of eight greedy domains beside their weights: the worst, and Jain's index
    "shares-off": Promise("value", "≤", 2.0),
    "shares-jain": Promise("value", "≥", 0.98),
    # per cent between a limit and what a domain gets that wants all, by four programs
    "limit-device-time": Promise("value", "≤", 2.0),
    "limit-pictures": Promise("value", "≤", 2.0),
    # how late the one in a hundred of a film's pictures is, beside the same film alone at its share of the device
    "film-beside-greedy": Promise("ratio", "≤", 1.5),
    "film-beside-hostile": Promise("ratio", "≤", 1.5),
    # frames per second beside a device that is not shared out: of a domain that has it to itself
    "share-alone": Promise("ratio", "≥", 0.99),
    "share-alone-device": Promise("ratio", "≥", 0.99),
    # what a domain costs that does nothing
    "idle-cpu": Promise("value", "≤", 0.0),
    "idle-memory": Promise("value", "≤", 10.0),
    "connect-64": Promise("value", "≤", 10.0),
    "domains-64": Promise("ratio", "≥", 0.9),
    # KiB that a process grows by in a thousand times connected, decoded and closed: less than a page
    "soak-supervisor": Promise("value", "≤", 4.0),
    "soak-warm-parent": Promise("value", "≤", 4.0),
    "soak-worker": Promise("value", "≤", 4.0),
    "soak-client": Promise("value", "≤", 4.0),
    # a guest of the emulated board beside dom0
    "xen-call-sleeping": Promise("ratio", "≤", 1.3),
    "xen-call-spinning": Promise("value", "≤", 5.0),
    "xen-decode": Promise("ratio", "≥", 0.9),
    "xen-vicodec": Promise("ratio", "≥", 0.9),
    "xen-grants": Promise("value", "≤", 0.0),
    # pixels
    "pixel-copies": Promise("value", "≤", 0.0),
}
