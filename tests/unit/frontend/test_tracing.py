# SPDX-License-Identifier: Apache-2.0
import mmap
import os
import threading
import time
from random import Random

import pytest

from paracore._errors import RemoteProtocolError
from paracore._native._core import ffi, lib
from paracore.classes import TraceEvent as E
from paracore.classes import video
from paracore.frontend._tracing import EVERYTHING, Chosen, Collector, chrome_trace, summary_of, timelines
from paracore.frontend._tracing._collector import Found
from paracore.frontend._tracing._memory import TraceMemory
from paracore.protocol import PAGE_SIZE, TRACE_RECORDS, TRACE_SIZE
from tests.unit.frontend.tracing import Memory, judge, record

CANCELLED = video.OutputFlag.CANCELLED << 32


@pytest.fixture
def memory():
    made = Memory()
    yield made
    made.close()


@pytest.fixture
def reader(memory):
    made = TraceMemory(memory.reader())
    yield made
    made.close()


def cookies(taken):
    return [each.cookie for each in taken]


# --- one memory -----------------------------------------------------------------------------------


def test_records_are_read_once_in_order(memory, reader):
    assert reader.take() == []
    for cookie in range(5):
        memory.write(cookie=cookie)
    assert cookies(reader.take()) == [0, 1, 2, 3, 4]
    memory.write(cookie=5)
    assert cookies(reader.take()) == [5]
    assert (reader.lost, reader.garbage) == (0, 0)


def test_what_was_there_before(memory):
    memory.write(cookie=7)
    late, whole = TraceMemory(memory.reader(), since=time.monotonic_ns()), TraceMemory(memory.reader())
    memory.write(cookie=8)
    assert (cookies(late.take()), cookies(whole.take())) == ([8], [7, 8])
    assert (late.lost, late.garbage) == (0, 0)
    late.close()
    whole.close()


def test_a_full_memory_loses_the_oldest_and_says_so(memory, reader):
    for cookie in range(TRACE_RECORDS + 3):
        memory.write(cookie=cookie)
    taken = cookies(reader.take())
    assert (taken[0], taken[-1], len(taken)) == (3, TRACE_RECORDS + 2, TRACE_RECORDS)
    assert (reader.lost, reader.garbage) == (3, 0)


def test_around_the_end(memory, reader):
    for turn in range(3):
        first = turn * (TRACE_RECORDS - 10)
        for cookie in range(first, first + TRACE_RECORDS - 10):
            memory.write(cookie=cookie)
        assert cookies(reader.take()) == list(range(first, first + TRACE_RECORDS - 10))
    assert (reader.lost, reader.garbage) == (0, 0)


def test_one_that_is_being_written_is_waited_for(memory, reader):
    memory.write(cookie=0)
    number = memory.begin()
    memory.write(cookie=2)
    assert cookies(reader.take()) == [0]
    memory.finish(number, record(E.INPUT_SEEN, 1, sequence=number + 1).pack())
    assert cookies(reader.take()) == [1, 2]
    assert (reader.lost, reader.garbage) == (0, 0)


def test_one_that_is_never_finished_is_given_up(memory, reader):
    """Its writer was killed."""
    memory.begin()
    memory.write(cookie=1)
    assert reader.take() == []
    assert cookies(reader.take()) == [1]
    memory.begin()
    assert reader.take(last=True) == []
    assert (reader.lost, reader.garbage) == (2, 0)


@pytest.mark.parametrize(
    "fields",
    [
        {"sequence": 99},
        {"sequence": 1, "time_": 0},
        {"sequence": 1, "time_": 1 << 62},
        {"sequence": 1, "event": 77},
    ],
)
def test_what_cannot_be_is_counted(memory, reader, fields):
    number = memory.begin()
    octets = bytearray(record(E.OPENED, **{name: value for name, value in fields.items() if name != "event"}).pack())
    if "event" in fields:
        octets[16] = fields["event"]
    memory.finish(number, octets)
    memory.write(cookie=1)
    assert cookies(reader.take(last=True)) == [1]
    assert (reader.lost, reader.garbage) == (0, 1)


