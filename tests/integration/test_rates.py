# SPDX-License-Identifier: Apache-2.0
"""A domain that may do so much a second, with programs that want more: it waits, and nothing is refused or lost."""

import os
import signal
import time
from contextlib import ExitStack

import pytest

import paracore
from paracore.classes import video
from paracore.cli import main
from paracore.media import demux
from tests import clips
from tests.integration.backends import PLAIN, Guest, Stream, cpu_seconds, needs_root, shared_mappings, wait_until

pytestmark = pytest.mark.alone

DEPTH = 8
"""Units that a greedy program has queued all the time."""
RATE = 200
SLOW = "pictures_per_second = 0.5\npictures_burst = 1"


def greedy(backend, flags=PLAIN):
    """Decodes as fast as it goes, for ever."""

    def play(_):
        with backend.connect() as channel:
            stream = Stream(channel)
            for number in range(DEPTH):
                stream.feed(number, flags)
            for number in range(1 << 30):
                stream.wait_picture()
                stream.feed(number, flags)

    return play


def inputs_of(backend):
    return (backend.domain()["worker"] or {"report": {"counts": {"inputs": 0}}})["report"]["counts"]["inputs"]


def done_in(backend, seconds):
    """Units of the domain, and the time they took."""
    before, began = inputs_of(backend), time.monotonic()
    time.sleep(seconds)  # the measure itself
    after, ended = inputs_of(backend), time.monotonic()
    return after - before, ended - began


@pytest.fixture
def waiting(make_backend):
    """A backend, and a channel of its first domain with a session whose next unit has two seconds to wait."""
    backend = make_backend(limits=SLOW)
    with backend.connect() as channel:
        stream = Stream(channel)
        for number in range(5):
            stream.feed(number)
        stream.wait_picture()
        yield backend, channel, stream


@needs_root
@pytest.mark.parametrize("processes", [1, 4])
@pytest.mark.parametrize(
    "limits",
    [
        f"pictures_per_second = {RATE}",
        f"macroblocks_per_second = {RATE * 16}\nmacroblocks_burst = 128",
    ],
    ids=["pictures", "macroblocks"],
)
def test_a_rate_is_kept_by_any_number_of_processes(make_backend, limits, processes):
    backend = make_backend(limits=limits)
    with ExitStack() as stack:
        for _ in range(processes):
            stack.callback(Guest(os.geteuid(), greedy(backend)).kill)
        wait_until(lambda: inputs_of(backend) > 3 * DEPTH * processes, "all are at work")
        done, passed = done_in(backend, 4)
    assert done == pytest.approx(RATE * passed, rel=0.02, abs=2)
    assert backend.domain()["worker"]["report"]["counts"]["throttled_ms"] > 3000


@needs_root
def test_units_that_are_called_parameter_sets_are_no_way_around_a_rate(make_backend):
    backend = make_backend(limits=f"pictures_per_second = {RATE}")
    with ExitStack() as stack:
        stack.callback(Guest(os.geteuid(), greedy(backend, video.InputFlag.CONFIG)).kill)
        wait_until(lambda: inputs_of(backend) > 3 * DEPTH, "it is at work")
        done, passed = done_in(backend, 2)
    assert done == pytest.approx(RATE * passed, rel=0.02, abs=16)


@needs_root
def test_a_killed_process_leaves_nothing_of_what_waited(make_backend):
    backend = make_backend(limits=SLOW)
    guest = Guest(os.geteuid(), greedy(backend))
    wait_until(lambda: inputs_of(backend) == 1, "one unit has gone, the others wait")
    worker = backend.worker()
    guest.kill()
    wait_until(lambda: backend.domain()["worker"]["report"]["channels"] == [], "the channel goes at once")
    assert backend.domain()["worker"]["report"]["sessions"] == 0
    held = backend.domain()["held"]
    assert (held["channels"], held["buffers"], held["bytes"]) == (0, 0, 0)
    assert shared_mappings(worker) == 0
    with backend.connect() as channel:  # whose turn comes when it would have been the dead one's
        Stream(channel).play(1)
    assert backend.worker() == worker


def test_a_flush_returns_at_once(waiting):
    _, channel, stream = waiting
    began = time.monotonic()
    channel.call(video.Flush.OPCODE, stream.session, b"")
    assert time.monotonic() - began < 0.5
    events = [channel.next_event(0) for _ in range(5)]
    cancelled = [video.InputDone.unpack(event.payload) for event in events if event.opcode == video.InputDone.OPCODE]
    assert [(done.cookie, done.error) for done in cancelled][-4:] == [(n, video.Error.CANCELLED) for n in range(1, 5)]


