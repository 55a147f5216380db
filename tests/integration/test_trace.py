# SPDX-License-Identifier: Apache-2.0
"""Timelines of real runs: both sides of programs, what domains may see, and what is left when something dies."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections import Counter

import pytest

from paracore._errors import DriverError, PermissionRefused, StateError
from paracore.classes import TraceEvent as E
from paracore.cli import _recording, main  # noqa: F401 - loaded before a child has no more rights to
from paracore.cli._parser import make_parser
from paracore.frontend import _domain  # noqa: F401 - as above
from paracore.frontend._tracing import Collector, timelines, trace_domains
from paracore.frontend._tracing._timeline import WAY
from tests import clips
from tests.integration.backends import BETA, PATIENCE, Backend, Guest, Stream, descriptors, needs_root, wait_until
from tests.unit.frontend.tracing import judge

make_parser()  # as above
PROGRAM = [sys.executable, "-m", "paracore"]
PICTURES = 40
WORKERS_WAY = [E.INPUT_SEEN, E.OUTPUT_TOLD, E.OUTPUT_SEEN]
"""Of a driver that records nothing itself."""


@pytest.fixture(scope="module")
def film():
    return str(clips.film("h264", pictures=PICTURES))


@pytest.fixture(scope="module")
def libav():
    started = Backend(driver="libav").start()
    yield started
    started.remove()


def command(*words, **options):
    words = [*PROGRAM, *map(str, words)]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False, **options)


def load(path):
    trace = json.loads(path.read_text())
    return trace, judge(trace)


def pieces(events):
    """How often each part of a way is there, without the units' numbers."""
    return Counter(event["name"].rstrip("0123456789 ") for event in events if event["ph"] == "b")


@contextlib.contextmanager
def collecting(backend, *names):
    """Traces from within the test; what is found is complete when it is left."""
    collector = Collector()
    with trace_domains(backend.address, names or ("",)) as tracing:
        while tracing.memories:
            collector.add_worker(*tracing.memories.popitem())
        collector.tracing = tracing
        yield collector
    collector.round(last=True)
    collector.close()


# --- programs ---------------------------------------------------------------------------------------


def test_a_decoder_from_end_to_end(libav, film, tmp_path):
    """Each picture has the whole way, in order: of nothing else than what the file says."""
    out = tmp_path / "trace.json"
    done = command("decode", film, "--trace", out, "--address", libav.address, "-q")
    assert done.returncode == 0, done.stderr
    trace, events = load(out)
    assert trace["otherData"] | {"lost": 0, "garbage": 0, "programs": 1, "domains": ["alpha"]} == trace["otherData"]
    parts = pieces(events)
    for name in ("unit", "on its way", "checked", "queued", "in the codec", "waits for others", "on its way back"):
        assert parts[name] == PICTURES, name
    # those that were not recycled at the end are never given back
    assert 0 < parts["given back"] <= parts["held by the application"] <= PICTURES
    arrows = Counter(event["ph"] for event in events if event["ph"] in "stf")
    assert arrows == {"s": PICTURES, "t": 3 * PICTURES, "f": PICTURES}
    (name,) = (event["args"]["name"] for event in events if event["name"] == "process_name")
    assert name.endswith("session 1: h264 decode on vpu0")


@pytest.mark.parametrize("direction", ["encode", "transcode"])
def test_encoders_as_well(libav, film, tmp_path, direction):
    out, raw = tmp_path / "trace.json", tmp_path / "film.y4m"
    if direction == "encode":
        assert command("decode", film, "-o", raw, "-q", "--address", libav.address).returncode == 0
    source = raw if direction == "encode" else film
    done = command(direction, source, "-o", tmp_path / "o.mkv", "--trace", out, "--address", libav.address, "-q")
    assert done.returncode == 0, done.stderr
    _, events = load(out)
    sessions = 1 if direction == "encode" else 2
    assert pieces(events)["on its way back"] == PICTURES * sessions
    assert sum(event["name"] == "process_name" for event in events) == sessions


