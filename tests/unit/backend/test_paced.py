# SPDX-License-Identifier: Apache-2.0
"""A session whose units wait for credit, on a virtual clock: what reaches the driver when, and what it is charged."""

from contextlib import suppress
from ctypes import addressof, create_string_buffer

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paracore.backend._held import HeldSession
from paracore.backend._paced import FREE, UNKNOWN, PacedSession, macroblocks_of
from paracore.backend._throttle import Throttle
from paracore.classes import TraceEvent
from paracore.classes.video import (
    ChangeFlag,
    Direction,
    Drained,
    Error,
    InputDone,
    InputFlag,
    OutputFlag,
    OutputReady,
    PictureType,
    SourceChange,
)
from paracore.drivers import CallFailed, Notices, Span, VideoSession
from paracore.drivers.null._session import Session as NullSession
from paracore.drivers.null._session import gray

MS = 1_000_000
NONE = InputFlag(0)
SPAN = Span(4096, 8, read_only=True)


class Driver(Notices, VideoSession):
    """Takes what it is given, fails as it is told to, and says what a test lets it say."""

    def __init__(self):
        super().__init__()
        self.calls = []
        self.failures = {}
        self.held = False

    def _do(self, *call):
        self.calls.append(call)
        if call in self.failures:
            raise self.failures[call]

    def format_get(self):
        return gray(8, 8)

    def format_set(self, wanted):
        return wanted

    def control_set(self, control, value):
        return value

    def queue_input(self, span, cookie, flags, timestamp, duration):
        self._do("input", cookie)

    def queue_output(self, span, cookie):
        self._do("output", cookie)

    def holds(self, span):
        return self.held

    def drain(self):
        self._do("drain")

    def flush(self):
        self._do("flush")

    def recall(self):
        self._do("recall")


class Bench:
    """A session in front of a driver, at a rate; the test moves the clock."""

    def __init__(self, direction=Direction.DECODE, **rates):
        self.now = 0
        self.throttle = Throttle(**(rates or {"pictures": (10, 1)}), since=-(10**15), clock=lambda: self.now)
        self.driver = Driver()
        self.marks = []
        self.session = PacedSession(self.driver, direction, self.throttle, lambda *mark: self.marks.append(mark))

    def give(self, *cookies, flags=NONE):
        for cookie in cookies:
            self.session.queue_input(SPAN, cookie, flags, 0, 0)

    def wait(self, ms):
        """Returns what has news."""
        self.now += ms * MS
        return self.throttle.turn()

    def say(self, *events):
        """The driver says it; returns what comes out."""
        for event in events:
            self.driver.tell(event)
        return self.session.completions()

    def level(self, field):
        """Of credit, to the nearest whole."""
        limit = next(limit for limit in self.throttle._limits if limit.field == field)
        return round(limit.allowance.refresh(self.now))

    def close(self):
        self.session.close()


@pytest.fixture
def make():
    made = []

    def bench(*arguments, **rates):
        made.append(Bench(*arguments, **rates))
        return made[-1]

    yield bench
    for each in made:
        each.close()


def change(generation, width, height):
    return SourceChange(generation, ChangeFlag.BUFFERS, gray(width, height))


def picture(generation=1, flags=OutputFlag.KEY):
    return OutputReady(1, flags, 0, 0, 0, generation, 64, PictureType.INTRA, 0, 0, 8, 8)


def test_a_unit_that_waits_is_marked_for_who_traces(make):
    bench = make(pictures=(1, 1))
    bench.session.label(3, 4)
    bench.give(7, 8, 9)
    assert bench.marks == [(TraceEvent.INPUT_THROTTLED, 3, 4, cookie, 0) for cookie in (8, 9)]


# --- order --------------------------------------------------------------------------------------------


def test_without_rates_nothing_waits_and_with_one_from_now_on_it_does(make):
    bench = make(pictures=(0, 1))
    bench.give(1, 2, 3)
    bench.throttle.change((10, 1), (0, 1))
    bench.give(4, 5)
    assert bench.driver.calls == [("input", cookie) for cookie in (1, 2, 3)]
    bench.wait(101)
    bench.throttle.change((0, 1), (0, 1))
    bench.wait(0)
    assert bench.driver.calls[3:] == [("input", 4), ("input", 5)]


