# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

from bench.policies import digest

_PICTURE = Path(__file__).parents[3] / "docs/images/policies.png"


def test_the_picture_in_the_guide_is_current():
    """Else: ``python -m bench.turns docs/images/policies.png``."""
    assert b"Comment\0" + digest().encode() in _PICTURE.read_bytes()
