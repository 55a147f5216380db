# SPDX-License-Identifier: Apache-2.0
"""Jobs that hang are found at their deadline, and nobody wakes up for those that do not; on a clock of the test's."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from paracore.backend._job_watch import JobWatch

MS = 1_000_000
DEADLINE = 1000 * MS


class Driver:
    since = None

    def busy_since(self):
        if isinstance(self.since, Exception):
            raise self.since
        return self.since


@dataclass
class Session:
    number: int = 1
    deadline: int = DEADLINE
    works: bool = True
    driver: Driver = field(default_factory=Driver)


def test_an_idle_worker_has_nothing_to_wake_up_for():
    watch = JobWatch()
    assert watch.timeout_ms([], 0) == -1
    assert watch.timeout_ms([Session(works=False), Session(deadline=0)], 0) == -1
    assert watch.overdue([], 10 * DEADLINE) == []


def test_a_job_that_hangs_is_found_at_its_deadline():
    watch, session = JobWatch(), Session()
    session.driver.since = 0
    assert watch.timeout_ms([session], 0) == 1000
    session.driver.since = 300 * MS  # the one before is done, and this one hangs
    assert watch.overdue([session], 999 * MS) == []
    assert watch.overdue([session], 1000 * MS) == []
    assert watch.timeout_ms([session], 1000 * MS) == 300
    assert watch.overdue([session], 1300 * MS) == [session]


def test_a_wait_for_the_domain_wakes_nobody_up():
    watch, session = JobWatch(), Session()
    assert watch.timeout_ms([session], 0) == 1000
    assert watch.overdue([session], 1000 * MS) == []
    assert watch.timeout_ms([session], 1000 * MS) == -1
    watch.stir()
    assert watch.timeout_ms([session], 5000 * MS) == 1000


def test_the_shortest_deadline_counts():
    watch, slow, quick = JobWatch(), Session(), Session(deadline=10 * MS)
    slow.driver.since = quick.driver.since = 0
    assert watch.timeout_ms([slow, quick], 0) == 10
    assert watch.overdue([slow, quick], 10 * MS) == [quick]
    assert watch.timeout_ms([slow], 10 * MS) == 990


def test_a_process_that_stood_still_is_no_device_that_hangs():
    watch, session = JobWatch(), Session()
    session.driver.since = 0
    watch.timeout_ms([session], 0)
    assert watch.overdue([session], 60_000 * MS) == []
    assert watch.timeout_ms([session], 60_000 * MS) == 1000
    assert watch.overdue([session], 61_000 * MS) == [session]


def test_a_driver_that_cannot_say_has_no_more_time():
    watch, session = JobWatch(), Session()
    session.driver.since = ZeroDivisionError()
    watch.timeout_ms([session], 0)
    assert watch.overdue([session], 1000 * MS) == [session]


@given(jobs=st.lists(st.integers(1, 3 * DEADLINE), min_size=1, max_size=8))
def test_whatever_came_before(jobs):
    """Jobs of any length, one after the other: the first that is too long is found, at its deadline, and no other."""
    watch, session, now, ends = JobWatch(), Session(), 0, 0
    for length in jobs:
        session.driver.since, ends = ends, ends + length
        while (timeout := watch.timeout_ms([session], now)) >= 0 and now + timeout * MS < ends:
            now += timeout * MS
            if watch.overdue([session], now):
                assert length > DEADLINE
                assert DEADLINE <= now - session.driver.since < DEADLINE + 2 * MS
                return
        assert length <= DEADLINE + 2 * MS
        now = ends
        watch.stir()
