# SPDX-License-Identifier: Apache-2.0
"""What one program image of the supervisor leaves to the next: each part, there and back through its octets."""

import asyncio
import errno
import os
import signal
import socket
import subprocess
from contextlib import nullcontext
from types import SimpleNamespace

import msgspec
import pytest

from paracore import ConfigError, DeviceLost, RemoteProtocolError
from paracore.backend import _handover, _reload
from paracore.backend._admission import Admission, Bounds
from paracore.backend._arbiter import UNLIMITED
from paracore.backend._config import BackendSection, Config, DeviceSection, DomainSection, Limits
from paracore.backend._handover import PowerState, State, WorkerState, enclose, inherited, merged, open_state
from paracore.backend._hangs import Hangs
from paracore.backend._orders import ORDER_MAX, order_parse
from paracore.backend._policies import POLICIES
from paracore.backend._power import Power
from paracore.backend._reload import Reload
from paracore.backend._sharing import Sharing
from paracore.backend._warm import check_sandbox
from paracore.backend._worker_end import WorkerEnd
from paracore.backend._zygote import Zygote
from paracore.classes import worker
from paracore.protocol import EVENT, message
from paracore.transport import SocketWire
from paracore.transport._handover import ListenerState
from tests.unit.backend import test_hangs
from tests.unit.backend.test_sharing import Domain, Loop, Worker
from tests.unit.backend.test_sysfs import WHOLE, contents, tree
from tests.unit.backend.test_worker_end import PlannedOwner, taken

DEVICE = DeviceSection(name="vpu0", driver="null", slots=1)


def through(value):
    """As the next image reads it."""
    return msgspec.json.decode(msgspec.json.encode(value), type=type(value))


def state(**more):
    config = Config(device=(DEVICE,))
    empty = {
        "file": config,
        "config": config,
        "listener": ListenerState("/none", 3, 4),
        "number": 7,
        "counts": {},
        "workers_started": 0,
        "guests": (),
        "domains": (),
        "strangers": (),
        "warm": (),
        "hangs": {},
        "power": PowerState({}, [], {}, {}),
    }
    return State(**empty | more)


# --- the envelope ---------------------------------------------------------------------------------------


def left(monkeypatch, memory, *, rehearsal=False):
    monkeypatch.setenv(_handover.VARIABLE, f"{memory}:rehearsal" if rehearsal else str(memory))
    return inherited()


def test_a_state_is_found_again_and_nobody_else_finds_it(monkeypatch):
    found = left(monkeypatch, enclose(state()), rehearsal=True)
    assert open_state(found.envelope) == state()
    assert found.rehearsal
    assert found.envelope.descriptors == (3, 4)
    assert _handover.VARIABLE not in os.environ
    assert inherited() is None


def test_what_is_inherited_is_not_inherited_on(monkeypatch):
    one, other = os.pipe()
    for descriptor in (one, other):
        os.set_inheritable(descriptor, 1)
    found = left(monkeypatch, enclose(state(listener=ListenerState("/none", one, other))))
    assert not found.rehearsal
    assert not os.get_inheritable(one)
    assert not os.get_inheritable(other)
    _handover.abandon(found.envelope)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(one)


def test_it_cannot_be_changed_on_its_way():
    memory = enclose(state())
    with pytest.raises(PermissionError):
        os.pwrite(memory, b"x", 0)
    with pytest.raises(PermissionError):
        os.ftruncate(memory, 0)
    os.close(memory)


@pytest.mark.parametrize("kind", ["word", "closed", "pipe", "unsealed", "empty"])
def test_what_is_no_state_of_a_supervisor_is_refused(monkeypatch, kind):
    memory = os.memfd_create("no-state", os.MFD_ALLOW_SEALING)
    one, other = os.pipe()
    if kind == "empty":
        import fcntl

        fcntl.fcntl(memory, fcntl.F_ADD_SEALS, _handover._SEALS)
    given = {"word": "x", "closed": "999999", "pipe": str(one)}.get(kind, str(memory))
    monkeypatch.setenv(_handover.VARIABLE, given)
    with pytest.raises(ConfigError, match="do not set it"):
        inherited()
    for descriptor in (one, other, *([] if kind == "empty" else [memory])):
        os.close(descriptor)


