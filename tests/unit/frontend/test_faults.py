# SPDX-License-Identifier: Apache-2.0
import errno

import pytest

import paracore
from paracore.classes import link, video
from paracore.frontend._faults import call_fault, departure, open_fault, wire_fault

NOTHING = video.Failure(video.Error.IO, video.Limit.NONE, 0)


@pytest.mark.parametrize("error", video.Error)
def test_each_error_of_the_wire_is_an_exception(error):
    fault = wire_fault(error, "trying")
    assert isinstance(fault, paracore.Error)


def test_a_hang_is_named():
    assert isinstance(wire_fault(video.Error.TIMED_OUT, "the session"), paracore.DeviceTimeout)


@pytest.mark.parametrize("limit", [each for each in video.Limit if each])
def test_each_limit_is_named(limit):
    fault = wire_fault(video.Error.NO_SPACE, "trying", limit, 12)
    assert isinstance(fault, paracore.QuotaExceeded)
    assert fault.limit == limit.name.lower()
    assert "12" in str(fault)


@pytest.mark.parametrize("refusal", link.Refusal)
def test_each_goodbye_is_an_exception(refusal):
    assert isinstance(departure(refusal), paracore.Error)


def test_a_goodbye_of_tomorrow_is_the_peers_fault():
    assert isinstance(departure(4711), paracore.RemoteProtocolError)


@pytest.mark.parametrize(
    ("number", "reason", "kind"),
    [
        (errno.EPIPE, link.Refusal.WORKER_LOST, paracore.DeviceLost),
        (errno.EPIPE, link.Refusal.NONE, paracore.TransportBroken),
        (errno.ECANCELED, 0, paracore.TransportClosed),
        (errno.ENOBUFS, 0, paracore.TransportError),
        (errno.EPROTO, 0, paracore.TransportError),
    ],
)
def test_results_of_the_library(number, reason, kind):
    assert isinstance(call_fault(-number, "trying", NOTHING, reason), kind)


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOENT, paracore.TransportError),
        (errno.ECONNREFUSED, paracore.TransportError),
        (errno.EACCES, paracore.PermissionRefused),
        (errno.EPROTONOSUPPORT, paracore.VersionError),
        (errno.ENOSPC, paracore.QuotaExceeded),
        (errno.EPROTO, paracore.RemoteProtocolError),
        (errno.ETIMEDOUT, paracore.TransportError),
        (errno.EMFILE, paracore.TransportError),
    ],
)
def test_an_opening_that_fails_says_why(number, kind):
    fault = open_fault(-number, "/run/x.sock", 0)
    assert isinstance(fault, kind)
    assert fault.__cause__.errno == number


def test_nobody_listens(tmp_path):
    with pytest.raises(paracore.TransportError, match="paracore serve"):
        paracore.open(tmp_path / "none.sock")
