"""Serve web/dist with scripted rooms, to look at every screen without media, speech or storage. For development only.

The rooms are real: events folded by `deliberation`, commands decided by it, views patched as the server patches them. Only media is missing.

    .venv/bin/python web/mock/mock.py 8765
    http://127.0.0.1:8765/d/demo/join#k=x            then ?scene=discussion|statements|closing|closed|waiting in the seat's token
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from pathlib import Path
from typing import Any

from aiohttp import WSMsgType, web

from deliberation import events as e
from deliberation.command import Actor
from deliberation.decisions import decide
from deliberation.design import parse_design
from deliberation.errors import ParleyError
from deliberation.room import fold
from deliberation.state import RoomState
from deliberation.view import merge_patch, room_view, visible_event
from server.http import models as http
from server.signalling import messages as m

ROOT = Path(__file__).resolve().parent.parent
DESIGN = parse_design((ROOT.parent / "examples" / "ai-governance.yaml").read_text())
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' blob: mediastream:; "
    "connect-src 'self' blob:; font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
NAMES = ["Amara Okafor", "Daniel", "Lin Wei", "Tom Becker"]
TALK = [
    (2, "I work in a benefits office, and half of the letters that people bring to us are ones they could not understand."),
    (3, "So a system that explains them would be a real help, as long as somebody checks what it says."),
    (1, "My worry is who answers for a mistake. With a clerk I know whom to go to."),
    (4, "An independent body should be able to switch it off. That is the part I would not give up."),
    (2, "Even if that makes it slower?"),
    (4, "Yes. Slower is fine if I can trust it."),
    (1, "I would want a person to look at it again whenever somebody asks, without having to give a reason."),
]
STAGES = {"discussion": 0, "statements": 2, "closing": 3, "closed": 3}
ids = itertools.count(1)


def new_id() -> str:
    """Return a fresh id."""
    return f"n{next(ids)}"


class Room:
    """One scripted room."""

    def __init__(self, scene: str, number: int = 1) -> None:
        self.state, self.sockets, self.log = RoomState(), [], []
        now = time.time()
        design = DESIGN.model_dump(mode="json")
        if scene == "recorded":
            design["privacy"] |= {"mode": "named", "record_audio": True}
        start = now - 400
        self.add(e.RoomOpened(deliberation_id="demo", room_id=f"room-{scene}-{number}", number=number, design=design), start)
        for seat, name in enumerate(NAMES, 1):
            self.add(e.MemberJoined(participant_id=f"p{seat}", seat=seat, name=name, language="en"), start)
            self.add(e.ConsentGiven(participant_id=f"p{seat}", items={"take_part": True, "quote": True}, version="1", language="en"), start)
        self.stage(0, start, now + 212)
        at = start + 20
        for index, (seat, text) in enumerate(TALK):
            length = 3 + len(text) / 14
            self.add(e.SpeechStarted(participant_id=f"p{seat}", started_at=at), at)
            self.add(e.SpeechEnded(participant_id=f"p{seat}", started_at=at, ended_at=at + length), at + length)
            self.add(e.UtteranceFinal(utterance_id=f"u{index}", participant_id=f"p{seat}", started_at=at, ended_at=at + length, text=text, confidence=0.9), at + length)
            at += length + 14
        self.add(e.ChatPosted(message_id="c1", participant_id="p3", text="Here is the report I meant, I will read it out later."), at)
        self.add(e.AiCalled(call_id="a1", purpose="classify", model="qwen2.5-1.5b-instruct", prompt="content/2", prompt_hash="9f2c44b1aa", first_seq=1, last_seq=20, output='{"move": "none"}', latency_ms=840, tokens_in=512, tokens_out=9, outcome="ok"), at)
        for index in range(1, STAGES.get(scene, 0) + 1):
            self.add(e.StageEnded(stage_id=DESIGN.agenda[index - 1].id, why="ready"), now - 60)
            self.stage(index, now - 58, now + 150)
        if scene in ("statements", "closing", "closed"):
            stage = next(s for s in DESIGN.agenda if s.kind == "statements")
            for seed in stage.seed_statements:
                self.add(e.StatementAdded(statement_id="s0", participant_id=None, text=seed, origin="seed"), now)
            self.add(e.StatementAdded(statement_id="s1", participant_id=None, origin="ai", text="An independent body should be able to switch off an AI adviser, even if that makes it slower.", supports=("u3", "u5"), contests=("u4",)), now)
            self.add(e.StatementAdded(statement_id="s2", participant_id="p3", text="Offices should publish every mistake their AI adviser makes."), now)
            for seat, value in ((2, 1), (3, 1), (4, -1)):
                self.add(e.VoteCast(statement_id="s1", participant_id=f"p{seat}", value=value), now)
            if scene != "statements":
                self.add(e.VoteCast(statement_id="s1", participant_id="p1", value=1), now)
        if scene in ("closing", "closed"):
            self.add(e.SummaryProposed(summary_id="m1", method="extractive", dropped=1, sentences=(
                e.Sentence(text="The group wants an independent body that can switch such a system off, and accepts that this makes it slower.", utterances=("u3", "u5"), statements=("s1",)),
                e.Sentence(text="People should always be able to ask for a person to look again.", utterances=("u6",)),
                e.Sentence(text="One member sees the greatest gain in explaining letters that people cannot understand.", utterances=("u0",), minority=True),
            )), now)
        if scene == "closed":
            self.add(e.RoomClosed(reason="finished"), now)
        if scene == "discussion":
            self.add(e.InterventionMade(intervention_id="i1", rule="balance.quiet", text="Amara, would you like to add your view? There is time.", to=("p1",), about="p1", why="share 0.11 is under half the median share 0.29", numbers={"share": 0.11, "median": 0.29, "seconds": 183}, actions=("speak", "decline")), now - 3)
            self.add(e.InterventionMade(intervention_id="i0", rule="stage.welcome", text="Welcome. I am the AI facilitator: I keep time and make sure that everyone is heard.", why="the stage began", solicited=True), now - 8)
            self.add(e.HandRaised(participant_id="p3"), now - 5)
            self.add(e.TurnStarted(participant_id="p4", ends_at=now + 31), now - 4)
            self.add(e.SpeechStarted(participant_id="p4", started_at=now - 2), now - 2)
            self.add(e.StageReady(participant_id="p2", ready=True), now - 1)

    def stage(self, index: int, at: float, ends_at: float) -> None:
        """Start a stage."""
        self.add(e.StageStarted(stage_id=DESIGN.agenda[index].id, index=index, ends_at=ends_at), at)

    def add(self, payload: Any, at: float) -> e.Event:
        """Append one event."""
        event = e.Event(self.state.seq + 1, at, "system", payload)
        self.state = fold(self.state, event)
        self.log.append(event)
        return event

    def view(self, role: str, who: str | None) -> dict[str, Any]:
        """Return the view of one viewer as JSON."""
        return room_view(self.state, role, who).model_dump(mode="json")  # type: ignore[arg-type]


ROOMS: dict[str, Room] = {}


def room(scene: str, number: int = 1) -> Room:
    """Return the room of a scene, made on demand."""
    return ROOMS.setdefault(f"room-{scene}-{number}", Room(scene, number))


async def say(ws: web.WebSocketResponse, message: Any) -> None:
    """Send one server message."""
    await ws.send_str(message.model_dump_json())


def card(r: Room) -> dict[str, Any]:
    """Return a room's card for the overview."""
    s, now = r.state, time.time()
    v = room_view(s, "facilitator")
    return m.RoomCard(
        room_id=s.room_id, number=s.number, title=f"Room {s.number}", open=s.open, stage=s.plan.agenda[s.stage.index].title if s.stage else "",
        stage_ends_at=s.stage.ends_at if s.stage else None,
        members={k: m.RoomCardMember(name=x.name, seat=x.seat, presence=x.presence, share=x.share, connection="failed" if s.number == 2 and x.seat == 3 else "connected") for k, x in v.members.items()},
        speaking=tuple(s.speaking), gini=v.gini, silence_seconds=14.0 if s.number == 3 else 0.0, transcription_behind=6.0 if s.number == 2 else 0.4,
        last_ai_action="balance.quiet", last_ai_at=now - 42, facilitation_paused=False, help="asked for by a participant" if s.number == 3 else None,
        reports=1 if s.number == 2 else 0, listeners=0, arm="",
    ).model_dump(mode="json")