@pytest.mark.parametrize("begun", [2, 1 << 40, (1 << 64) - 1])
def test_a_count_that_lies(memory, reader, begun):
    for cookie in range(5):
        memory.write(cookie=cookie)
    reader.take()
    memory.page(begun=begun)
    assert reader.take() == []
    assert (reader.lost, reader.garbage) == (0, 1)
    memory.begun = begun
    if begun < 1 << 41:
        memory.write(cookie=9)
        assert cookies(reader.take()) == [9]


def test_a_first_page_that_becomes_garbage(memory, reader):
    os.pwrite(memory.descriptor, b"\xff" * 128, 0)
    assert reader.take() == []
    assert reader.garbage == 1


@pytest.mark.parametrize("page", [{"version": 9}, {"records": 3}])
def test_no_memory_of_a_trace(page):
    memory = Memory(**page)
    descriptor = memory.reader()
    with pytest.raises(RemoteProtocolError):
        TraceMemory(descriptor)
    os.close(descriptor)
    memory.close()


def test_a_file_that_is_cut_short(memory, reader):
    memory.write()
    os.ftruncate(memory.descriptor, 100)
    assert reader.take() == []
    assert reader.garbage == 1


def test_garbage_of_any_kind_makes_a_valid_trace(memory):
    """A worker that was taken over may write anything, at any time."""
    dice = Random(5)
    collector = Collector()
    collector.add_worker("web", memory.reader())
    good = bytearray(b"".join(record(E(1 + n % 17), n % 9, sequence=n + 1, timestamp=n % 5).pack() for n in range(400)))
    for turn in range(60):
        for _ in range(dice.randrange(200)):
            good[dice.randrange(len(good))] = dice.randrange(256)
        os.pwrite(memory.descriptor, good, PAGE_SIZE)
        memory.page(begun=min(400, turn * 10))
        if turn % 20 == 19:
            os.pwrite(memory.descriptor, dice.randbytes(128), 0)
        collector.round(last=turn == 59)
    assert collector.garbage
    draw(collector.found, lost=collector.lost, garbage=collector.garbage)
    collector.close()


def test_the_writer_in_c_and_the_reader(memory, reader):
    """Several threads write as fast as they can; nothing is read twice, torn, or lost without being counted."""
    mapped = mmap.mmap(memory.descriptor, TRACE_SIZE)
    address = ffi.from_buffer(mapped, require_writable=True)
    lib.paracore_trace_format(address, 42)
    lib.paracore_trace_begin(address)

    def write(thread):
        for number in range(TRACE_RECORDS):
            lib.paracore_trace_mark(E.INPUT_SEEN, thread, number, number, number, number)

    threads = [threading.Thread(target=write, args=(thread,)) for thread in range(3)]
    taken = []

    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        taken += reader.take()
    for thread in threads:
        thread.join()
    lib.paracore_trace_begin(ffi.NULL)
    lib.paracore_trace_mark(E.INPUT_SEEN, 9, 9, 9, 9, 9)
    taken += reader.take()
    taken += reader.take(last=True)
    assert reader.garbage == 0
    assert len(taken) + reader.lost == 3 * TRACE_RECORDS
    assert len({(each.channel, each.cookie) for each in taken}) == len(taken)
    assert all(each.session == each.cookie == each.timestamp == each.value for each in taken)
    assert {each.channel for each in taken} <= {0, 1, 2}
    ffi.release(address)
    mapped.close()


# --- programs' files ------------------------------------------------------------------------------


def test_files_of_programs(tmp_path):
    memory = Memory()
    memory.write(E.INPUT_POSTED, 3)
    (tmp_path / "1-a.trace").write_bytes(os.pread(memory.descriptor, TRACE_SIZE, 0))
    (tmp_path / "short.trace").write_bytes(b"123")
    (tmp_path / "wrong.trace").write_bytes(bytes(TRACE_SIZE))
    (tmp_path / "other").write_bytes(b"")
    (tmp_path / "link.trace").symlink_to(tmp_path / "1-a.trace")
    os.mkfifo(tmp_path / "pipe.trace")
    collector = Collector()
    collector.add_programs(tmp_path)
    collector.round()
    (tmp_path / "2-b.trace").write_bytes(os.pread(memory.descriptor, TRACE_SIZE, 0))
    collector.round(last=True)
    assert [(each.domain, each.record.cookie) for each in collector.found] == [("", 3), ("", 3)]
    assert collector.programs == 2
    collector.close()
    memory.close()


