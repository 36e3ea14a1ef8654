"""A room's UDP sockets and who each datagram is for.

Owns the sockets: one port number per room, bound on every address, shared by all peers of the room. Knows the three kinds of datagrams
by their first byte (RFC 7983): STUN goes to the agent whose user name it carries, DTLS and media go to the peer that has proved, by an
authenticated STUN check, to be at the sender's address; anything else is counted and dropped. Never reads what is inside.
"""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import random
import socket
from typing import Any, Protocol

import ifaddr
import structlog

from deliberation.errors import Unavailable
from server.media import packets
from server.media.datagrams import INBOX, Address, Buffer, address_of, socket_name
from server.media.packets import OUTBOX, Lane

log = structlog.get_logger(__name__)

SOCKET_BUFFER = 4 << 20
"""Asked for; the system may give less (net.core.rmem_max)."""
ADDRESSES_PER_PEER = 16
"""Addresses that one peer may have proved; the oldest is forgotten."""


class StunEnd(Protocol):
    """aioice's protocol object of one peer on one port."""

    transactions: dict[bytes, Any]

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """Take a STUN message."""


class PeerEnd(Protocol):
    """Where a peer takes its datagrams."""

    def take_media(self, buffer: Buffer, length: int) -> None:
        """Take SRTP or SRTCP: `length` bytes at the head of the buffer, which is reused after the call."""

    def take_dtls(self, data: bytes) -> None:
        """Take a DTLS datagram."""


class UdpPort:
    """One socket on one address."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self.address: Address = sock.getsockname()[:2]
        ip = ipaddress.ip_address(self.address[0])
        self.routable_ipv4 = ip.version == 4 and not ip.is_loopback
        self.routable_ipv6 = ip.version == 6 and not ip.is_loopback
        self._stun: dict[bytes, StunEnd] = {}
        self._name_size = 16 if ip.version == 4 else 28
        self._peers: dict[bytes, PeerEnd] = {}
        """By the sender's address as the kernel writes it."""
        self.unknown = 0
        """Datagrams of nobody we know."""
        self.unsent = 0
        """Datagrams that the system did not take."""
        self.failed = 0
        """Datagrams at which we failed; the first is logged."""
        asyncio.get_running_loop().add_reader(sock.fileno(), self._readable)

    def add_stun(self, ufrag: str, end: StunEnd) -> None:
        """Give STUN requests for this user name fragment to `end`, and responses to its transactions."""
        self._stun[ufrag.encode()] = end

    def remove_stun(self, ufrag: str) -> None:
        """Forget a user name fragment."""
        self._stun.pop(ufrag.encode(), None)

    def add_peer(self, address: Address, peer: PeerEnd) -> None:
        """Give DTLS and media from `address` to `peer`, who proved to be there."""
        name = socket_name(address)
        if self._peers.get(name) is peer:
            return
        self._peers[name] = peer
        owned = [a for a, p in self._peers.items() if p is peer]
        if len(owned) > ADDRESSES_PER_PEER:
            del self._peers[owned[0]]

    def remove_peer(self, peer: PeerEnd) -> None:
        """Forget all addresses of a peer."""
        for address in [a for a, p in self._peers.items() if p is peer]:
            del self._peers[address]

    def lane(self, address: Address) -> Lane:
        """Return the way to an address from here, for the outbox."""
        return packets.lane(self._socket, address)

    def send(self, data: bytes | memoryview, address: Address) -> None:
        """Send one datagram; one that the system cannot take now is dropped and counted."""
        try:
            self._socket.sendto(data, address)
        except OSError:
            self.unsent += 1

    def close(self) -> None:
        """Close the socket."""
        if self._socket.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
        self._stun.clear()
        self._peers.clear()

    def _readable(self) -> None:
        inbox, peers = INBOX, self._peers
        count = inbox.receive(self._socket, self._name_size)
        for place in range(count):
            buffer, length = inbox.buffers[place], inbox.lengths[place]
            first = buffer.view[0] if length else 0
            try:
                if 128 <= first <= 191:
                    peer = peers.get(inbox.names[place])
                    if peer is not None:
                        peer.take_media(buffer, length)
                        continue
                elif self._take_other(first, buffer.view, length, inbox.names[place]):
                    continue
                self.unknown += 1
            except Exception:
                # A datagram that finds a fault of ours costs itself, not the others of the batch.
                self.failed += 1
                if self.failed == 1:
                    log.exception("datagram failed", port=self.address[1])
        OUTBOX.flush()

    def _take_other(self, first: int, view: memoryview, length: int, name: bytes) -> bool:
        if first <= 3:
            end = self._stun_end(view, length)
            if end is not None:
                end.datagram_received(bytes(view[:length]), address_of(name))
                return True
        elif 20 <= first <= 63:
            peer = self._peers.get(name)
            if peer is not None:
                peer.take_dtls(bytes(view[:length]))
                return True
        return False

    def _stun_end(self, view: memoryview, length: int) -> StunEnd | None:
        if length < 20 or self._socket.fileno() < 0:
            return None
        if view[0] == 1:
            # A response (class bits 10 or 11, RFC 8489 section 5) belongs to whoever asked.
            transaction = bytes(view[8:20])
            return next((end for end in self._stun.values() if transaction in end.transactions), None)
        at = 20
        while at + 4 <= length:
            kind = view[at] << 8 | view[at + 1]
            size = view[at + 2] << 8 | view[at + 3]
            if kind == 0x0006 and at + 4 + size <= length:
                return self._stun.get(bytes(view[at + 4 : at + 4 + size]).partition(b":")[0])
            at += 4 + (size + 3 & ~3)
        return None


def local_addresses() -> list[str]:
    """Return every address of this machine that peers may reach, and 127.0.0.1; no link-local and no multicast ones."""
    found = ["127.0.0.1"]
    for adapter in ifaddr.get_adapters():
        for ip in adapter.ips:
            text = ip.ip if isinstance(ip.ip, str) else ip.ip[0]
            parsed = ipaddress.ip_address(text)
            if not (parsed.is_loopback or parsed.is_link_local or parsed.is_multicast) and text not in found:
                found.append(text)
    return found


def open_ports(addresses: tuple[str, ...], ports: tuple[int, int]) -> list[UdpPort]:
    """Bind one port number on every address; an address that cannot be bound at all (it just went away) is left out.

    Raises:
        Unavailable: `media.ports`: no port of the range is free on any address.
    """
    wanted = list(addresses) or local_addresses()
    low, high = ports
    numbers = [0] * 20 if low == 0 else _shuffled(low, high)
    best: list[socket.socket] = []
    for number in numbers:
        sockets: list[socket.socket] = []
        taken = False
        for address in wanted:
            try:
                sock = _bind(address, number)
            except OSError as error:
                taken = taken or error.errno == errno.EADDRINUSE
                continue
            sockets.append(sock)
            number = sock.getsockname()[1]
        if sockets and not taken:
            best = sockets
            break
        for sock in sockets:
            sock.close()
    if not best:
        raise Unavailable("media.ports", "No media port is free on this server.", "Widen the UDP port range.")
    return [UdpPort(sock) for sock in best]


def _shuffled(low: int, high: int) -> list[int]:
    start = random.randint(low, high)
    return [*range(start, high + 1), *range(low, start)]


def _bind(address: str, number: int) -> socket.socket:
    version = ipaddress.ip_address(address).version
    sock = socket.socket(socket.AF_INET if version == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        if version == 6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER)
        sock.bind((address, number))
    except OSError:
        sock.close()
        raise
    return sock
