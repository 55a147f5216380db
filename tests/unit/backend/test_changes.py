# SPDX-License-Identifier: Apache-2.0
"""What an administrator may change of a running backend, and what is said about the rest."""

import json

import pytest

from paracore import ConfigError
from paracore.backend._changes import changed_devices, changed_domains, changes_parse
from paracore.backend._config import DeviceSection, DomainSection, Limits

DEVICES = [DeviceSection(name="vpu0", driver="null", slots=0), DeviceSection(name="vpu1", driver="null", slots=2)]
DOMAINS = [DomainSection(name="web", user=1, limits=Limits(channels=3)), DomainSection(name="domid-7")]


def parse(changes):
    return changes_parse(json.dumps(changes).encode())


def test_what_is_left_out_stays():
    changes = parse({"device": {"vpu1": {"policy": "priority"}}, "domain": {"web": {"weight": 7, "device_time": 0.5}}})
    devices, domains = changed_devices(changes, DEVICES), changed_domains(changes, DOMAINS)
    assert devices == {"vpu1": DeviceSection(name="vpu1", driver="null", slots=2, policy="priority")}
    limits = Limits(channels=3, device_time=0.5)
    assert domains == {"web": DomainSection(name="web", user=1, weight=7, limits=limits)}


def test_a_domain_that_was_attached_has_neither_user_nor_group():
    assert changed_domains(parse({"domain": {"domid-7": {"weight": 50}}}), DOMAINS)["domid-7"].weight == 50


@pytest.mark.parametrize(
    ("changes", "option"),
    [
        ({"device": {"vpu9": {"slots": 1}}}, "device.vpu9"),
        ({"device": {"vpu0": {"slots": -1}}}, "device.vpu0.slots"),
        ({"device": {"vpu0": {"policy": "random"}}}, "device.vpu0.policy"),
        ({"device": {"vpu0": {"policy": "priority"}}}, "device.vpu0.slots"),
        ({"domain": {"nobody": {"weight": 1}}}, "domain.nobody"),
        ({"domain": {"web": {"weight": 0}}}, "domain.web.weight"),
        ({"domain": {"web": {"priority": 10}}}, "domain.web.priority"),
        ({"domain": {"web": {"device_burst": 0}}}, "domain.web.limits.device_burst"),
    ],
)
def test_what_cannot_be_is_named(changes, option):
    with pytest.raises(ConfigError) as caught:
        changed_devices(parse(changes), DEVICES), changed_domains(parse(changes), DOMAINS)
    assert caught.value.option == option


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"[]",
        b"{",
        b'{"xen": {}}',
        b'{"device": {"vpu0": {"driver": "v4l2"}}}',
        b'{"domain": {"web": {"weight": "7"}}}',
        b"\xff",
    ],
)
def test_what_is_no_change(octets):
    with pytest.raises(ConfigError):
        changes_parse(octets)
