# SPDX-License-Identifier: Apache-2.0
"""The xenstore side of a Xen toolstack: which guest has which devices of which backend, and how far.

============  =================================================================
``_domains``  guests by number, name or UUID
``_attach``   makes a device's nodes, with their owners and permissions
``_staying``  attaches again whenever a guest comes back
``_detach``   takes them away, when both ends have let go or by force
``_devices``  those there are, and how they do
``_waiting``  until both ends are where they should be, or whose turn it is
============  =================================================================

It runs in the toolstack's domain, as root, and is trusted as ``xl`` is: what it writes into a backend's directory
is what the backend believes of a guest. What it reads may be a guest's. It talks to neither end but through
xenstore, so either may be started, stopped or replaced meanwhile.
"""

from __future__ import annotations

from paracore.toolstack._attach import attach
from paracore.toolstack._detach import detach
from paracore.toolstack._devices import Attached, attached
from paracore.toolstack._domains import XenDomain, domains, find_domain
from paracore.toolstack._staying import stay_attached
from paracore.toolstack._waiting import NotThere

__all__ = [
    "Attached",
    "NotThere",
    "XenDomain",
    "attach",
    "attached",
    "detach",
    "domains",
    "find_domain",
    "stay_attached",
]
