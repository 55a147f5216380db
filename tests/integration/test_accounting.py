# SPDX-License-Identifier: Apache-2.0
"""What domains use, as ``paracore top`` and ``paracore metrics`` tell it."""

import json
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import termios
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import pytest

import paracore
from paracore.classes import video
from paracore.drivers.null._session import UNIT
from paracore.media import demux
from tests import clips
from tests.integration.backends import PLAIN, Stream, cpu_seconds, wait_until

PARACORE = [sys.executable, "-m", "paracore"]


@pytest.fixture
def played(backend):
    """A backend on which the first domain has a session, and has played five units in it and three in another."""
    with backend.connect() as channel:
        ended = Stream(channel)
        ended.play(3)
        ended.close()
        Stream(channel).play(5)
        yield backend


def command(*words, **options):
    return subprocess.run([*PARACORE, *words], capture_output=True, text=True, timeout=30, check=False, **options)


def test_top_as_json(played):
    done = command("top", "--json", "--updates", "2", "--interval", "0.1", "--address", played.address)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 2, done.stderr
    alpha = next(domain for domain in lines[-1]["domains"] if domain["domain"] == "alpha")
    assert (alpha["sessions"], alpha["units"], alpha["pictures"], alpha["buffers"]) == (1, 8, 8, 2)
    assert alpha["worker"] == played.worker()
    assert lines[-1]["seconds"] > 0
    assert lines[-1]["devices"] == [{"device": "vpu0", "power": "on", "hangs": 0, "resets": 0}]


def test_top_in_a_pipe(played):
    done = command("top", "--updates", "1", "--sort", "pictures", "--address", played.address)
    head, *rows = done.stdout.splitlines()
    assert "pictures/s*" in head
    assert [row.split()[0] for row in rows] == ["alpha", "beta", "gamma", "vpu0:"]


def test_top_on_a_terminal_ends_with_a_key(played):
    """And leaves the terminal as it was."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 160))
    words = [*PARACORE, "top", "--address", played.address]
    top = subprocess.Popen(words, stdin=theirs, stdout=theirs, env=os.environ | {"TERM": "xterm"})
    try:
        shown = read_until(ours, b"alpha")
        os.write(ours, b"srq")
        shown += read_until(ours, b"\x1b[?1049l")
        assert top.wait(20) == 0
    finally:
        top.kill()
        top.wait()
        os.close(theirs)
        os.close(ours)
    assert b"pictures/s*" in shown


def read_until(terminal, wanted):
    shown = b""
    while wanted not in shown:
        assert select.select([terminal], [], [], 20)[0], shown
        shown += os.read(terminal, 65536)
    return shown


def test_top_without_a_backend(tmp_path):
    done = command("top", "--address", str(tmp_path / "none"))
    assert done.returncode == 5
    assert "no backend listens" in done.stderr


def counts(backend):
    """Units, pictures, octets of both, errors, of the first domain."""
    counts = backend.domain()["counts"]
    return [counts[name] for name in ("inputs", "outputs", "octets_in", "octets_out", "errors")]


def expected(pictures):
    return [pictures, pictures, pictures * UNIT.size, pictures * Stream.SIZE**2, 0]


def test_a_short_job_is_counted_when_its_worker_has_gone(make_backend):
    backend = make_backend(linger=0.0)
    for job in range(3):
        with backend.connect() as channel:
            Stream(channel).play(4)
        wait_until(lambda: backend.domain()["worker"] is None, "its worker ends with its last channel")
        assert counts(backend) == expected(4 * (job + 1))


@pytest.mark.parametrize("asked", [True, False])
def test_a_worker_that_dies_takes_no_more_than_a_second(make_backend, asked):
    backend = make_backend()
    with backend.connect() as channel:
        stream = Stream(channel)
        stream.play(4)
        if asked:
            assert counts(backend) == expected(4)
        else:
            began = time.monotonic()
            while time.monotonic() < began + 1.1:  # it tells while it is at work
                stream.play(1)
        before = stream.pictures
        os.kill(backend_worker(backend), signal.SIGKILL)
        wait_until(lambda: backend.domain()["worker"] is None, "it has died")
    done = counts(backend)[1]
    assert done == before if asked else 4 < done <= before
    with backend.connect() as channel:
        Stream(channel).play(3)
        assert counts(backend)[1] == done + 3


def backend_worker(backend):
    """Its process, without a question to it."""
    return next(pid for pid in backend.processes() if Path(f"/proc/{pid}/comm").read_text() == "paracore-worker\n")


def test_counts_go_on_over_a_reload(make_backend):
    backend = make_backend(linger=0.0)
    with backend.connect() as channel:
        Stream(channel).play(4)
    wait_until(lambda: backend.domain()["worker"] is None, "its worker ends with its last channel")
    with backend.connect() as channel:
        stream = Stream(channel)
        stream.play(5)
        backend.reload()
        stream.play(2)
        assert counts(backend) == expected(11)
    wait_until(lambda: backend.domain()["worker"] is None, "its worker ends with its last channel")
    assert counts(backend) == expected(11)


def test_units_that_come_back_with_an_error_are_counted(backend):
    with backend.connect() as channel:
        stream = Stream(channel)
        stream.play(2)
        stream.post(video.QueueInput(video.Span(stream.inputs.id, UNIT.size, 64), 9, PLAIN, 0, 0))
        channel.flush()
        wait_until(lambda: counts(backend)[4] == 1, "what is no unit is an error")
        assert counts(backend)[:2] == [3, 2]


def session_of(backend):
    (channel,) = backend.domain()["worker"]["report"]["channels"]
    (session,) = channel["sessions"]
    return session


def test_a_session_has_accounts_of_its_own(make_backend):
    backend = make_backend(limits="pictures_per_second = 20\npictures_burst = 1", options="options = { job = 0.005 }")
    with backend.connect() as channel:
        stream = Stream(channel)
        for number in range(6):
            stream.feed(number)
        for _ in range(6):
            stream.wait_picture()
        session = session_of(backend)
        counted = [session[name] for name in ("inputs_done", "outputs_ready", "octets_in", "octets_out", "errors")]
        assert counted == expected(6)
        assert session["buffers"] == 1, "all inputs have come back"
        assert session["device_ms"] == 6 * 5
        assert 200 <= session["waited_ms"] < 1000, "five of them, a twentieth of a second each"


def test_a_session_of_a_codec_has_them_as_well(make_backend):
    film = clips.film("h264", pictures=60)
    backend = make_backend(driver="libav")
    with (
        paracore.open(backend.address) as domain,
        demux(film) as stream,
        domain.devices["vpu0"].decoder(stream.codec) as decoder,
    ):
        pictures = decoder.decode(stream)
        first = next(pictures)
        session = session_of(backend)
        assert session["octets_in"] > 0
        assert session["octets_out"] > 0
        assert 0 <= session["device_ms"] < 60_000
        assert session["waited_ms"] < 1000, "for its first lease, and nobody else is there"
        del first
        assert sum(1 for _ in pictures) == 59
    assert backend.domain()["counts"]["octets_in"] > 0


def used_seconds(backend):
    return backend.domain()["time"]["vpu0"]["used_ms"] / 1000


def test_what_a_worker_used_last_is_charged_by_the_next_one(make_backend):
    """Without it, what it used since the supervisor asked the kernel last would be its domain's for nothing."""
    film = clips.film("h264", pictures=60)
    backend = make_backend(driver="libav")
    with paracore.open(backend.address, on_loss="fail") as domain, demux(film) as stream:
        with domain.devices["vpu0"].decoder(stream.codec) as decoder:
            assert sum(1 for _ in decoder.decode(stream)) == 60
        worker = backend.worker()
        used = cpu_seconds(worker)
        os.kill(worker, signal.SIGKILL)
        wait_until(lambda: backend.domain()["worker"] is None, "it has died")
    with backend.connect():
        wait_until(lambda: used_seconds(backend) >= used - 0.02, "so much is missing")


