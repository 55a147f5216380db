# SPDX-License-Identifier: Apache-2.0
"""What the supervisor does about devices that hang, on a clock of the test's."""

from types import SimpleNamespace

import pytest

from paracore import RemoteProtocolError
from paracore.backend._config import DomainSection
from paracore.backend._hangs import WINDOW, Hangs


class Worker:
    def __init__(self):
        self.killed = False
        self.reset = []

    def kill(self):
        self.killed = True

    def device_reset(self, device):
        self.reset.append(device)


class Domain:
    def __init__(self, name, *devices):
        self.name = name
        self.identities = (f"user:{name}",)
        self.section = DomainSection(name=name, user=1, devices=devices or None)
        self.worker = Worker()
        self.log = SimpleNamespace(write=lambda *_: None)


class World:
    def __init__(self):
        self.now = 1000.0
        self.every, self.second = Domain("every"), Domain("second", "vpu1")
        self.idle = Domain("idle")
        self.idle.worker = None
        self.hangs = Hangs(["vpu0", "vpu1"], [self.every, self.second, self.idle], lambda: self.now)

    def hang(self, after=0.0, index=1, *, stuck=False, domain=None):
        self.now += after
        self.hangs.hang(domain or self.every, index, stuck=stuck)


@pytest.fixture
def world():
    return World()


def test_one_hang_costs_one_session(world):
    world.hang()
    assert world.hangs.account("vpu1") == {"hangs": 1, "resets": 0}
    assert world.hangs.account("vpu0") == {"hangs": 0, "resets": 0}
    assert not world.every.worker.killed
    assert world.every.worker.reset == []


def test_a_worker_that_is_stuck_is_ended(world):
    world.hang(stuck=True)
    assert world.every.worker.killed
    assert not world.second.worker.killed


def test_a_device_that_hangs_again_is_reset_wherever_it_is(world):
    world.hang()
    world.hang(WINDOW)
    assert world.hangs.account("vpu1") == {"hangs": 2, "resets": 1}
    assert world.every.worker.reset == [1]
    assert world.second.worker.reset == [0], "each domain counts its own devices"


@pytest.mark.parametrize("others", [False, True])
def test_what_hangs_for_one_domain_alone_costs_no_other_its_sessions(world, others):
    world.hangs.spare(["vpu1"])
    if others:
        world.hang(index=0, domain=world.second)
    else:
        world.hang()
    world.hang()
    assert world.every.worker.reset == [1]
    assert world.second.worker.reset == [0] * others


def test_hangs_far_apart_reset_nothing(world):
    for _round in range(3):
        world.hang(WINDOW + 1)
    assert world.hangs.account("vpu1") == {"hangs": 3, "resets": 0}


def test_other_devices_hang_for_themselves(world):
    world.hang()
    world.hang(index=0)
    assert world.every.worker.reset == []


def test_who_cries_all_the_time_is_not_heard_all_the_time(world):
    for _round in range(1000):
        world.hang(WINDOW / 500)
    assert world.hangs.account("vpu1")["hangs"] == 1000
    assert world.hangs.account("vpu1")["resets"] == len(world.second.worker.reset) == 2


def test_a_worker_that_never_came_back_from_a_driver(world):
    """It had said whose it calls."""
    world.hangs.blocked(world.second, 0)
    world.hangs.blocked(world.every, 1)
    assert world.hangs.account("vpu1") == {"hangs": 2, "resets": 1}
    assert world.hangs.account("vpu0") == {"hangs": 0, "resets": 0}
    assert (world.every.worker.reset, world.second.worker.reset) == ([1], [0])


@pytest.mark.parametrize("said", [None, 2, 0xFFFF_FFFF])
def test_a_worker_that_never_came_back_and_has_not_said_from_where(world, said):
    world.hangs.blocked(world.every, said)
    assert [world.hangs.account(name)["hangs"] for name in ("vpu0", "vpu1")] == [0, 0]


def test_a_device_that_there_is_not(world):
    with pytest.raises(RemoteProtocolError):
        world.hang(index=2)
