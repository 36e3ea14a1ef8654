"""Rate limits: token buckets by address, in bounded memory. Pure but for what it remembers; time is an argument.

Used by the HTTP middleware and by the WebSocket sessions.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class Bucket:
    """Allows `rate` per second on average and `burst` at once."""

    rate: float
    burst: float
    level: float
    at: float

    @classmethod
    def full(cls, rate: float, burst: float, now: float) -> Bucket:
        """Return a bucket that allows a whole burst now."""
        return cls(rate, burst, burst, now)

    def take(self, now: float, cost: float = 1.0) -> bool:
        """Take `cost` if it is there, and say whether it was."""
        self.level = min(self.burst, self.level + max(0.0, now - self.at) * self.rate)
        self.at = now
        if self.level < cost:
            return False
        self.level -= cost
        return True


class Limiter:
    """One bucket per key. Remembers `size` keys; beyond that, who was quiet for longest is forgotten (and so has a full bucket again)."""

    def __init__(self, rate: float, burst: float, size: int = 20_000) -> None:
        """`rate` per second and `burst` hold for each key."""
        self._rate = rate
        self._burst = burst
        self._size = size
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def allow(self, key: str, now: float) -> bool:
        """Say whether this key may do one more thing now, and count it."""
        bucket = self._buckets.pop(key, None) or Bucket.full(self._rate, self._burst, now)
        self._buckets[key] = bucket
        if len(self._buckets) > self._size:
            self._buckets.popitem(last=False)
        return bucket.take(now)


class Waiting:
    """Counts those who have connected and not yet said who they are: at most `each` per key, `all_` together."""

    def __init__(self, each: int, all_: int) -> None:
        """Nobody waits at first."""
        self._each = each
        self._all = all_
        self._counts: dict[str, int] = {}

    def enter(self, key: str) -> Callable[[], None] | None:
        """Let one more wait, and return what is to be called once they wait no longer (again does nothing); None where it is full."""
        here = self._counts.get(key, 0)
        if here >= self._each or sum(self._counts.values()) >= self._all:
            return None
        self._counts[key] = here + 1
        left = False

        def leave() -> None:
            nonlocal left
            if left:
                return
            left = True
            self._counts[key] -= 1
            if not self._counts[key]:
                del self._counts[key]

        return leave