def test_another_version_is_not_taken_over(monkeypatch):
    found = left(monkeypatch, enclose(state()), rehearsal=True)
    monkeypatch.setattr(_handover, "VERSION", 99)
    with pytest.raises(ConfigError, match="restart it"):
        open_state(found.envelope)


def test_a_state_with_other_fields_is_not_taken_over(monkeypatch):
    found = left(monkeypatch, enclose(state()), rehearsal=True)
    odd = msgspec.structs.replace(found.envelope, state=msgspec.Raw(b'{"number": 5}'))
    with pytest.raises(ConfigError, match="restart it"):
        open_state(odd)


# --- its parts ------------------------------------------------------------------------------------------


def test_leases_accounts_and_limits():
    limits = Limits(device_time=0.5, device_burst=1.0)
    loop, keeper, other = Loop(), Domain("keeper"), Domain("other")
    other.section = DomainSection(name="other", user=1, limits=limits)
    sharing = Sharing([DEVICE], loop)
    for domain in (keeper, other):
        sharing.enter(domain)
    sharing.want(keeper, 0)
    sharing.want(other, 0)
    sharing.pace(keeper, 0, 40_000_000)
    states = {domain: through(sharing.hand_over(domain)) for domain in (keeper, other)}
    assert [lease for _, lease, _ in keeper.worker.leases] == [1, 1]

    follower, later = Sharing([DEVICE], Loop()), []
    for domain in (keeper, other):
        follower.enter(domain)
        follower.adopt(domain, states[domain])
        later.append(follower.hand_over(domain))
    assert later == list(states.values())
    keeper.worker.leases.clear()
    follower.begin(DEVICE)
    assert keeper.worker.leases == [(0, 1, 0)], "it has the device, and is called back"
    follower.release(keeper, 0, 1, wants=False)
    assert other.worker.leases[-1][:2] == (0, 1), "who waited has waited on"
    assert other.worker.leases[-1][2] < UNLIMITED
    assert follower.account(keeper)["vpu0"]["turns"] == 1


@pytest.mark.parametrize("recalled", [False, True])
def test_who_holds_a_device_on_is_ended_after_a_reload_too(recalled):
    loop, keeper, other = Loop(), Domain("keeper"), Domain("other")
    sharing = Sharing([DEVICE], Loop())
    for domain in (keeper, other):
        sharing.enter(domain)
        sharing.want(domain, 0)
    if recalled:
        sharing.change_device(DEVICE)
    follower = Sharing([DEVICE], loop)
    for domain in (keeper, other):
        follower.enter(domain)
        follower.adopt(domain, through(sharing.hand_over(domain)))
    follower.begin(DEVICE)
    loop.pass_time()
    assert keeper.worker.killed


@pytest.mark.parametrize("policy", POLICIES)
def test_nobody_is_given_a_device_before_all_have_what_they_had(policy):
    """A guest's rights are renewed while others, which wait, are there already."""
    section = DeviceSection(name="vpu0", driver="null", slots=1, policy=policy)
    waits, keeps = Domain("waits"), Domain("keeps", device_time=0.5)
    sharing = Sharing([section], Loop())
    for domain in (keeps, waits):
        sharing.enter(domain)
        sharing.want(domain, 0)
    states = {domain: through(sharing.hand_over(domain)) for domain in (keeps, waits)}
    follower = Sharing([section], Loop())
    for domain in (waits, keeps):
        follower.enter(domain)
        domain.worker.leases.clear()
    for domain in (waits, keeps):
        follower.renew(domain)
        follower.adopt(domain, states[domain])
    assert not waits.worker.leases
    follower.begin(section)
    assert (keeps.worker.leases, waits.worker.leases) == ([(0, 1, 0)], [])


