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


class Carrier:
    """A supervisor whose workers only carry."""

    def __init__(self):
        self.carried = []

    def order_worker(self, domain):
        return self

    def worker_left(self, domain):
        pass

    def channel_add(self, *channel):
        pass

    def carry(self, late):
        self.carried.append(late)


class Connection:
    channel = 0
    worker = None


def test_what_a_worker_used_last_is_charged_by_the_next_one():
    owner = Carrier()
    domain = Domain(DomainSection(name="guest"), ("uid:1",), owner, 1.0)
    domain.worker_used(30)
    domain.channel_open(Connection(), 1, 2, ChannelDescriptors(0, 0, 0))
    domain.worker_used(4)
    assert (owner.carried, domain.ledger.late) == ([30, 4], 0), "whether it is there already or not"


def test_a_worker_that_cannot_be_had_costs_no_channel():
    domain = Domain(DomainSection(name="guest"), ("uid:1",), Exhausted(), 1.0)
    for _round in range(100):
        with pytest.raises(GrantError) as caught:
            domain.channel_open(None, 1, 2, ChannelDescriptors(0, 0, 0))
        assert caught.value.errno == errno.EMFILE
    assert (domain.quota.channels, domain.channels) == (0, {})
