# SPDX-License-Identifier: Apache-2.0
"""Emits ``protocol/_wire.py``: limits, the header's layout and the places in the interface page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codegen._python import enum_class, exports, head
from codegen._python_codec import struct_format
from codegen._text import doc_block

if TYPE_CHECKING:
    from collections.abc import Iterator

    from codegen._model import Protocol

__all__ = ["python_wire"]


def python_wire(protocol: Protocol) -> str:
    """The whole of _wire.py."""
    flag = protocol.enum("message_flag")
    constants = list(_constants(protocol))
    return (
        head("Constants of the wire: limits, and where the header and the interface page have what.")
        + "from enum import STRICT, IntFlag\nfrom struct import Struct\nfrom typing import Final\n"
        + exports([*(name for name, _, _ in constants), "MessageFlag"])
        + "\n"
        + "".join(f'{name}: Final = {value}\n"""{doc_block(doc, "")}"""\n' for name, value, doc in constants)
        + enum_class(flag)
    )


def _constants(protocol: Protocol) -> Iterator[tuple[str, str, str]]:
    """Name, value and doc of each."""
    header, page = protocol.struct("message_header"), protocol.struct("interface_page")
    yield "MAGIC", f"0x{protocol.magic:08X}", "The first four octets of an interface page."
    yield "PROTOCOL_VERSION", str(protocol.version), "The newest version spoken."
    for limit in protocol.limits:
        yield limit.name.upper(), str(limit.value), limit.doc
    for field in page.fields:
        if not field.reserved:
            yield f"PAGE_{field.name.upper()}", str(field.offset), field.doc
    yield "HEADER", f'Struct("{struct_format(header)}")', header.doc
