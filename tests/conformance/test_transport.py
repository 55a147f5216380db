# SPDX-License-Identifier: Apache-2.0
"""The shipped suite on each transport."""

import pytest

from paracore.testing import TRANSPORT_CHECKS, check_transport
from paracore.transport.local import LocalTransport
from paracore.transport.memory import MemoryTransport
from tests.conformance.guest import GuestTransport


@pytest.fixture(params=[MemoryTransport, LocalTransport, GuestTransport], ids=["memory", "local", "xen"])
def maker(request, tmp_path):
    return lambda: (request.param(), str(tmp_path / "paracore.sock"))


@pytest.mark.parametrize("check", TRANSPORT_CHECKS, ids=lambda check: check.__name__.removeprefix("check_"))
def test_check(maker, check):
    check_transport(maker, check)
