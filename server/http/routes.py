"""The URL table: every address, its handler, and who may use it.

`ROUTES` is the one place that says what a link opens over HTTP; `guarded` enforces it before a handler runs. A route is public, or names
its roles and the path parameter that its link has to belong to. tests/server/http/test_access.py tries every route with every role.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from aiohttp import web

from deliberation.errors import NotAllowed, NotFound
from server.http import api, downloads, outcomes, pages, precedents
from server.http.auth import Link, bearer
from server.http.keys import AUTH, EXPORTS, OUTCOMES, STORE, SURVEYS
from server.outcomes import OutcomeBook
from server.signalling.session import websocket
from server.storage.records import LinkRole
from server.survey import Surveys

Handler = Callable[[web.Request, Link], Awaitable[web.StreamResponse]]
OpenHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Public:
    """An address that needs no link."""

    method: str
    path: str
    name: str
    handler: OpenHandler


@dataclass(frozen=True, slots=True)
class Guarded:
    """An address for some roles. `{id}` in its path is a `scope`, which has to belong to the link's deliberation (an admin's link opens all).

    A participant reaches no other participant: in scope `participant`, theirs has to be their own.
    """

    method: str
    path: str
    name: str
    roles: frozenset[LinkRole]
    scope: Literal["server", "deliberation", "room", "participant"]
    handler: Handler


def _roles(*roles: LinkRole) -> frozenset[LinkRole]:
    return frozenset((*roles, "admin"))


_ORGANISE = _roles()
_REVIEW = _roles("researcher")
_MONITOR = _roles("facilitator")

ROUTES: tuple[Public | Guarded, ...] = (
    Public("GET", "/healthz", "healthz", api.healthz),
    Public("GET", "/readyz", "readyz", api.readyz),
    Public("GET", "/metrics", "metrics", api.metrics_page),
    Public("GET", "/ws", "ws", websocket),  # the link comes in the first message
    # pages: the same shell for all; what they show comes from the API
    Public("GET", "/", "organise", pages.shell),
    Public("GET", "/docs", "docs", pages.shell),
    Public("GET", "/docs/{page}", "docs-page", pages.shell),
    Public("GET", "/d/{id}/{page:join|monitor|review|outcome|survey}", "page", pages.shell),
    Public("GET", "/assets/{file}", "asset", pages.asset),
    Public("GET", "/{file:[a-z0-9-]+\\.(?:svg|png|ico|txt|webmanifest)}", "root-file", pages.root_file),
    Public("GET", "/api/deliberations/{id}/outcomes", "outcomes", outcomes.outcomes),  # with a researcher's link: rows too
    Public("GET", "/api/deliberations/{id}/process-card", "process-card", outcomes.card),
    Public("POST", "/api/deliberations/{id}/precedents", "precedents", precedents.precedents),
    Public("GET", "/api/deliberations/{id}/provenance", "provenance", outcomes.provenance),
    # deliberations
    Guarded("POST", "/api/designs/check", "check-design", _ORGANISE, "server", api.check_design),
    Guarded("POST", "/api/deliberations", "create", _ORGANISE, "server", api.create_deliberation),
    Guarded("GET", "/api/deliberations", "list", _ORGANISE, "server", api.list_deliberations),
    Guarded(
        "GET",
        "/api/deliberations/{id}",
        "info",
        _roles("invitation", "preview", "participant", "facilitator", "researcher"),
        "deliberation",
        api.join_info,
    ),
    Guarded("POST", "/api/deliberations/{id}/close", "close", _ORGANISE, "deliberation", api.close_deliberation),
    Guarded("POST", "/api/deliberations/{id}/begin", "begin", _ORGANISE, "deliberation", api.begin_deliberation),
    Guarded("POST", "/api/deliberations/{id}/rebalance", "rebalance", _ORGANISE, "deliberation", api.rebalance),
    Guarded("POST", "/api/deliberations/{id}/open", "open", _ORGANISE, "deliberation", api.open_deliberation),
    Guarded(
        "GET",
        "/api/deliberations/{id}/calendar.ics",
        "calendar",
        _roles("invitation", "preview", "participant", "facilitator", "researcher"),
        "deliberation",
        api.calendar,
    ),
    Guarded("GET", "/api/deliberations/{id}/links", "links", _ORGANISE, "deliberation", api.list_links),
    Guarded("POST", "/api/deliberations/{id}/links", "issue-link", _ORGANISE, "deliberation", api.issue_link),
    Guarded("DELETE", "/api/links/{link_id}", "revoke-link", _ORGANISE, "server", api.revoke_link),
    # people
    Guarded(
        "POST",
        "/api/deliberations/{id}/participants",
        "join",
        frozenset({"invitation", "preview"}),
        "deliberation",
        api.join,
    ),
    Guarded("GET", "/api/participants/me", "me", frozenset({"participant"}), "server", api.me),
    Guarded("GET", "/api/participants/me/credit", "my-credit", frozenset({"participant"}), "server", outcomes.mine),
    Guarded("GET", "/api/survey", "survey", frozenset({"participant"}), "server", api.survey),
    Guarded("POST", "/api/survey", "answer-survey", frozenset({"participant"}), "server", api.answer_survey),
    Guarded("DELETE", "/api/participants/{id}", "withdraw", _roles("participant"), "participant", api.withdraw),
    Guarded("POST", "/api/participants/{id}/move", "move", _MONITOR, "participant", api.move),
    # review
    Guarded(
        "GET", "/api/deliberations/{id}/rooms", "rooms", _REVIEW | _MONITOR, "deliberation", downloads.list_rooms
    ),
    Guarded("GET", "/api/deliberations/{id}/export", "export", _REVIEW, "deliberation", downloads.export),
    Guarded("GET", "/api/deliberations/{id}/run-report", "run-report", _REVIEW, "deliberation", outcomes.run),
    Guarded("GET", "/api/deliberations/{id}/record", "record", _REVIEW, "deliberation", outcomes.record),
    Guarded("GET", "/api/deliberations/{id}/ballots.csv", "ballots", _REVIEW, "deliberation", outcomes.cast_ballots),
    Guarded(
        "GET",
        "/api/deliberations/{id}/polis/{file:(?:participants-)?votes\\.csv|comments\\.csv}",
        "polis",
        _REVIEW,
        "deliberation",
        outcomes.polis,
    ),
    Guarded("GET", "/api/rooms/{id}", "room", _REVIEW, "room", downloads.review_room),
    Guarded("GET", "/api/rooms/{id}/events", "events", _REVIEW, "room", downloads.events),
    Guarded("GET", "/api/rooms/{id}/transcript", "transcript", _REVIEW, "room", downloads.transcript),
    Guarded("GET", "/api/rooms/{id}/votes.csv", "votes", _REVIEW, "room", downloads.votes),
    Guarded("GET", "/api/rooms/{id}/statements.csv", "statements", _REVIEW, "room", downloads.statements),
    Guarded("GET", "/api/rooms/{id}/ledger", "ledger", _REVIEW, "room", downloads.ledger),
    Guarded("GET", "/api/rooms/{id}/summary", "summary", _REVIEW, "room", downloads.summary),
    Guarded("GET", "/api/rooms/{id}/audio/{file}", "audio", _REVIEW, "room", downloads.audio),
)


def setup_routes(app: web.Application) -> None:
    """Add all routes."""
    app[precedents.ASKING] = precedents.Asking()
    app[OUTCOMES] = OutcomeBook(app[STORE])
    app[SURVEYS] = Surveys(app[STORE])
    app[EXPORTS] = set()
    for route in ROUTES:
        handler = route.handler if isinstance(route, Public) else guarded(route)
        app.router.add_route(route.method, route.path, handler, name=route.name)


def guarded(route: Guarded) -> OpenHandler:
    """Return the route's handler behind its checks.

    What belongs to another deliberation is refused in the same words as what does not exist there, so that nothing can be probed.
    """

    async def handler(request: web.Request) -> web.StreamResponse:
        link = await request.app[AUTH].verify(bearer(request.headers.get("Authorization")))
        if link.role not in route.roles:
            raise NotAllowed("role_not_allowed", "This link does not open that.")
        await _check_scope(request, route, link)
        return await route.handler(request, link)

    return handler


async def _check_scope(request: web.Request, route: Guarded, link: Link) -> None:
    if route.scope == "server" or link.role == "admin":
        return
    store, named = request.app[STORE], request.match_info["id"]
    try:
        if route.scope == "participant" and link.role == "participant":
            mine = named == link.participant_id
        elif route.scope == "participant":
            mine = link.opens((await store.participant(named)).deliberation_id)
        elif route.scope == "room":
            mine = link.opens(await store.deliberation_of(named))
        else:
            mine = link.opens(named)
    except NotFound:
        mine = False
    if not mine:
        raise NotAllowed("not_in_scope", "This link does not open that.")
