# SPDX-License-Identifier: Apache-2.0
"""How high a clock is kept, on a clock of the test's."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paracore.backend._clock_floor import PERIOD, ClockFloor

SECOND = 1_000_000_000


class Device:
    """A device whose governor keeps it at the floor; its load is told in parts of what it does at its highest clock."""

    def __init__(self, most=1.0, least=0.1):
        self.floor, self.least, self.now, self.clock = ClockFloor(most), least, 0.0, least
        self.floor.begin(0.0, comes=True)

    def work(self, load, periods=1):
        for _period in range(periods):
            self.now += PERIOD
            self.floor.use(round(min(1.0, load / self.clock) * PERIOD * SECOND))
            self.clock = max(self.least, self.floor.look(self.now, self.clock))
        return self.floor.part


def test_who_comes_is_given_the_most_until_it_is_known_what_he_needs():
    device = Device(most=0.8)
    assert [device.work(0.2) for _ in range(4)] == [0.8, 0.8, 0.8, pytest.approx(0.25)]


@pytest.mark.parametrize(("load", "part"), [(0.1, 0.125), (0.4, 0.5), (0.7, 0.875), (1.0, 1.0)])
def test_it_follows_the_load_and_comes_to_rest(load, part):
    device = Device()
    device.work(load, 8)
    assert device.work(load) == pytest.approx(part)
    assert device.work(load, 20) == pytest.approx(part)


def test_more_is_asked_for_at_once_and_less_after_a_second():
    device = Device()
    device.work(0.1, 8)
    assert device.work(0.9, 2) > 0.15, "all of its time was used"
    device.work(0.9, 8)
    assert [device.work(0.1) for _ in range(4)] == [1.0, 1.0, 1.0, pytest.approx(0.125)]


def test_who_pauses_is_given_nothing_and_goes_on_by_what_he_uses():
    device = Device()
    device.work(1.0, 8)
    assert [device.work(0.0) for _ in range(4)] == [1.0, 1.0, 1.0, 0.0]
    device.now += 3600
    device.floor.begin(device.now, comes=False)
    assert device.work(0.05) == pytest.approx(0.0625)


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(0, 1 << 63), st.floats(0, 1))), st.floats(0, 1))
def test_whatever_is_said_it_is_never_above_the_most(said, most):
    floor, now = ClockFloor(most), 0.0
    floor.begin(now, comes=False)
    for seconds, used, clock in said:
        now += seconds
        floor.use(used)
        assert 0 <= floor.look(now, clock) <= most
