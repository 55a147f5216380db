# SPDX-License-Identifier: Apache-2.0
"""The kernel's files of a device's power, in a tree that a test made, and in the one of this machine."""

import logging
import os
from pathlib import Path

import pytest

from paracore.backend._sysfs import KernelDevice, Writer


def tree(folder, files):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{text}\n")
    return folder


WHOLE = {
    "power/control": "on",
    "power/autosuspend_delay_ms": "100",
    "power/runtime_status": "suspended",
    "devfreq/vpu/available_frequencies": "200000000 400000000 800000000",
    "devfreq/vpu/min_freq": "200000000",
}


@pytest.fixture
def whole(tmp_path):
    return tree(tmp_path / "device", WHOLE)


class Now(Writer):
    """Without a thread."""

    def write(self, file, text):
        file.write_text(text)


def contents(folder):
    return {name: (folder / name).read_text().strip() for name in WHOLE}


def test_the_kernel_puts_it_to_sleep(whole):
    device = KernelDevice(whole, Now())
    device.let_sleep(2.5)
    assert contents(whole) == {**WHOLE, "power/control": "auto", "power/autosuspend_delay_ms": "2500"}
    device.let_sleep(1)
    device.restore()
    assert contents(whole) == WHOLE, "as it was before the first change"


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ("active", "active"),
        ("resuming", "active"),
        ("suspending", "active"),
        ("suspended", "suspended"),
        ("unsupported", "unsupported"),
        ("error", "unsupported"),
    ],
)
def test_its_state(whole, said, state):
    (whole / "power/runtime_status").write_text(f"{said}\n")
    assert KernelDevice(whole, Now()).state() == state


@pytest.mark.parametrize(("part", "floor"), [(0.01, 200), (0.3, 400), (0.5, 400), (0.51, 800), (1.0, 800)])
def test_a_floor_under_its_clock(whole, part, floor):
    device = KernelDevice(whole, Now())
    device.keep_floor(part)
    assert int(contents(whole)["devfreq/vpu/min_freq"]) == floor * 1_000_000
    device.keep_floor(part)
    device.keep_floor(0)
    assert contents(whole) == WHOLE


@pytest.mark.parametrize("missing", [*WHOLE, "power", "devfreq", "."])
def test_whatever_is_missing_is_not_offered(tmp_path, missing):
    files = {name: text for name, text in WHOLE.items() if not name.startswith(missing.rstrip("."))}
    device = KernelDevice(tree(tmp_path / "device", files) if missing != "." else tmp_path / "none", Now())
    device.let_sleep(1)
    device.keep_floor(1)
    device.keep_floor(0)
    device.restore()
    there = (tmp_path / "device" / "power/runtime_status").exists()
    assert device.state() == ("suspended" if there else "unsupported")


@pytest.mark.parametrize("nonsense", ["", "fast", "\xff", "1 x 2"])
def test_clocks_that_say_nonsense(whole, nonsense):
    (whole / "devfreq/vpu/available_frequencies").write_text(nonsense)
    KernelDevice(whole, Now()).keep_floor(1)
    assert contents(whole)["devfreq/vpu/min_freq"] in ("200000000", "2")


def test_a_floor_that_was_higher_before_stays(whole):
    (whole / "devfreq/vpu/min_freq").write_text("800000000\n")
    device = KernelDevice(whole, Now())
    device.keep_floor(0.5)
    device.keep_floor(0)
    assert contents(whole)["devfreq/vpu/min_freq"] == "800000000"


@pytest.mark.parametrize(
    ("now", "part"), [("200000000", 0.25), ("800000000", 1), ("900000000", 1), ("fast", 1), (None, 1)]
)
def test_how_fast_its_clock_is(whole, now, part):
    if now:
        (whole / "devfreq/vpu/cur_freq").write_text(f"{now}\n")
    assert KernelDevice(whole, Now()).clock() == part


def test_writing_is_another_threads_business(whole, caplog):
    caplog.set_level(logging.INFO)
    writer = Writer()
    writer.write(whole / "power/control", "auto")
    writer.write(whole / "none/control", "auto")
    writer.close()
    assert contents(whole)["power/control"] == "auto"
    assert "cannot be set" in caplog.text


def test_a_write_that_never_ends_keeps_nobody(whole, monkeypatch, tmp_path):
    monkeypatch.setattr("paracore.backend._sysfs._FAREWELL", 0.01)
    writer = Writer()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer.write(pipe, "one")  # nobody reads it
    for _round in range(1000):
        writer.write(pipe, "other")
        writer.write(whole / "power/control", "auto")
    assert len(writer._orders) == 2, "what waits does not grow"
    assert (writer.read(pipe), writer.read(whole / "power/control")) == ("other", "auto")
    writer.close()
    assert contents(whole)["power/control"] == "on", "it is not reached any more"
    reader = os.open(pipe, os.O_RDONLY)
    writer._thread.join()
    os.close(reader)


def test_a_floor_that_goes_up_and_down_faster_than_the_device(whole):
    class Later(Writer):
        def write(self, file, text):
            self._orders[file] = text

    files = Later()
    device = KernelDevice(whole, files)
    device.keep_floor(1)
    device.keep_floor(0)
    device.keep_floor(1)
    assert files.read(whole / "devfreq/vpu/min_freq") == "800000000"
    device.keep_floor(0)
    assert files.read(whole / "devfreq/vpu/min_freq") == "200000000"


def test_the_devices_of_this_machine():
    """Whatever they are: it can be told how they are, and nothing is changed by that."""
    for status in Path("/sys/devices").glob("**/power/runtime_status"):
        assert KernelDevice(status.parent.parent, Now()).state() in ("active", "suspended", "unsupported")
