# SPDX-License-Identifier: Apache-2.0
"""A worker's own loop, in this process and unconfined, with the test in the supervisor's place."""

import json
import os
import socket
from pathlib import Path

import pytest

from paracore import RemoteProtocolError
from paracore.backend._books import Books, Device, WorkerLimits
from paracore.backend._channel import Channel
from paracore.backend._report_reader import _parsed
from paracore.backend._throttle import Throttle
from paracore.backend._worker import Worker
from paracore.classes import TraceEvent, core, link, video, worker
from paracore.drivers import v4l2
from paracore.drivers.null import NullDriver
from paracore.frontend._tracing._memory import TraceMemory
from paracore.protocol import EVENT, FAILURE, REPLY, REQUEST, Ring, Role, format_page, mapping_size, message, split
from paracore.transport import ChannelDescriptors, SocketWire
from paracore.transport.local import LocalTransport
from tests.unit.drivers.fake_codec import FakeCodec
from tests.unit.frontend.tracing import Memory

ORDER = 2


class Place:
    """The supervisor's place and the domain's; and the clock of the domain's rates."""

    def __init__(self, driver=None, **rates):
        self.now = 0
        self.pages = LocalTransport().pages
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control = SocketWire(ours)
        driver = driver or NullDriver("vpu0")
        self.books = Books(
            (Device("vpu0", "null", driver, tuple(driver.capabilities())),),
            WorkerLimits(4, 4, 4, 1 << 20, 8),
            Throttle(**rates, since=-(10**15), clock=lambda: self.now),
        )
        self.loop = LocalTransport().loop()
        self.worker_wire = SocketWire(theirs, descriptors_max=3)
        self.worker = Worker(self.worker_wire, self.loop, self.pages, self.books)
        self.rings = {}
        self.made = []
        self.tell(worker.DeviceLease(0, 1, (1 << 63) - 1))

    def close(self):
        self.worker.close()
        self.loop.close()
        self.control.close()
        self.worker_wire.close()
        for mapping, view in self.made:
            view.release()
            mapping.close()

    def tell(self, row, descriptors=(), flags=EVENT, serial=0):
        self.control.send(message(row.OPCODE, flags, 0, serial, row.pack()), descriptors)
        self.worker.turn(1000)

    def hear(self):
        packet = self.control.receive()
        return packet and (split(packet.message)[0], bytes(split(packet.message)[1]))

    def add(self, number):
        """A channel; the domain's end of its ring is kept."""
        made = ChannelDescriptors(
            self.pages.allocate(mapping_size(ORDER)), self.pages.doorbell(), self.pages.doorbell()
        )
        mapping = self.pages.map(made.pages, mapping_size(ORDER), read_only=False)
        view = mapping.view()
        format_page(view, ORDER)
        self.tell(worker.ChannelAdd(number, ORDER, 0), made.passed)
        self.rings[number] = Ring(view, ORDER, Role.FRONTEND), os.dup(made.doorbell_in)
        self.made.append((mapping, view))
        for descriptor in made.passed:
            os.close(descriptor)

    def say(self, number, request, of=0, serial=1):
        ring, bell = self.rings[number]
        assert ring.push(message(request.OPCODE, REQUEST, of, serial, request.pack()))
        ring.publish()
        os.eventfd_write(bell, 1)
        self.worker.turn(1000)

    def answer(self, number):
        ring, _ = self.rings[number]
        self.loop.flush()
        octets = ring.pop()
        return octets and (split(octets)[0], bytes(split(octets)[1]))

    def attach(self, number):
        """A page of the domain's, all zero: a unit that is none, of which the device says so at once."""
        self.say(number, core.BufferAttach(9, core.BufferFlag(0), 4096))
        asked = next(header for header, _ in iter(self.hear, None) if header.opcode == worker.Map.OPCODE)
        granted = self.pages.allocate(4096)
        self.tell(worker.MapReply(), (granted,), flags=REPLY, serial=asked.serial)
        os.close(granted)
        return core.BufferAttachReply.unpack(self.answer(number)[1]).buffer

    def open(self, number):
        self.say(number, video.Open(0, video.Codec.H264, video.Direction.DECODE, video.OpenFlag(0)))
        return video.OpenReply.unpack(self.answer(number)[1]).session

    def give(self, number, session, buffer, *cookies):
        for cookie in cookies:
            self.say(number, video.QueueInput(video.Span(buffer, 16, 0), cookie, video.InputFlag(0), 0, 0), session)

    def pass_time(self, ms):
        """And lets the worker go round until nothing is left to do at that time."""
        self.now += ms * 1_000_000
        for _ in range(4):
            self.worker.turn(0)

    def said(self, number):
        """All that the domain has been told and not heard."""
        said = []
        while answer := self.answer(number):
            header, payload = answer
            row = {**core.MESSAGES, **video.MESSAGES}[header.opcode]
            failed = header.flags == FAILURE
            said.append(
                (link.Failure if failed else row.reply if header.flags == REPLY else row.request).unpack(payload)
            )
        return said


