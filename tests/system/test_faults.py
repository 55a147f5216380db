# SPDX-License-Identifier: Apache-2.0
"""On the real hypervisor: guests that are destroyed, detached and hostile; a backend and daemons that are killed.

Nothing may stay mapped: Xen keeps a domain for as long as anybody has one of its pages, and dom0's kernel tells who.
"""

import time

import pytest

from paracore.testing import ATTACKS
from testbed import DomainLost, Scene

pytestmark = pytest.mark.timeout(900)

GUEST = "d1"
PATIENCE = 180
"""Seconds; the board shares its processors with whatever else the host does."""
CONFIGURATION = """
[[device]]
name = "vpu0"
driver = "null"
[[domain]]
name = "dom0"
user = 0
"""
BACKEND_TIMEOUT = 10
"""Seconds that a daemon waits for the backend's answers, if it is not told otherwise."""
SPANS = 16
"""That a player lends: so many pictures are on their way at most."""
ROUNDS = 200
MAPPED = "cat /proc/[0-9]*/maps 2>/dev/null | grep -c /dev/xen/gntdev || true"


class Faults(Scene):
    """A backend, one guest that is attached, and what the tests look at."""

    def begin(self):
        self._others = 0
        self._others = self.mapped()
        self.server = self.serve(CONFIGURATION)
        self.daemon = self.frontend(GUEST)
        self.connect()

    def connect(self):
        """Attaches the guest, and looks for itself: longer than the command would."""
        self.board.run("dom0", "paracore", "attach", GUEST, "vpu0", "--no-wait", timeout=PATIENCE)
        wait_until(lambda: self.states() == ["4", "4"], "it is not connected")

    def player(self, *count, guest=GUEST):
        """A program of a guest."""
        return self.board.start(guest, "python3", "-m", "tests.system.player", *count, directory="/opt/paracore")

    def playing(self):
        player = self.player()
        player.wait_output("plays", timeout=PATIENCE)
        return player

    def plays(self, guest=GUEST):
        """Whether a guest is served."""
        with self.player("5", guest=guest) as player:
            player.wait_output("played", timeout=PATIENCE)

    def shown(self):
        """Pictures that the guest's worker has made so far; on a busy host it may not say so at once."""
        reports = []
        wait_until(lambda: reports.append(self.domain()["worker"]["report"]) or reports[-1], "it does not report")
        return reports[-1]["counts"]["outputs"]

    def mapped(self):
        """Mappings of guests' pages in all processes of dom0, without those of Xen's own: consoles."""
        return int(self.board.run("dom0", "sh", "-c", MAPPED).output) - self._others

    def domain(self):
        domains = {domain["name"]: domain for domain in self.status()["domains"]}
        return domains.get(GUEST)

    def states(self):
        paths = (f"/local/domain/{self.board.domid(GUEST)}/device", "/local/domain/0/backend")
        frontend = f"{paths[0]}/paracore/0/state"
        backend = f"{paths[1]}/paracore/{self.board.domid(GUEST)}/0/state"
        return self.board.run("dom0", "xenstore-read", frontend, backend, check=False).output.split()

    def leave(self, *options):
        self.detach(GUEST, *options, timeout=PATIENCE)


def wait_until(holds, what):
    until = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < until, what
        time.sleep(0.5)  # each look is a command in dom0, on an emulated processor


@pytest.fixture
def scene(sound_board, guests):
    assert GUEST in guests
    with Faults(sound_board) as scene:
        scene.begin()
        yield scene
        if scene.domain():
            scene.leave("--force")


def test_a_guest_plays(scene):
    with scene.playing():
        assert scene.domain()["held"]["channels"] == 1
        assert scene.mapped() == 4  # control ring; in the worker the channel's ring and two buffers
    wait_until(lambda: scene.domain()["held"]["channels"] == 0, "its channel is still there")
    assert scene.mapped() == 1


def test_detach_in_the_middle_of_a_stream(scene):
    with scene.playing() as player:
        scene.leave()
        player.wait_output("ended detached", timeout=PATIENCE)
    assert scene.domain() is None
    assert scene.mapped() == 0


