# SPDX-License-Identifier: Apache-2.0
"""Domains that want all of one device at once: each gets its part of the device's time, by the kernel's own count, and of
a device that is not the processor by what its jobs take.
"""

import io
import itertools
import os
import re
import shutil
import signal
import subprocess
import time
from contextlib import ExitStack, contextmanager, redirect_stdout
from pathlib import Path

import pytest

import paracore
from paracore import ConfigError, PermissionRefused
from paracore.cli import main
from paracore.drivers.null._session import UNIT
from paracore.frontend import configure_backend
from paracore.media import demux
from tests import clips
from tests.integration import test_rates
from tests.integration.backends import BETA, GAMMA, Guest, alive, needs_root, wait_until

pytestmark = [needs_root, pytest.mark.timeout(120), pytest.mark.alone]

USERS = {"alpha": os.geteuid(), "beta": BETA, "gamma": GAMMA}
REPEATED = "400"  # of 100 pictures each: minutes of decoding on any processor of today
ONE = "slots = 1\noptions = { threads = 1 }"
RATE, BURST = 0.2, 10  # of the device, milliseconds
LIMIT = f"device_time = {RATE}\ndevice_burst = {BURST / 1000}"

manifold = pytest.mark.parametrize(
    ("processes", "sessions"), [(1, 1), (4, 1), (1, 4)], ids=["once", "4 processes", "4 sessions"]
)


@pytest.fixture
def device(make_backend):
    """Makes a backend with one device that does one thing at a time."""
    if not shutil.which("ffmpeg"):
        pytest.skip("there is no ffmpeg here: packaging/install-packages test")

    def make(*more, **settings):
        return make_backend(driver="libav", device="\n".join([ONE, *more]), **settings)

    return make


def pictures_of(address, units_of, sessions=1, **settings):
    """How many a program of a domain got, of so many sessions at once; `units_of()` is what each decodes."""
    with paracore.open(address, on_loss="fail") as domain, ExitStack() as stack:
        streams = [stack.enter_context(units_of()) for _ in range(sessions)]
        decoders = [stack.enter_context(domain.devices["vpu0"].decoder("h264", **settings)) for _ in streams]
        decoded = [decoder.decode(stream) for decoder, stream in zip(decoders, streams, strict=True)]
        return sum(picture.release() is None for pictures in zip(*decoded, strict=True) for picture in pictures)


@contextmanager
def greedy(device, *names, sessions=1):
    """Programs of these domains that decode as fast as they can, longer than any of these tests."""
    film = device.folder / "film.mkv"
    once = clips.film("h264", size="1280x720", pictures=100)
    again = ["ffmpeg", "-v", "error", "-stream_loop", REPEATED, "-i", once, "-c", "copy", film]
    subprocess.run(again, check=True)
    with ExitStack() as stack:
        for name in names:
            guest = Guest(USERS[name], lambda _: pictures_of(device.address, lambda: demux(film), sessions, threads=1))
            stack.callback(guest.kill)
        wait_until(lambda: all(time_of(device, name)["used_ms"] > 100 for name in names), "all are at work")
        yield


def time_of(device, name):
    return device.domain(name)["time"]["vpu0"]


def administer(device, *words):
    """What the command says."""
    told = io.StringIO()
    with redirect_stdout(told):
        assert main([*words, "--address", str(device.address)]) == 0
    return told.getvalue()


def used_in(device, seconds):
    """Milliseconds of device time of each domain, and of the clock."""

    def look():
        told = {domain["name"]: domain["time"]["vpu0"]["used_ms"] for domain in device.status()["domains"]}
        return told, time.monotonic()

    before, began = look()
    time.sleep(seconds)  # the measure itself
    after, ended = look()
    return {name: after[name] - before[name] for name in after}, 1000 * (ended - began)


def test_shares_are_by_weight(device):
    backend = device(weight=200)
    with greedy(backend, *USERS):
        used, _ = used_in(backend, 4)
    assert used["alpha"] == pytest.approx(2 * used["beta"], rel=0.1)
    assert used["beta"] == pytest.approx(used["gamma"], rel=0.1)
    assert all(time_of(backend, name)["turns"] > 10 for name in USERS)


