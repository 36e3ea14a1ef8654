"""The bots' client against a stand-in for the server."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from deliberation.commands import AddStatement, PostChat, RaiseHand
from deliberation.errors import InvalidInput, ParleyError, TooMany, Unavailable
from deliberation.events import HandRaised, RoomClosed
from server.http.models import JoinInfo, JoinRequest
from server.signalling.messages import Hello, MediaOffer
from simulation import client
from simulation.client import Participant
from simulation.joining import JoinLink, join
from tests.fakes.parley import FakeParley


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "RETRY_SECONDS", (0.0,))


@pytest.fixture
async def server() -> AsyncIterator[FakeParley]:
    async with FakeParley() as fake:
        yield fake


def wants(info: JoinInfo) -> JoinRequest:
    return JoinRequest(name="Bo", consent={"take_part": True}, consent_version=info.consent.version)


async def seat(server: FakeParley) -> Participant:
    response = await join(JoinLink.parse(server.join_url), wants)
    return Participant(server.url, response.token, listen_only=True)


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("http://localhost:80/d/trams/join#k=T.t", JoinLink("http://localhost:80", "trams", "T.t")),
        ("https://host/parley/d/trams/join#k=T", JoinLink("https://host/parley", "trams", "T")),
    ],
)
def test_a_join_link_says_where_what_and_who(url: str, link: JoinLink) -> None:
    assert JoinLink.parse(url) == link


@pytest.mark.parametrize(
    "url", ["", "trams", "http://host/d/trams/join", "ftp://host/d/trams/join#k=T", "http://host/join#k=T"]
)
def test_what_is_no_join_link_is_refused(url: str) -> None:
    with pytest.raises(InvalidInput):
        JoinLink.parse(url)


async def test_joining_answers_what_the_deliberation_asks(server: FakeParley) -> None:
    response = await join(JoinLink.parse(server.join_url), wants)
    assert response.token == "token-p1"
    assert (server.joined[0].name, server.joined[0].consent_version) == ("Bo", "1")


async def test_a_refusal_comes_with_the_servers_code_and_words(server: FakeParley) -> None:
    server.refuse_joins = 1
    with pytest.raises(TooMany, match="at once") as refused:
        await join(JoinLink.parse(server.join_url), wants)
    assert refused.value.code == "too_many_joins" and refused.value.retryable
    wrong = JoinLink(server.url, "trams", "wrong")
    with pytest.raises(ParleyError) as refused_link:
        await join(wrong, wants)
    assert refused_link.value.code == "token_invalid"


async def test_no_server_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        await join(JoinLink("http://127.0.0.1:9", "trams", "T"), wants)


async def test_from_the_lobby_into_the_room(server: FakeParley) -> None:
    server.lobby_size = 2
    async with await seat(server) as one:
        await one.until(lambda p: p.lobby is not None, 5)
        assert one.view is None
        async with await seat(server) as two:
            await one.until(lambda p: p.view is not None, 5)
            await two.until(lambda p: p.view is not None, 5)
            assert one.view is not None and two.view is not None
            assert set(one.view.members) == set(two.view.members) == {"p1", "p2"}
            assert one.view.me.participant_id == "p1"


async def test_commands_are_done_or_refused_and_the_view_follows(server: FakeParley) -> None:
    async with await seat(server) as bot:
        await bot.until(lambda p: p.view is not None, 5)
        await bot.do(PostChat(text="hello"))
        await bot.until(lambda p: p.view is not None and len(p.view.chat) == 1, 5)
        with pytest.raises(ParleyError) as refused:
            await bot.do(AddStatement(text="Too early."))
        assert refused.value.code == "not_voting"


async def test_the_view_kept_by_patches_is_the_servers_view(server: FakeParley) -> None:
    from deliberation.view import room_view

    async with await seat(server) as bot:
        await bot.until(lambda p: p.view is not None, 5)
        server.log.start()
        server.log.utter("p1", "hello there")
        await server.add(HandRaised(participant_id="p1"))
        await bot.do(RaiseHand(short=True))
        await bot.until(lambda p: p.seq == server.log.state.seq, 5)
        assert bot.view == room_view(server.log.state, "participant", "p1")


async def test_a_lost_connection_comes_back_to_the_same_seat_from_the_last_event(server: FakeParley) -> None:
    async with await seat(server) as bot:
        await bot.until(lambda p: p.view is not None, 5)
        seen = bot.seq
        await server.cut()
        await server.add(HandRaised(participant_id="p1"))
        await bot.until(lambda p: p.times.connections == 2 and p.seq > seen, 5)
        first, again = (m for m in server.sent if isinstance(m, Hello))
        assert (first.last_seq, again.last_seq) == (0, seen)
        assert (first.client_id, first.token) == (again.client_id, again.token)
        assert bot.view is not None and [h.participant_id for h in bot.view.queue] == ["p1"]


async def test_each_connection_offers_media_anew(server: FakeParley) -> None:
    async with await seat(server) as bot:
        await bot.until(lambda _: any(isinstance(m, MediaOffer) for m in server.sent), 5)
        await server.cut()
        await bot.until(lambda _: sum(isinstance(m, MediaOffer) for m in server.sent) == 2, 5)
        offer = next(m for m in server.sent if isinstance(m, MediaOffer))
        kinds = [line.split()[0] for line in offer.sdp.splitlines() if line.startswith("m=")]
        assert kinds == ["m=audio", "m=video"] * 4
        assert offer.sdp.count("a=recvonly") == 6  # three others, each audio and video
        assert offer.sdp.count("a=group:BUNDLE") == 1


@pytest.mark.parametrize(
    ("reason", "returns"), [("stopping", True), ("moved", True), ("takeover", False), ("removed", False)]
)
async def test_bye_says_whether_to_come_back(server: FakeParley, reason: str, returns: bool) -> None:
    async with await seat(server) as bot:
        await bot.until(lambda p: p.view is not None, 5)
        await server.cut(bye=reason)
        await bot.until(lambda p: p.times.connections == 2 or p.ended is not None, 5)
        assert bot.ended == (None if returns else reason)


async def test_a_link_that_does_not_open_ends_the_participant(server: FakeParley) -> None:
    async with Participant(server.url, "wrong", listen_only=True) as bot:
        await bot.until(lambda p: p.ended is not None, 5)
        assert bot.ended == "token_invalid"


async def test_a_command_in_flight_fails_when_the_connection_is_lost(server: FakeParley) -> None:
    async with await seat(server) as bot:
        await bot.until(lambda p: p.view is not None, 5)
        await server.cut()
        await bot.until(lambda p: not p.connected, 5)
        with pytest.raises(Unavailable):
            await bot.do(RaiseHand())


async def test_no_media_is_offered_once_the_room_is_over(server: FakeParley) -> None:
    server.log.add(RoomClosed(reason="finished"))
    async with await seat(server) as bot:
        await bot.until(lambda p: p.view is not None and p.view.closed_at is not None, 5)
        assert not any(isinstance(m, MediaOffer) for m in server.sent)
