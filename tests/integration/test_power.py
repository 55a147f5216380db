# SPDX-License-Identifier: Apache-2.0
"""A device is on while a domain has a session, and goes to sleep when nobody has had one for a while."""

import os
import signal

from tests.integration.backends import Stream, wait_until


def power(backend):
    return backend.status()["devices"][0]["power"]


def test_on_with_a_session_and_off_after_a_while(make_backend):
    backend = make_backend(device="autosuspend = 0.2")
    assert power(backend) == "off"
    with backend.connect() as channel:
        assert power(backend) == "off", "a channel is no session"
        one, other = Stream(channel), Stream(channel)
        one.play(1)
        one.close()
        assert power(backend) == "on"
        other.close()
        wait_until(lambda: power(backend) == "off", "nobody has a session")
        Stream(channel).play(2)
        assert power(backend) == "on"


def test_off_after_a_worker_was_killed(make_backend):
    backend = make_backend(device="autosuspend = 0.1")
    with backend.connect() as channel:
        Stream(channel).play(1)
        os.kill(backend.worker(), signal.SIGKILL)
        wait_until(lambda: power(backend) == "off", "its sessions have gone")
