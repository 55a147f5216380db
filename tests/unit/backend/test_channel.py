# SPDX-License-Identifier: Apache-2.0
"""A channel in its worker, without a worker: what it answers, what it refuses, what ends what."""

import pytest

from paracore import MessageError
from paracore.backend._channel import Channel
from paracore.backend._report import report_of
from paracore.classes import core, link, video
from paracore.drivers import CallFailed
from paracore.drivers.null._session import gray
from paracore.protocol import EVENT, FAILURE, PAGE_SIZE, REPLY, REQUEST, message
from paracore.transport import LoopStatistics
from tests.unit.backend.planned import Bench, change, input_, output, ready


@pytest.fixture
def bench():
    return Bench()


# --- the table ----------------------------------------------------------------------------------------


def test_every_message_of_a_ring_is_served():
    native = {core.Ping}
    wanted = {
        row.request
        for row in [*core.MESSAGES.values(), *video.MESSAGES.values()]
        if row.reply or row.kind.name == "POST"
    }
    assert set(Channel.METHODS) == wanted - native


def test_octets_that_are_no_call(bench):
    with pytest.raises(MessageError):
        bench.channel.serve(message(link.Hello.OPCODE, REQUEST, 0, 1, bytes(8)))


def test_an_unknown_enumerator_is_no_call(bench):
    with pytest.raises(MessageError):
        bench.say(video.Open(0, 77, 1, 0))


@pytest.mark.parametrize(
    "request_", [core.DeviceQuery(0), core.LimitsQuery(), core.BufferDetach(1), video.CapabilityQuery(0, 0)], ids=str
)
def test_calls_of_the_channel_are_for_no_session(bench, request_):
    assert bench.refused(request_, of=1).error is link.Error.INVALID


@pytest.mark.parametrize(
    "request_",
    [
        video.Close(),
        video.FormatGet(),
        video.FormatSet(gray(8, 8)),
        video.ControlGet(video.Control.GOP),
        video.ControlSet(video.Control.GOP, 1),
        video.Flush(),
    ],
    ids=lambda request: request.NAME,
)
def test_calls_need_a_session(bench, request_):
    assert bench.refused(request_, of=9).error is link.Error.NO_ENTRY


def test_posts_need_a_session(bench):
    assert bench.failed(video.Drain(), 9) == (link.Error.NO_ENTRY, link.Limit.NONE)


@pytest.mark.parametrize(("asked", "taken"), [(29970, 29970), (0, 0), (-5, 0), (1 << 40, 1_000_000)])
def test_a_rate_is_declared_to_the_backend_alone(bench, asked, taken):
    session, _ = bench.open()
    assert bench.call(video.ControlGet(video.Control.RATE), video.ControlGetReply, session).value == 0
    assert bench.call(video.ControlSet(video.Control.RATE, asked), video.ControlSetReply, session).value == taken
    assert bench.call(video.ControlGet(video.Control.RATE), video.ControlGetReply, session).value == taken
    assert bench.rates == [taken]


def test_an_encoder_declares_the_rate_of_its_format(bench):
    session, _ = bench.open(video.Direction.ENCODE)
    bench.call(video.FormatSet(gray(8, 8)._replace(rate_num=30000, rate_den=1001)), video.FormatSetReply, session)
    assert bench.rates == [29970]


@pytest.mark.parametrize(("deadline", "said"), [(60, [0, 0, 0]), (0, [])])
def test_it_says_whose_driver_it_calls_where_that_may_not_come_back(deadline, said):
    bench = Bench(job_deadline=deadline)
    session, _ = bench.open()
    bench.call(video.Flush(), video.FlushReply, session)
    bench.call(video.Close(), video.CloseReply, session)
    assert bench.at_devices == said


def test_calls_reach_the_driver(bench):
    session, driver = bench.open(video.Direction.ENCODE)
    assert bench.refused(video.FormatGet(), session).error is link.Error.AGAIN
    bench.call(video.FormatSet(gray(8, 8)), video.FormatSetReply, session)
    assert bench.call(video.FormatGet(), video.FormatGetReply, session).format == gray(8, 8)
    assert bench.call(video.ControlGet(video.Control.GOP), video.ControlGetReply, session).value == 5
    assert bench.call(video.ControlSet(video.Control.GOP, 7), video.ControlSetReply, session).value == 7
    bench.call(video.Close(), video.CloseReply, session)
    assert driver.closed
    assert not bench.watched


def test_a_codec_that_the_device_lacks(bench):
    wanted = video.Open(0, video.Codec.AV1, video.Direction.DECODE, video.OpenFlag(0))
    assert bench.refused(wanted).error is link.Error.NOT_SUPPORTED
    assert bench.refused(wanted._replace(device=1)).error is link.Error.NO_ENTRY


# --- buffers --------------------------------------------------------------------------------------------


