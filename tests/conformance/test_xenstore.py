# SPDX-License-Identifier: Apache-2.0
"""The shipped suite on the fake xenstored, and in a Xen domain on the real one by every way that leads to it."""

from pathlib import Path

import pytest

from paracore.testing import STORE_CHECKS, FakeXenstored, check_xenstore
from paracore.transport.xen import Xenstore

PRIVILEGED = Path("/run/xenstored/socket").exists()
BEYOND_A_QUOTA = {"check_long_directories_are_listed"}
REAL = [path for path in ("/run/xenstored/socket", "/dev/xen/xenbus") if Path(path).exists()]


def checks(*, privileged):
    return [check for check in STORE_CHECKS if privileged or check.__name__ not in BEYOND_A_QUOTA]


def name(value):
    return getattr(value, "__name__", str(value)).removeprefix("check_")


@pytest.fixture
def xenstored(tmp_path):
    with FakeXenstored(tmp_path) as xenstored:
        xenstored.introduce(3, "guest")
        yield xenstored


@pytest.mark.parametrize("check", checks(privileged=True), ids=name)
def test_fake_in_domain_0(xenstored, check):
    check_xenstore(lambda: Xenstore.connect(xenstored.address()), "/check", check)


@pytest.mark.parametrize("check", checks(privileged=False), ids=name)
def test_fake_in_a_guest(xenstored, check):
    check_xenstore(lambda: Xenstore.connect(xenstored.address(3)), "data/check", check)


@pytest.mark.skipif(not REAL, reason="only in a Xen domain")
@pytest.mark.parametrize("address", REAL or [""], ids=name)
@pytest.mark.parametrize("check", checks(privileged=PRIVILEGED), ids=name)
def test_real(address, check):
    base = "/paracore-check" if PRIVILEGED else "data/paracore-check"
    check_xenstore(lambda: Xenstore.connect(address), base, check)
