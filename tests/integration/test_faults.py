# SPDX-License-Identifier: Apache-2.0
"""What happens when a part dies or turns hostile: who notices, what is reclaimed, who goes on.

Each test is a row of the failure table in ARCHITECTURE.md.
"""

import os
import random
import signal
import time
from pathlib import Path

import pytest

from paracore import TransportBroken
from paracore.classes import core, link, video
from paracore.protocol import REQUEST, message
from paracore.testing import ATTACKS, HostileDomain, attack
from paracore.transport import CallRefused
from tests.integration.backends import (
    BETA,
    GAMMA,
    PATIENCE,
    WRITABLE,
    Guest,
    Stream,
    alive,
    cpu_seconds,
    descriptors,
    in_thread,
    limits_of,
    needs_root,
    proportional_memory,
    shared_mappings,
    wait_until,
)

ROUNDS = int(os.environ.get("PARACORE_HOSTILE_ROUNDS", "52"))
"""Attacks of one run; some thousands make a long one."""


def broken(channel):
    """Waits until the channel tells its application that it is over; returns the seconds that took."""
    since = time.monotonic()
    with pytest.raises(TransportBroken):
        list(iter(lambda: channel.next_event(PATIENCE), None))
    return time.monotonic() - since


def play_on(backend, rounds=200):
    """A well-behaved domain that is not to be disturbed."""

    def play(guest):
        with backend.connect() as channel:
            stream = Stream(channel)
            stream.play(10)
            guest.say("plays")
            for number in range(rounds):
                stream.play(20, start=number)
            return stream.pictures

    return play


# --- the worker dies ------------------------------------------------------------------------------------


@needs_root
def test_a_killed_worker_ends_only_its_domain(backend):
    neighbour = Guest(BETA, play_on(backend, rounds=50))
    with backend.connect() as channel:
        stream = Stream(channel)
        stream.play(10)
        worker = backend.worker()
        os.kill(worker, signal.SIGKILL)
        assert broken(channel) < 1.0
        assert channel.goodbye() is link.Refusal.WORKER_LOST
        with backend.connect() as again:  # at once
            other = Stream(again)
            other.play(10)
            assert backend.worker() != worker
    assert neighbour.result(60) == 1010
    assert backend.statistics()["workers_lost"] == 1


def test_a_worker_killed_in_the_middle_of_a_call(backend):
    with backend.connect() as channel:
        stream = Stream(channel)
        os.kill(backend.worker(), signal.SIGSTOP)
        worker = backend.worker()
        thread = in_thread(lambda: (time.sleep(0.1), os.kill(worker, signal.SIGKILL)))
        since = time.monotonic()
        with pytest.raises(TransportBroken):
            channel.call(video.FormatGet.OPCODE, stream.session, b"")
        assert time.monotonic() - since < 1.0
        thread.join()


def test_a_worker_that_hangs_is_ended(backend):
    with backend.connect() as channel:
        Stream(channel).play(1)
        worker = backend.worker()
        os.kill(worker, signal.SIGSTOP)
    wait_until(lambda: not alive(worker), "a worker that does not let go of a channel is ended")
    with backend.connect() as channel:
        Stream(channel).play(1)


def parent(process):
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


def test_a_killed_warm_parent_is_replaced(backend):
    time.sleep(2.1)  # one that dies sooner is held to be unable to live
    with backend.connect() as channel:
        Stream(channel).play(1)
        worker = backend.worker()
        os.kill(parent(worker), signal.SIGKILL)
        assert broken(channel) < 1.0
    wait_until(lambda: not alive(worker), "its workers end with it")
    with backend.connect() as channel:
        Stream(channel).play(1)


