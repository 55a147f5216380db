# SPDX-License-Identifier: Apache-2.0
"""Between Xen domains: granted pages, event channels and xenstore.

===============  ====================================================================
``_hypervisor``  what is wanted of a hypervisor; ``paracore.testing`` has one without
``_directory``   granted pages that name granted pages
``_control``     the ring between a guest's frontend daemon and the supervisor
===============  ====================================================================
"""

from __future__ import annotations

from paracore.transport.xen._control import CONTROL_RING_ORDER, ControlRing
from paracore.transport.xen._directory import Directory, read_directory, write_directory
from paracore.transport.xen._hypervisor import Allocation, EventChannel, Hypervisor, HypervisorStatistics

__all__ = [
    "CONTROL_RING_ORDER",
    "Allocation",
    "ControlRing",
    "Directory",
    "EventChannel",
    "Hypervisor",
    "HypervisorStatistics",
    "read_directory",
    "write_directory",
]
