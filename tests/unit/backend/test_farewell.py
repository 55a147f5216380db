# SPDX-License-Identifier: Apache-2.0
"""A domain that is about to be detached: its sessions give out what they were given, and it is told nothing of that."""

import pytest

from paracore.backend._farewell import Farewell
from paracore.classes import core, video, worker
from paracore.drivers import CallFailed
from tests.unit.backend.test_channel import Bench, change, input_, output, ready
from tests.unit.backend.test_worker import make_place, place

__all__ = ["make_place", "place"]

DONE = video.InputDone
KEY, LAST, EMPTY = video.OutputFlag.KEY, video.OutputFlag.LAST, video.OutputFlag.EMPTY


class Leaving(Bench):
    """A session with two inputs at its driver and one span, which is told to leave."""

    def __init__(self):
        super().__init__()
        self.inputs, self.outputs = self.attach(core.BufferFlag.READ_ONLY), self.attach()
        self.number, self.session = self.open()
        self.state = self.channel.sessions[self.number]
        for cookie in (1, 2):
            self.say(input_(self.inputs, cookie), self.number)
        self.say(output(self.outputs, 1), self.number)
        self.session.said += [change(1)]
        self.told()

    def leave(self):
        self.channel.leave()
        return self

    def told(self):
        return self.events(self.number)

    def drains(self):
        return self.session.calls.count("drain")


@pytest.fixture
def bench():
    return Leaving()


def test_its_driver_is_drained_and_the_domain_not_told(bench):
    bench.leave()
    assert (bench.drains(), bench.state.left) == (1, False)
    bench.session.said += [DONE(1, 0), DONE(2, 0), ready(1), video.Drained()]
    assert bench.told() == [DONE(1, 0), DONE(2, 0), ready(1)]
    assert bench.state.left
    assert bench.told() == []
    assert bench.drains() == 1


def test_what_comes_too_late_is_not_given_to_the_driver_and_not_answered(bench):
    bench.leave()
    given = bench.session.calls.count("queue_input")
    assert bench.say(input_(bench.inputs, 3), bench.number) == []
    assert bench.session.calls.count("queue_input") == given
    assert 3 in bench.state.inputs
    bench.session.said += [video.Drained()]
    assert bench.told() == []


def test_spans_for_what_is_under_way_are_still_given(bench):
    bench.leave()
    bench.say(output(bench.outputs, 2, 64), bench.number)
    assert bench.session.calls.count("queue_output") == 2
    bench.session.said += [ready(1), change(2), ready(2), video.Drained()]
    assert [type(event) for event in bench.told()] == [video.OutputReady, video.SourceChange, video.OutputReady]


def test_the_mark_of_the_end_is_not_the_domains(bench):
    """A program would take it for the end of its stream."""
    bench.leave()
    bench.session.said += [ready(1, LAST | KEY)]
    assert bench.told() == []  # nobody knows yet what it ends
    bench.session.said += [video.Drained()]
    assert bench.told() == [ready(1, KEY)]


def test_a_mark_without_a_picture_is_kept(bench):
    bench.leave()
    bench.session.said += [ready(1, LAST | EMPTY), DONE(1, 0), video.Drained()]
    assert bench.told() == [DONE(1, 0)]
    assert 1 in bench.state.outputs


def test_the_mark_of_a_formats_end_is_the_domains(bench):
    bench.leave()
    bench.session.said += [ready(1, LAST | KEY), DONE(1, 0), change(2), video.Drained()]
    bench.say(output(bench.outputs, 2, 64), bench.number)
    assert bench.told() == [ready(1, LAST | KEY), DONE(1, 0), change(2)]


def test_a_drain_that_is_under_way_is_answered_and_what_is_behind_it_comes_out(bench):
    bench.say(video.Drain(), bench.number)
    bench.say(input_(bench.inputs, 3), bench.number)
    bench.leave()
    assert bench.drains() == 1
    bench.session.said += [video.Drained()]
    assert bench.told() == [video.Drained()]
    assert (bench.drains(), bench.state.left) == (2, False)
    bench.session.said += [DONE(3, 0), video.Drained()]
    assert bench.told() == [DONE(3, 0)]
    assert bench.state.left


