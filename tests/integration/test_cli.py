# SPDX-License-Identifier: Apache-2.0
"""The command line as a user types it: a process of its own, files, pipes and terminals."""

import importlib
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from random import Random

import pytest

from paracore.backend import PrivateBackend
from paracore.cli import ExitCode, main
from tests import clips
from tests.integration.backends import needs_root
from tests.unit.media.films import copied, cut, film, sound

PROGRAM = [sys.executable, "-m", "paracore"]


@pytest.fixture(scope="module")
def address():
    with PrivateBackend() as backend:
        yield backend.address


@pytest.fixture
def environment(address):
    return os.environ | {"PARACORE_SOCKET": address}


@pytest.fixture
def paracore(environment, tmp_path):
    """Runs the program in an empty folder and returns how it ended."""

    def run(*words, stdin=subprocess.DEVNULL, **options):
        command = [*PROGRAM, *map(str, words)]
        settings = {"cwd": tmp_path, "env": environment, "stdin": stdin, "capture_output": True, "timeout": 60}
        return subprocess.run(command, check=False, **settings | options)

    return run


def ffmpeg(*words):
    return subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "quiet", *map(str, words), "-"], check=False, capture_output=True
    ).stdout


def complaint(done):
    """What it said on standard error, which has to be one line."""
    text = done.stderr.decode()
    assert text.startswith("paracore: "), text
    assert text.count("\n") == 1, text
    return text[len("paracore: ") : -1]


# --- decode -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["h264.mp4", "h264-interlaced.ts", "mpeg2.mkv", "mjpeg.mkv", "av1.webm", "anamorphic.mkv"]
)
def test_y4m_is_ffmpegs(paracore, tmp_path, name):
    done = paracore("decode", film(name), "-o", "x.y4m")
    assert done.returncode == 0
    assert done.stdout.startswith(b"20 pictures in ")
    assert done.stderr == b""
    expected = ffmpeg("-i", film(name), "-fps_mode", "passthrough", "-f", "yuv4mpegpipe")
    assert (tmp_path / "x.y4m").read_bytes() == expected


def test_bare_samples_are_ffmpegs(paracore, tmp_path):
    assert paracore("decode", film("h264-10.mkv"), "-o", "x.yuv").returncode == 0
    expected = ffmpeg("-i", film("h264-10.mkv"), "-fps_mode", "passthrough", "-f", "rawvideo")
    assert (tmp_path / "x.yuv").read_bytes() == expected


def test_framehash_is_framemd5(paracore):
    done = paracore("decode", film("h264.mp4"), "--framehash")
    expected = ffmpeg("-i", film("h264.mp4"), "-map", "0:v", "-f", "framemd5")

    def lines(octets):
        return [line for line in octets.decode().splitlines() if "#software" not in line]

    assert lines(done.stdout) == lines(expected)


def test_some_pictures_only(paracore):
    done = paracore("decode", film("h264.mp4"), "--framehash", "--frames", 3)
    assert len([line for line in done.stdout.splitlines() if not line.startswith(b"#")]) == 3
    assert done.returncode == 0


def test_another_pixel_format(paracore, tmp_path):
    assert paracore("decode", film("h264.mp4"), "-o", "x.rgb", "--format", "rgb24", "--frames", 2).returncode == 0
    assert (tmp_path / "x.rgb").stat().st_size == 2 * 176 * 144 * 3


def test_hashes_of_another_pixel_format(paracore):
    done = paracore("decode", film("h264.mp4"), "--framehash", "--format", "rgb24", "--frames", 1)
    assert done.stdout.splitlines()[-1].split(b",")[4].strip() == str(176 * 144 * 3).encode()


def test_a_change_of_size_is_scaled_to_the_first(paracore, tmp_path):
    octets = b"".join(clips.clip(name).path.read_bytes() for name in ("h264", "h264-cropped"))
    (tmp_path / "in.h264").write_bytes(octets)
    assert paracore("decode", "in.h264", "-o", "x.yuv").returncode == 0
    assert (tmp_path / "x.yuv").stat().st_size == 40 * 176 * 144 * 3 // 2


