"""Every WebSocket message × every role: allowed and refused. A new message or command without an entry here fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, cast, get_args

import pytest
import pytest_asyncio
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestClient, TestServer

from deliberation.commands import Command, FacilitatorCommand, ParticipantCommand
from deliberation.design import parse_design
from server.clock import now
from server.http.auth import Auth
from server.http.keys import SETTINGS
from server.http.limits import Waiting
from server.rooms.registry import Registry, Running
from server.rooms.room import Room
from server.settings import Settings
from server.signalling import messages
from server.signalling.handlers import Handlers
from server.signalling.session import HANDLERS, STRANGERS, websocket
from server.storage.records import ParticipantRecord
from server.storage.store import Store

DESIGN = parse_design(
    {
        "id": "d1", "title": "T", "question": "Q?",
        "groups": {"min_size": 2, "target_size": 2, "max_size": 4, "wait_seconds": 0},
        "stages": [{"id": "talk", "title": "Talk"}],
    }
)
OTHER = DESIGN.model_copy(update={"id": "d2"})
OFFERS = Path(__file__).parents[1] / "media" / "offers"
ROLES = ("nobody", "invitation", "participant", "facilitator", "researcher", "admin", "other-facilitator")

# what a minimal message of each kind looks like
SAMPLES: dict[str, dict[str, Any]] = {
    "hand.raise": {}, "hand.lower": {}, "speech.language": {"language": "de"}, "turn.done": {}, "stage.ready": {}, "stage.more_time": {},
    "statement.add": {"text": "A claim."}, "statement.withdraw": {"statement_id": "x"}, "statement.vote": {"statement_id": "x", "value": 1}, "ballot.cast": {"stage_id": "x"},
    "group_statement.rank": {"stage_id": "x", "order": ["y"]}, "group_statement.critique": {"stage_id": "x"},
    "group_statement.stand": {"stage_id": "x", "value": 1},
    "utterance.strike": {"utterance_id": "x"}, "utterance.correct": {"utterance_id": "x", "text": "t"}, "utterance.name": {"utterance_id": "x", "speaker": "s"},
    "chat.post": {"text": "Hi"}, "chat.strike": {"message_id": "x"}, "report.file": {"text": "A problem"}, "help.call": {},
    "intervention.answer": {"intervention_id": "x", "answer": "helpful"}, "safety.answer": {"case_id": "x", "verdict": "fine"},
    "summary.mark": {"summary_id": "x", "sentence": 0, "verdict": "right"}, "poll.answer": {"poll": "closing", "answers": {}},
    "consent.withdraw": {"items": ["quote"]}, "room.leave": {},
    "values.add": {"context": "c", "title": "Honesty", "attends": ["truth"]}, "values.withdraw": {"card_id": "x"},
    "values.same": {"first_card": "x", "second_card": "y", "same": True}, "values.tell": {"context": "c", "text": "t"},
    "values.wiser": {"from_card": "x", "to_card": "y", "context": "c", "answer": 1},
    "case.rate": {"stage_id": "x", "case": "c", "template": "t", "value": 3},
    "message.send": {"text": "Hello"}, "facilitation.pause": {"paused": True}, "stage.extend": {"seconds": 60}, "stage.next": {},
    "member.remove": {"participant_id": "x"}, "help.answer": {}, "safety.decide": {"case_id": "x", "verdict": "fine"},
    "listen": {"state": "listening"}, "room.close": {},
}


def kinds(union: object) -> set[str]:
    return {cls.model_fields["type"].default for cls in get_args(union)}


PARTICIPANT, FACILITATOR = kinds(ParticipantCommand), kinds(FacilitatorCommand)
REFUSALS = {"role_not_allowed", "hello_first", "link_missing", "link_invalid", "join_first", "wrong_deliberation", "not_a_member"}


def test_every_command_has_a_sample() -> None:
    assert set(SAMPLES) == kinds(Command)


def test_every_client_message_is_covered() -> None:
    covered = {"hello", "do", "media.offer", "media.candidate", "media.state", "media.want", "ping", "practice"}
    assert kinds(get_args(messages.ClientMessage)[0]) == covered


class NoMedia:
    """Stands in for a room's media: remembers who offered."""

    def __init__(self) -> None:
        self.offered: list[str] = []
        self.ended: list[str] = []

    async def connect(self, member_id: str, sdp: str) -> str:
        self.offered.append(member_id)
        return "v=0"

    async def candidate(self, member_id: str, candidate: str, mid: str) -> None: ...

    async def disconnect(self, member_id: str) -> None:
        self.ended.append(member_id)

    def want(self, member_id: str, video: str) -> None: ...


