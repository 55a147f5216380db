# SPDX-License-Identifier: Apache-2.0
"""Guests of a machine without Xen, from their programs to the workers that serve them."""

from tests.integration.backends import Stream


def test_a_guest_decodes(machine):
    guest = machine.guest(3)
    with guest.connect() as channel:
        assert channel.domain == "guest3"
        stream = Stream(channel)
        stream.play(50)
        stream.close()
