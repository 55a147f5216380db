# SPDX-License-Identifier: Apache-2.0
"""A channel without a backend: memory out of nowhere, posts that are kept, events as told."""

import ctypes
import os
from collections import deque
from types import SimpleNamespace

from paracore import TransportBroken
from paracore.classes import video
from paracore.frontend._buffers import Memory
from paracore.frontend._opening import Opened


class Line:
    """What a session uses of it."""

    def __init__(self, channel, session):
        self.channel = channel
        self.session = session
        self.inbox = deque()
        self.posts = []

    def post(self, posts):
        if self.channel.lost:
            raise TransportBroken("lost")
        self.posts += posts

    def publish(self):
        pass

    def wait(self, _deadline):
        return bool(self.inbox)

    def settle(self):
        pass

    def say(self, event):
        """An event comes."""
        self.inbox.append((event.OPCODE, event.pack()))

    def inputs(self):
        """The octets of each unit that was given."""
        queued = [
            video.QueueInput.unpack(post.payload).span for post in self.posts if post.opcode == video.QueueInput.OPCODE
        ]
        return [self.channel.read(span) for span in queued]


class Channel:
    """It and, for an event loop, the descriptor of its events."""

    def __init__(self):
        self.lost = False
        self.closed = False
        self.littered = False
        self.calls = []
        self.lines = []
        self._blocks = []
        self._event = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)

    def line(self, session):
        self.lines.append(Line(self, session))
        return self.lines[-1]

    def grant(self, length, *, read_only):
        self._blocks.append(ctypes.create_string_buffer(length))
        block = self._blocks[-1]
        return Memory(len(self._blocks), ctypes.addressof(block), memoryview(block).cast("B"), lambda _: None)

    def read(self, span):
        return bytes(memoryview(self._blocks[span.buffer - 1])[span.offset : span.offset + span.length])

    def call(self, request, _reply, _what, _session=0):
        if self.lost:
            raise TransportBroken("lost")
        self.calls.append(request)

    def reap(self):
        self.littered = False

    def close_session(self, _session):
        pass

    def fileno(self):
        return self._event

    def pump(self, _deadline):
        pass

    def arm(self):
        return True

    def __del__(self):
        os.close(self._event)


class Origin:
    """Where a session is opened again: on one channel after another."""

    def __init__(self, *channels, form=None):
        self._channels = list(channels)
        self._form = form

    def open_again(self, _lost, state, _fault):
        assert state.lose()
        return self._channels.pop(0), Opened(1, self._form)


def access_unit(cookie, timestamp, length):
    """The event that brings one."""
    return video.OutputReady(
        cookie, video.OutputFlag(0), timestamp, timestamp, 1, 0, length, video.PictureType.INTRA, 0, 0, 0, 0
    )


def channels(*them):
    """Those of a domain, of which the first is present."""
    return SimpleNamespace(current=them[0])