def test_attaching_waits_for_the_supervisor(bench):
    bench.say(core.BufferAttach(7, core.BufferFlag(0), PAGE_SIZE))
    assert bench.sent == []
    assert bench.channel.outstanding == 1
    request, answer = bench.asked[0]
    assert request.grant == 7
    answer(link.Failure(link.Error.NO_ENTRY, link.Limit.NONE, 0))
    header, payload = bench.sent[0]
    assert (header.flags, link.Failure.unpack(payload).error) == (FAILURE, link.Error.NO_ENTRY)
    assert (bench.channel.outstanding, bench.books.buffers) == (0, 0)


@pytest.mark.parametrize("length", [0, 1, PAGE_SIZE + 1, 1 << 31])
def test_lengths_that_no_buffer_has(bench, length):
    assert bench.refused(core.BufferAttach(1, core.BufferFlag(0), length)).error is link.Error.INVALID


def test_detaching_tells_the_supervisor(bench):
    buffer = bench.attach()
    assert bench.refused(core.BufferDetach(buffer + 1)).error is link.Error.NO_ENTRY
    bench.call(core.BufferDetach(buffer), core.BufferDetachReply)
    assert bench.unmapped_grants == [1]
    assert bench.refused(core.BufferDetach(buffer)).error is link.Error.NO_ENTRY
    assert bench.attach() == buffer + 1, "numbers are not used again"


def test_a_buffer_in_use_is_not_detached(bench):
    buffer = bench.attach()
    session, driver = bench.open()
    bench.say(output(buffer, 1), session)
    assert bench.refused(core.BufferDetach(buffer)).error is link.Error.BUSY
    driver.said.append(ready(1))
    bench.events(session)
    driver.kept = True  # as a reference picture
    assert bench.refused(core.BufferDetach(buffer)).error is link.Error.BUSY
    driver.kept = False
    bench.call(core.BufferDetach(buffer), core.BufferDetachReply)


def test_limits(bench):
    bench = Bench(sessions=1, buffers=1, outstanding=1)
    buffer = bench.attach()
    attach = core.BufferAttach(2, core.BufferFlag(0), PAGE_SIZE)
    assert bench.refused(attach) == (link.Error.NO_SPACE, link.Limit.BUFFERS, 1)
    session, _ = bench.open()
    again = video.Open(0, video.Codec.H264, video.Direction.DECODE, video.OpenFlag(0))
    assert bench.refused(again) == (link.Error.NO_SPACE, link.Limit.SESSIONS, 1)
    bench.say(output(buffer, 1), session)
    assert bench.failed(output(buffer, 2), session) == (link.Error.NO_SPACE, link.Limit.OUTSTANDING)
    assert bench.refused(attach) == (link.Error.NO_SPACE, link.Limit.OUTSTANDING, 1)
    bench.call(video.Close(), video.CloseReply, session)
    bench.open()


# --- spans ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offset", "length", "good"),
    [
        (0, 4 * PAGE_SIZE, True),
        (4 * PAGE_SIZE, 0, True),
        (1, 4 * PAGE_SIZE, False),
        (4 * PAGE_SIZE, 1, False),
        (2**64 - 1, 1, False),
        (2**64 - 1, 2**32 - 1, False),
    ],
)
def test_spans_stay_in_their_buffer(bench, offset, length, good):
    buffer = bench.attach()
    session, driver = bench.open()
    if good:
        assert bench.say(output(buffer, 1, offset, length), session) == []
    else:
        assert bench.failed(output(buffer, 1, offset, length), session)[0] is link.Error.INVALID
    assert ("queue_output" in driver.calls) is good


def test_outputs_go_only_where_the_driver_may_write(bench):
    buffer = bench.attach(core.BufferFlag.READ_ONLY)
    session, _ = bench.open()
    assert bench.failed(output(buffer, 1), session)[0] is link.Error.INVALID
    assert bench.say(input_(buffer, 1), session) == []


def test_a_refused_span_is_the_domains_at_once(bench):
    buffer = bench.attach()
    session, driver = bench.open()
    for name, request in (("queue_input", input_(buffer, 1)), ("queue_output", output(buffer, 1))):
        driver.faults = {name: CallFailed(video.Error.AGAIN)}
        assert bench.failed(request, session)[0] is link.Error.AGAIN
    assert bench.channel.outstanding == 0
    bench.call(core.BufferDetach(buffer), core.BufferDetachReply)


# --- events are paid for ------------------------------------------------------------------------------------


def test_a_second_change_waits_for_a_span(bench):
    buffer = bench.attach()
    session, driver = bench.open()
    driver.said.extend([change(1), change(2)])
    assert bench.events(session) == [change(1)]
    assert bench.events(session) == []
    said = bench.say(output(buffer, 1), session)
    assert [video.SourceChange.unpack(payload) for _, payload in said] == [change(2)]


def test_a_change_is_paid_for_by_a_picture(bench):
    buffer = bench.attach()
    session, driver = bench.open()
    bench.say(output(buffer, 1), session)
    driver.said.extend([change(1), ready(1), change(2), change(3)])
    assert bench.events(session) == [change(1), ready(1), change(2)]


