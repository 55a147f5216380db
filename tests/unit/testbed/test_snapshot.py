# SPDX-License-Identifier: Apache-2.0
"""Which snapshot belongs to which board, and when it is made anew. That one works is for ``tests/system``."""

from pathlib import Path

import pytest

from testbed import Options, _snapshot
from testbed._image import Image
from testbed._snapshot import Snapshot


@pytest.fixture(autouse=True)
def build(tmp_path, monkeypatch):
    monkeypatch.setattr(_snapshot, "BUILD", tmp_path)
    monkeypatch.setattr(_snapshot, "run", lambda *_: "QEMU 7.2")


def snapshot(digest="one", options=None, guests=("d1", "d2")):
    image = Image(*map(Path, ("xen", "vmlinuz", "boot.cpio", "disk")), digest=digest)
    return Snapshot(image, options or Options(), guests)


def make(made):
    with made.alone(), made.being_made():
        made.memory.write_bytes(b"memory")


def test_it_is_there_once_it_was_made():
    assert not snapshot().is_current()
    make(snapshot())
    assert snapshot().is_current()


@pytest.mark.parametrize("other", [{"guests": ("d1",)}, {"options": Options(xen="xsm=dummy")}])
def test_other_boards_have_others(other):
    make(snapshot())
    assert snapshot(**other).folder != snapshot().folder
    assert not snapshot(**other).is_current()


def test_another_image_makes_it_anew_in_the_same_place(monkeypatch):
    make(snapshot())
    assert not snapshot("two").is_current()
    assert snapshot("two").folder == snapshot().folder
    monkeypatch.setattr(_snapshot, "run", lambda *_: "QEMU 9.0")
    assert not snapshot().is_current()


def test_one_that_was_not_finished_is_none():
    made = snapshot()
    make(made)
    with pytest.raises(KeyboardInterrupt), made.being_made():
        raise KeyboardInterrupt
    assert not made.is_current()
    assert not made.state.read_bytes()


def test_nobody_else_reads_the_memory_of_guests():
    made = snapshot()
    make(made)
    assert {path.stat().st_mode & 0o777 for path in (made.memory, made.state)} == {0o600}
