"""Opus packets in, 16 kHz mono samples in room time out.

Owns: every use of PyAV by the recogniser: decoding Opus, putting RTP timestamps on the room's clock,
encoding (for
imported files), reading recorded files.
Never does: voice activity, scheduling, networking; nothing here awaits. All of it is CPU work: callers keep
it off the
event loop.
Called by: `transcription.speaker`, `transcription.worker` and `transcription.importing`, in threads.

Positions are whole samples at 48 kHz, the RTP clock of Opus (RFC 7587); audio for the recogniser is 16 kHz
float32
in -1..1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from deliberation.errors import InvalidInput
from transcription.work import Piece

Samples = NDArray[np.float32]
RATE = 48_000
SPEECH_RATE = 16_000
_FACTOR = RATE // SPEECH_RATE
_FRAME = 960
_WRAP = 1 << 32
_JUMP_SECONDS = 2.0
_WINDOW_SECONDS = 30.0


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


class RtpTimeline:
    """Where each packet lies on the room's clock.

    A packet's position follows its RTP timestamp, so that network jitter does not bend time. The origin
    (room time of
    position 0) is the least transit time seen lately: it follows the drift of the sender's clock by windows
    of 30 s.
    A timestamp that disagrees with the arrival by over 2 s (a new SSRC, a sender that slept) starts anew at
    the time of
    arrival; positions never run back by that.
    """

    def __init__(self) -> None:
        self.origin = 0.0
        self._last_timestamp: int | None = None
        self._last_position = 0
        self._window_least = float("inf")
        self._window_ends = 0.0

    def place(self, timestamp: int, at: float) -> int:
        """Return the packet's position. `at` is its room time of arrival."""
        if self._last_timestamp is None:
            self.origin = at
            position = 0
            self._window_ends = at + _WINDOW_SECONDS
        else:
            step = (timestamp - self._last_timestamp + _WRAP // 2) % _WRAP - _WRAP // 2
            position = self._last_position + step
            if abs(at - self.room_time(position)) > _JUMP_SECONDS:
                position = max(self._last_position + _FRAME, self.position(at))
                self._window_least = float("inf")
        self._last_timestamp = timestamp
        self._last_position = position
        transit = at - position / RATE
        self._window_least = min(self._window_least, transit)
        self.origin = min(self.origin, transit)
        if at >= self._window_ends:
            self.origin = self._window_least
            self._window_least = float("inf")
            self._window_ends = at + _WINDOW_SECONDS
        return position

    def room_time(self, position: int) -> float:
        """Return the room time of a position, seconds."""
        return self.origin + position / RATE

    def position(self, at: float) -> int:
        """Return the position of a room time."""
        return round((at - self.origin) * RATE)


class OpusDecoder:
    """Decodes one stream of Opus packets to 48 kHz mono. A broken packet becomes silence of one frame."""

    def __init__(self) -> None:
        self._codec: Any = av.CodecContext.create("opus", "r")
        self._codec.sample_rate = RATE
        self._codec.layout = "mono"

    def decode(self, payload: bytes) -> Samples:
        """Return the packet's samples, at 48 kHz; never raises."""
        try:
            frames = self._codec.decode(av.Packet(payload)) if payload else []
            parts: list[Samples] = [frame.to_ndarray().mean(axis=0, dtype=np.float32) for frame in frames]
        except (av.FFmpegError, ValueError):
            parts = []
        return np.concatenate(parts) if parts else np.zeros(_FRAME, np.float32)


def _low_pass(taps: int = 63) -> Samples:
    """Return a Hamming-windowed sinc, cut off at 7.2 kHz, unit gain."""
    middle = np.arange(taps) - (taps - 1) / 2
    kernel = np.sinc(middle * 2 * 7200 / RATE) * np.hamming(taps)
    taper: Samples = (kernel / kernel.sum()).astype(np.float32)
    return taper


_KERNEL = _low_pass()


class Decimator:
    """48 kHz to 16 kHz, a stretch at a time; the delay of the filter (0.6 ms) is left in."""

    def __init__(self) -> None:
        self._carry = np.zeros(len(_KERNEL) - 1, np.float32)

    def __call__(self, samples: Samples) -> Samples:
        """Return a third as many samples. The length must be a multiple of 3."""
        assert len(samples) % _FACTOR == 0, "whole output samples only"
        if not len(samples):
            return samples
        joined: Samples = np.concatenate((self._carry, samples))
        self._carry = joined[len(joined) - len(self._carry) :]
        windows: Samples = np.lib.stride_tricks.sliding_window_view(joined, len(_KERNEL))[::_FACTOR]
        filtered: Samples = np.ascontiguousarray(windows @ _KERNEL, dtype=np.float32)
        return filtered


def decode_piece(piece: Piece) -> Samples:
    """Return a piece's audio at 16 kHz; packets that are missing are silence."""
    decoder = OpusDecoder()
    base = min((piece.start, *(offset for offset, _ in piece.packets)))
    audio = np.zeros(max(piece.end - base, 0), np.float32)
    for offset, payload in sorted(piece.packets):
        samples = decoder.decode(payload)
        at = offset - base
        room = len(audio) - at
        if room > 0:
            audio[at : at + len(samples)] = samples[:room]
    wanted: Samples = audio[piece.start - base :]
    speech: Samples = Decimator()(wanted[: len(wanted) // _FACTOR * _FACTOR])
    return speech


def decode_pieces(pieces: Iterable[Piece]) -> Samples:
    """Return the pieces' audio, joined, at 16 kHz."""
    return np.concatenate([np.zeros(0, np.float32), *(decode_piece(piece) for piece in pieces)])


class OpusEncoder:
    """Encodes one stream of 48 kHz mono samples as 20 ms packets.

    The encoder's look-ahead (6.5 ms) is left in the audio, as it is in what browsers send.
    """

    def __init__(self, bit_rate: int = 32_000) -> None:
        self._codec: Any = av.CodecContext.create("libopus", "w")
        self._codec.sample_rate = RATE
        self._codec.layout = "mono"
        self._codec.format = "s16"
        self._codec.bit_rate = bit_rate
        self._codec.options = {"application": "voip", "frame_duration": "20"}
        self._rest = np.zeros(0, np.float32)
        self._taken = 0
        self._given = 0

    def encode(self, samples: Samples) -> list[tuple[int, bytes]]:
        """Return the packets that are complete, each with its position; what is short of a packet waits."""
        joined: Samples = np.concatenate((self._rest, samples))
        whole = len(joined) // _FRAME * _FRAME
        self._rest = joined[whole:]
        ints = (np.clip(joined[:whole], -1, 1) * 32767).astype(np.int16)
        payloads: list[bytes] = []
        for at in range(0, whole, _FRAME):
            frame = av.AudioFrame.from_ndarray(ints[None, at : at + _FRAME], format="s16", layout="mono")
            frame.sample_rate = RATE
            frame.pts = self._taken
            self._taken += _FRAME
            payloads += [bytes(packet) for packet in self._codec.encode(frame)]
        return self._placed(payloads)

    def finish(self) -> list[tuple[int, bytes]]:
        """Return the last packets, the very last filled up with silence."""
        packets = self.encode(np.zeros(-len(self._rest) % _FRAME, np.float32))
        late = [bytes(packet) for packet in self._codec.encode(None)]
        return packets + self._placed(late[: (self._taken - self._given) // _FRAME])

    def _placed(self, payloads: list[bytes]) -> list[tuple[int, bytes]]:
        first = self._given
        self._given += len(payloads) * _FRAME
        return [(first + index * _FRAME, payload) for index, payload in enumerate(payloads)]


def encode_opus(samples: Samples) -> list[tuple[int, bytes]]:
    """Encode 48 kHz mono samples at once; returns `(position, payload)` from position 0 on."""
    encoder = OpusEncoder()
    return encoder.encode(samples) + encoder.finish()


@dataclass(frozen=True, slots=True)
class Recording:
    """What a recorded file holds."""

    channels: int
    seconds: float
    """As the container says; 0 where it does not."""


def inspect_recording(path: Path) -> Recording:
    """Look into a recorded file.

    Raises InvalidInput `recording_unreadable` where it holds no audio that can be read.
    """
    try:
        with av.open(str(path)) as container:
            stream = container.streams.audio[0]
            seconds = float(container.duration or 0) / 1_000_000
            return Recording(stream.codec_context.channels, seconds)
    except (av.FFmpegError, OSError, IndexError) as error:
        raise InvalidInput("recording_unreadable", f"{path.name} holds no audio that can be read.") from error


def _planes(frame: Any, channels: int) -> Samples:
    planes: Samples = frame.to_ndarray().reshape(channels, -1)
    return planes


def read_recording(path: Path) -> Iterator[Samples]:
    """Yield a file's audio at 48 kHz in stretches, shape (channels, samples).

    Raises InvalidInput `recording_unreadable` where the file cannot be read from some point on.
    """
    try:
        with av.open(str(path)) as container:
            stream = container.streams.audio[0]
            channels = stream.codec_context.channels
            layout = stream.codec_context.layout.name
            resampler = av.AudioResampler(format="fltp", layout=layout, rate=RATE)
            for frame in container.decode(stream):
                frame.pts = None
                for part in resampler.resample(frame):
                    yield _planes(part, channels)
            for part in resampler.resample(None):
                yield _planes(part, channels)
    except (av.FFmpegError, OSError, IndexError) as error:
        raise InvalidInput("recording_unreadable", f"{path.name} cannot be read to its end.") from error
