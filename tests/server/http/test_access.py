"""Every route of the URL table × every role: what is allowed, and what is refused.

WebSocket messages × roles stand in tests/server/signalling.
"""

from __future__ import annotations

from typing import Any

import pytest

from server.http.routes import ROUTES, Guarded, Public
from tests.server.http.conftest import Site
from tests.server.storage.logs import design

ROLES = (
    None,
    "invitation",
    "preview",
    "participant",
    "other participant",
    "facilitator",
    "facilitator elsewhere",
    "researcher",
    "researcher elsewhere",
    "admin",
)
MEMBERS = {"invitation", "preview", "participant", "other participant", "facilitator", "researcher", "admin"}
REVIEWERS = {"researcher", "admin"}
JSON = {"Content-Type": "application/json"}

# name → (address, body, who is let in). Someone who is let in may still be told that something is not there (404) or too late (409).
CALLS: dict[str, tuple[str, Any, set[str]]] = {
    "check-design": ("/api/designs/check", design("new").model_dump(mode="json"), {"admin"}),
    "create": ("/api/deliberations", design("new").model_dump(mode="json"), {"admin"}),
    "list": ("/api/deliberations", None, {"admin"}),
    "info": ("/api/deliberations/trial", None, MEMBERS),
    "close": ("/api/deliberations/trial/close", {}, {"admin"}),
    "open": ("/api/deliberations/trial/open", {}, {"admin"}),
    "begin": ("/api/deliberations/trial/begin", {}, {"admin"}),
    "rebalance": ("/api/deliberations/trial/rebalance", {}, {"admin"}),
    "calendar": ("/api/deliberations/trial/calendar.ics", None, MEMBERS),
    "links": ("/api/deliberations/trial/links", None, {"admin"}),
    "issue-link": ("/api/deliberations/trial/links", {"role": "researcher", "days": 3}, {"admin"}),
    "revoke-link": ("/api/links/none", None, {"admin"}),
    "join": (
        "/api/deliberations/trial/participants",
        {"name": "Ada", "consent": {"take_part": True}, "consent_version": "1"},
        {"invitation", "preview"},
    ),
    "me": ("/api/participants/me", None, {"participant", "other participant"}),
    "my-credit": ("/api/participants/me/credit", None, {"participant", "other participant"}),
    "survey": ("/api/survey", None, {"participant", "other participant"}),
    "answer-survey": ("/api/survey", {"type": "stage.ready"}, {"participant", "other participant"}),
    "withdraw": ("/api/participants/p1", None, {"participant", "admin"}),
    "move": ("/api/participants/p1/move", {"room_id": "r1"}, {"facilitator", "admin"}),
    "rooms": ("/api/deliberations/trial/rooms", None, {"facilitator", "researcher", "admin"}),
    "export": ("/api/deliberations/trial/export", None, REVIEWERS),
    "run-report": ("/api/deliberations/trial/run-report", None, REVIEWERS),
    "record": ("/api/deliberations/trial/record", None, REVIEWERS),
    "ballots": ("/api/deliberations/trial/ballots.csv", None, REVIEWERS),
    "polis": ("/api/deliberations/trial/polis/participants-votes.csv", None, REVIEWERS),
    "room": ("/api/rooms/r1", None, REVIEWERS),
    "events": ("/api/rooms/r1/events?after=0", None, REVIEWERS),
    "transcript": ("/api/rooms/r1/transcript?format=vtt", None, REVIEWERS),
    "votes": ("/api/rooms/r1/votes.csv", None, REVIEWERS),
    "statements": ("/api/rooms/r1/statements.csv", None, REVIEWERS),
    "ledger": ("/api/rooms/r1/ledger", None, REVIEWERS),
    "summary": ("/api/rooms/r1/summary", None, REVIEWERS),
    "audio": ("/api/rooms/r1/audio/none.ogg", None, REVIEWERS),
}
# What anybody may open without a link; `ws` takes its link in the first message, `metrics` is for this machine itself.
OPEN = {
    "healthz",
    "readyz",
    "metrics",
    "ws",
    "organise",
    "docs",
    "docs-page",
    "page",
    "asset",
    "root-file",
    "outcomes",
    "process-card",
    "precedents",
    "provenance",
}


def test_every_route_is_in_the_table_of_this_test() -> None:
    assert {route.name for route in ROUTES if isinstance(route, Guarded)} == set(CALLS)
    assert {route.name for route in ROUTES if isinstance(route, Public)} == OPEN


def test_every_route_that_names_something_has_a_scope() -> None:
    for route in ROUTES:
        if isinstance(route, Guarded) and route.scope == "server":
            assert "{id}" not in route.path


@pytest.mark.parametrize("name", sorted(CALLS))
async def test_a_route_lets_in_exactly_its_roles(site: Site, name: str) -> None:
    route = next(route for route in ROUTES if route.name == name)
    path, body, allowed = CALLS[name]
    let_in, codes = set(), {}
    for role in ROLES:
        response = await site.call(route.method, path, role, json=body) if body is not None else await site.call(
            route.method, path, role
        )
        if response.status == 403:
            codes[role] = (await response.json())["error"]["code"]
        else:
            assert response.status < 500 and response.status not in (400, 401, 405), await response.text()
            assert role is not None
            let_in.add(role)
    assert let_in == allowed
    assert codes.pop(None) == "link_missing"
    assert set(codes.values()) <= {"role_not_allowed", "not_in_scope"}


async def test_what_does_not_exist_is_refused_like_what_belongs_to_others(site: Site) -> None:
    for path in ("/api/rooms/none", "/api/rooms/r1x", "/api/deliberations/none/rooms", "/api/deliberations/other/rooms"):
        response = await site.call("GET", path, "researcher")
        assert (response.status, (await response.json())["error"]["code"]) == (403, "not_in_scope")


async def test_a_facilitator_moves_nobody_into_or_out_of_another_deliberation(site: Site) -> None:
    into = await site.call("POST", "/api/participants/p1/move", "facilitator", json={"room_id": "r1x"})
    out_of = await site.call("POST", "/api/participants/p1x/move", "facilitator", json={"room_id": "r1"})
    assert (into.status, out_of.status, site.rooms.asked) == (403, 403, [])


@pytest.mark.parametrize("role", ["researcher", "admin"])
async def test_links_do_not_travel_in_addresses(site: Site, role: str) -> None:
    response = await site.call("GET", f"/api/rooms/r1?k={site.tokens[role]}&token={site.tokens[role]}")
    assert response.status == 403
