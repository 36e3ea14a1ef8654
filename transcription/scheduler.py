"""What a worker does next, and how thoroughly. Pure: time comes in as a number.

Owns: the order final > partial > refine, batching, and what is given up first under load: partials expire, then
finals lose their beam, then their model. Never does: reading queues or audio.
Called by: `transcription.worker`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from transcription.settings import TranscriptionSettings
from transcription.work import Claim, Kind

_SLOWER, _FASTER = 1.5, 0.9


@dataclass(frozen=True, slots=True)
class Effort:
    """How thoroughly to read an item."""

    beam_size: int
    small_model: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do with a set of claims: read some together, say of others that they came too late or kill workers."""

    read: tuple[tuple[Claim, Effort], ...]
    expired: tuple[Claim, ...]
    given_up: tuple[Claim, ...]


def effort(kind: Kind, waited_seconds: float, settings: TranscriptionSettings) -> Effort:
    """Return how thoroughly to read an item that lay in the queue for so long."""
    if kind == "refine":
        return Effort(settings.refine_beam_size)
    if kind == "partial":
        return Effort(1)
    if waited_seconds > settings.final_small_model_after_seconds:
        return Effort(1, small_model=settings.small_model is not None)
    if waited_seconds > settings.final_beam_1_after_seconds:
        return Effort(1)
    return Effort(settings.final_beam_size)


def plan(claims: Sequence[Claim], settings: TranscriptionSettings) -> Plan:
    """Sort the claims into what to read (in the order of the claims), what is too late and what to give up."""
    read: list[tuple[Claim, Effort]] = []
    expired: list[Claim] = []
    given_up: list[Claim] = []
    for claim in claims:
        if claim.deliveries > settings.most_deliveries:
            given_up.append(claim)
        elif claim.item.kind == "partial" and claim.waited_seconds > settings.partial_expires_seconds:
            expired.append(claim)
        else:
            read.append((claim, effort(claim.item.kind, claim.waited_seconds, settings)))
    return Plan(tuple(read), tuple(expired), tuple(given_up))


def batch_limit(device: str, settings: TranscriptionSettings) -> int:
    """Return how many items to read at once, where so many wait."""
    return settings.gpu_batch if device == "cuda" else settings.cpu_batch


def partial_interval(
    before: float, read_seconds: float, waited_seconds: float, expired: bool, settings: TranscriptionSettings
) -> float:
    """Return the seconds between a speaker's partials from now on, after one was answered.

    Partials that wait thin out. Else a slow reading is made up for by asking sooner: a word waits half the interval for
    the next partial, and then for its reading.
    """
    if expired or waited_seconds > settings.partial_busy_seconds:
        return min(before * _SLOWER, settings.partial_every_at_most_seconds)
    wanted = 2 * (settings.partial_shown_seconds - read_seconds)
    wanted = min(max(wanted, settings.partial_every_at_least_seconds), settings.partial_every_seconds)
    return max(before * _FASTER, wanted)
