# SPDX-License-Identifier: Apache-2.0
"""The benchmarks: every promise of ``SPECIFICATION.md``, measured against plain libav or a bare ping-pong.

``make bench`` runs them all and writes ``build/bench/report.json`` and plots beside it. Times are never
asserted by tests: each figure is a ratio or a difference of two things measured in turns in one run, with the
spread of both, so that a reader can tell a miss from a noisy machine. One module per subject; each function
in its ``BENCHMARKS`` yields results by name, and ``_promises`` says what was promised of them.
"""
