"""A stand-in for a Parley server, for the bots' tests: HTTP joining, one room, the WebSocket protocol, no media.

Real where it matters to a client: commands are decided and folded by the domain, updates are real patches of real views. `cut` loses all
sockets, `refuse_joins` answers the next joins with an error, `sent` holds what clients sent.
"""

from __future__ import annotations

from typing import Any

from aiohttp import WSMsgType, web

from deliberation.command import Actor
from deliberation.decisions import decide
from deliberation.design import parse_design
from deliberation.errors import ParleyError, TooMany
from deliberation.events import Payload
from deliberation.view import merge_patch, room_view
from server.http.models import JoinInfo, JoinRequest, StageInfo
from server.signalling.messages import (
    CLIENT_MESSAGE,
    Ack,
    Bye,
    ClientMessage,
    Do,
    ErrorMessage,
    Hello,
    Live,
    Lobby,
    MediaOffer,
    ServerMessage,
    Update,
    Welcome,
)
from tests.deliberation.rooms import DESIGN, Log


class FakeParley:
    """`async with FakeParley() as server`; `server.join_url` is a participants' link."""

    def __init__(self) -> None:
        self.log = Log(people=[])
        self.invitation = "invitation"
        self.sent: list[ClientMessage] = []
        self.joined: list[JoinRequest] = []
        self.refuse_joins = 0
        self.lobby_size = 1
        self.bye: str | None = None
        self._people: dict[str, str] = {}
        self._pages: dict[web.WebSocketResponse, dict[str, Any]] = {}
        self._runner: web.AppRunner | None = None
        self.url = ""

    @property
    def join_url(self) -> str:
        return f"{self.url}/d/trams/join#k={self.invitation}"

    async def __aenter__(self) -> FakeParley:
        app = web.Application()
        app.router.add_get("/api/deliberations/trams", self._info)
        app.router.add_post("/api/deliberations/trams/participants", self._join)
        app.router.add_get("/ws", self._socket)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.cut()
        assert self._runner is not None
        await self._runner.cleanup()

    # -- what tests do

    async def add(self, *payloads: Payload) -> None:
        self.log.add(*payloads)
        await self._update_all()

    async def cut(self, bye: str | None = None) -> None:
        for socket in list(self._pages):
            if bye:
                await self._send(socket, Bye.model_validate({"reason": bye}))
            await socket.close()

    # -- HTTP

    def _check(self, request: web.Request, token: str) -> None:
        if request.headers.get("Authorization") != f"Bearer {token}":
            raise web.HTTPForbidden(text='{"error": {"code": "token_invalid", "message": "This link is not valid."}}')

    async def _info(self, request: web.Request) -> web.Response:
        self._check(request, self.invitation)
        design = parse_design(DESIGN)
        info = JoinInfo(
            id=design.id,
            title=design.title,
            question=design.question,
            language=design.language,
            briefing=(),
            stages=tuple(StageInfo(title=s.title, minutes=s.minutes) for s in design.agenda),
            poll=design.poll,
            consent=design.consent,
            privacy=design.privacy,
            facilitation="rules",
            model_outside=False,
            min_size=2,
            target_size=3,
            max_size=4,
            segments={"district": ("north", "south")},
            practice=False,
            survey=False,
            opens_at=None,
            open=True,
            preview=False,
        )
        return web.json_response(text=info.model_dump_json())

    async def _join(self, request: web.Request) -> web.Response:
        self._check(request, self.invitation)
        if self.refuse_joins:
            self.refuse_joins -= 1
            error = TooMany("too_many_joins", "Too many people join at once.")
            return web.json_response({"error": error.as_dict()}, status=429)
        self.joined.append(JoinRequest.model_validate_json(await request.read()))
        person = f"p{len(self.joined)}"
        self._people[f"token-{person}"] = person
        return web.json_response({"participant_id": person, "token": f"token-{person}"})

    # -- the socket

    async def _socket(self, request: web.Request) -> web.WebSocketResponse:
        assert request.headers["Origin"] == self.url
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        person = ""
        async for frame in socket:
            assert frame.type is WSMsgType.TEXT
            message = CLIENT_MESSAGE.validate_json(frame.data)
            self.sent.append(message)
            if isinstance(message, Hello):
                person = self._people.get(message.token, "")
                if not person:
                    await self._send(socket, ErrorMessage(id=None, code="token_invalid", message="No."))
                    continue
                await self._enter(socket, person)
            elif isinstance(message, Do):
                await self._do(socket, person, message)
            elif isinstance(message, MediaOffer):
                await self._send(socket, Live(members={}))  # no answer: there is no media here
        self._pages.pop(socket, None)
        return socket

    async def _enter(self, socket: web.WebSocketResponse, person: str) -> None:
        await self._send(
            socket, Welcome(role="participant", participant_id=person, server_time=0, ice_servers=(), slots=3)
        )
        if person not in self.log.state.members:
            self.log.join(person)
        self._pages[socket] = {"person": person, "seq": 0, "view": {}}
        if len(self._pages) < self.lobby_size:
            await self._send(
                socket,
                Lobby(waiting=1, min_size=2, target_size=3, max_size=4, starts_in=None, opens_at=None, practice=False),
            )
        else:
            await self._update_all()

    async def _do(self, socket: web.WebSocketResponse, person: str, message: Do) -> None:
        try:
            payloads = decide(
                self.log.state, Actor(person, "participant"), message.command, self.log.now, self.log.new_id
            )
        except ParleyError as error:
            await self._send(socket, ErrorMessage(id=message.id, code=error.code, message=error.message))
            return
        self.log.add(*payloads, actor=person)
        await self._send(socket, Ack(id=message.id))
        await self._update_all()

    async def _update_all(self) -> None:
        if len(self._pages) < self.lobby_size:
            return
        state = self.log.state
        for socket, page in list(self._pages.items()):
            view = room_view(state, "participant", page["person"]).model_dump(mode="json")
            patch = merge_patch(page["view"], view)
            update = Update(room_id="r1", from_seq=page["seq"], seq=state.seq, events=(), patch=patch)
            page |= {"seq": state.seq, "view": view}
            await self._send(socket, update)

    @staticmethod
    async def _send(socket: web.WebSocketResponse, message: ServerMessage) -> None:
        if not socket.closed:
            await socket.send_str(message.model_dump_json())