@pytest.fixture
def make_place():
    places = []

    def make(**settings):
        places.append(Place(**settings))
        return places[-1]

    yield make
    for made in places:
        for ring, bell in made.rings.values():
            del ring
            os.close(bell)
        made.rings.clear()
        made.close()


@pytest.fixture
def place(make_place):
    return make_place()


def test_a_channel_is_served_and_removed(place):
    place.add(1)
    place.say(1, core.LimitsQuery())
    header, payload = place.answer(1)
    assert (header.flags, core.LimitsQueryReply.unpack(payload).sessions) == (REPLY, 4)
    place.tell(worker.ChannelRemove(1))
    assert worker.Counted.unpack(place.hear()[1]).calls == 1, "before the supervisor may dismiss it"
    assert place.hear()[0].opcode == worker.ChannelRemoved.OPCODE
    place.tell(worker.ChannelRemove(1))
    assert place.hear()[0].opcode == worker.ChannelRemoved.OPCODE, "also for one that has ended already"


def test_a_grant_is_asked_for(place):
    place.add(1)
    place.say(1, core.BufferAttach(9, core.BufferFlag(0), 4096), serial=77)
    header, payload = place.hear()
    assert worker.Map.unpack(payload) == (1, 9, 4096, core.BufferFlag(0))
    assert place.answer(1) is None
    granted = place.pages.allocate(4096)
    place.tell(worker.MapReply(), (granted,), flags=REPLY, serial=header.serial)
    reply, payload = place.answer(1)
    assert (reply.serial, core.BufferAttachReply.unpack(payload).buffer) == (77, 1)
    os.close(granted)
    place.say(1, core.BufferDetach(1))
    assert worker.Unmap.unpack(place.hear()[1]) == (1, 9)


@pytest.mark.parametrize("flags", [core.BufferFlag(0), core.BufferFlag.READ_ONLY])
def test_a_grant_that_is_too_short(place, flags):
    place.add(1)
    place.say(1, core.BufferAttach(9, flags, 8192))
    serial = place.hear()[0].serial
    granted = place.pages.allocate(4096)
    place.tell(worker.MapReply(), (granted,), flags=REPLY, serial=serial)
    os.close(granted)
    header, payload = place.answer(1)
    assert (header.flags, link.Failure.unpack(payload).error) == (FAILURE, link.Error.INVALID)


def test_a_grant_is_refused(place):
    place.add(1)
    place.say(1, core.BufferAttach(9, core.BufferFlag(0), 4096))
    serial = place.hear()[0].serial
    failure = link.Failure(link.Error.NO_ENTRY, link.Limit.NONE, 0)
    place.control.send(message(worker.Map.OPCODE, FAILURE, 0, serial, failure.pack()))
    place.worker.turn(1000)
    header, payload = place.answer(1)
    assert (header.flags, link.Failure.unpack(payload)) == (FAILURE, failure)


def mapped():
    return Path("/proc/self/maps").read_text().count("memfd:paracore")


@pytest.mark.parametrize("refused", [False, True])
def test_a_grant_that_comes_too_late(place, refused):
    place.add(1)
    before = mapped()
    place.say(1, core.BufferAttach(9, core.BufferFlag(0), 4096))
    serial = place.hear()[0].serial
    place.tell(worker.ChannelRemove(1))
    if refused:
        failure = link.Failure(link.Error.NO_ENTRY, link.Limit.NONE, 0)
        place.control.send(message(worker.Map.OPCODE, FAILURE, 0, serial, failure.pack()))
    else:
        granted = place.pages.allocate(4096)
        place.control.send(message(worker.Map.OPCODE, REPLY, 0, serial), (granted,))
        os.close(granted)
    place.worker.turn(1000)
    assert mapped() == before - 1, "the worker's end of the ring has gone, and nothing has come"
    assert place.books.buffers == 0, "no domain loses buffers by leaving in the middle of a call"


