# SPDX-License-Identifier: Apache-2.0
"""When devices are awake and when they sleep, on a clock that the test turns."""

from types import SimpleNamespace

import pytest

from paracore import RemoteProtocolError
from paracore.backend._config import DeviceSection, DomainSection
from paracore.backend._power import Power
from tests.unit.backend.test_sharing import Loop
from tests.unit.backend.test_sysfs import WHOLE, Now, contents, tree


class Domain:
    def __init__(self, name, *devices):
        self.section = DomainSection(name=name, user=1, devices=devices or None)
        self.rested = []
        self.worker = SimpleNamespace(device_rest=self.rested.append)


class World:
    def __init__(self, **settings):
        self.loop = Loop()
        self.every, self.second = Domain("every"), Domain("second", "vpu1")
        sections = [DeviceSection(name=name, driver="null", **settings) for name in ("vpu0", "vpu1")]
        self.power = Power(sections, [self.every, self.second], self.loop)

    def states(self):
        return self.power.state("vpu0"), self.power.state("vpu1")


@pytest.fixture
def world():
    return World()


def test_it_is_on_while_anybody_has_a_session(world):
    assert world.states() == ("off", "off")
    world.power.use(world.every, 1, used=True)
    world.power.use(world.second, 0, used=True)
    assert world.states() == ("off", "on")
    world.power.use(world.every, 1, used=False)
    world.loop.pass_time()
    assert world.states() == ("off", "on")
    world.power.use(world.second, 0, used=False)
    assert world.states() == ("off", "on"), "not at once"
    world.loop.pass_time()
    assert world.states() == ("off", "off")
    assert (world.every.rested, world.second.rested) == ([1], [0])


def test_who_comes_back_soon_finds_it_awake(world):
    world.power.use(world.every, 0, used=True)
    world.power.use(world.every, 0, used=False)
    world.power.use(world.every, 0, used=True)
    world.loop.pass_time()
    assert world.power.state("vpu0") == "on"
    assert world.every.rested == []


def test_the_end_of_a_worker_ends_its_use(world):
    world.power.use(world.every, 0, used=True)
    world.power.leave(world.every)
    world.every.worker = None
    world.loop.pass_time()
    assert world.power.state("vpu0") == "off"


def test_what_was_never_used_is_not_put_to_sleep(world):
    world.power.use(world.every, 0, used=False)
    world.power.leave(world.second)
    assert world.loop.later == []


def test_a_device_that_there_is_not(world):
    with pytest.raises(RemoteProtocolError):
        world.power.use(world.every, 2, used=True)


def test_a_device_of_the_kernels_sleeps_by_itself(tmp_path):
    world = World(autosuspend=0.5, clock_floor=1.0)
    folder = tree(tmp_path / "device", WHOLE)
    world.power.manage({"vpu0": [str(folder)], "vpu1": [str(tmp_path / "none")]})
    world.power.manage({"vpu0": [str(folder)]})
    assert world.states() == ("suspended", "unsupported")
    world.power.use(world.every, 0, used=True)
    (folder / "power/runtime_status").write_text("active\n")
    assert world.power.state("vpu0") == "active"
    world.power.use(world.every, 0, used=False)
    world.loop.pass_time()
    world.power.close()
    assert contents(folder) == {**WHOLE, "power/runtime_status": "active"}, "all settings are as they were"


def test_its_clock_is_kept_up_by_demand(tmp_path, monkeypatch):
    monkeypatch.setattr("paracore.backend._power.Writer", Now)
    world = World(autosuspend=0.5, clock_floor=0.5)
    folder = tree(tmp_path / "device", WHOLE)
    world.power.manage({"vpu0": [str(folder)]})
    asleep = contents(folder)
    assert (asleep["power/control"], asleep["power/autosuspend_delay_ms"]) == ("auto", "500")
    world.power.use(world.every, 0, used=True)
    assert contents(folder)["devfreq/vpu/min_freq"] == "400000000"
    world.power.use(world.every, 0, used=False)
    world.loop.pass_time()
    assert contents(folder) == asleep
