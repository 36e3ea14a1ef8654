"""Twenty people who take part without camera or microphone: they read, write and vote. An independent client, on websockets alone."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import dataclass, field
from typing import Any

import websockets

from server.http.models import JoinInfo, JoinRequest
from simulation.joining import JoinLink, join, origin


@dataclass
class Texter:
    """One person of a camp. Votes on whatever is open as the camp does, writes one statement, ranks a ballot's options, answers both polls."""

    name: str
    camp: int
    own: str
    stance: dict[str, int]
    closing: int
    order: tuple[str, ...] = ()  # of a ballot's options, best first
    rooms: list[str] = field(default_factory=list)  # in order, without repeats
    refused: list[str] = field(default_factory=list)
    over: bool = False
    _view: dict[str, Any] = field(default_factory=dict)
    _asked: set[tuple[str, str, str]] = field(default_factory=set)
    _numbers: int = 0

    async def take_part(self, link: JoinLink, rounds: int) -> None:
        """Join, and stay until the last round's room is over."""

        token = (await join(link, self._request)).token
        while not self.over:
            with contextlib.suppress(OSError, websockets.WebSocketException):
                address = link.server.replace("http", "ws", 1) + "/ws"
                async with websockets.connect(address, origin=origin(link.server), max_size=None) as socket:
                    hello = {"type": "hello", "protocol": 1, "token": token, "client_id": self.name}
                    await socket.send(json.dumps(hello))
                    beat = asyncio.create_task(self._beat(socket))
                    try:
                        await self._listen(socket, rounds)
                    finally:
                        beat.cancel()
            await asyncio.sleep(0.1)

    def _request(self, info: JoinInfo) -> JoinRequest:
        return JoinRequest(
            name=self.name, consent={"take_part": True, "quote": True}, consent_version=info.consent.version,
            answers={"trust": 2}, segments={"side": "east" if self.camp > 0 else "west"},
        )  # fmt: skip

    async def _beat(self, socket: Any) -> None:
        while True:
            await asyncio.sleep(5)
            await socket.send(json.dumps({"type": "ping", "sent_at": 0, "active": True}))

    async def _listen(self, socket: Any, rounds: int) -> None:
        async for text in socket:
            message = json.loads(text)
            if message["type"] == "update":
                self._view = _merge({} if message["from_seq"] == 0 else self._view, message["patch"])
                if self._view["room_id"] not in self.rooms:
                    self.rooms.append(self._view["room_id"])
                await self._act(socket)
                if self._view.get("closed_at") and self._view["round"] == rounds:
                    self.over = True
                    return
            elif message["type"] == "error":
                self.refused.append(message["code"])
            elif message["type"] == "bye":
                return

    async def _act(self, socket: Any) -> None:
        view = self._view
        if view.get("closed_at") or view.get("stage") is None:
            return
        room, kind = view["room_id"], view["agenda"][view["stage"]["index"]]["kind"]
        for statement in view["statements"].values():
            if statement["open"] and statement.get("my_vote") is None:
                value = self.stance[statement["text"]]
                await self._once(socket, room, {"type": "statement.vote", "statement_id": statement["statement_id"], "value": value})
        if kind == "statements" and view["round"] == 1:
            await self._once(socket, room, {"type": "statement.add", "text": self.own})
            voted = [s["agree"] + s["disagree"] + s["passed"] for s in view["statements"].values()]
            written = sum(s["origin"] == "participant" for s in view["statements"].values())
            if written == len(view["members"]) and set(voted) == {len(view["members"])}:  # everybody has written, and voted on everything
                await self._once(socket, room, {"type": "stage.ready", "ready": True})
        for ballot in view["ballots"].values():
            if ballot["open"]:
                order = sorted(ballot["options"], key=lambda option: self.order.index(option["text"]))
                ranking = [[option["id"]] for option in order]
                await self._once(socket, room, {"type": "ballot.cast", "stage_id": ballot["stage_id"], "ranking": ranking})
                if ballot["cast"] == len(view["members"]):
                    await self._once(socket, room, {"type": "stage.ready", "ready": True})
        if kind == "closing":
            await self._once(socket, room, {"type": "poll.answer", "poll": "closing", "answers": {"trust": self.closing}})

    async def _once(self, socket: Any, room: str, command: dict[str, Any]) -> None:
        key = (room, self._view["stage"]["stage_id"], json.dumps(command, sort_keys=True))
        if key not in self._asked:
            self._asked.add(key)
            self._numbers += 1
            await socket.send(json.dumps({"type": "do", "id": self._numbers, "command": command}))


@dataclass
class Writer(Texter):
    """Somebody who takes part in writing: says one thing when the talk begins, agrees with everything, and moves on once `heard` have spoken."""

    says: str = ""
    heard: int = 1

    def _request(self, info: JoinInfo) -> JoinRequest:
        consent = {"take_part": True, "quote": True}
        return JoinRequest(name=self.name, consent=consent, consent_version=info.consent.version, mode="chat")  # type: ignore[arg-type]

    async def _act(self, socket: Any) -> None:
        view = self._view
        if view.get("closed_at") or view.get("stage") is None:
            return
        room, kind = view["room_id"], view["agenda"][view["stage"]["index"]]["kind"]
        done = False
        if kind == "discussion":
            await self._once(socket, room, {"type": "chat.post", "text": self.says})
            done = len({u["participant_id"] for u in view["utterances"].values()}) >= self.heard
        elif kind == "statements":
            standing = [s for s in view["statements"].values() if s["open"]]
            for statement in standing:
                if statement.get("my_vote") is None:
                    await self._once(socket, room, {"type": "statement.vote", "statement_id": statement["statement_id"], "value": 1})
            done = bool(standing) and all(s["agree"] == len(view["members"]) for s in standing)
        elif kind == "closing":
            done = view.get("summary") is not None
        if done:
            stage = view["stage"]["stage_id"]
            if (room, stage) not in self._asked:
                self._asked.add((room, stage))
                self._numbers += 1
                await socket.send(json.dumps({"type": "do", "id": self._numbers, "command": {"type": "stage.ready", "ready": True}}))


def _merge(held: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return patch
    result = dict(held) if isinstance(held, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merge(result.get(key), value)
    return result
