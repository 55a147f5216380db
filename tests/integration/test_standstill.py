# SPDX-License-Identifier: Apache-2.0
"""A program that is stopped in mid-stream, for longer than any deadline of the device: it loses nothing and keeps nobody waiting."""

import os
import shutil
import signal
import time

import pytest

import paracore
from paracore.media import FrameHash, demux
from tests import clips
from tests.integration.backends import BETA, PATIENCE, Guest, needs_root, wait_until

pytestmark = [needs_root, pytest.mark.timeout(120)]

DEADLINE = 0.5
BEFORE = 5
"""Pictures that the program gets before it is stopped."""
DEVICE = f"slots = 1\njob_deadline = {DEADLINE}\noptions = {{ threads = 1 }}"


@pytest.fixture
def device(make_backend):
    """A backend with one device, that does one thing at a time and takes half a second for a hang."""
    if not shutil.which("ffmpeg"):
        pytest.skip("there is no ffmpeg here: packaging/install-packages test")
    return make_backend(driver="libav", device=DEVICE)


@pytest.fixture
def film(device):
    """Where the other users may read it."""
    return shutil.copy(clips.film("h264", size="320x240", pictures=100), device.folder / "film.mkv")


def decoded(address, film, met=lambda _: None):
    """What a program sees; `met` is called with the number of each picture."""
    with (
        demux(film) as stream,
        paracore.open(address, on_loss="fail") as domain,
        domain.devices["vpu0"].decoder(stream.codec, threads=1) as decoder,
    ):
        hashes = []
        for number, picture in enumerate(decoder.decode(stream)):
            hashes.append(FrameHash.digest(picture))
            picture.release()
            met(number)
        return hashes


def test_a_stopped_program_goes_on_and_others_did_not_wait(device, film):
    def stop(number):
        if number == BEFORE:
            os.kill(os.getpid(), signal.SIGSTOP)

    program = Guest(BETA, lambda _: decoded(device.address, film, stop))
    _, status = os.waitpid(program.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    worker, until = device.worker("beta"), time.monotonic() + 4 * DEADLINE
    whole = decoded(device.address, film)
    while time.monotonic() < until:
        began = time.monotonic()
        assert decoded(device.address, film) == whole
        assert time.monotonic() - began < PATIENCE
    domain = device.domain("beta")
    assert (domain["worker"]["pid"], domain["workers_lost"], domain["held"]["channels"]) == (worker, 0, 1)
    os.kill(program.pid, signal.SIGCONT)
    assert program.result(timeout=60) == whole
    assert device.status()["devices"][0]["hangs"] == 0


def test_a_stopped_program_that_is_killed_leaves_nothing(device, film):
    def stop(number):
        if number == BEFORE:
            os.kill(os.getpid(), signal.SIGSTOP)

    program = Guest(BETA, lambda _: decoded(device.address, film, stop))
    os.waitpid(program.pid, os.WUNTRACED)
    program.kill()
    wait_until(lambda: device.domain("beta")["held"]["channels"] == 0, "its channel is still there")
    assert len(decoded(device.address, film)) == 100
