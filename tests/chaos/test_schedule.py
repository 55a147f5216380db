# SPDX-License-Identifier: Apache-2.0
"""The table of a run of chaos, and what it makes of streams."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.chaos.schedule import HOST, XEN, Event, Hit, Kind, Life, Outcome, Reach, fault, schedule

tables = pytest.mark.parametrize("rows", [HOST, XEN])


@tables
@settings(max_examples=20)
@given(seed=st.integers(0, 1 << 32))
def test_a_seed_says_all(rows, seed):
    events = schedule(seed, 120, rows, lanes=16, domains=8)
    assert events == schedule(seed, 120, rows, lanes=16, domains=8)
    assert events == schedule(seed, 600, rows, lanes=16, domains=8)[: len(events)]
    assert 50 < len(events) < 200
    assert events == sorted(events)
    assert all(0 < event.at < 120 for event in events)
    assert {event.target for event in events} <= set(range(16))


@tables
def test_each_row_has_its_turn_and_its_rest(rows):
    events = schedule(1, 600, rows, lanes=16, domains=8)
    assert {event.name for event in events} == set(rows)
    shaken = 0.0
    for event in events:
        assert event.at - shaken >= rows[event.name].rest
        if rows[event.name].reach is Reach.ALL:
            shaken = event.at


def life(kind, outcome, *, lane=4, began=10.0, ended=16.0):
    return Life(lane, lane // 2, kind, began, ended, outcome, 1)


def hit(name, target, at):
    return Hit(Event(at, name, target), at, at + 0.5)


@pytest.mark.parametrize(
    ("kind", "outcome", "event", "fine"),
    [
        (Kind.RECOVER, Outcome.COMPLETE, None, True),
        (Kind.RECOVER, Outcome.COMPLETE, ("worker killed", 2, 12), True),
        (Kind.RECOVER, Outcome.ENDED, None, False),
        (Kind.RECOVER, Outcome.ENDED, ("worker killed", 2, 12), False),
        (Kind.RECOVER, Outcome.ENDED, ("supervisor killed", 0, 12), True),
        (Kind.RECOVER, Outcome.ENDED, ("supervisor killed", 0, 17), False),
        (Kind.RECOVER, Outcome.ENDED, ("supervisor killed", 0, 6), False),
        (Kind.FAIL, Outcome.ENDED, ("worker killed", 2, 12), True),
        (Kind.FAIL, Outcome.ENDED, ("worker killed", 3, 12), False),
        (Kind.FAIL, Outcome.ENDED, ("warm parent killed", 0, 8), True),
        (Kind.FAIL, Outcome.ENDED, ("application killed", 4, 12), False),
        (Kind.V4L2, Outcome.KILLED, ("application killed", 4, 12), True),
        (Kind.V4L2, Outcome.KILLED, ("application killed", 5, 12), False),
        (Kind.V4L2, Outcome.WRONG, ("supervisor killed", 0, 12), False),
        (Kind.OMX, Outcome.HUNG, ("supervisor killed", 0, 12), False),
    ],
)
def test_how_a_stream_may_end(kind, outcome, event, fine):
    hits = [hit(*event)] if event else []
    assert (fault(life(kind, outcome), hits, HOST) is None) is fine