def test_a_violation_ends_one_channel(place):
    place.add(1)
    place.add(2)
    place.say(1, video.Open(0, 99, 1, 0))
    header, payload = place.hear()
    said = worker.Violation.unpack(payload)
    assert (header.opcode, said.channel) == (worker.Violation.OPCODE, 1)
    assert said.text
    place.say(2, core.LimitsQuery())
    assert place.answer(2)


def test_a_fault_of_ours_ends_one_channel(place, monkeypatch):
    def fail(*_):
        raise ZeroDivisionError

    place.add(1)
    place.add(2)
    monkeypatch.setitem(Channel.METHODS, core.LimitsQuery, fail)
    monkeypatch.setattr(Channel, "serve", lambda channel, octets: fail() if channel.number == 1 else None)
    place.say(1, core.LimitsQuery())
    said = worker.Violation.unpack(place.hear()[1])
    assert (said.channel, said.text) == (1, b"a fault of the worker: ZeroDivisionError")
    place.say(2, core.LimitsQuery())
    assert place.hear() is None


def test_one_that_lets_too_much_pile_up(place, monkeypatch):
    def full(*_):
        raise RemoteProtocolError("more is unread than can have been paid for")

    place.add(1)
    monkeypatch.setattr(place.loop, "send", full)
    place.say(1, core.LimitsQuery())
    assert worker.Violation.unpack(place.hear()[1]).channel == 1


def test_it_reports(place):
    place.add(1)
    read, write = os.pipe()
    place.tell(worker.Report(), (write,), flags=REQUEST, serial=3)
    os.close(write)
    text = os.read(read, 65536)
    assert os.read(read, 1) == b""
    os.close(read)
    header, payload = place.hear()
    assert (header.serial, worker.ReportReply.unpack(payload).length) == (3, len(text))
    assert _parsed(text)["channels"][0]["channel"] == 1


def test_a_report_that_nobody_waits_for_any_more_ends_nothing(place):
    place.add(1)
    read, write = os.pipe()
    os.close(read)
    place.tell(worker.Report(), (write,), flags=REQUEST, serial=3)
    os.close(write)
    assert place.hear()[0].serial == 3
    place.say(1, core.LimitsQuery())
    assert place.worker._channels.keys() == {1}


def test_a_report_has_an_end(place, monkeypatch):
    monkeypatch.setattr("paracore.backend._worker.REPORT_MAX", 400)
    for number in range(1, 11):
        place.add(number)
    read, write = os.pipe()
    place.tell(worker.Report(), (write,), flags=REQUEST, serial=3)
    os.close(write)
    assert json.loads(os.read(read, 65536))["channels"] == []
    os.close(read)


def test_it_ends_with_the_supervisor(place):
    place.control.finish()
    place.worker.run()
    assert place.worker._running is False


def test_it_ends_when_it_cannot_tell(place):
    place.add(1)
    place.control.close()
    place.worker.run()


def test_pages_that_are_none_end_the_channel_and_nothing_else(place):
    """A guest's references may turn out wrong when they are mapped."""
    none = os.open("/dev/null", os.O_RDWR)
    bells = [os.eventfd(0) for _ in range(2)]
    place.tell(worker.ChannelAdd(5, ORDER, 0), (none, *bells))
    header, payload = place.hear()
    assert (header.opcode, worker.Violation.unpack(payload).channel) == (worker.Violation.OPCODE, 5)
    place.tell(worker.ChannelRemove(5))
    assert place.hear()[0].opcode == worker.ChannelRemoved.OPCODE
    for descriptor in (none, *bells):
        os.close(descriptor)


# --- units that wait for credit -----------------------------------------------------------------------


def refused(cookie):
    return video.InputDone(cookie, video.Error.INVALID)


@pytest.fixture
def slow(make_place):
    """Two channels with a session each, and ten pictures a second for both."""
    made = make_place(pictures=(10, 1))
    made.ends = []
    for number in (1, 2):
        made.add(number)
        made.ends.append((number, made.open(number), made.attach(number)))
    return made


def test_channels_share_the_domains_rate(slow):
    for end in slow.ends:
        slow.give(*end, 1, 2, 3)
    slow.pass_time(0)
    heard = [(slow.said(1), slow.said(2))]
    for _ in range(5):
        slow.pass_time(101)
        heard.append((slow.said(1), slow.said(2)))
    in_turn = [(1, 0), (2, 0), (0, 1), (3, 0), (0, 2), (0, 3)]
    assert heard == [tuple([refused(cookie)] if cookie else [] for cookie in turn) for turn in in_turn]


