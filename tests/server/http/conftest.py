from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from deliberation.events import RoomClosed
from server.http import keys
from server.http.auth import Auth
from server.http.routes import setup_routes
from server.http.security import MAX_BODY_BYTES, middlewares
from server.settings import Settings
from server.storage.records import ParticipantRecord
from server.storage.store import Store
from tests.server.storage.logs import design, log, whole_room

Client = TestClient[web.Request, web.Application]
START = 1_800_000_000.0


@dataclass
class FakeRooms:
    """The live rooms, as far as HTTP asks them; `asked` is what was asked."""

    asked: list[tuple[str, ...]] = field(default_factory=list)

    async def move(self, participant_id: str, room_id: str) -> None:
        self.asked.append(("move", participant_id, room_id))

    async def withdraw(self, participant_id: str) -> None:
        self.asked.append(("withdraw", participant_id))

    async def begin(self, deliberation_id: str) -> int:
        self.asked.append(("begin", deliberation_id))
        return 3

    async def rebalance(self, deliberation_id: str) -> int:
        self.asked.append(("rebalance", deliberation_id))
        return 2

    def waiting(self, deliberation_id: str) -> int:
        return 0

    async def drop_link(self, link_id: str) -> None:
        self.asked.append(("drop_link", link_id))


@dataclass
class Site:
    """A server with two deliberations (`trial`, `other`), two people and one finished room in each; `now` is its clock."""

    store: Store
    auth: Auth
    client: Client
    rooms: FakeRooms
    settings: Settings
    now: float = START
    problems: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    async def call(self, method: str, path: str, role: str | None = None, **more: Any) -> Any:
        headers = {**more.pop("headers", {})}
        if role is not None:
            headers["Authorization"] = f"Bearer {self.tokens.get(role, role)}"
        return await self.client.request(method, path, headers=headers, **more)


def settings_for(folder: Path, **more: Any) -> Settings:
    return Settings(data_dir=folder, admin_token="the-admin", **more)  # type: ignore[arg-type]


async def fill(store: Store, deliberation_id: str, suffix: str, **privacy: Any) -> None:
    plan = design(deliberation_id, **privacy)
    await store.create_deliberation(plan, START - 900)
    for participant_id, name in (("p1", "Gudrun Aas"), ("p2", "Tomek")):
        await store.add_participant(
            ParticipantRecord(
                participant_id=f"{participant_id}{suffix}",
                deliberation_id=deliberation_id,
                joined_at=START - 800,
                name=name,
                consent={"take_part": True},
                room_id=f"r1{suffix}",
            )
        )
    events = whole_room(f"r1{suffix}", plan)
    await store.append(f"r1{suffix}", 1, events)
    await store.append(f"r1{suffix}", 16, log([RoomClosed(reason="finished")], first=16, at=1100.0))


@pytest.fixture(scope="session")
def filled_database(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A database with two deliberations and links to them, made once; tests get copies."""
    folder = tmp_path_factory.mktemp("filled")

    async def make() -> dict[str, str]:
        store = await Store.open(f"sqlite:///{folder}/parley.db")
        await fill(store, "trial", "")
        await fill(store, "other", "x")
        auth = await Auth.open(store, settings_for(folder), lambda: START)
        tokens = {
            "invitation": await auth.issue("invitation", "trial"),
            "preview": await auth.issue("preview", "trial"),
            "participant": await auth.issue("participant", "trial", "p1"),
            "other participant": await auth.issue("participant", "trial", "p2"),
            "facilitator": await auth.issue("facilitator", "trial"),
            "facilitator elsewhere": await auth.issue("facilitator", "other"),
            "researcher": await auth.issue("researcher", "trial"),
            "researcher elsewhere": await auth.issue("researcher", "other"),
            "admin": "the-admin",
        }
        await store.close()
        return tokens

    return folder / "parley.db", asyncio.run(make())


@pytest_asyncio.fixture
async def site(tmp_path: Path, filled_database: tuple[Path, dict[str, str]]) -> AsyncIterator[Site]:
    settings = settings_for(tmp_path)
    database, tokens = filled_database
    shutil.copyfile(database, tmp_path / "parley.db")
    store = await Store.open(f"sqlite:///{tmp_path}/parley.db", tmp_path / "audio")
    rooms = FakeRooms()
    holder: list[Site] = []
    auth = await Auth.open(store, settings, lambda: holder[0].now if holder else START)
    app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=middlewares(settings))
    app[keys.SETTINGS] = settings
    app[keys.STORE] = store
    app[keys.AUTH] = auth
    app[keys.ROOMS] = rooms
    app[keys.CLOCK] = lambda: holder[0].now
    app[keys.PUBLIC_URL] = "http://parley.test"
    app[keys.WEB_DIR] = tmp_path / "dist"
    app[keys.READY] = lambda: holder[0].problems
    setup_routes(app)
    async with TestClient(TestServer(app)) as client:
        here = Site(store, auth, client, rooms, settings)
        holder.append(here)
        here.tokens = tokens
        yield here
    await store.close()
