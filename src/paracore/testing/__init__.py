# SPDX-License-Identifier: Apache-2.0
"""Shipped checks: what a driver and a transport must do, for whoever writes another one."""

from __future__ import annotations

from paracore.testing._player import Memory, Picture, Player, Unit

__all__ = ["Memory", "Picture", "Player", "Unit"]