@pytest.mark.parametrize("kind", [["vpu0"], []])
def test_a_worker_counts_as_it_did_whatever_the_driver_is_now(kind):
    """And before the warm parent has said what it is."""
    domain = Domain("domain")
    domain.worker.time = 3_000_000_000
    sharing = Sharing([DEVICE], Loop())
    sharing.enter(domain)
    sharing.measure(kind)
    sharing.want(domain, 0)
    before = sharing.account(domain)
    follower = Sharing([DEVICE], Loop())
    follower.enter(domain)
    follower.adopt(domain, through(sharing.hand_over(domain)))
    follower.begin(DEVICE)
    assert follower.account(domain) == before
    follower.measure([] if kind else ["vpu0"])
    domain.worker.time += 5_000_000_000
    if kind:
        follower.use(domain, 0, 1)
    else:
        with pytest.raises(RemoteProtocolError):
            follower.use(domain, 0, 1)
    assert follower.account(domain)["vpu0"]["used_ms"] == (0 if kind else before["vpu0"]["used_ms"] + 5000)
    follower.rest(domain)
    domain.worker = Worker()
    domain.worker.time = 1_000_000_000
    assert follower.account(domain)["vpu0"]["used_ms"] == (1000 if kind else 8000)


def test_a_coprocessor_has_one_slot_at_once():
    """Though only the warm parent knows what it is, who is not there yet."""
    section = DeviceSection(name="vpu0", driver="v4l2")
    keeps, waits, later = Domain("keeps"), Domain("waits"), Domain("later")
    sharing, follower = Sharing([section], Loop()), Sharing([section], Loop())
    sharing.measure(["vpu0"])
    for domain in (keeps, waits, later):
        sharing.enter(domain)
        follower.enter(domain)
    sharing.want(keeps, 0)
    sharing.want(waits, 0)
    for domain in (keeps, waits, later):
        follower.adopt(domain, through(sharing.hand_over(domain)))
    follower.begin(section)
    follower.want(later, 0)
    assert follower.slots("vpu0") == 1
    assert (waits.worker.leases, later.worker.leases) == ([], [])


def test_words_that_come_before_the_warm_parents_are_heard():
    """A worker's socket and its are read in any order."""
    domain, sharing = Domain("domain"), Sharing([DEVICE], Loop())
    sharing.enter(domain)
    domain.worker.time = 1_000_000_000
    sharing.want(domain, 0)
    sharing.use(domain, 0, 1)
    assert sharing.account(domain)["vpu0"]["used_ms"] == 0


def test_a_worker_that_has_ended_meanwhile_can_be_ended():
    """It was killed between two images and reaped, and its domain does not go on."""
    process = subprocess.Popen(["true"])
    pidfd = os.pidfd_open(process.pid)
    process.wait()
    ours, theirs = socket.socketpair()
    errors, their_errors = os.pipe()
    WorkerState(1, process.pid, pidfd, ours.detach(), errors, b"", 0, 0, (), (), None).end()
    for left in (pidfd, errors):
        with pytest.raises(OSError, match="Bad file"):
            os.fstat(left)
    theirs.close()
    os.close(their_errors)


def test_one_worker_that_cannot_be_born_costs_no_other(monkeypatch):
    def fork():
        raise BlockingIOError(errno.EAGAIN, "no room")

    monkeypatch.setattr(os, "fork", fork)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        zygote = SimpleNamespace(_wire=SocketWire(ours))
        packet = SimpleNamespace(descriptors=(os.dup(0), os.dup(0)))
        Zygote._spawn(zygote, {"spawn": 7, "domain": "web"}, packet)
        assert order_parse(theirs.recv(ORDER_MAX)) == {"ended": 7, "status": 1, "used": 0}
        for descriptor in packet.descriptors:
            with pytest.raises(OSError, match="Bad file"):
                os.fstat(descriptor)
    zygote._wire.close()