def test_the_worker_sleeps_until_the_next_may_go(slow):
    assert slow.worker._sooner(-1) == -1
    slow.give(*slow.ends[0], 1, 2)
    assert slow.worker._sooner(-1) == 99, "rounded up, less the two that are kept beyond the burst"
    assert slow.worker._sooner(50) == 50
    slow.pass_time(101)
    assert slow.worker._sooner(-1) == -1


def debts(place):
    """Of which the worker has told."""
    said = [payload for header, payload in iter(place.hear, None) if header.opcode == worker.RatesOwed.OPCODE]
    return [worker.RatesOwed.unpack(payload) for payload in said]


def test_the_supervisor_is_told_of_a_debt(make_place):
    place = make_place(macroblocks=(100, 60))
    place.add(1)
    session, buffer = place.open(1), place.attach(1)
    place.give(1, session, buffer, 1)
    assert debts(place) == [worker.RatesOwed(0, (8160 - 60) * 1000 - 200)], "nobody knows what comes of it, or will"
    place.pass_time(1000)
    assert debts(place) == []
    place.tell(worker.Rates(0, 0, 200_000, 60_000))
    assert debts(place) == [worker.RatesOwed(0, 8000 * 1000 - 200)], "by the rate that it is told of"


def test_what_waits_is_outstanding_and_keeps_its_buffer(slow):
    number, session, buffer = slow.ends[0]
    slow.give(number, session, buffer, 1, 2)
    slow.pass_time(0)
    assert slow.said(number) == [refused(1)]
    assert slow.worker._channels[number].outstanding == 1
    slow.say(number, core.BufferDetach(buffer))
    assert slow.said(number) == [link.Failure(link.Error.BUSY, link.Limit.NONE, 0)]
    slow.give(number, session, buffer, *range(3, 10))
    slow.give(number, session, buffer, 10)
    ((failed),) = slow.said(number)
    assert (failed.error, failed.limit) == (link.Error.NO_SPACE, link.Limit.OUTSTANDING)


def test_a_flush_does_not_wait_for_credit(slow):
    number, session, buffer = slow.ends[0]
    slow.give(number, session, buffer, 1, 2, 3)
    slow.say(number, video.Flush(), session)
    cancelled = [video.InputDone(cookie, video.Error.CANCELLED) for cookie in (2, 3)]
    assert slow.said(number) == [refused(1), *cancelled, video.FlushReply()]
    slow.say(number, core.BufferDetach(buffer))
    assert slow.said(number) == [core.BufferDetachReply()]


def test_a_close_does_not_wait_for_credit(slow):
    number, session, buffer = slow.ends[0]
    slow.give(number, session, buffer, 1, 2, 3)
    slow.say(number, video.Close(), session)
    slow.said(number)
    assert slow.worker._sooner(-1) == -1
    slow.say(number, core.BufferDetach(buffer))
    assert slow.said(number) == [core.BufferDetachReply()]


def test_a_process_that_goes_leaves_its_turn_to_others(slow):
    for end in slow.ends:
        slow.give(*end, 1, 2)
    slow.said(1)
    slow.tell(worker.ChannelRemove(1))
    assert slow.books.buffers == 1
    slow.pass_time(101)
    assert slow.said(2) == [refused(1)]
    slow.pass_time(101)
    assert slow.said(2) == [refused(2)]
    assert slow.worker._sooner(-1) == -1


def test_a_unit_refused_when_its_turn_comes_is_told(slow):
    number, session, buffer = slow.ends[0]
    slow.give(number, session, buffer, 1)
    span = video.Span(buffer, 2, 0)  # less than any unit has
    slow.say(number, video.QueueInput(span, 2, video.InputFlag(0), 0, 0), session)
    slow.said(number)
    slow.pass_time(101)
    assert slow.said(number) == [refused(2)]
    assert slow.worker._channels[number].outstanding == 0


def test_the_report_says_how_long_units_waited(slow):
    slow.give(*slow.ends[0], 1, 2)
    slow.pass_time(50)
    read, write = os.pipe()
    slow.tell(worker.Report(), (write,), flags=REQUEST, serial=3)
    os.close(write)
    assert json.loads(os.read(read, 65536))["counts"]["throttled_ms"] == 50
    os.close(read)