async def socket(request: web.Request) -> web.WebSocketResponse:
    """Speak the protocol: hello, then whatever the scene in the token says."""
    ws = web.WebSocketResponse()
    await ws.prepare(request)
    hello = m.Hello.model_validate(json.loads((await ws.receive()).data))
    role, _, scene = hello.token.partition(":")
    who = "p1" if role == "participant" else None
    await say(ws, m.Welcome(role=role, participant_id=who, server_time=time.time(), ice_servers=(), slots=3))  # type: ignore[arg-type]
    if scene == "taken":
        await say(ws, m.ErrorMessage(id=None, code="seat_taken", message="Your seat is in use."))
        return ws
    if scene == "waiting":
        await say(ws, m.Lobby(waiting=1, min_size=2, target_size=4, max_size=6, starts_in=None, opens_at=None, practice=True))
        async for message in ws:
            if message.type == WSMsgType.TEXT and '"practice"' in message.data:
                break
        scene = "discussion"
    if role == "facilitator" and hello.room_id is None:
        rooms = [room("discussion", 1), room("statements", 2), room("discussion", 3), room("closing", 4)]
        await say(ws, m.Overview(waiting=3, patch={r.state.room_id: card(r) for r in rooms}, notices=("One worker is busy: captions may lag.",)))
    else:
        if hello.room_id:
            _, scene, number = hello.room_id.split("-")
            mine = room(scene, int(number))
        else:
            mine = room(scene)
        held = mine.view(role, who)
        await say(ws, m.Update(room_id=mine.state.room_id, from_seq=0, seq=mine.state.seq, events=(), patch=held))
        await say(ws, m.Live(members={"p2": m.LiveMember(microphone=False, camera=True, connection="connected"), "p3": m.LiveMember(microphone=True, camera=False, connection="failed")}))
        if scene == "discussion":
            await say(ws, m.Caption(participant_id="p4", utterance_id="live", started_at=time.time(), solid="And whoever runs it has to say openly", tail="what it got wrong"))
        mine.sockets.append((ws, role, who))
    async for message in ws:
        if message.type != WSMsgType.TEXT:
            break
        data = json.loads(message.data)
        if data["type"] == "ping":
            await say(ws, m.Pong(sent_at=data["sent_at"], server_time=time.time()))
        if data["type"] == "do":
            do = m.Do.model_validate(data)
            targets = [ROOMS[i] for i in do.room_ids] if do.room_ids else [mine]
            try:
                for target in targets:
                    await act(target, Actor(who or "link", role, "Ines"), do.command)  # type: ignore[arg-type]
                await say(ws, m.Ack(id=do.id))
            except ParleyError as error:
                await say(ws, m.ErrorMessage(id=do.id, code=error.code, message=error.message, hint=error.hint))
    return ws