def test_a_worker_that_is_only_ordered_is_not_shown(backend):
    """A number that is no process's would be a trap: kill(2) takes 0 for whoever asks, and all that were started with it."""

    def visit():
        with backend.connect() as channel:
            limits_of(channel)

    with backend.connect() as channel:
        limits_of(channel)
        warm, first = parent(backend.worker()), backend.worker()
        os.kill(warm, signal.SIGSTOP)
        try:
            os.kill(first, signal.SIGKILL)
            wait_until(lambda: backend.domain()["worker"] is None, "its worker is missed")
            thread = in_thread(visit)
            wait_until(lambda: backend.domain()["held"]["connections"] > 0, "nobody comes")
            assert backend.domain()["worker"] is None
        finally:
            os.kill(warm, signal.SIGCONT)
        thread.join()
        assert backend.worker() > 0


# --- the application dies ---------------------------------------------------------------------------------


@needs_root
def test_a_killed_application_leaves_nothing(backend):
    with backend.connect() as channel:
        limits_of(channel)  # the worker is there and stays
    wait_until(lambda: backend.domain()["worker"]["report"]["channels"] == [], "only the worker is left of that")
    wait_until(lambda: backend.statistics()["connections"] == 1, "and the question itself")
    before = backend.statistics()
    pids = backend.processes()
    worker = backend.worker()
    time.sleep(0.1)  # the last question's connection is closed
    held = [(descriptors(pid), shared_mappings(pid)) for pid in pids]

    def hoard(guest):
        with backend.connect() as mine:
            streams = [Stream(mine) for _ in range(5)]
            streams[0].play(5)
            guest.say("hoards")
            time.sleep(PATIENCE)

    guest = Guest(os.geteuid(), hoard)
    wait_until(lambda: backend.domain()["held"]["buffers"] == 10, "it holds ten buffers")
    assert shared_mappings(worker) > held[-1][1]
    guest.kill()
    wait_until(
        lambda: backend.domain()["held"] == {"connections": 1, "channels": 0, "buffers": 0, "bytes": 0}, "counts"
    )
    wait_until(lambda: [(descriptors(pid), shared_mappings(pid)) for pid in pids] == held, "nothing is left")
    after = backend.statistics()
    assert backend.worker() == worker
    for name in ("connections", "channels", "grants", "bytes", "workers", "workers_lost", "violations"):
        assert after[name] == before[name], name
    report = backend.domain()["worker"]["report"]
    assert (report["sessions"], report["buffers"], report["channels"]) == (0, 0, [])


# --- the supervisor dies ----------------------------------------------------------------------------------


def test_a_killed_supervisor_is_followed_by_another(backend):
    with backend.connect() as channel:
        stream = Stream(channel)
        stream.play(5)
        pids = backend.processes()
        assert len(pids) == 3
        backend.kill()
        assert broken(channel) < 1.0
        wait_until(lambda: not any(map(alive, pids)), "workers and warm parent end")
        assert Path(backend.address).exists()  # nobody has cleaned up
        backend.start()
        with pytest.raises(TransportBroken):
            limits_of(channel)
    with backend.connect() as channel:
        Stream(channel).play(5)


def test_a_supervisor_killed_while_an_application_waits(backend):
    with backend.connect() as channel:
        Stream(channel).play(1)
        thread = in_thread(lambda: (time.sleep(0.1), backend.kill()))
        assert broken(channel) < 1.5
        thread.join()


# --- hostile domains --------------------------------------------------------------------------------------


@needs_root
def test_hostile_domains_disturb_nobody(backend):
    """Every attack, from one domain, while another one plays."""
    neighbour = Guest(BETA, play_on(backend, rounds=100))

    def rage(_):
        done = {}
        for seed in range(ROUNDS):
            name = attack(backend.transport, backend.address, seed)
            done[name] = done.get(name, 0) + 1
        return done

    done = Guest(GAMMA, rage).result(60 + ROUNDS)
    assert len(done) == min(ROUNDS, len(ATTACKS))
    assert neighbour.result(120) == 2010
    statistics = backend.statistics()
    assert statistics["workers_lost"] == 0, backend.log.read_text()
    assert statistics["violations"] >= ROUNDS // 3
    wait_until(lambda: backend.domain("gamma")["held"]["connections"] == 0, "nothing of it is left")
    assert backend.domain("gamma")["held"] == {"connections": 0, "channels": 0, "buffers": 0, "bytes": 0}
    assert backend.domain("beta")["violations"] == 0
    assert "Traceback" not in backend.log.read_text()