def test_units_go_one_by_one(make):
    bench = make()
    bench.give(1, 2, 3)
    assert bench.driver.calls == [("input", 1)]
    assert bench.wait(90) == []
    assert bench.driver.calls == [("input", 1)]
    assert bench.wait(11) == []
    assert bench.driver.calls == [("input", 1), ("input", 2)]


def test_a_drain_goes_behind_the_units_before_it(make):
    bench = make()
    bench.session.drain()
    bench.give(1, 2)
    bench.session.drain()
    with pytest.raises(CallFailed, match="BUSY"):
        bench.session.drain()
    bench.give(3)
    bench.wait(101)
    assert bench.driver.calls == [("drain",), ("input", 1), ("input", 2), ("drain",)]
    bench.wait(101)
    assert bench.driver.calls[-1] == ("input", 3)


def test_parameter_sets_cost_nothing_and_keep_their_place(make):
    bench = make()
    bench.give(1, 2, flags=InputFlag.CONFIG)
    bench.give(3, 4)
    bench.give(5, flags=InputFlag.CONFIG)
    bench.give(6)
    assert bench.driver.calls == [("input", 1), ("input", 2), ("input", 3)]
    bench.wait(101)
    assert bench.driver.calls[3:] == [("input", 4), ("input", 5)]


def test_units_that_are_all_called_parameter_sets_cost_what_units_do(make):
    """A driver that does not look at the flag works them off."""
    bench = make(pictures=(1, 1))
    bench.give(*range(100), flags=InputFlag.CONFIG)
    assert len(bench.driver.calls) == 4 + 1 + 4
    assert bench.throttle.timeout_ms() > 0
    bench.wait(1001)
    assert len(bench.driver.calls) == 9 + 1 + 4, "one that is paid for, and what is let go behind it"
    bench.say(change(1, 16, 16), *[picture()] * 14)
    bench.wait(12_900)
    assert len(bench.driver.calls) == 14, "each that brought a picture is paid for after all"
    bench.wait(101)
    assert len(bench.driver.calls) == 14 + 1 + 4


