"""Opus packets in, 16 kHz mono samples in room time out.

Owns: every use of PyAV by the recogniser: decoding one participant's Opus packets, putting RTP timestamps on
the room's clock,
encoding (for imported files), reading recorded files.
Never does: voice activity, scheduling, networking; nothing here awaits. All of it is CPU work: callers keep
it off the event loop.
Called by: `transcription.stream` (in a thread), `transcription.worker` (in a thread),
`transcription.importing`, the tests.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AudioPacket:
    """One Opus packet of one participant, as the media tap hands it over."""

    participant_id: str
    payload: bytes
    """One Opus packet, decrypted."""
    timestamp: int
    """RTP timestamp, 48 kHz, 32 bit, wraps."""
    sequence: int
    """RTP sequence number, 16 bit, wraps."""
    at: float
    """Room time of arrival, seconds."""
    level: int | None
    """RFC 6464 level: 0..127, -dBov, 127 is silence; None where the client sends none."""
