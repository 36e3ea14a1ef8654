"""A room's media plane: its members' peers, and who sees and hears whom.

Owns the room's UDP ports, peers and their tasks, and the assignment of publishers to slots. Never decodes, never touches the event log.
Called by `server/rooms`; a failing peer is logged and closed without effect on the others.

Invariants: one peer per member; every connected peer's slots carry connected publishers other than itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import structlog

from deliberation.errors import Conflict, NotFound, TooMany
from server.clock import now as room_now
from server.media import aiortc_compat as compat
from server.media.audio_tap import AudioTap
from server.media.model import (
    ConnectionChanged,
    ConnectionState,
    MediaChange,
    MediaConfig,
    MediaRoomStats,
    QualityChanged,
    QualityLevel,
    Slot,
    SlotsChanged,
    VideoPacket,
    Wanted,
)
from server.media.negotiation import parse_offer
from server.media.peer import Peer
from server.media.streams import LAST_LAYER
from server.media.subscription import Allocation, BandwidthCap, VideoSource, allocate, assign
from server.media.udp import UdpPort, open_ports
from transcription.decode import AudioPacket

log = structlog.get_logger(__name__)

TICK_SECONDS = 0.05
TICKS_PER_REPORT = 20
LOUD = 50
"""-dBov; a louder packet counts as speech for who is shown first where slots are short."""


@dataclass(slots=True)
class _Member:
    """A connected or connecting member, and what it is sent."""

    peer: Peer
    task: asyncio.Task[None] | None = None
    slots: list[str | None] = field(default_factory=list)
    cap: BandwidthCap = field(default_factory=BandwidthCap)
    level: QualityLevel = "full"
    reported_at: float = 0.0
    reported_octets: int = 0
    spoke_at: float = 0.0


class MediaRoom:
    """Forwards everyone's sound and picture to everyone else, still encoded."""

    def __init__(
        self,
        room_id: str,
        config: MediaConfig,
        *,
        on_audio: Callable[[AudioPacket], None],
        on_change: Callable[[MediaChange], None],
        clock: Callable[[], float] = room_now,
    ) -> None:
        self._room_id = room_id
        self._config = config
        self._on_change = on_change
        self.now = clock
        self._tap = AudioTap(on_audio, config.audio_backlog)
        self._ports: list[UdpPort] = []
        self._members: dict[str, _Member] = {}
        self._retiring: set[asyncio.Task[None]] = set()
        self._wanted: dict[str, Wanted] = {}
        self._priority: dict[str, int] = {}
        self._video_rates: dict[str, tuple[float, int, float]] = {}
        self._filmed: frozenset[str] = frozenset()
        self._on_video: Callable[[VideoPacket], None] = _nobody_looks
        self._ticker: asyncio.TimerHandle | None = None
        self._ticks = 0
        self._closed = False

    async def connect(self, member_id: str, offer_sdp: str) -> str:
        """Answer a member's offer; an earlier connection of that member is replaced.

        Returns:
            The answer, with all candidates.

        Raises:
            InvalidInput: `media.offer`, `media.codec`.
            TooMany: `media.full`.
            Unavailable: `media.ports`.
            Conflict: `media.closed`.
        """
        offer = parse_offer(offer_sdp)
        if self._closed:
            raise Conflict("media.closed", "This room's media has ended.")
        if member_id not in self._members and len(self._members) >= self._config.max_peers:
            raise TooMany("media.full", "This room has as many connections as it may have.")
        if not self._ports:
            self._ports = open_ports(self._config.addresses, self._config.udp_ports)
        peer = Peer(member_id, offer, self, self._ports, self._config)
        try:
            answer = await peer.answer(_certificate(self.now()))
        except BaseException:
            await peer.abandon()
            raise
        if self._closed:
            await peer.abandon()
            raise Conflict("media.closed", "This room's media has ended.")
        previous = self._members.get(member_id)
        member = _Member(peer)
        member.slots = [None] * max(len(peer.subscriptions["audio"]), len(peer.subscriptions["video"]))
        if previous is not None:
            kept = previous.slots[: len(member.slots)]
            member.slots[: len(kept)] = kept
            member.spoke_at = previous.spoke_at
            self._retire(previous)
        self._members[member_id] = member
        self._tap_video(peer)
        member.task = asyncio.create_task(self._run(peer), name=f"media peer {member_id}")
        self._tell(ConnectionChanged(member_id, "connecting"))
        self._start_ticking()
        return answer

    async def add_candidate(self, member_id: str, candidate: str, mid: str) -> None:
        """Take a trickled candidate of a member; `mid` does not matter, as all lines are bundled.

        Raises:
            NotFound: `media.member`: the member has no connection.
        """
        await self._member(member_id).peer.add_candidate(candidate)

    async def disconnect(self, member_id: str) -> None:
        """Close a member's connection, if there is one."""
        member = self._members.pop(member_id, None)
        if member is None:
            return
        self._retire(member)
        self._tell(ConnectionChanged(member_id, "closed"))
        self._arrange()
        if member.task is not None:
            await asyncio.wait([member.task])

    def slots(self, member_id: str) -> tuple[Slot, ...]:
        """Return the member's receiving m-lines and whom each carries; empty without a connection."""
        member = self._members.get(member_id)
        if member is None:
            return ()
        slots = []
        for kind, subscriptions in member.peer.subscriptions.items():
            for subscription in subscriptions:
                track = subscription.track
                paused = track is not None and subscription.paused
                slots.append(Slot(subscription.mid, kind, track.member_id if track else None, paused))
        return tuple(slots)

    def set_wanted(self, member_id: str, video: Wanted) -> None:
        """Set which videos a member wants: `all`, `few` (the most important), `none`. Holds over reconnections."""
        self._wanted[member_id] = video
        if member_id in self._members:
            self._adapt(member_id, self.now())

    def set_priority(self, member_ids: Sequence[str]) -> None:
        """Say whose video matters most, first to last; others follow by when they last spoke."""
        self._priority = {member_id: place for place, member_id in enumerate(member_ids)}
        self._arrange()

    def film(self, member_ids: frozenset[str], on_video: Callable[[VideoPacket], None]) -> None:
        """Give the video packets of these members, and of nobody else, to `on_video` from now on; holds over reconnections."""
        self._filmed, self._on_video = member_ids, on_video
        for member in self._members.values():
            self._tap_video(member.peer)

    def ask_keyframe(self, member_id: str) -> None:
        """Ask a member's publisher for a keyframe soon, if there is one."""
        member = self._members.get(member_id)
        track = member.peer.tracks.get("video") if member is not None else None
        if track is not None:
            track.keyframe_wanted = True

    def _tap_video(self, peer: Peer) -> None:
        track = peer.tracks.get("video")
        if track is None:
            return
        if peer.member_id not in self._filmed:
            track.tap = None
        elif track.tap is None:
            track.tap = self._video_received
            track.keyframe_wanted = True

    def _video_received(self, packet: VideoPacket) -> None:
        try:
            self._on_video(packet)
        except Exception:
            log.exception("video receiver failed", room=self._room_id)
            self.film(self._filmed - {packet.participant_id}, self._on_video)

    def stats(self) -> MediaRoomStats:
        """Return counters of the room and of every connection."""
        return MediaRoomStats(
            peers={member_id: member.peer.stats() for member_id, member in self._members.items()},
            unknown_datagrams=sum(port.unknown for port in self._ports),
            audio_dropped=self._tap.dropped,
        )

    async def close(self) -> None:
        """Close every connection and the ports; nothing is reported any more."""
        self._closed = True
        if self._ticker is not None:
            self._ticker.cancel()
            self._ticker = None
        members, self._members = list(self._members.values()), {}
        for member in members:
            self._retire(member)
        if self._retiring:
            await asyncio.wait(set(self._retiring))
        for port in self._ports:
            port.close()
        self._ports = []
        self._tap.close()

    def _tell(self, change: MediaChange) -> None:
        if self._closed:
            return
        try:
            self._on_change(change)
        except Exception:
            log.exception("media change not taken", room=self._room_id, change=type(change).__name__)

    def _member(self, member_id: str) -> _Member:
        member = self._members.get(member_id)
        if member is None:
            raise NotFound("media.member", "This member has no media connection.", "Offer one first.")
        return member

    # Peers' lives

    async def _run(self, peer: Peer) -> None:
        try:
            await peer.run()
        except Exception:
            log.exception("media peer failed", room=self._room_id, member=peer.member_id)

    def _retire(self, member: _Member) -> None:
        at = self.now()
        for track in member.peer.tracks.values():
            track.tap = None
            for subscription in track.subscriptions:
                subscription.stop(at)
        for subscriptions in member.peer.subscriptions.values():
            for subscription in subscriptions:
                if subscription.track is not None:
                    subscription.track.unsubscribe(subscription, at)
        member.peer.stop()
        task = member.task
        if task is not None and not task.done():
            self._retiring.add(task)
            task.add_done_callback(self._retiring.discard)

    def peer_changed(self, peer: Peer, state: ConnectionState) -> None:
        """Take note of a peer's new state (called by the peer)."""
        member = self._members.get(peer.member_id)
        if member is None or member.peer is not peer:
            return
        if state in ("closed", "failed"):
            del self._members[peer.member_id]
            self._retire(member)
        self._tell(ConnectionChanged(peer.member_id, state))
        self._arrange()

    def audio_received(
        self, peer: Peer, payload: bytes, timestamp: int, sequence: int, at: float, level: int | None
    ) -> None:
        """Pass an Opus packet to the tap (called by the peer)."""
        member = self._members.get(peer.member_id)
        if member is None or member.peer is not peer:
            return
        if level is not None and level < LOUD:
            member.spoke_at = at
        self._tap.push(AudioPacket(peer.member_id, payload, timestamp, sequence, at, level))

    def bandwidth_reported(self, peer: Peer, at: float) -> None:
        """Adapt what a member is sent (called by the peer when it has news of its connection)."""
        member = self._members.get(peer.member_id)
        if member is None or member.peer is not peer or at - member.reported_at < 0.8:
            return
        octets = sum(s.octets for s in peer.subscriptions["video"])
        if member.reported_at:
            sent = 8 * (octets - member.reported_octets) / (at - member.reported_at)
            demand = sum(source.bits_per_second for source in self._sources(peer.member_id))
            loss = _loss(peer)
            member.cap.update(at, sent, demand, peer.estimate, loss)
            self._adapt(peer.member_id, at)
        member.reported_at, member.reported_octets = at, octets

    # Who is shown where

    def _publishers(self, viewer: str) -> list[str]:
        """Return everyone else who is connected and publishes, the most important first."""
        found = [
            member_id
            for member_id, member in self._members.items()
            if member_id != viewer and member.peer.state == "connected" and member.peer.tracks
        ]
        last = len(self._priority)
        return sorted(found, key=lambda m: (self._priority.get(m, last), -self._members[m].spoke_at))

    def _arrange(self) -> None:
        if self._closed:
            return
        at = self.now()
        for member_id, member in list(self._members.items()):
            if member.peer.state != "connected":
                continue
            member.slots = assign(member.slots, self._publishers(member_id))
            changed = False
            for kind, subscriptions in member.peer.subscriptions.items():
                for place, subscription in enumerate(subscriptions):
                    shown = self._members.get(member.slots[place] or "")
                    track = shown.peer.tracks.get(kind) if shown is not None else None
                    if subscription.track is track:
                        continue
                    changed = True
                    if track is not None:
                        track.subscribe(subscription, at)
                    elif subscription.track is not None:
                        subscription.track.unsubscribe(subscription, at)
            if changed:
                self._adapt(member_id, at, tell=False)
                self._tell(SlotsChanged(member_id))

    def _sources(self, viewer: str) -> list[VideoSource]:
        shown = set(self._members[viewer].slots)
        sources = []
        for member_id in self._publishers(viewer):
            track = self._members[member_id].peer.tracks.get("video")
            if track is not None and member_id in shown:
                rate = self._video_rates.get(member_id, (0.0, 0, 0.0))[2]
                sources.append(VideoSource(member_id, rate, track.layered))
        return sources

    def _adapt(self, member_id: str, at: float, *, tell: bool = True) -> None:
        member = self._members[member_id]
        wanted = self._wanted.get(member_id, "all")
        sources = self._sources(member_id)
        allocation = allocate(member.cap.bits_per_second, sources, wanted)
        changed = False
        for subscription in member.peer.subscriptions["video"]:
            track = subscription.track
            if track is None:
                subscription.paused = False
                continue
            layer = allocation.layers.get(track.member_id)
            subscription.layer_limit = LAST_LAYER if layer in (2, None) else layer
            if subscription.paused != (layer is None):
                track.pause(subscription, layer is None, at)
                changed = True
        if changed and tell:
            self._tell(SlotsChanged(member_id))
        self._tell_quality(member, allocation, wanted)

    def _tell_quality(self, member: _Member, allocation: Allocation, wanted: Wanted) -> None:
        if allocation.level == member.level:
            return
        member.level = allocation.level
        limited = member.cap.bits_per_second is not None
        why: Literal["connection", "choice", "recovered"] = (
            "recovered" if allocation.level == "full" else "connection" if limited or wanted == "all" else "choice"
        )
        self._tell(QualityChanged(member.peer.member_id, allocation.level, why))

    # Time

    def _start_ticking(self) -> None:
        if self._ticker is None and not self._closed:
            self._ticker = asyncio.get_running_loop().call_later(TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        self._ticker = None
        at = self.now()
        self._ticks += 1
        reporting = self._ticks % TICKS_PER_REPORT == 0
        for member in list(self._members.values()):
            try:
                member.peer.tick(at)
                if reporting:
                    member.peer.report(at)
            except Exception:
                log.exception("media peer failed", room=self._room_id, member=member.peer.member_id)
                member.peer.stop()
        if reporting:
            self._measure(at)
            if any(len(m.slots) < len(self._members) - 1 for m in self._members.values()):
                # More people than slots: those who speak are shown.
                self._arrange()
        if self._members:
            self._start_ticking()

    def _measure(self, at: float) -> None:
        for member_id in [m for m in self._video_rates if m not in self._members]:
            del self._video_rates[member_id]
        for member_id, member in self._members.items():
            track = member.peer.tracks.get("video")
            if track is None:
                continue
            before, octets, rate = self._video_rates.get(member_id, (at, track.octets, 0.0))
            if at > before and track.octets >= octets:
                rate = 0.7 * rate + 0.3 * 8 * (track.octets - octets) / (at - before)
            self._video_rates[member_id] = (at, track.octets, rate)


def _nobody_looks(packet: VideoPacket) -> None:
    """Stand in while nobody is filmed."""


def _loss(peer: Peer) -> float:
    """Return the share of packets that a peer lost of late, over all its streams, each by its packets."""
    lost = sent = 0.0
    for subscription in (s for streams in peer.subscriptions.values() for s in streams):
        packets = subscription.packets - subscription.judged_packets
        subscription.judged_packets = subscription.packets
        lost += packets * subscription.loss
        sent += packets
    return lost / sent if sent else 0.0


_certificates: list[tuple[compat.Certificate, float]] = []


def _certificate(at: float) -> compat.Certificate:
    """Return this process's certificate, made anew every day (each is valid for 30)."""
    if not _certificates or at - _certificates[0][1] > 86_400:
        _certificates[:] = [(compat.new_certificate(), at)]
    return _certificates[0][0]