def test_a_change_is_paid_for_by_a_flush(bench):
    session, driver = bench.open()
    driver.said.extend([change(1), change(2)])
    assert bench.events(session) == [change(1)]
    told, reply = bench.say(video.Flush(), session)
    assert told[0].flags == EVENT
    assert reply[0].flags == REPLY


def test_a_driver_that_gives_back_what_it_does_not_have(bench):
    session, driver = bench.open()
    driver.said.append(ready(5))
    assert bench.events(session) == [video.SessionFailed(video.Error.IO, video.Limit.NONE, 0)]
    assert driver.closed


def test_what_was_cancelled_is_told_before_the_flush(bench):
    buffer = bench.attach()
    session, driver = bench.open()
    bench.say(input_(buffer, 3), session)
    driver.said.append(video.InputDone(3, video.Error.CANCELLED))
    opcodes = [header.opcode for header, _ in bench.say(video.Flush(), session)]
    assert opcodes == [video.InputDone.OPCODE, video.Flush.OPCODE]


# --- faults -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "request_"),
    [("format_get", video.FormatGet()), ("flush", video.Flush()), ("control_get", video.ControlGet(video.Control.GOP))],
)
def test_a_fault_in_a_call_ends_the_session(bench, name, request_):
    session, driver = bench.open()
    driver.said.append(change(1))
    bench.events(session)
    driver.faults = {name: RuntimeError("the codec is out of its mind")}
    said = bench.say(request_, session)
    assert [header.opcode for header, _ in said] == [video.SessionFailed.OPCODE, request_.OPCODE]
    assert link.Failure.unpack(said[1][1]).error is link.Error.IO
    assert driver.closed
    assert bench.refused(video.FormatGet(), session).error is link.Error.IO
    bench.call(video.Close(), video.CloseReply, session)
    assert bench.books.sessions == 0


@pytest.mark.parametrize("name", ["queue_input", "queue_output", "drain", "completions"])
def test_a_fault_elsewhere_ends_the_session_once(bench, name):
    buffer = bench.attach()
    session, driver = bench.open()
    other, _ = bench.open()
    driver.faults = {name: RuntimeError("the codec is out of its mind")}
    requests = {"queue_input": input_(buffer, 1), "queue_output": output(buffer, 1), "drain": video.Drain()}
    if name in requests:
        bench.say(requests[name], session)
    else:
        bench.channel.pump(bench.channel.sessions[session])
    assert [header.opcode for header, _ in bench.sent].count(video.SessionFailed.OPCODE) == 1
    assert bench.channel.outstanding == 0
    assert bench.books.counts["sessions_failed"] == 1
    bench.call(core.BufferDetach(buffer), core.BufferDetachReply)
    bench.call(video.Flush(), video.FlushReply, other)


def test_a_driver_that_says_it_failed(bench):
    session, driver = bench.open()
    driver.said.append(video.SessionFailed(video.Error.NO_DEVICE, video.Limit.NONE, 0))
    assert bench.events(session) == [video.SessionFailed(video.Error.NO_DEVICE, video.Limit.NONE, 0)]
    assert driver.closed
    assert bench.refused(video.FormatGet(), session).error is link.Error.IO


def test_a_driver_that_cannot_open(bench):
    bench.driver.fault = CallFailed(video.Error.NO_MEMORY)
    wanted = video.Open(0, video.Codec.H264, video.Direction.DECODE, video.OpenFlag(0))
    assert bench.refused(wanted).error is link.Error.NO_MEMORY
    bench.driver.fault = RuntimeError("no")
    assert bench.refused(wanted).error is link.Error.IO
    assert bench.books.sessions == 0


def test_a_driver_that_cannot_close(bench):
    session, driver = bench.open()
    driver.faults = {"close": RuntimeError("no")}
    bench.call(video.Close(), video.CloseReply, session)
    assert bench.channel.sessions == {}


def test_a_channel_that_ends_leaves_nothing(bench):
    buffer = bench.attach()
    session, driver = bench.open()
    bench.say(output(buffer, 1), session)
    bench.channel.close()
    assert driver.closed
    assert bench.unmapped_grants == [1]
    assert (bench.books.sessions, bench.books.buffers, bench.channel.outstanding) == (0, 0, 0)


def test_draining_once_at_a_time(bench):
    session, driver = bench.open()
    assert bench.say(video.Drain(), session) == []
    assert bench.failed(video.Drain(), session)[0] is link.Error.BUSY
    driver.said.append(video.Drained())
    assert bench.events(session) == [video.Drained()]
    assert bench.say(video.Drain(), session) == []


def test_the_report_tells_what_is_held(bench):
    buffer = bench.attach()
    session, driver = bench.open()
    driver.copies = 3
    bench.say(output(buffer, 1), session)
    said = report_of(bench.books, [bench.channel], LoopStatistics())
    assert said.counts["copies"] == 3
    (told,) = said.channels
    assert (told.buffers, told.outstanding) == (1, 1)
    assert (told.sessions[0].outputs_queued, told.sessions[0].buffers) == (1, 1)
    bench.call(video.Close(), video.CloseReply, session)
    assert report_of(bench.books, [bench.channel], LoopStatistics()).counts["copies"] == 3