def test_from_and_to_a_pipe(paracore):
    with open(film("h264.mkv"), "rb") as file:  # noqa: PTH123 - to be inherited
        done = paracore("decode", "-", "-o", "-", stdin=file)
    assert done.stdout.startswith(b"YUV4MPEG2 W176 H144 ")
    assert len(done.stdout) > 20 * 176 * 144 * 3 // 2


def test_bare_samples_to_a_pipe(paracore):
    done = paracore("decode", film("h264.mkv"), "-o", "-", "--raw", "--json")
    assert len(done.stdout) == 20 * 176 * 144 * 3 // 2
    assert json.loads(done.stderr)["pictures"] == 20


def test_a_bare_stream_without_a_name(paracore):
    with open(film("h264.h264"), "rb") as file:  # noqa: PTH123 - as above
        done = paracore("decode", "-", "--input-codec", "h264", "--json", stdin=file)
    assert json.loads(done.stdout) | {"seconds": 0} == {
        "pictures": 20,
        "damaged": 0,
        "seconds": 0,
        "codec": "h264",
        "device": "vpu0",
    }


def test_quiet(paracore):
    done = paracore("decode", film("h264.mp4"), "-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_a_private_backend_is_started_when_none_runs(tmp_path):
    environment = {key: value for key, value in os.environ.items() if key != "PARACORE_SOCKET"}
    command = [*PROGRAM, "decode", film("h264.mp4"), "--private", "--json"]
    done = subprocess.run(command, check=True, capture_output=True, env=environment, cwd=tmp_path)
    assert json.loads(done.stdout)["pictures"] == 20


# --- encode and transcode -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("codec", "name"), [("h264", "x.mp4"), ("hevc", "x.mkv"), ("vp9", "x.mp4"), ("av1", "x.webm"), ("mjpeg", "x.mkv")]
)
def test_encode(paracore, tmp_path, codec, name):
    assert paracore("decode", film("h264.mp4"), "-o", "in.y4m").returncode == 0
    speed = () if codec == "mjpeg" else ("--preset", 0)
    done = paracore("encode", "in.y4m", "-o", name, "--codec", codec, *speed, "--json")
    assert json.loads(done.stdout)["pictures"] == 20
    assert json.loads(done.stdout)["octets"] > 1000
    assert ffmpeg("-i", tmp_path / name, "-f", "framemd5").count(b"\n0,") == 20


def test_encode_from_and_to_a_pipe(paracore, tmp_path):
    paracore("decode", film("h264.mp4"), "-o", "in.y4m")
    with (tmp_path / "in.y4m").open("rb") as file:
        done = paracore("encode", "-", "-o", "-", "--bitrate", "300k", "--gop", 5, stdin=file)
    (tmp_path / "x.h264").write_bytes(done.stdout)
    assert ffmpeg("-i", tmp_path / "x.h264", "-f", "framemd5").count(b"\n0,") == 20


def test_encode_bare_samples(paracore, tmp_path):
    paracore("decode", film("h264.mp4"), "-o", "in.nv12", "--format", "nv12")
    words = ("--size", "176x144", "--format", "nv12", "--rate", "30000/1001", "--frames", 7, "-q")
    assert paracore("encode", "in.nv12", "-o", "x.mkv", "--codec", "vp9", "--preset", 0, *words).returncode == 0
    lines = ffmpeg("-i", tmp_path / "x.mkv", "-f", "framemd5")
    assert lines.count(b"\n0,") == 7
    assert b"#tb 0: 1001/30000" in lines


@pytest.mark.parametrize(
    ("name", "codec", "target"),
    [
        ("h264.mp4", "vp9", "x.webm"),
        ("uneven.mp4", "h264", "x.mkv"),
        ("h264-10.mkv", "hevc", "x.mp4"),
        ("mjpeg.avi", "h264", "x.ts"),
    ],
)
def test_transcode(paracore, tmp_path, name, codec, target):
    done = paracore("transcode", film(name), "-o", target, "--codec", codec, "--preset", 0)
    assert done.returncode == 0, done.stderr

    def stamps(path):
        words = ("-i", path, "-fps_mode", "passthrough", "-enc_time_base", "1:25", "-f", "framemd5")
        return [line.split(b",")[2] for line in ffmpeg(*words).splitlines() if not line.startswith(b"#")]

    assert stamps(tmp_path / target) == stamps(film(name))


