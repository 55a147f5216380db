# SPDX-License-Identifier: Apache-2.0
"""Rates of a domain, on a virtual clock: never more than was to be had, never less, and everybody's turn comes."""

from collections import deque
from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paracore.backend._allowance import Allowance
from paracore.backend._throttle import LATENESS, Cost, Rate, Throttle

MS = 1_000_000
SECOND = 1000 * MS
NOBODY = -1


class Session:
    """A session whose units cost the same, each; they are let go by the world's throttle."""

    def __init__(self, world, macroblocks=100):
        self.world, self.cost = world, Cost(1, macroblocks)
        self.units = 0
        self.has_news = False

    def give(self, count=1):
        for _ in range(count):
            if self.units or not self.world.throttle.take(self.cost):
                if not self.units:
                    self.world.throttle.wait(self)
                self.units += 1
            else:
                self.world.gone.append((self.world.now, self))

    def go(self):
        self.units -= 1
        self.world.gone.append((self.world.now, self))
        return self.units > 0


class World:
    """A throttle, and a worker that sleeps as long as it is told: only that moves the clock."""

    def __init__(self, *, since=-1000 * SECOND, **rates):
        self.now = 7 * SECOND
        self.gone = []
        self.wakeups = 0
        self.throttle = Throttle(**rates, since=since, clock=lambda: self.now)

    def run(self, until, arrivals=()):
        """Arrivals are (time, session, count), in order."""
        arrivals = deque(arrivals)
        while True:
            timeout = self.throttle.timeout_ms()
            wake = until if timeout == NOBODY else min(until, self.now + timeout * MS)
            if arrivals and arrivals[0][0] <= wake:
                at, session, count = arrivals.popleft()
                self.now = max(self.now, at)
                session.give(count)
            elif wake >= until:
                self.now = until
                return
            else:
                self.wakeups += 1
                self.now = wake
            self.throttle.turn()

    def amounts(self, field):
        return [(at, session.cost[field]) for at, session in self.gone]


def most_in_any_window(amounts, rate, burst):
    """By how much any window has more than the burst and the rate; not more than 0 is right.

    Of all windows that begin with one unit and end with another; found in one pass, since the sum of a window is the
    difference of two sums, and so is its time.
    """
    worst, least = float("-inf"), float("inf")
    sums = list(accumulate((amount for _, amount in amounts), initial=0))
    for number, (at, _) in enumerate(amounts):
        least = min(least, sums[number] - rate * at / SECOND)
        worst = max(worst, sums[number + 1] - rate * at / SECOND - least)
    return worst - burst


arrivals_of = st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 4), st.integers(1, 40)), min_size=1, max_size=30)


@settings(max_examples=60)
@given(
    arrivals=arrivals_of,
    costs=st.lists(st.integers(1, 40_000), min_size=5, max_size=5),
    pictures=st.builds(Rate, st.floats(1, 2000), st.integers(1, 50)),
    macroblocks=st.builds(Rate, st.floats(1000, 1e7), st.integers(1, 100_000)),
)
def test_no_window_has_more_than_the_burst_and_the_rate(arrivals, costs, pictures, macroblocks):
    world = World(pictures=pictures, macroblocks=macroblocks)
    sessions = [Session(world, cost) for cost in costs]
    begin = world.now
    world.run(begin + 20 * SECOND, [(begin + at * MS, sessions[who], count) for at, who, count in sorted(arrivals)])
    for field, rate in enumerate((pictures, macroblocks)):
        amounts = world.amounts(field)
        burst = max([rate.burst, *(amount for _, amount in amounts)]) + rate.per_second * LATENESS / SECOND
        assert most_in_any_window(amounts, rate.per_second, burst) <= 1e-6 * burst


@settings(max_examples=40)
@given(
    rate=st.floats(5, 800),
    burst=st.integers(1, 64),
    count=st.integers(1, 12),
)
def test_several_sessions_get_what_one_gets_and_all_of_it(rate, burst, count):
    world = World(pictures=(rate, burst))
    for _ in range(count):
        Session(world).give(int(rate) * 6 + 100)
    begin, taken = world.now, len(world.gone)
    assert taken == int(burst + rate * LATENESS / SECOND), "what was gathered in the rest before"
    world.run(begin + 4 * SECOND)
    assert len(world.gone) - taken == pytest.approx(4 * rate, rel=0.02, abs=1)