class World:
    def __init__(self, client: TestClient[Any, Any], auth: Auth, registry: Registry, running: Running) -> None:
        self.client, self.auth, self.registry, self.running = client, auth, registry, running

    async def token(self, role: str) -> str:
        match role:
            case "nobody":
                return ""
            case "admin":
                return "the-admin-token"
            case "participant":
                return await self.auth.issue("participant", "d1", "p1")
            case "other-facilitator":
                return await self.auth.issue("facilitator", "d2")
        return await self.auth.issue(role, "d1")  # type: ignore[arg-type]

    async def say(self, role: str, *said: dict[str, Any], room: bool = True, expect: int = 1) -> list[dict[str, Any]]:
        """Open a socket, say hello and the rest, and return what matters of the answers to the rest (or to a refused hello)."""
        answers: list[dict[str, Any]] = []
        async with self.client.ws_connect("/ws") as socket:
            hello: dict[str, Any] = {"type": "hello", "protocol": 1, "token": await self.token(role), "client_id": f"c-{role}"}
            if role in ("facilitator", "admin", "other-facilitator") and room:
                hello["room_id"] = self.running.room.room_id
            for message in (hello, *said):
                await socket.send_json(message)
            async with asyncio.timeout(5):
                while len(answers) < expect:
                    frame = await socket.receive()
                    if frame.type is not WSMsgType.TEXT:
                        break
                    answer = frame.json()
                    if answer["type"] in ("ack", "error", "pong", "media.answer", "bye", "overview"):
                        answers.append(answer)
        return answers


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    store = await Store.open(f"sqlite:///{tmp_path}/t.db")
    settings = Settings(admin_token="the-admin-token", data_dir=tmp_path, messages_per_second=1000)  # type: ignore[arg-type]
    auth = await Auth.open(store, settings, now)
    await store.create_deliberation(DESIGN, now())
    await store.create_deliberation(OTHER, now())
    media = NoMedia()

    def equip(room: Room) -> Any:
        return media

    async def no_partner(participant_id: str, deliberation_id: str) -> None: ...

    registry = Registry(store, equip, no_partner)
    ready = asyncio.Event()
    task = asyncio.create_task(registry.run(ready))
    await ready.wait()
    people = [
        ParticipantRecord(f"p{i}", "d1", now(), f"Name{i}", consent={"take_part": True}, consent_version="1") for i in (1, 2)
    ]
    for someone in people:
        await store.add_participant(someone)
    running = await registry.running(await registry.seating.form("d1", people))
    app = web.Application()
    app[SETTINGS] = settings
    app[HANDLERS] = Handlers(registry, auth.verify, lambda: ())
    app[STRANGERS] = Waiting(3, 5)
    app.router.add_get("/ws", websocket)
    async with TestClient(TestServer(app)) as client:
        yield World(client, auth, registry, running)
        registry.stop()
        await asyncio.wait_for(task, 10)
    await store.close()


