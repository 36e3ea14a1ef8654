"""What organisers do over HTTP besides links: limited invitations, opening and closing, opening times as calendar files, the list."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from deliberation.errors import NotAllowed
from server.http.auth import Link
from server.http.calendars import LINE_BYTES, calendar_file
from server.storage.records import LinkRole
from tests.server.http.conftest import START, Site
from tests.server.storage.logs import design

WANTED: dict[str, Any] = {"name": "Ada", "consent": {"take_part": True}, "consent_version": "1"}


async def invitation(site: Site, seats: int | None) -> str:
    made = await site.call("POST", "/api/deliberations/trial/links", "admin", json={"role": "participant", "seats": seats})
    return str((await made.json())["url"].split("#k=", 1)[1])


async def test_an_invitation_for_one_seats_one_even_when_two_come_at_once(site: Site) -> None:
    token = await invitation(site, 1)
    both = await asyncio.gather(*(site.call("POST", "/api/deliberations/trial/participants", token, json=WANTED) for _ in range(2)))
    assert sorted(response.status for response in both) == [201, 409]
    refused = next(response for response in both if response.status == 409)
    assert (await refused.json())["error"]["code"] == "invitation_used"
    links = await (await site.call("GET", "/api/deliberations/trial/links", "admin")).json()
    assert [(link["seats"], link["used"]) for link in links if link["seats"]] == [(1, 1)]


async def test_a_refused_form_costs_no_seat(site: Site) -> None:
    token = await invitation(site, 1)
    wrong = await site.call("POST", "/api/deliberations/trial/participants", token, json={**WANTED, "name": "\u200b"})
    right = await site.call("POST", "/api/deliberations/trial/participants", token, json=WANTED)
    assert (wrong.status, right.status) == (400, 201)


async def test_a_limited_invitation_is_never_handed_out_as_the_standing_link(site: Site) -> None:
    token = await invitation(site, 1)
    listed = await (await site.call("GET", "/api/deliberations", "admin")).json()
    assert all(token not in one["links"]["join_url"] for one in listed)


async def test_only_invitations_have_seats(site: Site) -> None:
    response = await site.call("POST", "/api/deliberations/trial/links", "admin", json={"role": "researcher", "seats": 3})
    assert (response.status, (await response.json())["error"]["code"]) == (400, "bad_seats")


async def test_a_closed_deliberation_can_be_opened_again(site: Site) -> None:
    join = "/api/deliberations/trial/participants"
    assert (await site.call("POST", "/api/deliberations/trial/close", "admin")).status == 204
    assert (await site.call("POST", join, "invitation", json=WANTED)).status == 409
    assert (await site.call("POST", "/api/deliberations/trial/open", "admin")).status == 204
    assert (await site.call("POST", join, "invitation", json=WANTED)).status == 201


async def test_the_list_tells_how_it_stands(site: Site) -> None:
    await site.call("POST", "/api/deliberations/trial/participants", "invitation", json=WANTED)
    listed = await (await site.call("GET", "/api/deliberations", "admin")).json()
    trial = next(one for one in listed if one["id"] == "trial")
    assert {key: trial[key] for key in ("rooms", "rooms_open", "participants", "waiting", "no_shows", "rounds")} == {
        "rooms": 1, "rooms_open": 0, "participants": 3, "waiting": 0, "no_shows": 1, "rounds": 1,
    }  # fmt: skip


def test_a_calendar_file_has_whole_lines_utc_times_and_no_link() -> None:
    plan = design("trial").model_copy(update={"title": "Strom, Wasser; Äpfel " + "ä" * 80, "rounds": 2})
    text = calendar_file(plan, START, START - 60)
    assert text.startswith("BEGIN:VCALENDAR\r\n") and text.endswith("END:VCALENDAR\r\n")
    assert all(len(line.encode()) <= LINE_BYTES for line in text.split("\r\n"))
    unfolded = text.replace("\r\n ", "")
    assert "SUMMARY:Strom\\, Wasser\\; Äpfel " + "ä" * 80 in unfolded
    assert "DTSTART:20270115T080000Z" in unfolded and "DTEND:20270115T083000Z" in unfolded
    assert "http" not in text


async def test_the_calendar_of_a_deliberation_that_is_always_open_is_not_there(site: Site) -> None:
    assert (await site.call("GET", "/api/deliberations/trial/calendar.ics", "invitation")).status == 404


async def test_a_preview_shows_the_join_page_and_its_person_counts_nowhere(site: Site) -> None:
    made = await site.call("POST", "/api/deliberations/trial/links", "admin", json={"role": "preview", "days": 1})
    url = (await made.json())["url"]
    token = url.split("#k=", 1)[1]
    assert "/d/trial/join" in url
    assert (await (await site.call("GET", "/api/deliberations/trial", token)).json())["preview"] is True
    assert (await site.call("POST", "/api/deliberations/trial/close", "admin")).status == 204  # to be tried before and after it is open
    before = await (await site.call("GET", "/api/deliberations", "admin")).json()
    assert (await site.call("POST", "/api/deliberations/trial/participants", token, json=WANTED)).status == 201
    assert await (await site.call("GET", "/api/deliberations", "admin")).json() == before


async def test_an_invitation_tells_how_often_it_was_opened_and_used(site: Site) -> None:
    token = await invitation(site, 5)
    for _ in range(2):
        await site.call("GET", "/api/deliberations/trial", token)
    await site.call("POST", "/api/deliberations/trial/participants", token, json=WANTED)
    links = await (await site.call("GET", "/api/deliberations/trial/links", "admin")).json()
    assert [(link["opened"], link["used"], link["seats"]) for link in links if link["seats"]] == [(2, 1, 5)]


async def test_starting_and_rebalancing_are_asked_of_the_live_rooms(site: Site) -> None:
    started = await site.call("POST", "/api/deliberations/trial/begin", "admin")
    moved = await site.call("POST", "/api/deliberations/trial/rebalance", "admin")
    assert (await started.json(), await moved.json()) == ({"waiting": 3}, {"moved": 2})
    assert site.rooms.asked[-2:] == [("begin", "trial"), ("rebalance", "trial")]


async def test_who_comes_after_an_early_start_finds_it_open_after_a_restart_too(site: Site) -> None:
    known = (await site.store.deliberation("trial")).design
    await site.store.replace_design(known.model_copy(update={"opens_at": "2099-01-01T10:00:00+00:00"}))
    await site.call("POST", "/api/deliberations/trial/begin", "admin")
    assert (await site.store.deliberation("trial")).design == known


async def test_the_check_gives_back_what_was_written(site: Site) -> None:
    text = "title: A town\nquestion: What now?\nstages:\n  - {id: talk, title: Talk}\n"
    made = await site.call("POST", "/api/designs/check", "admin", data=text)
    assert (await made.json())["given"] == {"title": "A town", "question": "What now?", "stages": [{"id": "talk", "title": "Talk"}]}


@pytest.mark.parametrize("role", ["invitation", "preview"])
def test_a_link_to_join_by_has_no_seat_of_its_own(role: LinkRole) -> None:
    with pytest.raises(NotAllowed):
        _ = Link("l1", role, "trial").seat_role
