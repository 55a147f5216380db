# SPDX-License-Identifier: Apache-2.0
"""The supervisor becomes its next program image while domains are at work, who do not notice.

Rows of the failure table in ARCHITECTURE.md. What happens from one image to the next is held still by a gate: the
next one waits at it before it serves.
"""

import os
import signal
import threading

import numpy as np
import pytest

import paracore
import paracore.backend
from paracore import Packet
from paracore.cli import ExitCode, main
from paracore.frontend import configure_backend
from paracore.media import FrameHash, demux
from paracore.testing import HostileDomain
from paracore.transport import CallRefused
from tests import clips
from tests.integration.backends import (
    BETA,
    WRITABLE,
    Guest,
    Stream,
    alive,
    configuration,
    descriptors,
    in_thread,
    limits_of,
    needs_root,
    wait_until,
)
from tests.integration.test_sharing import greedy, time_of

pytestmark = needs_root

RELOADS = 3
AT_THE_GATE = """import sys; print("between", flush=True); open(os.path.dirname(sys.argv[1]) + "/gate").read()"""


@pytest.fixture
def gated(make_backend):
    """Makes a backend whose next images wait at the gate."""

    def make(**settings):
        backend = make_backend(between=AT_THE_GATE, **settings)
        os.mkfifo(backend.folder / "gate")
        return backend

    return make


def open_gate(backend):
    (backend.folder / "gate").write_text("")
    backend.wait_said("ready")


def stop_between(backend):
    backend.begin_reload()
    backend.wait_said("between")


def log(backend):
    return backend.log.read_text()


class Repeated:
    """A clip again and again, until the backend has been reloaded often enough and some more."""

    def __init__(self, backend, film):
        with demux(film) as stream:
            self.codec = stream.codec
            self.packets = [Packet(bytes(each.data), *each[1:]) for each in stream]
        self.rounds = self.reloads = 0
        self._backend = backend
        self._under_way = False

    def __iter__(self):
        while self.reloads < RELOADS:
            yield from self._round()
        yield from self._round()

    def _round(self):
        for packet in self.packets:
            self._look()
            yield packet._replace(timestamp=packet.timestamp + self.rounds * len(self.packets) * packet.duration)
        self.rounds += 1

    def _look(self):
        if self._under_way and self._backend.said():
            self._backend.wait_said("ready")
            self._under_way = False
            self.reloads += 1
        elif not self._under_way and self.reloads < RELOADS:
            self._backend.begin_reload()
            self._under_way = True


def test_a_stream_does_not_notice(make_backend):
    backend = make_backend(driver="libav")
    stream = Repeated(backend, clips.film("h264", size="320x240", pictures=100))
    with paracore.open(backend.address, on_loss="fail") as domain:
        with domain.devices["vpu0"].decoder(stream.codec) as decoder:
            worker, shown = backend.worker(), []
            for picture in decoder.decode(stream):
                shown.append(FrameHash.digest(picture))
                picture.release()
        assert stream.reloads == RELOADS
        with domain.devices["vpu0"].decoder(stream.codec) as decoder:
            once = [FrameHash.digest(picture) for picture in decoder.decode(stream.packets)]
        assert shown == once * stream.rounds
        assert backend.worker() == worker
    told = backend.statistics()
    assert (told["reloads"], told["workers_started"], told["workers_lost"]) == (RELOADS, 1, 0)
    assert (told["grants"], told["bytes"], told["channels"]) == (0, 0, 0)


def unit(packet):
    return Packet(packet.data, packet.timestamp)


def test_an_encoder_does_not_notice(make_backend):
    backend = make_backend(driver="libav")
    reloads = []

    def pictures():
        number = 0
        backend.begin_reload()
        while not reloads or number < 20:
            if not reloads and backend.said():
                backend.wait_said("ready")
                reloads.append(number)
            luma = np.full((144, 176), number % 200, np.uint8)
            yield luma, np.full((72, 88), 128, np.uint8), np.full((72, 88), 128, np.uint8)
            number += 1
        counts.append(number)

    counts = []
    with paracore.open(backend.address, on_loss="fail") as domain:
        with domain.devices["vpu0"].encoder("mjpeg", width=176, height=144) as encoder:
            packets = list(encoder.encode(pictures()))
        assert [packet.timestamp for packet in packets] == list(range(counts[0]))
        with domain.devices["vpu0"].decoder("mjpeg") as decoder:
            shades = [int(picture.planes[0][70, 70]) for picture in decoder.decode(map(unit, packets))]
    assert all(abs(shade - number % 200) <= 2 for number, shade in enumerate(shades))
    assert len(shades) == counts[0]


def test_domains_that_share_a_device_go_on_sharing_it(make_backend):
    """Leases are held, waited for and counted across reloads."""
    backend = make_backend(driver="libav", device="slots = 1\noptions = { threads = 1 }")
    names = ("alpha", "beta")
    with greedy(backend, *names):
        workers = [backend.worker(name) for name in names]
        for _ in range(2):
            before = {name: time_of(backend, name) for name in names}
            backend.reload()
            assert all(time_of(backend, name)["used_ms"] >= before[name]["used_ms"] for name in names)
            wait_until(
                lambda before=before: all(
                    time_of(backend, name)["turns"] > before[name]["turns"] + 5 for name in names
                ),
                "both have turns on",
            )
        assert [backend.worker(name) for name in names] == workers
        assert backend.statistics()["workers_lost"] == 0


