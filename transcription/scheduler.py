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
    """Return how many items to read at once: one on a CPU, where batching only adds delay."""
    return settings.gpu_batch if device == "cuda" else 1
