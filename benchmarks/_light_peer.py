"""A WebRTC end without codecs, for load and for hostile tests: real ICE, DTLS and SRTP, made-up RTP.

It shares nothing with `server/media` but the libraries: it offers (or answers) its own SDP, and sends packets that it builds itself.
"""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Callable
from typing import Any, cast

from aioice import ice
from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsTransport
from aiortc.rtcicetransport import RTCIceTransport, candidate_to_aioice
from aiortc.sdp import SessionDescription

AUDIO, VIDEO, RTX = 111, 96, 97
EXT_LEVEL, EXT_SEND_TIME, EXT_TRANSPORT_CC, EXT_MID = 1, 2, 3, 4
_certificate: RTCCertificate | None = None


def certificate() -> RTCCertificate:
    """Return one certificate for all peers of this process."""
    global _certificate
    _certificate = _certificate or RTCCertificate.generateCertificate()
    return _certificate


class _Agent(ice.Connection):
    on_media: Callable[[bytes], None] | None = None

    def data_received(self, data: bytes, component: int) -> None:
        if data and 128 <= data[0] <= 191:
            if self.on_media is not None:
                self.on_media(data)
        else:
            super().data_received(data, component)


class _IceStub:
    def __init__(self, agent: _Agent, role: str) -> None:
        self.role, self._recv, self._send = role, agent.recv, agent.send