def test_transcode_some_pictures(paracore, tmp_path):
    assert paracore("transcode", film("h264.mp4"), "-o", "x.mp4", "--frames", 4).returncode == 0
    assert ffmpeg("-i", tmp_path / "x.mp4", "-f", "framemd5").count(b"\n0,") == 4


# --- list, serve --------------------------------------------------------------------------------------------


def test_list(paracore):
    text = paracore("list").stdout.decode()
    assert "device vpu0 (libav)" in text
    assert "domain private (uid:" in text
    assert "formats" in paracore("list", "--codecs").stdout.decode()
    assert json.loads(paracore("list", "--json").stdout)["devices"][0]["name"] == "vpu0"


def test_list_for_a_domain(paracore):
    """What is seen by who may not ask for the backend's own account."""
    text = paracore("list", "--private").stdout.decode()
    assert "decode  h264" in text
    assert "domain private" in text


def test_serve_until_told_to_stop(tmp_path):
    address = tmp_path / "my.sock"
    backend = subprocess.Popen([*PROGRAM, "serve", "--address", address], stderr=subprocess.PIPE)
    try:
        until = time.monotonic() + 20
        while not address.exists():
            assert time.monotonic() < until
            time.sleep(0.01)
        command = [*PROGRAM, "decode", film("h264.mp4"), "--address", str(address), "-q"]
        assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    finally:
        backend.send_signal(signal.SIGTERM)
        backend.communicate(timeout=20)
    assert backend.returncode == 0
    assert not address.exists()


def test_a_configuration_can_be_checked(paracore, tmp_path):
    (tmp_path / "good.toml").write_text(
        '[backend]\nsocket = "/tmp/x.sock"\n[[device]]\nname = "vpu0"\ndriver = "null"\n'
    )
    done = paracore("serve", "--config", "good.toml", "--check")
    assert done.returncode == 0, done.stderr
    assert b"vpu0 (null)" in done.stdout
    (tmp_path / "bad.toml").write_text("[backend]\nsocked = 1\n")
    done = paracore("serve", "--config", "bad.toml", "--check")
    assert done.returncode == ExitCode.CONFIG
    assert "socked" in complaint(done)


# --- bad input and faults -----------------------------------------------------------------------------------


@pytest.fixture
def wrong(tmp_path):
    """Files that are no good, by name."""
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("hello\n")
    (tmp_path / "noise.mkv").write_bytes(Random(1).randbytes(20_000))
    (tmp_path / "folder.mp4").mkdir()
    shutil.copy(sound(), tmp_path)
    cut("h264.mp4", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none.mp4", "No such file"),
        ("empty.mp4", "is empty"),
        ("text.mp4", "not a media file"),
        ("noise.mkv", "not a media file"),
        ("folder.mp4", "Is a directory"),
        ("sound.m4a", "holds no video"),
        ("h264.mp4", "cut short"),
    ],
)
@pytest.mark.parametrize("command", ["decode", "transcode"])
def test_input_that_cannot_be_used(paracore, wrong, command, name, words):
    done = paracore(command, name, "-o", "out.mkv")
    assert done.returncode == ExitCode.INPUT
    assert name in complaint(done)
    assert words in complaint(done)
    assert not (wrong / "out.mkv").exists()


@pytest.mark.parametrize("name", ["h264-front.mp4", "h264.mkv", "vp9.webm"])
def test_input_cut_short(paracore, tmp_path, name):
    path = cut(name, tmp_path)
    done = paracore("decode", path, "-o", "x.y4m", "-q")
    assert done.returncode == ExitCode.DAMAGED
    assert "is cut short; " in complaint(done)
    expected = ffmpeg("-i", path, "-fps_mode", "passthrough", "-f", "yuv4mpegpipe")
    assert (tmp_path / "x.y4m").read_bytes() == expected


