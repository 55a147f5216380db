# SPDX-License-Identifier: Apache-2.0
"""One domain's accounts in the supervisor when the host cannot do what the domain may ask for."""

import errno

import pytest

from paracore import GrantError
from paracore.backend._config import DomainSection
from paracore.backend._domain import Domain
from paracore.transport import ChannelDescriptors


class Exhausted:
    """A supervisor without a descriptor left."""

    def order_worker(self, domain):
        raise OSError(errno.EMFILE, "Too many open files")


def test_a_worker_that_cannot_be_had_costs_no_channel():
    domain = Domain(DomainSection(name="guest"), ("uid:1",), Exhausted(), 1.0)
    for _round in range(100):
        with pytest.raises(GrantError) as caught:
            domain.channel_open(None, 1, 2, ChannelDescriptors(0, 0, 0))
        assert caught.value.errno == errno.EMFILE
    assert (domain.quota.channels, domain.channels) == (0, {})
