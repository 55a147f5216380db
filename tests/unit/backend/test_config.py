# SPDX-License-Identifier: Apache-2.0
"""A configuration's mistakes are named, with what to do about them."""

import os
from pathlib import Path

import pytest

from paracore import ConfigError
from paracore.backend import config_load, config_parse, config_private
from paracore.backend._config import section_attached, worker_identity, worker_nice
from paracore.protocol import Attachment

MISTAKES = {
    "[backend": ("configuration", "is not TOML"),
    "[backend]\nsokcet = '/x'": ("backend.sokcet", "is no option"),
    "[backend]\nsocket = 'x'": ("backend.socket", "absolute"),
    "[backend]\nlog_level = 'loud'": ("backend.log_level", "invalid enum value"),
    "[backend]\nworker_linger = -1": ("backend.worker_linger", "negative"),
    "[backend]\nworker_spin = 2": ("backend.worker_spin", "0 to 1 second"),
    "[[device]]\nname = 'x'": ("device[0]", "missing required field `driver`"),
    "[[device]]\nname = 3\ndriver = 'null'": ("device[0].name", "expected `str`"),
    "[[device]]\nname = 'a b'\ndriver = 'null'": ("device.name", "letters"),
    "[[device]]\nname = 'a'\ndriver = 'x'\n[[device]]\nname = 'a'\ndriver = 'x'": ("device.name", "twice"),
    "[[device]]\nname = 'a'\ndriver = 'x'\njob_deadline = -1": ("device.a.job_deadline", "0 to 3600"),
    "[[device]]\nname = 'a'\ndriver = 'x'\nautosuspend = -1": ("device.a.autosuspend", "0 to 86400"),
    "[[device]]\nname = 'a'\ndriver = 'x'\nclock_floor = 2": ("device.a.clock_floor", "0 to 1"),
    "[[device]]\nname = 'a'\ndriver = 'x'\njob_deadline = nan": ("device.a.job_deadline", "out of range"),
    "[[domain]]\nname = 'a'": ("domain.a.user", "is missing"),
    "[[domain]]\nname = 'a'\nuser = 'no such'": ("domain.a.user", "there is no user"),
    "[[domain]]\nname = 'a'\ngroup = 'no such'": ("domain.a.group", "there is no group"),
    "[[domain]]\nname = 'a'\nuser = -1": ("domain.a.user", "no valid user"),
    "[[domain]]\nname = 'a'\nuser = 1\ndevices = ['x']": ("domain.a.devices", "no [[device]]"),
    "[[domain]]\nname = 'a'\nuser = 1\n[domain.limits]\nsessions = 0": ("domain.a.limits.sessions", "1 to 512"),
    "[[domain]]\nname = 'a'\nuser = 1\n[domain.limits]\noutstanding = 9999": ("domain.a.limits.outstanding", "2048"),
    "[[domain]]\nname = 'a'\nuser = 1\n[domain.limits]\nsesions = 1": ("domain[0].limits.sesions", "no option"),
    "[[domain]]\nname = 'a'\nuser = 1\n[[domain]]\nname = 'b'\nuser = 1": ("domain.b", "already"),
}


@pytest.mark.parametrize("text", MISTAKES)
def test_mistakes_are_named(text):
    option, hint = MISTAKES[text]
    with pytest.raises(ConfigError) as caught:
        config_parse(text)
    assert caught.value.option == option
    assert hint in caught.value.hint


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        config_load(tmp_path / "none.toml")


EXAMPLE = Path(__file__).parents[3] / "packaging" / "paracore.toml"