async def test_who_may_say_which_command(world: World) -> None:
    wrong: list[str] = []
    for role in ROLES:
        for kind in sorted(SAMPLES, key=lambda k: (k in ("room.close", "stage.next", "room.leave"), k)):
            allowed = (role == "participant" and kind in PARTICIPANT) or (role in ("facilitator", "admin") and kind in FACILITATOR)
            if allowed and kind in ("room.close", "stage.next", "room.leave"):
                continue  # they end the world; see below
            answer = (await world.say(role, {"type": "do", "id": 7, "command": {"type": kind, **SAMPLES[kind]}}))[-1]
            refused = answer["type"] == "error" and answer["code"] in REFUSALS
            if refused == allowed:
                wrong.append(f"{role} {kind}: {answer}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(("role", "kind"), [("participant", "room.leave"), ("facilitator", "stage.next"), ("admin", "room.close")])
async def test_ending_commands_are_allowed_to_their_roles(world: World, role: str, kind: str) -> None:
    for _ in range(50):
        if world.running.room.state.stage is not None:
            break
        await world.running.room.add([])
        world.running.room.attendance.of("p1", now()).seen_at = now()
    answer = (await world.say(role, {"type": "do", "id": 1, "command": {"type": kind}}))[-1]
    assert answer["type"] == "ack" or answer["code"] == "no_stage", answer


async def test_media_is_for_seats_and_announced_listeners(world: World) -> None:
    offer = {"type": "media.offer", "id": 3, "sdp": "v=0"}
    assert (await world.say("participant", offer))[-1]["type"] == "media.answer"
    assert (await world.say("facilitator", offer))[-1]["code"] == "listen_first"
    listening = {"type": "do", "id": 1, "command": {"type": "listen", "state": "listening"}}
    assert [a["type"] for a in await world.say("facilitator", listening, offer, expect=2)] == ["ack", "media.answer"]
    for role in ("nobody", "invitation", "researcher", "other-facilitator"):
        assert (await world.say(role, offer))[0]["code"] in REFUSALS
    for role in ("facilitator", "participant"):
        for message in ({"type": "media.candidate", "candidate": "x", "mid": "0"}, {"type": "media.want", "video": "none"}):
            answers = await world.say(role, message, {"type": "ping", "sent_at": 1})
            assert answers[0].get("code") == ("listen_first" if role == "facilitator" else None), (role, message, answers)


async def test_a_facilitator_sends_nothing_before_speaking_is_announced(world: World) -> None:
    sending = (OFFERS / "chromium.sdp").read_text()
    offer = {"type": "media.offer", "id": 3, "sdp": sending}
    silent = {**offer, "sdp": sending.replace("a=sendrecv", "a=recvonly").replace("a=sendonly", "a=recvonly")}
    listen = {"type": "do", "id": 1, "command": {"type": "listen", "state": "listening"}}
    speak = {"type": "do", "id": 1, "command": {"type": "listen", "state": "speaking"}}
    media = cast(NoMedia, world.running.media)
    told = await world.say("facilitator", listen, offer, silent, speak, offer, listen, offer, expect=7)
    assert [a.get("code", a["type"]) for a in told] == [
        "ack", "speak_first", "media.answer", "ack", "media.answer", "ack", "speak_first"
    ]  # fmt: skip
    assert len(media.ended) >= 2  # what was sent while speaking ends with it


async def test_practice_is_for_those_who_wait(world: World) -> None:
    for role in ("participant", "facilitator", "admin"):
        assert (await world.say(role, {"type": "practice"}))[-1]["code"] == "not_waiting"


async def test_a_participant_cannot_look_into_a_room_of_choice(world: World) -> None:
    async with world.client.ws_connect("/ws") as socket:
        token = await world.token("participant")
        await socket.send_json({"type": "hello", "protocol": 1, "token": token, "client_id": "c", "room_id": world.running.room.room_id})
        assert (await socket.receive_json())["code"] == "role_not_allowed"


async def test_a_facilitator_cannot_command_rooms_of_another_deliberation(world: World) -> None:
    command = {"type": "do", "id": 1, "room_ids": [world.running.room.room_id], "command": {"type": "room.close"}}
    answers = await world.say("other-facilitator", command, room=False, expect=2)
    assert any(a.get("code") == "no_such_room" for a in answers), answers
    assert world.running.room.state.open


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "bad_message"), ("[]", "bad_message"), ('{"type":"nonsense"}', "bad_message"), ('{"type":"do","id":1}', "bad_message"),
        ('{"type":"ping","sent_at":1,"extra":true}', "bad_message"), ('"' + "x" * 65_500 + '"', "bad_message"),
        ('{"type":"do","id":"1","command":{"type":"chat.post","text":""}}', "bad_message"),
    ],
)
async def test_bad_input_gets_a_stable_code_and_the_socket_lives(world: World, text: str, code: str) -> None:
    async with world.client.ws_connect("/ws") as socket:
        await socket.send_json({"type": "hello", "protocol": 1, "token": await world.token("participant"), "client_id": "c"})
        await socket.send_str(text)
        async with asyncio.timeout(5):
            while (answer := await socket.receive_json())["type"] != "error":
                pass
        assert answer["code"] == code
        assert "secret" not in answer["message"]
        await socket.send_json({"type": "ping", "sent_at": 5})
        async with asyncio.timeout(5):
            while (await socket.receive_json())["type"] != "pong":
                pass