def test_parameter_sets_as_large_as_units_cost_what_units_do(make):
    bench = make(pictures=(1, 1))
    large = Span(4096, FREE // 2, read_only=True)
    for cookie in range(7):
        bench.session.queue_input(large, cookie, InputFlag.CONFIG, 0, 0)
    assert bench.driver.calls == [("input", cookie) for cookie in range(5)], "the third is paid for, the sixth waits"
    bench.wait(1001)
    assert bench.driver.calls[5:] == [("input", 5), ("input", 6)]


def test_parameter_sets_of_all_sessions_are_counted_together(make):
    """Else a domain would open one after the other."""
    bench = make(pictures=(1, 1))
    bench.give(*range(4), flags=InputFlag.CONFIG)
    other = PacedSession(Driver(), Direction.DECODE, bench.throttle)
    other.queue_input(SPAN, 1, InputFlag.CONFIG, 0, 0)
    assert other._driver.calls == [("input", 1)]
    assert bench.level(0) == 0, "it was paid for"
    other.close()


def test_who_owes_something_has_no_parameter_sets_for_nothing(make):
    """They wait until it is paid, and are not charged then."""
    bench = make(pictures=(10, 1))
    bench.give(1, flags=InputFlag.CONFIG)
    bench.say(change(1, 16, 16), picture(), picture(), picture())
    bench.give(2, flags=InputFlag.CONFIG)
    assert bench.driver.calls == [("input", 1)]
    assert bench.throttle.timeout_ms() == pytest.approx(200, abs=3), "of three there was one"
    bench.wait(201)
    assert bench.driver.calls == [("input", 1), ("input", 2)]
    bench.wait(100)
    assert bench.level(0) == 1


def test_a_parameter_set_that_was_paid_for_is_not_charged_again_by_its_picture(make):
    bench = make(pictures=(1, 100))
    bench.give(*range(6), flags=InputFlag.CONFIG)
    assert bench.level(0) == 99, "the fifth, and behind it they are free again"
    bench.say(change(1, 16, 16), picture())
    assert bench.level(0) == 99
    bench.say(picture())
    assert bench.level(0) == 98


def test_nothing_of_a_drivers_session_is_left_to_its_default():
    """What a session of the driver says of itself has to be heard through this one, also what it learns to say later."""
    public = {name for name in vars(VideoSession) if not name.startswith("_")}
    assert public - vars(HeldSession).keys() == {"stoppable"}, "which it takes over as it is"


def test_outputs_and_questions_do_not_wait(make):
    bench = make()
    bench.give(1, 2)
    bench.session.queue_output(SPAN, 9)
    bench.session.recall()
    bench.driver.held = True
    assert bench.session.holds(SPAN)
    assert bench.session.format_get() == gray(8, 8)
    assert bench.driver.calls[1:] == [("output", 9), ("recall",)]


def test_a_flush_cancels_what_waits_behind_what_the_driver_has(make):
    bench = make()
    bench.give(1, 2, 3)
    bench.session.drain()
    bench.session.flush()
    told = bench.say(InputDone(1, Error.CANCELLED))
    assert told == [InputDone(cookie, Error.CANCELLED) for cookie in (1, 2, 3)]
    assert bench.throttle.timeout_ms() == -1
    bench.wait(500)
    assert bench.driver.calls == [("input", 1), ("flush",)], "and the drain is forgotten without a word"


def test_a_close_forgets_what_waits(make):
    bench = make()
    bench.give(1, 2, 3)
    bench.session.close()
    assert bench.throttle.timeout_ms() == -1
    bench.wait(500)
    assert bench.driver.calls == [("input", 1)]


def test_sessions_have_turns(make):
    bench = make()
    others = [PacedSession(Driver(), Direction.DECODE, bench.throttle) for _ in range(2)]
    bench.give(1, 2, 3)
    for other in others:
        other.queue_input(SPAN, 1, NONE, 0, 0)
    for _ in range(3):
        bench.wait(101)
    assert bench.driver.calls == [("input", 1), ("input", 2)]
    assert [other._driver.calls for other in others] == [[("input", 1)]] * 2
    for other in others:
        other.close()


# --- whatever comes ------------------------------------------------------------------------------------

NOTHING = create_string_buffer(16)
"""Of which the null device makes nothing, and says so at once; of less than a unit has it refuses even to try."""
step = st.one_of(
    st.sampled_from(["give", "give", "give", "config", "small", "drain", "flush", "look"]), st.integers(1, 400)
)


@settings(max_examples=200)
@given(st.lists(step, max_size=60))
def test_each_input_comes_back_once_and_in_order(steps):
    bench = Bench()
    session = PacedSession(NullSession(Direction.DECODE), Direction.DECODE, bench.throttle)
    back, refused = [], []
    for cookie, what in enumerate(steps):
        if what in ("give", "config", "small"):
            span = Span(addressof(NOTHING), 2 if what == "small" else 16, read_only=True)
            flags = InputFlag.CONFIG if what == "config" else NONE
            try:
                session.queue_input(span, cookie, flags, 0, 0)
            except CallFailed:
                refused.append(cookie)
        elif what == "drain":
            with suppress(CallFailed):
                session.drain()
        elif what == "flush":
            session.flush()
        elif what != "look":
            bench.wait(what)
        back += session.completions()
    bench.wait(0)
    while bench.throttle.timeout_ms() >= 0:
        bench.wait(bench.throttle.timeout_ms())
    back += session.completions()
    given = [cookie for cookie, what in enumerate(steps) if what in ("give", "config", "small")]
    done = [event.cookie for event in back if isinstance(event, InputDone)]
    assert done == sorted(done)
    assert sorted(done + refused) == given
    session.close()
    bench.close()


# --- what a driver would not take --------------------------------------------------------------------


def test_a_unit_that_is_refused_at_once_fails_as_ever(make):
    bench = make()
    bench.driver.failures["input", 1] = CallFailed(Error.INVALID)
    with pytest.raises(CallFailed, match="INVALID"):
        bench.give(1)
    assert bench.session.completions() == []


def test_a_unit_that_is_refused_later_comes_back_with_the_error(make):
    bench = make()
    bench.driver.failures["input", 2] = CallFailed(Error.INVALID)
    bench.give(1, 2, 3)
    assert bench.wait(101) == []
    assert bench.session.completions() == [], "not before the one in front of it"
    assert bench.wait(101) == []
    assert bench.driver.calls[-1] == ("input", 3)
    told = bench.say(InputDone(1, 0), InputDone(3, 0))
    assert told == [InputDone(1, 0), InputDone(2, Error.INVALID), InputDone(3, 0)]


def test_a_unit_with_nothing_in_front_comes_back_at_once(make):
    bench = make()
    bench.driver.failures["input", 2] = CallFailed(Error.INVALID)
    bench.give(1, 2)
    bench.say(InputDone(1, 0))
    assert bench.wait(101) == [bench.session]
    assert bench.session.completions() == [InputDone(2, Error.INVALID)]
    assert not bench.session.has_news


@pytest.mark.parametrize("fault", [RuntimeError("out of its mind"), MemoryError()])
@pytest.mark.parametrize("call", [("input", 2), ("drain",)])
def test_a_fault_is_told_when_completions_are_asked_for(make, call, fault):
    bench = make()
    bench.driver.failures[call] = fault
    bench.give(1, 2)
    bench.session.drain()
    bench.give(3)
    assert bench.wait(101) == [bench.session]
    with pytest.raises(type(fault)):
        bench.session.completions()
    bench.wait(500)
    assert ("input", 3) not in bench.driver.calls


# --- what is charged ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "height", "macroblocks"),
    [(1, 1, 1), (16, 16, 1), (17, 16, 2), (1920, 1088, 8160), (1920, 1080, 8160), (3840, 2160, 32400)],
)
def test_macroblocks_are_of_the_coded_size_and_whole(width, height, macroblocks):
    assert macroblocks_of(gray(width, height)) == macroblocks
    assert macroblocks_of(gray(width, height)._replace(width=1, height=1)) == macroblocks, "a crop makes it no cheaper"


