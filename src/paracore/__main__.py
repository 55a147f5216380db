# SPDX-License-Identifier: Apache-2.0
"""``python -m paracore``: the command line."""

import sys

from paracore.cli import main

sys.exit(main())
