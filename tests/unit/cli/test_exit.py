# SPDX-License-Identifier: Apache-2.0
import errno
import inspect

import pytest

import paracore
from paracore import _errors
from paracore.cli._exit import ExitCode, OutputError, UsageError, complain, explain, output_errors

RAISABLE = {
    paracore.StateError: ("closed", "open"),
    paracore.LimitExceeded: ("message_max", 9999),
    paracore.DriverError: ("libav", -5, "EIO"),
    paracore.DeviceLost: ("libav", -5, "EIO"),
    paracore.DeviceTimeout: ("libav", 110, "ETIMEDOUT"),
    paracore.OutOfDeviceMemory: ("libav", -12, "ENOMEM"),
    paracore.QuotaExceeded: ("bytes", 5),
    paracore.ConfigError: ("backend.socket", "is wrong"),
}


def error_of(kind):
    return kind(*RAISABLE.get(kind, ("words",)))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyboardInterrupt(), ExitCode.INTERRUPTED),
        (BrokenPipeError(), ExitCode.CLOSED_PIPE),
        (UsageError("x"), ExitCode.USAGE),
        (OutputError("x"), ExitCode.OUTPUT),
        (error_of(paracore.MediaError), ExitCode.INPUT),
        (FileNotFoundError(errno.ENOENT, "No such file", "x.mp4"), ExitCode.INPUT),
        (error_of(paracore.ConfigError), ExitCode.CONFIG),
        (error_of(paracore.QuotaExceeded), ExitCode.REFUSED),
        (error_of(paracore.PermissionRefused), ExitCode.REFUSED),
        (error_of(paracore.DeviceLost), ExitCode.BACKEND),
        (error_of(paracore.TransportBroken), ExitCode.BACKEND),
        (error_of(paracore.RemoteProtocolError), ExitCode.BACKEND),
        (ZeroDivisionError(), None),
    ],
)
def test_each_fault_has_its_code(capsys, error, code):
    assert explain(error) is code
    told = capsys.readouterr().err
    assert told.count("\n") == (code not in {None, ExitCode.INTERRUPTED, ExitCode.CLOSED_PIPE})


@pytest.mark.parametrize(
    "kind",
    [
        kind
        for _, kind in inspect.getmembers(_errors, inspect.isclass)
        if kind not in {paracore.Error, paracore.ProtocolError, paracore.StateError}
    ],
)
def test_each_error_of_paracore_but_our_own_faults_has_a_code(capsys, kind):
    assert explain(error_of(kind)) is not None


def test_codes_are_documented_and_distinct():
    assert len({int(code) for code in ExitCode}) == len(ExitCode) == 11
    assert all(code.meaning for code in ExitCode)


def test_a_complaint_is_one_line(capsys):
    complain("two\nlines  and   spaces")
    assert capsys.readouterr().err == "paracore: two lines and spaces\n"


def test_the_systems_words_name_the_file(capsys):
    explain(FileNotFoundError(errno.ENOENT, "No such file or directory", "x.mp4"))
    assert capsys.readouterr().err == "paracore: x.mp4: No such file or directory\n"


def test_output_errors_name_the_output():
    with (
        pytest.raises(OutputError, match=r"x\.y4m: cannot be written \(No space left on device\)"),
        output_errors("x.y4m"),
    ):
        raise OSError(errno.ENOSPC, "whatever")
    with pytest.raises(BrokenPipeError), output_errors("x"):
        raise BrokenPipeError
