"""What was said is still written down when every fifth packet is lost on the way to the server."""

from __future__ import annotations

import asyncio
import fractions
import json
import re
import time
from difflib import SequenceMatcher
from pathlib import Path

import av
import numpy as np
import pytest
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamTrack

import simulation
from tests.server.media.clients import media_room, until
from tests.server.media.links import link_to
from transcription.decode import RATE, AudioPacket, OpusEncoder, Samples, read_recording
from transcription.recognise import recognise
from transcription.settings import TranscriptionSettings
from transcription.speaker import Speaker
from transcription.whisper import WhisperEngine
from transcription.work import Piece, WorkItem

pytestmark = pytest.mark.speech
SPEECH = Path(simulation.__file__).parent / "speech"
SECONDS = 14.0
LOSS, LEAST_FOUND = 0.20, 0.85


def as_a_browser_does(samples: Samples) -> list[bytes]:
    """Opus with in-band redundancy and discontinuous transmission."""
    encoder = OpusEncoder()
    encoder._codec.options = {
        "application": "voip", "frame_duration": "20", "fec": "1", "packet_loss": "20", "dtx": "1",
    }  # fmt: skip
    return [payload for _, payload in encoder.encode(samples) + encoder.finish()]


class Microphone(MediaStreamTrack):
    """Gives encoded packets in real time, then nothing more."""

    kind = "audio"

    def __init__(self, payloads: list[bytes]) -> None:
        super().__init__()
        self._payloads = payloads
        self._next = 0
        self._began: float | None = None
        self.done = asyncio.Event()

    async def recv(self) -> av.Packet:
        if self._next == len(self._payloads):
            self.done.set()
            await asyncio.Event().wait()
        if self._began is None:
            self._began = time.monotonic()
        await asyncio.sleep(max(0.0, self._began + self._next * 0.02 - time.monotonic()))
        packet = av.Packet(self._payloads[self._next])
        packet.pts = self._next * 960
        packet.time_base = fractions.Fraction(1, RATE)
        self._next += 1
        return packet


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9']+", text.lower())


def written(packets: list[AudioPacket], engine: WhisperEngine) -> str:
    """Read what arrived, by the server's own voice activity and segments."""
    speaker = Speaker(TranscriptionSettings())
    text: list[str] = []

    def read(piece: Piece) -> None:
        item = WorkItem("i", "room", "final", (piece,), "en", "", "")
        text.append(recognise(engine, [item], [2])[0].text)

    for index, packet in enumerate(packets):
        speaker.push(packet)
        last = index == len(packets) - 1
        if index % 13 and not last:
            continue
        for boundary in speaker.flush(packet.at) if last else speaker.advance(packet.at):
            if boundary.kind in ("cut", "closed"):
                read(speaker.piece(boundary.start, boundary.at + RATE // 5))
    return " ".join(text)


async def test_words_are_still_found_when_every_fifth_packet_is_lost(tmp_path: Path) -> None:
    engine = await asyncio.to_thread(WhisperEngine, TranscriptionSettings(cache_dir=tmp_path, threads_per_worker=2))
    clips = json.loads((SPEECH / "manifest.json").read_text())["clips"]
    said: list[str] = []
    parts = [np.zeros(RATE // 2, np.float32)]
    for clip in clips:
        sound = np.concatenate([part.mean(axis=0) for part in read_recording(SPEECH / clip["file"])]).astype(np.float32)
        if sum(map(len, parts)) + len(sound) <= SECONDS * RATE:
            parts += [sound, np.zeros(RATE, np.float32)]
            said += words(clip["text"])
    microphone = Microphone(as_a_browser_does(np.concatenate(parts)))
    async with media_room() as (room, heard):
        peer = RTCPeerConnection()
        peer.addTransceiver(microphone, direction="sendonly")
        peer.addTransceiver("video", direction="inactive")
        await peer.setLocalDescription(await peer.createOffer())
        answer = await room.connect("ada", peer.localDescription.sdp)
        link = await link_to(answer, loss=LOSS, seed=4)
        await peer.setRemoteDescription(RTCSessionDescription(link.through(answer), "answer"))
        await asyncio.wait_for(microphone.done.wait(), 120)
        await until(lambda: heard.audio)
        packets = sorted(heard.audio, key=lambda packet: packet.at)
        await peer.close()
        link.transport.close()
    sent = len(as_a_browser_does(np.concatenate(parts)))
    assert 0.7 * sent < len(packets) < 0.9 * sent, "the loss is real"
    text = words(await asyncio.to_thread(written, packets, engine))
    same = SequenceMatcher(None, said, text, autojunk=False).get_matching_blocks()
    found = sum(block.size for block in same) / len(said)
    print(f"{found:.0%} of {len(said)} words found with {1 - len(packets) / sent:.0%} of packets lost")
    assert found >= LEAST_FOUND
