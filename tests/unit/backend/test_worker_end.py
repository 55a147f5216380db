# SPDX-License-Identifier: Apache-2.0
"""A worker that was taken over by its domain, as the supervisor meets it: what it can say, and what ends it."""

import asyncio
import errno
import json
import logging
import os
import socket
import time
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from paracore import GrantError, RemoteProtocolError, TransportBroken
from paracore.backend import _worker_end
from paracore.backend._alarm import ALARMED
from paracore.backend._books import Books, WorkerLimits
from paracore.backend._report import report_octets, report_of
from paracore.backend._report_reader import _parsed
from paracore.backend._report_rows import ChannelRow, Report, SessionRow
from paracore.backend._worker_end import WorkerEnd
from paracore.classes import link, worker
from paracore.protocol import EVENT, FAILURE, REPLY, REQUEST, message, split
from paracore.transport import ChannelDescriptors, LoopStatistics, SocketWire


class PlannedOwner:
    name = "guest"

    def __init__(self):
        self.heard = []
        self.ended = []
        self.memory = -1
        self.released = self.late = 0

    def map(self, request):
        if self.memory < 0:
            raise GrantError(errno.ENOENT, "not yours")
        return os.dup(self.memory)

    def unmap(self, request):
        self.heard.append(request)

    def violation(self, channel, text):
        self.heard.append((channel, text))

    def reserve(self, request):
        self.heard.append(request)
        return link.Failure(link.Error.NO_SPACE, link.Limit.PIXEL_RATE, 5) if request.rate > 5 else None

    def device_want(self, device):
        if device:
            raise RemoteProtocolError(f"there is no device {device}")
        self.heard.append("want")

    def device_release(self, device, lease, *, wants):
        self.heard.append((device, lease, wants))

    def device_pace(self, device, period):
        self.heard.append((device, period))

    def device_hang(self, device, *, stuck):
        self.heard.append((device, stuck))

    def device_use(self, device, *, used):
        self.heard.append((device, "used" if used else "unused"))

    def worker_blocked(self, device):
        self.heard.append(("blocked", device))

    def rates_owed(self, pictures, macroblocks):
        self.heard.append((pictures, macroblocks))

    def counted(self, counts):
        self.heard.append(counts)

    def worker_released(self):
        self.released += 1

    def worker_used(self, late):
        self.late += late

    def worker_ended(self, end, why):
        self.ended.append(why)


class Taken:
    """Both ends: the supervisor's own, and the socket that the hostile worker has in its hands."""

    def __init__(self):
        self.owner = PlannedOwner()
        self.end = WorkerEnd(1, self.owner)
        theirs, errors = self.end.theirs()
        self.errors = os.dup(errors)
        self.wire = SocketWire(socket.socket(fileno=os.dup(theirs)), descriptors_max=3)
        self.end.ordered()

    def say(self, row, payload=b"", flags=EVENT, serial=0):
        self.wire.send(message(row.OPCODE, flags, 0, serial, payload))

    async def hear(self):
        """What the supervisor has said."""
        for _ in range(500):
            if packet := self.wire.receive():
                return packet
            await asyncio.sleep(0.002)
        raise AssertionError("the supervisor says nothing")

    async def wait(self, holds):
        for _ in range(500):
            if holds():
                return
            await asyncio.sleep(0.002)
        raise AssertionError("it does not happen")


@asynccontextmanager
async def taken():
    both = Taken()
    try:
        yield both
    finally:
        both.end.kill()
        os.close(both.errors)
        both.wire.close()
        await asyncio.sleep(0.01)


def open_descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


def run(step):
    async def main():
        async with taken() as both:
            await step(both)

    asyncio.run(main())


@pytest.mark.parametrize(
    "octets",
    [
        b"x",
        bytes(64),
        message(worker.ChannelAdd.OPCODE, EVENT, 0, 0, bytes(8)),
        message(worker.Map.OPCODE, EVENT, 0, 0, bytes(24)),
        message(worker.Map.OPCODE, REQUEST, 0, 1, bytes(16)),
        message(worker.Map.OPCODE, REQUEST, 0, 1, b"\xff" * 24),
        message(worker.Unmap.OPCODE, REQUEST, 0, 1, bytes(8)),
        message(link.Goodbye.OPCODE, EVENT, 0, 0, bytes(8)),
        bytes(8000),
    ],
    ids=lambda octets: octets[:8].hex(),
)
def test_what_is_no_word_of_a_worker_ends_it(octets):
    async def step(both):
        both.wire.send(octets)
        await both.wait(lambda: both.owner.ended)
        assert "broke the protocol" in both.owner.ended[0]
        with pytest.raises(TransportBroken):
            both.wire.send(b"x")

    run(step)


