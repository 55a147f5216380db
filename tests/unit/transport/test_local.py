# SPDX-License-Identifier: Apache-2.0
"""The local transport's own: sockets, locks, sealed memory, descriptors in messages."""

import errno
import fcntl
import os
import socket
import stat
from pathlib import Path

import pytest

from paracore import GrantError, RemoteProtocolError, TransportBroken, TransportError
from paracore.classes import link
from paracore.transport import SocketWire, WireFull, failure_of
from paracore.transport.local import LocalTransport
from paracore.transport.local._socket import peer_of


@pytest.fixture
def address(tmp_path):
    return str(tmp_path / "here.sock")


@pytest.fixture
def pages():
    return LocalTransport().pages


def wires(**settings):
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return SocketWire(ours), SocketWire(theirs, **settings)


def test_the_socket_has_its_mode(address):
    listener = LocalTransport().listen(address, 0o620)
    assert stat.S_IMODE(Path(address).stat().st_mode) == 0o620
    assert listener.accept(None) is None
    listener.close()
    assert not Path(address).exists()


def test_two_listeners(address):
    listener = LocalTransport().listen(address)
    with pytest.raises(TransportError, match="another backend"):
        LocalTransport().listen(address)
    listener.close()
    LocalTransport().listen(address).close()


def test_a_stale_socket_is_replaced(address):
    stale = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    stale.bind(address)
    stale.close()
    LocalTransport().listen(address).close()


def test_a_file_is_not(address):
    Path(address).write_text("precious")
    with pytest.raises(TransportError):
        LocalTransport().listen(address)
    assert Path(address).read_text() == "precious"
    Path(address).unlink()
    LocalTransport().listen(address).close()


def test_a_folder_that_cannot_be_made(tmp_path):
    with pytest.raises(TransportError):
        LocalTransport().listen(str(tmp_path / "no" / "such" / "folder.sock"))


def test_nobody_serves(address):
    with pytest.raises(TransportError):
        LocalTransport().dial(address)


def test_a_peer_is_known_by_user_and_groups():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        peer = peer_of(ours)
    assert peer.identities[0] == f"uid:{os.geteuid()}"
    assert set(peer.identities[1:]) == {f"gid:{group}" for group in (os.getegid(), *os.getgroups())}
    assert peer.administrator
    assert str(os.getpid()) in peer.text


# --- pages --------------------------------------------------------------------------------------------------


def test_pages_are_sealed(pages):
    descriptor = pages.allocate(8192)
    for length in (0, 4096, 16384):
        with pytest.raises(PermissionError):
            os.ftruncate(descriptor, length)
    with pytest.raises(PermissionError):
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE)
    pages.close(descriptor)


def test_a_reader_cannot_write(pages):
    descriptor = pages.allocate(4096)
    reader = pages.duplicate(descriptor, read_only=True)
    with pytest.raises(OSError, match="Bad file"):
        os.write(reader, b"x")
    with pytest.raises(GrantError) as caught:
        pages.map(reader, 4096, read_only=False)
    assert caught.value.errno == errno.EACCES
    mapping = pages.map(reader, 4096, read_only=True)
    with mapping.view() as view, pytest.raises(TypeError):
        view[0] = 1
    mapping.close()
    mapping.close()
    for each in (descriptor, reader):
        pages.close(each)


def test_memory_that_is_not_there(pages, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOMEM, "none")

    monkeypatch.setattr(os, "ftruncate", fail)
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(GrantError):
        pages.allocate(4096)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_no_descriptor_is_left(pages, monkeypatch):
    def fail(*_):
        raise OSError(errno.EMFILE, "too many")

    monkeypatch.setattr(os, "memfd_create", fail)
    monkeypatch.setattr(os, "eventfd", fail)
    monkeypatch.setattr(os, "dup", fail)
    for step in (lambda: pages.allocate(4096), pages.doorbell, lambda: pages.duplicate(0, read_only=False)):
        with pytest.raises(OSError, match=r"too many|could not|no doorbell") as caught:
            step()
        assert failure_of(caught.value).error is link.Error.NO_MEMORY


# --- messages -----------------------------------------------------------------------------------------------


def test_descriptors_arrive(pages):
    ours, theirs = wires(descriptors_max=2)
    descriptor = pages.allocate(4096)
    ours.send(b"two", (descriptor, descriptor))
    packet = theirs.receive()
    assert packet.message == b"two"
    assert len(packet.descriptors) == 2
    assert all(os.fstat(each).st_ino == os.fstat(descriptor).st_ino for each in packet.descriptors)
    assert not any(os.get_inheritable(each) for each in packet.descriptors)
    for each in (descriptor, *packet.descriptors):
        os.close(each)
    ours.close()
    theirs.close()


def test_descriptors_that_nobody_wants_never_arrive(pages):
    ours, theirs = wires()
    descriptor = pages.allocate(4096)
    before = len(list(Path("/proc/self/fd").iterdir()))
    ours.send(b"take this", (descriptor,))
    assert theirs.receive() == (b"take this", ())
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    os.close(descriptor)
    ours.close()
    theirs.close()


def test_messages_that_are_too_long(pages):
    ours, theirs = wires(descriptors_max=1)
    descriptor = pages.allocate(4096)
    before = len(list(Path("/proc/self/fd").iterdir()))
    ours.send(bytes(5000), (descriptor,))
    with pytest.raises(RemoteProtocolError, match="longer"):
        theirs.receive()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    os.close(descriptor)
    ours.close()
    theirs.close()


def test_the_end_is_an_empty_message():
    ours, theirs = wires()
    assert theirs.receive() is None
    ours.finish()
    assert theirs.receive() == (b"", ())
    theirs.send(b"still")
    assert ours.receive().message == b"still"
    theirs.close()
    with pytest.raises(TransportBroken):
        ours.send(b"x")
    ours.finish()
    ours.close()


def test_a_reset_is_an_end():
    sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours = SocketWire(sock)
    ours.send(b"never read")
    theirs.close()
    assert ours.receive() == (b"", ())
    ours.close()


def test_one_that_does_not_read():
    ours, theirs = wires()
    with pytest.raises(WireFull):
        list(map(ours.send, [bytes(4000)] * 1000))
    ours.close()
    theirs.close()