def test_a_close_and_a_detaching_return_at_once(waiting):
    backend, _, stream = waiting
    began = time.monotonic()
    stream.close()
    assert time.monotonic() - began < 0.5
    assert backend.domain()["held"]["buffers"] == 0


def test_a_worker_sleeps_while_units_wait(waiting):
    backend, _, _ = waiting
    worker = backend.worker()
    before, used = wakeups(backend), cpu_seconds(worker)
    time.sleep(1.2)  # the measure itself
    assert wakeups(backend) - before <= 4, "one unit's turn, and the question itself"
    assert cpu_seconds(worker) - used <= 0.05


def wakeups(backend):
    return backend.domain()["worker"]["report"]["loop"]["wakeups"]


def test_a_worker_of_which_nobody_waits_is_not_woken(make_backend):
    backend = make_backend(limits="pictures_per_second = 50")
    with backend.connect() as channel:
        Stream(channel).play(4)
        before = wakeups(backend)
        time.sleep(1)  # the measure itself
        assert wakeups(backend) - before <= 2, "the question itself"


def test_a_new_worker_is_no_new_burst(make_backend):
    backend = make_backend(linger=0.0, limits="pictures_per_second = 4\npictures_burst = 8")
    with backend.connect() as channel:
        Stream(channel).play(8)
    wait_until(lambda: backend.domain()["worker"] is None, "the worker ends with its last channel")
    began = time.monotonic()
    with backend.connect() as channel:
        Stream(channel).play(6)
    assert time.monotonic() - began > 0.9


@pytest.mark.parametrize("end", ["dismissed", "killed", "reloaded and killed"])
def test_a_new_worker_owes_what_the_last_one_did(make_backend, end):
    """A picture is sixteen macroblocks, of which four were there."""
    backend = make_backend(linger=0.0, limits="macroblocks_per_second = 8\nmacroblocks_burst = 4")
    with backend.connect() as channel:
        Stream(channel).play(1)
        began = time.monotonic()
        worker = backend.worker()
        if end.startswith("reloaded"):
            backend.reload()
        if end.endswith("killed"):
            os.kill(worker, signal.SIGKILL)
    wait_until(lambda: backend.domain()["worker"] is None, "the worker ends")
    with backend.connect() as channel:
        Stream(channel).play(1)
    assert time.monotonic() - began > 1.9


def test_every_picture_comes_and_the_drain_behind_the_last(make_backend):
    film = clips.film("h264", pictures=60)
    backend = make_backend(driver="libav", limits="pictures_per_second = 50\npictures_burst = 4")
    with paracore.open(backend.address) as domain, demux(film) as stream:
        began = time.monotonic()
        with domain.devices["vpu0"].decoder(stream.codec) as decoder:
            pictures = sum(1 for _ in decoder.decode(stream))
        passed = time.monotonic() - began
    assert pictures == 60
    assert passed >= (60 - 4) / 50 * 0.99


def test_an_encoder_waits_as_well(make_backend):
    backend = make_backend(driver="libav", limits="macroblocks_per_second = 3600\nmacroblocks_burst = 400")
    with paracore.open(backend.address) as domain:
        encoder = domain.devices["vpu0"].encoder("h264", width=352, height=288, rate=25)
        with encoder:
            began = time.monotonic()
            packets = list(encoder.encode(encoder.picture() for _ in range(11)))
            passed = time.monotonic() - began
    assert len(packets) == 11
    assert 1.0 * 0.99 <= passed < 3, "10 pictures of 396 macroblocks behind the first"


@needs_root
def test_rates_are_changed_while_they_are_used(make_backend):
    backend = make_backend()
    change = ["domain", "set", "alpha", "--address", backend.address]
    with ExitStack() as stack:
        stack.callback(Guest(os.geteuid(), greedy(backend)).kill)
        wait_until(lambda: inputs_of(backend) > 3 * DEPTH, "it is at work")
        for rate in (RATE, RATE // 2):
            assert main([*change, "--pictures-per-second", str(rate), "--pictures-burst", "20"]) == 0
            done, passed = done_in(backend, 2)
            assert done == pytest.approx(rate * passed, rel=0.02, abs=24), "the rate, and a burst at most"
        assert main([*change, "--pictures-per-second", "0"]) == 0
        done, passed = done_in(backend, 1)
        assert done > 2 * RATE * passed
        assert backend.domain()["workers_lost"] == 0
        assert backend.domain()["worker"]["report"]["sessions"] == 1
