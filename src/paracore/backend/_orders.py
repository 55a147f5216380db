# SPDX-License-Identifier: Apache-2.0
"""What the supervisor and the warm parent say to each other: JSON, since nobody else ever hears it.

==============  ============  =======================================================================
``start``       to the parent  devices, the workers' user, the log level
``ready``       from it        what the devices can do, how workers are confined
``failed``      from it        why there are no devices
``spawn``       to it          a worker's number, limits, rates and devices; its socket, its standard error
``spawned``     from it        the worker's process, with a pidfd
``ended``       from it        a worker's exit code, and the nanoseconds of processor time that it has used
==============  ============  =======================================================================
"""

from __future__ import annotations

import json
from typing import Any, Final

__all__ = ["ORDER_MAX", "order_octets", "order_parse"]

ORDER_MAX: Final = 1 << 17
"""Octets of one order or answer."""


def order_octets(order: dict[str, Any]) -> bytes:
    """An order as it is sent."""
    return json.dumps(order).encode()


def order_parse(octets: bytes) -> dict[str, Any]:
    """An order as it was meant; both ends are trusted."""
    order: dict[str, Any] = json.loads(octets)
    return order
