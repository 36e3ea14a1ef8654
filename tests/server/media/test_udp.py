"""Datagrams reach whom they are for, and strangers reach nobody."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aioice import stun
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from deliberation.errors import InvalidInput, Unavailable
from server.media import MediaConfig
from server.media.datagrams import Buffer
from server.media.udp import ADDRESSES_PER_PEER, UdpPort, local_addresses, open_ports
from tests.server.media.clients import until


class Peer:
    def __init__(self) -> None:
        self.media: list[bytes] = []
        self.dtls: list[bytes] = []

    def take_media(self, buffer: Buffer, length: int) -> None:
        self.media.append(bytes(buffer.view[:length]))

    def take_dtls(self, data: bytes) -> None:
        self.dtls.append(data)


class Agent:
    def __init__(self) -> None:
        self.transactions: dict[bytes, Any] = {}
        self.received: list[tuple[bytes, tuple[str, int]]] = []

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.received.append((data, addr))


@pytest.fixture
async def port() -> AsyncIterator[UdpPort]:
    (port,) = open_ports(("127.0.0.1",), (0, 0))
    yield port
    port.close()


@pytest.fixture
def stranger(port: UdpPort) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    sock.connect(port.address)
    return sock


def binding(username: str) -> stun.Message:
    message = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    message.attributes["PRIORITY"] = 1
    message.attributes["USERNAME"] = username
    return message


async def test_each_kind_of_datagram_goes_its_way(port: UdpPort, stranger: socket.socket) -> None:
    ada, agent, other = Peer(), Agent(), Agent()
    port.add_stun("ADA1", agent)
    port.add_stun("BEN1", other)
    port.add_peer(stranger.getsockname(), ada)
    request = bytes(binding("ADA1:xyz"))
    other.transactions[b"t" * 12] = object()
    response = b"\x01\x01\x00\x00\x21\x12\xa4\x42" + b"t" * 12
    for data in (b"\x80media", b"\x16dtls", request, response):
        stranger.send(data)
    await until(lambda: ada.media and ada.dtls and agent.received and other.received)
    assert (ada.media, ada.dtls) == ([b"\x80media"], [b"\x16dtls"])
    assert agent.received == [(request, stranger.getsockname())]
    assert other.received == [(response, stranger.getsockname())]
    assert port.unknown == 0
    stranger.close()


async def test_who_has_not_proved_an_address_is_not_listened_to(port: UdpPort, stranger: socket.socket) -> None:
    ada = Peer()
    port.add_peer(("127.0.0.1", 9), ada)
    for data in (b"\x80media", b"\x16dtls", bytes(binding("NOBODY:xyz")), b"", b"\xff", b"\x00" * 40, b"\x01" * 30):
        stranger.send(data)
    await until(lambda: port.unknown == 7)
    assert ada.media == ada.dtls == []
    stranger.close()


async def test_a_peer_owns_a_bounded_number_of_addresses_and_none_after_leaving(port: UdpPort) -> None:
    ada, ben = Peer(), Peer()
    port.add_peer(("192.0.2.1", 1), ben)
    for number in range(ADDRESSES_PER_PEER + 5):
        port.add_peer(("192.0.2.1", 100 + number), ada)
    assert list(port._peers.values()).count(ada) == ADDRESSES_PER_PEER
    port.remove_peer(ada)
    assert list(port._peers.values()) == [ben]


async def test_an_address_that_moves_to_another_peer_is_that_peers(port: UdpPort, stranger: socket.socket) -> None:
    ada, ben = Peer(), Peer()
    port.add_peer(stranger.getsockname(), ada)
    port.add_peer(stranger.getsockname(), ben)
    port.remove_peer(ada)
    stranger.send(b"\x80media")
    await until(lambda: ben.media)
    assert ada.media == []
    stranger.close()


async def test_all_addresses_share_one_port_number_of_the_range() -> None:
    addresses = tuple(local_addresses())
    assert "127.0.0.1" in addresses
    ports = open_ports(addresses, (47_100, 47_199))
    again = open_ports(addresses, (47_100, 47_199))
    numbers = {p.address[1] for p in ports}, {p.address[1] for p in again}
    assert len(numbers[0]) == len(numbers[1]) == 1 and numbers[0] != numbers[1]
    assert {p.address[0] for p in ports} == set(addresses)
    for port in ports + again:
        port.close()


async def test_an_exhausted_range_is_told_with_a_hint() -> None:
    (one,) = open_ports(("127.0.0.1",), (0, 0))
    with pytest.raises(Unavailable) as refused:
        open_ports(("127.0.0.1",), (one.address[1], one.address[1]))
    assert refused.value.code == "media.ports" and refused.value.hint
    one.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"public_addresses": ("parley.example",)}, {"addresses": ("",)}, {"udp_ports": (50_000, 40_000)},
        {"udp_ports": (0, 40_000)}, {"udp_ports": (40_000, 70_000)},
    ],
)  # fmt: skip
def test_settings_with_which_no_call_would_come_about_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as refused:
        MediaConfig(**wrong)
    assert refused.value.code == "media.settings" and refused.value.hint


@given(st.binary(max_size=120))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
def test_no_stun_bytes_upset_the_demultiplexer(octets: bytes) -> None:
    class Quiet(UdpPort):
        def __init__(self) -> None:
            self._stun = {b"ADA1": Agent()}
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    quiet = Quiet()
    quiet._stun_end(memoryview(octets + bytes(20)), len(octets))
    quiet._socket.close()


async def test_a_fault_at_one_datagram_costs_that_datagram_alone(port: UdpPort, stranger: socket.socket) -> None:
    class Faulty(Peer):
        def take_media(self, buffer: Buffer, length: int) -> None:
            super().take_media(buffer, length)
            if len(self.media) == 1:
                raise RuntimeError("a fault of ours")

    ada = Faulty()
    port.add_peer(stranger.getsockname(), ada)
    for number in range(3):
        stranger.send(b"\x80" + bytes([number]))
    await until(lambda: len(ada.media) == 3)
    assert port.failed == 1
    stranger.close()
