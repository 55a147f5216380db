# SPDX-License-Identifier: Apache-2.0
"""The shipped checks of a driver, on the kernel's own codec: where it is loaded, as in the testbed."""

from __future__ import annotations

import pytest

from paracore.drivers import v4l2
from paracore.testing import DRIVER_CHECKS
from tests import vicodec

pytestmark = pytest.mark.skipif(not vicodec.nodes(), reason="needs the kernel module vicodec: see tests/system")


@pytest.mark.parametrize("check", DRIVER_CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
@pytest.mark.parametrize("in_place", [True, False], ids=["in-place", "copied"])
def test_driver(in_place, check):
    check(v4l2.make("vpu0", in_place=in_place), vicodec.media())
