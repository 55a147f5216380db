# SPDX-License-Identifier: Apache-2.0
"""The main job on real Xen: two guests of an emulated ARM64 board use the codecs that live in dom0.

The same show as the local demo (``paracore.demo.show``) on another stage: the backend runs in dom0, the domains
are Xen guests with a frontend daemon each, and plain libav runs in dom0. Beside decoding the guests encode, and
use a codec of dom0's kernel through V4L2; both are compared with the same thing done in dom0. Nothing that is printed
comes from anywhere but the run.
"""