def test_the_example_is_right():
    text = EXAMPLE.read_text().replace("paracore-worker", "nobody").replace('"video"', "44")
    config = config_parse(text)
    assert [domain.identities() for domain in config.domain] == [("gid:44",)]
    lines = text.partition("# [[domain]]")[0].splitlines()[3:]
    uncommented = config_parse("\n".join(line.removeprefix("# ") if " = " in line else line for line in lines))
    assert uncommented.domain[0].limits == config.domain[0].limits, "the defaults stand in the example"
    assert uncommented.backend == config.backend
    assert uncommented.device[0].options == {"threads": 2, "codecs": "h264 hevc"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives workers another user")
def test_workers_are_not_root():
    with pytest.raises(ConfigError, match="must not be root"):
        config_parse("[backend]\nworker_user = 'root'")
    with pytest.raises(ConfigError, match="is the user of domain 'a'"):
        config_parse("[backend]\nworker_user = '4711'\n[[domain]]\nname = 'a'\nuser = 4711")


def test_names_become_numbers():
    config = config_parse("[[domain]]\nname = 'a'\nuser = 'root'\ngroup = '7'")
    assert config.domain[0].identities() == ("uid:0", "gid:7")
    assert worker_identity("0") == (0, 0)
    assert worker_identity("47123") == (47123, 47123)


def test_a_private_backend_serves_its_user():
    config = config_private("/tmp/x", driver="null")
    assert config.domain[0].identities() == (f"uid:{os.geteuid()}",)
    assert config.backend.socket_mode == 0o600


@pytest.mark.parametrize(("weight", "nice"), [(100, 0), (200, -3), (50, 3), (1, 19), (10000, -20), (125, -1)])
def test_a_weight_is_a_nice_value(weight, nice):
    assert worker_nice(weight) == nice


@pytest.mark.parametrize("weight", [0, -1, 10001])
def test_weights_that_cannot_be(weight):
    with pytest.raises(ConfigError, match="weight"):
        config_parse(f'[[domain]]\nname = "a"\nuser = 5\nweight = {weight}')


def test_an_attached_domain():
    config = config_parse('[[device]]\nname = "vpu0"\ndriver = "null"')
    attachment = Attachment(
        "/local/domain/3/device/paracore/0", 3, ("vpu0",), weight=50, priority=7, max_sessions=2, max_device_time=250
    )
    section = section_attached(attachment, config)
    assert (section.name, section.devices, section.weight, section.priority) == ("domid-3", ("vpu0",), 50, 7)
    assert (section.limits.sessions, section.limits.device_time) == (2, 0.25)
    assert section.limits.rates() == config_private("/tmp/x").domain[0].limits.rates(), "what was not said is no limit"
    rates = {"pictures_per_second": 60, "macroblocks_per_second": 489_600, "pixel_rate": 10**8}
    said = section_attached(attachment._replace(**{f"max_{name}": rate for name, rate in rates.items()}), config)
    assert {name: getattr(said.limits, name) for name in rates} == rates
    with pytest.raises(ConfigError, match="vpu7"):
        section_attached(attachment._replace(devices=("vpu7",)), config)


@pytest.mark.parametrize(("driver", "refused"), [("v4l2", False), ("libav", True)])
def test_a_policy_needs_slots_where_there_are_none(driver, refused):
    text = f'[[device]]\nname = "vpu0"\ndriver = "{driver}"\npolicy = "priority"'
    if refused:
        with pytest.raises(ConfigError, match="slots"):
            config_parse(text)
    else:
        assert config_parse(text).device[0].slots is None


def test_guests_are_not_served_unless_it_is_said():
    assert not config_parse("").xen.enabled
    assert config_parse("[xen]\nenabled = true").xen.enabled


@pytest.mark.parametrize(
    ("device", "domain", "option"),
    [
        ('policy = "whim"', "", "device.vpu0.policy"),
        ('policy = "deadline"\nslots = 0', "", "device.vpu0.slots"),
        ("slots = -1", "", "device.vpu0.slots"),
        ("", "priority = 10", "domain.media.priority"),
        ("", "limits.device_time = -0.1", "domain.media.limits.device_time"),
        ("", "limits.device_burst = 0.0", "domain.media.limits.device_burst"),
        ("", "limits.pictures_per_second = -1", "domain.media.limits.pictures_per_second"),
        ("", "limits.pictures_per_second = nan", "domain.media.limits.pictures_per_second"),
        ("", "limits.macroblocks_per_second = inf", "domain.media.limits.macroblocks_per_second"),
        ("", "limits.macroblocks_per_second = 1e-9", "domain.media.limits.macroblocks_per_second"),
        ("", "limits.pictures_burst = 0.5", "domain.media.limits.pictures_burst"),
        ("", "limits.macroblocks_burst = 0", "domain.media.limits.macroblocks_burst"),
        ("", "limits.pixel_rate = -1", "domain.media.limits.pixel_rate"),
        ("pixel_rate = -1", "", "device.vpu0.pixel_rate"),
    ],
)
def test_what_cannot_be_shared_out_is_refused(device, domain, option):
    text = '[[device]]\nname = "vpu0"\ndriver = "null"\n{}\n[[domain]]\nname = "media"\nuser = 1000\n{}\n'
    with pytest.raises(ConfigError) as refused:
        config_parse(text.format(device, domain))
    assert refused.value.option == option
