"""One published stream, and one subscriber's copy of it: where every packet passes.

Owns the rewriting of headers (SSRC, sequence, timestamp, extensions, VP8 picture numbers) so that a subscriber sees one unbroken stream
per m-line whoever is shown there, the ring from which lost packets are sent again, and what is asked of the publisher (packets again, a
keyframe). Never decodes, never waits. Called by `peer` for every packet; `forwarder` connects tracks with subscriptions.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from server.media.datagrams import Address
from server.media.model import Kind, VideoPacket
from server.media.packets import Emitter, parse_vp8
from server.media.reception import NackTracker, ReceptionStatistics, SourceClock
from server.media.rtp import (
    NO_VP8,
    ExtensionIds,
    PacketRing,
    SequenceMap,
    Vp8Descriptor,
    header_template,
    unwrap,
)

CLOCK_RATES: dict[Kind, int] = {"audio": 48_000, "video": 90_000}
RING_PACKETS = 512
"""Video packets kept per publisher: two to four seconds of camera video."""
KEYFRAME_INTERVAL = 0.5
"""Seconds between keyframe requests to one publisher; requests in between wait for the next."""
RESEND_INTERVAL = 0.02
"""Seconds within which the same packet is not sent again to the same subscriber."""
LAST_LAYER = 3
"""Highest VP8 temporal layer: no limit."""


class Subscription(Emitter):
    """One of a subscriber's receiving m-lines: the stream that we send there."""

    def __init__(
        self, *, kind: Kind, mid: str, stream: str, payload_type: int, rtx_payload_type: int | None, ids: ExtensionIds
    ) -> None:
        self.kind: Kind = kind
        self.mid = mid
        self.stream = stream
        self.rtx_payload_type = rtx_payload_type
        self.clock_rate = CLOCK_RATES[kind]
        self.ssrc = random.randrange(1, 1 << 32)
        self.rtx_ssrc = random.randrange(1, 1 << 32) if rtx_payload_type is not None else None
        used = ExtensionIds(
            mid=ids.mid,
            audio_level=ids.audio_level if kind == "audio" else 0,
            abs_send_time=ids.abs_send_time if kind == "video" else 0,
        )
        template = header_template(self.ssrc, used, mid)
        super().__init__(payload_type, template.octets, template.send_time_at, template.level_at, _no_path, ("", 0))
        self.track: Track | None = None
        self.paused = False
        self.needs_keyframe = False
        self.source_started = False
        self.layer = LAST_LAYER
        """Temporal layer that is sent now."""
        self.layer_limit = LAST_LAYER
        """Temporal layer that may be sent; going up waits for a frame that allows it."""
        self.numbers = SequenceMap()
        self._skipped_picture = -1
        # Sequence numbers start in the lower half, so that packets lost at the start cannot upset the receiver's rollover count.
        self._next_number = random.randrange(1, 1 << 15)
        self._next_timestamp = random.randrange(1 << 32)
        self._stopped_at: float | None = None
        # None: the first source's picture numbers are taken as they are, which spares their rewriting.
        self._next_picture: int | None = None
        self._next_tl0: int | None = None
        self._rtx_number = random.randrange(1, 1 << 15)
        self._resent: dict[int, float] = {}
        self.reported_packets = 0
        """`packets` at the last sender report."""
        self.judged_packets = 0
        """`packets` when the loss was last looked at."""
        self.resent = 0
        self.loss = 0.0
        self.round_trip: float | None = None

    def start(self, source: int, timestamp: int, at: float, vp8: Vp8Descriptor) -> None:
        """Continue this stream with the packet `source` of the track, as if there had been no other track before."""
        picture_shift = self._next_picture - vp8.picture_id if self._next_picture is not None and vp8.picture_at else 0
        self.numbers.restart(source, self._next_number, picture_shift)
        self.tl0_shift = self._next_tl0 - vp8.tl0 if self._next_tl0 is not None and vp8.tl0_at else 0
        elapsed = 0.0 if self._stopped_at is None else max(0.001, at - self._stopped_at)
        self.timestamp_shift = self._next_timestamp + int(elapsed * self.clock_rate) - timestamp
        self.source_started = True
        self.needs_keyframe = False
        self.layer = self.layer_limit
        self._skipped_picture = -1
        self._resent.clear()

    def stop(self, at: float) -> None:
        """Remember where the stream stands, so that the next source continues there."""
        track = self.track
        if self.source_started and track is not None:
            self._next_number = (track.newest + self.numbers.shift + 1) & 0xFFFF
            self._next_timestamp = (track.timestamp + self.timestamp_shift) & 0xFFFFFFFF
            self._stopped_at = track.arrived_at
            self._next_picture = (track.vp8.picture_id + self.numbers.picture_shift + 1) & 0x7FFF
            self._next_tl0 = (track.vp8.tl0 + self.tl0_shift + 1) & 0xFF
        self.source_started = False
        self.needs_keyframe = self.kind == "video"
        # What the subscriber reported of a stream that has stopped says nothing about what is sent from now on.
        self.loss = 0.0

    def resend(self, lost: tuple[int, ...], at: float, send_time: bytes) -> None:
        """Send again what the subscriber misses and the ring still has: as RTX (RFC 4588) where negotiated, otherwise as it was."""
        track = self.track
        if track is None or track.ring is None or not self.source_started or self.context is None:
            return
        if len(self._resent) > 1024:
            self._resent.clear()
        for number in lost:
            if at - self._resent.get(number, -1.0) < RESEND_INTERVAL:
                continue
            found = self.numbers.backward(number, track.newest)
            packet = track.ring.get(found[0]) if found else None
            if packet is None or found is None:
                continue
            self._resent[number] = at
            self.resent += 1
            if self.rtx_ssrc is None or self.rtx_payload_type is None:
                _, marker, timestamp, payload = packet
                vp8 = parse_vp8(payload) or NO_VP8
                self.emit(marker, number, timestamp, payload, send_time, 127, vp8, found[1])
            else:
                _, marker, timestamp, payload = packet
                vp8 = parse_vp8(payload) or NO_VP8
                self._rtx_number = (self._rtx_number + 1) & 0xFFFF
                self.emit_rtx(
                    self.rtx_ssrc, self.rtx_payload_type, self._rtx_number, marker, number, timestamp, payload, send_time, vp8, found[1],
                )  # fmt: skip

    def timestamp_at(self, at: float) -> int | None:
        """Return this stream's RTP timestamp of room time `at`, for sender reports; None while nothing is sent."""
        if self.track is None or not self.source_started:
            return None
        source = self.track.clock.timestamp_at(at)
        return None if source is None else (source + self.timestamp_shift) & 0xFFFFFFFF


