"""The only place that touches private names of aiortc and aioice, whose versions are pinned (`srtp` touches those of pylibsrtp).

Owns ICE (aioice's agent on sockets of ours), the DTLS handshake (aiortc's transport). aiortc's peer connection, senders and receivers are not used: they decode, which costs 370 µs a packet, and run
tasks per stream. A contract test names every private attribute used here and fails loudly when an upgrade changes one.

libsrtp contexts are not thread-safe: everything here runs on the event loop's thread.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, cast

from aioice import Candidate
from aioice.candidate import candidate_foundation, candidate_priority
from aioice.ice import CandidatePair, Connection, StunProtocol, server_reflexive_candidate
from aioice.stun import Message
from aiortc.rtcdtlstransport import RTCCertificate, RTCDtlsFingerprint, RTCDtlsParameters, RTCDtlsTransport
from aiortc.rtcicetransport import RTCIceTransport, parse_stun_turn_uri

from server.media.datagrams import Address
from server.media.packets import Lane
from server.media.srtp import Context, context_of
from server.media.udp import UdpPort

Certificate = RTCCertificate

MAX_REMOTE_CANDIDATES = 64
"""Addresses of one peer, announced and found."""


class IceAgent(Connection):
    """aioice's controlled agent for one peer, on the room's shared UDP ports.

    It tells `on_address` of every address that proved to know the peer's password, and `on_path` of every newly nominated path, so that a
    peer whose address changes is followed.
    """

    QUEUE = 64
    """DTLS datagrams that wait; more are dropped (DTLS sends again)."""

    def __init__(
        self,
        ports: list[UdpPort],
        *,
        stun_server: tuple[str, int] | None,
        turn: dict[str, Any] | None,
        gather_seconds: float,
        on_address: Callable[[UdpPort, Address], None],
        on_path: Callable[[Lane | None, Callable[[Any, Address], object], Address], None],
        on_relayed: Callable[[bytes], None],
    ) -> None:
        super().__init__(ice_controlling=False, stun_server=stun_server, **(turn or {}))
        self._ports = ports
        self._gather_seconds = gather_seconds
        self._on_address = on_address
        self._on_path = on_path
        self._on_relayed = on_relayed
        self._path: CandidatePair | None = None

    async def gather_candidates(self) -> None:
        """Make a host candidate on every port of the room; ask STUN and TURN servers for a bounded time."""
        self._local_candidates_start = True
        reflexive: list[asyncio.Task[Any]] = []
        for port in self._ports:
            protocol = StunProtocol(self)
            protocol.connection_made(_PortTransport(port, protocol, self.local_username))
            host, number = port.address
            protocol.local_candidate = Candidate(
                foundation=candidate_foundation("host", "udp", host),
                component=1,
                transport="udp",
                priority=candidate_priority(1, "host"),
                host=host,
                port=number,
                type="host",
            )
            self._protocols.append(protocol)
            self._local_candidates.append(protocol.local_candidate)
            if self.stun_server and port.routable_ipv4:
                reflexive.append(asyncio.create_task(server_reflexive_candidate(protocol, self.stun_server)))
        try:
            # Without addresses the inherited method asks the TURN server only.
            relayed = (
                self.get_component_candidates(1, [], timeout=math.ceil(self._gather_seconds))
                if self.turn_server
                else None
            )
            if relayed is not None:
                self._local_candidates += await relayed
            if reflexive:
                done, _ = await asyncio.wait(reflexive, timeout=0.0 if relayed else self._gather_seconds)
                self._local_candidates += [task.result()[0] for task in done if task.exception() is None]
        finally:
            for task in reflexive:
                task.cancel()
        self._local_candidates_end = True

    def check_incoming(self, message: Message, addr: Address, protocol: StunProtocol) -> None:
        """Handle a check that has been authenticated; a peer that shows up from ever new addresses is not followed without end."""
        known = any(c.host == addr[0] and c.port == addr[1] for c in self._remote_candidates)
        if not known and len(self._remote_candidates) >= MAX_REMOTE_CANDIDATES:
            return
        super().check_incoming(message, addr, protocol)
        transport = protocol.transport
        if isinstance(transport, _PortTransport):
            self._on_address(transport.port, addr)

    def check_complete(self, pair: CandidatePair) -> None:
        """Handle the end of one of our own checks, and nominations."""
        super().check_complete(pair)
        selected = self._nominated.get(1)
        if selected is not None and selected is not self._path:
            self._path = selected
            transport = selected.protocol.transport
            if isinstance(transport, _PortTransport):
                self._on_address(transport.port, selected.remote_addr)
                self._on_path(transport.port.lane(selected.remote_addr), transport.port.send, selected.remote_addr)
            else:
                self._on_path(None, lambda data, addr: transport.sendto(bytes(data), addr), selected.remote_addr)

    def data_received(self, data: bytes, component: int) -> None:
        """Take DTLS from a port of ours, and everything that is not STUN from a relay."""
        if data and 128 <= data[0] <= 191:
            self._on_relayed(data)
        elif self._queue.qsize() < self.QUEUE:
            super().data_received(data, component)


class _PortTransport(asyncio.DatagramTransport):
    """What aioice needs of a datagram transport, on a shared port."""

    def __init__(self, port: UdpPort, protocol: StunProtocol, ufrag: str) -> None:
        super().__init__()
        self.port = port
        self._protocol = protocol
        self._ufrag = ufrag
        port.add_stun(ufrag, protocol)

    def sendto(self, data: Any, addr: Any = None) -> None:
        self.port.send(data, addr)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self.port.address if name == "sockname" else default

    def close(self) -> None:
        self.port.remove_stun(self._ufrag)
        self._protocol.connection_lost(None)


def candidate_lines(agent: IceAgent, public_addresses: tuple[str, ...]) -> tuple[str, ...]:
    """Return our candidates as SDP attribute values; each public address is offered with the port of the routable IPv4 or IPv6 socket."""
    candidates: list[str] = [candidate.to_sdp() for candidate in agent.local_candidates]
    for address in public_addresses:
        wants_ipv4 = ":" not in address
        for port in agent._ports:
            if port.routable_ipv4 if wants_ipv4 else port.routable_ipv6:
                public = Candidate(
                    foundation=candidate_foundation("srflx", "udp", address),
                    component=1,
                    transport="udp",
                    priority=candidate_priority(1, "srflx"),
                    host=address,
                    port=port.address[1],
                    type="srflx",
                    related_address=port.address[0],
                    related_port=port.address[1],
                )
                candidates.append(public.to_sdp())
                break
    return tuple(candidates)


def turn_arguments(url: str, username: str, credential: str) -> dict[str, Any]:
    """Return aioice's arguments for a TURN server given as `turn:` or `turns:` URL.

    Raises:
        ValueError: the URL is malformed.
    """
    parsed = parse_stun_turn_uri(url)
    return {
        "turn_server": (parsed["host"], parsed["port"]),
        "turn_ssl": parsed["scheme"] == "turns",
        "turn_transport": parsed["transport"],
        "turn_username": username,
        "turn_password": credential,
    }


def parse_candidate(text: str) -> Candidate | None:
    """Read a remote candidate; None for one that is of no use to a server (mDNS names, TCP, malformed)."""
    try:
        candidate = Candidate.from_sdp(text.removeprefix("candidate:"))
    except ValueError:
        return None
    usable = candidate.transport.lower() == "udp" and candidate.component == 1 and not candidate.host.endswith(".local")
    return candidate if usable and 0 < candidate.port < 65536 else None


@dataclass(frozen=True, slots=True)
class SrtpContexts:
    """Keys in use after the handshake. The sessions are kept because the contexts die with them."""

    inbound: Context
    outbound: Context
    profile: str
    sessions: tuple[Any, Any]


class _IceForDtls:
    """What aiortc's DTLS transport needs of its ICE transport."""

    role = "controlled"

    def __init__(self, agent: IceAgent) -> None:
        self._recv: Callable[[], Awaitable[bytes]] = agent.recv
        self._send: Callable[[bytes], Awaitable[None]] = agent.send


