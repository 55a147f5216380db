# SPDX-License-Identifier: Apache-2.0
"""What the descriptions of the shims' APIs have in common: entries that are served, and groups that are refused."""

from __future__ import annotations

import tomllib
from typing import Any

from codegen._load import SpecError

__all__ = ["Entry", "coverage", "notice"]

Entry = dict[str, Any]


def notice(file: str) -> tuple[str, str]:
    """What stands at the head of that which is made of a file of ``specs``."""
    return f"Made by codegen from specs/{file}; do not edit.", "To make it again: make gen"


def coverage(file: str, text: str, served: str) -> Entry:
    """A description; `served` is the name of the list of those that are.

    Raises:
        SpecError: one is named twice.
    """
    said = tomllib.loads(text)
    names = [entry["name"] for entry in said[served]] + [name for group in said["refused"] for name in group["names"]]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise SpecError(file, f"{', '.join(sorted(twice))} is named twice")
    return said
