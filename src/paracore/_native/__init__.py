# SPDX-License-Identifier: Apache-2.0
"""The C code as cffi modules, built by meson (``make native``): ``_core``, ``_frontend``, ``_libav``.

Each has ``ffi`` and ``lib``; what a function does, who is trusted and which thread may call it stands in
its header under ``native/``.
"""