def test_damaged_input(paracore, tmp_path):
    octets = bytearray(clips.clip("h264").path.read_bytes())
    octets[3000::700] = b"\x55" * len(octets[3000::700])
    (tmp_path / "x.h264").write_bytes(octets)
    done = paracore("decode", "x.h264", "-o", "x.yuv", "-q")
    assert done.returncode == ExitCode.DAMAGED
    assert "damaged pictures" in complaint(done)
    assert (tmp_path / "x.yuv").stat().st_size % (176 * 144 * 3 // 2) == 0


def test_a_codec_that_the_device_lacks(paracore):
    done = paracore("transcode", film("h264.mp4"), "-o", "x.mkv", "--codec", "vp8")
    assert done.returncode == ExitCode.INPUT
    assert "can encode vp8; they can encode" in complaint(done)


@pytest.mark.parametrize(
    "words",
    [
        ("decode", "IN", "--format", "rgb25"),
        ("decode", "IN", "--device", "vpu9"),
        ("decode", "IN", "--framehash", "-o", "-"),
        ("decode", "IN", "-o", "IN"),
        ("encode", "IN", "-o", "x.mp4"),
        ("encode", "x.yuv", "-o", "x.mp4", "--size", "4x4", "--format", "rgb25"),
        ("transcode", "IN", "-o", "x.xyz"),
        ("transcode", "IN", "-o", "x.webm", "--codec", "h264"),
        ("serve",),
    ],
)
def test_command_lines_that_make_no_sense(paracore, tmp_path, words):
    (tmp_path / "x.yuv").write_bytes(bytes(100))
    path = copied("h264.mp4", tmp_path)
    before = (tmp_path / "h264.mp4").read_bytes()
    done = paracore(*(path if word == "IN" else word for word in words))
    assert done.returncode == ExitCode.USAGE
    assert complaint(done)
    assert (tmp_path / "h264.mp4").read_bytes() == before


def test_raw_input_of_another_size(paracore, tmp_path):
    (tmp_path / "x.yuv").write_bytes(bytes(100_000))
    done = paracore("encode", "x.yuv", "-o", "x.mp4", "--size", "176x144", "-q")
    assert done.returncode == ExitCode.INPUT
    assert "--size or --format is wrong" in complaint(done)


def test_a_control_that_the_encoder_lacks(paracore, tmp_path):
    (tmp_path / "x.yuv").write_bytes(bytes(24))
    done = paracore("encode", "x.yuv", "-o", "x.mkv", "--size", "4x4", "--codec", "mjpeg", "--preset", 3)
    assert done.returncode == ExitCode.INPUT
    assert "mjpeg encoder has no preset" in complaint(done)


def test_a_size_that_no_encoder_takes(paracore, tmp_path):
    (tmp_path / "x.yuv").write_bytes(bytes(15))
    done = paracore("encode", "x.yuv", "-o", "x.mp4", "--size", "3x3", "-q")
    assert done.returncode == ExitCode.INPUT
    assert "3x3" in complaint(done)


@pytest.mark.parametrize("target", ["none/x.y4m", "/proc/x.y4m", "/dev/full"])
def test_output_that_cannot_be_written(paracore, target):
    done = paracore("decode", film("h264.mp4"), "-o", target)
    assert done.returncode == ExitCode.OUTPUT
    assert f"{target}: cannot be written (" in complaint(done)


def test_no_container_without_a_folder(paracore):
    done = paracore("transcode", film("h264.mp4"), "-o", "none/x.mp4")
    assert done.returncode == ExitCode.OUTPUT
    assert "none/x.mp4" in complaint(done)


@needs_root
def test_a_full_disk_keeps_whole_pictures(paracore, tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(disk)], check=True)
    try:
        done = paracore("decode", film("h264.mp4"), "-o", disk / "x.yuv", "-q")
        size = (disk / "x.yuv").stat().st_size
        made = paracore("transcode", film("h264.mp4"), "-o", disk / "y.mkv", "--codec", "mjpeg", "--quality", 1, "-q")
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert done.returncode == made.returncode == ExitCode.OUTPUT
    assert "No space left on device" in complaint(done)
    assert "No space left on device" in complaint(made)
    picture = 176 * 144 * 3 // 2
    assert size == (256 << 10) // picture * picture


def test_standard_output_that_cannot_be_written(paracore):
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - to be inherited
        done = paracore(
            "decode", film("h264.mp4"), "--framehash", capture_output=False, stdout=full, stderr=subprocess.PIPE
        )
    assert done.returncode == ExitCode.OUTPUT
    assert "standard output: cannot be written" in complaint(done)