# --- from records to units --------------------------------------------------------------------------


def tell(*steps, domain="web", channel=1):
    """Records a microsecond apart: (event, cookie), and a timestamp and a value as the event needs them."""
    return [
        Found("" if "POSTED" in event.name or "RECEIVED" in event.name else domain,
              record(event, cookie, time_=1000 * (number + 1), channel=channel, **more))
        for number, (event, cookie, more) in enumerate((*step, {})[:3] for step in steps)
    ]  # fmt: skip


WHOLE = (
    (E.OPENED, 0, {"value": 1 << 32 | 1}),
    (E.INPUT_POSTED, 5, {"timestamp": 40, "value": 123}),
    (E.INPUT_SEEN, 5, {"timestamp": 40, "value": 123}),
    (E.INPUT_THROTTLED, 5, {"timestamp": 40}),
    (E.INPUT_GIVEN, 5, {"timestamp": 40}),
    (E.DEVICE_AWAITED, 5, {"timestamp": 40}),
    (E.JOB_BEGUN, 5, {"timestamp": 40}),
    (E.WAIT_BEGUN, 5, {"timestamp": 40}),
    (E.WAIT_ENDED, 5, {"timestamp": 40}),
    (E.OUTPUT_MADE, 2, {"timestamp": 40, "value": 999}),
    (E.JOB_ENDED, 5, {"timestamp": 40}),
    (E.INPUT_TOLD, 5),
    (E.OUTPUT_TOLD, 2, {"timestamp": 40, "value": 999}),
    (E.INPUT_RECEIVED, 5),
    (E.OUTPUT_RECEIVED, 2, {"timestamp": 40, "value": 999}),
    (E.OUTPUT_POSTED, 2),
    (E.OUTPUT_SEEN, 2),
)


def draw(found, chosen=EVERYTHING, *, lost=0, garbage=0, devices=("vpu0",)):
    lines = timelines(found, chosen)
    trace = chrome_trace(lines, {"web": list(devices)}, {"begun": 1, "lost": lost, "garbage": garbage})
    return lines, judge(trace)


def test_a_whole_way():
    (line,), events = draw(tell(*WHOLE))
    assert (line.domain, line.codec, line.direction, line.device) == ("web", "h264", "decode", 0)
    (unit,) = line.units
    assert (unit.octets, unit.timestamp, unit.has_picture) == (123, 40, True)
    assert [event for event, _ in unit.way()] == [
        E.INPUT_POSTED, E.INPUT_SEEN, E.INPUT_THROTTLED, E.INPUT_GIVEN, E.DEVICE_AWAITED, E.JOB_BEGUN,
        E.OUTPUT_MADE, E.OUTPUT_TOLD, E.OUTPUT_RECEIVED, E.OUTPUT_POSTED, E.OUTPUT_SEEN,
    ]  # fmt: skip
    assert [event["name"] for event in events if event["ph"] == "b"] == [
        "unit 0", "on its way", "checked", "waits for credit", "queued", "waits for the device", "in the codec",
        "waits for others", "on its way back", "held by the application", "given back",
    ]  # fmt: skip
    assert "web, channel 1, session 1: h264 decode on vpu0" in str(events)
    assert line.waits == [(8000, 9000)]
    assert [event["ph"] for event in events if event["ph"] in "stf"] == ["s", "t", "t", "t", "f"]


@pytest.mark.parametrize("cut", range(len(WHOLE)))
def test_a_trace_that_begins_or_ends_anywhere(cut):
    draw(tell(*WHOLE[:cut]))
    lines, _ = draw(tell(*WHOLE[cut:]))
    assert all(len(line.units) <= 1 for line in lines)


def test_one_side_alone():
    both = tell(*WHOLE)
    (line,), events = draw([each for each in both if not each.domain])
    assert (line.domain, line.codec, len(line.units)) == ("", "", 1)
    assert "at the backend" in {event["name"] for event in events}
    (line,), events = draw([each for each in both if each.domain])
    assert [event for event, _ in line.units[0].way()][-2:] == [E.OUTPUT_TOLD, E.OUTPUT_SEEN]