def user():
    domain = Domain("user")
    domain.worker.device_rest = lambda _: None
    return domain


def test_power_knows_the_kernels_settings_from_before(tmp_path):
    device = tree(tmp_path, WHOLE)
    before = contents(device)
    domain = user()
    power = Power([DEVICE], [domain], Loop())
    power.manage({"vpu0": [str(device)]})
    power.use(domain, 0, used=True)
    handed = through(power.hand_over())
    power._writer.close()

    loop = Loop()
    follower = Power([DEVICE], [domain], loop)
    follower.adopt(handed)
    assert follower.hand_over().before == handed.before, "also before the drivers are there"
    follower.manage({"vpu0": [str(device)]})
    assert follower.hand_over().users == {"vpu0": ["user"]}
    follower.leave(domain)
    loop.pass_time()
    follower.close()
    assert contents(device) == before


def test_a_device_that_was_left_meanwhile_goes_to_sleep():
    domain, loop = user(), Loop()
    power = Power([DEVICE], [domain], Loop())
    power.use(domain, 0, used=True)
    handed = through(power.hand_over())
    domain.worker = None
    follower = Power([DEVICE], [domain], loop)
    follower.adopt(handed)
    assert follower.state("vpu0") == "on"
    loop.pass_time()
    assert follower.state("vpu0") == "off"


def test_hangs_are_remembered():
    domain, told = test_hangs.Domain("every"), []
    hangs = Hangs(["vpu0"], [domain], lambda: 10.0)
    hangs.hang(domain, 0, stuck=False)
    follower = Hangs(["vpu0"], [domain], lambda: 20.0)
    follower.adopt({name: through(each) for name, each in hangs.hand_over().items()})
    follower.hang(domain, 0, stuck=False)
    told.append(follower.account("vpu0"))
    assert told == [{"hangs": 2, "resets": 1}]


def test_reservations_are_kept():
    admission, bounds = Admission({"vpu0": 100}), Bounds(8, 0)
    admission.reserve("alpha", "vpu0", 3, 60, bounds)
    follower = Admission({"vpu0": 100})
    handed = msgspec.json.decode(msgspec.json.encode(admission.hand_over("alpha")), type=dict[str, dict[int, int]])
    follower.adopt("alpha", handed)
    assert follower.reserve("beta", "vpu0", 1, 50, bounds) == 100
    follower.leave("alpha")
    assert follower.reserve("beta", "vpu0", 1, 50, bounds) is None


def test_what_a_worker_has_not_read_is_said_by_the_next_image():
    async def main():
        async with taken() as both:
            while not both.end._backlog:
                both.end.device_rest(0)
            both.end.device_rest(7)
            both.end.channel_remove(5, lambda: None)
            handed = through(both.end.hand_over())
            assert handed.removals == (5,)
            for descriptor_ready in (both.end._loop.remove_reader, both.end._loop.remove_writer):
                descriptor_ready(handed.socket)
            owner = PlannedOwner()
            copy = handed._replace(socket=os.dup(handed.socket), errors=-1)
            follower = WorkerEnd(1, owner, copy)
            last = []
            while not last or last[-1] != message(
                worker.ChannelRemove.OPCODE, EVENT, 0, 0, worker.ChannelRemove(5).pack()
            ):
                last.append((await both.hear()).message)
            assert last[-2] == message(worker.DeviceRest.OPCODE, EVENT, 0, 0, worker.DeviceRest(7).pack())
            both.say(worker.DeviceWant, worker.DeviceWant(0).pack())
            await both.wait(lambda: owner.heard == ["want"])
            follower.kill()

    asyncio.run(main())