def test_an_unmodified_program(libav, film, tmp_path):
    out = tmp_path / "trace.json"
    words = ["-nostdin", "-v", "error", "-c:v", "h264_v4l2m2m", "-i"]
    done = command("run", "--trace", out, "--address", libav.address, "--", "ffmpeg", *words, film, "-f", "null", "-")
    assert done.returncode == 0, done.stderr
    trace, events = load(out)
    assert trace["otherData"]["programs"] == 1
    assert pieces(events)["in the codec"] == PICTURES
    assert pieces(events)["on its way back"] == PICTURES


def test_what_units_wait_for_is_told_apart(make_backend, film, tmp_path):
    """For credit, and for the device's time, which somebody has to be given even when he is alone."""
    backend, out = (
        make_backend(driver="libav", device="slots = 1", limits="pictures_per_second = 100"),
        tmp_path / "t.json",
    )
    assert command("decode", film, "-q", "--trace", out, "--address", backend.address).returncode == 0
    parts = pieces(load(out)[1])
    assert parts["waits for the device"]
    assert parts["waits for credit"]
    assert parts["on its way back"] == PICTURES


def test_a_program_that_says_itself_where(libav, film, tmp_path):
    """PARACORE_TRACE, and somebody who reads it later: the program's side alone is there."""
    folder, out = tmp_path / "programs", tmp_path / "trace.json"
    folder.mkdir()
    environment = os.environ | {"PARACORE_TRACE": str(folder)}
    assert command("decode", film, "-q", "--address", libav.address, env=environment).returncode == 0
    words = ("--programs", folder, "--seconds", "0.1", "--address", libav.address, "--json")
    done = command("trace", "-o", out, *words)
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["sessions"]
    assert (row["domain"], row["units"], row["pictures"]) == (None, PICTURES, PICTURES)
    assert pieces(load(out)[1])["at the backend"] == PICTURES


def test_a_folder_that_is_not_there_is_no_harm(libav, film, tmp_path):
    environment = os.environ | {"PARACORE_TRACE": str(tmp_path / "nowhere")}
    assert command("decode", film, "-q", "--address", libav.address, env=environment).returncode == 0


def traced(backend):
    """How often somebody has begun to trace the domain."""
    return backend.log.read_text().count("traces domain alpha")


# --- beside a running backend ---------------------------------------------------------------------------


def test_beside_a_running_backend(libav, film, tmp_path):
    out = tmp_path / "trace.json"
    words = ("trace", "-o", str(out), "--domain", "alpha", "--device", "vpu0", "--json", "--address", libav.address)
    before = traced(libav)
    tracer = subprocess.Popen([*PROGRAM, *words, "--seconds", "60"], stdout=subprocess.PIPE)
    wait_until(lambda: traced(libav) > before, "nothing is traced")
    assert command("decode", film, "-q", "--address", libav.address).returncode == 0
    tracer.send_signal(signal.SIGINT)
    told, _ = tracer.communicate(timeout=PATIENCE)
    assert tracer.returncode == 0
    (row,) = json.loads(told)["sessions"]
    assert (row["domain"], row["device"], row["codec"], row["pictures"]) == ("alpha", "vpu0", "h264", PICTURES)
    assert pieces(load(out)[1])["in the codec"] == PICTURES


def test_one_that_was_opened_before_is_known(make_backend):
    backend = make_backend()
    with backend.connect() as channel:
        stream = Stream(channel)
        stream.play(2)
        with collecting(backend) as collector:
            stream.play(3, start=2)
        stream.play(1, start=5)  # nobody sees it
        with collecting(backend) as again:
            stream.play(2, start=6)
    (line,), (later,) = timelines(collector.found), timelines(again.found)
    assert (line.codec, line.direction, line.device) == ("h264", "decode", 0)
    # the last span may be seen when nobody looks any more
    assert [[event for event, _ in unit.way()] for unit in line.units[:2]] == [WORKERS_WAY] * 2
    assert [unit.timestamp for unit in line.units] == [2, 3, 4]
    assert [unit.timestamp for unit in later.units] == [6, 7]
    assert collector.garbage == again.garbage == 0


