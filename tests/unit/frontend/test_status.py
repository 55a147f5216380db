# SPDX-License-Identifier: Apache-2.0
"""The backend's account, from backends that answer anything."""

import json
import os
import socket
import threading
from contextlib import nullcontext

import pytest

from paracore import ConfigError, MessageError, PermissionRefused, RemoteProtocolError, TransportError
from paracore.classes import core, link
from paracore.frontend import backend_status, configure_backend
from paracore.protocol import EVENT, FAILURE, MESSAGE_MAX, REPLY, message

HELLO = message(link.Hello.OPCODE, REPLY, 0, 1, link.HelloReply(1, "me").pack())


def account(octets, length=None):
    """An answer with a descriptor of these octets."""
    descriptor = os.memfd_create("account")
    os.write(descriptor, octets)
    reply = link.StatusReply(len(octets) if length is None else length).pack()
    return message(link.Status.OPCODE, REPLY, 0, 1, reply), [descriptor]


@pytest.fixture
def ask(tmp_path):
    """Asks a backend which gives these answers, one for each question."""

    def asked(*answers, question=backend_status):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listener.bind(str(tmp_path / "sock"))
        listener.listen()

        def serve():
            wire, _ = listener.accept()
            with wire:
                for octets, descriptors in answers:
                    wire.recv(MESSAGE_MAX)
                    socket.send_fds(wire, [octets], descriptors)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            return question(tmp_path / "sock", timeout=5)
        finally:
            thread.join(10)
            listener.close()
            for _, descriptors in answers:
                for descriptor in descriptors:
                    os.close(descriptor)

    return asked


def test_the_account(ask):
    assert ask((HELLO, []), account(json.dumps({"pid": 7}).encode())) == {"pid": 7}


def test_a_refusal(ask):
    goodbye = link.Goodbye(link.Refusal.UNKNOWN_PEER, link.Limit.NONE).pack()
    with pytest.raises(PermissionRefused, match="knows no domain"):
        ask((message(link.Goodbye.OPCODE, EVENT, 0, 0, goodbye), []))


def test_those_who_may_not_ask(ask):
    failure = core.Failure(core.Error.PERMISSION, core.Limit.NONE, 0).pack()
    with pytest.raises(PermissionRefused):
        ask((HELLO, []), (message(link.Status.OPCODE, FAILURE, 0, 1, failure), []))


@pytest.mark.parametrize(
    "answer",
    [
        (b"nonsense", []),
        (message(link.Hello.OPCODE, REPLY, 0, 1, bytes(8)), []),
        (message(link.Status.OPCODE, REPLY, 0, 2, bytes(8)), []),
        (message(link.Status.OPCODE, REPLY, 0, 1, link.StatusReply(5).pack()), []),
    ],
    ids=["noise", "another answer", "another serial", "no descriptor"],
)
def test_an_answer_that_cannot_be(ask, answer):
    with pytest.raises((RemoteProtocolError, MessageError)):
        ask((HELLO, []), answer)


@pytest.mark.parametrize(("octets", "length"), [(b"{", None), (b"{}", 1 << 40)])
def test_an_account_that_cannot_be(ask, octets, length):
    with pytest.raises(RemoteProtocolError):
        ask((HELLO, []), account(octets, length))


def test_a_backend_that_goes(ask):
    with pytest.raises(TransportError):
        ask()


def change(address, timeout):
    configure_backend(address, {"domain": {"web": {"weight": 7}}}, timeout=timeout)


@pytest.mark.parametrize("complaint", ["", "domain.web: there is none"])
def test_changes(ask, complaint):
    reply = link.ConfigureReply(complaint.encode()).pack()
    answers = (HELLO, []), (message(link.Configure.OPCODE, REPLY, 0, 1, reply), [])
    with pytest.raises(ConfigError, match=r"domain\.web: there is none") if complaint else nullcontext():
        ask(*answers, question=change)


def test_changes_that_one_may_not_make(ask):
    failure = core.Failure(core.Error.PERMISSION, core.Limit.NONE, 0).pack()
    with pytest.raises(PermissionRefused):
        ask((HELLO, []), (message(link.Configure.OPCODE, FAILURE, 0, 1, failure), []), question=change)


def test_nobody_listens(tmp_path):
    with pytest.raises(TransportError, match="no backend listens"):
        backend_status(tmp_path / "none")