def test_a_device_that_there_is_not():
    async def step(both):
        both.say(worker.DeviceWant, worker.DeviceWant(0).pack())
        both.say(worker.DeviceRelease, worker.DeviceRelease(0, 7, 1).pack())
        both.say(worker.DeviceWant, worker.DeviceWant(1).pack())
        await both.wait(lambda: both.owner.ended)
        assert both.owner.heard == ["want", (0, 7, True)]
        assert "there is no device 1" in both.owner.ended[0]

    run(step)


def test_a_device_that_hangs():
    async def step(both):
        both.say(worker.DeviceHang, worker.DeviceHang(0, 1).pack())
        await both.wait(lambda: both.owner.heard)
        assert both.owner.heard == [(0, True)]
        both.end.device_reset(3)
        header, payload = split((await both.hear()).message)
        assert (header.opcode, worker.DeviceReset.unpack(payload).device) == (worker.DeviceReset.OPCODE, 3)

    run(step)


@pytest.mark.parametrize("devices", [(), (0,), (0, 7)])
def test_a_worker_that_the_alarm_ends_was_at_the_device_that_it_said_last(devices):
    async def step(both):
        for device in devices:
            both.say(worker.DeviceAt, worker.DeviceAt(device).pack())
        both.say(worker.DeviceWant, worker.DeviceWant(0).pack())
        await both.wait(lambda: both.owner.heard)
        both.end.waited(ALARMED, 0)
        assert both.owner.heard == ["want", ("blocked", devices[-1] if devices else None)]

    run(step)


def test_a_pace_that_is_declared():
    async def step(both):
        both.say(worker.DevicePace, worker.DevicePace(1, 33_333_333).pack())
        await both.wait(lambda: both.owner.heard)
        assert both.owner.heard == [(1, 33_333_333)]

    run(step)


def test_a_device_that_is_used():
    async def step(both):
        both.say(worker.DeviceUse, worker.DeviceUse(2, 1).pack())
        both.say(worker.DeviceUse, worker.DeviceUse(2, 0).pack())
        await both.wait(lambda: len(both.owner.heard) == 2)
        assert both.owner.heard == [(2, "used"), (2, "unused")]
        both.end.device_rest(3)
        header, payload = split((await both.hear()).message)
        assert (header.opcode, worker.DeviceRest.unpack(payload).device) == (worker.DeviceRest.OPCODE, 3)

    run(step)


def test_a_debt_is_heard():
    async def step(both):
        both.say(worker.RatesOwed, worker.RatesOwed(1500, (1 << 64) - 1).pack())
        await both.wait(lambda: both.owner.heard)
        assert both.owner.heard == [(1.5, ((1 << 64) - 1) / 1000)]

    run(step)


def test_reservations_are_answered():
    async def step(both):
        for serial, rate in ((5, 5), (6, 6)):
            both.say(worker.Reserve, worker.Reserve(0, 9, rate).pack(), REQUEST, serial)
        header, _ = split((await both.hear()).message)
        assert (header.flags, header.serial) == (REPLY, 5)
        header, payload = split((await both.hear()).message)
        assert (header.flags, header.serial) == (FAILURE, 6)
        assert link.Failure.unpack(payload) == link.Failure(link.Error.NO_SPACE, link.Limit.PIXEL_RATE, 5)
        assert [request.rate for request in both.owner.heard] == [5, 6]

    run(step)


def test_its_end_is_seen():
    async def step(both):
        both.wire.finish()
        both.wire.close()
        await both.wait(lambda: both.owner.ended)

    run(step)


def burning():
    """A process that uses the processor for a while and ends, reaped: its time, when nobody can ask the kernel any more."""
    pid = os.fork()
    if not pid:
        while time.process_time() < 0.05:
            pass
        os._exit(7)
    pidfd = os.pidfd_open(pid)
    _, _, usage = os.wait4(pid, 0)
    return pid, pidfd, round((usage.ru_utime + usage.ru_stime) * 1e9)


def test_what_it_used_last_is_not_lost():
    async def step(both):
        pid, pidfd, used = burning()
        both.end.spawned(pid, pidfd)
        assert both.end.processor_time() == 0, "it is too late to ask"
        both.end.waited(7, used)
        assert both.owner.late == used >= 50_000_000
        both.end.waited(7, used)
        assert both.owner.late == used

    run(step)


def test_what_the_one_before_used_last_is_carried():
    async def step(both):
        both.end.carry(5)
        assert both.end.processor_time() == 5
        assert both.end.hand_over().carried == 5

    run(step)


