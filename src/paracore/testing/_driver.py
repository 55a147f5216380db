# SPDX-License-Identifier: Apache-2.0
"""``check_driver``: what the worker, and the domain behind it, rely on in a driver of the video class.

Each check drives sessions of its own through ``Player``, which asserts by itself what holds at any time. A check
fails with ``AssertionError``. The media decide how much of a driver is seen: two short clips will do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from paracore.testing._driver_decoding import DECODING_CHECKS
from paracore.testing._driver_encoding import ENCODING_CHECKS
from paracore.testing._driver_media import DriverMedia

if TYPE_CHECKING:
    from collections.abc import Callable

    from paracore.drivers import Driver

__all__ = ["DRIVER_CHECKS", "DriverMedia", "check_driver"]

DRIVER_CHECKS: tuple[Callable[[Driver, DriverMedia], None], ...] = (*DECODING_CHECKS, *ENCODING_CHECKS)
"""Each by itself, for a test per check."""


def check_driver(make_driver: Callable[[], Driver], media: DriverMedia) -> None:
    """Runs every check on a new device each."""
    for check in DRIVER_CHECKS:
        check(make_driver(), media)
