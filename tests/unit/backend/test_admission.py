# SPDX-License-Identifier: Apache-2.0
"""The books of what sessions have declared: no device has more than it can do, no domain more than it may."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paracore.backend._admission import Admission, Bounds, declared_rate
from paracore.drivers.null._session import gray

FREE = Bounds(64, 0)


def declared(width, height, num, den, **more):
    return declared_rate(gray(width, height)._replace(rate_num=num, rate_den=den, **more))


@pytest.mark.parametrize(
    ("form", "rate"),
    [
        ((1920, 1080, 30, 1), 1920 * 1080 * 30),
        ((1920, 1080, 30000, 1001), 62145855),
        ((1920, 1080, 0, 1), 0),
        ((1920, 1080, 30, 0), 0),
        ((0xFFFF_FFFF, 0xFFFF_FFFF, 0xFFFF_FFFF, 1), (1 << 63) - 1),
    ],
)
def test_what_a_format_declares(form, rate):
    assert declared(*form) == rate


@pytest.mark.parametrize("coded", [0, 0xFFFF_FFFF])
def test_the_coded_size_of_a_wish_is_ignored(coded):
    assert declared(640, 480, 10, 1, coded_width=coded, coded_height=coded) == 640 * 480 * 10


def test_what_does_not_fit_changes_nothing():
    books = Admission({"vpu0": 100, "vpu1": 50})
    assert books.reserve("a", "vpu0", 1, 60, FREE) is None
    assert books.reserve("b", "vpu0", 1, 41, FREE) == 100
    assert books.reserve("b", "vpu0", 1, 40, FREE) is None
    assert books.reserve("a", "vpu0", 1, 61, FREE) == 100
    assert books.reserve("a", "vpu1", 1, 51, FREE) == 50, "each device has its own"
    assert books.account("a") == {"vpu0": 60}


def test_less_always_fits_and_nothing_is_nothing():
    books = Admission({"vpu0": 100})
    books.reserve("a", "vpu0", 1, 100, FREE)
    assert books.reserve("a", "vpu0", 1, 30, FREE) is None
    assert books.reserve("b", "vpu0", 1, 70, FREE) is None
    assert books.reserve("b", "vpu0", 1, 0, FREE) is None
    assert books.account("b") == {}


def test_without_a_budget_all_are_let_in():
    books = Admission({"vpu0": 0})
    assert books.reserve("a", "vpu0", 1, 1 << 62, FREE) is None
    assert books.reserve("b", "vpu0", 1, 1 << 62, FREE) is None


def test_no_domain_reserves_more_than_it_may():
    books = Admission({"vpu0": 100, "vpu1": 100})
    some = Bounds(2, 80)
    assert books.reserve("a", "vpu0", 1, 81, some) == 80
    assert books.reserve("a", "vpu0", 1, 50, some) is None
    assert books.reserve("a", "vpu1", 2, 31, some) == 80
    assert books.reserve("a", "vpu1", 2, 30, some) is None


def test_a_domains_own_bound_holds_also_where_nobody_knows_what_the_device_can_do():
    books = Admission({"vpu0": 0, "vpu1": 100})
    some = Bounds(2, 80)
    assert books.reserve("a", "vpu0", 1, 81, some) == 80
    assert books.reserve("a", "vpu0", 1, 50, some) is None
    assert books.reserve("a", "vpu1", 2, 31, some) == 80
    assert books.reserve("a", "vpu1", 2, 30, some) is None
    assert books.reserve("b", "vpu0", 1, 1000, FREE) is None


def test_no_worker_fills_the_books():
    books = Admission({"vpu0": 100})
    assert [books.reserve("a", "vpu0", session, 1, Bounds(2, 0)) for session in range(3)] == [None, None, 2]
    assert books.reserve("a", "vpu0", 1, 5, Bounds(2, 0)) is None
    assert books.reserve("a", "vpu0", 7, 0, Bounds(2, 0)) is None, "to give back needs no room"


def test_a_worker_that_goes_leaves_nothing():
    books = Admission({"vpu0": 100})
    for session in range(5):
        books.reserve("a", "vpu0", session, 20, FREE)
    books.leave("a")
    books.leave("a")
    assert books.reserved("vpu0") == 0
    assert books.reserve("b", "vpu0", 1, 100, FREE) is None


wishes = st.lists(
    st.tuples(
        st.sampled_from("abc"), st.sampled_from(["vpu0", "vpu1"]), st.integers(0, 5), st.integers(0, 120), st.booleans()
    ),
    max_size=60,
)


@given(wishes)
def test_never_more_than_the_budget_and_the_bound(asked):
    books, bounds = Admission({"vpu0": 100, "vpu1": 70}), Bounds(4, 90)
    held = {}
    for domain, device, session, rate, leaves in asked:
        if leaves:
            books.leave(domain)
            held = {key: value for key, value in held.items() if key[0] != domain}
        elif books.reserve(domain, device, session, rate, bounds) is None:
            held[domain, device, session] = rate
        for name, budget in books.budgets.items():
            assert books.reserved(name) == sum(rate for key, rate in held.items() if key[1] == name) <= budget
        for name in "abc":
            assert sum(books.account(name).values()) == sum(rate for key, rate in held.items() if key[0] == name) <= 90
