# SPDX-License-Identifier: Apache-2.0
"""Which artefact is made by which emitter, and where it lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codegen import _lock
from codegen._c_header import c_header
from codegen._c_table import c_table_header, c_table_source
from codegen._load import load
from codegen._markdown import markdown_class
from codegen._omx import omx_artefacts
from codegen._prose import refresh
from codegen._python import python_class, python_common
from codegen._python_wire import python_wire
from codegen._session import load_sessions
from codegen._v4l2 import v4l2_artefacts
from codegen._xenbus import load_xenbus

if TYPE_CHECKING:
    from pathlib import Path

    from codegen._model import Protocol

__all__ = ["artefacts", "render"]

SPECIFICATION = "specs/paracore.toml"
LOCK = "specs/opcodes.lock"
SHIMS = {"specs/omx.toml": omx_artefacts, "specs/v4l2.toml": v4l2_artefacts}
SESSION = "src/paracore/protocol/_session.py"
XENBUS = "src/paracore/protocol"
PROSE = tuple(f"docs/protocol/{page}.md" for page in ("wire", "ring", "session", "trace", "xenbus"))


def render(protocol: Protocol) -> dict[str, str]:
    """Every artefact that comes of the specification alone, by path."""
    files = {
        "native/core/include/paracore/protocol.h": c_header(protocol),
        "native/core/protocol_table.h": c_table_header(protocol),
        "native/core/protocol_table.c": c_table_source(protocol),
        "src/paracore/protocol/_wire.py": python_wire(protocol),
        "src/paracore/classes/_common.py": python_common(protocol),
    }
    for of in protocol.classes:
        files[f"src/paracore/classes/{of.name}.py"] = python_class(protocol, of)
        files[f"docs/protocol/{of.name}.md"] = markdown_class(protocol, of)
    return files


def artefacts(root: Path) -> dict[str, str]:
    """All files under ``root`` that are made, with what they must hold."""
    protocol = load(_read(root / SPECIFICATION))
    locked = _lock.parse(_read(root / LOCK)) if (root / LOCK).exists() else {}
    sessions = load_sessions(root / SESSION)
    xenbus = load_xenbus(root / XENBUS)
    pages = {page: refresh(_read(root / page), protocol, sessions, xenbus) for page in PROSE if (root / page).exists()}
    files = {LOCK: _lock.render(_lock.update(locked, protocol)), **render(protocol), **pages}
    for path, made in SHIMS.items():
        files |= made(_read(root / path)) if (root / path).exists() else {}
    return files


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
