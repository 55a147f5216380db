# SPDX-License-Identifier: Apache-2.0
"""What a channel asks the supervisor before a session may have a rate, and what becomes of the answers."""

import pytest

from paracore.classes import link, video
from paracore.drivers import CallFailed
from paracore.drivers.null._session import gray
from paracore.protocol import FAILURE, REPLY
from tests.unit.backend.planned import Bench


@pytest.fixture
def bench():
    return Bench()


FORMAT = gray(8, 8)._replace(rate_num=30, rate_den=1)
FULL = link.Failure(link.Error.NO_SPACE, link.Limit.PIXEL_RATE, 1000)


@pytest.fixture
def asking():
    """A channel with an encoder that has declared a rate, and the supervisor's answer that is awaited."""
    bench = Bench(admits=False)
    session, driver = bench.open(video.Direction.ENCODE)
    assert bench.say(video.FormatSet(FORMAT), session) == []
    ((number, rate, answer),) = bench.reservations
    assert (number, rate) == (session, 8 * 8 * 30)
    assert bench.channel.outstanding == 1
    return bench, session, driver, answer


def replies(bench, serial):
    return [(header, payload) for header, payload in bench.sent if header.serial == serial]


def test_a_declared_rate_is_reserved_first(asking):
    bench, session, driver, answer = asking
    assert "format_set" not in driver.calls
    answer(None)
    ((header, payload),) = replies(bench, bench.serial)
    assert (header.flags, header.object) == (REPLY, session)
    assert video.FormatSetReply.unpack(payload).format == FORMAT
    assert bench.channel.outstanding == 0
    assert bench.call(video.FormatSet(FORMAT), video.FormatSetReply, session).format == FORMAT
    assert len(bench.reservations) == 1, "the same again needs no question"


def test_what_does_not_fit_is_refused_by_the_limits_name(asking):
    bench, session, driver, answer = asking
    answer(FULL)
    ((header, payload),) = replies(bench, bench.serial)
    assert (header.flags, link.Failure.unpack(payload)) == (FAILURE, FULL)
    assert "format_set" not in driver.calls
    assert bench.refused(video.FormatGet(), session).error is link.Error.AGAIN
    bench.call(video.FormatSet(gray(8, 8)), video.FormatSetReply, session)  # without a rate
    bench.call(video.Close(), video.CloseReply, session)
    assert len(bench.reservations) == 1, "nothing to give back"


def test_one_question_at_a_time(asking):
    bench, session, _, answer = asking
    first = bench.serial
    assert bench.refused(video.FormatSet(FORMAT), session).error is link.Error.BUSY
    answer(None)
    assert [header.flags for header, _ in replies(bench, first)] == [REPLY]


@pytest.mark.parametrize("refusal", [None, FULL])
def test_a_session_closed_before_the_answer(asking, refusal):
    bench, session, driver, answer = asking
    first = bench.serial
    bench.call(video.Close(), video.CloseReply, session)
    assert [rate for _, rate, _ in bench.reservations] == [8 * 8 * 30, 0], "it may have been granted by now"
    answer(refusal)
    ((header, payload),) = replies(bench, first)
    assert (header.flags, link.Failure.unpack(payload).error) == (FAILURE, link.Error.CANCELLED)
    assert "format_set" not in driver.calls
    assert bench.channel.outstanding == 0


def test_a_driver_that_does_not_take_the_format_after_all(asking):
    bench, session, driver, answer = asking
    driver.faults = {"format_set": CallFailed(video.Error.INVALID)}
    answer(None)
    ((_, payload),) = replies(bench, bench.serial)
    assert link.Failure.unpack(payload).error is link.Error.INVALID
    bench.call(video.Close(), video.CloseReply, session)
    assert [rate for _, rate, _ in bench.reservations] == [8 * 8 * 30, 0]


