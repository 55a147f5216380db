# SPDX-License-Identifier: Apache-2.0
"""Where things lie: all that is fetched and built is under ``build/testbed`` and can be deleted at any time."""

from pathlib import Path

__all__ = ["BUILD", "DOMAIN", "ROOT"]

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build" / "testbed"
#: What runs inside the domains.
DOMAIN = Path(__file__).resolve().parent / "domain"
