# SPDX-License-Identifier: Apache-2.0
"""The main job, shown: sandboxed domains decode real clips at once on one coprocessor.

The parent (``_show``) starts a backend and one sandboxed process per domain (``_sandbox``), each of
which runs ``_domain``: it looks around in its cell, decodes its clips and tells the parent about it in
JSON lines. What it claims is compared with a plain libav decode (``_plain``) and printed; no figure
comes from anywhere but the run.
"""

from __future__ import annotations

from paracore.demo._clips import Clip, prepare_clips
from paracore.demo._show import Options, run

__all__ = ["Clip", "Options", "prepare_clips", "run"]