@pytest.mark.parametrize("way", ["close", "fault", "channel"])
def test_a_session_that_ends_gives_back_what_it_reserved(asking, way):
    bench, session, driver, answer = asking
    answer(None)
    if way == "close":
        bench.call(video.Close(), video.CloseReply, session)
    elif way == "fault":
        driver.said.append(video.SessionFailed(video.Error.NO_DEVICE, video.Limit.NONE, 0))
        bench.events(session)
        bench.call(video.Close(), video.CloseReply, session)
    else:
        bench.channel.close()
    assert [(number, rate) for number, rate, _ in bench.reservations][1:] == [(session, 0)]


def test_nobody_is_asked_without_a_rate(bench):
    session, _ = bench.open(video.Direction.ENCODE)
    bench.call(video.FormatSet(gray(8, 8)), video.FormatSetReply, session)
    assert bench.reservations == []


def rate_set(bench, session, rate):
    """The reply to it: flags and payload, or nothing yet."""
    return [
        (header.flags, payload) for header, payload in bench.say(video.ControlSet(video.Control.RATE, rate), session)
    ]


@pytest.fixture
def rateless():
    """A channel with an encoder whose format has no rate; the supervisor answers when the test does."""
    bench = Bench(admits=False)
    session, _ = bench.open(video.Direction.ENCODE)
    bench.call(video.FormatSet(gray(8, 8)), video.FormatSetReply, session)
    return bench, session


def test_an_encoder_that_declares_its_rate_by_a_control_is_weighed_by_its_format(rateless):
    bench, session = rateless
    assert rate_set(bench, session, 30_000) == []
    ((number, rate, answer),) = bench.reservations
    assert (number, rate) == (session, 8 * 8 * 30)
    assert bench.rates == [], "no precedence before there is room"
    answer(None)
    ((header, payload),) = replies(bench, bench.serial)
    assert (header.flags, video.ControlSetReply.unpack(payload).value) == (REPLY, 30_000)
    assert bench.rates == [30_000]
    assert rate_set(bench, session, 0) == []
    assert [rate for _, rate, _ in bench.reservations] == [8 * 8 * 30, 0], "it needs nothing any more"


def test_an_encoders_rate_that_does_not_fit_is_not_declared(rateless):
    bench, session = rateless
    rate_set(bench, session, 30_000)
    bench.reservations[0][2](FULL)
    ((header, payload),) = replies(bench, bench.serial)
    assert (header.flags, link.Failure.unpack(payload)) == (FAILURE, FULL)
    assert bench.rates == []
    assert bench.call(video.ControlGet(video.Control.RATE), video.ControlGetReply, session).value == 0


def test_a_rate_that_was_declared_before_the_format_is_weighed_with_it():
    bench = Bench(admits=False)
    session, _ = bench.open(video.Direction.ENCODE)
    bench.call(video.ControlSet(video.Control.RATE, 30_000), video.ControlSetReply, session)
    bench.say(video.FormatSet(gray(8, 8)), session)
    assert [(number, rate) for number, rate, _ in bench.reservations] == [(session, 8 * 8 * 30)]
    assert bench.refused(video.ControlSet(video.Control.RATE, 60_000), session).error is link.Error.BUSY


def test_a_question_counts_as_outstanding():
    bench = Bench(admits=False, outstanding=1)
    session, _ = bench.open(video.Direction.ENCODE)
    other, _ = bench.open(video.Direction.ENCODE)
    bench.say(video.FormatSet(FORMAT), session)
    refused = bench.refused(video.FormatSet(FORMAT), other)
    assert (refused.error, refused.limit) == (link.Error.NO_SPACE, link.Limit.OUTSTANDING)


# --- admission of decoders ------------------------------------------------------------------------------------------


def met(generation, width, height):
    return video.SourceChange(generation, video.ChangeFlag.BUFFERS, gray(width, height))


@pytest.fixture
def declaring():
    """A channel with a decoder that declares 30 pictures a second; the supervisor answers when the test does."""
    bench = Bench(admits=False)
    session, driver = bench.open()
    bench.call(video.ControlSet(video.Control.RATE, 30_000), video.ControlSetReply, session)
    assert bench.reservations == [], "nobody knows yet how large its pictures are"
    return bench, session, driver