def test_a_violation_ends_one_channel(backend):
    with backend.connect() as channel:
        stream = Stream(channel)
        hostile = HostileDomain(backend.transport, backend.address)
        hostile.open()
        hostile.put(message(0x7777, REQUEST, 0, 1))
        assert hostile.wait_end() is link.Refusal.PROTOCOL
        hostile.close()
        stream.play(5)
    assert backend.domain()["violations"] == 1
    assert "broke the protocol" in backend.log.read_text()


def test_an_unknown_enumerator_ends_one_channel(backend):
    hostile = HostileDomain(backend.transport, backend.address)
    hostile.open()
    hostile.put(message(video.Open.OPCODE, REQUEST, 0, 1, video.Open(0, 99, 1, 0).pack()))
    assert hostile.wait_end() is link.Refusal.PROTOCOL
    hostile.close()


def test_complaints_are_bounded(backend):
    for _round in range(100):
        hostile = HostileDomain(backend.transport, backend.address)
        hostile.open()
        hostile.put(message(0x7777, REQUEST, 0, 1))
        hostile.wait_end()
        hostile.close()
    assert backend.domain()["violations"] == 100
    assert backend.log.read_text().count("broke the protocol") < 60


def test_one_that_never_reads_only_stops_itself(backend):
    """It calls for ever and reads no reply: the worker keeps a bounded backlog and serves the others."""
    sleeper = HostileDomain(backend.transport, backend.address)
    sleeper.open()
    with backend.connect() as channel:
        stream = Stream(channel)
        for _round in range(30):
            try:
                for serial in range(1000):
                    sleeper.put(message(core.LimitsQuery.OPCODE, REQUEST, 0, serial))
            except BlockingIOError:
                pass
            stream.play(5)
        stream.play(20)
        assert proportional_memory(backend.worker()) < 12 << 20
    sleeper.close()


def test_one_that_never_reads_its_replies_on_the_link(backend):
    sleeper = HostileDomain(backend.transport, backend.address)
    sleeper.open()
    try:
        for serial in range(100_000):
            sleeper.say(message(link.Revoke.OPCODE, REQUEST, 0, serial, link.Revoke(1).pack()))
    except TransportBroken:
        time.sleep(0.2)
    with backend.connect() as channel:
        Stream(channel).play(5)
    sleeper.close()
    wait_until(lambda: backend.statistics()["channels"] == 0, "it is closed")


@needs_root
def test_a_flood_of_connections_is_bounded(backend):
    """One peer's silent connections leave room for everybody else's."""

    def flood(_):
        kept = []
        for _number in range(300):
            hostile = HostileDomain(backend.transport, backend.address)
            kept.append(hostile)
        return len(kept)

    guest = Guest(GAMMA, flood)
    with backend.connect() as channel:
        Stream(channel).play(5)
    assert guest.result() == 300
    with backend.connect() as channel:
        Stream(channel).play(5)
    assert "too many connections" in backend.log.read_text()
    wait_until(lambda: backend.statistics()["connections"] == 1, "all are closed")


# --- driver faults ----------------------------------------------------------------------------------------


def test_a_fault_of_a_driver_ends_one_session(make_backend):
    """Whatever a driver raises, the worker and the other sessions go on."""
    backend = make_backend(options="options = { fail_at = 6 }")
    with backend.connect() as channel:
        good, bad = Stream(channel), Stream(channel)
        bad.play(5)
        bad.feed(13)
        while True:
            event = channel.next_event(PATIENCE)
            if event.opcode == video.SessionFailed.OPCODE:
                break
        assert event.object == bad.session
        assert video.SessionFailed.unpack(event.payload).error is video.Error.IO
        failed = core.PostFailed.unpack(channel.next_event(PATIENCE).payload)
        assert (failed.opcode, failed.error) == (video.QueueInput.OPCODE, video.Error.IO)
        with pytest.raises(CallRefused) as caught:
            channel.call(video.FormatGet.OPCODE, bad.session, b"")
        assert caught.value.failure.error is video.Error.IO
        bad.close()
        good.play(5)
    assert backend.domain()["worker"]["report"]["counts"]["sessions_failed"] == 1
    assert "as it was told to" in backend.log.read_text()