@pytest.mark.parametrize("words", [("-o", "-"), ("--framehash",)])
def test_a_closed_pipe_is_no_complaint(environment, words):
    command = [*PROGRAM, "decode", str(clips.natural("bikes").path), *words]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        running.stdout.read(100)
        running.stdout.close()
        said = running.stderr.read()
    assert said == b""
    assert running.returncode == ExitCode.CLOSED_PIPE


def test_ctrl_c(environment, tmp_path):
    ours, theirs = os.pipe()
    command = [*PROGRAM, "decode", "-", "-o", str(tmp_path / "x.yuv"), "--private"]
    running = subprocess.Popen(command, env=environment, stdin=ours, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    os.close(ours)
    with os.fdopen(theirs, "wb") as source:
        source.write(clips.clip("h264").path.read_bytes() * 20)
        source.flush()
        until = time.monotonic() + 20
        while not (tmp_path / "x.yuv").exists():
            assert time.monotonic() < until
            time.sleep(0.01)
        running.send_signal(signal.SIGINT)
        _, said = running.communicate(timeout=20)
    assert said == b""
    assert running.returncode == ExitCode.INTERRUPTED
    assert (tmp_path / "x.yuv").stat().st_size % (176 * 144 * 3 // 2) == 0


def test_nobody_listens(paracore):
    done = paracore("decode", film("h264.mp4"), "--address", "/nowhere/x.sock")
    assert done.returncode == ExitCode.BACKEND
    assert "paracore serve --address /nowhere/x.sock" in complaint(done)


def test_list_without_a_backend(paracore, tmp_path):
    done = paracore("list", "--address", tmp_path / "none")
    assert done.returncode == ExitCode.BACKEND
    assert "no backend listens" in complaint(done)


def test_a_backend_that_dies(make_backend, tmp_path):
    backend = make_backend(driver="libav")
    command = [*PROGRAM, "decode", "-", "-o", "x.yuv", "--address", backend.address]
    ours, theirs = os.pipe()
    running = subprocess.Popen(command, cwd=tmp_path, stdin=ours, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    os.close(ours)
    with os.fdopen(theirs, "wb") as source:
        source.write(clips.clip("h264").path.read_bytes() * 20)
        source.flush()
        until = time.monotonic() + 20
        while not (tmp_path / "x.yuv").exists():
            assert time.monotonic() < until
            time.sleep(0.01)
        backend.kill()
    _, said = running.communicate(timeout=20)
    assert running.returncode == ExitCode.BACKEND
    assert said.startswith(b"paracore: ")
    assert said.count(b"\n") == 1
    assert (tmp_path / "x.yuv").stat().st_size % (176 * 144 * 3 // 2) == 0
    backend.start()


@needs_root
def test_a_user_that_the_policy_does_not_know(make_backend, tmp_path):
    address = make_backend(driver="libav").address
    said = tmp_path / "said"
    child = os.fork()
    if not child:
        code = 1
        try:
            sys.stderr = said.open("w")
            # What it takes is loaded while there is a right to read it.
            assert main(["list", "--address", address]) == 0
            for name in ("cli._complaints", "frontend._domain"):
                importlib.import_module(f"paracore.{name}")
            os.setresgid(47009, 47009, 47009)
            os.setresuid(47009, 47009, 47009)
            code = main(["list", "--address", address])
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == ExitCode.REFUSED
    assert said.read_text().startswith("paracore: the backend knows no domain for user 47009 ")


def test_a_limit(make_backend, paracore):
    backend = make_backend(driver="libav", limits=f"bytes = {1 << 20}")
    done = paracore("decode", film("h264.mp4"), "--address", backend.address)
    assert done.returncode == ExitCode.REFUSED
    assert "raise limits.bytes" in complaint(done)


def test_a_terminal_sees_progress(environment, tmp_path):
    ours, theirs = pty.openpty()
    command = [*PROGRAM, "decode", str(clips.natural("bigbuckbunny").path), "-o", str(tmp_path / "x.yuv")]
    done = subprocess.run(
        command, check=True, env=environment | {"TERM": "xterm"}, stdout=subprocess.PIPE, stderr=theirs
    )
    os.close(theirs)
    said = os.read(ours, 65536).decode()
    os.close(ours)
    assert "decoding h264" in said
    assert "pictures/s" in said
    assert done.stdout.startswith(b"132 pictures in ")
