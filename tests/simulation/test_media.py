"""The bots' media against an ordinary aiortc peer: what is sent can be decoded, what comes back is counted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCRtpReceiver, RTCSessionDescription
from aiortc.rtp import RtpPacket

from simulation import speech
from simulation.media import Media
from simulation.picture import HEIGHT, WIDTH, PictureTrack
from simulation.speech import SpeechTrack

CLIP = speech.load_library()[0].clips[0]


class Other:
    """An ordinary peer that answers, decodes what it gets and sends one bot's picture and voice back on every line."""

    def __init__(self) -> None:
        self.peer = RTCPeerConnection(RTCConfiguration(bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self.levels: list[int] = []
        self.tracks: dict[str, asyncio.Queue[object]] = {}
        self._readers: list[asyncio.Task[None]] = []

    async def answer(self, offer: str) -> str:
        self.peer.on("track", self._read)
        await self.peer.setRemoteDescription(RTCSessionDescription(sdp=offer, type="offer"))
        lines = self.peer.getTransceivers()
        for line in lines[2:]:
            line.sender.replaceTrack(SpeechTrack() if line.kind == "audio" else PictureTrack(0.2, lambda: True))
            line.direction = "sendonly"
        self._watch_levels(lines[0].receiver)
        await self.peer.setLocalDescription(await self.peer.createAnswer())
        return self.peer.localDescription.sdp

    def _watch_levels(self, receiver: RTCRtpReceiver) -> None:
        handle = receiver._handle_rtp_packet

        async def watch(packet: RtpPacket, arrival_time_ms: int) -> None:
            assert packet.extensions.audio_level is not None
            self.levels.append(packet.extensions.audio_level[1])
            await handle(packet, arrival_time_ms)

        receiver._handle_rtp_packet = watch

    def _read(self, track) -> None:
        queue = self.tracks[track.kind] = asyncio.Queue()

        async def read() -> None:
            while True:
                queue.put_nowait(await track.recv())

        self._readers.append(asyncio.create_task(read()))

    async def close(self) -> None:
        for reader in self._readers:
            reader.cancel()
        await self.peer.close()


@pytest.fixture
async def call() -> AsyncIterator[tuple[Media, SpeechTrack, PictureTrack, Other]]:
    voice, picture, other = SpeechTrack(), PictureTrack(0.6, lambda: False), Other()
    media = Media(2, voice, picture)
    await media.answer(await other.answer(await media.offer()))
    yield media, voice, picture, other
    await media.close()
    await other.close()


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.01)


async def test_a_clip_arrives_as_sound_with_its_levels(call) -> None:
    _, voice, _, other = call
    spoken = await voice.say(CLIP)
    loud = 0.0
    async with asyncio.timeout(10):
        while loud < 500:
            frame = await other.tracks["audio"].get()
            loud = max(loud, float(np.abs(frame.to_ndarray()).max()))
    assert min(other.levels) < speech.VOICED_LEVEL
    assert spoken.started_at is not None
    voice.hush()
    await spoken.finished.wait()
    assert not voice.speaking


async def test_silence_is_sent_as_silence(call) -> None:
    _, _, _, other = call
    async with asyncio.timeout(10):
        frames = [await other.tracks["audio"].get() for _ in range(10)]
    assert max(int(np.abs(frame.to_ndarray()).max()) for frame in frames) <= 2
    assert set(other.levels) == {127}


async def test_the_picture_moves(call) -> None:
    _, _, _, other = call
    async with asyncio.timeout(10):
        first, *_, last = [await other.tracks["video"].get() for _ in range(8)]
    assert (first.width, first.height) == (WIDTH, HEIGHT)
    assert np.abs(first.to_ndarray().astype(int) - last.to_ndarray().astype(int)).max() > 60


async def test_a_keyframe_request_is_answered_by_a_keyframe(call) -> None:
    _, _, picture, other = call
    await until(lambda: picture._index > 3)
    before = picture._index
    receiver = other.peer.getTransceivers()[1].receiver
    ssrc = receiver.getSynchronizationSources()[0].source
    await receiver._send_rtcp_pli(ssrc)
    await until(lambda: picture._index < before)


async def test_what_comes_in_is_counted_on_every_line_without_decoding(call) -> None:
    media, _, _, _ = call
    await until(lambda: all(line.frames > 3 for line in media.lines.values()))
    assert [line.kind for line in media.lines.values()] == ["audio", "video"] * 2
    assert all(line.first_frame_at is not None for line in media.lines.values())
    assert all(line.keyframes >= 1 for line in media.lines.values() if line.kind == "video")
    assert all(t.receiver._RTCRtpReceiver__decoder_thread is None for t in media.peer.getTransceivers())


async def test_loss_is_reported_to_the_sender(call) -> None:
    media, _, _, other = call
    sender = other.peer.getTransceivers()[2].sender
    await until(lambda: media.lines["2"].packets > 0)
    async with asyncio.timeout(10):
        while not any(s.type == "remote-inbound-rtp" for s in (await sender.getStats()).values()):
            await asyncio.sleep(0.05)


async def test_a_bot_that_only_listens_offers_no_sending_line() -> None:
    media = Media(1, None, None)
    sdp = await media.offer()
    await media.close()
    assert sdp.count("a=inactive") == 2
    assert sdp.count("a=recvonly") == 2
    assert "a=sendrecv" not in sdp
