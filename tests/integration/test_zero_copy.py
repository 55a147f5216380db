# SPDX-License-Identifier: Apache-2.0
"""Where a codec's writes go: into the domain's own pages, and nowhere else.

The domain watches its own mapping. While it does, every process of the backend but the worker is stopped, the
domain itself makes no call, and what appears in the mapping is ffmpeg's picture to the last sample. The
worker's private memory is then searched for that picture.
"""

import hashlib
import os
import re
import signal
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from paracore._native._frontend import ffi
from paracore.classes import core, video
from tests import clips
from tests.integration.backends import PATIENCE, WRITABLE, Backend, needs_root, wait_until

WIDTH, HEIGHT = 640, 368
FILM = f"-f lavfi -i mandelbrot=s={WIDTH}x{HEIGHT}:r=25 -t 1 {clips.X264} -crf 10 -bf 0 -g 100 -pix_fmt yuv420p"
UNTOUCHED = 0xA5
PIECE = slice(WIDTH // 4, WIDTH // 4 + 128)
"""Of a row: long enough to be found nowhere by chance."""


@pytest.fixture(scope="module")
def film():
    path = clips.run(FILM, clips.FOLDER / "zero-copy.h264")
    return clips.Clip(video.Codec.H264, path, clips.units(path))


@pytest.fixture
def backend():
    backend = Backend(driver="libav")
    yield backend.start()
    backend.remove()


class Watcher:
    """A decoder session whose every step the test makes itself."""

    def __init__(self, channel, units):
        self.channel = channel
        self.units = units
        self.inputs = channel.buffer(1 << 20, core.BufferFlag.READ_ONLY)
        opening = video.Open(0, video.Codec.H264, video.Direction.DECODE, video.OpenFlag.LOW_DELAY)
        self.session = video.OpenReply.unpack(channel.call(opening.OPCODE, 0, opening.pack())).session
        one_thread = video.ControlSet(video.Control.THREADS, 1)
        channel.call(one_thread.OPCODE, self.session, one_thread.pack())

    def post(self, request):
        self.channel.post(request.OPCODE, self.session, request.pack())

    def feed(self, number):
        octets = self.units[number].octets
        with self.inputs.view() as view:
            view[: len(octets)] = octets
        self.post(video.QueueInput(video.Span(self.inputs.id, len(octets), 0), number, video.InputFlag(0), number, 1))
        self.channel.flush()

    def lend(self, cookie):
        step = self.form.size
        self.post(video.QueueOutput(video.Span(self.outputs.id, step, step * cookie), cookie))

    def meet_format(self):
        """Memory for the pictures, filled with what is no picture, and not lent yet."""
        self.form = video.SourceChange.unpack(self.until(video.SourceChange)).format
        self.count = self.form.buffers_min + 2
        self.outputs = self.channel.buffer(self.form.size * self.count, WRITABLE)
        with self.outputs.view() as view:
            view[:] = bytes([UNTOUCHED]) * len(view)

    def until(self, kind):
        while (event := self.channel.next_event(PATIENCE)) is not None:
            if event.opcode == kind.OPCODE:
                return event.payload
            assert event.opcode in (video.InputDone.OPCODE, video.OutputReady.OPCODE), event
        raise AssertionError(f"no {kind.NAME} comes")

    def picture(self, cookie):
        """The visible samples in this process's own mapping, copied out."""
        planes = []
        with self.outputs.view() as view:
            memory = np.frombuffer(view, np.uint8)[self.form.size * cookie : self.form.size * (cookie + 1)]
            for plane, shift in enumerate((0, 1, 1)):
                stride, first = self.form.plane_stride[plane], self.form.plane_offset[plane]
                rows = memory[first : first + stride * (HEIGHT >> shift)].reshape(-1, stride)
                planes.append(rows[:, : WIDTH >> shift].copy())
            del memory
        return planes

    def changed(self):
        """The outputs that are not as they were filled."""
        with self.outputs.view() as view:
            spans = np.frombuffer(view, np.uint8).reshape(self.count, -1)
            return [cookie for cookie in range(self.count) if (spans[cookie] != UNTOUCHED).any()]


def digest(planes):
    return hashlib.md5(b"".join(plane.tobytes() for plane in planes)).hexdigest()


def mappings(pid, what):
    """(start, end, rights, device and inode) of the mappings of a process whose line has this in it."""
    found = []
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        span, rights, _, device, inode, *_ = line.split()
        start, _, end = span.partition("-")
        if re.search(what, line):
            found.append((int(start, 16), int(end, 16), rights, (device, inode)))
    return found


def pages_of(address):
    """The device and inode of what is mapped there in this process."""
    return next(pages for start, end, _, pages in mappings("self", "") if start <= address < end)


@contextmanager
def only(worker, backend):
    """All processes of the backend but this one are stopped."""
    others = [pid for pid in backend.processes() if pid != worker]
    for pid in others:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in others:
            os.kill(pid, signal.SIGCONT)


def copies(backend):
    report = backend.domain()["worker"]["report"]
    return report["counts"]["copies"] + sum(each["copies"] for each in report["channels"][0]["sessions"])


def test_the_codec_writes_into_the_domains_own_mapping(backend, film):
    expected = clips.reference(film.path)[0][1]
    with backend.connect() as channel:
        watcher = Watcher(channel, film.units)
        watcher.feed(0)
        watcher.meet_format()
        worker = backend.worker()
        for cookie in range(watcher.count):
            watcher.lend(cookie)
        assert watcher.changed() == []
        with only(worker, backend):
            channel.flush()  # from here on this process does nothing but look
            wait_until(watcher.changed, "the codec's samples appear in this process's mapping")
            (written,) = watcher.changed()
            wait_until(lambda: digest(watcher.picture(written)) == expected, "they are ffmpeg's, all of them")
        ready = video.OutputReady.unpack(watcher.until(video.OutputReady))
        assert ready.cookie == written
        mine = pages_of(int(ffi.cast("uintptr_t", watcher.outputs._buffer.address)))
        theirs = [rights for _, _, rights, pages in mappings(worker, "memfd:paracore") if pages == mine]
        assert theirs == ["rw-s"], "the worker has mapped those very pages, once"
        assert copies(backend) == 0


def memory_of(pid, what):
    """What lies in the mappings of a process whose line has this in it."""
    with Path(f"/proc/{pid}/mem").open("rb") as memory:
        for start, end, *_ in mappings(pid, what):
            memory.seek(start)
            yield memory.read(end - start)


@needs_root
def test_the_worker_has_no_picture_of_its_own(backend, film):
    """Whole rows of the pictures are searched for in all private memory of the worker."""
    with backend.connect() as channel:
        watcher = Watcher(channel, film.units)
        watcher.feed(0)
        watcher.meet_format()
        for cookie in range(watcher.count):
            watcher.lend(cookie)
        shown = []
        for number in range(1, 6):
            watcher.feed(number)
            ready = video.OutputReady.unpack(watcher.until(video.OutputReady))
            shown.append(watcher.picture(ready.cookie)[0])
        worker = backend.worker()
        pieces = {row[PIECE].tobytes() for luma in shown for row in luma[4::8]}
        assert len(pieces) > 5 * HEIGHT // 16, "a film without rows to be told apart proves nothing"
        try:
            private = b"\0".join(memory_of(worker, r" rw-p "))
        except PermissionError:
            pytest.skip("this machine lets nobody read another process's memory")
        assert not any(piece in private for piece in pieces)
        shared = b"\0".join(memory_of(worker, r" rw-s .*memfd:paracore"))
        assert all(piece in shared for piece in pieces), "the search finds what is there"
        assert copies(backend) == 0
