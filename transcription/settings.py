"""Every number of the recogniser's policy, with its unit in the name.

Owns: the defaults. Never does: reading the environment (the server's settings do that and hand one of these
in).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class TranscriptionSettings(BaseModel):
    """Frozen. Defaults suit two CPU cores with the base weights."""

    model_config = ConfigDict(frozen=True)

    # which weights, where
    model: str = "base"
    """`base` and `tiny.en` are found among the installed packages; else a CTranslate2 folder or a hub
    name."""
    small_model: str | None = None
    """Weights that finals fall back to under heavy load; None: they only lose their beam."""
    cache_dir: Path | None = None
    """Where joined weights are kept; None: `models` in the user's cache folder."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    threads_per_worker: int = Field(1, ge=1)

    # segmenter
    speech_probability: float = Field(0.5, gt=0, lt=1)
    silence_probability: float = Field(0.35, gt=0, lt=1)
    pre_roll_seconds: float = Field(0.25, ge=0)
    post_roll_seconds: float = Field(0.2, ge=0)
    """Audio kept after the last speech; less than `speculate_seconds`."""
    minimum_speech_seconds: float = Field(0.16, gt=0)
    """Less voice than this is a click, not speech."""
    speculate_seconds: float = Field(0.25, gt=0)
    """Silence after which a final is begun, to be thrown away if speech resumes."""
    endpoint_seconds: float = Field(0.5, gt=0)
    """Silence that ends an utterance."""
    longest_segment_seconds: float = Field(12.0, gt=3, le=28)
    cut_search_seconds: float = Field(3.0, gt=0)
    """How far back from the forced cut the least speech-like moment is looked for."""

    # scheduling of decoding by the client's audio level
    batch_seconds: float = Field(0.256, gt=0)
    quiet_level_dbov: int = Field(65, ge=0, le=127)
    """RFC 6464: at this level (-dBov) or quieter, a silent member's packets are not decoded."""
    probe_every_seconds: float = Field(5.0, gt=0)
    probe_seconds: float = Field(0.5, gt=0)
    distrust_seconds: float = Field(60.0, gt=0)
    """How long a client that claimed silence while speaking is decoded regardless of its level."""

    # partials
    partial_every_seconds: float = Field(1.0, gt=0)
    partial_every_at_least_seconds: float = Field(0.5, gt=0)
    """Where a reading takes long by itself, partials come as often as this, so that words still show in time."""
    partial_shown_seconds: float = Field(0.65, gt=0)
    """Half the time between partials and the time to read one should come to no more than this."""
    partial_busy_seconds: float = Field(0.4, gt=0)
    """A partial that waited for a recogniser this long says that there is too much to read."""
    partial_every_at_most_seconds: float = Field(4.0, gt=0)
    """Under load partials thin out to this."""
    partial_expires_seconds: float = Field(1.5, gt=0)

    # finals
    final_beam_size: int = Field(2, ge=1, le=10)
    final_beam_1_after_seconds: float = Field(4.0, gt=0)
    """A final that waited longer than this is decoded greedily."""
    final_small_model_after_seconds: float = Field(15.0, gt=0)
    behind_after_seconds: float = Field(5.0, gt=0)
    """Captions later than this are said to be behind."""
    finals_in_queue: int = Field(8, ge=1)
    """Finals of one room handed to the queue at a time; the rest wait in the room."""
    finals_in_memory: int = Field(64, ge=1)
    """Finals of one room waiting in memory; the rest wait on disk."""
    spill_dir: Path | None = None
    """Where they wait; None: in memory only."""
    missing_after_seconds: float = Field(5.0, gt=0)
    """A final without a result for so long is looked for in the queue, and sent again where the queue lost
    it."""
    close_seconds: float = Field(8.0, gt=0)
    """How long `close` waits for outstanding finals, from the last answer on."""

    # refining the record
    refine: bool = True
    refine_seconds: float = Field(28.0, gt=0, le=29.5)
    refine_idle_seconds: float = Field(10.0, gt=0)
    """A speaker's unrefined utterances are decoded again after so much silence, or as soon as they fill the
    window."""
    refine_beam_size: int = Field(5, ge=1, le=10)

    # language
    language_seconds: float = Field(3.0, gt=0)
    """Shorter utterances say too little about the language."""
    language_agreements: int = Field(2, ge=1)

    # worker
    heartbeat_seconds: float = Field(1.0, gt=0)
    reclaim_after_seconds: float = Field(4.0, gt=0)
    """An item whose worker has not been heard of for so long goes to another."""
    most_deliveries: int = Field(5, ge=1)
    """An item that was handed out more often than this without an answer is given up: it may be what kills
    workers."""
    cpu_batch: int = Field(4, ge=1)
    """Items of one kind that wait are read together: four cost as much as two and a half."""
    gpu_batch: int = Field(32, ge=1)
    gpu_wait_seconds: float = Field(0.03, ge=0)