def test_grants_of_others_are_not_to_be_had():
    async def step(both):
        both.say(worker.Map, worker.Map(7, 1, 4096, link.BufferFlag(0)).pack(), REQUEST, 5)
        header, payload = split((await both.hear()).message)
        assert (header.flags, header.serial) == (FAILURE, 5)
        assert link.Failure.unpack(payload).error is link.Error.NO_ENTRY

    run(step)


def test_grants_are_passed_and_not_kept():
    async def step(both):
        both.owner.memory = os.memfd_create("grant")
        before = open_descriptors()
        both.say(worker.Map, worker.Map(7, 1, 4096, link.BufferFlag(0)).pack(), REQUEST, 5)
        packet = await both.hear()
        assert split(packet.message)[0].flags == REPLY
        os.close(packet.descriptors[0])
        assert open_descriptors() == before
        os.close(both.owner.memory)

    run(step)


def test_its_words_are_made_printable():
    async def step(both):
        both.say(worker.Violation, worker.Violation(3, b"\x1b[2Jbad\xff").pack())
        both.say(worker.Unmap, worker.Unmap(3, 4).pack())
        await both.wait(lambda: len(both.owner.heard) == 2)
        assert both.owner.heard[0] == (3, "?[2Jbad\ufffd")

    run(step)


def test_one_that_never_reads_is_ended():
    async def step(both):
        passed = ChannelDescriptors(*(os.eventfd(0) for _ in range(3)))
        for channel in range(3000):
            both.end.channel_add(channel, 2, passed)
        assert both.owner.ended
        while (packet := both.wire.receive()).message:
            for descriptor in packet.descriptors:
                os.close(descriptor)
        for descriptor in passed.passed:
            os.close(descriptor)

    run(step)


def test_one_that_never_reads_and_no_descriptor_left(monkeypatch):
    async def step(both):
        def refuse(_):
            raise OSError(errno.EMFILE, "Too many open files")

        monkeypatch.setattr(os, "dup", refuse)
        for channel in range(_worker_end._BACKLOG_MAX):
            both.end.channel_add(channel, 2, ChannelDescriptors(0, 0, 0))
        monkeypatch.undo()
        assert both.owner.ended == ["it was ended"]

    run(step)


def test_what_waits_arrives_in_order():
    async def step(both):
        for channel in range(600):
            both.end.channel_remove(channel, lambda: None)
        seen = []
        while len(seen) < 600:
            packet = await both.hear()
            seen.append(worker.ChannelRemove.unpack(split(packet.message)[1]).channel)
        assert seen == list(range(600))

    run(step)


def test_one_that_does_not_let_go_is_ended(monkeypatch):
    monkeypatch.setattr(_worker_end, "_REMOVAL", 0.05)

    async def step(both):
        both.end.channel_remove(1, lambda: None)
        both.end.channel_remove(2, lambda: None)
        both.say(worker.ChannelRemoved, worker.ChannelRemoved(1).pack())
        both.say(worker.ChannelRemoved, worker.ChannelRemoved(99).pack())
        await both.wait(lambda: both.owner.ended)

    run(step)


def test_one_that_lets_go_lives_on(monkeypatch):
    monkeypatch.setattr(_worker_end, "_REMOVAL", 0.05)

    async def step(both):
        both.end.channel_remove(1, lambda: None)
        both.say(worker.ChannelRemoved, worker.ChannelRemoved(1).pack())
        await asyncio.sleep(0.1)
        assert not both.owner.ended

    run(step)


def test_a_flood_of_words_is_paused(monkeypatch):
    """It is heard only so often, so that the supervisor has time for others."""

    async def step(both):
        clock = asyncio.get_running_loop().time
        since = clock()
        while clock() < since + 0.3:
            try:
                both.say(worker.Unmap, worker.Unmap(3, 4).pack())
            except TransportBroken:
                await asyncio.sleep(0)
        assert not both.owner.ended
        bursts = _worker_end._RATE_BURST + _worker_end._RATE * (clock() - since)
        assert len(both.owner.heard) <= bursts * _worker_end._BURST

    run(step)


def test_revoking_is_no_way_around_that(monkeypatch):
    """A domain that has taken its worker over lets the supervisor hear it by each ``revoke`` of a mapped grant."""
    monkeypatch.setattr(_worker_end, "_RATE_BURST", 3.0)
    monkeypatch.setattr(_worker_end, "_RATE", 0.001)

    async def step(both):
        for _round in range(10):
            for _message in range(_worker_end._BURST):
                both.say(worker.Unmap, worker.Unmap(3, 4).pack())
            both.end.hear()
        assert len(both.owner.heard) == 3 * _worker_end._BURST

    run(step)