@settings(max_examples=40)
@given(backlogs=st.lists(st.integers(1, 30), min_size=2, max_size=8), rate=st.floats(1, 500))
def test_everybody_has_a_turn_before_anybody_has_another(backlogs, rate):
    world = World(pictures=(rate, 1))
    sessions = [Session(world) for _ in backlogs]
    for session, backlog in zip(sessions, backlogs, strict=True):
        session.give(backlog)
    waiting = {session: session.units for session in sessions}
    before = len(world.gone)
    world.run(world.now + int((sum(backlogs) + 2) / rate * SECOND) + SECOND)
    assert not any(session.units for session in sessions), "nothing waits for ever"
    order = deque(session for _, session in world.gone[before:])
    while order:
        turns = [session for session in sessions if waiting[session]]
        assert {order.popleft() for _ in turns} == set(turns)
        for session in turns:
            waiting[session] -= 1


def test_who_comes_later_does_not_go_past_those_who_wait():
    world = World(pictures=(10, 1))
    first, second = Session(world), Session(world)
    first.give(3)
    world.now += 500 * MS  # there would be credit, and its turn has not come yet
    second.give()
    assert second.units == 1
    world.throttle.turn()
    assert [session for _, session in world.gone] == [first, first]
    world.run(world.now + 150 * MS)
    assert [session for _, session in world.gone] == [first, first, second]


def test_it_sleeps_until_something_may_go_and_no_longer():
    world = World(pictures=(30, 1))
    assert world.throttle.timeout_ms() == NOBODY
    session = Session(world)
    session.give(31)
    world.run(world.now + 2 * SECOND)
    assert session.units == 0
    assert world.wakeups == 30, "one for each unit that waited"
    assert world.throttle.timeout_ms() == NOBODY


def test_a_rate_next_to_nothing_is_slept_for_in_pieces():
    world = World(pictures=(0.001, 1), since=7 * SECOND)
    Session(world).give()
    assert world.throttle.timeout_ms() == 1_000_001, "rounded up"
    world.throttle.charge(Cost(10**9, 0))
    assert world.throttle.timeout_ms() == 3_600_000


def test_a_unit_larger_than_the_burst_goes_and_is_paid_for_afterwards():
    world = World(macroblocks=(1000, 100))
    session = Session(world, 1000)
    session.give(6)
    world.run(world.now + 10 * SECOND)
    times = [at for at, _ in world.gone]
    assert [round((after - before) / SECOND, 2) for before, after in pairwise(times)] == [1.0] * 5


def test_what_is_charged_later_is_waited_for():
    world = World(pictures=(10, 2))
    session = Session(world)
    session.give()
    world.throttle.charge(Cost(11, 0))  # 12 of a burst of 2
    session.give()
    world.run(world.now + 1090 * MS)
    assert session.units == 1
    world.run(world.now + 20 * MS)
    assert session.units == 0


def test_what_is_charged_after_a_rest_comes_out_of_the_burst():
    world = World(pictures=(10, 10))
    session = Session(world)
    session.give(10)
    world.now += 10 * SECOND
    world.throttle.charge(Cost(5, 0))
    session.give(6)
    assert session.units == 1


def test_what_was_too_much_is_given_back_and_never_more_than_the_burst():
    world = World(macroblocks=(1, 100))
    session = Session(world)
    session.give()
    world.throttle.charge(Cost(0, -1000))
    session.give(2)
    assert session.units == 1


def test_a_new_worker_is_no_new_burst():
    world = World(pictures=(10, 8), since=7 * SECOND - 300 * MS)
    session = Session(world)
    session.give(8)
    assert len(world.gone) == 3


def successor(world, left, rate=(10, 8)):
    """The throttle of the next worker, which begins a second after the last one ended with what it had told."""
    debt = world.throttle.news()
    owed = debt or (0.0, 0.0, 0)
    return Throttle(pictures=rate, since=left, owed=tuple(owed), clock=lambda: left + SECOND)