async def act(target: Room, actor: Actor, command: Any) -> None:
    """Do a command and tell everyone in the room."""
    live = [(ws, role, who, target.view(role, who)) for ws, role, who in target.sockets if not ws.closed]
    before = target.state.seq
    added = [target.add(payload, time.time()) for payload in decide(target.state, actor, command, time.time(), new_id)]
    for ws, role, who, held in live:
        seen = [x for x in (visible_event(event, target.state, role, who) for event in added) if x]
        await say(ws, m.Update(room_id=target.state.room_id, from_seq=before, seq=target.state.seq, events=tuple(seen), patch=merge_patch(held, target.view(role, who))))


def reply(value: Any) -> web.Response:
    """Answer with JSON."""
    if hasattr(value, "model_dump"):
        value = value.model_dump(mode="json")
    elif isinstance(value, list):
        value = [x.model_dump(mode="json") if hasattr(x, "model_dump") else x for x in value]
    return web.json_response(value)


def infos() -> list[http.RoomInfo]:
    """Return the list of rooms."""
    rooms = [room("closed", 1), room("discussion", 2), room("recorded", 3)]
    return [
        http.RoomInfo(room_id=r.state.room_id, number=r.state.number, round=1, practice=False, opened_at=r.state.opened_at, closed_at=r.state.closed_at,
                      members=4, utterances=len(r.state.utterances), statements=len(r.state.statements), arm="")
        for r in rooms
    ]