class LightPeer:
    """One connection over 127.0.0.1. Publishes Opus and VP8 (never decodable), receives into `on_media` still protected."""

    def __init__(
        self, *, publish: bool = True, slots: int = 4, transport_cc: bool = True, address: str = "127.0.0.1"
    ) -> None:
        self.publish, self.slots, self.transport_cc = publish, slots, transport_cc
        self.address = address
        self.audio_ssrc, self.video_ssrc, self.rtx_ssrc = random.sample(range(1, 1 << 32), 3)
        self.numbers = {self.audio_ssrc: 100, self.video_ssrc: 200, self.rtx_ssrc: 300}
        self.transport_number = 0
        self.agent: _Agent
        self.dtls: Any = None

    async def offer(self) -> str:
        """Gather and return an offer like a browser's."""
        await self._gather(controlling=True)
        lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0"]
        kinds = [("audio", "sendonly"), ("video", "sendonly")] if self.publish else []
        kinds += [("audio", "recvonly"), ("video", "recvonly")] * self.slots
        lines.append("a=group:BUNDLE " + " ".join(str(i) for i in range(len(kinds))))
        for mid, (kind, direction) in enumerate(kinds):
            lines += self._line(kind, direction, str(mid), "actpass")
        return "\r\n".join(lines) + "\r\n"

    async def answer(self, offer: str) -> str:
        """Gather and return an answer that accepts every line of someone else's offer (as a receiver)."""
        await self._gather(controlling=False)
        self._remote = SessionDescription.parse(offer)
        mids = [m.rtp.muxId for m in self._remote.media]
        lines = ["v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "t=0 0", "a=group:BUNDLE " + " ".join(mids)]
        for media in self._remote.media:
            codec = next(c for c in media.rtp.codecs if c.name.lower() in ("opus", "vp8"))
            lines += self._line(media.kind, "recvonly", media.rtp.muxId, "active", codec.payloadType)
        return "\r\n".join(lines) + "\r\n"

    async def _gather(self, *, controlling: bool) -> None:
        self.agent = _Agent(ice_controlling=controlling, use_ipv6=False)
        usual, ice.get_host_addresses = ice.get_host_addresses, lambda use_ipv4, use_ipv6: [self.address]
        try:
            await self.agent.gather_candidates()
        finally:
            ice.get_host_addresses = usual

    def _line(self, kind: str, direction: str, mid: str, setup: str, payload_type: int | None = None) -> list[str]:
        fingerprint = next(f for f in certificate().getFingerprints() if f.algorithm == "sha-256")
        pt = payload_type or (AUDIO if kind == "audio" else VIDEO)
        rtx = kind == "video" and payload_type is None
        out = [f"m={kind} 9 UDP/TLS/RTP/SAVPF {pt}" + (f" {RTX}" if rtx else ""), "c=IN IP4 0.0.0.0", f"a=mid:{mid}"]
        out += [f"a={direction}", "a=rtcp-mux", f"a=setup:{setup}", f"a=ice-ufrag:{self.agent.local_username}"]
        out += [f"a=ice-pwd:{self.agent.local_password}", f"a=fingerprint:sha-256 {fingerprint.value}"]
        out += [f"a=candidate:{c.to_sdp()}" for c in self.agent.local_candidates]
        out.append(f"a=extmap:{EXT_MID} urn:ietf:params:rtp-hdrext:sdes:mid")
        out.append(f"a=extmap:{EXT_SEND_TIME} http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time")
        if self.transport_cc:
            out.append(
                f"a=extmap:{EXT_TRANSPORT_CC} http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01"
            )
        if kind == "audio":
            out.append(f"a=extmap:{EXT_LEVEL} urn:ietf:params:rtp-hdrext:ssrc-audio-level")
            out.append(f"a=rtpmap:{pt} opus/48000/2")
        else:
            out.append(f"a=rtpmap:{pt} VP8/90000")
            out += [f"a=rtcp-fb:{pt} {name}" for name in ("nack", "nack pli", "ccm fir", "goog-remb")]
            if rtx:
                out += [f"a=rtpmap:{RTX} rtx/90000", f"a=fmtp:{RTX} apt={pt}"]
        if self.transport_cc:
            out.append(f"a=rtcp-fb:{pt} transport-cc")
        if direction == "sendonly":
            if kind == "video":
                out.append(f"a=ssrc-group:FID {self.video_ssrc} {self.rtx_ssrc}")
            for ssrc in (self.audio_ssrc,) if kind == "audio" else (self.video_ssrc, self.rtx_ssrc):
                out.append(f"a=ssrc:{ssrc} cname:light")
        return out

    async def connect(self, remote: str | None = None) -> None:
        """Finish ICE and DTLS with the other side's description (None: the offer that was answered)."""
        description = self._remote if remote is None else SessionDescription.parse(remote)
        first = description.media[0]
        self.agent.remote_username, self.agent.remote_password = first.ice.usernameFragment, first.ice.password
        self.agent.remote_is_lite = first.ice.iceLite
        for media in description.media:
            for candidate in media.ice_candidates:
                if candidate.protocol.lower() == "udp" and candidate.ip == self.address:
                    await self.agent.add_remote_candidate(candidate_to_aioice(candidate))
        await self.agent.add_remote_candidate(None)
        await self.agent.connect()
        role = "controlling" if self.agent.ice_controlling else "controlled"
        self.dtls = RTCDtlsTransport(cast(RTCIceTransport, _IceStub(self.agent, role)), [certificate()])
        assert first.dtls is not None
        self.dtls._set_role("server" if first.dtls.role == "client" else "client")
        await self.dtls.start(first.dtls)
        if self.dtls.state != "connected":
            raise ConnectionError("DTLS failed")
        pair = self.agent._nominated[1]
        self.remote_address = pair.remote_addr
        self.socket = pair.protocol.transport.get_extra_info("socket")
        self.send_raw = pair.protocol.transport.sendto

    def rtp(
        self, ssrc: int, payload_type: int, timestamp: int, payload: bytes, *, marker: bool = False, level: int = 30
    ) -> bytes:
        """Build the next packet of one of our streams, with the extensions a browser sends."""
        number = self.numbers[ssrc] = (self.numbers[ssrc] + 1) & 0xFFFF
        self.transport_number = (self.transport_number + 1) & 0xFFFF
        block = b""
        if self.transport_cc:
            block += bytes([EXT_TRANSPORT_CC << 4 | 1]) + self.transport_number.to_bytes(2, "big")
        else:
            block += bytes([EXT_SEND_TIME << 4 | 2]) + (int(time.time() * 262_144) & 0xFFFFFF).to_bytes(3, "big")
        if payload_type == AUDIO:
            block += bytes([EXT_LEVEL << 4, level])
        block += bytes(-len(block) % 4)
        return (
            struct.pack("!BBHII", 0x90, payload_type | marker << 7, number, timestamp & 0xFFFFFFFF, ssrc)
            + struct.pack("!HH", 0xBEDE, len(block) // 4) + block + payload
        )  # fmt: skip

    def send(self, packet: bytes) -> None:
        """Protect and send an RTP packet."""
        self.send_raw(self.dtls._tx_srtp.protect(packet), self.remote_address)

    def send_rtcp(self, packet: bytes) -> None:
        """Protect and send an RTCP packet."""
        self.send_raw(self.dtls._tx_srtp.protect_rtcp(packet), self.remote_address)

    def unprotect(self, data: bytes) -> tuple[bool, bytes]:
        """Return (whether it is RTCP, the plain packet)."""
        if 192 <= data[1] <= 223:
            return True, self.dtls._rx_srtp.unprotect_rtcp(data)
        return False, self.dtls._rx_srtp.unprotect(data)

    async def close(self) -> None:
        """Say goodbye."""
        if self.dtls is not None:
            await self.dtls.stop()
        await self.agent.close()


def vp8(keyframe: bool, picture: int, size: int = 900, *, start: bool = True) -> bytes:
    """Return a VP8 payload that is well-formed as far as a forwarder looks."""
    head = bytes([0x80 | 0x10 * start, 0x80, 0x80 | picture >> 8 & 0x7F, picture & 0xFF, 0 if keyframe else 1])
    return head + random.randbytes(max(1, size - len(head)))


async def join(room: Any, name: str, **options: Any) -> LightPeer:
    """Connect a light peer to a `MediaRoom` in this process."""
    peer = LightPeer(**options)
    answer = await room.connect(name, await peer.offer())
    await peer.connect(answer)
    return peer