def test_nothing_is_left_of_it(make_backend):
    backend = make_backend()
    with backend.connect() as channel:
        Stream(channel).play(1)
        with collecting(backend):
            pass
        wait_until(lambda: not backend.status()["domains"][0]["traced"], "still traced")
        before = descriptors(backend.process.pid), descriptors(backend.worker())
        for _ in range(10):
            with collecting(backend):
                pass
        wait_until(lambda: not backend.status()["domains"][0]["traced"], "still traced")
        now = backend.process.pid, backend.worker()
        wait_until(lambda: tuple(map(descriptors, now)) <= before, "more descriptors than before")


def test_a_domain_is_traced_once_by_each(make_backend):
    backend = make_backend()
    with pytest.raises(StateError), trace_domains(backend.address, ("alpha", "alpha")):
        pass
    with collecting(backend), collecting(backend):
        pass


def test_a_domain_that_there_is_not(make_backend, tmp_path):
    backend = make_backend()
    with pytest.raises(DriverError), trace_domains(backend.address, ("nobody",)):
        pass
    done = command("trace", "--domain", "nobody", "-o", tmp_path / "t.json", "--address", backend.address)
    assert (done.returncode, done.stderr) == (
        2,
        "paracore: the backend has no domain nobody; it has alpha, beta, gamma\n",
    )
    done = command("trace", "--device", "gpu", "-o", tmp_path / "t.json", "--address", backend.address)
    assert (done.returncode, done.stderr) == (2, "paracore: there is no device gpu; there are vpu0\n")


# --- who may see what -------------------------------------------------------------------------------------


@needs_root
def test_of_eight_domains_only_the_one_that_was_asked_for():
    backend = Backend()
    users = {f"domain{number}": 47100 + number for number in range(8)}
    text = backend.file.read_text().split("[[domain]]")[0]
    backend.file.write_text(
        text + "".join(f'[[domain]]\nname = "{name}"\nuser = {user}\n' for name, user in users.items())
    )
    backend.start()

    def play(_):
        with backend.connect() as channel:
            Stream(channel).play(4)

    with collecting(backend, "domain3") as one, collecting(backend, *users) as every:
        for guest in [Guest(user, play) for user in users.values()]:
            guest.result()
    backend.remove()
    (line,) = timelines(one.found)
    assert (line.domain, len(line.units)) == ("domain3", 4)
    assert [(line.domain, len(line.units)) for line in timelines(every.found)] == [(name, 4) for name in sorted(users)]


@needs_root
def test_a_domain_sees_itself_and_no_other(make_backend):
    backend = make_backend()

    def trace(*names):
        def step(_):
            with trace_domains(backend.address, names) as tracing:
                return sorted(tracing.memories)

        return step

    def refused(name):
        def step(_):
            try:
                with trace_domains(backend.address, (name,)):
                    return ""
            except PermissionRefused as error:
                return str(error)

        return step

    assert Guest(BETA, trace("")).result() == Guest(BETA, trace("beta")).result() == ["beta"]
    assert "only an administrator may trace others" in Guest(BETA, refused("alpha")).result()
    assert "only an administrator may trace others" in Guest(BETA, refused("nobody")).result()


@needs_root
def test_the_command_of_a_domain(make_backend):
    """It traces itself without being told what it is called, and is told why it may not trace another."""
    backend = make_backend()

    def run(*words):
        def step(_):
            said = io.StringIO()
            with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
                code = main(["trace", "--seconds", "0.1", "-o", "/dev/null", "--address", backend.address, *words])
            return code, said.getvalue()

        return step

    code, said = Guest(BETA, run("--json")).result()
    assert (code, json.loads(said)["domains"]) == (0, ["beta"])
    assert Guest(BETA, run("--device", "vpu0")).result() == [0, "0 records in /dev/null\n"]
    code, said = Guest(BETA, run("--domain", "alpha")).result()
    assert code == 6
    assert said.startswith("paracore: domain alpha is not this user's")