def test_nobody_who_comes_meanwhile_is_refused(backend):
    ended, served = threading.Event(), []

    def come():
        while not ended.is_set():
            with backend.connect() as channel:
                served.append(limits_of(channel))

    comers = [in_thread(come) for _ in range(2)]
    for _ in range(RELOADS):
        backend.reload()
    count = len(served)
    wait_until(lambda: len(served) > count + 2, "they are served on")
    ended.set()
    for comer in comers:
        comer.join()
    told = backend.statistics()
    assert (told["reloads"], told["refused"], told["channels"]) == (RELOADS, 0, 0)
    assert told["channels_opened"] >= len(served)
    assert told["violations"] == 0


def test_nothing_is_left_of_reloads(make_backend):
    backend = make_backend(linger=0.0)

    def use():
        with backend.connect() as channel:
            stream = Stream(channel)
            stream.play(3)
            backend.reload()
            stream.play(3, 3)
            stream.close()
        wait_until(lambda: len(backend.processes()) == 2, "workers and their warm parents have gone")

    use()
    held = descriptors(backend.process.pid)
    use()
    assert descriptors(backend.process.pid) == held
    assert backend.stop() == 0


def test_workers_from_before_and_after_live_beside_each_other(backend):
    """A warm parent lives as long as its workers; new ones are the next image's."""

    def play(guest):
        with backend.connect() as channel:
            stream = Stream(channel)
            stream.play(2)
            guest.say("at work")
            guest.wait_go()
            stream.play(2, 2)
        return True

    with backend.connect() as channel:
        stream = Stream(channel)
        stream.play(2)
        old = backend.worker()
        backend.reload()
        guest = Guest(BETA, play)
        wait_until(lambda: backend.domain("beta")["worker"], "a worker from after")
        backend.reload()
        guest.go()
        assert guest.result()
        stream.play(2, 2)
        assert backend.worker() == old
        assert len(backend.processes()) == 1 + 3 + 2


def test_grants_of_before_are_counted_and_given_back(backend):
    with backend.connect() as channel:
        held = channel.buffer(4096 * 3, WRITABLE)
        backend.reload()
        assert backend.statistics()["bytes"] == 3 * 4096
        held.close()
        assert backend.statistics()["bytes"] == 0
        assert backend.statistics()["grants"] == 0
        again = channel.buffer(4096, WRITABLE)
        assert again.grant > held.grant


# --- from one image to the next -------------------------------------------------------------------------


def test_a_worker_killed_between(gated):
    backend = gated()
    with backend.connect() as channel:
        stream = Stream(channel)
        stream.play(2)
        worker = backend.worker()
        stop_between(backend)
        os.kill(worker, signal.SIGKILL)
        open_gate(backend)
        with pytest.raises(paracore.TransportBroken):
            stream.play(2, 2)
    wait_until(lambda: not alive(worker), "it is reaped")
    told = backend.statistics()
    assert (told["workers_lost"], told["channels"], told["grants"], told["bytes"]) == (1, 0, 0, 0)
    with backend.connect() as channel:
        Stream(channel).play(2)


def test_an_application_killed_between(gated):
    backend = gated()

    def play(guest):
        with backend.connect() as channel:
            Stream(channel).play(2)
            guest.wait_go()

    guest = Guest(BETA, play)
    wait_until(lambda: backend.statistics()["grants"] == 2, "it is at work")
    stop_between(backend)
    guest.kill()
    open_gate(backend)
    wait_until(lambda: backend.statistics()["channels"] == 0, "it is noticed")
    told = backend.statistics()
    assert (told["grants"], told["bytes"], told["workers_lost"]) == (0, 0, 0)


def test_a_warm_parent_killed_between(gated):
    backend = gated()
    with backend.connect() as channel:
        stream = Stream(channel)
        stream.play(2)
        worker = backend.worker()
        warm = next(pid for pid in backend.processes()[1:] if pid != worker)
        stop_between(backend)
        os.kill(warm, signal.SIGKILL)
        open_gate(backend)
        with pytest.raises(paracore.TransportBroken):
            stream.play(2, 2)
    assert backend.statistics()["workers_lost"] == 1
    with backend.connect() as channel:
        Stream(channel).play(2)


def test_sessions_work_open_and_close_between(gated):
    """Sessions of a worker that has the device need that alone; what needs the supervisor, such as buffers, waits for it."""
    backend, later = gated(), []
    with backend.connect() as channel:
        stream, another = Stream(channel), Stream(channel)
        stream.play(1)
        stop_between(backend)
        stream.play(20)
        changing = in_thread(lambda: (another.close(), later.append(Stream(channel))))
        open_gate(backend)
        changing.join()
        later[0].play(20)
        later[0].close()
        stream.play(20, 20)
        stream.close()
        assert backend.domain()["held"]["buffers"] == 0


