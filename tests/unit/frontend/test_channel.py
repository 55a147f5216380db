# SPDX-License-Identifier: Apache-2.0
"""A channel's events and memory, above a libparacore that does as it is told."""

import errno
import threading
from collections import deque

import pytest

from paracore.classes import video
from paracore.frontend import _channel
from paracore.frontend._channel import Channel
from paracore.frontend._decoding import Decoding
from paracore.frontend._running import Running

PATIENCE = 5


class Library:
    """Events wait in a queue, as behind a reply; each is taken when the gate is open."""

    def __init__(self):
        self.name = _channel.ffi.new("char[]", b"test")
        self.events = deque()
        self.received = 0
        self.taken = threading.Semaphore(0)
        self.gate = threading.Event()
        self.gate.set()
        self.answers = deque()
        self.busy = False
        self.destroyed = []

    def receive(self, session, *events):
        self.received += len(events)
        self.events.extend((session, event) for event in events)

    def paracore_open(self, *_):
        return 0

    def paracore_domain(self, _handle):
        return self.name

    def paracore_close(self, _handle):
        pass

    def paracore_flush(self, _handle):
        return 0

    def paracore_call(self, _handle, opcode, session, *_):
        if opcode == video.Flush.OPCODE:
            self.receive(session, *self.answers)
        return 0

    def paracore_buffer_create(self, _handle, length, _flags, buffer):
        self.memory = _channel.ffi.new("char[]", length)
        buffer.id, buffer.address, buffer.length = 1, self.memory, length
        return 0

    def paracore_buffer_destroy(self, _handle, buffer):
        if self.busy:
            return -errno.EBUSY
        self.destroyed.append(buffer.id)
        return 0

    def paracore_get_statistics(self, _handle, out):
        out.events = self.received

    def paracore_next_event(self, _handle, out, _wait_ns):
        if not self.events:
            return 0
        session, event = self.events.popleft()
        self.taken.release()
        assert self.gate.wait(PATIENCE)
        payload = event.pack()
        out.header.size, out.header.opcode, out.header.object = 16 + len(payload), event.OPCODE, session
        out.payload[0 : len(payload)] = payload
        return 1


@pytest.fixture
def library(monkeypatch):
    made = Library()
    monkeypatch.setattr(_channel, "lib", made)
    return made


@pytest.fixture
def channel(library):
    made = Channel("nowhere")
    yield made
    library.gate.set()
    made.close()


class Session(Running[Decoding]):
    """One that is driven by hand."""

    def _catch_up(self):
        raise AssertionError


def test_what_came_before_a_flush_is_taken_before_its_end(library, channel):
    """One of the events has been handed over already, as to who waits for another session."""
    state = Decoding()
    with Session(None, channel, 1, state) as session:
        other = channel.line(2)
        library.receive(1, video.InputDone(7, 0))
        library.receive(2, video.Drained())
        state._inputs.update({7: None, 8: None})
        state._input_returned = lambda *_: None
        assert other.wait(0.0)
        library.answers.append(video.InputDone(8, 0))
        session.flush()
        assert not library.events
        assert not state._inputs


def test_what_another_thread_hands_over_is_waited_for(library, channel):
    mine, other = channel.line(1), channel.line(2)
    library.gate.clear()
    library.receive(1, video.InputDone(1, 0), video.InputDone(2, 0))
    library.receive(2, video.Drained())
    waiting = threading.Thread(target=other.wait, args=(None,))
    waiting.start()
    assert library.taken.acquire(timeout=PATIENCE)
    found = []
    settling = threading.Thread(target=lambda: found.append((mine.settle(), len(mine.inbox))))
    settling.start()
    library.gate.set()
    for thread in (waiting, settling):
        thread.join(PATIENCE)
    assert found == [(None, 2)]


def test_a_thread_that_sleeps_is_not_waited_for(library, channel):
    """It has handed over all that there was."""
    channel._pumping = True
    channel.line(1).settle()
    channel._pumping = False


class Interrupted(deque):
    """A queue at which another thread has its turn once, just after it was added to."""

    def __init__(self, items, other):
        super().__init__(items)
        self._others = [other]

    def extend(self, items):
        super().extend(items)
        while self._others:
            self._others.pop()()


def test_two_threads_take_back_the_same_memory(library, channel):
    """A codec held a span of it at first."""
    memory = channel.grant(4096, read_only=True)
    library.busy = True
    del memory
    channel.reap()
    library.busy = False
    channel._retired = Interrupted(channel._retired, channel.reap)
    channel.reap()
    assert library.destroyed == [1]
    assert not channel._buffers