def test_detach_by_force_in_the_middle_of_a_stream(scene):
    with scene.playing() as player:
        scene.leave("--force")
        player.wait_output("ended detached", timeout=PATIENCE)
    wait_until(lambda: scene.mapped() == 0, "pages are mapped")
    assert scene.domain() is None


def test_a_paused_guest_goes_on(scene, guests):
    """After longer than its daemon waits for the backend; another guest is served meanwhile."""
    other = guests[1]
    scene.frontend(other)
    scene.attach(other, "vpu0")
    with scene.playing() as player:
        scene.board.run("dom0", "xl", "pause", GUEST)
        try:
            until, shown = time.monotonic() + 2 * BACKEND_TIMEOUT, scene.shown()
            while time.monotonic() < until:
                scene.plays(other)
            worker, stood = scene.domain()["worker"]["pid"], scene.shown()
            assert stood <= shown + SPANS
        finally:
            scene.board.run("dom0", "xl", "unpause", GUEST)
        wait_until(lambda: scene.shown() > stood + SPANS, "it does not go on")
        assert player.is_running()
        assert scene.domain()["worker"]["pid"] == worker
    scene.detach(other, "--force", timeout=PATIENCE)


def test_a_killed_worker(scene):
    with scene.playing() as player:
        scene.board.run("dom0", "kill", "-9", str(scene.domain()["worker"]["pid"]))
        player.wait_output("ended worker_lost", timeout=PATIENCE)
    scene.plays()


def test_a_killed_supervisor_is_followed_by_another(scene):
    with scene.playing() as player:
        scene.board.run("dom0", "kill", "-9", str(scene.status()["pid"]))
        scene.server.wait(PATIENCE)
        assert scene.mapped() == 0
        scene.server = scene.serve(CONFIGURATION)
        player.wait_output("ended", timeout=PATIENCE)
    wait_until(lambda: scene.states() == ["4", "4"], "it is not connected again")
    scene.plays()


def test_a_reloaded_supervisor_has_all_it_had(scene):
    """Rings, grants and the worker go on in its next program image; the program notices nothing."""
    with scene.playing() as player:
        worker = scene.domain()["worker"]["pid"]
        for _ in range(2):
            scene.board.run("dom0", "paracore", "reload", timeout=PATIENCE)
        assert scene.status()["statistics"]["reloads"] == 2
        shown = scene.shown()
        wait_until(lambda: scene.shown() > shown + SPANS, "it does not play on")
        assert player.is_running()
        assert scene.domain()["worker"]["pid"] == worker
        assert scene.mapped() == 4
        scene.plays()
    wait_until(lambda: scene.mapped() == 1, "pages are mapped")
    scene.leave()
    assert scene.mapped() == 0
    counts = scene.status()["transports"]
    assert counts["mapped"] == counts["unmapped"] > 0
    assert counts["bound"] == counts["unbound"] > 0


def test_a_killed_daemon_is_followed_by_another(scene):
    with scene.playing() as player:
        scene.board.run(GUEST, "pkill", "-9", "-f", "paracore frontend")
        player.wait_output("ended", timeout=PATIENCE)
        scene.daemon = scene.frontend(GUEST)
        scene.plays()
    wait_until(lambda: scene.mapped() == 1, "pages are mapped")


def test_a_program_and_its_daemon_killed_together(scene):
    """Their grants are revoked while the worker has the pages mapped; the kernel keeps them until it lets go."""
    with scene.playing():
        scene.board.run(GUEST, "pkill", "-9", "-f", "paracore frontend|tests.system.player")
        scene.daemon = scene.frontend(GUEST)
        scene.plays()
    wait_until(lambda: scene.mapped() == 1, "pages are mapped")


