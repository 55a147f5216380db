# SPDX-License-Identifier: Apache-2.0
"""A channel in its worker, without a worker: what it answers, what it refuses, what ends what."""

from collections import deque

import pytest

from paracore import MessageError
from paracore.backend._books import Books, Device, WorkerLimits
from paracore.backend._channel import Channel
from paracore.backend._report import report_of
from paracore.classes import core, link, video
from paracore.drivers import CallFailed, VideoSession
from paracore.drivers.null._session import gray
from paracore.protocol import EVENT, FAILURE, PAGE_SIZE, REPLY, REQUEST, message, split
from paracore.transport import LoopStatistics
from paracore.transport.memory import MemoryTransport

CAN = video.CapabilityQueryReply(video.Codec.H264, video.Direction.DECODE, video.CapabilityFlag(0), 64, 64, 0, 0)
CAN_ENCODE = CAN._replace(direction=video.Direction.ENCODE)


class PlannedSession(VideoSession):
    """Says what a test lets it say, and raises what a test lets it raise."""

    def __init__(self):
        self.said = deque()
        self.faults = {}
        self.calls = []
        self.closed = False
        self.kept = False

    def fileno(self):
        return 1000

    def completions(self):
        self._do("completions")
        said, self.said = list(self.said), deque()
        return said

    def _do(self, name, result=None):
        self.calls.append(name)
        if name in self.faults:
            raise self.faults[name]
        return result

    def format_get(self):
        return self._do("format_get", gray(8, 8))

    def format_set(self, wanted):
        return self._do("format_set", wanted)

    def control_get(self, control):
        return self._do("control_get", 5)

    def control_set(self, control, value):
        return self._do("control_set", value)

    def queue_input(self, *_):
        self._do("queue_input")

    def queue_output(self, *_):
        self._do("queue_output")

    def holds(self, span):
        return self._do("holds", self.kept)

    def drain(self):
        self._do("drain")

    def flush(self):
        self._do("flush")

    def close(self):
        self.closed = True
        self._do("close")


class PlannedDriver:
    name = "planned"

    def __init__(self):
        self.sessions = []
        self.fault = None

    def open(self, *_):
        if self.fault:
            raise self.fault
        self.sessions.append(PlannedSession())
        return self.sessions[-1]


class Bench:
    """A channel, with the test in its worker's and its domain's place."""

    def __init__(self, *, admits=True, job_deadline=0.0, **limits):
        self.admits = admits  # at once; or when the test has the supervisor answer
        allowed = {"channels": 8, "sessions": 4, "buffers": 4, "bytes": 1 << 20, "outstanding": 8, **limits}
        self.driver = PlannedDriver()
        device = Device("vpu0", "planned", self.driver, (CAN, CAN_ENCODE), job_deadline)
        self.books = Books((device,), WorkerLimits(**allowed))
        self.pages = MemoryTransport().pages
        self.sent = []
        self.watched = []
        self.unmapped_grants = []
        self.asked = []
        self.reservations = []
        self.rates = []
        self.at_devices = []
        self.channel = Channel(1, self.books, self)
        self.serial = 0

    # the worker's place
    def send(self, channel, octets):
        header, payload = split(octets)
        self.sent.append((header, bytes(payload)))

    def map(self, channel, request, answer):
        self.asked.append((request, answer))

    def reserve(self, channel, session, rate, answer):
        self.reservations.append((session.number, rate, answer))
        if self.admits:
            answer(None)

    def at(self, device):
        self.at_devices.append(device)

    def gate(self, device):
        return None

    def paced(self, session):
        self.rates.append(session.rate)

    def unmapped(self, channel, grant):
        self.unmapped_grants.append(grant)

    def watch(self, channel, session):
        self.watched.append(session)

    def unwatch(self, session):
        self.watched.remove(session)

    # the domain's place
    def say(self, request, of=0):
        """Sends a request; returns what came of it: (flags, payload) of each."""
        self.serial += 1
        before = len(self.sent)
        self.channel.serve(message(request.OPCODE, REQUEST, of, self.serial, request.pack()))
        return self.sent[before:]

    def call(self, request, reply, of=0):
        ((header, payload),) = [said for said in self.say(request, of) if said[0].serial]
        assert header.flags == REPLY, link.Failure.unpack(payload)
        return reply.unpack(payload)

    def refused(self, request, of=0):
        ((header, payload),) = [said for said in self.say(request, of) if said[0].flags == FAILURE]
        assert header.opcode == request.OPCODE
        return link.Failure.unpack(payload)

    def failed(self, request, of):
        """A post that fails: error and limit."""
        told = [said for said in self.say(request, of) if said[0].opcode == core.PostFailed.OPCODE]
        ((header, payload),) = told
        event = core.PostFailed.unpack(payload)
        assert (header.object, event.serial, event.opcode) == (of, self.serial, request.OPCODE)
        return event.error, event.limit

    def attach(self, flags=core.BufferFlag(0), length=4 * PAGE_SIZE):  # noqa: B008
        self.say(core.BufferAttach(len(self.asked) + 1, flags, length))
        _, answer = self.asked[-1]
        mapping = self.pages.map(self.pages.allocate(length), length, read_only=bool(flags))
        answer(mapping)
        return core.BufferAttachReply.unpack(self.sent[-1][1]).buffer

    def open(self, direction=video.Direction.DECODE):
        opened = self.call(video.Open(0, video.Codec.H264, direction, video.OpenFlag(0)), video.OpenReply)
        return opened.session, self.driver.sessions[-1]

    def events(self, session):
        """What the session says when its descriptor is readable."""
        before = len(self.sent)
        self.channel.pump(self.channel.sessions[session])
        return [video.MESSAGES[header.opcode].request.unpack(payload) for header, payload in self.sent[before:]]


@pytest.fixture
def bench():
    return Bench()


def output(buffer, cookie, offset=0, length=64):
    return video.QueueOutput(video.Span(buffer, length, offset), cookie)


def input_(buffer, cookie):
    return video.QueueInput(video.Span(buffer, 8, 0), cookie, video.InputFlag(0), 0, 0)


def ready(cookie, flags=video.OutputFlag.KEY):
    return video.OutputReady(cookie, flags, 0, 0, 0, 1, 0, video.PictureType.INTRA, 0, 0, 8, 8)


def change(generation):
    return video.SourceChange(generation, video.ChangeFlag.BUFFERS, gray(8, 8))


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


# --- admission --------------------------------------------------------------------------------------------------

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
