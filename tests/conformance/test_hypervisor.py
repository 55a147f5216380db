# SPDX-License-Identifier: Apache-2.0
"""The shipped suite on the hypervisor that is none; tests/system runs it on the real one."""

import pytest

from paracore.testing import HYPERVISOR_CHECKS, Domains, FakeXen, LocalGuest, check_hypervisor


@pytest.mark.parametrize("check", HYPERVISOR_CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_check(check):
    xen = FakeXen()
    domains = Domains(xen.domain(0), 0, LocalGuest(xen.domain(3), 3), LocalGuest(xen.domain(5), 5))
    check_hypervisor(domains, check)
    assert len(xen) == 0
