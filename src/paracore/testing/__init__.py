# SPDX-License-Identifier: Apache-2.0
"""Shipped checks: what a driver, a transport and a hypervisor must do, for whoever writes another one; and a device on a virtual clock."""

from __future__ import annotations

from paracore.testing._device_time import Span, VirtualDevice, VirtualDomain
from paracore.testing._driver import DRIVER_CHECKS, DriverMedia, check_driver
from paracore.testing._hostile import ATTACKS, HostileDomain, attack
from paracore.testing._hypervisor import FakeHypervisor, FakeXen
from paracore.testing._hypervisor_checks import HYPERVISOR_CHECKS, check_hypervisor
from paracore.testing._hypervisor_sides import Domains, Guest, LocalGuest
from paracore.testing._player import Memory, Picture, Player, Unit
from paracore.testing._store import STORE_CHECKS, check_xenstore
from paracore.testing._store_tree import StoreQuotas
from paracore.testing._transport import TRANSPORT_CHECKS, check_transport, transport_channel
from paracore.testing._xenstored import FakeXenstored

__all__ = [
    "ATTACKS",
    "DRIVER_CHECKS",
    "HYPERVISOR_CHECKS",
    "STORE_CHECKS",
    "TRANSPORT_CHECKS",
    "Domains",
    "DriverMedia",
    "FakeHypervisor",
    "FakeXen",
    "FakeXenstored",
    "Guest",
    "HostileDomain",
    "LocalGuest",
    "Memory",
    "Picture",
    "Player",
    "Span",
    "StoreQuotas",
    "Unit",
    "VirtualDevice",
    "VirtualDomain",
    "attack",
    "check_driver",
    "check_hypervisor",
    "check_transport",
    "check_xenstore",
    "transport_channel",
]
