# SPDX-License-Identifier: Apache-2.0
"""Makes every artefact of the wire from its one description.

``python -m codegen`` reads ``specs/paracore.toml`` and writes the C header and tables, the Python
classes and the reference pages; ``--check`` writes nothing and fails when a file would change. The
tool is not shipped and the package does not import it.

::

    specs/paracore.toml ─▶ _load ─▶ _model ─┬▶ _c_header  native/core/include/paracore/protocol.h
                          (strict)          ├▶ _c_table   native/core/protocol_table.{h,c}
    specs/opcodes.lock ◀─▶ _lock            ├▶ _python    src/paracore/classes/, protocol/_wire.py
                                            ├▶ _markdown  docs/protocol/<class>.md
    src/paracore/protocol/_session.py ──────┴▶ _prose     marked parts of docs/protocol/*.md
"""

from __future__ import annotations