# --- devices ------------------------------------------------------------------------------------------------


def test_a_device_that_cannot_be_reset(place, monkeypatch):
    def fail(_):
        raise ZeroDivisionError

    monkeypatch.setattr(NullDriver, "reset", fail)
    place.tell(worker.DeviceReset(0))
    place.add(1)
    place.say(1, core.LimitsQuery())
    assert place.answer(1)


def test_the_use_of_a_device_is_told_and_nothing_in_use_is_let_go_of(place, monkeypatch):
    rests = []
    monkeypatch.setattr(NullDriver, "rest", lambda driver: rests.append(driver.name))
    place.add(1)
    opening = video.Open(0, video.Codec.H264, video.Direction.DECODE, video.OpenFlag(0))
    place.say(1, opening)
    assert worker.DeviceUse.unpack(place.hear()[1]) == (0, 1)
    first = video.OpenReply.unpack(place.answer(1)[1]).session
    place.say(1, opening)
    second = video.OpenReply.unpack(place.answer(1)[1]).session
    place.tell(worker.DeviceRest(0))
    place.say(1, video.Close(), of=first)
    assert place.hear() is None, "the other one is open"
    assert rests == []
    place.say(1, video.Close(), of=second)
    assert worker.DeviceUse.unpack(place.hear()[1]) == (0, 0)
    place.tell(worker.DeviceRest(0))
    assert rests == ["vpu0"]


def test_the_highest_rate_of_a_domains_sessions_is_told(place):
    place.add(1)
    sessions = [place.open(1) for _ in range(2)]

    def paces():
        return [
            worker.DevicePace.unpack(said)
            for head, said in iter(place.hear, None)
            if head.opcode == worker.DevicePace.OPCODE
        ]

    for session, rate in zip(sessions, (25_000, 50_000), strict=True):
        place.say(1, video.ControlSet(video.Control.RATE, rate), of=session)
    assert paces() == [(0, 40_000_000), (0, 20_000_000)]
    place.say(1, video.ControlSet(video.Control.RATE, 10_000), of=sessions[0])
    assert paces() == []
    for session in reversed(sessions):
        place.say(1, video.Close(), of=session)
    assert paces() == [(0, 100_000_000), (0, 0)]


@pytest.mark.parametrize("opens", [False, True])
def test_a_reset_ends_a_worker_whose_sessions_would_not_go_on(make_place, opens):
    """A V4L2 device: closing its nodes is what sets it right."""
    codec = FakeCodec()
    place = make_place(driver=v4l2.make("vpu0", path="/dev/null", calls=codec.calls))
    place.add(1)
    if opens:
        place.open(1)
    place.tell(worker.DeviceReset(0))
    assert place.worker._running is not opens


# --- traces ---------------------------------------------------------------------------------------------


def test_what_is_traced(make_place):
    """Which sessions there are is told again to each who comes; what waits for credit is told by who makes it wait."""
    place, memory = make_place(pictures=(1, 1)), Memory()
    reader = TraceMemory(memory.reader())
    place.add(1)
    buffer, first = place.attach(1), place.open(1)
    for _ in range(2):
        place.tell(worker.Trace(1), (memory.descriptor,))
    second = place.open(1)
    place.give(1, first, buffer, 7, 8)
    place.say(1, video.Close(), second)
    told = [(each.event, each.channel, each.session, each.cookie) for each in reader.take(last=True)]
    E = TraceEvent  # noqa: N806
    assert told == [
        (E.OPENED, 1, first, 0),
        (E.OPENED, 1, first, 0),
        (E.OPENED, 1, second, 0),
        (E.INPUT_SEEN, 1, first, 7),
        (E.INPUT_SEEN, 1, first, 8),
        (E.INPUT_THROTTLED, 1, first, 8),
        (E.INPUT_TOLD, 1, first, 7),
        (E.CLOSED, 1, second, 0),
    ]
    place.tell(worker.Trace(0))
    place.say(1, video.Close(), first)
    assert reader.take(last=True) == []
    assert (reader.lost, reader.garbage) == (0, 0)
    reader.close()
    memory.close()


def test_memory_that_cannot_be_mapped(make_place, caplog):
    place = make_place()
    short = os.memfd_create("short")
    place.tell(worker.Trace(1), (short,))
    os.close(short)
    assert "nothing can be traced" in caplog.text
    place.add(1)
    assert place.open(1)
