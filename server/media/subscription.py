"""Who is shown where, and how much of it a connection carries (pure; time is an argument).

Owns the assignment of publishers to slots and the adaptation to a subscriber's bandwidth: upper VP8 temporal layers go first, then
videos (the least important first), then all video; sound stays. Never does I/O. Called by `forwarder`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from server.media.model import QualityLevel, Wanted

LAYER_SHARES = (0.4, 0.6, 1.0)
"""Share of a three-layer VP8 stream's rate up to each temporal layer (libvpx's default allocation for L1T3)."""
NEGLIGIBLE_BITS = 100_000
"""Video below this rate says nothing about a connection; receivers' estimates at such rates are noise."""
FEW = 2
"""Videos that a member who asked for few gets."""


def assign(current: Sequence[str | None], publishers: Sequence[str]) -> list[str | None]:
    """Return who is in which slot: whoever has one keeps it, as long as they are among the first `len(current)` publishers.

    Args:
        current: member by slot, None where it is free.
        publishers: the most important first.
    """
    shown = publishers[: len(current)]
    kept = [member if member in shown else None for member in current]
    waiting = [member for member in shown if member not in kept]
    return [member if member is not None else (waiting.pop(0) if waiting else None) for member in kept]


@dataclass(frozen=True, slots=True)
class VideoSource:
    """One publisher's video, as it could be sent."""

    member_id: str
    bits_per_second: float
    layered: bool
    """Whether it has temporal layers that can be left out."""


@dataclass(frozen=True, slots=True)
class Allocation:
    """How much of which video is sent; a member that is missing is paused."""

    layers: Mapping[str, int]
    """Highest temporal layer by member: 0, 1 or 2."""
    level: QualityLevel


def allocate(budget: float | None, sources: Sequence[VideoSource], wanted: Wanted) -> Allocation:
    """Spend a budget (bits per second of video; None: unlimited) on videos, the most important first.

    Sound is always sent. Every video gets its base layer before any gets more, so that people freeze as late as possible.
    """
    chosen = {"all": list(sources), "few": list(sources[:FEW]), "none": []}[wanted]
    if budget is None:
        layers = {source.member_id: 2 for source in chosen}
        return Allocation(layers, _level(sources, layers))
    left = budget
    layers = {}
    for source in chosen:
        cost = source.bits_per_second * (LAYER_SHARES[0] if source.layered else 1.0)
        if cost > left:
            # A cheaper but less important video is not shown instead: who is seen should not depend on bit rates.
            break
        left -= cost
        layers[source.member_id] = 0 if source.layered else 2
    for layer in (1, 2):
        for source in chosen:
            if layers.get(source.member_id) == layer - 1:
                cost = source.bits_per_second * (LAYER_SHARES[layer] - LAYER_SHARES[layer - 1])
                if cost <= left:
                    left -= cost
                    layers[source.member_id] = layer
    return Allocation(layers, _level(sources, layers))


def _level(sources: Sequence[VideoSource], layers: Mapping[str, int]) -> QualityLevel:
    if sources and not layers:
        return "audio"
    if len(layers) < len(sources):
        return "few"
    return "full" if all(layer == 2 for layer in layers.values()) else "reduced"


class BandwidthCap:
    """How much video a subscriber's connection is believed to carry beside the sound: no limit until it shows signs of one.

    Down at once when the receiver's estimate (REMB) stays below what is sent, or losses exceed 10 % (the threshold of Google congestion
    control's loss-based part, draft-ietf-rmcat-gcc-02 section 6). Up by steps after a quiet time, which doubles when an attempt fails.
    """

    LOSS_DOWN = 0.10
    LOSS_UP = 0.02
    SQUEEZED = 0.7
    """Of what is sent. On overuse a receiver estimates 85 % of what *arrives* (AIMD, ibid. section 5.5), also where its own machine is
    late rather than the network; only less than that tells that not everything arrives."""
    BELIEVED = 3
    """Low estimates in a row, about a second apart, before they count."""
    STEP = 1.3
    QUIET = (4.0, 60.0)
    """Seconds without trouble before a step up: at first, at most."""

    __slots__ = ("_calm_since", "_quiet", "_raised_at", "_troubles", "bits_per_second")

    def __init__(self) -> None:
        self.bits_per_second: float | None = None
        self._quiet = self.QUIET[0]
        self._calm_since = 0.0
        self._raised_at: float | None = None
        self._troubles = 0

    def update(self, at: float, sent: float, demand: float, estimate: float | None, loss: float) -> None:
        """Take the state of about one second.

        Args:
            at: seconds.
            sent: bits per second of video that were sent.
            demand: bits per second that all video would take.
            estimate: the receiver's, for video (REMB counts what carries abs-send-time); None if it gave none.
            loss: share of packets lost, 0..1.
        """
        squeezed = estimate is not None and sent > NEGLIGIBLE_BITS and estimate < self.SQUEEZED * sent
        if loss > self.LOSS_DOWN or squeezed:
            self._troubles += 1
            if loss > self.LOSS_DOWN or self._troubles >= self.BELIEVED:
                self._lower(at, sent, estimate if squeezed else None, loss)
            return
        self._troubles = 0
        if self.bits_per_second is None:
            return
        if loss > self.LOSS_UP:
            self._calm_since = at
        elif at - self._calm_since >= self._quiet:
            if self._raised_at is not None:
                # The step before held, so that the next may come sooner.
                self._quiet = max(self.QUIET[0], self._quiet / 2)
            self.bits_per_second *= self.STEP
            self._calm_since = self._raised_at = at
            if self.bits_per_second > 1.2 * demand:
                self.bits_per_second = None

    def _lower(self, at: float, sent: float, estimate: float | None, loss: float) -> None:
        if self._raised_at is not None:
            failed = at - self._raised_at < 10.0
            self._quiet = min(self.QUIET[1], self._quiet * 2) if failed else self._quiet
            self._raised_at = None
        # What arrived is what the connection carries; less than that lets its queue drain.
        lowered = 0.9 * sent * (1 - loss)
        if estimate is not None:
            lowered = min(lowered, 0.95 * estimate)
        known = self.bits_per_second
        self.bits_per_second = max(30_000.0, lowered if known is None else min(known, lowered))
        self._calm_since = at
        self._troubles = 0
