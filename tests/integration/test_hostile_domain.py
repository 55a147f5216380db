# SPDX-License-Identifier: Apache-2.0
"""What a domain gives unasked, keeps, or leaves in the middle of: nothing of it is left with the backend."""

import array
import os
import socket
from contextlib import ExitStack

from paracore import TransportBroken
from paracore.classes import core, link
from paracore.protocol import PROTOCOL_VERSION, REQUEST, message
from paracore.testing import HostileDomain
from tests.integration.backends import Stream, descriptors, limits_of, wait_until

HELLO = message(link.Hello.OPCODE, REQUEST, 0, 1, link.Hello(PROTOCOL_VERSION, PROTOCOL_VERSION).pack())
GIFTS = 200
"""Descriptors of one message: the kernel takes no more than 253."""


def give(sock, octets, gifts):
    sock.sendmsg([octets], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", gifts))])


def test_descriptors_that_nobody_asked_for(backend):
    """They are closed before the supervisor has them, whether the message is a call or none."""
    supervisor = backend.process.pid
    with backend.connect() as channel:
        limits_of(channel)
        before = descriptors(supervisor)
        with ExitStack() as held:
            gifts = [os.dup(2) for _ in range(GIFTS)]
            for gift in gifts:
                held.callback(os.close, gift)
            senders = [held.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)) for _ in range(4)]
            for sock, octets in zip(senders, (HELLO, b"x", b"x" * 5000, HELLO), strict=True):
                sock.connect(backend.address)
                give(sock, octets, gifts)
            limits_of(channel)
            assert backend.domain()["held"]["connections"] >= 1
            # The connection that has just asked for the state may still be one of them.
            wait_until(lambda: descriptors(supervisor) <= before + len(senders), "a descriptor for each connection")
        wait_until(lambda: descriptors(supervisor) <= before, "nothing of it is left")
        Stream(channel).play(5)


def test_calls_left_in_the_middle_cost_the_domain_no_buffers(make_backend):
    """Each asks for its grant to be mapped and has gone before it is: the domain's limit is not used up."""
    backend = make_backend(limits="buffers = 8")
    with backend.connect() as channel:
        limits_of(channel)
        for _round in range(40):
            hostile = HostileDomain(backend.transport, backend.address)
            hostile.open()
            grant, _ = hostile.grant(4096)
            attach = core.BufferAttach(grant, core.BufferFlag(0), 4096)
            hostile.put(message(attach.OPCODE, REQUEST, 0, 1, attach.pack()))
            hostile.close()
        wait_until(lambda: backend.domain()["held"]["channels"] == 1, "all are gone")
        assert backend.domain()["worker"]["report"]["buffers"] == 0
        Stream(channel).play(5)


def test_a_flood_of_attachments_and_revocations(backend):
    """A grant may be named again and again, mapped or not; its pages are counted once and freed once."""
    with backend.connect() as channel:
        stream = Stream(channel)
        hostile = HostileDomain(backend.transport, backend.address)
        hostile.open()
        grant, _ = hostile.grant(4096)
        attach = core.BufferAttach(grant, core.BufferFlag(0), 4096)
        try:
            for serial in range(300):
                hostile.put(message(attach.OPCODE, REQUEST, 0, serial, attach.pack()))
                hostile.say(message(link.Revoke.OPCODE, REQUEST, 0, serial, link.Revoke(grant).pack()))
                hostile.wait_packet(0)
        except (TransportBroken, BlockingIOError):
            pass  # it does not read the ring
        stream.play(5)
        hostile.close()
        wait_until(lambda: backend.domain()["held"]["buffers"] == 2, "the stream's own are left")
        assert backend.domain()["worker"]["report"]["buffers"] == 2
    assert "Traceback" not in backend.log.read_text()