def test_metrics_once(played):
    done = command("metrics", "--address", played.address)
    lines = done.stdout.splitlines()
    assert 'paracore_domain_pictures_total{domain="alpha"} 8.0' in lines, done.stderr
    assert 'paracore_domain_sessions{domain="alpha"} 1.0' in lines
    assert f'paracore_domain_input_bytes_total{{domain="alpha"}} {8.0 * UNIT.size}' in lines
    assert 'paracore_domain_failed_units_total{domain="alpha"} 0.0' in lines
    assert "# TYPE paracore_domain_pictures_total counter" in lines
    assert "paracore_up 1.0" in lines
    assert 'paracore_device_awake{device="vpu0"} 1.0' in lines
    assert 'paracore_device_hangs_total{device="vpu0"} 0.0' in lines


@pytest.fixture
def exporter(played, tmp_path):
    """Where it listens; it must end well, and take its socket with it."""
    path = tmp_path / "metrics.sock"
    words = [*PARACORE, "metrics", "--listen", str(path), "--address", played.address]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline().startswith(b"serving")
        yield path
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert not path.exists()


def scraped(path):
    with socket.socket(socket.AF_UNIX) as wire:
        wire.settimeout(20)
        wire.connect(str(path))
        wire.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        return b"".join(iter(lambda: wire.recv(65536), b"")).decode()


def test_metrics_are_served_on_the_loopback_interface_alone(played):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = [*PARACORE, "metrics", "--port", str(port), "--address", played.address]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process, ExitStack() as stack:
        stack.callback(process.kill)
        assert process.stdout.readline().startswith(b"serving")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as answer:
            assert 'paracore_domain_units_total{domain="alpha"} 8.0' in answer.read().decode()
        lines = [line for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
        addresses, ports = zip(*(line.split()[1].split(":") for line in lines), strict=True)
        assert {address for address, used in zip(addresses, ports, strict=True) if used == f"{port:04X}"} == {
            "0100007F"
        }
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0


def test_metrics_are_served_beside_one_who_says_nothing(exporter):
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(exporter))
        assert 'paracore_domain_units_total{domain="alpha"} 8.0' in scraped(exporter)


def test_metrics_say_that_the_backend_has_gone(exporter, played):
    played.kill()
    wait_until(lambda: "paracore_up 0.0" in scraped(exporter), "it is still up")
    assert "paracore_domain" not in scraped(exporter)


def test_a_socket_that_is_in_use_is_left_alone(exporter, played):
    done = command("metrics", "--listen", str(exporter), "--address", played.address)
    assert done.returncode != 0
    assert "paracore_up 1.0" in scraped(exporter)
