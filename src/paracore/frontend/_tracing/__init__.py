# SPDX-License-Identifier: Apache-2.0
"""Timelines of sessions: what workers and programs have recorded (docs/protocol/trace.md), read and put together.

==============  =====================================================================
``_request``    asks the backend for domains' memories, and holds them
``_memory``     reads one memory, which its writer may fill with anything
``_collector``  reads many, for as long as somebody wants
``_timeline``   makes units and their way of single records
``_chrome``     writes them in the Trace Event Format, for Perfetto and its like
``_summary``    writes them as numbers
==============  =====================================================================

Nothing here needs the native library.
"""

from __future__ import annotations

from paracore.frontend._tracing._chrome import chrome_trace
from paracore.frontend._tracing._collector import Collector
from paracore.frontend._tracing._request import trace_domains
from paracore.frontend._tracing._summary import summary_of
from paracore.frontend._tracing._timeline import EVERYTHING, Chosen, timelines

__all__ = ["EVERYTHING", "Chosen", "Collector", "chrome_trace", "summary_of", "timelines", "trace_domains"]
