"""What the rest of the server sees of the media plane: its settings, its slots, what it reports.

Data only. Made by `server/app.py` (settings) and by `forwarder` (the rest); read by `server/rooms`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Literal

from deliberation.errors import InvalidInput

Kind = Literal["audio", "video"]
Wanted = Literal["all", "few", "none"]


@dataclass(frozen=True, slots=True)
class TurnServer:
    """A relay that the *server* uses for itself; browsers get theirs from the signalling."""

    url: str
    """`turn:host:port?transport=udp` or `turns:…`."""
    username: str
    credential: str


@dataclass(frozen=True, slots=True)
class MediaConfig:
    """Settings of the media plane of one node."""

    udp_ports: tuple[int, int] = (40_000, 49_999)
    """First and last UDP port; each room takes one port, on every address. (0, 0) leaves the choice to the system."""
    addresses: tuple[str, ...] = ()
    """Local addresses to listen on. Empty: every address of this machine, IPv4 and IPv6, and the loopback address 127.0.0.1."""
    public_addresses: tuple[str, ...] = ()
    """Addresses under which this machine is reached from outside with the same port (a 1:1 NAT, a container); offered to peers as well."""
    stun_server: tuple[str, int] | None = None
    """Host and port; asked for this machine's public address while answering, for at most `gather_seconds`."""
    turn_server: TurnServer | None = None
    gather_seconds: float = 1.5
    connect_seconds: float = 30.0
    """A peer that has not finished ICE and DTLS by then is closed as failed."""
    max_peers: int = 32
    """Of one room, publishers and listeners together."""
    publish_bits_per_second: int = 800_000
    """What a publisher is told it may send, where it leaves congestion control to us (REMB)."""
    opus_dtx: bool = False
    """Ask publishers to send almost nothing while they are silent."""
    audio_backlog: int = 2_000
    """Audio packets of a room that wait for the transcriber before the oldest are dropped and counted."""

    def __post_init__(self) -> None:
        """Refuse settings with which no call would come about.

        Raises:
            InvalidInput: `media.settings`.
        """
        for address in (*self.addresses, *self.public_addresses):
            try:
                ip_address(address)
            except ValueError as error:
                raise InvalidInput(
                    "media.settings",
                    f"{address!r} is not an IP address.",
                    "Give the number (such as 203.0.113.7) under which browsers reach this machine; names do not work here.",
                ) from error
        low, high = self.udp_ports
        if not (low == high == 0 or 1024 <= low <= high <= 65_535):
            raise InvalidInput(
                "media.settings",
                f"{low} to {high} is not a range of UDP ports.",
                "Give two numbers from 1024 to 65535.",
            )


@dataclass(frozen=True, slots=True)
class Slot:
    """One of a member's receiving m-lines and whom it carries now."""

    mid: str
    kind: Kind
    member_id: str | None
    """None: nobody."""
    paused: bool = False
    """Assigned, but not sent: the connection does not carry it, or the member does not want it."""


@dataclass(frozen=True, slots=True)
class SlotsChanged:
    """Ask `MediaRoom.slots` again for this member."""

    member_id: str


ConnectionState = Literal["connecting", "connected", "failed", "closed"]


@dataclass(frozen=True, slots=True)
class ConnectionChanged:
    """A member's media connection reached another state; `closed` is also what a lost connection ends in (after about 30 s, RFC 7675)."""

    member_id: str
    state: ConnectionState


QualityLevel = Literal["full", "reduced", "few", "audio"]


@dataclass(frozen=True, slots=True)
class QualityChanged:
    """What a member gets: `full`, `reduced` (fewer frames), `few` (some videos paused), `audio` (no video)."""

    member_id: str
    level: QualityLevel
    why: Literal["connection", "choice", "recovered"]


MediaChange = SlotsChanged | ConnectionChanged | QualityChanged


@dataclass(frozen=True, slots=True)
class Recording:
    """A finished recording of one member's sound, or picture. It begins at `started_at`, whatever was said or seen when."""

    member_id: str
    path: Path
    started_at: float
    """Room time, seconds."""
    seconds: float
    gaps: tuple[tuple[float, float], ...]
    """(start, end) in room time of silence that stands for packets that never came, the newest 1,000."""
    late: int
    """Packets left out because they came too late."""
    dropped: int
    """Packets left out because the disk was behind."""


@dataclass(frozen=True, slots=True)
class VideoPacket:
    """One packet of a picture that is recorded; the payload begins with its VP8 descriptor (RFC 7741)."""

    participant_id: str
    ssrc: int
    marker: bool
    sequence: int
    """16 bits."""
    timestamp: int
    """32 bits, 90 kHz."""
    payload: bytes
    at: float
    """Room time of arrival, seconds."""


@dataclass(frozen=True, slots=True)
class PeerStats:
    """Counters of one connection since it began; rates are of the last report interval."""

    state: ConnectionState
    packets_in: int
    bytes_in: int
    packets_out: int
    bytes_out: int
    retransmitted: int
    malformed: int
    """Datagrams that were no valid RTP or RTCP, or of a source that was not announced."""
    unauthentic: int
    """Datagrams that failed SRTP authentication or replay protection."""
    send_errors: int
    loss_up: float
    """Share of the member's packets that did not reach us, 0..1."""
    loss_down: float
    """Share of our packets that did not reach the member, 0..1."""
    round_trip_seconds: float | None
    estimate_bits_per_second: int | None
    """What the member's connection is believed to carry towards it."""


@dataclass(frozen=True, slots=True)
class MediaRoomStats:
    """One room's media plane at a glance."""

    peers: Mapping[str, PeerStats] = field(default_factory=dict)
    unknown_datagrams: int = 0
    """Datagrams from addresses that no peer has proved to own."""
    audio_dropped: int = 0
    """Audio packets that the tap dropped because the transcriber was behind."""