class DtlsSession:
    """The DTLS server of one peer: one handshake, then it watches for the peer's close."""

    def __init__(self, agent: IceAgent, certificate: Certificate, on_closed: Callable[[], None]) -> None:
        self._dtls: Any = RTCDtlsTransport(cast(RTCIceTransport, _IceForDtls(agent)), [certificate])
        self._dtls._set_role("server")
        self._on_closed = on_closed
        self._dtls.on("statechange", self._changed)

    @staticmethod
    def fingerprints(certificate: Certificate) -> tuple[tuple[str, str], ...]:
        """Return (algorithm, value) of the SHA-256 fingerprint, which every browser reads."""
        return tuple((f.algorithm, f.value) for f in certificate.getFingerprints() if f.algorithm == "sha-256")

    async def handshake(self, fingerprints: tuple[tuple[str, str], ...]) -> SrtpContexts:
        """Shake hands as server and check the peer's certificate.

        Raises:
            ConnectionError: the handshake or the check of the fingerprint failed.
        """
        await self._dtls.start(RTCDtlsParameters([RTCDtlsFingerprint(name, value) for name, value in fingerprints]))
        if self._dtls.state != "connected":
            raise ConnectionError("the DTLS handshake failed")
        profile = bytes(self._dtls._ssl.get_selected_srtp_profile()).decode()
        inbound, outbound = self._dtls._rx_srtp, self._dtls._tx_srtp
        return SrtpContexts(context_of(inbound), context_of(outbound), profile, (inbound, outbound))

    def _changed(self) -> None:
        if self._dtls.state == "closed":
            self._on_closed()

    async def close(self) -> None:
        """Say goodbye and stop."""
        self._dtls.remove_all_listeners()
        await self._dtls.stop()


def new_certificate() -> Certificate:
    """Make a key and a self-signed certificate, valid for 30 days; one serves all peers of a node."""
    return RTCCertificate.generateCertificate()