def test_shares_are_changed_while_they_are_used(device):
    backend = device()
    with greedy(backend, *USERS):
        assert administer(backend, "domain", "set", "alpha", "--weight", "400").startswith("alpha: weight 400, ")
        used, _ = used_in(backend, 4)
        assert used["alpha"] == pytest.approx(4 * used["beta"], rel=0.1)
        administer(backend, "domain", "set", "beta", "--priority", "9")
        assert "policy priority" in administer(backend, "device", "set", "vpu0", "--policy", "priority")
        used, _ = used_in(backend, 4)
        assert used["beta"] > 5 * (used["alpha"] + used["gamma"])
        administer(backend, "device", "set", "vpu0", "--policy", "fair", "--slots", "2")
        administer(backend, "domain", "set", "alpha", "--device-time", "0.1")
        used, passed = used_in(backend, 4)
        assert 0.1 * passed * 0.8 <= used["alpha"] <= 0.1 * passed * 1.02 + 100
        assert all(backend.domain(name)["workers_lost"] == 0 for name in USERS)
        assert all(backend.domain(name)["worker"]["report"]["sessions"] == 1 for name in USERS)


def as_a_service():
    """A command that starts another one with no more of root than the service has."""
    unit = (Path(__file__).parents[2] / "packaging/paracore.service").read_text()
    (kept,) = re.findall("^CapabilityBoundingSet=(.*)$", unit, re.MULTILINE)
    names = ",".join(name.lower().replace("cap_", "+") for name in kept.split())
    return ["setpriv", "--bounding-set", f"-all,{names}"]


@pytest.mark.parametrize("within", [(), as_a_service()], ids=["root", "service"])
def test_with_no_slots_a_weight_is_the_kernels_at_once(make_backend, within):
    backend = make_backend(driver="libav", weight=200, within=within)
    with greedy(backend, "alpha"):
        for weight, nice in [(None, -3), (50, 3), (400, -6)]:
            if weight:
                administer(backend, "domain", "set", "alpha", "--weight", str(weight))
            threads = [int(thread.name) for thread in Path(f"/proc/{backend.worker('alpha')}/task").iterdir()]
            assert len(threads) > 1
            assert {os.getpriority(os.PRIO_PROCESS, thread) for thread in threads} == {nice}


def test_changes_that_cannot_be_change_nothing(device):
    backend = device()
    wrong = {"domain": {"alpha": {"weight": 7}}, "device": {"vpu0": {"policy": "none"}}}
    with pytest.raises(ConfigError, match=r"device\.vpu0\.policy"):
        configure_backend(backend.address, wrong)
    assert backend.domain("alpha")["weight"] == 100

    def try_it(_):
        try:
            configure_backend(backend.address, {"domain": {"beta": {"weight": 10000}}})
        except PermissionRefused:
            return "refused"

    assert Guest(BETA, try_it).result() == "refused"
    assert backend.domain("beta")["weight"] == 100


def test_alone_a_domain_has_one_lease(device):
    backend = device()
    with greedy(backend, "beta"):
        used_in(backend, 1)
        assert time_of(backend, "beta")["turns"] == 1
        assert time_of(backend, "beta")["waited_ms"] < 1000


@manifold
def test_a_limit_of_device_time_is_kept(device, processes, sessions):
    """The kernel counts to the nanosecond; what is left is a picture (in each session, at the most) that is being decoded."""
    backend = device(limits=LIMIT)
    with greedy(backend, *(processes * ["alpha"]), sessions=sessions):
        used, passed = used_in(backend, 8)
    assert used["alpha"] <= RATE * passed * 1.02 + BURST + 20
    assert used["alpha"] >= RATE * passed * 0.95


def test_more_programs_do_not_get_more(device):
    backend = device()
    with greedy(backend, "alpha", "beta", "beta", "beta"):
        used, _ = used_in(backend, 4)
    assert used["beta"] == pytest.approx(used["alpha"], rel=0.1)


def test_a_worker_that_keeps_the_device_is_ended(device):
    """Ten seconds after whatever it is at should have ended."""
    backend = device("job_deadline = 1.0")
    with greedy(backend, "alpha", "beta"):
        worker = backend.worker("alpha")
        os.kill(worker, signal.SIGSTOP)
        wait_until(lambda: not alive(worker), "a worker that keeps the device is ended", timeout=30)
        used, passed = used_in(backend, 1)
    assert used["beta"] > 0.5 * passed
    assert backend.domain("alpha")["workers_lost"] == 1


