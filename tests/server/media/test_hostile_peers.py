"""Malformed, replayed, spoofed and noisy peers: counted, without effect on the others; and nothing leaks."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
import random
import socket
import struct

import pytest
from aiortc.rtp import RtcpPacket, RtcpPsfbPacket, RtcpRtpfbPacket, RtcpSrPacket, RtpPacket

from benchmarks._light_peer import AUDIO, RTX, VIDEO, LightPeer, join, vp8
from server.media.peer import Peer
from server.media.streams import Subscription, Track
from tests.server.media.clients import media_room, until


class Inbox:
    """What a light peer received, unprotected and parsed by aiortc."""

    def __init__(self, peer: LightPeer) -> None:
        self.rtp: list[RtpPacket] = []
        self.rtcp: list[object] = []
        self._peer = peer
        peer.agent.on_media = self._take

    def _take(self, data: bytes) -> None:
        is_rtcp, plain = self._peer.unprotect(data)
        if is_rtcp:
            self.rtcp += RtcpPacket.parse(plain)
        else:
            self.rtp.append(RtpPacket.parse(plain))

    def payloads(self, payload_type: int) -> list[bytes]:
        return [p.payload for p in self.rtp if p.payload_type == payload_type]


async def talk(peer: LightPeer, count: int, at: int = 0) -> None:
    for number in range(count):
        peer.send(peer.rtp(peer.audio_ssrc, AUDIO, 960 * (at + number), b"\xf8" + bytes([number % 256])))
        await asyncio.sleep(0)


async def test_what_one_sends_the_other_receives_with_reports_both_ways() -> None:
    async with media_room() as (room, heard):
        ada, ben = await join(room, "ada", slots=1), await join(room, "ben", slots=1)
        inbox, outbox = Inbox(ben), Inbox(ada)
        await until(lambda: all(p.state == "connected" for p in room.stats().peers.values()))
        await until(lambda: any(isinstance(p, RtcpPsfbPacket) and p.fmt == 1 for p in outbox.rtcp) or _send_delta(ada))
        ada.send(ada.rtp(ada.video_ssrc, VIDEO, 0, vp8(True, 5), marker=True))
        await talk(ada, 10)
        await until(lambda: len(inbox.payloads(AUDIO)) == 10 and inbox.payloads(VIDEO))
        assert [p.level for p in heard.audio] == [30] * 10
        await until(lambda: any(isinstance(p, RtcpSrPacket) for p in inbox.rtcp))
        await until(lambda: any(isinstance(p, RtcpRtpfbPacket) and p.fmt == 15 for p in outbox.rtcp))
        await ada.close()
        await ben.close()


def _send_delta(peer: LightPeer) -> bool:
    peer.send(peer.rtp(peer.video_ssrc, VIDEO, 0, vp8(False, 4)))
    return False


async def test_a_lost_packet_is_asked_for_upstream_and_sent_again_downstream() -> None:
    async with media_room() as (room, _):
        ada, ben = await join(room, "ada", slots=1), await join(room, "ben", slots=1)
        inbox, outbox = Inbox(ben), Inbox(ada)
        await until(lambda: all(p.state == "connected" for p in room.stats().peers.values()))
        frames = [ada.rtp(ada.video_ssrc, VIDEO, 3000 * n, vp8(n == 0, n)) for n in range(10)]
        for number, frame in enumerate(frames):
            if number != 4:
                ada.send(frame)
        await until(lambda: any(isinstance(p, RtcpRtpfbPacket) and p.fmt == 1 for p in outbox.rtcp))
        asked = next(p for p in outbox.rtcp if isinstance(p, RtcpRtpfbPacket) and p.fmt == 1)
        lost = RtpPacket.parse(frames[4])
        assert asked.lost == [lost.sequence_number] and asked.media_ssrc == ada.video_ssrc
        ada.send(ada.rtp(ada.rtx_ssrc, RTX, lost.timestamp, struct.pack("!H", lost.sequence_number) + vp8(False, 4)))
        await until(lambda: len(inbox.payloads(VIDEO)) == 10)
        third = next(p for p in inbox.rtp if p.payload_type == VIDEO)
        ben.send_rtcp(bytes(RtcpRtpfbPacket(fmt=1, ssrc=1, media_ssrc=third.ssrc, lost=[third.sequence_number + 2])))
        await until(lambda: inbox.payloads(RTX))
        assert inbox.payloads(RTX)[0][:2] == struct.pack("!H", third.sequence_number + 2)
        await ada.close()
        await ben.close()


async def test_a_source_that_the_offer_did_not_announce_is_found_by_its_mid() -> None:
    async with media_room() as (room, _):
        ada, ben = await join(room, "ada", slots=1), await join(room, "ben", slots=1)
        inbox = Inbox(ben)
        await until(lambda: all(p.state == "connected" for p in room.stats().peers.values()))
        await talk(ada, 3)
        await until(lambda: len(inbox.payloads(AUDIO)) == 3)
        block = b"\x40" + b"0" + bytes(2)
        for number in range(5):
            head = struct.pack("!BBHII", 0x90, AUDIO, number, 960 * number, 4242) + struct.pack("!HH", 0xBEDE, 1)
            ada.send(head + block + b"\xf8new")
        await until(lambda: len(inbox.payloads(AUDIO)) == 8)
        first = inbox.rtp[0].sequence_number
        assert [(p.sequence_number - first) & 0xFFFF for p in inbox.rtp] == list(range(8))
        assert len({p.ssrc for p in inbox.rtp}) == 1
        await ada.close()
        await ben.close()


async def test_noise_from_a_member_is_counted_and_the_others_hear_on() -> None:
    async with media_room() as (room, _):
        ada, ben, eve = [await join(room, name, slots=2) for name in ("ada", "ben", "eve")]
        inbox = Inbox(ben)
        await until(lambda: all(p.state == "connected" for p in room.stats().peers.values()))
        some = random.Random(7)
        good = eve.rtp(eve.audio_ssrc, AUDIO, 0, b"\xf8evil")
        protected = eve.dtls._tx_srtp.protect(good)
        for _ in range(300):
            # Unauthentic: noise, flipped bits, replays, truncations.
            eve.send_raw(b"\x80" + some.randbytes(some.randrange(0, 1500)), eve.remote_address)
            flipped = bytearray(protected)
            flipped[some.randrange(12, len(flipped))] ^= 1 << some.randrange(8)
            eve.send_raw(bytes(flipped), eve.remote_address)
            eve.send_raw(protected[: some.randrange(len(protected))], eve.remote_address)
            # Authentic, but broken inside.
            broken = bytearray(eve.rtp(eve.video_ssrc, VIDEO, 0, some.randbytes(some.randrange(0, 40))))
            broken[0] = 0x80 | some.randrange(64)
            if len(broken) > 60:
                eve.send(bytes(broken))
            body = some.randbytes(4 * some.randrange(2, 20))
            kind = some.choice([200, 201, 202, 203, 205, 206, 207])
            eve.send_rtcp(struct.pack("!BBH", 0x80 | some.randrange(32), kind, some.randrange(30)) + body)
            # A source that nobody announced, with a payload type of nobody.
            eve.send(struct.pack("!BBHII", 0x80, 77, 1, 1, some.randrange(1 << 32)) + b"who")
            await asyncio.sleep(0)
        await talk(ada, 20)
        await until(lambda: sum(1 for p in inbox.payloads(AUDIO) if p[:1] == b"\xf8" and len(p) == 2) == 20)
        stats = room.stats()
        assert stats.peers["eve"].unauthentic > 500 and stats.peers["eve"].malformed > 300
        for name in ("ada", "ben"):
            assert stats.peers[name].unauthentic == stats.peers[name].malformed == 0
        assert all(peer.state == "connected" for peer in stats.peers.values())
        for peer in (ada, ben, eve):
            await peer.close()


async def test_a_stranger_who_knows_the_port_cannot_speak_for_a_member() -> None:
    async with media_room() as (room, heard):
        ada, ben = await join(room, "ada", slots=1), await join(room, "ben", slots=1)
        inbox = Inbox(ben)
        await until(lambda: all(p.state == "connected" for p in room.stats().peers.values()))
        stranger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        stranger.bind(("127.0.0.1", 0))
        protected = ada.dtls._tx_srtp.protect(ada.rtp(ada.audio_ssrc, AUDIO, 0, b"\xf8stolen"))
        for _ in range(10):
            stranger.sendto(protected, ada.remote_address)
        await until(lambda: room.stats().unknown_datagrams == 10)
        await talk(ada, 3)
        await until(lambda: len(inbox.payloads(AUDIO)) == 3)
        assert len(heard.audio) == 3
        stranger.close()
        await ada.close()
        await ben.close()


async def test_a_member_that_changes_its_address_is_followed() -> None:
    async with media_room() as (room, heard):
        ada, ben = await join(room, "ada", slots=1), await join(room, "ben", slots=1)
        inbox = Inbox(ada)
        await until(lambda: all(p.state == "connected" for p in room.stats().peers.values()))
        moved = LightPeer(slots=1)
        await moved._gather(controlling=True)
        # The same ICE credentials and keys from another socket, as a phone that leaves its Wi-Fi.
        moved.agent._local_username, moved.agent._local_password = ada.agent.local_username, ada.agent.local_password
        moved.agent.remote_username, moved.agent.remote_password = (
            ada.agent.remote_username, ada.agent.remote_password,
        )  # fmt: skip
        moved.agent.on_media = ada.agent.on_media
        for candidate in ada.agent.remote_candidates:
            await moved.agent.add_remote_candidate(candidate)
        await moved.agent.add_remote_candidate(None)
        await moved.agent.connect()
        ada.agent.on_media = None

        def followed() -> bool:
            ben.send(ben.rtp(ben.audio_ssrc, AUDIO, 0, b"\xf8here"))
            return len(inbox.payloads(AUDIO)) >= 10

        await until(followed)
        pair = moved.agent._nominated[1]
        ada.send_raw, ada.remote_address = pair.protocol.transport.sendto, pair.remote_addr
        await talk(ada, 5)
        await until(lambda: len([p for p in heard.audio if p.participant_id == "ada"]) == 5)
        await moved.agent.close()
        await ben.close()


class _Silent:
    def info(self, event: str, **fields: object) -> None:
        pass


async def test_joins_and_leaves_leave_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Members come and go at once and one by one; objects, tasks, descriptors and memory are flat afterwards."""

    async def once(room: object, count: int) -> None:
        peers = await asyncio.gather(*(join(room, f"m{i}", slots=1) for i in range(count)))
        await until(lambda: all(p.state == "connected" for p in room.stats().peers.values()))
        for peer in peers:
            await talk(peer, 2)
        await asyncio.gather(*(room.disconnect(f"m{i}") for i in range(count)))
        await asyncio.gather(*(peer.close() for peer in peers))

    def memory() -> int:
        """Return the resident KiB of this process, without what the allocator merely keeps from earlier tests."""
        gc.collect()
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
        return int(next(li for li in open("/proc/self/status") if li.startswith("VmRSS")).split()[1])

    def counted() -> tuple[int, int, int]:
        gc.collect()
        mine = sum(isinstance(o, Peer | Track | Subscription) for o in gc.get_objects())
        return mine, len(asyncio.all_tasks()), len(os.listdir("/proc/self/fd"))

    # pytest keeps every log line, which would be counted as memory of ours.
    monkeypatch.setattr("server.media.peer.log", _Silent())
    rounds = int(os.environ.get("PARLEY_LEAK_ROUNDS", "12"))
    async with media_room() as (room, _):
        for _ in range(4):  # the allocator's pools fill first
            await once(room, 5)
        before = counted()
        start = memory()
        for _ in range(rounds):
            await once(room, 5)
        assert counted() == before
        grown = memory() - start
        assert grown < 4_000, f"{grown} KiB more after {5 * rounds} joins"
        assert before[0] == 0
