# SPDX-License-Identifier: Apache-2.0
"""The agent of a domain and the host's end of it, both on this machine."""

import signal
import threading
import time

import pytest

from testbed import CommandTimeout, DomainLost, Process, TestbedError
from testbed.domain import agent

TOKEN = "secret"


@pytest.fixture
def port(monkeypatch, tmp_path):
    token = tmp_path / "token"
    token.write_text(TOKEN, encoding="ascii")
    monkeypatch.setattr(agent, "_TOKEN", token)
    with agent.Server(("127.0.0.1", 0), agent.Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.fixture
def start(port, tmp_path):
    """Starts a command by the agent; all end with the test."""
    started = []

    def start(*command, token=TOKEN, domain="dom0", **options):
        options.setdefault("directory", str(tmp_path))
        started.append(Process(port, token, domain, command, **options))
        return started[-1]

    yield start
    for process in started:
        process.close()


def test_a_command_is_known_by_its_status_and_what_it_wrote(start):
    result = start("sh", "-c", "echo out; echo err >&2; exit 3").wait(10)
    assert (result.status, result.output, result.errors) == (3, "out\n", b"err\n")
    with pytest.raises(TestbedError, match="status 3"):
        result.check()


def test_its_input_arrives_whole(start):
    octets = bytes(range(256)) * 4096
    process = start("cat")
    process.write(octets)
    process.end_input()
    assert process.wait(10).octets == octets


def test_it_has_its_folder_and_its_environment(start, tmp_path):
    result = start("sh", "-c", "pwd; echo $COLOUR", environment={"COLOUR": "blue"}).wait(10)
    assert result.output == f"{tmp_path}\nblue\n"


def test_what_ended_by_a_signal_says_so(start):
    process = start("sleep", "60")
    process.signal(signal.SIGTERM)
    assert process.wait(10).status == -signal.SIGTERM


def test_what_runs_too_long_is_ended(start, tmp_path):
    beat = tmp_path / "beat"
    with pytest.raises(CommandTimeout, match="hello"):
        start("sh", "-c", f"echo hello; while :; do date >{beat}; sleep 0.02; done").wait(0.5)
    _wait_until(lambda: _is_silent(beat))


def _is_silent(beat):
    beat.unlink(missing_ok=True)
    time.sleep(0.2)  # ten beats: that nothing comes can only be waited for
    return not beat.exists()


def _wait_until(holds):
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline


def test_a_child_that_is_left_behind_holds_nothing_up(start):
    assert start("sh", "-c", "sleep 5 & echo done").wait(4).output == "done\n"


def test_what_it_says_can_be_waited_for(start):
    process = start("sh", "-c", "echo ready; cat")
    assert "ready" in process.wait_output("ready", timeout=10)
    with pytest.raises(CommandTimeout, match="ready"):
        process.wait_output("never", timeout=0.1)


def test_what_is_not_there_is_refused(start):
    with pytest.raises(TestbedError, match="no-such-program"):
        start("no-such-program").wait(10)


def test_there_is_no_such_guest(start):
    with pytest.raises(TestbedError, match="no guest d9"):
        start("true", domain="d9").wait(10)


def test_without_the_token_nothing_runs(start):
    with pytest.raises(DomainLost):
        start("true", token="guess").wait(10)


def test_a_terminal_is_one(start):
    assert "24 80" in start("stty", "size", terminal=(24, 80)).wait(10).output


def test_a_board_that_is_off_is_lost(port):
    with pytest.raises(DomainLost):
        Process(1, TOKEN, "dom0", ["true"])