# --- reports ----------------------------------------------------------------------------------------------


async def asked(both):
    reports = []
    both.end.report(reports.append)
    packet = await both.hear()
    assert split(packet.message)[0].opcode == worker.Report.OPCODE
    return reports, packet.descriptors[0]


GOOD = {"sessions": 0, "buffers": 0, "truncated": 0, "counts": {"calls": 1}, "loop": {}, "channels": []}


@pytest.mark.parametrize(
    ("octets", "read"),
    [
        (json.dumps(GOOD).encode(), True),
        (b"", False),
        (b"{", False),
        (b"[" * 10000, False),
        (b"\xff\xff", False),
        (json.dumps({**GOOD, "sessions": -1}).encode(), False),
        (json.dumps({**GOOD, "sessions": 2**70}).encode(), False),
        (json.dumps({**GOOD, "counts": {"\x1b[2J": 1}}).encode(), False),
        (json.dumps({**GOOD, "channels": [{"channel": 1}]}).encode(), False),
        (json.dumps({}).encode(), False),
    ],
)
def test_reports_are_not_believed(octets, read):
    async def step(both):
        reports, pipe = await asked(both)
        os.write(pipe, octets)
        os.close(pipe)
        await both.wait(lambda: reports)
        assert reports == [json.loads(octets) if read else None]

    run(step)


def test_a_report_without_end():
    async def step(both):
        reports, pipe = await asked(both)
        os.set_blocking(pipe, False)
        while not reports:
            try:
                os.write(pipe, b" " * 65536)
            except (BlockingIOError, BrokenPipeError):
                await asyncio.sleep(0.002)
        assert reports == [None]
        os.close(pipe)

    run(step)


def test_a_report_that_does_not_come(monkeypatch):
    monkeypatch.setattr(_worker_end, "_REPORT", 0.05)

    async def step(both):
        reports, pipe = await asked(both)
        await both.wait(lambda: reports)
        assert reports == [None]
        os.close(pipe)

    run(step)


def test_the_real_report_is_read():
    said = report_of(Books((), WorkerLimits(1, 1, 1, 1, 1)), [], LoopStatistics())
    assert _parsed(report_octets(said, 65536)) == msgspec.structs.asdict(said)


def large(sessions, channels=1):
    """A report of sessions that have been at work for an hour."""
    numbers = 8, 8, 90000, 90000, 12, 1 << 29, 1 << 38, 5, 3_600_000, 1_234_567, 0
    row = SessionRow(300, "vpu0", "h264", "decode", "running", *numbers)
    rows = [ChannelRow(900 + n, 30, 1 << 28, 60, [row] * (sessions // channels)) for n in range(channels)]
    return Report(sessions, 9000, 0, dict.fromkeys(worker.Counted._fields, 1 << 40), {}, rows)


@pytest.mark.parametrize("channels", [1, 64, 512])
def test_a_report_of_many_sessions_has_room(channels):
    octets = report_octets(large(512, channels), 65536)
    parsed = _parsed(octets)
    assert parsed["truncated"] == 0
    assert sum(len(channel["sessions"]) for channel in parsed["channels"]) == 512


@pytest.mark.parametrize("channels", [1, 64, 512])
def test_a_report_that_has_no_room_says_so_and_keeps_its_counts(channels):
    said = large(512, channels)
    parsed = _parsed(report_octets(said, 30000))
    there = sum(len(channel["sessions"]) for channel in parsed["channels"])
    assert 0 < there == 512 - parsed["truncated"]
    assert len(parsed["channels"]) == channels
    assert parsed["counts"] == said.counts


# --- standard error ---------------------------------------------------------------------------------------


def test_its_standard_error_is_bounded(caplog):
    async def step(both):
        os.set_blocking(both.errors, False)
        written = 0
        until = asyncio.get_running_loop().time() + 0.5
        while asyncio.get_running_loop().time() < until:
            try:
                written += os.write(both.errors, b"ERROR \x1b[31mlook\n" * 100)
            except BlockingIOError:
                await asyncio.sleep(0.002)
        assert 200 <= len(caplog.records) < 300
        assert "\x1b" not in caplog.text
        assert caplog.records[0].getMessage() == "guest: ERROR ?[31mlook"

    with caplog.at_level(logging.INFO):
        run(step)


def test_a_line_without_end(caplog):
    async def step(both):
        os.write(both.errors, b"x" * 60000)
        await asyncio.sleep(0.3)
        os.write(both.errors, b"\nINFO end\n")
        await both.wait(lambda: any("INFO end" in said for said in caplog.messages))

    with caplog.at_level(logging.INFO):
        run(step)
    assert max(map(len, caplog.messages)) < 300
