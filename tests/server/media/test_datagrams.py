"""Batches of datagrams arrive as single ones, whatever way they took."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from server.media import datagrams, packets
from server.media.datagrams import BATCH, Address, Inbox, Lane, Outbox, address_of, new_buffer, socket_name

kinds: tuple[Any, Any] = (Lane, Outbox)


@pytest.fixture(params=["batched", "singly", "in C"], autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run every test on all code paths."""
    if request.param == "in C":
        if not packets.ACCELERATED:
            pytest.skip("the extension was not built here")
        monkeypatch.setattr(sys.modules[__name__], "kinds", (packets.Lane, type(packets.OUTBOX)))
    elif request.param == "singly":
        monkeypatch.setattr(datagrams, "SYSTEM_CALLS", None)
    elif datagrams.SYSTEM_CALLS is None:
        pytest.skip("this system has no recvmmsg and sendmmsg")
    return str(request.param)


def udp(host: str = "127.0.0.1") -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.bind((host, 0))
    except OSError:
        sock.close()
        pytest.skip(f"{host} is not an address of this machine")
    sock.settimeout(5)
    return sock


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    here, there = udp(), udp()
    yield here, there
    here.close()
    there.close()


def way_to(here: socket.socket, address: Address) -> Any:
    return kinds[0](here, address, socket_name(address))


def lane(here: socket.socket, there: socket.socket) -> Any:
    return way_to(here, there.getsockname()[:2])


def new_outbox() -> Any:
    return kinds[1]()


def taken(sock: socket.socket, count: int) -> list[bytes]:
    return [sock.recv(2048) for _ in range(count)]


@pytest.mark.parametrize(
    "sizes", [[900], [900] * 4, [900] * 3 + [500], [500, 900], [900, 900, 500, 500, 1200], [1] * 40, [1180] * 70]
)
def test_every_packet_arrives_whole_and_in_order(ends: tuple[socket.socket, socket.socket], sizes: list[int]) -> None:
    here, there = ends
    outbox, way = new_outbox(), lane(*ends)
    before = outbox.unsent
    sent = [bytes([number]) * size for number, size in enumerate(sizes)]
    for packet in sent:
        outbox.add(way, new_buffer(packet), len(packet))
    there.setblocking(False)
    with pytest.raises(BlockingIOError):
        there.recv(2048)
    there.settimeout(5)
    outbox.flush()
    assert taken(there, len(sent)) == sent
    outbox.flush()
    there.setblocking(False)
    with pytest.raises(BlockingIOError):
        there.recv(2048)
    assert outbox.unsent == before and here.fileno() >= 0


def test_packets_for_many_peers_over_many_sockets_go_to_their_own(ends: tuple[socket.socket, socket.socket]) -> None:
    outbox = new_outbox()
    here, others = [ends[0], udp()], [udp() for _ in range(4)]
    ways = [lane(sock, other) for other in others for sock in here]
    for _ in range(3):
        for number, way in enumerate(ways):
            outbox.add(way, new_buffer(bytes([number]) * 100), 100)
    outbox.flush()
    for number, other in enumerate(others):
        assert sorted(taken(other, 6)) == sorted([bytes([2 * number]) * 100] * 3 + [bytes([2 * number + 1]) * 100] * 3)
        other.close()
    here[1].close()


def test_more_than_one_system_call_takes_is_sent_all_the_same(ends: tuple[socket.socket, socket.socket]) -> None:
    outbox, others = new_outbox(), [udp() for _ in range(5)]
    before = outbox.unsent
    for round_ in range(60):
        for other in others:
            # Each lane of its own and of another size: an entry per packet.
            outbox.add(lane(ends[0], other), new_buffer(bytes(10 + round_)), 10 + round_)
    outbox.flush()
    for other in others:
        assert [len(p) for p in taken(other, 60)] == list(range(10, 70))
        other.close()
    assert outbox.unsent == before


def test_a_device_that_refuses_segments_gets_single_datagrams(
    ends: tuple[socket.socket, socket.socket], way: str
) -> None:
    outbox, here = new_outbox(), lane(*ends)
    before = outbox.unsent
    if way != "singly":
        # Without checksums the kernel does not segment (udp_send_skb: EINVAL or EIO).
        ends[0].setsockopt(socket.SOL_SOCKET, 11, 1)
    for number in range(5):
        outbox.add(here, new_buffer(bytes([number]) * 800), 800)
    outbox.flush()
    assert taken(ends[1], 5) == [bytes([number]) * 800 for number in range(5)]
    assert here.segments == (way == "singly") and outbox.unsent == before


def test_what_cannot_be_sent_is_counted_and_the_rest_goes_out(ends: tuple[socket.socket, socket.socket]) -> None:
    outbox = new_outbox()
    before = outbox.unsent
    nowhere = way_to(ends[0], ("255.255.255.255", 9))
    for way in (lane(*ends), nowhere, lane(*ends)):
        outbox.add(way, new_buffer(b"x" * 50), 50)
    outbox.flush()
    assert taken(ends[1], 2) == [b"x" * 50] * 2
    assert outbox.unsent == before + 1


def test_a_closed_socket_is_no_error(ends: tuple[socket.socket, socket.socket]) -> None:
    outbox, way = new_outbox(), lane(*ends)
    outbox.add(way, new_buffer(b"late"), 4)
    ends[0].close()
    outbox.flush()
    outbox.flush()


def test_a_batch_is_taken_with_lengths_and_senders(ends: tuple[socket.socket, socket.socket]) -> None:
    here, there = ends
    inbox = Inbox()
    there.setblocking(False)
    assert inbox.receive(there, 16) == 0
    for number in range(BATCH + 3):
        here.sendto(bytes([number]) * (number + 1), there.getsockname())
    assert inbox.receive(there, 16) == BATCH
    for place in range(BATCH):
        assert bytes(inbox.views[place][: inbox.lengths[place]]) == bytes([place]) * (place + 1)
        assert address_of(inbox.names[place]) == here.getsockname()
    assert inbox.receive(there, 16) == 3
    assert inbox.receive(there, 16) == 0


def test_ipv6_is_no_different() -> None:
    here, there = udp("::1"), udp("::1")
    outbox, inbox = new_outbox(), Inbox()
    outbox.add(lane(here, there), new_buffer(b"six"), 3)
    outbox.flush()
    there.setblocking(False)
    assert inbox.receive(there, 28) == 1
    assert address_of(inbox.names[0]) == here.getsockname()[:2]
    assert inbox.names[0] == socket_name(here.getsockname()[:2])
    here.close()
    there.close()
