# SPDX-License-Identifier: Apache-2.0
"""``paracore run`` and ``paracore env`` as a user types them."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys

import pytest

from paracore.cli import ExitCode
from tests.integration.backends import BETA, family, needs_root, wait_until

PROGRAM = [sys.executable, "-m", "paracore"]
LIST = "ls /dev | grep ^video"


@pytest.fixture
def environment(tmp_path):
    """Without a backend, and with a cache of its own."""
    plain = {key: value for key, value in os.environ.items() if key not in ("PARACORE_SOCKET", "LD_PRELOAD")}
    return plain | {"XDG_CACHE_HOME": str(tmp_path / "cache")}


@pytest.fixture
def paracore(environment):
    def run(*words, **more):
        command = [*PROGRAM, *map(str, words)]
        return subprocess.run(command, env=environment | more, capture_output=True, text=True, timeout=60, check=False)

    return run


# --- run ------------------------------------------------------------------------------------------------------


def test_run_on_the_backend_that_is_named(paracore, backend):
    done = paracore("run", "--address", backend.address, "--api", "v4l2", "--", "sh", "-c", LIST)
    assert done.stdout.startswith("video"), done.stderr
    assert done.stderr == ""
    assert paracore("run", "--", "sh", "-c", LIST, PARACORE_SOCKET=backend.address).stdout == done.stdout


def test_run_takes_this_processs_place(paracore, backend, environment):
    """No process of paracore's is left beside the program."""
    command = [*PROGRAM, "run", "--address", backend.address, "--", "sh", "-c", "echo $$; sleep 60"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert int(process.stdout.readline()) == process.pid
        process.kill()


def test_run_with_a_backend_of_its_own(paracore):
    done = paracore("run", "--private", "--", "sh", "-c", f"{LIST}; echo $PARACORE_SOCKET")
    *nodes, socket = done.stdout.split()
    assert len(nodes) == 2, done.stderr
    assert not os.path.exists(socket)  # noqa: PTH110 - it has gone with the program


@pytest.mark.parametrize("options", [["--private"], ["--address"]])
def test_the_exit_code_is_the_programs(paracore, backend, options):
    words = options if options == ["--private"] else ["--address", backend.address]
    assert paracore("run", *words, "--", "sh", "-c", "exit 42").returncode == 42
    assert paracore("run", *words, "--", "true").returncode == 0


def test_a_program_that_a_signal_ended(paracore):
    assert paracore("run", "--private", "--", "sh", "-c", "kill -KILL $$").returncode == 128 + signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_signals_are_passed_on(environment, number):
    name = number.name.removeprefix("SIG")
    script = f"trap 'echo told; exit 9' {name}; echo ready; while :; do sleep 0.05; done"
    command = [*PROGRAM, "run", "--private", "--", "sh", "-c", script]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.stdout.readline() == "told\n"
        assert process.wait(10) == 9


def test_the_private_backend_ends_with_a_killed_command(environment):
    command = [*PROGRAM, "run", "--private", "--", "sh", "-c", "echo ready; exec sleep 5"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        process.stdout.readline()
        backend = [pid for pid in family(process.pid) if b"sleep" not in words_of(pid)][1:]
        assert backend
        process.kill()
        wait_until(lambda: not any(map(words_of, backend)), "the private backend stays")


def words_of(pid):
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:  # noqa: PTH123 - one line
            return file.read()
    except OSError:
        return b""


def test_what_is_preloaded_already_stays(paracore, backend):
    done = paracore("run", "--address", backend.address, "--", "sh", "-c", "echo $LD_PRELOAD", LD_PRELOAD="libc.so.6")
    assert re.fullmatch(r".*/libparacore-v4l2\.so:libc\.so\.6\n", done.stdout), done.stderr


def test_nothing_else_changes(paracore, backend, environment):
    done = paracore("run", "--address", backend.address, "--", "env", "-0")
    there = dict(line.split("=", 1) for line in done.stdout.split("\0") if line)
    changed = {name for name in there.keys() | environment.keys() if there.get(name) != environment.get(name)}
    assert changed <= {"LD_PRELOAD", "PARACORE_SOCKET", "GST_REGISTRY", "GST_OMX_CONFIG_DIR"}


def test_signals_that_python_ignores_are_not_ignored(paracore, backend):
    for words in (["--private"], ["--address", backend.address]):
        done = paracore("run", *words, "--", "sh", "-c", "grep SigIgn /proc/$$/status")
        assert int(done.stdout.split()[1], 16) & (1 << signal.SIGPIPE - 1) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run"], "paracore run -- PROGRAM"),
        (["run", "--", "no-such-program"], "no program no-such-program"),
        (["run", "--api", "vaapi", "--", "true"], "there are v4l2, omx"),
        (["run", "--private", "--domain", "web", "--", "true"], "no domains"),
        (["env", "--api", ""], "empty"),
    ],
)
def test_command_lines_that_make_no_sense(paracore, words, said):
    done = paracore(*words)
    assert done.returncode == ExitCode.USAGE
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_backend_that_is_not_there(paracore, tmp_path):
    done = paracore("run", "--address", tmp_path / "none.sock", "--", "true")
    assert done.returncode == ExitCode.BACKEND
    assert "none.sock" in done.stderr