def test_pictures_in_another_order_find_their_units():
    seen = [(E.INPUT_SEEN, n, {"timestamp": ts}) for n, ts in enumerate((0, 3, 1, 2))]
    told = [(E.OUTPUT_TOLD, 7, {"timestamp": ts}) for ts in range(4)]
    (line,), _ = draw(tell(*seen, *told))
    assert [unit.times[E.OUTPUT_TOLD] for unit in line.units] == [5000, 8000, 6000, 7000]


def test_of_units_with_one_timestamp_the_oldest_is_meant():
    steps = [
        (E.INPUT_SEEN, 1),
        (E.INPUT_SEEN, 2),
        (E.OUTPUT_TOLD, 7),
        (E.INPUT_SEEN, 1),
        (E.OUTPUT_TOLD, 8),
        (E.OUTPUT_TOLD, 7),
    ]
    (line,), _ = draw(tell(*steps))
    assert [unit.times[E.OUTPUT_TOLD] for unit in line.units] == [3000, 5000, 6000]


def test_what_brings_no_picture():
    """Parameter sets, what a flush has cancelled, spans that come back unused."""
    steps = [
        (E.INPUT_SEEN, 1, {"timestamp": 5, "value": video.InputFlag.CONFIG << 32}),
        (E.INPUT_SEEN, 2, {"timestamp": 5}),
        (E.INPUT_TOLD, 2, {"value": video.Error.CANCELLED}),
        (E.INPUT_SEEN, 3, {"timestamp": 5}),
        (E.OUTPUT_TOLD, 7, {"timestamp": 5, "value": CANCELLED}),
        (E.OUTPUT_TOLD, 7, {"timestamp": 5}),
    ]
    (line,), _ = draw(tell(*steps))
    assert [unit.has_picture for unit in line.units] == [False, False, True]


def test_a_drain_is_a_job_without_a_unit():
    (line,), events = draw(tell((E.JOB_BEGUN, 0, {"value": 1}), (E.JOB_ENDED, 0, {"value": 1})))
    assert line.drains == [(1000, 2000)]
    assert [event["name"] for event in events if event["ph"] == "X"] == ["drain"]


def test_sessions_are_chosen():
    both = tell(*WHOLE) + tell(*WHOLE, channel=2, domain="tv")
    assert [line.domain for line in draw(both)[0]] == ["tv", "web"]
    assert [line.domain for line in draw(both, Chosen(devices={"web": 0}))[0]] == ["web"]
    assert draw(both, Chosen(devices={"web": 1}))[0] == []
    assert draw(both, Chosen(session=2))[0] == []
    assert len(draw(both, Chosen(session=1))[0]) == 2


def test_what_was_lost_is_shown():
    _, events = draw(tell(*WHOLE), lost=3, garbage=1)
    assert {event["name"] for event in events if event["ph"] == "i"} == {"3 records lost", "1 records that cannot be"}


def test_nothing_at_all():
    assert draw([]) == ([], [])


def test_in_numbers():
    (row,) = summary_of(timelines(tell(*WHOLE)), {"web": ["vpu0"]})
    assert (row["domain"], row["device"], row["codec"], row["units"], row["pictures"]) == ("web", "vpu0", "h264", 1, 1)
    assert row["parts"]["in the codec"] == {"median_us": 3.0, "p99_us": 3.0}


def test_what_is_kept_is_bounded(memory, monkeypatch):
    monkeypatch.setattr("paracore.frontend._tracing._collector._RECORDS_MAX", 5)
    collector = Collector()
    collector.add_worker("web", memory.reader())
    for cookie in range(9):
        memory.write(cookie=cookie)
    collector.round()
    assert (len(collector.found), collector.lost) == (5, 4)
    collector.close()


def test_other_programs_of_the_domain_are_left_out():
    collector = Collector()
    collector.found = workers = tell(*WHOLE[2:8], channel=7)
    collector.keep_programs()
    assert collector.found == workers
    own = tell(*WHOLE)
    collector.found = own + workers
    collector.keep_programs()
    assert collector.found == own


def test_collecting_ends_when_it_is_said():
    collector = Collector()
    collector.collect(None, lambda: True)
    begun = time.monotonic()
    collector.collect(0.0, lambda: False)
    assert time.monotonic() - begun < 5
