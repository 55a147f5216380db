# SPDX-License-Identifier: Apache-2.0
"""Echo servers by other means. Each module has ``caller(folder)``, a context manager that gives a function
``call(payload)``, and is a program ``python -m bench.peers.X FOLDER`` that serves and says ``ready``.
"""