@needs_root
def test_a_domain_cannot_write_what_it_reads(make_backend):
    backend = make_backend()

    def write(_):
        with trace_domains(backend.address) as tracing:
            (descriptor,) = tracing.memories.values()
            try:
                os.pwrite(descriptor, b"x", 0)
            except OSError as error:
                return error.strerror

    assert Guest(BETA, write).result() == "Bad file descriptor"


# --- faults -----------------------------------------------------------------------------------------------


def test_a_worker_that_is_killed(make_backend):
    """What it had recorded is there, and so is what the next one records."""
    backend = make_backend()
    with collecting(backend) as collector:
        with contextlib.suppress(Exception), backend.connect() as channel:
            Stream(channel).play(3)
            os.kill(backend.worker(), signal.SIGKILL)
            wait_until(lambda: not backend.domain()["worker"], "the worker is not missed")
        with backend.connect() as channel:
            Stream(channel).play(2)
    assert [len(line.units) for line in timelines(collector.found)] == [3, 2]


@pytest.mark.parametrize("reloads", [False, True])
def test_a_backend_that_goes_ends_the_trace(make_backend, tmp_path, reloads):
    """Also one that is reloaded: who traces is not handed over."""
    backend, out = make_backend(), tmp_path / "trace.json"
    words = ("trace", "-o", str(out), "--seconds", "600", "--address", backend.address)
    tracer = subprocess.Popen([*PROGRAM, *words], stdout=subprocess.PIPE, text=True)
    wait_until(lambda: backend.log.read_text().count("traces domain") == 3, "nothing is traced")
    with backend.connect() as channel:
        Stream(channel).play(2)
        if reloads:
            backend.reload()
        else:
            backend.kill()
    assert "2 units, 2 pictures" in tracer.communicate(timeout=PATIENCE)[0]
    assert tracer.returncode == 0
    assert pieces(load(out)[1])["unit"] == 2
    if not reloads:
        backend.start()


def test_a_program_that_is_killed(libav, film, tmp_path):
    """Its file stays, and says what it did until then."""
    environment = os.environ | {"PARACORE_TRACE": str(tmp_path)}
    words = [*PROGRAM, "decode", film, "-o", "-", "--address", libav.address]
    program = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE)
    program.stdout.read(100000)
    program.kill()
    program.communicate()
    collector = Collector()
    collector.add_programs(tmp_path)
    collector.round(last=True)
    collector.close()
    (line,) = timelines(collector.found)
    assert any(unit.has_picture for unit in line.units)


@pytest.mark.parametrize("words", [("trace", "--seconds", "0.1", "-o"), ("decode", "FILM", "-q", "--trace")])
def test_a_full_disk(libav, film, words):
    words = [film if word == "FILM" else word for word in words]
    done = command(*words, "/dev/full", "--address", libav.address)
    assert (done.returncode, done.stderr) == (7, "paracore: /dev/full: cannot be written (No space left on device)\n")


def test_a_place_that_cannot_be_is_known_before_anything_is_done(libav, tmp_path):
    done = command("trace", "--seconds", "600", "-o", tmp_path / "no" / "t.json", "--address", libav.address)
    assert done.returncode == 7
    assert "No such file or directory" in done.stderr


def test_an_interrupted_program_leaves_a_trace(libav, film, tmp_path):
    out = tmp_path / "trace.json"
    words = [*PROGRAM, "decode", film, "-o", "-", "--trace", str(out), "--address", libav.address]
    program = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    program.stdout.read(100000)
    program.send_signal(signal.SIGINT)
    program.communicate(timeout=PATIENCE)
    assert program.returncode == 130
    assert pieces(load(out)[1])["unit"]


def test_into_a_pipe(make_backend):
    done = command("trace", "--seconds", "0.1", "-o", "-", "--address", make_backend().address)
    assert judge(json.loads(done.stdout)) == []
    assert "0 records in standard output" in done.stderr


def test_each_event_of_the_way_is_the_worlds():
    """A record that is added is either on the way of a unit, or is meant not to be."""
    beside = {E.OPENED, E.CLOSED, E.JOB_ENDED, E.WAIT_BEGUN, E.WAIT_ENDED, E.INPUT_TOLD, E.INPUT_RECEIVED}
    assert set(WAY) | beside == set(E)