def test_a_drain_that_is_asked_for_meanwhile_is_answered(bench):
    bench.leave()
    assert bench.say(video.Drain(), bench.number) == []
    bench.session.said += [ready(1, LAST | EMPTY), video.Drained()]
    assert bench.told() == [ready(1, LAST | EMPTY), video.Drained()]
    assert bench.drains() == 1
    assert bench.state.left


def test_a_drain_that_is_asked_for_later_is_answered_at_once(bench):
    bench.leave()
    bench.session.said += [video.Drained()]
    bench.told()
    ((header, _),) = bench.say(video.Drain(), bench.number)
    assert header.opcode == video.Drained.OPCODE
    assert bench.drains() == 1


@pytest.mark.parametrize("is_drained", [False, True])
def test_a_drain_behind_what_came_too_late_is_not_answered(bench, is_drained):
    bench.leave()
    bench.session.said += [video.Drained()] if is_drained else []
    bench.told()
    bench.say(input_(bench.inputs, 3), bench.number)
    assert bench.say(video.Drain(), bench.number) == []
    bench.session.said += [] if is_drained else [video.Drained()]
    assert bench.told() == []
    assert bench.state.left


def test_a_flush_gives_everything_back(bench):
    bench.leave()
    bench.say(input_(bench.inputs, 3), bench.number)
    bench.session.said += [DONE(1, video.Error.CANCELLED), DONE(2, video.Error.CANCELLED)]
    told = bench.say(video.Flush(), bench.number)
    assert [DONE.unpack(payload).cookie for header, payload in told if header.opcode == DONE.OPCODE] == [1, 2, 3]
    assert told[-1][0].opcode == video.Flush.OPCODE
    assert bench.state.left
    assert not bench.state.inputs


def test_no_session_is_opened_any_more(bench):
    bench.leave()
    opening = video.Open(0, video.Codec.H264, video.Direction.DECODE, video.OpenFlag(0))
    assert bench.refused(opening).error is video.Error.NO_DEVICE


def test_a_driver_that_fails_of_it_ends_its_session(bench):
    bench.session.faults["drain"] = OSError("no")
    bench.leave()
    assert bench.session.closed


def test_a_driver_that_refuses_has_nothing_to_give_out(bench):
    bench.session.faults["drain"] = CallFailed(video.Error.BUSY)
    bench.leave()
    assert bench.state.left


def test_it_counts_as_at_work_meanwhile(bench):
    bench.session.said += [DONE(1, 0), DONE(2, 0)]
    bench.told()
    assert not bench.state.works
    assert bench.leave().state.works


# --- the worker -----------------------------------------------------------------------------------------


def test_the_rings_are_looked_at_once_more():
    farewell = Farewell()
    assert [(farewell.hurries, farewell.begins()) for _ in range(3)] == [(True, False), (True, True), (False, False)]


def test_an_idle_worker_does_not_sleep_over_it(place):
    place.tell(worker.Drain())
    place.worker.turn(-1)
    assert place.hear()[0].opcode == worker.Drained.OPCODE


def test_it_says_once_that_all_is_done(bench):
    farewell = Farewell()
    assert not farewell.ends([])
    farewell.begins()
    farewell.begins()
    assert not farewell.ends([bench.leave().state])
    bench.session.said += [video.Drained()]
    bench.told()
    assert [farewell.ends([bench.state]) for _ in range(2)] == [True, False]


def test_a_worker_tells_the_supervisor(place):
    place.add(1)
    buffer = place.attach(1)
    session = place.open(1)
    place.give(1, session, buffer, 1)
    place.tell(worker.Drain())
    place.give(1, session, buffer, 2)  # the rings have not been looked at since
    place.pass_time(0)
    place.give(1, session, buffer, 3)
    assert [event.cookie for event in place.said(1)] == [1, 2]
    heard = [header.opcode for header, _ in iter(place.hear, None)]
    assert heard.count(worker.Drained.OPCODE) == 1
    place.tell(worker.Drain())
    place.pass_time(0)
    assert place.hear() is None
