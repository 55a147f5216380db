# SPDX-License-Identifier: Apache-2.0
"""What is known of a domain's workers when they are no more; and when they tell of it, on a virtual clock."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from paracore.backend._books import Books, WorkerLimits
from paracore.backend._ledger import Ledger, LedgerState
from paracore.backend._tally import Tally
from paracore.classes import worker

MOST = (1 << 63) - 1
NAMES = worker.Counted._fields


def test_counts_go_on_with_the_next_worker():
    ledger = Ledger()
    ledger.count({"inputs": 5})
    ledger.count({"inputs": 8, "outputs": 7})
    ledger.part()
    ledger.count({"inputs": 2})
    totals = ledger.totals()
    assert (totals["inputs"], totals["outputs"], totals["errors"]) == (10, 7, 0)


steps = st.one_of(st.none(), st.dictionaries(st.sampled_from([*NAMES, "nonsense"]), st.integers(0, 1 << 64)))


@given(st.lists(steps))
def test_whatever_workers_say_no_count_goes_back(said):
    ledger, before = Ledger(), dict.fromkeys(NAMES, 0)
    for counts in said:
        ledger.part() if counts is None else ledger.count(counts)
        after = ledger.totals()
        assert after.keys() == set(NAMES)
        assert all(before[name] <= after[name] <= MOST for name in NAMES)
        before = after


def test_it_goes_on_over_a_reload():
    ledger, heir = Ledger(lambda: 99), Ledger()
    ledger.count({"inputs": 5})
    ledger.part()
    ledger.count({"inputs": 3})
    ledger.owe(1.5, 20.0)
    ledger.late = 7
    state = ledger.hand_over()
    heir.adopt(msgspec.json.decode(msgspec.json.encode(state), type=LedgerState))
    heir.count({"inputs": 4})
    assert heir.totals()["inputs"] == 9
    assert heir.late == 7
    assert heir.owed == ledger.owed == (1.5, 20.0, 99)


def test_counts_of_another_version_are_left_out():
    ledger = Ledger()
    ledger.adopt(LedgerState({"inputs": 5, "once": 7}, {}))
    assert ledger.totals() == dict.fromkeys(NAMES, 0) | {"inputs": 5}


def test_a_worker_tells_what_is_new_a_second_apart():
    now = 0
    books = Books((), WorkerLimits(1, 1, 1, 1, 1))
    tally = Tally(books, lambda: now)
    books.count("calls")
    assert tally.news([]) is None
    now = 10**9
    assert tally.news([]).calls == 1
    books.count("calls")
    now += 10**9 - 1
    assert tally.news([]) is None
    assert tally.news([], at_once=True).calls == 2
    now += 10**9
    assert tally.news([], at_once=True) is None, "it has been told"
