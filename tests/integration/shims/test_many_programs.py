# SPDX-License-Identifier: Apache-2.0
"""Programs of two APIs in two domains at once: each gets its own pictures, all of them, and nothing stays behind."""

import hashlib
import os
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from threading import Event

import pytest

from tests import clips
from tests.integration.backends import BETA, needs_root, wait_until
from tests.integration.shims.conftest import NATIVE

SECONDS, LONG = 6, 60
PATIENCE = 60  # seconds more for all four to be seen at work at one time
PLUGIN = "gstreamer-1.0/libgstomx.so"
SIZE = 352 * 288 * 3 // 2
USERS = {"alpha": os.geteuid(), "beta": BETA}

_OMX = """[omxh264dec]
type-name=GstOMXH264Dec
core-name={core}
component-name=OMX.paracore.video_decoder.avc
rank=0
in-port-index=0
out-port-index=1
"""

COMMANDS = {
    "v4l2": "ffmpeg -nostdin -v error -c:v h264_v4l2m2m -i {film} -fps_mode passthrough -pix_fmt yuv420p -f rawvideo -",
    "omx": "gst-launch-1.0 -q filesrc location={film} ! matroskademux ! h264parse ! omxh264dec ! fdsink",
}


@pytest.fixture
def device(make_backend):
    if not shutil.which("ffmpeg") or not any(Path("/usr/lib").glob(f"*/{PLUGIN}")):
        pytest.skip("there is no ffmpeg, or no gst-omx, here: packaging/install-packages test")
    return make_backend(driver="libav")


@pytest.fixture
def film(device):
    """Where other users may read it."""
    return Path(shutil.copy(clips.film("h264", pictures=200), device.folder))


@pytest.fixture
def program(device, film):
    """What makes one API's program of one domain: a command, and how to run it."""
    for library in ("libparacore-v4l2.so", "libparacore-omx.so"):
        shutil.copy(NATIVE / library, device.folder)

    def make(domain, api):
        own = device.folder / f"{domain}-{api}"
        own.mkdir()
        (own / "gstomx.conf").write_text(_OMX.format(core=device.folder / "libparacore-omx.so"), encoding="utf-8")
        os.chown(own, USERS[domain], USERS[domain])
        more = {
            "v4l2": {"LD_PRELOAD": str(device.folder / "libparacore-v4l2.so")},
            "omx": {"GST_OMX_CONFIG_DIR": str(own), "GST_REGISTRY": str(own / "registry.bin")},
        }
        plain = {"PATH": os.environ["PATH"], "HOME": str(own), "PARACORE_SOCKET": device.address}
        who = {"user": USERS[domain], "group": USERS[domain], "extra_groups": []}
        return COMMANDS[api].format(film=film).split(), {"env": plain | more[api], "cwd": own, **who}

    return make


def decode_until(over, command, settings):
    """Runs it again and again, twice at least; the digests of each run's pictures."""
    runs = []
    while not over.is_set() or len(runs) < 2:
        done = subprocess.run(command, capture_output=True, timeout=60, check=False, **settings)
        assert done.returncode == 0, f"{command[0]}: {done.stderr.decode()[-2000:]}"
        runs.append(pictures(done.stdout))
    return runs


def pictures(octets):
    assert len(octets) % SIZE == 0
    return [hashlib.md5(octets[at : at + SIZE]).hexdigest() for at in range(0, len(octets), SIZE)]


def sessions(status):
    """How many each domain has."""
    reports = {each["name"]: (each["worker"] or {}).get("report") for each in status["domains"]}
    return {
        name: sum(len(channel["sessions"]) for channel in (report or {"channels": []})["channels"])
        for name, report in reports.items()
        if name in USERS
    }


def rest(device):
    """What is left: this asks from within alpha, over a connection of its own without a channel."""
    status = device.status()
    held = {each["name"]: each["held"] for each in status["domains"] if each["name"] in USERS}
    return sum(sessions(status).values()) + sum(
        each[what] for each in held.values() for what in ("channels", "buffers", "bytes")
    )


@needs_root
@pytest.mark.timeout(240)
def test_four_programs_of_two_domains(device, film, program, request):
    command = ["ffmpeg", "-nostdin", "-v", "error", "-i", film, "-f", "rawvideo", "-pix_fmt", "yuv420p", "-"]
    expected = pictures(subprocess.run(command, check=True, capture_output=True).stdout)
    assert len(expected) == 200
    begun, least = time.monotonic(), LONG if request.config.getoption("--long") else SECONDS
    together, over = False, Event()
    with ThreadPoolExecutor() as pool:
        running = {
            (domain, api): pool.submit(decode_until, over, *program(domain, api))
            for domain in USERS
            for api in COMMANDS
        }
        while wait(running.values(), timeout=0.05).not_done:
            together |= sessions(device.status()) == {"alpha": 2, "beta": 2}
            lasted = time.monotonic() - begun
            if lasted > (least if together else least + PATIENCE):
                over.set()
    for who, runs in running.items():
        for count, shown in enumerate(runs.result()):
            assert shown == expected, f"{who}, run {count}"
    assert together
    wait_until(lambda: rest(device) == 0, "something is left")
    for domain in device.status()["domains"]:
        assert domain["violations"] == domain["workers_lost"] == 0
