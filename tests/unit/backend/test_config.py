# SPDX-License-Identifier: Apache-2.0
"""A configuration's mistakes are named, with what to do about them."""

import os
from pathlib import Path

import pytest

from paracore import ConfigError
from paracore.backend import config_load, config_parse, config_private
from paracore.backend._config import worker_identity

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
    assert uncommented.device[0].options == {"threads": 2}


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