def test_an_encoders_pictures_cost_what_its_format_says(make):
    bench = make(Direction.ENCODE, macroblocks=(1, 10_000))
    bench.session.format_set(gray(640, 480))
    bench.give(1, 2)
    assert bench.level(1) == 10_000 - 2 * 1200
    bench.say(InputDone(1, 0), picture(0), picture(0), picture(0))
    assert bench.level(1) == 10_000 - 2 * 1200


BURST = 100_000


def test_units_without_a_format_are_set_right_when_there_is_one(make):
    bench = make(macroblocks=(1, BURST))
    bench.give(1, 2)
    assert bench.level(1) == BURST - 2 * UNKNOWN
    bench.say(change(1, 640, 480))
    assert bench.level(1) == BURST - 2 * 1200
    bench.give(3)
    bench.say(picture(), picture(), picture())
    assert bench.level(1) == BURST - 3 * 1200


def test_each_picture_is_charged_by_its_own_format(make):
    """The last pictures of one format come when the next has been told of."""
    bench = make(macroblocks=(1, BURST))
    bench.say(change(1, 640, 480))
    bench.give(1, 2, 3)
    bench.say(change(2, 1280, 720), picture(1), picture(1), picture(2))
    assert bench.level(1) == BURST - 2 * 1200 - 3600


def test_more_pictures_than_units_are_charged(make):
    """Several in one unit, or units that were called parameter sets and were not."""
    bench = make(pictures=(1, 100), macroblocks=(1, BURST))
    bench.say(change(1, 640, 480))
    bench.give(1)
    bench.give(2, flags=InputFlag.CONFIG)
    bench.say(picture(), picture(), picture())
    assert (bench.level(0), bench.level(1)) == (97, BURST - 3 * 1200)


def test_a_span_that_comes_back_without_a_picture_costs_nothing(make):
    bench = make(pictures=(1, 100))
    bench.say(picture(flags=OutputFlag.CANCELLED), picture(flags=OutputFlag.EMPTY | OutputFlag.LAST), Drained())
    assert bench.level(0) == 100


def test_units_of_which_nothing_came_pay_for_no_later_ones(make):
    """Else a stream of them would save up for any number of pictures at once."""
    bench = make(pictures=(1, 1000))
    bench.give(*range(500))
    bench.say(change(1, 16, 16), *(InputDone(cookie, Error.INVALID) for cookie in range(500)))
    bench.say(*[picture()] * 100)
    assert bench.level(0) == 1000 - 500 - (100 - 64)


def test_many_formats_are_not_remembered_for_ever(make):
    bench = make(macroblocks=(1, BURST))
    bench.say(*(change(generation, 16, 16) for generation in range(1, 100)))
    assert len(bench.session._meter._prices) <= 5


def test_copies_are_the_drivers(make):
    bench = make()
    bench.driver.copies = 3
    bench.session.completions()
    assert bench.session.copies == 3
