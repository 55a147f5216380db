# SPDX-License-Identifier: Apache-2.0
"""On the real hypervisor: what a user does in a guest, and how much memory a guest can share."""

import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from testbed import Scene
from tests.unit.media.films import film

pytestmark = pytest.mark.timeout(900)

GUEST = "d1"
PATIENCE = 200
"""Seconds; the board shares its processors with whatever else the host does."""
LIMIT = "/sys/module/xen_gntalloc/parameters/limit"


@pytest.fixture(scope="module")
def scene(board):
    with Scene(board) as scene:
        scene.serve()
        scene.frontend(GUEST, "--backend-timeout", "60")
        scene.attach(GUEST, "vpu0")
        yield scene
        scene.detach(GUEST, "--force", timeout=PATIENCE)


def decoded(scene, domain, octets):
    scene.board.write_file(domain, "/tmp/film.mp4", octets)
    command = ("paracore", "decode", "/tmp/film.mp4", "--framehash", "--quiet")
    return scene.board.run(domain, *command, timeout=PATIENCE).output


def test_a_film_is_the_same_in_the_guest_and_in_dom0(scene):
    octets = Path(film("h264.mp4")).read_bytes()
    pictures = decoded(scene, GUEST, octets)
    assert pictures == decoded(scene, "dom0", octets)
    assert pictures.count("\n") > 20
    reports = [domain["worker"]["report"] for domain in scene.status()["domains"] if domain["worker"]]
    assert sum(report["counts"]["copies"] for report in reports) == 0


def plain(path):
    """MD5 of each picture, as ffmpeg decodes it on the host."""
    words = ("ffmpeg", "-nostdin", "-v", "error", "-i", path, "-f", "framemd5", "-")
    return hashes(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def hashes(text):
    return [line.split()[-1] for line in text.splitlines() if not line.startswith("#")]


def test_two_guests_decode_different_films_at_once(scene, guests):
    scene.frontend(guests[1], "--backend-timeout", "60")
    scene.attach(guests[1], "vpu0")
    films = [Path(film(name)) for name in ("h264.mp4", "hevc.mp4")]
    try:
        with ThreadPoolExecutor() as pool:
            said = pool.map(lambda guest, path: decoded(scene, guest, path.read_bytes()), guests, films)
            assert [hashes(text) for text in said] == [plain(path) for path in films]
    finally:
        scene.detach(guests[1], "--force", timeout=PATIENCE)


def test_the_doctor_finds_a_guest(scene):
    said = scene.board.run(GUEST, "paracore", "doctor", check=False, timeout=PATIENCE).output
    assert "a guest" in said
    assert f"this user is domain {GUEST}" in said


def granted(board, guest, count):
    command = ("python3", "-m", "tests.system.granter", str(count))
    return board.run(guest, *command, directory="/opt/paracore", timeout=PATIENCE).output.strip()


def test_beyond_the_kernels_limit_it_is_named(scene):
    """Buffers of 2,048 pages; the control ring and the channel's take some more."""
    board = scene.board
    before = board.read_file(GUEST, LIMIT).decode()
    board.write_file(GUEST, LIMIT, b"5000\n")
    try:
        assert granted(board, GUEST, 3) == "refused NO_SPACE GRANTS after 2"
    finally:
        board.write_file(GUEST, LIMIT, before.encode())
    assert granted(board, GUEST, 3) == "granted 24 MiB"


def test_a_guest_shares_128_mib(scene):
    """More than the table of a guest as it comes holds: 32,768 entries, some of which its other devices need."""
    board = scene.board
    board.create_guest("large", memory=512, more="max_grant_frames = 128")
    try:
        scene.frontend("large", "--backend-timeout", "60")
        scene.attach("large", "vpu0")
        assert granted(board, "large", 16) == "granted 128 MiB"
    finally:
        board.destroy_guest("large")
