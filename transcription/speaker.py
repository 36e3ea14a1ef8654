"""One speaker's packets in, boundaries of speech out; and the packets of any stretch that may still be asked for.

Owns: the order of packets, the schedule of decoding (a quiet member's packets are not decoded, only kept for the
pre-roll and probed now and then), the path packets → samples → voice activity → segmenter.
Never does: asyncio, recognition, events. Called by: `transcription.stream`: `push` on the loop, `advance` in a thread,
the rest on the loop while no `advance` runs.

The inbox holds 20 s; beyond that the oldest packets are dropped (the thread has then been stuck for 20 s).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from transcription.decode import RATE, SPEECH_RATE, AudioPacket, Decimator, OpusDecoder, RtpTimeline, Samples
from transcription.segmenter import Boundary, Segmenter
from transcription.settings import TranscriptionSettings
from transcription.voice import FRAME, SileroVoice, VoiceDetector
from transcription.work import Piece

_STEP = RATE // SPEECH_RATE
_FRAME_LENGTH = FRAME * _STEP
_INBOX_PACKETS = 1000
_LEAD_IN = round(0.08 * RATE)
"""An Opus decoder is in step after 80 ms (RFC 7845, section 4.2)."""
_PRE_ROLL_PACKETS = 18
_IDLE_GAP = round(0.1 * RATE)
_LONGEST_FILL = RATE
_SILENT_AFTER_SECONDS = 0.3
"""No packet for so long is silence (discontinuous transmission, or a lost connection)."""


@dataclass(frozen=True, slots=True)
class _Placed:
    position: int
    payload: bytes
    quiet: bool


class Speaker:
    """One participant's audio, from the first packet to the last."""

    def __init__(self, settings: TranscriptionSettings, voice: Callable[[], VoiceDetector] = SileroVoice) -> None:
        self._settings = settings
        self._timeline = RtpTimeline()
        self._decoder = OpusDecoder()
        self._decimate = Decimator()
        self._voice = voice()
        self._segmenter = Segmenter(settings, RATE)
        self._inbox: deque[AudioPacket] = deque(maxlen=_INBOX_PACKETS)
        self._undecoded: deque[_Placed] = deque(maxlen=_PRE_ROLL_PACKETS)
        self._kept: deque[tuple[int, bytes]] = deque()
        self._rest: Samples = np.zeros(0, np.float32)
        self._rest_at = 0
        self._cursor: int | None = None
        self._last_arrival = 0.0
        self._next_probe: float | None = None
        self._probe_left = 0
        self._distrust_until = 0.0
        self.decoded_seconds = 0.0

    @property
    def cursor(self) -> int:
        """The position up to which audio has been heard."""
        return self._cursor or 0

    @property
    def paused(self) -> bool:
        """Whether the open segment is in a silence."""
        return self._segmenter.paused

    def room_time(self, position: int) -> float:
        """Return the room time of a position."""
        return self._timeline.room_time(position)

    def push(self, packet: AudioPacket) -> None:
        """Take a packet; decoded by the next `advance`."""
        self._inbox.append(packet)

    def due_at(self) -> float | None:
        """Return when `advance` will have something to do; None: not before the next packet."""
        if self._inbox:
            return self._inbox[0].at + self._settings.batch_seconds
        if self._segmenter.active:
            return max(self._last_arrival, self.room_time(self.cursor)) + _SILENT_AFTER_SECONDS + 0.1
        return None

    def advance(self, now: float) -> list[Boundary]:
        """Hear everything that has arrived; return what the segmenter decided. CPU work."""
        placed = self._take_inbox()
        if not placed:
            return self._hear_silence(now) if self._segmenter.active else []
        if self._may_skip(placed, now):
            self._undecoded.extend(placed)
            return []
        quiet_claimed = all(packet.quiet for packet in placed)
        self._forget()
        boundaries = self._hear([*self._undecoded, *placed])
        self._undecoded.clear()
        if quiet_claimed and any(boundary.kind == "opened" for boundary in boundaries):
            self._distrust_until = now + self._settings.distrust_seconds
        return boundaries

    def recover(self) -> list[Boundary]:
        """End what is open and begin anew with the next packet, after `advance` has raised."""
        boundaries = self._segmenter.flush(self.cursor)
        self._undecoded.clear()
        self._cursor = None
        return boundaries

    def flush(self, now: float) -> list[Boundary]:
        """Hear what has arrived and end what is open."""
        boundaries = self.advance(now)
        return boundaries + self._segmenter.flush(self.cursor)

    def piece(self, start: int, end: int) -> Piece:
        """Return the packets of a stretch; what is no longer kept is silence."""
        packets = [(at, payload) for at, payload in self._kept if start - _LEAD_IN <= at < end]
        base = min([start, *(at for at, _ in packets)])
        return Piece(start - base, end - base, tuple((at - base, payload) for at, payload in packets))

    def _take_inbox(self) -> list[_Placed]:
        placed: list[_Placed] = []
        level = self._settings.quiet_level_dbov
        for _ in range(len(self._inbox)):
            packet = self._inbox.popleft()
            self._last_arrival = packet.at
            position = self._timeline.place(packet.timestamp, packet.at)
            quiet = packet.level is not None and packet.level >= level
            placed.append(_Placed(position, packet.payload, quiet))
        placed.sort(key=lambda packet: packet.position)
        return placed

    def _may_skip(self, placed: Sequence[_Placed], now: float) -> bool:
        """Whether these packets need not be decoded: a silent member, by a level that is trusted and no probe due."""
        if self._next_probe is None:
            self._next_probe = now + self._settings.probe_every_seconds
        if self._segmenter.active or not all(packet.quiet for packet in placed) or now < self._distrust_until:
            return False
        if self._probe_left <= 0 and now >= self._next_probe:
            self._probe_left = round(self._settings.probe_seconds * RATE)
            self._next_probe = now + self._settings.probe_every_seconds
        if self._probe_left > 0:
            self._probe_left -= placed[-1].position - placed[0].position + 960
            return False
        return True

    def _hear(self, packets: Sequence[_Placed]) -> list[Boundary]:
        boundaries: list[Boundary] = []
        sounds: list[Samples] = []
        for packet in packets:
            if self._cursor is None:
                self._restart(packet.position)
            if packet.position < self.cursor:
                continue
            gap = packet.position - self.cursor
            if gap > _LONGEST_FILL or (gap > _IDLE_GAP and not self._segmenter.active):
                boundaries += self._listen(sounds)
                sounds = []
                if self._segmenter.active:
                    boundaries += self._listen([self._silence(_LONGEST_FILL)])
                    boundaries += self._segmenter.flush(self.cursor)
                self._restart(packet.position)
            elif gap:
                sounds.append(self._silence(gap))
            samples = self._decoder.decode(packet.payload)
            self._kept.append((packet.position, packet.payload))
            self._cursor = self.cursor + len(samples)
            self.decoded_seconds += len(samples) / RATE
            sounds.append(samples)
        return boundaries + self._listen(sounds)

    def _hear_silence(self, now: float) -> list[Boundary]:
        gap = self._timeline.position(now - _SILENT_AFTER_SECONDS) - self.cursor
        return self._listen([self._silence(min(gap, _LONGEST_FILL))]) if gap > 0 else []

    def _silence(self, length: int) -> Samples:
        self._cursor = self.cursor + length
        return np.zeros(length, np.float32)

    def _listen(self, sounds: Sequence[Samples]) -> list[Boundary]:
        """Run voice activity over sounds that follow what was heard last; an incomplete frame waits for the next."""
        joined: Samples = np.concatenate([self._rest, *sounds])
        whole = len(joined) // _FRAME_LENGTH * _FRAME_LENGTH
        self._rest = joined[whole:]
        boundaries: list[Boundary] = []
        for probability in self._voice(self._decimate(joined[:whole])):
            end = self._rest_at + _FRAME_LENGTH
            boundaries += self._segmenter.feed(self._rest_at, end, probability)
            self._rest_at = end
        return boundaries

    def _restart(self, position: int) -> None:
        """Go on at a position that does not follow the last."""
        self._cursor = position
        self._rest = np.zeros(0, np.float32)
        self._rest_at = position
        self._decoder = OpusDecoder()
        self._decimate = Decimator()
        self._voice.reset()

    def _forget(self) -> None:
        """Drop packets that no piece can ask for any more; what the last boundaries concern has been asked for."""
        needed = self._segmenter.needed_from
        recent = self.cursor - round((self._settings.pre_roll_seconds + self._settings.endpoint_seconds + 0.5) * RATE)
        oldest = min(recent, recent if needed is None else needed) - _LEAD_IN
        while self._kept and self._kept[0][0] < oldest:
            self._kept.popleft()