def test_who_comes_between_is_served(gated):
    backend = gated()
    served = []

    def come():
        with backend.connect() as channel:
            Stream(channel).play(2)
            served.append(True)

    stop_between(backend)
    comer = in_thread(come)
    open_gate(backend)
    comer.join()
    assert served


def test_a_backend_told_to_stop_between_stops(gated):
    backend = gated()
    with backend.connect() as channel:
        Stream(channel).play(2)
        stop_between(backend)
        backend.process.send_signal(signal.SIGTERM)
        (backend.folder / "gate").write_text("")
        assert backend.process.wait(10) == 0
        with pytest.raises(paracore.TransportBroken):
            limits_of(channel)
        assert channel.goodbye().name == "SHUTDOWN"


# --- what does not go on --------------------------------------------------------------------------------


def command(address):
    return main(["reload", "--address", str(address)])


def test_a_configuration_that_is_wrong_is_refused(backend, capsys):
    before = backend.file.read_text()
    with backend.connect() as channel:
        stream = Stream(channel)
        stream.play(2)
        for wrong, why in (
            (before.replace("user = 47001", "user = -1"), "-1 is no valid user"),
            (before.replace('name = "vpu0"', 'name = "vpu1"'), "must be vpu0 for a reload"),
            (before.replace('driver = "null"', 'driver = "nil"'), "the driver nil cannot be loaded"),
            ("[xen]\nenabled = true\n" + before, "guests cannot be served"),
            (before.replace("paracore.sock", "other.sock"), "backend.socket: must stay as it is"),
        ):
            backend.file.write_text(wrong)
            assert command(backend.address) == ExitCode.CONFIG
            assert why in capsys.readouterr().err
            assert why in log(backend).splitlines()[-1]
        stream.play(2, 2)
        backend.file.write_text(before)
        assert command(backend.address) == ExitCode.OK
        assert f"process {backend.process.pid}" in capsys.readouterr().out
        stream.play(2, 4)
    told = backend.statistics()
    assert (told["reloads"], told["reloads_refused"]) == (1, 5)


def test_a_backend_of_one_program_is_not_reloaded(capsys):
    with paracore.backend.PrivateBackend("null") as private:
        assert command(private.address) == ExitCode.USAGE
    assert "belongs to one program" in capsys.readouterr().err


def test_a_state_of_another_version_ends_as_a_restart(make_backend):
    backend = make_backend(between="from paracore.backend import _handover; _handover.VERSION += 1")
    with backend.connect() as channel:
        stream = Stream(channel)
        stream.play(2)
        worker = backend.worker()
        backend.reload()
        assert not alive(worker)
        with pytest.raises(paracore.TransportBroken):
            stream.play(2, 2)
    assert "cannot take over" in log(backend)
    assert len(backend.processes()) == 2
    with backend.connect() as channel:
        Stream(channel).play(2)


def test_an_environment_that_is_none_is_refused(make_backend, monkeypatch):
    monkeypatch.setenv("PARACORE_HANDOVER", "0")
    with pytest.raises(AssertionError, match="do not set it"):
        make_backend()


# --- another configuration ------------------------------------------------------------------------------


def test_what_was_set_meanwhile_stays_and_the_file_is_read_anew(backend):
    configure_backend(backend.address, {"domain": {"alpha": {"weight": 300}}, "device": {"vpu0": {"slots": 2}}})
    with backend.connect() as channel:
        stream = Stream(channel)
        stream.play(2)
        backend.file.write_text(backend.file.read_text().replace('name = "beta"', 'name = "beta"\nweight = 50'))
        backend.reload()
        weights = {domain["name"]: domain["weight"] for domain in backend.status()["domains"]}
        assert weights == {"alpha": 300, "beta": 50, "gamma": 100}
        assert backend.status()["devices"][0]["slots"] == 2
        text = configuration(backend.address, weight=20, limits="channels = 1")
        backend.file.write_text(text)
        backend.reload()
        assert backend.domain()["weight"] == 20
        assert os.getpriority(os.PRIO_PROCESS, backend.worker()) == 7
        with pytest.raises(CallRefused, match="no_space"), backend.connect():
            pass
        stream.play(2, 2)


def test_a_domain_that_is_no_more_is_told_so(backend):
    with backend.connect() as channel:
        stream = Stream(channel)
        stream.play(2)
        worker = backend.worker()
        backend.file.write_text(backend.file.read_text().replace(f"user = {os.geteuid()}", "user = 47077"))
        backend.reload()
        with pytest.raises(paracore.TransportBroken):
            stream.play(2, 2)
        assert channel.goodbye().name == "DETACHED"
    wait_until(lambda: not alive(worker), "its worker ends")
    wait_until(lambda: len(backend.processes()) == 2, "and its warm parent")
    told = backend.statistics()
    assert (told["channels"], told["grants"], told["workers_lost"]) == (0, 0, 0)


def test_who_has_not_said_hello_is_waited_for(backend):
    silent = HostileDomain(backend.transport, backend.address)
    backend.reload()
    silent.hello()
    assert backend.statistics()["violations"] == 0
    silent.close()
