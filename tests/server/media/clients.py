"""Clients for the media tests: aiortc peers and a page for Chromium that offers the way the room's page does."""

from __future__ import annotations

import asyncio
import inspect
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import AudioStreamTrack, MediaStreamError, MediaStreamTrack, VideoStreamTrack

from server.media import MediaConfig, MediaRoom
from server.media.model import ConnectionChanged, MediaChange
from transcription.decode import AudioPacket


class Heard:
    """Everything a room reported, for waiting on conditions instead of on time."""

    def __init__(self) -> None:
        self.changes: list[MediaChange] = []
        self.audio: list[AudioPacket] = []

    def states(self, member_id: str) -> list[str]:
        return [c.state for c in self.changes if isinstance(c, ConnectionChanged) and c.member_id == member_id]


@asynccontextmanager
async def media_room(config: MediaConfig | None = None) -> AsyncIterator[tuple[MediaRoom, Heard]]:
    heard = Heard()
    config = config or MediaConfig(udp_ports=(0, 0), addresses=("127.0.0.1",))
    room = MediaRoom("room", config, on_audio=heard.audio.append, on_change=heard.changes.append)
    try:
        yield room, heard
    finally:
        await room.close()


async def until(condition: Callable[[], object], seconds: float = 30.0) -> None:
    """Wait for a condition of the real network; fails with the condition's source after `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"not within {seconds:.0f} s: {inspect.getsource(condition).strip()}") from None


class AiortcClient:
    """An independent WebRTC implementation as a member: counts what it decodes, by m-line."""

    def __init__(
        self, room: MediaRoom, member_id: str, *, slots: int = 2, audio: bool = True, video: bool = True
    ) -> None:
        self.room, self.member_id = room, member_id
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self.decoded: Counter[str] = Counter()
        self._tasks: list[asyncio.Task[None]] = []
        for kind, wanted, track in (("audio", audio, AudioStreamTrack), ("video", video, VideoStreamTrack)):
            if wanted:
                self.pc.addTransceiver(track(), direction="sendonly")
            else:
                self.pc.addTransceiver(kind, direction="inactive")
        for _ in range(slots):
            self.pc.addTransceiver("audio", direction="recvonly")
            self.pc.addTransceiver("video", direction="recvonly")
        self.pc.on("track", self._track)

    def _track(self, track: MediaStreamTrack) -> None:
        mid = next(t.mid for t in self.pc.getTransceivers() if t.receiver.track is track)
        self._tasks.append(asyncio.create_task(self._count(track, mid)))

    async def _count(self, track: MediaStreamTrack, mid: str) -> None:
        with suppress(MediaStreamError):
            while True:
                await track.recv()
                self.decoded[mid] += 1

    async def join(self) -> AiortcClient:
        await self.pc.setLocalDescription(await self.pc.createOffer())
        answer = await self.room.connect(self.member_id, self.pc.localDescription.sdp)
        await self.pc.setRemoteDescription(RTCSessionDescription(answer, "answer"))
        return self

    async def leave(self) -> None:
        await self.pc.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
