# SPDX-License-Identifier: Apache-2.0
"""The toolstack's subcommands, against the fake xenstored."""

import json
import threading
import time

import pytest

from paracore.cli import main
from paracore.cli._examination_store import examine_store
from paracore.cli._exit import ExitCode
from paracore.cli._options import count_of_octets
from paracore.cli._xen import device_line
from paracore.protocol import backend_path, frontend_path
from paracore.testing import FakeXenstored


@pytest.fixture
def xenstored(tmp_path, monkeypatch):
    with FakeXenstored(tmp_path) as xenstored:
        xenstored.introduce(3, "guest")
        xenstored.introduce(5, "drivers")
        monkeypatch.setenv("XENSTORED_PATH", xenstored.address())
        yield xenstored


def test_attach_list_detach(xenstored, capsys):
    said = ["--weight", "300", "--priority", "5", "--max-bytes", "512M", "--max-device-time", "0.25"]
    assert main(["attach", "guest", "vpu0", *said, "--no-wait"]) == 0
    assert capsys.readouterr().out == "guest 3 (guest)  vpu0  frontend initialising, backend initialising\n"
    assert main(["list", "--address", "/nowhere"]) == ExitCode.BACKEND
    assert main(["list", "--json"]) == 0
    (guest,) = json.loads(capsys.readouterr().out)["guests"]
    assert (guest["domid"], guest["weight"], guest["priority"]) == (3, 300, 5)
    assert (guest["limits"]["bytes"], guest["limits"]["device_time"]) == (512 << 20, 0.25)
    assert main(["list"]) == 0
    assert "guest 3 (guest)  vpu0" in capsys.readouterr().out
    assert main(["detach", "3", "--force"]) == 0
    assert capsys.readouterr().out == "guest 3 (guest)  vpu0  detached\n"
    assert main(["detach", "3", "--force"]) == ExitCode.USAGE


def test_json(xenstored, capsys):
    assert main(["attach", "3", "vpu0", "vpu1", "--backend", "drivers", "--no-wait", "--json"]) == 0
    attached = json.loads(capsys.readouterr().out)
    assert (attached["backend"], attached["devices"], attached["connected"]) == (5, ["vpu0", "vpu1"], False)
    assert main(["detach", "guest", "--force", "--json"]) == 0
    assert [each["domid"] for each in json.loads(capsys.readouterr().out)] == [3]


def test_who_has_not_come_is_said(xenstored, capsys):
    assert main(["attach", "guest", "vpu0", "--timeout", "0.1"]) == ExitCode.BACKEND
    told = capsys.readouterr().err
    assert told.startswith("paracore: attached to domain 3 (guest), but not connected after 0.1 s")
    assert "paracore serve --xen" in told


def test_it_waits_until_both_are_connected(xenstored, capsys):
    def connect():
        while xenstored.tree.generation(f"{frontend_path(3)}/state") is None:
            time.sleep(0.005)
        for path in (backend_path(0, 3), frontend_path(3)):
            xenstored.put(f"{path}/state", "4")

    thread = threading.Thread(target=connect)
    thread.start()
    assert main(["attach", "guest", "vpu0"]) == 0
    thread.join()
    assert capsys.readouterr().out == "guest 3 (guest)  vpu0  connected\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["attach", "nobody", "vpu0"], "there is no 'nobody'; there are 0 Domain-0, 3 guest, 5 drivers"),
        (["attach", "guest", "vpu0", "--backend", "x"], "there is no 'x'"),
        (["attach", "guest", "vpu 0"], "node devices holds"),
        (["attach", "guest", "vpu0", "--weight", "10001"], "node weight holds '10001', and should hold 1 … 10000"),
        (["attach", "0", "vpu0"], "local socket"),
        (["detach", "guest"], "no device attached"),
    ],
)
def test_what_cannot_be_is_a_wrong_command_line(xenstored, capsys, words, told):
    assert main(words) == ExitCode.USAGE
    assert told in capsys.readouterr().err


def test_without_xen(monkeypatch, capsys, tmp_path):
    monkeypatch.delenv("XENSTORED_PATH", raising=False)
    monkeypatch.setattr("paracore.transport.xen._store_line.ADDRESSES", ())
    assert main(["attach", "guest", "vpu0"]) == ExitCode.BACKEND
    assert "there is no xenstore" in capsys.readouterr().err
    assert list(examine_store()) == []


def test_in_a_guest(xenstored, monkeypatch, capsys):
    monkeypatch.setenv("XENSTORED_PATH", xenstored.address(3))
    assert main(["attach", "guest", "vpu0"]) == ExitCode.BACKEND
    assert "as root in the toolstack's domain" in capsys.readouterr().err


def finding():
    (found,) = examine_store()
    assert found.remedy or found.verdict == "good"
    return found.verdict, found.text


def test_the_doctor_looks_at_what_is_attached(xenstored, monkeypatch):
    assert finding() == ("fair", "no guest has a device")
    main(["attach", "guest", "vpu0", "--no-wait"])
    assert finding() == ("fair", "not connected: domain 3")
    monkeypatch.setenv("XENSTORED_PATH", xenstored.address(3))
    assert finding() == ("fair", "this is domain 3; its device is initialising")
    for path in (backend_path(0, 3), frontend_path(3)):
        xenstored.put(f"{path}/state", "4")
    assert finding() == ("good", f"this is domain 3, connected to {backend_path(0, 3)}")
    monkeypatch.setenv("XENSTORED_PATH", xenstored.address())
    assert finding() == ("good", "1 guests, all connected")
    monkeypatch.setenv("XENSTORED_PATH", xenstored.address(5))
    assert finding() == ("fair", "this is domain 5; no device is attached to it")


def test_the_doctor_meets_a_xenstore_that_does_not_answer(xenstored, monkeypatch):
    monkeypatch.setattr("paracore.cli._examination_store._PATIENCE", 0.1)
    with xenstored.lock:
        assert finding()[0] == "bad"


@pytest.mark.parametrize(
    ("text", "octets"), [("1", 1), ("4K", 4096), ("512M", 512 << 20), ("2GiB", 2 << 30), ("1T", 1 << 40)]
)
def test_sizes(text, octets):
    assert count_of_octets(text) == octets


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5G", "G", "1X", "\uff11"])
def test_no_sizes(text):
    with pytest.raises(Exception, match="is not a size"):
        count_of_octets(text)


def test_a_line_says_all():
    device = {
        "domid": 3, "name": "", "devices": [], "connected": False, "backend": 5, "online": False,
        "frontend_state": "closed", "backend_state": "unknown", "error": "no such device",
    }  # fmt: skip
    line = device_line(device)
    assert line == "guest 3  ?  frontend closed, backend unknown, detaching, backend in domain 5: no such device"