def test_who_dies_with_the_device_leaves_it_to_others(device):
    backend = device()
    with greedy(backend, "alpha", "beta"):
        os.kill(backend.worker("alpha"), signal.SIGKILL)
        used, passed = used_in(backend, 1)
    assert used["beta"] > 0.5 * passed


# --- devices that are not the processor -----------------------------------------------------------------------

JOB = 0.002
TIMED = f"slots = 1\noptions = {{ job = {JOB} }}"


@contextmanager
def at_work(backend, *names):
    """Programs of these domains that keep a device of the driver null at work."""
    with ExitStack() as stack:
        for name in names:
            stack.callback(Guest(USERS[name], test_rates.greedy(backend)).kill)
        wait_until(lambda: all(time_of(backend, name)["used_ms"] > 100 for name in names), "all are at work")
        yield


@contextmanager
def endless():
    """Units without an end."""
    yield (paracore.Packet(UNIT.pack(b"null", 64, 64, number % 256), number) for number in itertools.count())


def done(backend, *names):
    """Units of these domains, or of all that have a worker."""
    told = {name: backend.domain(name)["worker"] for name in names or USERS}
    return {name: worker["report"]["counts"]["inputs"] for name, worker in told.items() if worker}


def test_the_time_of_jobs_is_shared_out_by_weight(make_backend):
    backend = make_backend(device=TIMED, weight=300)
    with at_work(backend, *USERS):
        before = done(backend)
        used, passed = used_in(backend, 6)
        jobs = {name: after - before[name] for name, after in done(backend).items()}
    assert jobs["alpha"] == pytest.approx(3 * jobs["beta"], rel=0.04)
    assert jobs["beta"] == pytest.approx(jobs["gamma"], rel=0.04)
    assert sum(used.values()) <= passed + 100, "one job at a time"
    assert all(used[name] == pytest.approx(jobs[name] * JOB * 1000, abs=100) for name in USERS)


@manifold
def test_a_limit_is_kept_at_such_a_device(make_backend, processes, sessions):
    """Of what it has done, whatever it says: at most the three jobs that are with the driver are more."""
    backend = make_backend(device=TIMED, limits=LIMIT)
    with ExitStack() as stack:
        for _ in range(processes):
            stack.callback(Guest(USERS["alpha"], lambda _: pictures_of(backend.address, endless, sessions)).kill)
        wait_until(lambda: time_of(backend, "alpha")["used_ms"] > 100, "all are at work")
        before = done(backend, "alpha")
        used, passed = used_in(backend, 6)
        worked = 1000 * JOB * (done(backend, "alpha")["alpha"] - before["alpha"])
    assert max(worked, used["alpha"]) <= RATE * passed * 1.02 + BURST + 3000 * JOB
    assert worked >= RATE * passed * 0.95


def test_a_limit_is_no_less_beside_a_domain_without(make_backend):
    """Whose lease has no end as long as the limited one may not go."""
    backend = make_backend(device=TIMED, limits=LIMIT)
    with at_work(backend, "alpha", "beta"):
        before = done(backend)
        _, passed = used_in(backend, 4)
        worked = 1000 * JOB * (done(backend)["alpha"] - before["alpha"])
    assert RATE * passed * 0.9 <= worked <= RATE * passed * 1.02 + BURST + 3000 * JOB


def test_who_has_a_low_priority_does_not_wait_for_ever(make_backend):
    """Three steps of it are 750 ms, and a turn is ten jobs."""
    backend = make_backend(device=f'{TIMED}\npolicy = "priority"')
    administer(backend, "domain", "set", "beta", "--priority", "3")
    with at_work(backend, "alpha", "beta"):
        before = done(backend)
        used_in(backend, 6)
        jobs = {name: after - before[name] for name, after in done(backend).items()}
    assert 30 <= jobs["alpha"] < jobs["beta"] / 10


def test_alone_a_domain_has_one_lease_of_such_a_device(make_backend):
    backend = make_backend(device=TIMED)
    with at_work(backend, "alpha"):
        used, passed = used_in(backend, 1)
    assert 0 < used["alpha"] <= passed + 100
    assert time_of(backend, "alpha")["turns"] == 1


def test_who_dies_with_such_a_device_leaves_it_to_others(make_backend):
    backend = make_backend(device=TIMED)
    with at_work(backend, "alpha", "beta"):
        os.kill(backend.worker("alpha"), signal.SIGKILL)
        used, _ = used_in(backend, 1)
    assert used["beta"] > 100
