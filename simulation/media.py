"""A bot's side of the media connection: one offer, own speech and picture out, everything else counted and not decoded.

Owns one RTCPeerConnection. Made anew by `client` after each reconnection; never renegotiates. What aiortc has no public way for is here and
nowhere else, held by tests/simulation/test_media.py: sending the audio level with ready-made packets, answering a keyframe request by a
ready-made keyframe, and receiving without a decoder and its thread per line.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCRtpTransceiver, RTCSessionDescription
from aiortc.codecs.vpx import VpxPayloadDescriptor
from aiortc.rtcrtpreceiver import StreamStatistics
from aiortc.rtp import RtcpReceiverInfo, RtcpRrPacket, RtpPacket

from simulation.picture import PictureTrack
from simulation.speech import SpeechTrack

REPORT_SECONDS = 1.0
AUDIO_CLOCK, VIDEO_CLOCK = 48_000, 90_000


@dataclass(slots=True)
class Line:
    """What has come in on one receiving line. Times are Unix seconds.

    A video frame counts from the first keyframe on: what came before cannot be shown.
    """

    mid: str
    kind: str
    packets: int = 0
    octets: int = 0
    frames: int = 0
    keyframes: int = 0
    first_frame_at: float | None = None
    last_at: float | None = None
    ssrcs: set[int] = field(default_factory=set)


class _Receiver:
    """Stands in for aiortc's receiver at the transport: counts packets and reports their loss (RFC 3550, section 6.4.2)."""

    def __init__(self, line: Line, transceiver: RTCRtpTransceiver, on_first_frame: Callable[[Line], None]) -> None:
        self.line = line
        self._on_first_frame = on_first_frame
        self._transceiver = transceiver
        self._streams: dict[int, StreamStatistics] = {}
        receiver: Any = transceiver.receiver
        receiver.receive = self.receive

    async def receive(self, parameters: Any) -> None:
        self._transceiver.receiver.transport._register_rtp_receiver(self, parameters)

    def _handle_disconnect(self) -> None:
        """Nothing to stop: there is no decoder."""

    async def _handle_rtcp_packet(self, packet: object) -> None:
        """Sender reports only serve lip sync, which nobody watches here."""

    async def _handle_rtp_packet(self, packet: RtpPacket, arrival_time_ms: int) -> None:
        line, payload = self.line, packet.payload
        line.packets += 1
        line.octets += len(payload)
        line.last_at = time.time()
        stream = self._streams.get(packet.ssrc)
        if stream is None:
            stream = self._streams[packet.ssrc] = StreamStatistics(AUDIO_CLOCK if line.kind == "audio" else VIDEO_CLOCK)
            line.ssrcs.add(packet.ssrc)
        stream.add(packet)
        if line.kind == "audio":
            line.frames += 1
        elif payload:
            if _starts_keyframe(payload):
                line.keyframes += 1
            if packet.marker and line.keyframes:
                line.frames += 1
        if line.first_frame_at is None and line.frames:
            line.first_frame_at = line.last_at
            self._on_first_frame(line)

    async def report(self) -> None:
        reports = [
            RtcpReceiverInfo(
                ssrc=ssrc,
                fraction_lost=stream.fraction_lost,
                packets_lost=stream.packets_lost,
                highest_sequence=stream.max_seq or 0,
                jitter=stream.jitter,
                lsr=0,
                dlsr=0,
            )
            for ssrc, stream in self._streams.items()
        ]
        if reports:
            packet = RtcpRrPacket(ssrc=self._transceiver.sender._ssrc, reports=reports)
            with contextlib.suppress(ConnectionError):
                await self._transceiver.receiver.transport._send_rtp(bytes(packet))


def _starts_keyframe(payload: bytes) -> bool:
    """Tell whether a VP8 RTP payload begins a keyframe (RFC 7741: S bit, partition 0; RFC 6386, section 9.1: P bit clear)."""
    try:
        descriptor, data = VpxPayloadDescriptor.parse(payload)
    except ValueError:
        return False
    return bool(descriptor.partition_start and descriptor.partition_id == 0 and data and not data[0] & 1)


class Media:
    """One connection. `speech` and `picture` None: this bot only listens (and is not seen)."""

    def __init__(
        self,
        slots: int,
        speech: SpeechTrack | None,
        picture: PictureTrack | None,
        on_first_frame: Callable[[Line], None] = lambda _: None,
    ) -> None:
        self._on_first_frame = on_first_frame
        self.peer = RTCPeerConnection(RTCConfiguration(bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self.lines: dict[str, Line] = {}
        self._receivers: list[_Receiver] = []
        self._reports: asyncio.Task[None] | None = None
        audio = self.peer.addTransceiver(speech or "audio", direction="sendonly" if speech else "inactive")
        if speech:
            _send_levels(audio.sender, speech)
        video = self.peer.addTransceiver(picture or "video", direction="sendonly" if picture else "inactive")
        if picture:
            _send_keyframes(video.sender, picture)
        self._incoming = [
            self.peer.addTransceiver(kind, direction="recvonly") for _ in range(slots) for kind in ("audio", "video")
        ]

    @property
    def state(self) -> str:
        """The connection's state, in the words of the WebRTC standard."""
        return str(self.peer.connectionState)

    async def offer(self) -> str:
        """Return the offer: own audio, own video, then a pair of receiving lines per slot. To be called once."""
        await self.peer.setLocalDescription(await self.peer.createOffer())
        for transceiver in self._incoming:
            line = Line(str(transceiver.mid), transceiver.kind)
            self.lines[line.mid] = line
            self._receivers.append(_Receiver(line, transceiver, self._on_first_frame))
        return str(self.peer.localDescription.sdp)

    async def answer(self, sdp: str) -> None:
        """Take the answer; the connection comes up by itself after that."""
        await self.peer.setRemoteDescription(RTCSessionDescription(sdp=sdp, type="answer"))
        self._reports = asyncio.create_task(self._report())

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            for receiver in self._receivers:
                await receiver.report()

    async def close(self) -> None:
        """End the connection and what it sends; the tracks end with it."""
        if self._reports:
            self._reports.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._reports
        await self.peer.close()


def _send_levels(sender: Any, track: SpeechTrack) -> None:
    """Add the RFC 6464 level, which aiortc only computes for audio that it encodes itself (it keeps it negated)."""
    encoded = sender._next_encoded_frame

    async def with_level(codec: Any) -> Any:
        frame = await encoded(codec)
        if frame is not None:
            frame.audio_level = -track.level
        return frame

    sender._next_encoded_frame = with_level


def _send_keyframes(sender: Any, track: PictureTrack) -> None:
    """Have the track answer keyframe requests, which aiortc only passes to an encoder of its own."""
    sender._send_keyframe = track.keyframe
