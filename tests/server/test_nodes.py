"""Several nodes: rooms are shared out, any address leads to any room, and a node that dies costs nothing but a moment.

Most of it with two nodes in this process (registry, sockets and calls real, media none); at the end `parley serve --nodes 2` for real.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import redis
import websockets
import yaml
from aiohttp import web

from deliberation.design import Design, parse_design
from deliberation.errors import Conflict, InvalidInput, NotFound, Unavailable
from server.bus import Bus
from server.clock import now
from server.http.auth import Auth
from server.http.keys import SETTINGS
from server.http.limits import Waiting
from server.nodes import udp_shares
from server.peers import Peers, inner_application
from server.rooms.placement import Placement, lobby_key
from server.rooms.registry import Registry
from server.rooms.room import Room
from server.settings import Settings
from server.signalling.handlers import Handlers
from server.signalling.session import HANDLERS, RELAY, STRANGERS, Session, websocket
from server.storage.records import ParticipantRecord
from server.storage.store import Store
from server.valkey import EmbeddedValkey
from tests.e2e.server import ADMIN_TOKEN, free_port

KEY = "only-nodes-know-this"
TALK = {
    "id": "trams",
    "title": "Trams",
    "question": "What should the trams do?",
    "groups": {"min_size": 2, "target_size": 2, "max_size": 3, "wait_seconds": 0, "late_join_minutes": 0},
    "stages": [{"id": "talk", "title": "Talk", "minutes": 30}],
    "facilitation": {"mode": "off"},
    "practice": False,
}


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedValkey]:
    server = EmbeddedValkey(tmp_path_factory.mktemp("valkey"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def url(valkey: EmbeddedValkey) -> str:
    valkey.ensure_running()
    client = redis.Redis.from_url(valkey.url)
    client.flushall()
    client.close()
    return valkey.url


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 60.0) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():
            await asyncio.sleep(0.05)


class NoMedia:
    async def disconnect(self, member_id: str) -> None: ...


class Node:
    """One node in this process."""

    def __init__(self, registry: Registry, placement: Placement, public: str, auth: Auth, store: Store) -> None:
        self.registry, self.placement, self.public, self.auth, self.store = registry, placement, public, auth, store
        self.crash: Callable[[], Awaitable[None]]


@asynccontextmanager
async def node(name: str, url: str, folder: Path, count: int) -> AsyncIterator[Node]:
    async with AsyncExitStack() as stack:
        store = await Store.open(f"sqlite:///{folder}/t.db")
        stack.push_async_callback(store.close)
        settings = Settings(admin_token=ADMIN_TOKEN, data_dir=folder, messages_per_second=1000)  # type: ignore[arg-type]
        auth = await Auth.open(store, settings, now)
        bus = await stack.enter_async_context(Bus(url))

        def equip(room: Room) -> Any:
            return NoMedia()

        async def no_partner(participant_id: str, deliberation_id: str) -> None: ...

        async def serve_relayed(page: web.WebSocketResponse) -> None:
            await Session(page, 1000).run(handlers)

        inner_port, public_port = free_port(), free_port()
        placement = Placement(bus, name, f"http://127.0.0.1:{inner_port}", lambda: registry.load)
        peers = await stack.enter_async_context(Peers(placement, KEY))
        registry = Registry(store, equip, no_partner, placement, peers, bus, count)
        handlers = Handlers(registry, auth.verify, lambda: ())
        app = web.Application()
        app[SETTINGS] = settings
        app[HANDLERS] = handlers
        app[STRANGERS] = Waiting(50, 200)
        app[RELAY] = peers.relay
        app.router.add_get("/ws", websocket)
        for application, port in (
            (app, public_port),
            (inner_application(KEY, registry.calls, serve_relayed), inner_port),
        ):
            runner = web.AppRunner(application, shutdown_timeout=0.2)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", port).start()
        task = asyncio.create_task(registry.run(asyncio.Event()))
        made = Node(registry, placement, f"ws://127.0.0.1:{public_port}/ws", auth, store)

        async def crash() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await stack.aclose()
            await Bus(url).withdraw(name)  # as the parent process does

        made.crash = crash
        yield made
        registry.stop()
        await asyncio.wait({task}, timeout=10)


@pytest.fixture
async def nodes(url: str, tmp_path: Path) -> AsyncIterator[tuple[Node, Node]]:
    store = await Store.open(f"sqlite:///{tmp_path}/t.db")
    await store.create_deliberation(parse_design(TALK), now())
    await store.close()
    async with node("a", url, tmp_path, 1) as a, node("b", url, tmp_path, 2) as b:

        async def both() -> bool:
            return len(await Bus(url).nodes()) == 2

        await until(both)
        yield a, b


class Page:
    """A browser's page, as far as its socket goes."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket

    async def say(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def next(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(await asyncio.wait_for(self.socket.recv(), 60))
        return message

    async def hear(self, type_: str, **fields: Any) -> dict[str, Any]:
        """Return the next message of this kind."""
        while True:
            message = await self.next()
            if message["type"] == type_ and all(message.get(k) == v for k, v in fields.items()):
                return message

    async def event(self, kind: str) -> dict[str, Any]:
        while True:
            for event in (await self.hear("update"))["events"]:
                if event["payload"]["kind"] == kind:
                    return dict(event)


@pytest.fixture
async def page() -> AsyncIterator[Callable[..., Awaitable[Page]]]:
    async with AsyncExitStack() as stack:

        async def open_page(address: str, token: str, **hello: Any) -> Page:
            made = Page(await stack.enter_async_context(websockets.connect(address)))
            client_id = f"c-{token[-20:]}"
            await made.say(type="hello", protocol=1, token=token, client_id=client_id, **hello)
            return made

        yield open_page


async def person(node: Node, name: str) -> str:
    """Join; return the participant's token."""
    record = ParticipantRecord(name, "trams", now(), name, consent={"take_part": True}, consent_version="1")
    await node.store.add_participant(record)
    return await node.auth.issue("participant", "trams", name)


OpenPage = Callable[..., Awaitable[Page]]


async def group(a: Node, open_page: OpenPage, *names: str) -> dict[str, tuple[Page, str, str]]:
    """Let people come, all by one address; return each one's page, room and token once they sit."""
    tokens = {name: await person(a, name) for name in names}
    found: dict[str, tuple[Page, str, str]] = {}
    pages = {name: await open_page(a.public, token) for name, token in tokens.items()}
    for name, waiting in pages.items():
        at = waiting
        while True:
            message = await at.next()
            if message["type"] == "bye":
                assert message["reason"] == "moved"
                at = await open_page(a.public, tokens[name])
            elif message["type"] == "update":
                found[name] = (at, message["room_id"], tokens[name])
                break
    return found


async def test_rooms_are_shared_out_and_all_people_use_one_address(
    nodes: tuple[Node, Node], page: OpenPage, url: str
) -> None:
    a, b = nodes
    found = await group(a, page, "ann", "bob")
    found |= await group(a, page, "cyn", "dan")
    rooms = {room for _, room, _ in found.values()}
    assert len(rooms) == 2
    assert {await Bus(url).located(room) for room in rooms} == {"a", "b"}
    assert len(a.registry.rooms) == len(b.registry.rooms) == 1
    for name, (at, room, _) in found.items():
        await at.say(type="do", id=5, command={"type": "chat.post", "text": f"{name} was here"})
        await at.hear("ack", id=5)
        events = await a.store.events(room)
        assert [e.seq for e in events] == list(range(1, len(events) + 1))
        assert any(getattr(e.payload, "text", "") == f"{name} was here" for e in events)


async def test_two_people_of_a_room_who_came_by_different_nodes_hear_each_other(
    nodes: tuple[Node, Node], page: OpenPage
) -> None:
    a, b = nodes
    found = await group(a, page, "ann", "bob")
    ann, room, _ = found["ann"]
    again = await page(b.public, found["bob"][2], takeover=True)
    assert (await again.hear("update"))["room_id"] == room
    await again.say(type="do", id=1, command={"type": "chat.post", "text": "from the other side"})
    assert (await ann.event("chat.posted"))["payload"]["text"] == "from the other side"


async def test_a_second_window_is_refused_and_may_take_over_through_any_node(
    nodes: tuple[Node, Node], page: OpenPage
) -> None:
    a, b = nodes
    first, room, token = (await group(a, page, "ann", "bob"))["ann"]
    second = Page(await websockets.connect(b.public))
    await second.say(type="hello", protocol=1, token=token, client_id="another")
    assert (await second.hear("error"))["code"] == "seat_taken"
    await second.say(type="hello", protocol=1, token=token, client_id="another", takeover=True)
    assert (await second.hear("update"))["room_id"] == room
    assert (await first.hear("bye"))["reason"] == "takeover"
    await second.socket.close()


async def test_a_monitor_sees_and_reaches_the_rooms_of_all_nodes(nodes: tuple[Node, Node], page: OpenPage) -> None:
    a, b = nodes
    found = await group(a, page, "ann", "bob") | await group(a, page, "cyn", "dan")
    rooms = {room for _, room, _ in found.values()}
    monitor = await page(b.public, await b.auth.issue("facilitator", "trams"))
    seen: dict[str, Any] = {}
    while set(seen) < rooms:
        seen |= (await monitor.hear("overview"))["patch"]
    command = {"type": "message.send", "text": "Ten minutes left."}
    await monitor.say(type="do", id=3, command=command, room_ids=sorted(rooms))
    await monitor.hear("ack", id=3)
    for at, _, _ in (found["ann"], found["cyn"]):
        assert (await at.event("intervention.made"))["payload"]["text"] == "Ten minutes left."
    await monitor.say(type="do", id=4, command=command, room_ids=["nowhere"])
    assert (await monitor.hear("error", id=4))["code"] == "no_such_room"


async def test_a_person_is_moved_to_a_room_of_another_node(nodes: tuple[Node, Node], page: OpenPage) -> None:
    a, b = nodes
    found = await group(a, page, "ann", "bob") | await group(a, page, "cyn", "dan")
    ann, source, token = found["ann"]
    target = found["cyn"][1]
    for via in (a, b):  # the second time there is nothing left to do
        await via.registry.seating.move("ann", target)
    assert (await ann.hear("bye"))["reason"] == "moved"
    moved = await page(a.public, token)
    assert (await moved.hear("update"))["room_id"] == target
    kinds = [(e.kind, e.payload.owner) for e in await a.store.events(source)]
    assert ("member.left", "ann") in kinds
    with pytest.raises(Conflict):
        await b.registry.seating.move("bob", target)  # it is full now


async def test_a_revoked_link_and_a_withdrawal_reach_pages_on_every_node(
    nodes: tuple[Node, Node], page: OpenPage
) -> None:
    a, b = nodes
    found = await group(a, page, "ann", "bob") | await group(a, page, "cyn", "dan")
    for name, other in (("ann", b), ("cyn", a)):
        at, room, token = found[name]
        link = await a.auth.verify(token)
        await other.registry.seating.drop_link(link.link_id)
        assert (await at.hear("bye"))["reason"] == "revoked"
    for name, other in (("bob", b), ("dan", a)):
        at, room, _ = found[name]
        await other.registry.seating.withdraw(name)
        assert (await at.hear("bye"))["reason"] == "left"
        assert ("consent.withdrawn", name) in [(e.kind, e.payload.owner) for e in await a.store.events(room)]


async def test_a_late_joiner_gets_a_place_in_a_room_of_another_node(
    nodes: tuple[Node, Node], page: OpenPage, url: str
) -> None:
    a, _ = nodes
    design = parse_design({**TALK, "groups": {**TALK["groups"], "late_join_minutes": 20}})  # type: ignore[dict-item]
    await a.store.replace_design(design)
    found = await group(a, page, "ann", "bob")
    home = await Bus(url).located(lobby_key("trams"))
    while await Bus(url).located(found["ann"][1]) == home:  # make the open room live away from the lobby
        (here,) = [n for n in nodes if n.placement.node_id == home]
        (away,) = [n for n in nodes if n.placement.node_id != home]
        here.registry._rooms[found["ann"][1]].room.stop()
        await until(_free(url, found["ann"][1]))
        await away.registry.running(found["ann"][1])
    token = await person(a, "eve")
    at = await page(a.public, token)
    assert (await at.hear("bye"))["reason"] == "moved"
    at = await page(a.public, token)
    assert (await at.hear("update"))["room_id"] == found["ann"][1]


def _free(url: str, room: str) -> Callable[[], Awaitable[bool]]:
    async def free() -> bool:
        return await Bus(url).located(room) is None

    return free


async def test_the_rooms_of_a_node_that_dies_go_on_at_another(
    nodes: tuple[Node, Node], page: OpenPage, url: str
) -> None:
    a, b = nodes
    found = await group(a, page, "ann", "bob") | await group(a, page, "cyn", "dan")
    (lost,) = {room for _, room, _ in found.values() if await Bus(url).located(room) == "b"}
    await b.crash()

    async def taken_over() -> bool:
        return lost in {running.room.room_id for running in a.registry.rooms}

    await until(taken_over)
    for name, (_, room, token) in found.items():
        if room == lost:
            back = await page(a.public, token, takeover=True)
            assert (await back.hear("update"))["room_id"] == lost
            await back.say(type="do", id=1, command={"type": "chat.post", "text": f"{name} is back"})
            await back.hear("ack", id=1)
    events = await a.store.events(lost)
    assert [e.seq for e in events] == list(range(1, len(events) + 1))
    assert [e.kind for e in events].count("member.joined") == 2


async def test_only_nodes_are_answered_inside(nodes: tuple[Node, Node]) -> None:
    a, _ = nodes
    async with aiohttp.ClientSession() as http:
        asked = {"name": "run", "arguments": {"room_id": "r"}}
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            async with http.post(f"{a.placement._url}/call", json=asked, headers=headers) as answer:
                assert answer.status == 403
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await http.ws_connect(f"{a.placement._url}/ws")


async def test_a_refusal_comes_back_from_another_node_as_it_was_made(nodes: tuple[Node, Node], url: str) -> None:
    a, _ = nodes
    async with Peers(a.placement, KEY) as peers:
        with pytest.raises(NotFound) as refused:
            await peers.call("b", "run", {"room_id": "nowhere"})
        assert refused.value.code == "no_such_room"
        with pytest.raises(Unavailable) as gone:
            await peers.call("c", "run", {"room_id": "nowhere"})
        assert gone.value.code == "node_gone"


async def test_placement_gives_the_next_room_to_the_least_loaded_node(url: str) -> None:
    async with Bus(url) as bus:
        busy = Placement(bus, "busy", load=lambda: (3, 12))
        idle = Placement(bus, "idle", load=lambda: (0, 0))
        for one in (busy, idle):
            await one.join(1, 5)
        given = [await busy.choose(f"r{index}") for index in range(6)]
        assert given == ["idle", "idle", "idle", "idle", "busy", "idle"]
        assert await busy.owner("r0") == await idle.owner("r0") == "idle"
        with pytest.raises(Unavailable):
            await busy.hold("r0")
        await idle.hold("r0")
        await idle.release("r0")
        await busy.hold("r0")
        assert await idle.owner("r0") == "busy"


async def test_what_another_node_has_taken_is_let_go(url: str) -> None:
    async with Bus(url) as bus:
        one, other = Placement(bus, "one"), Placement(bus, "other")
        for placement in (one, other):
            await placement.join(1, 5)
        await one.hold("r")
        client = redis.Redis.from_url(url)
        client.delete("parley:room:r")  # as if the bus had been restarted empty
        client.close()
        await other.hold("r")
        lost: list[str] = []

        async def gone() -> None: ...

        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            task = group.create_task(one.run(lost.append, gone))
            while not lost:
                await asyncio.sleep(0.01)
            task.cancel()
        assert lost == ["r"] and await one.owner("r") == "other"


async def test_alone_everything_is_here_and_nobody_is_asked() -> None:
    alone = Placement.alone()
    await alone.join(4, 60)
    await alone.hold("r")
    assert await alone.owner("r") == await alone.choose("s") == alone.node_id
    await alone.release("r")
    await alone.leave()


def test_each_node_has_udp_ports_of_its_own() -> None:
    settings = Settings(nodes=3, udp_port_min=40000, udp_port_max=40099)
    assert udp_shares(settings) == [(40000, 40032), (40033, 40065), (40066, 40098)]
    with pytest.raises(InvalidInput):
        udp_shares(settings.model_copy(update={"nodes": 64}))


# -- the real thing


def _read(url: str, path: str, token: str, body: Any = None) -> bytes:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url + path, data=data, headers=headers), timeout=60) as response:
        return bytes(response.read())