async def test_the_seat_is_held_by_one_page_until_another_takes_it_over(world: World) -> None:
    token = await world.token("participant")
    async with world.client.ws_connect("/ws") as first, world.client.ws_connect("/ws") as second:
        await first.send_json({"type": "hello", "protocol": 1, "token": token, "client_id": "tab-1"})
        assert (await first.receive_json())["type"] == "welcome"
        await second.send_json({"type": "hello", "protocol": 1, "token": token, "client_id": "tab-2"})
        assert (await second.receive_json())["code"] == "seat_taken"
        await second.send_json({"type": "hello", "protocol": 1, "token": token, "client_id": "tab-2", "takeover": True})
        assert (await second.receive_json())["type"] == "welcome"
        async with asyncio.timeout(5):
            while (message := await first.receive_json())["type"] != "bye":
                pass
        assert message["reason"] == "takeover"


async def test_a_flood_is_slowed_then_disconnected(tmp_path: Path, world: World) -> None:
    app = web.Application()
    app[SETTINGS] = Settings(messages_per_second=5, data_dir=tmp_path)
    app[HANDLERS] = Handlers(world.registry, world.auth.verify, lambda: ())
    app[STRANGERS] = Waiting(3, 5)
    app.router.add_get("/ws", websocket)
    async with TestClient(TestServer(app)) as client, client.ws_connect("/ws") as socket:
        await socket.send_json({"type": "hello", "protocol": 1, "token": await world.token("participant"), "client_id": "c"})
        codes = set()
        for _ in range(200):
            if socket.closed:
                break
            await socket.send_json({"type": "ping", "sent_at": 1})
        async with asyncio.timeout(5):
            while (frame := await socket.receive()).type is WSMsgType.TEXT:
                codes.add(frame.json().get("code"))
        assert {"too_fast", "flooding"} <= codes


async def test_sockets_that_do_not_say_hello_are_few_and_make_room_once_they_do(world: World) -> None:
    async with AsyncExitStack() as stack:
        strangers = [await stack.enter_async_context(world.client.ws_connect("/ws")) for _ in range(3)]
        async with world.client.ws_connect("/ws") as refused:
            closed = await refused.receive()
            assert (closed.type, closed.data) == (WSMsgType.CLOSE, 1013) and "hello" in closed.extra
        for socket in strangers[:2]:
            await socket.send_json({"type": "hello", "protocol": 1, "token": await world.token("facilitator"), "client_id": "c"})
            await socket.receive_json()
        assert [a["type"] for a in await world.say("participant", {"type": "ping", "sent_at": 1})] == ["pong"]


async def test_a_revoked_link_ends_its_pages(world: World) -> None:
    token = await world.token("participant")
    link = await world.auth.verify(token)
    async with world.client.ws_connect("/ws") as socket:
        await socket.send_json({"type": "hello", "protocol": 1, "token": token, "client_id": "c"})
        await socket.receive_json()
        await world.auth.revoke(link.link_id)
        await world.registry.seating.drop_link(link.link_id)
        async with asyncio.timeout(5):
            while (message := await socket.receive_json())["type"] != "bye":
                pass
        assert message["reason"] == "revoked"