def test_one_that_has_ended_is_not_handed_over():
    async def main():
        async with taken() as both:
            both.end.dismiss()
            assert both.end.hand_over() is None

    asyncio.run(main())


# --- the configuration ----------------------------------------------------------------------------------


def test_another_socket_or_other_devices_are_for_a_restart():
    config = Config(device=(DEVICE,))
    other = msgspec.structs.replace(config, device=(DEVICE, DeviceSection(name="vpu1", driver="null")))
    with pytest.raises(ConfigError, match="must be vpu0"):
        merged(state(), other)
    other = msgspec.structs.replace(config, backend=msgspec.structs.replace(config.backend, socket_mode=0o600))
    with pytest.raises(ConfigError, match="socket_mode"):
        merged(state(), other)


@pytest.mark.parametrize(
    ("wanted", "landlock", "refused"),
    [("required", False, True), ("preferred", False, False), ("required", True, False)],
)
def test_a_rehearsal_knows_of_walls_that_are_missing(wanted, landlock, refused):
    config = Config(backend=BackendSection(sandbox=wanted))
    with pytest.raises(ConfigError, match="is required") if refused else nullcontext():
        check_sandbox(config, {"landlock": landlock, "seccomp": True})


# --- the step itself ------------------------------------------------------------------------------------


class Supervisor:
    """One that has nothing but a socket."""

    stopping = False

    def __init__(self):
        self.done, self.error = [], None
        self.workers = self
        self._pair = socket.socketpair()

    def hand_over(self, file):
        return state(listener=ListenerState("/none", *(end.fileno() for end in self._pair)))

    async def pause(self):
        self.done.append("pause")

    def leave(self):
        self.done.append("leave")

    def refuse_reload(self, complaint):
        self.complaint = complaint

    def give_up(self, error):
        self.error = error

    def close(self):
        for end in self._pair:
            end.close()


@pytest.fixture
def supervisor():
    made = Supervisor()
    yield made
    made.close()


def reload(supervisor, monkeypatch, *command):
    monkeypatch.setattr(_reload, "_command", lambda: list(command))

    async def main():
        reload = Reload(supervisor, Config())
        reload.begin()
        reload.begin()
        await reload._task

    asyncio.run(main())


def test_a_program_that_cannot_be_executed_any_more_ends_the_backend(supervisor, monkeypatch):
    def fail(path, command, environment):
        assert signal.SIGTERM in signal.pthread_sigmask(signal.SIG_BLOCK, [])
        assert all(os.get_inheritable(end.fileno()) for end in supervisor._pair)
        raise FileNotFoundError(2, "it has gone")

    monkeypatch.setattr(os, "execve", fail)
    reload(supervisor, monkeypatch, "/bin/true")
    assert supervisor.done == ["pause", "leave"]
    assert isinstance(supervisor.error, DeviceLost)
    assert not any(os.get_inheritable(end.fileno()) for end in supervisor._pair)
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (("/bin/sh", "-c", "echo one; echo paracore: option: remedy >&2; exit 3"), "option: remedy"),
        (("/bin/false",), "without a word"),
        (("/nonexistent",), "cannot be started"),
    ],
)
def test_a_rehearsal_that_fails_changes_nothing(supervisor, monkeypatch, command, why):
    reload(supervisor, monkeypatch, *command)
    assert supervisor.done == []
    assert why in supervisor.complaint


def test_a_rehearsal_that_never_ends_is_ended(supervisor, monkeypatch):
    monkeypatch.setattr(_reload, "_REHEARSAL", 0.05)
    reload(supervisor, monkeypatch, "/bin/sleep", "1000")
    assert supervisor.done == []
    assert "lasted more than" in supervisor.complaint


def test_a_backend_told_to_stop_meanwhile_stops(supervisor, monkeypatch):
    supervisor.stopping = True
    reload(supervisor, monkeypatch, "/bin/true")
    assert supervisor.done == ["pause"]
    assert supervisor.error is None