# --- many -----------------------------------------------------------------------------------------------


def test_a_thousand_cycles_leak_nothing(backend):
    with backend.connect() as kept:
        Stream(kept).play(1)
        pids = backend.processes()

        def held():
            return (
                [(descriptors(pid), shared_mappings(pid)) for pid in pids],
                backend.processes(),
                backend.statistics()["grants"],
            )

        before = held()
        own = descriptors(os.getpid()), shared_mappings(os.getpid())
        for _round in range(1000):
            with backend.connect() as channel:
                stream = Stream(channel, pages=2)
                stream.play(1)
        wait_until(lambda: backend.statistics()["channels"] == 1, "only the kept channel is left")
        wait_until(lambda: held() == before, f"nothing is left: {before}, {held()}")
        assert (descriptors(os.getpid()), shared_mappings(os.getpid())) == own
        report = backend.domain()["worker"]["report"]
        assert (report["sessions"], report["buffers"]) == (1, 2)
        Stream(kept).play(1)


@pytest.mark.alone
def test_idle_domains_cost_nothing(make_backend):
    """64 domains connect quickly, use no processor time while they are idle, and little memory."""
    backend = make_backend()
    backend.stop()
    many = 64
    text = backend.file.read_text().partition("[[domain]]")[0]
    text += "".join(f'[[domain]]\nname = "d{number}"\nuser = {48000 + number}\n' for number in range(many))
    backend.file.write_text(text)
    backend.start()
    if os.geteuid():
        pytest.skip("domains of other users need root")

    def idle(guest):
        with backend.connect() as channel:
            limits_of(channel)
            guest.wait_go()
            limits_of(channel)
            return channel.domain

    since = time.monotonic()
    guests = [Guest(48000 + number, idle) for number in range(many)]
    wait_until(lambda: backend.statistics()["channels"] == many, "all are connected", timeout=30)
    connected = time.monotonic() - since
    assert connected < 10
    workers = [backend.worker(domain["name"]) for domain in backend.status()["domains"]]
    assert len(set(workers)) == many
    before = [cpu_seconds(pid) for pid in backend.processes()]
    time.sleep(1.0)
    # The administrator's own two questions are the supervisor's; nobody else has done a thing.
    spent = [after - first for after, first in zip(map(cpu_seconds, backend.processes()), before, strict=True)]
    assert sum(spent[1:]) == 0
    assert max(map(proportional_memory, workers)) < 10 << 20
    for guest in guests:
        guest.go()
    assert [guest.result(30) for guest in guests] == [f"d{number}" for number in range(many)]


def test_random_spans_never_reach_a_driver(backend):
    """A short storm of spans with every edge; the worker checks each against its buffer."""
    chance = random.Random(1)
    with backend.connect() as channel:
        buffer = channel.buffer(8192, WRITABLE)
        opening = video.Open(0, video.Codec.H264, video.Direction.DECODE, video.OpenFlag(0))
        session = video.OpenReply.unpack(channel.call(opening.OPCODE, 0, opening.pack())).session
        edges = [0, 1, 4096, 8191, 8192, 8193, 2**31, 2**32 - 1]
        for cookie in range(500):
            span = video.Span(
                chance.choice([0, buffer.id, buffer.id + 1]), chance.choice(edges), chance.choice([*edges, 2**64 - 1])
            )
            channel.post(video.QueueOutput.OPCODE, session, video.QueueOutput(span, cookie).pack())
        channel.flush()
        limits_of(channel)
        report = backend.domain()["worker"]["report"]
        assert report["counts"]["sessions_failed"] == 0
