# SPDX-License-Identifier: Apache-2.0
"""The main job, shown: sandboxed domains decode real clips at once on one coprocessor.

The parent (``paracore.demo.show``) starts a backend and one sandboxed process per domain (``_sandbox``), each
of which runs ``domain``: it looks around in its cell, decodes its clips and tells the parent about it in
JSON lines. What it claims is compared with a plain libav decode (``_plain``) and printed; no figure
comes from anywhere but the run. The benchmarks use the same parts.
"""

from paracore.demo._backend import Backend, Member
from paracore.demo._clips import Clip, natural_clip, prepare_clips, zoomed_clip
from paracore.demo._plain import libav_versions, plain_hashes, plain_program, plain_run
from paracore.demo._process import DomainFailed, Tasks
from paracore.demo._report import machine
from paracore.demo._run import ProgramFailed, Run, Runner, time_program
from paracore.demo._stage import DEVICE, Case, Stage

__all__ = [
    "DEVICE",
    "Backend",
    "Case",
    "Clip",
    "DomainFailed",
    "Member",
    "ProgramFailed",
    "Run",
    "Runner",
    "Stage",
    "Tasks",
    "libav_versions",
    "machine",
    "natural_clip",
    "plain_hashes",
    "plain_program",
    "plain_run",
    "prepare_clips",
    "time_program",
    "zoomed_clip",
]
