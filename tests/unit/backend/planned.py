# SPDX-License-Identifier: Apache-2.0
"""A channel of a worker with the test in its worker's, its domain's and its driver's place."""

from collections import deque

from paracore.backend._books import Books, Device, WorkerLimits
from paracore.backend._channel import Channel
from paracore.classes import core, link, video
from paracore.drivers import VideoSession
from paracore.drivers.null._session import gray
from paracore.protocol import FAILURE, PAGE_SIZE, REPLY, REQUEST, message, split
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


def output(buffer, cookie, offset=0, length=64):
    return video.QueueOutput(video.Span(buffer, length, offset), cookie)


def input_(buffer, cookie):
    return video.QueueInput(video.Span(buffer, 8, 0), cookie, video.InputFlag(0), 0, 0)


def ready(cookie, flags=video.OutputFlag.KEY):
    return video.OutputReady(cookie, flags, 0, 0, 0, 1, 0, video.PictureType.INTRA, 0, 0, 8, 8)


def change(generation):
    return video.SourceChange(generation, video.ChangeFlag.BUFFERS, gray(8, 8))
