# SPDX-License-Identifier: Apache-2.0
"""The hypervisor's devices where there are none: every failure keeps its errno and names the remedy."""

import errno
import os
from pathlib import Path

import pytest

from paracore._errors import EventChannelError, GrantError
from paracore.transport.xen import XenHypervisor


def held():
    return len(list(Path("/proc/self/fd").iterdir()))


STEPS = {
    "gntalloc": lambda xen: xen.allocate(0, 4096),
    "gntdev": lambda xen: xen.map(1, [8]),
    "evtchn": lambda xen: xen.unbound(0),
}
KINDS = {"gntalloc": GrantError, "gntdev": GrantError, "evtchn": EventChannelError}


@pytest.mark.parametrize("name", STEPS)
def test_a_device_that_is_missing(tmp_path, name):
    with pytest.raises(KINDS[name], match=f"modprobe xen-{name}") as raised:
        STEPS[name](XenHypervisor(tmp_path))
    assert raised.value.errno == errno.ENOENT


@pytest.mark.parametrize("name", STEPS)
def test_a_device_that_may_not_be_opened(tmp_path, name, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(KINDS[name], match="run as root") as raised:
        STEPS[name](XenHypervisor(tmp_path))
    assert raised.value.errno == errno.EACCES


@pytest.mark.parametrize("name", [*STEPS, "bound"])
def test_a_device_that_is_another(tmp_path, name):
    step = STEPS.get(name, lambda xen: xen.interdomain(1, 2))
    for device in STEPS:
        (tmp_path / device).symlink_to("/dev/null")
    xen = XenHypervisor(tmp_path)
    before = held()
    with pytest.raises((GrantError, EventChannelError)) as raised:
        step(xen)
    assert raised.value.errno == errno.ENOTTY
    assert held() == before
    assert not any(xen.statistics())


@pytest.mark.parametrize("length", [0, -4096, 1, 4097])
def test_a_length_that_cannot_be(tmp_path, length):
    with pytest.raises(GrantError) as raised:
        XenHypervisor(tmp_path).allocate(0, length)
    assert raised.value.errno == errno.EINVAL


def refusing(monkeypatch, tmp_path, code):
    def refuse(*_):
        raise OSError(code, os.strerror(code))

    for device in STEPS:
        (tmp_path / device).symlink_to("/dev/null")
    monkeypatch.setattr("fcntl.ioctl", refuse)
    return XenHypervisor(tmp_path)


def test_the_limit_of_grants_is_named(tmp_path, monkeypatch):
    with pytest.raises(GrantError, match=r"xen_gntalloc/parameters/limit.*gnttab_max_frames") as raised:
        refusing(monkeypatch, tmp_path, errno.ENOSPC).allocate(0, 8192)
    assert raised.value.errno == errno.ENOSPC


def test_the_limit_of_one_mapping_is_named(tmp_path, monkeypatch):
    with pytest.raises(GrantError, match="xen_gntdev/parameters/limit"):
        refusing(monkeypatch, tmp_path, errno.EINVAL).map(1, [8])


def test_anything_else_is_said_in_the_kernels_words(tmp_path, monkeypatch):
    xen = refusing(monkeypatch, tmp_path, errno.ENOMEM)
    for step in (STEPS["gntalloc"], STEPS["gntdev"]):
        with pytest.raises(GrantError, match="Cannot allocate memory"):
            step(xen)
    with pytest.raises(EventChannelError, match="port 2 of domain 1: Cannot allocate memory"):
        xen.interdomain(1, 2)
