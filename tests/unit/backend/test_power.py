# SPDX-License-Identifier: Apache-2.0
"""When devices are awake and when they sleep, on a clock that the test turns."""

from types import SimpleNamespace

import pytest

from paracore import RemoteProtocolError
from paracore.backend._config import DeviceSection, DomainSection
from paracore.backend._power import Power
from tests.unit.backend.test_sharing import Loop
from tests.unit.backend.test_sysfs import WHOLE, Now, contents, tree


class Clock(Loop):
    """A loop whose time the test turns."""

    def __init__(self):
        super().__init__()
        self.now = 0.0

    def time(self):
        return self.now

    def call_later(self, delay, step, *arguments):
        return super().call_later(delay, self._then, self.now + delay, step, arguments)

    def _then(self, at, step, arguments):
        self.now = max(self.now, at)
        step(*arguments)

    def advance(self, seconds):
        until = self.now + seconds
        while due := sorted((entry for entry in self.later if entry[1][0] <= until), key=lambda entry: entry[1][0]):
            self.later.remove(due[0])
            self._then(*due[0][1])
        self.now = until


class Domain:
    def __init__(self, name, *devices):
        self.name = name
        self.section = DomainSection(name=name, user=1, devices=devices or None)
        self.rested = []
        self.worker = SimpleNamespace(device_rest=self.rested.append)


class World:
    def __init__(self, **settings):
        self.loop = Clock()
        self.every, self.second = Domain("every"), Domain("second", "vpu1")
        self.sections = [DeviceSection(name=name, driver="null", **settings) for name in ("vpu0", "vpu1")]
        self.power = Power(self.sections, [self.every, self.second], self.loop)

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


class Clocked(World):
    """With a device of the kernel's, which has a clock."""

    def __init__(self, tmp_path):
        super().__init__(autosuspend=0.5, clock_floor=1.0)
        self.folder = tree(tmp_path / "device", {**WHOLE, "devfreq/vpu/cur_freq": "800000000"})
        self.power.manage({"vpu0": [str(self.folder)]})

    def floor(self):
        return int(contents(self.folder)["devfreq/vpu/min_freq"]) // 1_000_000

    def work(self, load, seconds=1.0):
        """In tenths of a second."""
        for _tenth in range(round(seconds * 10)):
            self.power.work(self.every, 0, round(load * 1e8))
            self.loop.advance(0.1)


@pytest.fixture
def clocked(tmp_path, monkeypatch):
    monkeypatch.setattr("paracore.backend._power.Writer", Now)
    return Clocked(tmp_path)


@pytest.mark.parametrize(("load", "floor"), [(0.1, 200), (0.25, 400), (0.5, 800), (1.0, 800)])
def test_its_clock_follows_the_device_time(clocked, load, floor):
    asleep = contents(clocked.folder)
    assert (asleep["power/control"], asleep["power/autosuspend_delay_ms"]) == ("auto", "500")
    clocked.power.use(clocked.every, 0, used=True)
    assert clocked.floor() == 800, "nobody knows yet what it will need"
    clocked.work(load, 3)
    assert clocked.floor() == floor
    clocked.power.use(clocked.every, 0, used=False)
    clocked.loop.advance(1.5)
    assert contents(clocked.folder) == asleep
    assert clocked.loop.later == [], "nobody wakes up for it any more"


def test_a_player_that_is_paused_does_not_keep_the_clock_up(clocked):
    clocked.power.use(clocked.every, 0, used=True)
    clocked.work(0.5, 3)
    clocked.loop.advance(1.5)
    assert clocked.floor() == 200
    assert clocked.loop.later == []
    clocked.loop.advance(3600)
    clocked.work(0.5)
    assert clocked.floor() == 800, "it goes on"


def test_without_a_floor_nobody_looks_at_the_clock(world):
    world.power.use(world.every, 0, used=True)
    world.power.work(world.every, 0, 1_000_000)
    assert world.loop.later == []


def test_a_reload_leaves_no_floor_behind(clocked):
    clocked.power.use(clocked.every, 0, used=True)
    assert clocked.floor() == 800
    handed = clocked.power.hand_over()
    later = Power(clocked.sections, [clocked.every, clocked.second], clocked.loop)
    clocked.loop.later.clear()
    later.adopt(handed._replace(on=[], users={name: [] for name in handed.users}))
    later.manage({"vpu0": [str(clocked.folder)]})
    assert clocked.floor() == 200
