"""One member's connection: from its offer to the last packet.

Owns the ICE agent, the DTLS handshake, the SRTP contexts, the member's tracks and subscriptions, and all RTCP with the member. Never
decides who is shown to whom (`forwarder` does). Made and closed by `forwarder`, which also calls `tick`.

A peer connects once. A member that comes back offers anew and gets a new peer; aiortc knows no ICE restart. A change of the member's
address is followed without either (the nominated path changes).
"""

from __future__ import annotations

import asyncio
import random
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from server.media import aiortc_compat as compat
from server.media import rtcp, srtp
from server.media.datagrams import MAX_DATAGRAM, Address, Buffer, new_buffer, new_length
from server.media.model import ConnectionState, Kind, MediaConfig, PeerStats
from server.media.negotiation import Offer, SlotSource, Transport, build_answer, uses_transport_cc
from server.media.packets import OUTBOX, Lane, open_packet
from server.media.reception import TransportFeedback
from server.media.rtp import parse_header, read_mid
from server.media.streams import CLOCK_RATES, Subscription, Track
from server.media.udp import UdpPort

log = structlog.get_logger(__name__)

MAX_LEARNED = 8
"""Sources that a peer may begin without having announced them in its offer."""
ROUND_TRIP_GUESS = 0.1
"""Seconds, until a report tells."""

_ssrc_at = struct.Struct("!I").unpack_from
_receive_length = new_length()


class PeerOwner(Protocol):
    """What a peer tells its room."""

    def now(self) -> float:
        """Return the room time in seconds."""

    def peer_changed(self, peer: Peer, state: ConnectionState) -> None:
        """Take note that the connection reached another state."""

    def audio_received(
        self, peer: Peer, payload: bytes, timestamp: int, sequence: int, at: float, level: int | None
    ) -> None:
        """Take an authentic Opus packet."""

    def bandwidth_reported(self, peer: Peer, at: float) -> None:
        """Take note that `peer.estimate` or the loss of its subscriptions is new."""


@dataclass(slots=True)
class _Counters:
    packets_in: int = 0
    bytes_in: int = 0
    malformed: int = 0
    unauthentic: int = 0


