# SPDX-License-Identifier: Apache-2.0
"""The kernel's own codec through a real backend, its sandbox and its frontend: where it is loaded, as in the testbed."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import paracore
from paracore.cli import main
from tests import vicodec
from tests.integration.backends import Backend, needs_root, wait_until
from tests.integration.test_zero_copy import memory_of

WIDTH, HEIGHT = 640, 368
"""What vicodec takes as it is: else v4l2-ctl encodes the rows below the picture too."""
COUNT = 8
NODES = vicodec.nodes()

pytestmark = pytest.mark.skipif(not NODES, reason="needs the kernel module vicodec: see tests/system")


@pytest.fixture(scope="module")
def backend():
    backend = Backend(driver="v4l2")
    yield backend.start()
    backend.remove()


@pytest.fixture
def domain(backend):
    with paracore.open(backend.address) as domain:
        yield domain


@pytest.fixture
def device(domain):
    return domain.devices["vpu0"]


def drawn(number):
    luma = (np.add.outer(np.arange(HEIGHT), np.arange(WIDTH)) + 9 * number).astype(np.uint8)
    chroma = np.full((HEIGHT // 2, WIDTH // 2), 100 + number, np.uint8)
    return [luma, chroma, 255 - chroma]


def encode(device, count=COUNT):
    with device.encoder("fwht", width=WIDTH, height=HEIGHT, rate=25) as encoder:
        return list(encoder.encode(drawn(number) for number in range(count)))


def units(packets):
    return [paracore.Packet(packet.data, packet.timestamp, packet.duration) for packet in packets]


def decode(device, packets):
    with device.decoder("fwht") as decoder:
        yield from decoder.decode(units(packets))


def copies(backend):
    """Pictures that the worker has copied so far."""
    worker = backend.domain()["worker"]
    return worker["report"]["counts"]["copies"] if worker else 0


def raw(planes):
    return b"".join(plane.tobytes() for plane in planes)


def v4l2_ctl(node, given, path, *options):
    """What ``v4l2-ctl`` makes of octets."""
    (path / "given").write_bytes(given)
    command = ["v4l2-ctl", "-d", node, *options, "--stream-mmap", "--stream-out-mmap"]
    command += ["--stream-from", path / "given", "--stream-to", path / "made"]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return (path / "made").read_bytes()


def test_there_is_nothing_but_what_the_nodes_have(device):
    assert device.driver == "v4l2"
    assert {(can.codec, can.direction) for can in device.capabilities} == {("fwht", "decode"), ("fwht", "encode")}


def test_what_is_encoded_decodes(backend, device):
    before = copies(backend)
    packets = encode(device)
    assert [packet.timestamp for packet in packets] == list(range(COUNT))
    assert packets[0].key
    pictures = list(decode(device, packets))
    assert [picture.timestamp for picture in pictures] == list(range(COUNT))
    for number, picture in enumerate(pictures):
        error = np.abs(picture.planes[0].astype(int) - drawn(number)[0]).mean()
        assert error < 12, f"picture {number} is another one"
    assert copies(backend) == before, "pictures are read and made where they are"


@pytest.mark.skipif(not shutil.which("v4l2-ctl"), reason="needs v4l-utils")
def test_it_is_what_v4l2_ctl_makes(device, tmp_path):
    encoder, decoder = NODES
    packets = encode(device)
    stream = b"".join(bytes(packet.data) for packet in packets)
    given = b"".join(raw(drawn(number)) for number in range(COUNT))
    form = f"width={WIDTH},height={HEIGHT},pixelformat=YU12"
    assert stream == v4l2_ctl(encoder, given, tmp_path, "-x", form)
    pictures = b"".join(raw(picture.planes) for picture in decode(device, packets))
    assert pictures == v4l2_ctl(decoder, stream, tmp_path)


def test_two_at_once_do_not_mix(device):
    packets = encode(device)
    expected = [raw(picture.planes) for picture in decode(device, packets)]
    with device.decoder("fwht") as one, device.decoder("fwht") as other:
        for picture, ours, theirs in zip(
            expected, one.decode(units(packets)), other.decode(units(packets)), strict=True
        ):
            assert picture == raw(ours.planes) == raw(theirs.planes)


@needs_root
def test_decoded_pictures_lie_in_the_domains_pages_and_nowhere_else(backend, device):
    """Whole rows of them are searched for in all memory of the worker that is not the domain's."""
    packets = units(encode(device))
    with device.decoder("fwht") as decoder:
        pictures = list(decoder.decode(packets))
        pieces = {row[64:192].tobytes() for picture in pictures for row in picture.planes[0][4::8]}
        assert len(pieces) > HEIGHT // 8, "pictures without rows to be told apart prove nothing"
        worker = backend.worker()
        try:
            own = b"\0".join(memory_of(worker, r" rw-p | rw-s .*/dev/video"))
        except PermissionError:
            pytest.skip("this machine lets nobody read another process's memory")
        assert not any(piece in own for piece in pieces)
        shared = b"\0".join(memory_of(worker, r" rw-s .*memfd:paracore"))
        assert all(piece in shared for piece in pieces), "the search finds what is there"


def test_the_command_line(backend, tmp_path):
    """From samples to the codec's own file and back, and the same as the interface gives."""
    given = b"".join(raw(drawn(number)) for number in range(COUNT))
    (tmp_path / "given.yuv").write_bytes(given)
    common = ["--address", backend.address, "--quiet"]
    size = ["--size", f"{WIDTH}x{HEIGHT}", "--rate", "25"]
    made, back = str(tmp_path / "made.fwht"), str(tmp_path / "back.yuv")
    assert main(["encode", str(tmp_path / "given.yuv"), "-o", made, "--codec", "fwht", *size, *common]) == 0
    assert main(["decode", made, "-o", back, *common]) == 0
    with paracore.open(backend.address) as domain:
        device = domain.devices["vpu0"]
        packets = encode(device)
        assert Path(made).read_bytes() == b"".join(packet.data for packet in packets)
        expected = b"".join(raw(picture.planes) for picture in decode(device, packets))
    assert Path(back).read_bytes() == expected


@needs_root
def test_a_device_can_be_unplugged_and_plugged_in_again(backend):
    bus = Path("/sys/bus/platform/drivers/vicodec")
    with paracore.open(backend.address) as domain:
        device = domain.devices["vpu0"]
        packets = units(encode(device)) * 20
        with device.decoder("fwht") as decoder:
            pictures = decoder.decode(packets)
            next(pictures)
            (bus / "unbind").write_text("vicodec.0")
            try:
                with pytest.raises(paracore.DeviceLost):
                    list(pictures)
                with pytest.raises(paracore.DeviceLost):
                    device.decoder("fwht")
            finally:
                decoder.close()
                (bus / "bind").write_text("vicodec.0")
        wait_until(lambda: all(Path(node).exists() for node in NODES), "the nodes are there again")
        assert len(list(decode(device, encode(device)))) == COUNT
