# SPDX-License-Identifier: Apache-2.0
"""Paravirtual coprocessors: isolated domains use the host's video codec."""

from __future__ import annotations
