"""A room with an independent WebRTC implementation as members."""

from __future__ import annotations

import asyncio

import pytest

from deliberation.errors import Conflict, InvalidInput, NotFound, TooMany
from server.media import MediaConfig, SlotsChanged
from tests.server.media.clients import AiortcClient, media_room, until


async def test_two_members_decode_each_other_and_the_tap_hears_both() -> None:
    async with media_room() as (room, heard):
        clients = [await AiortcClient(room, name, slots=1).join() for name in ("ada", "ben")]
        await until(lambda: all(c.decoded["2"] > 20 and c.decoded["3"] > 10 for c in clients))
        assert {p.participant_id for p in heard.audio} == {"ada", "ben"}
        assert all(0 <= p.level <= 127 and p.payload for p in heard.audio if p.level is not None)
        assert any(p.level is not None for p in heard.audio)
        assert SlotsChanged("ada") in heard.changes
        slots = {slot.mid: (slot.kind, slot.member_id) for slot in room.slots("ada")}
        assert slots == {"2": ("audio", "ben"), "3": ("video", "ben")}
        await asyncio.gather(*(c.leave() for c in clients))
        await until(lambda: not room.stats().peers)


async def test_reconnecting_under_the_same_member_takes_the_seat_and_the_slots_over() -> None:
    async with media_room() as (room, heard):
        ada = await AiortcClient(room, "ada", slots=2).join()
        ben = await AiortcClient(room, "ben", slots=2).join()
        cy = await AiortcClient(room, "cy", slots=2, video=False).join()
        await until(lambda: ada.decoded["3"] > 5 and ada.decoded["4"] > 5)
        before = {slot.mid: slot.member_id for slot in room.slots("ada")}
        again = await AiortcClient(room, "ben", slots=2).join()
        await until(lambda: again.decoded["3"] > 5)
        seen = ada.decoded["3"]
        await until(lambda: ada.decoded["3"] > seen + 5)
        assert {slot.mid: slot.member_id for slot in room.slots("ada")} == before
        assert heard.states("ben")[-1] == "connected"
        assert len(room.stats().peers) == 3
        await asyncio.gather(*(c.leave() for c in (ada, ben, again, cy)))


async def test_a_listener_hears_without_being_shown() -> None:
    async with media_room() as (room, _):
        ada = await AiortcClient(room, "ada", slots=1).join()
        ear = await AiortcClient(room, "ear", slots=1, audio=False, video=False).join()
        await until(lambda: ear.decoded["2"] > 10 and ear.decoded["3"] > 3)
        assert all(slot.member_id is None for slot in room.slots("ada"))
        room.set_wanted("ear", "none")
        assert [slot.paused for slot in room.slots("ear") if slot.kind == "video"] == [True]
        heard, seen = ear.decoded["2"], ear.decoded["3"]
        await until(lambda: ear.decoded["2"] > heard + 25)
        assert ear.decoded["3"] <= seen + 3
        room.set_wanted("ear", "all")
        seen = ear.decoded["3"]
        await until(lambda: ear.decoded["3"] > seen + 5)
        await asyncio.gather(ada.leave(), ear.leave())


async def test_disconnecting_frees_the_slot_and_a_newcomer_takes_it() -> None:
    async with media_room() as (room, heard):
        ada = await AiortcClient(room, "ada", slots=1).join()
        ben = await AiortcClient(room, "ben", slots=1).join()
        await until(lambda: ada.decoded["3"] > 3)
        await room.disconnect("ben")
        assert all(slot.member_id is None for slot in room.slots("ada"))
        assert heard.states("ben")[-1] == "closed"
        cy = await AiortcClient(room, "cy", slots=1).join()
        seen = ada.decoded["3"]
        await until(lambda: ada.decoded["3"] > seen + 5)
        assert {slot.member_id for slot in room.slots("ada")} == {"cy"}
        await asyncio.gather(*(c.leave() for c in (ada, ben, cy)))


async def test_a_room_bounds_its_connections_and_answers_bad_offers_by_code() -> None:
    config = MediaConfig(udp_ports=(0, 0), addresses=("127.0.0.1",), max_peers=1)
    async with media_room(config) as (room, _):
        with pytest.raises(InvalidInput, match="offer"):
            await room.connect("ada", "v=0\r\n")
        with pytest.raises(NotFound):
            await room.add_candidate("ada", "candidate:1 1 udp 1 127.0.0.1 9 typ host", "0")
        ada = await AiortcClient(room, "ada", slots=1).join()
        with pytest.raises(TooMany):
            await AiortcClient(room, "ben", slots=1).join()
        await ada.leave()
    with pytest.raises(Conflict):
        await AiortcClient(room, "ada", slots=1).join()


async def test_a_peer_that_never_connects_fails_alone() -> None:
    config = MediaConfig(udp_ports=(0, 0), addresses=("127.0.0.1",), connect_seconds=0.3)
    async with media_room(config) as (room, heard):
        client = AiortcClient(room, "ghost", slots=1)
        await client.pc.setLocalDescription(await client.pc.createOffer())
        await room.connect("ghost", client.pc.localDescription.sdp)
        await until(lambda: heard.states("ghost") == ["connecting", "failed"])
        assert room.stats().peers == {}
        await client.leave()
