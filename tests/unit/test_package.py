# SPDX-License-Identifier: Apache-2.0
import subprocess
import sys

import pytest

import paracore

HEAVY = {"numpy", "av", "cffi", "rich", "asyncio", "paracore._native._frontend"}


def loaded_by(statement):
    code = f"{statement}; import sys; print(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split())


def test_importing_the_package_is_light():
    assert not HEAVY & loaded_by("import paracore")


def test_the_parser_is_light():
    heavy = HEAVY - {"rich"}
    assert not heavy & loaded_by("from paracore.cli._parser import make_parser; make_parser()")


@pytest.mark.parametrize("name", paracore.__all__)
def test_each_public_name_is_there(name):
    assert getattr(paracore, name) is not None
    assert name in dir(paracore)


def test_no_other_name_is_there():
    with pytest.raises(AttributeError, match="nonsense"):
        _ = paracore.nonsense
