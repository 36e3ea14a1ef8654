"""What HTTP handlers need from the rest of the server, as typed keys of the application. Set in server/app.py, read by handlers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from aiohttp import web

from server.http.auth import Auth
from server.outcomes import OutcomeBook
from server.settings import Settings
from server.storage.store import Store
from server.survey import Surveys


class LiveRooms(Protocol):
    """The rooms that run on this server. server/rooms/seating.py is one."""

    async def move(self, participant_id: str, room_id: str) -> None:
        """Seat somebody in another room. Raises `NotFound`, `Conflict` (full, closed) or `InvalidInput`."""

    async def withdraw(self, participant_id: str) -> None:
        """Append the withdrawal to every log held here with this participant, and let them go; nothing where there is none."""

    async def begin(self, deliberation_id: str) -> int:
        """Form groups at once of those who wait; return how many wait."""

    async def rebalance(self, deliberation_id: str) -> int:
        """Dissolve groups that are too small into others; return how many people were moved."""

    def waiting(self, deliberation_id: str) -> int:
        """Return how many people wait for a group here."""

    async def drop_link(self, link_id: str) -> None:
        """End the sockets that were opened with a link which is revoked now."""


STORE: web.AppKey[Store] = web.AppKey("store", Store)
AUTH: web.AppKey[Auth] = web.AppKey("auth", Auth)
SETTINGS: web.AppKey[Settings] = web.AppKey("settings", Settings)
ROOMS: web.AppKey[LiveRooms] = web.AppKey("rooms")
OUTCOMES: web.AppKey[OutcomeBook] = web.AppKey("outcomes", OutcomeBook)
SURVEYS: web.AppKey[Surveys] = web.AppKey("surveys", Surveys)
CLOCK: web.AppKey[Callable[[], float]] = web.AppKey("clock")  # Unix seconds
PUBLIC_URL: web.AppKey[str] = web.AppKey("public_url", str)  # without a slash at the end
WEB_DIR: web.AppKey[Path] = web.AppKey("web_dir", Path)  # the built client
READY: web.AppKey[Callable[[], dict[str, str]]] = web.AppKey("ready")  # other parts that are not ready: name → why
EXPORTS: web.AppKey[set[str]] = web.AppKey("exports", set)  # deliberations whose export is being made or sent