def _no_path(data: Any, address: Address) -> None:
    """Stand in until a path is nominated."""


class Track:
    """One stream that a member publishes.

    Invariants: `subscriptions` holds exactly the subscriptions whose `track` is this one and that are connected and not paused.
    """

    def __init__(
        self,
        *,
        member_id: str,
        kind: Kind,
        payload_type: int,
        rtx_payload_type: int | None,
        ssrc: int | None,
        rtx_ssrc: int | None,
    ) -> None:
        self.member_id = member_id
        self.kind: Kind = kind
        self.payload_type = payload_type
        self.rtx_payload_type = rtx_payload_type
        self.ssrc = ssrc
        self.rtx_ssrc = rtx_ssrc
        self.statistics = ReceptionStatistics(ssrc or 0, CLOCK_RATES[kind])
        self.clock = SourceClock(CLOCK_RATES[kind])
        self.missing = NackTracker()
        self.ring = PacketRing(RING_PACKETS) if kind == "video" else None
        self.subscriptions: list[Subscription] = []
        self.newest = -1
        """Unwrapped number of the newest packet; -1 before the first."""
        self.timestamp = 0
        self.arrived_at = 0.0
        self.vp8 = NO_VP8
        """Of the newest packet."""
        self.octets = 0
        self.layered = False
        """Whether upper temporal layers have been seen."""
        self.keyframe_wanted = False
        self.tap: Callable[[VideoPacket], None] | None = None
        """Takes every new packet of a picture that is recorded; must not raise."""
        self._keyframe_asked_at = -KEYFRAME_INTERVAL

    def restart(self, ssrc: int) -> None:
        """Begin anew with another SSRC; subscribers see one stream that goes on."""
        at = self.arrived_at
        for subscription in self.subscriptions:
            subscription.stop(at)
        self.statistics = ReceptionStatistics(ssrc, CLOCK_RATES[self.kind])
        self.missing = NackTracker()
        self.newest = -1
        self.keyframe_wanted = self.kind == "video"

    def subscribe(self, subscription: Subscription, at: float) -> None:
        """Begin to send to a subscription that carried nothing or another track."""
        if subscription.track is not None:
            subscription.track.unsubscribe(subscription, at)
        subscription.track = self
        subscription.needs_keyframe = self.kind == "video"
        subscription.source_started = False
        if subscription.context is not None and not subscription.paused:
            self.subscriptions = [*self.subscriptions, subscription]
            self.keyframe_wanted = self.keyframe_wanted or self.kind == "video"

    def unsubscribe(self, subscription: Subscription, at: float) -> None:
        """Stop sending to a subscription."""
        subscription.stop(at)
        subscription.track = None
        self.subscriptions = [s for s in self.subscriptions if s is not subscription]

    def pause(self, subscription: Subscription, paused: bool, at: float) -> None:
        """Stop sending to a subscription for now, or go on with the next keyframe."""
        if subscription.paused == paused:
            return
        subscription.stop(at)
        subscription.paused = paused
        self.subscriptions = [s for s in self.subscriptions if s is not subscription]
        if not paused and subscription.context is not None:
            self.subscriptions = [*self.subscriptions, subscription]
            self.keyframe_wanted = self.keyframe_wanted or self.kind == "video"

    def keyframe_due(self, at: float) -> bool:
        """Whether to ask the publisher for a keyframe now; if so it counts as asked."""
        wanted = self.keyframe_wanted or any(s.needs_keyframe for s in self.subscriptions)
        if not wanted or at - self._keyframe_asked_at < KEYFRAME_INTERVAL:
            return False
        self._keyframe_asked_at = at
        self.keyframe_wanted = False
        return True

    def receive(
        self, marker: int, sequence: int, timestamp: int, payload: bytes, level: int | None, at: float, recovered: bool
    ) -> bool:
        """Take one authentic packet and forward it; returns whether packets are newly missing.

        Args:
            marker: 0x80 or 0.
            sequence: 16 bits.
            timestamp: 32 bits.
            payload: without padding.
            level: of the sound, 0..127 -dBov, None where the packet does not say.
            at: room time of arrival.
            recovered: whether it came as a retransmission, which must not count as received in time.
        """
        newest = self.newest
        gap = False
        if newest < 0:
            source = sequence + 0x10000
            late = False
            self.clock.first_packet(timestamp, at)
        else:
            source = unwrap(sequence, newest)
            late = source <= newest
            if late:
                self.missing.arrived(source)
                if self.ring is not None and (source == newest or self.ring.get(source) is not None):
                    return False
            elif self.kind == "video" and source > newest + 1:
                gap = self.missing.gap(newest + 1, source - 1)
                self.keyframe_wanted = self.keyframe_wanted or not gap
        if not recovered:
            self.statistics.add(source, timestamp, at)
        self.octets += len(payload)
        vp8 = NO_VP8
        if self.ring is not None:
            vp8 = parse_vp8(payload) or NO_VP8
            if vp8.layer:
                self.layered = True
            self.ring.add((source, marker, timestamp, payload))
            if self.tap is not None:
                self.tap(VideoPacket(self.member_id, self.ssrc or 0, marker != 0, source & 0xFFFF, timestamp, payload, at))
        send_time = (int(at * 262_144) & 0xFFFFFF).to_bytes(3, "big")
        if late:
            self._forward_late(source, marker, timestamp, payload, level, vp8, send_time)
            return False
        if self.kind == "audio":
            self._forward_audio(source, marker, timestamp, payload, 127 if level is None else level, send_time, at)
        else:
            self._forward_video(source, marker, timestamp, payload, vp8, send_time, at)
        self.newest, self.timestamp, self.arrived_at = source, timestamp, at
        if vp8.picture_at:
            self.vp8 = vp8
        return gap

    def _forward_audio(
        self, source: int, marker: int, timestamp: int, payload: bytes, level: int, send_time: bytes, at: float
    ) -> None:
        for out in self.subscriptions:
            if not out.source_started:
                out.start(source, timestamp, at, NO_VP8)
            out.emit(marker, source + out.numbers.shift, timestamp, payload, send_time, level, NO_VP8, 0)

    def _forward_video(
        self, source: int, marker: int, timestamp: int, payload: bytes, vp8: Vp8Descriptor, send_time: bytes, at: float
    ) -> None:
        if not payload:
            # Padding only (probing): its number is left out, so that the subscriber does not miss it.
            for out in self.subscriptions:
                if out.source_started:
                    out.numbers.skip(source, whole_picture=False)
            return
        layer = vp8.layer
        for out in self.subscriptions:
            if not out.source_started:
                if not vp8.keyframe:
                    continue
                out.start(source, timestamp, at, vp8)
            elif layer > out.layer:
                if layer <= out.layer_limit and vp8.sync and vp8.frame_start:
                    out.layer = layer
                else:
                    out.numbers.skip(source, whole_picture=vp8.picture_id != out._skipped_picture)
                    out._skipped_picture = vp8.picture_id
                    continue
            elif out.layer > out.layer_limit and vp8.frame_start:
                out.layer = out.layer_limit
                if layer > out.layer:
                    out.numbers.skip(source, whole_picture=True)
                    out._skipped_picture = vp8.picture_id
                    continue
            numbers = out.numbers
            out.emit(marker, source + numbers.shift, timestamp, payload, send_time, 127, vp8, numbers.picture_shift)

    def _forward_late(
        self,
        source: int,
        marker: int,
        timestamp: int,
        payload: bytes,
        level: int | None,
        vp8: Vp8Descriptor,
        send_time: bytes,
    ) -> None:
        if not payload:
            return
        for out in self.subscriptions:
            found = out.numbers.forward(source) if out.source_started else None
            if found is not None:
                out.emit(
                    marker, found[0], timestamp, payload, send_time, 127 if level is None else level, vp8, found[1]
                )
