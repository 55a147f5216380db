# SPDX-License-Identifier: Apache-2.0
import subprocess
from fractions import Fraction
from importlib import import_module

import pytest

from paracore.backend._policies import POLICIES
from paracore.cli import main
from paracore.cli._completion import SHELLS
from paracore.cli._exit import ExitCode
from paracore.cli._parser import COMMANDS, make_parser

NAMES = [import_module(module).NAME for module in COMMANDS]


def parse(*words):
    return make_parser().parse_args([str(word) for word in words])


def test_commands_have_distinct_names():
    assert len(set(NAMES)) == len(NAMES)
    assert {"serve", "list", "decode", "encode", "transcode", "demo", "bench", "doctor", "completion"} <= set(NAMES)


@pytest.mark.parametrize("module", COMMANDS)
def test_each_command_has_a_summary_and_examples(module):
    command = import_module(module)
    assert command.SUMMARY
    assert not command.SUMMARY.endswith(".")
    assert command.EXAMPLES.count(f"paracore {command.NAME}") >= 1


@pytest.mark.parametrize("name", NAMES)
def test_help_has_examples(capsys, name):
    with pytest.raises(SystemExit) as caught:
        make_parser().parse_args([name, "--help"])
    assert caught.value.code == 0
    assert "examples:" in capsys.readouterr().out


def test_help_explains_exit_codes(capsys):
    with pytest.raises(SystemExit):
        make_parser().parse_args(["--help"])
    told = capsys.readouterr().out
    assert all(code.meaning in told for code in ExitCode)


@pytest.mark.parametrize("command", ["run", "env"])
def test_on_loss_is_recover_or_fail(command):
    assert parse(command).on_loss is None
    assert parse(command, "--on-loss", "fail").on_loss == "fail"
    with pytest.raises(SystemExit) as caught:
        parse(command, "--on-loss", "hope")
    assert caught.value.code == ExitCode.USAGE


@pytest.mark.parametrize("command", ["run", "env"])
def test_planes_are_single_or_multi(command):
    assert parse(command).planes is None
    assert parse(command, "--planes", "single").planes == "single"
    with pytest.raises(SystemExit) as caught:
        parse(command, "--planes", "two")
    assert caught.value.code == ExitCode.USAGE


@pytest.mark.parametrize("command", ["run", "env"])
def test_a_rate_is_a_number_or_a_fraction(command):
    assert parse(command).rate is None
    assert parse(command, "--rate", "30000/1001").rate == Fraction(30000, 1001)
    for wrong in ("0", "-25", "film", "25/0"):
        with pytest.raises(SystemExit) as caught:
            parse(command, "--rate", wrong)
        assert caught.value.code == ExitCode.USAGE


def test_settings_of_a_running_backend():
    told = parse("device", "set", "vpu0", "--policy", "priority", "--slots", "0")
    assert (told.name, told.policy, told.slots) == ("vpu0", "priority", 0)
    told = parse("domain", "set", "web", "--device-time", "0", "--weight", "7")
    assert (told.name, told.device_time, told.weight, told.priority) == ("web", 0.0, 7, None)
    for policy in POLICIES:
        parse("device", "set", "vpu0", "--policy", policy)
    for wrong in (
        ["device", "set", "vpu0", "--policy", "x"],
        ["domain", "set"],
        ["domain", "set", "w", "--weight", "0"],
    ):
        with pytest.raises(SystemExit) as caught:
            parse(*wrong)
        assert caught.value.code == ExitCode.USAGE


def test_no_command_is_a_wrong_command_line():
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == ExitCode.USAGE


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_for_each_shell(capsys, shell):
    assert main(["completion", shell]) == 0
    assert "transcode" in capsys.readouterr().out


def test_bash_takes_the_completion(capsys, tmp_path):
    main(["completion", "bash"])
    script = tmp_path / "completion"
    script.write_text(capsys.readouterr().out)
    subprocess.run(["bash", "-n", str(script)], check=True)


@pytest.mark.parametrize(
    ("words", "name", "value"),
    [
        (["--bitrate", "4M"], "bitrate", 4_000_000),
        (["--bitrate", "800k"], "bitrate", 800_000),
        (["--bitrate", "1.5M"], "bitrate", 1_500_000),
        (["--bitrate", "64000"], "bitrate", 64_000),
        (["--size", "640x480"], "size", (640, 480)),
        (["--rate", "30000/1001"], "rate", Fraction(30000, 1001)),
        (["--rate", "23.976"], "rate", Fraction("23.976")),
        (["--preset", "3"], "preset", 3),
        (["--preset", "veryfast"], "preset", "veryfast"),
        (["--threads", "0"], "threads", 0),
        (["--gop", "12"], "gop", 12),
        (["--on-loss", "fail"], "on_loss", "fail"),
        ([], "on_loss", "recover"),
    ],
)
def test_values(words, name, value):
    assert getattr(parse("encode", "in", "-o", "out", *words), name) == value


@pytest.mark.parametrize(
    "words",
    [
        ["--bitrate", "fast"],
        ["--bitrate", "-1"],
        ["--size", "640"],
        ["--size", "0x480"],
        ["--rate", "0"],
        ["--rate", "1/0"],
        ["--preset", "10"],
        ["--preset", "quick"],
        ["--gop", "0"],
        ["--threads", "-1"],
        ["--frames", "none"],
        ["--codec", "h266"],
        ["--on-loss", "hope"],
    ],
)
def test_values_that_make_no_sense(capsys, words):
    with pytest.raises(SystemExit) as caught:
        parse("encode", "in", "-o", "out", *words)
    assert caught.value.code == ExitCode.USAGE
    assert words[0] in capsys.readouterr().err