def test_a_new_worker_owes_what_the_last_one_did():
    world = World(pictures=(10, 8))
    Session(world).give(8)
    world.throttle.charge(Cost(35, 0))
    new = successor(world, world.now + SECOND)
    assert not new.take(Cost(1, 0)), "35 of which 20 are paid by now"
    assert new.news() is None, "what is known need not be told"


def test_what_is_paid_before_a_worker_ends_is_no_credit():
    world = World(pictures=(10, 8))
    world.throttle.charge(Cost(13, 0))
    new = successor(world, world.now + 30 * SECOND)
    assert [new.take(Cost(1, 0)) for _ in range(9)] == [True] * 8 + [False], (
        "a second's worth, and none of those before"
    )


def test_a_debt_is_told_when_time_alone_does_not_explain_it():
    world = World(pictures=(100, 8), macroblocks=(1000, 100))
    assert world.throttle.news() is None
    world.throttle.charge(Cost(18, 0))
    assert world.throttle.news() == pytest.approx((10 - 0.2, 0, world.now)), "and what gathers by a late wake-up"
    world.now += 50 * MS
    assert world.throttle.news() is None
    world.throttle.charge(Cost(1, 0))
    assert world.throttle.news() is None, "so little need not be told"
    world.throttle.charge(Cost(2, 600))
    assert world.throttle.news() == pytest.approx((13 - 5 - 0.2, 500 - 2, world.now))
    world.throttle.charge(Cost(0, -600))
    assert world.throttle.news()[1] == 0, "what was given back is not owed"
    world.now += SECOND
    assert world.throttle.news() is None
    assert world.throttle.news(at_any_rate=True) == (0, 0, world.now)


def test_what_a_worker_says_that_it_owes_is_bounded():
    throttle = Throttle(pictures=(1, 1), owed=(1e30, 1e30, 0), clock=lambda: 3602 * SECOND)
    assert throttle.take(Cost(1, 0))


def test_who_goes_waits_no_more():
    world = World(pictures=(10, 1))
    stays, goes = Session(world), Session(world)
    stays.give(2)
    goes.give(2)
    world.throttle.leave(goes)
    world.throttle.leave(goes)
    world.run(world.now + SECOND)
    assert goes.units == 2
    assert stays.units == 0


def test_the_time_during_which_any_waited_is_counted_once():
    world = World(pictures=(10, 1))
    sessions = [Session(world) for _ in range(3)]
    sessions[0].give()
    assert world.throttle.waited == 0
    for session in sessions:
        session.give(2)
    world.run(world.now + 250 * MS)
    assert world.throttle.waited == 250 * MS
    world.run(world.now + 5 * SECOND)
    assert world.throttle.waited == pytest.approx(600 * MS, abs=10 * MS)
    sessions[0].give(3)
    waited = world.throttle.waited
    world.now += 50 * MS
    world.throttle.leave(sessions[0])
    world.now += SECOND
    assert world.throttle.waited == waited + 50 * MS


def test_without_rates_there_is_nothing_to_keep():
    assert Throttle().take(Cost(10**9, 10**9))
    assert Throttle().turn() == []


def test_another_rate_is_no_new_burst():
    now = 10 * SECOND
    throttle = Throttle(pictures=(10, 4), clock=lambda: now)
    taken = 0
    for rate in (20, 5, 20):
        taken += sum(throttle.take(Cost(1, 0)) for _ in range(10))
        throttle.change((rate, 8), (0, 1))
    assert taken == 4
    now += SECOND // 10
    assert [throttle.take(Cost(1, 0)) for _ in range(3)] == [True, True, False]


def test_a_rate_that_was_not_there_begins_with_nothing():
    now = 10 * SECOND
    throttle = Throttle(clock=lambda: now)
    throttle.change((10, 4), (0, 1))
    assert not throttle.take(Cost(1, 0))
    now += SECOND // 10
    assert throttle.take(Cost(1, 0))


@given(level=st.floats(-1e6, 10), rate=st.floats(1e-9, 1), least=st.floats(0.5, 10), now=st.integers(0, 10**15))
def test_an_allowance_is_there_when_it_says(level, rate, least, now):
    allowance = Allowance(rate, 10, level, now)
    at = allowance.ready_at(least)
    assert at >= now
    assert allowance.refresh(at) >= least - 1e-6
    assert allowance.ready_at(least) <= at + 1
