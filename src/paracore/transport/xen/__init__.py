# SPDX-License-Identifier: Apache-2.0
"""Between Xen domains: granted pages, event channels and xenstore.

===============  ====================================================================
``_hypervisor``  what is wanted of a hypervisor; ``paracore.testing`` has one without
``_directory``   granted pages that name granted pages
``_devices``     the hypervisor as Linux offers it to programs
``_control``     the ring between a guest's frontend daemon and the supervisor
``_xenstore``    xenstore for asyncio, over ``_store_line`` and ``_store_wire``
``_listener``    the backend: guests as they come and go
``_guest``       one device of one guest, by the xenbus table
``_exchange``    the backend's end of one control ring
``_port``        one process of a guest
===============  ====================================================================
"""

from __future__ import annotations

from paracore.transport.xen._control import CONTROL_RING_ORDER, ControlRing
from paracore.transport.xen._devices import XenHypervisor, adopt_events
from paracore.transport.xen._directory import Directory, read_directory, write_directory
from paracore.transport.xen._hypervisor import Allocation, EventChannel, Hypervisor, HypervisorStatistics
from paracore.transport.xen._listener import XenListener
from paracore.transport.xen._store_line import store_address
from paracore.transport.xen._xenstore import Conflict, StoreNodes, Transaction, Watch, Xenstore

__all__ = [
    "CONTROL_RING_ORDER",
    "Allocation",
    "Conflict",
    "ControlRing",
    "Directory",
    "EventChannel",
    "Hypervisor",
    "HypervisorStatistics",
    "StoreNodes",
    "Transaction",
    "Watch",
    "XenHypervisor",
    "XenListener",
    "Xenstore",
    "adopt_events",
    "read_directory",
    "store_address",
    "write_directory",
]