async def api(request: web.Request) -> web.Response:
    """Answer the API's routes with scripted data."""
    path, d = request.path, DESIGN
    links = http.DeliberationLinks(id="demo", **{f"{k}_url": f"{request.scheme}://{request.host}/d/demo/{k}#k=x" for k in ("join", "monitor", "review", "outcome")})
    if path == "/api/deliberations/demo":
        return reply(http.JoinInfo(
            id="demo", title=d.title, question=d.question, language=d.language, briefing=d.briefing,
            stages=tuple(http.StageInfo(title=s.title, minutes=s.minutes) for s in d.agenda), poll=d.poll, consent=d.consent, privacy=d.privacy,
            facilitation="model", model_outside=True, min_size=2, target_size=4, max_size=6, segments={"Region": ("North", "South")}, practice=True,
            opens_at=None, open=True))
    if path.endswith("/participants"):
        return reply(http.JoinResponse(participant_id="p1", token="participant:waiting"))
    if path == "/api/deliberations/demo/rooms":
        return reply(infos())
    if path == "/api/deliberations/demo/links":
        return reply(links if request.method == "POST" else [http.LinkInfo(link_id="l1", role="participant", deliberation_id="demo", participant_id=None, issued_at=time.time(), expires_at=time.time() + 8e6, revoked=False, seats=None, used=3)])
    if path == "/api/deliberations":
        if request.method == "POST":
            return reply(links)
        return reply([http.DeliberationInfo(id="demo", title=d.title, question=d.question, created_at=time.time() - 86400, open=True, opens_at=None, rounds=1, rooms=3, rooms_open=3, participants=12, waiting=0, no_shows=0, links=links)])
    if path == "/api/designs/check":
        try:
            return reply({"ok": True, "design": parse_design(await request.text()).model_dump(mode="json")})
        except ParleyError as error:
            return web.json_response({"error": {"code": error.code, "message": error.message, "hint": error.hint}}, status=422)
    if path.startswith("/api/rooms/") and path.count("/") == 3:
        r = ROOMS.get(path.split("/")[3]) or (infos() and ROOMS[path.split("/")[3]])
        view = room_view(r.state, "researcher")
        audio = (http.AudioFile(participant_id="p1", file="p1.wav", offset_seconds=0.0),) if "recorded" in path else ()
        return reply(http.ReviewRoom(view=view, audio=audio, flagged_names=(http.NameFlag(utterance_id="u0", word="Miller"),), consent_quote=("Participant 1",)))
    if "/audio/" in path:
        return web.FileResponse(ROOT.parent / "simulation" / "speech" / "01-maya.flac")  # type: ignore[return-value]
    return web.json_response({"error": {"code": "not_found", "message": "There is nothing here.", "hint": ""}}, status=404)


async def shell(_: web.Request) -> web.Response:
    """Serve the one page."""
    text = (ROOT / "dist" / "index.html").read_text()
    return web.Response(text=text, content_type="text/html", headers={"Content-Security-Policy": CSP})


if __name__ == "__main__":
    app = web.Application()
    app.router.add_static("/assets", ROOT / "dist" / "assets")
    app.router.add_get("/ws", socket)
    app.router.add_route("*", "/api/{rest:.*}", api)
    app.router.add_get("/{page:.*}", shell)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None)