def _fetch(url: str, path: str, token: str, body: Any = None) -> Any:
    return json.loads(_read(url, path, token, body))


def _node_pids(parent: int) -> list[int]:
    pids = []
    for entry in Path("/proc").iterdir():
        try:
            if int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1]) != parent:
                continue
            if (entry / "cmdline").read_bytes().split(b"\0")[1:4] == [b"-m", b"server", b"node"]:
                pids.append(int(entry.name))
        except (OSError, ValueError, IndexError):
            continue
    return sorted(pids)


@pytest.mark.skipif(not Path("/proc").exists(), reason="finds the node processes in /proc")
async def test_a_node_process_that_is_killed_is_replaced_and_its_people_are_back(tmp_path: Path) -> None:
    """`parley serve --nodes 2`: four people in two rooms, one node killed, everybody back, no gap, an orderly end."""
    pairs = {**TALK, "groups": {"min_size": 2, "target_size": 2, "max_size": 2, "wait_seconds": 0}}
    design: Design = parse_design(pairs)
    (tmp_path / "trams.yaml").write_text(yaml.safe_dump(pairs))
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "server", "serve", "--nodes", "2", "--port", str(port), "--design"]
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PARLEY_", "OPENAI_"))}
    with (tmp_path / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command,
            str(tmp_path / "trams.yaml"),
            "--data-dir",
            str(tmp_path / "data"),
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
            env={**clean, "PARLEY_ADMIN_TOKEN": ADMIN_TOKEN, "PARLEY_WORKERS": "0"},
        )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(120):
            printed = b""
            while not (line := await process.stdout.readline()).startswith(b"Stop it with"):
                assert line, (tmp_path / "log").read_text()[-3000:]
                printed += line
        invitation = printed.decode().split("/join#k=")[1].split()[0]
        consent = {"consent": {"take_part": True}, "consent_version": design.consent.version}
        tokens = []
        for name in ("Ann", "Bob", "Cyn", "Dan"):
            joined = await asyncio.to_thread(
                _fetch, url, f"/api/deliberations/{design.id}/participants", invitation, {"name": name, **consent}
            )
            tokens.append(joined["token"])
        before = await asyncio.gather(*(_seated(port, token) for token in tokens))
        assert len(set(before)) == 2
        victims = _node_pids(process.pid)
        assert len(victims) == 2
        os.kill(victims[0], signal.SIGKILL)
        after = await asyncio.gather(*(_seated(port, token, text="I am back") for token in tokens))
        assert after == before

        async def replaced() -> bool:
            return len(_node_pids(process.pid)) == 2 and victims[0] not in _node_pids(process.pid)

        await until(replaced)
        for room in set(before):
            events = await asyncio.to_thread(_fetch, url, f"/api/rooms/{room}/events?after=0", ADMIN_TOKEN)
            events = events if isinstance(events, list) else events["events"]
            assert [e["seq"] for e in events] == list(range(1, len(events) + 1))
            assert [e["payload"]["kind"] for e in events].count("chat.posted") == 2
        figures = await asyncio.to_thread(_read, url, "/metrics", ADMIN_TOKEN)
        assert "parley_rooms_open 2.0" in figures.decode().splitlines()
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _seated(port: int, token: str, text: str | None = None) -> str:
    """Come back as a page does until the room is there; say something if asked to; return the room."""
    async with asyncio.timeout(90):
        while True:
            try:
                async with websockets.connect(f"ws://127.0.0.1:{port}/ws") as socket:
                    made = Page(socket)
                    await made.say(type="hello", protocol=1, token=token, client_id=f"c-{token[-20:]}")
                    room = str((await made.hear("update"))["room_id"])
                    if text is not None:
                        await made.say(type="do", id=1, command={"type": "chat.post", "text": text})
                        await made.hear("ack", id=1)
                    return room
            except (OSError, websockets.WebSocketException):
                await asyncio.sleep(0.2)