class Peer:
    """One connection. States go connecting → connected → closed, or connecting → failed."""

    def __init__(
        self, member_id: str, offer: Offer, owner: PeerOwner, ports: list[UdpPort], config: MediaConfig
    ) -> None:
        self.member_id = member_id
        self.state: ConnectionState = "connecting"
        self.estimate: int | None = None
        """Bits per second that the peer says it can take (REMB)."""
        self.tracks: dict[Kind, Track] = {}
        self.subscriptions: dict[Kind, list[Subscription]] = {"audio": [], "video": []}
        self._offer = offer
        self._owner = owner
        self._ports = ports
        self._config = config
        self._ssrc = random.randrange(1, 1 << 32)
        self._counters = _Counters()
        self._sources: dict[int, Track] = {}
        self._ours: dict[int, Subscription] = {}
        self._learned = 0
        self._inbound: srtp.Context | None = None
        self._outbound: srtp.Context | None = None
        self._contexts: compat.SrtpContexts | None = None
        self._send: Callable[[Any, Address], object] | None = None
        self._address: Address = ("", 0)
        self._buffer = new_buffer()
        self._length = new_length()
        self._feedback = TransportFeedback() if uses_transport_cc(offer) else None
        self._round_trip = ROUND_TRIP_GUESS
        self._round_trip_known = False
        self._clock_offset: float | None = None
        self._dtls: compat.DtlsSession | None = None
        self._closed = asyncio.Event()
        self._patience: asyncio.Timeout | None = None
        turn = config.turn_server
        self._agent = compat.IceAgent(
            ports,
            stun_server=config.stun_server,
            turn=compat.turn_arguments(turn.url, turn.username, turn.credential) if turn else None,
            gather_seconds=config.gather_seconds,
            on_address=self._proved_address,
            on_path=self._nominated,
            on_relayed=self._relayed,
        )
        for kind in CLOCK_RATES:
            self._plan(kind)

    def _plan(self, kind: Kind) -> None:
        ids = self._offer.extensions
        line = self._offer.publishing(kind)
        if line is not None and line.codec is not None:
            track = Track(
                member_id=self.member_id,
                kind=kind,
                payload_type=line.codec.payload_type,
                rtx_payload_type=line.codec.rtx_payload_type,
                ssrc=line.ssrc,
                rtx_ssrc=line.rtx_ssrc,
            )
            self.tracks[kind] = track
            for ssrc in (line.ssrc, line.rtx_ssrc):
                if ssrc is not None:
                    self._sources[ssrc] = track
        for number, slot in enumerate(self._offer.receiving(kind)):
            assert slot.codec is not None, "slots have a codec"
            subscription = Subscription(
                kind=kind,
                mid=slot.mid,
                # Eight octets: aiortc reads several SDES chunks in one packet only when each ends in exactly two zeros.
                stream=f"slot{number:04}",
                payload_type=slot.codec.payload_type,
                rtx_payload_type=slot.codec.rtx_payload_type if kind == "video" else None,
                ids=ids,
            )
            self.subscriptions[kind].append(subscription)
            self._ours[subscription.ssrc] = subscription

    async def answer(self, certificate: compat.Certificate) -> str:
        """Gather candidates and return the answer; `run` may start afterwards."""
        await self._agent.gather_candidates()
        for text in self._offer.candidates:
            await self.add_candidate(text)
        slots = {
            s.mid: SlotSource(s.ssrc, s.rtx_ssrc, s.stream) for streams in self.subscriptions.values() for s in streams
        }
        transport = Transport(
            self._agent.local_username,
            self._agent.local_password,
            compat.DtlsSession.fingerprints(certificate),
            compat.candidate_lines(self._agent, self._config.public_addresses),
        )
        self._dtls = compat.DtlsSession(self._agent, certificate, self._closed.set)
        return build_answer(self._offer, transport, slots, random.randrange(1 << 62), opus_dtx=self._config.opus_dtx)

    async def add_candidate(self, text: str) -> None:
        """Take a candidate of the peer; one that is of no use is passed over."""
        candidate = compat.parse_candidate(text)
        if candidate is not None and len(self._agent.remote_candidates) < compat.MAX_REMOTE_CANDIDATES // 2:
            await self._agent.add_remote_candidate(candidate)

    async def run(self) -> None:
        """Connect, then stay until the connection ends; the owner's task. Always leaves the peer closed."""
        try:
            async with asyncio.timeout(0 if self._closed.is_set() else self._config.connect_seconds) as self._patience:
                self._agent.remote_username, self._agent.remote_password = self._offer.ufrag, self._offer.password
                await self._agent.connect()
                assert self._dtls is not None, "answer() comes before run()"
                self._contexts = await self._dtls.handshake(self._offer.fingerprints)
            self._inbound, self._outbound = self._contexts.inbound, self._contexts.outbound
            for subscription in self._ours.values():
                subscription.context = self._outbound
            log.info("media peer connected", member=self.member_id, srtp=self._contexts.profile)
            self._move("connected")
            await self._closed.wait()
        except (ConnectionError, TimeoutError) as error:
            if not self._closed.is_set():
                log.info("media peer did not connect", member=self.member_id, error=type(error).__name__)
                self._move("failed")
        finally:
            self._patience = None
            await self._release()
            self._move("closed")

    async def abandon(self) -> None:
        """Close a peer whose `run` never started."""
        await self._release()

    async def _release(self) -> None:
        if self._dtls is not None:
            await self._dtls.close()
        for port in self._ports:
            port.remove_peer(self)
        await self._agent.close()
        self._inbound = self._outbound = self._send = None
        for subscription in self._ours.values():
            subscription.context = None

    def _move(self, state: ConnectionState) -> None:
        if self.state == state or self.state == "failed":
            return
        self.state = state
        self._owner.peer_changed(self, state)

    def stop(self) -> None:
        """Ask `run` to end, also while it is still connecting."""
        self._closed.set()
        if self._patience is not None and self.state == "connecting":
            self._patience.reschedule(asyncio.get_running_loop().time())

    # Paths

    def _proved_address(self, port: UdpPort, address: Address) -> None:
        port.add_peer(address, self)

    def _nominated(self, lane: Lane | None, send: Callable[[Any, Address], object], address: Address) -> None:
        self._send, self._address = send, address
        for subscription in self._ours.values():
            subscription.lane, subscription.send, subscription.address = lane, send, address

    def _relayed(self, data: bytes) -> None:
        if len(data) <= MAX_DATAGRAM:
            self.take_media(new_buffer(data), len(data))
            OUTBOX.flush()

    def take_dtls(self, data: bytes) -> None:
        """Take a DTLS datagram from an address of this peer."""
        self._agent.data_received(data, 1)

    # Packets in

    def take_media(self, buffer: Buffer, length: int) -> None:
        """Take a protected RTP or RTCP packet of `length` bytes from the head of a receive buffer."""
        view = buffer.view
        counters = self._counters
        counters.packets_in += 1
        counters.bytes_in += length
        inbound = self._inbound
        if inbound is None or length < 12:
            return
        if 192 <= view[1] <= 223:
            self._take_rtcp(inbound, buffer, length)
            return
        (ssrc,) = _ssrc_at(view, 8)
        track = self._sources.get(ssrc)
        learned = False
        if track is None:
            track = self._learn(view, length)
            learned = True
            if track is None:
                counters.malformed += 1
                return
        ids = self._offer.extensions
        opened = open_packet(inbound, buffer, length, ids.audio_level, ids.transport_cc)
        if opened is False:
            counters.unauthentic += 1
            return
        if learned:
            self._adopt(track, ssrc, view[1] & 0x7F)
        if not isinstance(opened, tuple):
            counters.malformed += 1
            return
        marker_type, sequence, timestamp, level, transport_sequence, payload = opened
        at = self._owner.now()
        if transport_sequence is not None and self._feedback is not None:
            self._feedback.add(transport_sequence, at)
        marker, payload_type = marker_type & 0x80, marker_type & 0x7F
        if payload_type == track.payload_type:
            missing = track.receive(marker, sequence, timestamp, payload, level, at, False)
            if track.kind == "audio" and payload:
                self._owner.audio_received(self, payload, timestamp, sequence, at, level)
            elif missing:
                self._ask_again(track, at)
        elif payload_type == track.rtx_payload_type and len(payload) > 2 and track.newest >= 0:
            track.receive(marker, payload[0] << 8 | payload[1], timestamp, payload[2:], level, at, True)
        elif payload_type != track.rtx_payload_type:
            counters.malformed += 1

    def _learn(self, view: memoryview, length: int) -> Track | None:
        """Find the track of a source that the offer did not announce: by its MID, else by its payload type. Not yet authenticated."""
        header = parse_header(view, length) if self._learned < MAX_LEARNED else None
        if header is None:
            return None
        mid = read_mid(view, header[4], header[5], self._offer.extensions.mid)
        payload_type = header[0] & 0x7F
        for kind, track in self.tracks.items():
            line = self._offer.publishing(kind)
            here = line is not None and mid in (None, line.mid)
            if here and payload_type in (track.payload_type, track.rtx_payload_type):
                return track
        return None

    def _adopt(self, track: Track, ssrc: int, payload_type: int) -> None:
        self._learned += 1
        self._sources[ssrc] = track
        if payload_type == track.payload_type:
            if track.ssrc is not None:
                self._sources.pop(track.ssrc, None)
            track.ssrc = ssrc
            track.restart(ssrc)
        else:
            track.rtx_ssrc = ssrc

    def _take_rtcp(self, inbound: srtp.Context, buffer: Buffer, length: int) -> None:
        _receive_length[0] = length
        if srtp.unprotect_rtcp(inbound.c, buffer.c, _receive_length):
            self._counters.unauthentic += 1
            return
        at = self._owner.now()
        packet = bytes(buffer.view[: _receive_length[0]])
        try:
            for item in rtcp.parse(packet):
                self._take_report(item, at)
        except ValueError:
            self._counters.malformed += 1

    def _take_report(self, item: rtcp.Item, at: float) -> None:
        match item:
            case rtcp.Report(blocks):
                for block in blocks:
                    self._take_block(block, at)
                if blocks:
                    self._owner.bandwidth_reported(self, at)
            case rtcp.SenderReport():
                self._take_sender_report(item, at)
            case rtcp.Nack(media_ssrc, lost):
                subscription = self._ours.get(media_ssrc)
                if subscription is not None:
                    subscription.resend(lost, at, (int(at * 262_144) & 0xFFFFFF).to_bytes(3, "big"))
            case rtcp.KeyframeRequest(media_ssrc):
                subscription = self._ours.get(media_ssrc)
                if subscription is not None and subscription.track is not None:
                    subscription.track.keyframe_wanted = True
            case rtcp.BitrateLimit(bits_per_second):
                self.estimate = bits_per_second
                self._owner.bandwidth_reported(self, at)
            case rtcp.Bye():
                pass

    def _take_block(self, block: rtcp.ReportBlock, at: float) -> None:
        subscription = self._ours.get(block.ssrc)
        if subscription is None:
            return
        subscription.loss = block.fraction_lost
        if block.last_sr:
            # RFC 3550, section 6.4.1: all in 1/65536 s.
            ticks = (rtcp.middle_ntp(rtcp.ntp_time(at)) - block.last_sr - block.delay) & 0xFFFFFFFF
            if ticks < 10 * 65536:
                sample = ticks / 65536
                self._round_trip = 0.8 * self._round_trip + 0.2 * sample if self._round_trip_known else sample
                self._round_trip_known = True

    def _take_sender_report(self, report: rtcp.SenderReport, at: float) -> None:
        track = self._sources.get(report.ssrc)
        if track is None or report.ssrc != track.ssrc:
            return
        track.statistics.sender_report(report.ntp, at)
        sender_time = report.ntp / 4_294_967_296 - rtcp.NTP_EPOCH
        offset = at - sender_time
        # The least delayed report is the nearest to the truth; it is let go slowly, as clocks drift.
        if self._clock_offset is None or offset < self._clock_offset or abs(offset - self._clock_offset) > 5:
            self._clock_offset = offset
        else:
            self._clock_offset += 0.001 * (offset - self._clock_offset)
        track.clock.sender_report(report.timestamp, sender_time + self._clock_offset)

    # Packets out

    def send_rtcp(self, packet: bytes) -> None:
        """Protect and send a compound packet."""
        if self._outbound is None or self._send is None:
            return
        self._buffer.view[: len(packet)] = packet
        self._length[0] = len(packet)
        if srtp.protect_rtcp(self._outbound.c, self._buffer.c, self._length) == 0:
            self._send(self._buffer.view[: self._length[0]], self._address)

    def _ask_again(self, track: Track, at: float) -> None:
        wanted = track.missing.due(at, self._round_trip)
        if wanted and track.ssrc is not None:
            self.send_rtcp(rtcp.nack(self._ssrc, track.ssrc, wanted))

    def tick(self, at: float) -> None:
        """Ask for what is missing, for keyframes that are wanted, and feed the peer's congestion control; call every 50 ms or so."""
        if self._outbound is None:
            return
        for track in self.tracks.values():
            if track.ssrc is None or track.newest < 0:
                continue
            if len(track.missing):
                self._ask_again(track, at)
            if track.kind == "video" and track.keyframe_due(at):
                self.send_rtcp(rtcp.picture_loss(self._ssrc, track.ssrc))
        if self._feedback is not None:
            media = next((t.ssrc for t in self.tracks.values() if t.ssrc is not None), None)
            if media is not None:
                for packet in self._feedback.take(self._ssrc, media):
                    self.send_rtcp(packet)

    def report(self, at: float) -> None:
        """Send receiver and sender reports; call about once a second."""
        if self._outbound is None:
            return
        blocks = [block for track in self.tracks.values() if track.ssrc and (block := track.statistics.report(at))]
        packet = rtcp.receiver_report(self._ssrc, blocks)
        names: list[tuple[int, str]] = [(self._ssrc, "room")]
        for subscription in self._ours.values():
            timestamp = subscription.timestamp_at(at)
            if timestamp is None or subscription.packets == subscription.reported_packets:
                continue
            subscription.reported_packets = subscription.packets
            packet += rtcp.sender_report(
                rtcp.SenderReport(
                    subscription.ssrc, rtcp.ntp_time(at), timestamp, subscription.packets, subscription.octets
                )
            )
            names.append((subscription.ssrc, subscription.stream))
            if len(packet) > 900:
                self.send_rtcp(packet + rtcp.source_descriptions(names))
                packet, names = rtcp.receiver_report(self._ssrc, []), []
        video = self.tracks.get("video")
        if self._feedback is None and video is not None and video.ssrc is not None:
            # The loss-based part of Google congestion control (draft-ietf-rmcat-gcc-02, section 6), without memory.
            loss = video.statistics.lost_fraction
            allowed = self._config.publish_bits_per_second * (1 - loss if loss > 0.1 else 1)
            limit = rtcp.bitrate_limit(self._ssrc, int(allowed), [video.ssrc])
            self.send_rtcp(packet + rtcp.source_descriptions(names) + limit)
        else:
            self.send_rtcp(packet + rtcp.source_descriptions(names))

    def stats(self) -> PeerStats:
        """Return this connection's counters."""
        ours = list(self._ours.values())
        sent = [s.loss for s in ours if s.packets]
        tracks = list(self.tracks.values())
        return PeerStats(
            state=self.state,
            packets_in=self._counters.packets_in,
            bytes_in=self._counters.bytes_in,
            packets_out=sum(s.packets for s in ours),
            bytes_out=sum(s.octets for s in ours),
            retransmitted=sum(s.resent for s in ours),
            malformed=self._counters.malformed,
            unauthentic=self._counters.unauthentic,
            send_errors=sum(s.errors for s in ours),
            loss_up=max((t.statistics.lost_fraction for t in tracks), default=0.0),
            loss_down=max(sent, default=0.0),
            round_trip_seconds=self._round_trip if self._round_trip_known else None,
            estimate_bits_per_second=self.estimate,
        )
