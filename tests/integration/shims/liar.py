# SPDX-License-Identifier: Apache-2.0
"""A backend with one codec that can be made to lie: what it says passes through a function of the test's own.

The codec looks at nothing that it is given. A decoder's pictures are of one shade each, so that what a program shows
tells which picture it was; an encoder's packets are alike. A lie gets each event as it should be, with the number of
those before it, and gives what is sent instead: payloads, payloads with the number of a session, or an opcode with
octets.
"""

from __future__ import annotations

import contextlib
import mmap
import socket
from collections import deque
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from paracore.classes import core, link, video
from paracore.protocol._message import EVENT, message
from tests.integration.native import fake_backend
from tests.integration.native.fake_backend import FakeBackend, event, failure, opcode_of, reply, sealed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.integration.native.fake_backend import Connection, Header

    Lie = Callable[[Any, int], Iterator[Any]]

WIDTH, HEIGHT = 176, 144
LUMA = WIDTH * HEIGHT
SIZE = LUMA * 3 // 2
SESSION = 7
"""The first one's number."""
PACKET = b"\0\0\0\1\x65" + 59 * b"\x80"
FORMAT = video.PictureFormat(
    video.PixelFormat.YUV420P, WIDTH, HEIGHT, 0, 0, WIDTH, HEIGHT, 3,
    (0, LUMA, LUMA * 5 // 4, 0), (WIDTH, WIDTH // 2, WIDTH // 2, 0),
    SIZE, 4, video.FieldOrder.PROGRESSIVE, 2, 2, 2, 0, 0, 1, 1, 25, 1,
)  # fmt: skip


def honest(payload: Any, _count: int) -> Iterator[Any]:
    yield payload


def shade(number: int) -> int:
    """Of the picture with this number."""
    return 16 + number % 200


@dataclass
class Codec:
    """One session."""

    connection: Connection
    number: int
    lie: Lie
    decodes: bool
    inputs: deque[video.QueueInput] = field(default_factory=deque)
    outputs: deque[video.QueueOutput] = field(default_factory=deque)
    said: int = 0
    begun: bool = False
    draining: bool = False

    def tell(self, *payloads: Any) -> None:
        """Each as the lie has it. What does not fit into the ring is lost, which is a lie as good as any."""
        for payload in payloads:
            for each in self.lie(payload, self.said):
                with contextlib.suppress(AssertionError):
                    self.connection.send(octets_of(each, self.number))
            self.said += 1

    def queue_input(self, request: video.QueueInput) -> None:
        self.inputs.append(request)
        if self.decodes and not self.begun:
            self.tell(video.SourceChange(1, video.ChangeFlag.BUFFERS | video.ChangeFlag.COUNT, FORMAT))
        self.begun = True
        self.work()

    def queue_output(self, request: video.QueueOutput) -> None:
        self.outputs.append(request)
        self.work()

    def drain(self) -> None:
        self.draining = True
        self.work()

    def flush(self) -> None:
        self.draining = False
        while self.inputs:
            self.tell(video.InputDone(self.inputs.popleft().cookie, core.Error.CANCELLED))

    def recall(self) -> None:
        while self.outputs:
            self.tell(self._ready(self.outputs.popleft(), video.OutputFlag.CANCELLED, 0, 0))

    def work(self) -> None:
        """A picture for each input while there are both."""
        while self.inputs and self.outputs:
            self._make(self.inputs.popleft(), self.outputs.popleft())
        if self.draining and not self.inputs and (self.outputs or not self.begun):
            self.draining = False
            if self.outputs:
                flags = video.OutputFlag.LAST | video.OutputFlag.EMPTY
                self.tell(self._ready(self.outputs.popleft(), flags, 0, 0))
            self.tell(video.Drained())

    def _make(self, given: video.QueueInput, room: video.QueueOutput) -> None:
        octets = bytes([shade(given.timestamp)]) * SIZE if self.decodes else PACKET  # the shims number their units
        octets = octets[: room.span.length]
        pages = self.connection.backend.pages[room.span.buffer]
        pages[room.span.offset : room.span.offset + len(octets)] = octets
        ready = self._ready(room, video.OutputFlag.KEY, given.timestamp, len(octets))
        self.tell(video.InputDone(given.cookie, 0), ready)

    def _ready(self, room: video.QueueOutput, flags: video.OutputFlag, time: int, length: int) -> video.OutputReady:
        generation = 1 if self.decodes else 0
        intra = video.PictureType.INTRA
        return video.OutputReady(room.cookie, flags, time, time, 1, generation, length, intra, 0, 0, WIDTH, HEIGHT)


def octets_of(said: Any, session: int) -> bytes:
    """A whole message: of a payload for the session, of one with a number, or of an opcode with octets."""
    if type(said) is not tuple:
        return event(said, session)
    if isinstance(said[0], int):
        return message(said[0], EVENT, session, 0, said[1])
    return event(*said)


# --- answers --------------------------------------------------------------------------------------------------


def grant(connection: Connection, header: Header, payload: bytes) -> None:
    """With numbers of which none comes twice."""
    backend = connection.backend
    backend.grants += 1
    pages = connection.grants[backend.grants] = sealed(link.Grant.unpack(payload).length)
    socket.send_fds(connection.socket, [reply(header, link.GrantReply(backend.grants).pack())], [pages])


def attach(connection: Connection, header: Header, payload: bytes) -> None:
    request = core.BufferAttach.unpack(payload)
    backend = connection.backend
    backend.buffers += 1
    backend.pages[backend.buffers] = mmap.mmap(connection.grants[request.grant], request.length)
    connection.send(reply(header, core.BufferAttachReply(backend.buffers).pack()))


def device(connection: Connection, header: Header, payload: bytes) -> None:
    if core.DeviceQuery.unpack(payload).index:
        connection.send(failure(header, core.Error.NO_ENTRY))
    else:
        connection.send(reply(header, core.DeviceQueryReply("vpu0", "liar", core.DeviceClass.VIDEO, 2).pack()))


def able(connection: Connection, header: Header, payload: bytes, **lies: int) -> None:
    way = [video.Direction.DECODE, video.Direction.ENCODE][video.CapabilityQuery.unpack(payload).index]
    told = video.CapabilityQueryReply(video.Codec.H264, way, video.CapabilityFlag.ZERO_COPY, 1920, 1088, 1 << 1, 0x1FE)
    connection.send(reply(header, told._replace(**lies).pack()))


def opened(connection: Connection, header: Header, payload: bytes) -> None:
    codecs, lie = connection.backend.codecs, connection.backend.lie
    number = SESSION + len(codecs)
    codecs[number] = Codec(connection, number, lie, video.Open.unpack(payload).direction is video.Direction.DECODE)
    connection.send(reply(header, video.OpenReply(number).pack()))


def format_set(connection: Connection, header: Header, _payload: bytes, **lies: Any) -> None:
    connection.send(reply(header, video.FormatSetReply(FORMAT._replace(**lies)).pack()))


def control_set(connection: Connection, header: Header, payload: bytes) -> None:
    connection.send(reply(header, video.ControlSetReply(video.ControlSet.unpack(payload).value).pack()))


def queued(connection: Connection, header: Header, payload: bytes) -> None:
    """Inputs, outputs and drains."""
    codec = connection.backend.codecs.get(header.object)
    if header.opcode == video.QueueInput.OPCODE:
        codec.queue_input(video.QueueInput.unpack(payload))
    elif header.opcode == video.QueueOutput.OPCODE:
        codec.queue_output(video.QueueOutput.unpack(payload))
    else:
        codec.drain()


def called(connection: Connection, header: Header, _payload: bytes) -> None:
    """Flush, recall and close."""
    codec = connection.backend.codecs.get(header.object)
    if codec and header.opcode == video.Flush.OPCODE:
        codec.flush()
    elif codec and header.opcode == video.Recall.OPCODE:
        codec.recall()
    connection.send(reply(header))


ANSWERS = {
    "link_grant": grant,
    "core_buffer_attach": attach,
    "core_device_query": device,
    "video_capability_query": able,
    "video_open": opened,
    "video_close": called,
    "video_format_set": format_set,
    "video_control_set": control_set,
    "video_queue_input": queued,
    "video_queue_output": queued,
    "video_drain": queued,
    "video_flush": called,
    "video_recall": called,
}


OPENING = ["link_channel_open", "link_grant", "core_device_query", "core_buffer_attach", "video_capability_query"]
WORK = ["video_open", "video_queue_input", "video_queue_output", "video_drain"]


def dies_at(*names: str) -> dict[str, Any]:
    """The answers to requests: the first of the first kind is the end of the channel, whose worker has died; so is, with
    the next worker, the first of the second kind."""
    answers = fake_backend.ANSWERS | {opcode_of(each): answer for each, answer in ANSWERS.items()}
    due = list(names)

    def answered(name: str, connection: Connection, header: Header, payload: bytes) -> None:
        if due[:1] != [name]:
            answers[opcode_of(name)](connection, header, payload)
            return
        del due[0]
        connection.goodbye(link.Refusal.WORKER_LOST)

    return {name: partial(answered, name) for name in names}


class Liar(FakeBackend):
    """One device with an H.264 decoder and encoder."""

    def __init__(self, directory: Path, lie: Lie = honest, **answers: Any) -> None:
        self.lie = lie
        self.codecs: dict[int, Codec] = {}
        self.buffers = self.grants = 0
        self.pages: dict[int, mmap.mmap] = {}
        super().__init__(directory, **(ANSWERS | answers))

    def __exit__(self, *details: object) -> None:
        """A program that goes in the middle of a message is no fault of this backend's."""
        try:
            super().__exit__(*details)
        except AssertionError:
            if any(not isinstance(error, OSError) for error in self.errors):
                raise