def test_hostile_programs(scene):
    """Every attack there is, rings of the event channel without end among them, beside a program that plays on."""
    with scene.playing() as player:
        worker = scene.domain()["worker"]["pid"]
        attacks = scene.board.run(
            GUEST,
            "python3",
            "-m",
            "tests.system.hostile",
            "0",
            str(len(ATTACKS)),
            directory="/opt/paracore",
            timeout=PATIENCE,
        )
        assert attacks.output.splitlines()[-1] == "survived"
        assert len(attacks.output.splitlines()) == len(ATTACKS) + 1
        assert player.is_running()
        assert scene.domain()["worker"]["pid"] == worker
        scene.plays()
    wait_until(lambda: scene.mapped() == 1, "pages are mapped")


def test_nodes_that_a_guest_rewrites(scene):
    """It writes what it likes into its own directory: at worst it loses its device until it begins anew."""
    nodes = f"/local/domain/{scene.board.domid(GUEST)}/device/paracore/0"
    flood = f"for i in $(seq 200); do xenstore-write {nodes}/state $((i % 9)) {nodes}/ring-ref $i; done; true"
    scene.board.run(GUEST, "sh", "-c", flood, timeout=PATIENCE)
    scene.board.run(GUEST, "xenstore-rm", f"{nodes}/ring-ref")
    assert scene.server.is_running()
    scene.daemon.close()
    scene.daemon = scene.frontend(GUEST)
    wait_until(lambda: scene.states() == ["4", "4"], "it is not connected again")
    scene.plays()


def test_attached_and_detached_for_ever(scene):
    """As a toolstack that stays would, so that it is not a test of how fast Python starts."""
    scene.plays()
    scene.leave()
    command = ("python3", "-m", "tests.system.attacher", GUEST, str(ROUNDS))
    said = scene.board.run("dom0", *command, directory="/opt/paracore", timeout=5 * PATIENCE).output
    assert said.split()[-1] == str(ROUNDS)
    assert scene.mapped() == 0
    counts = scene.status()["transports"]
    assert counts["mapped"] == counts["unmapped"] > ROUNDS
    assert counts["bound"] == counts["unbound"] > ROUNDS
    assert scene.status()["domains"][1:] == []
    assert "(null)" not in scene.board.run("dom0", "xl", "list").output
    scene.connect()
    scene.plays()


def test_a_guest_that_reboots_is_attached_again(scene):
    with scene.board.start("dom0", "paracore", "attach", GUEST, "vpu0", "--stay") as staying, scene.playing():
        number = scene.board.reboot_guest(GUEST)
        staying.wait_output(f"guest {number}", timeout=PATIENCE)
        scene.daemon = scene.frontend(GUEST)
        scene.plays()
    assert [domain["identities"] for domain in scene.status()["domains"][1:]] == [[f"domid:{number}"]]


def destroy(scene):
    scene.board.destroy_guest(GUEST)


def shut_down(scene):
    """As ``xl shutdown`` asks a guest to."""
    scene.board.run("dom0", "xl", "shutdown", "-w", GUEST, timeout=PATIENCE)


def panic(scene):
    """A guest whose kernel gives up: the toolstack destroys it."""
    with pytest.raises(DomainLost):
        scene.board.run(GUEST, "sh", "-c", "echo c >/proc/sysrq-trigger", timeout=PATIENCE)


@pytest.mark.parametrize("end", [destroy, shut_down, panic])
def test_a_guest_that_ends_is_forgotten_by_xen(scene, end):
    """In mid-stream. As long as one page is mapped, Xen would list the domain, without a name."""
    domid = scene.board.domid(GUEST)
    with scene.playing():
        worker = scene.domain()["worker"]["pid"]
        end(scene)
        wait_until(lambda: scene.domain() is None, "it is still served")
        wait_until(lambda: scene.mapped() <= 0, "pages are mapped")  # its console's have gone, too
    wait_until(lambda: str(domid) not in domids(scene.board), "Xen still lists it")
    assert scene.board.run("dom0", "kill", "-0", str(worker), check=False).status
    path = f"/local/domain/0/backend/paracore/{domid}"
    wait_until(lambda: scene.board.run("dom0", "xenstore-exists", path, check=False).status, "its nodes are there")


def domids(board):
    return [line.split()[1] for line in board.run("dom0", "xl", "list").output.splitlines()[1:]]