# --- domains --------------------------------------------------------------------------------------------------


def test_ones_own_domain_needs_nothing(paracore, backend):
    done = paracore("run", "--address", backend.address, "--domain", "alpha", "--", "id", "-u")
    assert done.stdout == f"{os.geteuid()}\n", done.stderr


@needs_root
def test_another_domain(paracore, backend):
    done = paracore("run", "--address", backend.address, "--domain", "beta", "--api", "v4l2", "--", "sh", "-c",
                    f"id -u; {LIST}")  # fmt: skip
    if "cannot be in LD_PRELOAD" in done.stderr or "may not be read" in done.stderr:
        pytest.skip("this tree may only be read by root")
    assert done.stdout.startswith(f"{BETA}\nvideo"), done.stderr


def test_a_domain_that_is_not_there(paracore, backend):
    done = paracore("run", "--address", backend.address, "--domain", "none", "--", "true")
    assert done.returncode in (ExitCode.USAGE, ExitCode.REFUSED)
    assert "alpha" in done.stderr


# --- env ------------------------------------------------------------------------------------------------------


def test_env_for_a_shell(paracore, backend):
    done = paracore("env", "--address", backend.address, "--api", "v4l2")
    script = f"LD_PRELOAD=libc.so.6; {done.stdout}\necho $LD_PRELOAD; {LIST}"
    there = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert there[0].endswith("/libparacore-v4l2.so:libc.so.6")
    assert there[1].startswith("video")


def test_env_for_a_service(paracore, tmp_path):
    folder = tmp_path / 'a "folder" of 100%'
    done = paracore("env", "--api", "v4l2", "--format", "systemd", "--folder", folder, "--address", "/run/x/y.sock")
    assert done.stdout.splitlines()[:2] == ["[Service]", 'Environment="PARACORE_SOCKET=/run/x/y.sock"']
    escaped = str(folder).replace('"', r"\"").replace("%", "%%")
    assert f'Environment="GST_REGISTRY={escaped}/gstreamer-registry.bin"' in done.stdout.splitlines()


def test_env_for_a_session(paracore, tmp_path):
    folder = tmp_path / 'a "folder" of $1'
    done = paracore("env", "--api", "v4l2", "--format", "environment.d", "--folder", folder)
    expanded = subprocess.run(
        ["sh", "-c", f'{done.stdout}\necho "$GST_REGISTRY"'], capture_output=True, text=True, check=True
    ).stdout
    assert expanded == f"{folder}/gstreamer-registry.bin\n"


def test_env_for_a_container(paracore):
    done = paracore("env", "--api", "v4l2", "--format", "docker", "--address", "/run/x/y.sock")
    words = shlex.split(done.stdout)
    assert "--env=PARACORE_SOCKET=/run/x/y.sock" in words
    assert "--volume=/run/x:/run/x:ro" in words
    library = next(word for word in words if word.startswith("--env=LD_PRELOAD=")).removeprefix("--env=LD_PRELOAD=")
    assert f"--volume={library}:{library}:ro" in words


def test_env_as_json(paracore):
    told = json.loads(paracore("env", "--api", "v4l2", "--json").stdout)
    assert set(told) == {"variables", "files"}
    assert told["variables"]["PARACORE_SOCKET"] == "/run/paracore/paracore.sock"