def test_a_decoders_rate_is_weighed_by_its_streams_size(declaring):
    bench, session, driver = declaring
    driver.said.append(met(1, 8, 8))
    assert [type(event) for event in bench.events(session)] == [video.SourceChange]
    ((number, rate, answer),) = bench.reservations
    assert (number, rate) == (session, 8 * 8 * 30)
    answer(None)
    assert bench.channel.sessions[session].reserved == rate
    bench.channel.sessions[session].pay()
    driver.said.append(met(2, 16, 8))
    bench.events(session)
    bench.call(video.ControlSet(video.Control.RATE, 0), video.ControlSetReply, session)
    assert [rate for _, rate, _ in bench.reservations[1:]] == [16 * 8 * 30, 0]


@pytest.fixture
def expecting():
    """A channel with a decoder whose user expects pictures of a size; the supervisor answers when the test does."""
    bench = Bench(admits=False)
    session, driver = bench.open()
    control = video.Control.SAMPLES
    assert bench.call(video.ControlSet(control, 8 * 8), video.ControlSetReply, session).value == 8 * 8
    assert bench.call(video.ControlGet(control), video.ControlGetReply, session).value == 8 * 8
    assert bench.reservations == [], "it has declared no rate"
    assert rate_set(bench, session, 30_000) == []
    assert [(number, rate) for number, rate, _ in bench.reservations] == [(session, 8 * 8 * 30)]
    return bench, session, driver


def test_a_decoder_of_which_the_size_is_expected_is_refused_before_its_first_unit(expecting):
    bench, session, driver = expecting
    bench.reservations[0][2](FULL)
    ((header, payload),) = replies(bench, bench.serial)
    assert (header.flags, link.Failure.unpack(payload)) == (FAILURE, FULL)
    assert bench.rates == []
    driver.said.append(met(1, 8, 8))
    bench.events(session)
    assert len(bench.reservations) == 1, "it goes on as one that has declared nothing"


def test_what_the_stream_says_goes_before_what_was_expected(expecting):
    bench, session, driver = expecting
    bench.reservations[0][2](None)
    assert bench.rates == [30_000]
    driver.said.append(met(1, 16, 8))
    bench.events(session)
    bench.call(video.ControlSet(video.Control.SAMPLES, 1 << 60), video.ControlSetReply, session)
    assert {rate for _, rate, _ in bench.reservations[1:]} == {16 * 8 * 30}


def test_a_stream_that_is_met_before_the_answer_is_weighed_by_its_size(expecting):
    bench, session, driver = expecting
    driver.said.append(met(1, 16, 8))
    bench.events(session)
    bench.reservations[0][2](None)
    assert bench.reservations[-1][1] == 16 * 8 * 30


@pytest.mark.parametrize(
    "request_", [video.ControlGet(video.Control.SAMPLES), video.ControlSet(video.Control.SAMPLES, 1)]
)
def test_an_encoder_expects_nothing(bench, request_):
    session, _ = bench.open(video.Direction.ENCODE)
    assert bench.refused(request_, session).error is link.Error.NO_ENTRY


def test_a_stream_that_there_is_no_room_for_is_not_shown(declaring):
    bench, session, driver = declaring
    driver.said.append(met(1, 8, 8))
    bench.events(session)
    bench.sent.clear()
    bench.reservations[0][2](FULL)
    ((header, payload),) = bench.sent
    assert (header.opcode, header.object) == (video.SessionFailed.OPCODE, session)
    assert video.SessionFailed.unpack(payload) == tuple(FULL), "why, and how much there is"
    assert driver.closed
    assert bench.refused(video.FormatGet(), session).error is link.Error.IO


def test_a_decoder_closed_before_the_answer_gives_back_what_it_may_have_got(declaring):
    bench, session, driver = declaring
    driver.said.append(met(1, 8, 8))
    bench.events(session)
    bench.call(video.Close(), video.CloseReply, session)
    assert [rate for _, rate, _ in bench.reservations] == [8 * 8 * 30, 0]
    bench.reservations[0][2](FULL)


def test_a_decoder_that_declares_nothing_is_not_weighed():
    bench = Bench(admits=False)
    session, driver = bench.open()
    driver.said.append(met(1, 8, 8))
    bench.events(session)
    assert bench.reservations == []
