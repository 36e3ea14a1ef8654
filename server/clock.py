"""The server's one clock: Unix seconds that never step back while the process lives."""

from __future__ import annotations

import time

_OFFSET = time.time() - time.monotonic()


def now() -> float:
    """Return room time: Unix seconds, monotonic within this process."""
    return time.monotonic() + _OFFSET
