from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import IO, Any

import pytest

from deliberation.design import parse_design
from server.http import downloads, keys
from server.http.api import model_is_outside
from server.storage.store import Store
from tests.server.http.conftest import START, Site, settings_for

JOIN = {"name": "  Ada  Lovelace ", "consent": {"take_part": True, "quote": True}, "consent_version": "1"}

POLLED = """
id: polled
title: With a poll
question: What should we do?
stages:
  - {id: talk, title: Talk}
poll:
  - {id: trust, text: I trust it., scale: 5}
segments:
  region: [north, south]
opens_at: "2026-12-01T10:00:00Z"
facilitation: {mode: model}
"""


async def make(site: Site, design: str) -> dict[str, str]:
    response = await site.call("POST", "/api/deliberations", "admin", data=design.encode())
    assert response.status == 201, await response.text()
    links: dict[str, str] = await response.json()
    return {name: url.partition("#k=")[2] for name, url in links.items()}


async def code_of(response: Any) -> str:
    code: str = (await response.json())["error"]["code"]
    return code


async def test_an_organiser_makes_a_deliberation_and_its_links_open_its_pages(site: Site) -> None:
    tokens = await make(site, POLLED)
    assert (await site.call("GET", "/api/deliberations/polled", tokens["join_url"])).status == 200
    assert (await site.call("GET", "/api/deliberations/polled/rooms", tokens["monitor_url"])).status == 200
    assert await (await site.call("GET", "/api/deliberations/polled/rooms", tokens["review_url"])).json() == []
    again = await site.call("POST", "/api/deliberations", "admin", data=POLLED.encode())
    assert (again.status, await code_of(again)) == (409, "deliberation_exists")
    listed = await (await site.call("GET", "/api/deliberations", "admin")).json()
    assert [(d["id"], d["rooms"], d["participants"], d["open"]) for d in listed] == [
        ("other", 1, 2, True),
        ("trial", 1, 2, True),
        ("polled", 0, 0, True),
    ]
    assert listed[2]["links"]["join_url"].endswith(tokens["join_url"])


async def test_a_design_is_checked_without_being_kept(site: Site) -> None:
    good = await site.call("POST", "/api/designs/check", "admin", data=POLLED.encode())
    assert (await good.json())["design"] == parse_design(POLLED).model_dump(mode="json")
    for bad in (b"title: [", b"\xff\xfe", b"[]", POLLED.replace("scale: 5", "scale: 1").encode()):
        assert await code_of(await site.call("POST", "/api/designs/check", "admin", data=bad)) == "design_invalid"
    assert (await site.call("GET", "/api/deliberations/polled", "admin")).status == 404


async def test_the_join_page_learns_what_it_must_tell_before_anyone_joins(site: Site) -> None:
    tokens = await make(site, POLLED)
    info = await (await site.call("GET", "/api/deliberations/polled", tokens["join_url"])).json()
    assert info["segments"] == {"region": ["north", "south"]}
    assert [stage["title"] for stage in info["stages"]] == ["Talk", "Closing"]
    assert (info["facilitation"], info["model_outside"]) == ("rules", False)  # no model is configured
    assert info["opens_at"] == 1_796_119_200.0


async def test_somebody_joins_and_their_own_link_says_who_they_are(site: Site) -> None:
    joined = await site.call("POST", "/api/deliberations/trial/participants", "invitation", json=JOIN)
    assert joined.status == 201
    mine = await joined.json()
    me = await (await site.call("GET", "/api/participants/me", mine["token"])).json()
    assert me == {
        "participant_id": mine["participant_id"],
        "deliberation_id": "trial",
        "name": "Ada Lovelace",
        "room_id": None,
        "room_open": False,
        "consent": {"take_part": True, "record": False, "quote": True},
    }
    record = await site.store.participant(mine["participant_id"])
    assert (record.joined_at, record.consent_version) == (START, "1")


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"consent": {"take_part": False}}, 400, "consent_missing"),
        ({"consent": {}}, 400, "consent_missing"),
        ({"consent_version": "0"}, 409, "consent_changed"),
        ({"name": "   "}, 400, "invalid_request"),
        ({"name": "\u202e\u200b."}, 400, "name_missing"),
        ({"name": "AI  Fаcilitator"}, 400, "name_reserved"),
        ({"name": "x" * 41}, 400, "invalid_request"),
        ({"language": "klingon"}, 400, "invalid_request"),
        ({"answers": {"trust": 6}}, 400, "bad_answer"),
        ({"answers": {"other": 1}}, 400, "bad_answer"),
        ({"segments": {"region": "west"}}, 400, "bad_segment"),
        ({"segments": {"shoe": "12"}}, 400, "bad_segment"),
        ({"role": "facilitator"}, 400, "invalid_request"),
    ],
)
async def test_a_bad_join_is_answered_by_a_stable_code_and_leaves_nothing(
    site: Site, change: dict[str, Any], status: int, code: str
) -> None:
    tokens = await make(site, POLLED)
    response = await site.call(
        "POST", "/api/deliberations/polled/participants", tokens["join_url"], json={**JOIN, **change}
    )
    assert (response.status, await code_of(response)) == (status, code)
    assert await site.store.participants("polled") == []


async def test_nobody_joins_what_is_closed(site: Site) -> None:
    assert (await site.call("POST", "/api/deliberations/trial/close", "admin")).status == 204
    late = await site.call("POST", "/api/deliberations/trial/participants", "invitation", json=JOIN)
    assert (late.status, await code_of(late)) == (409, "deliberation_closed")
    info = await (await site.call("GET", "/api/deliberations/trial", "invitation")).json()
    assert info["open"] is False


async def test_links_are_issued_listed_and_revoked(site: Site) -> None:
    asked = {"role": "participant", "days": 1}
    issued = await (await site.call("POST", "/api/deliberations/trial/links", "admin", json=asked)).json()
    assert issued["url"].startswith("http://parley.test/d/trial/join#k=p1.")
    token = issued["url"].partition("#k=")[2]
    listed = await (await site.call("GET", "/api/deliberations/trial/links", "admin")).json()
    mine = next(link for link in listed if link["link_id"] == issued["link_id"])
    assert (mine["role"], mine["revoked"], mine["expires_at"]) == ("participant", False, START + 86_400)
    assert token not in json.dumps(listed)
    assert (await site.call("DELETE", f"/api/links/{issued['link_id']}", "admin")).status == 204
    assert site.rooms.asked == [("drop_link", issued["link_id"])]
    refused = await site.call("GET", "/api/deliberations/trial", token)
    assert (refused.status, await code_of(refused)) == (403, "link_revoked")
    for bad in ({"role": "admin"}, {"role": "researcher", "days": 0}, {"role": "researcher", "days": 1e9}):
        response = await site.call("POST", "/api/deliberations/trial/links", "admin", json=bad)
        assert await code_of(response) == "invalid_request"


async def test_withdrawing_erases_in_running_rooms_and_in_the_store(site: Site) -> None:
    assert (await site.call("DELETE", "/api/participants/p1", "participant")).status == 204
    assert site.rooms.asked == [("withdraw", "p1")]
    assert (await site.store.participant("p1")).name is None
    review = await (await site.call("GET", "/api/rooms/r1", "researcher")).text()
    assert "bakery" not in review and "Gudrun" not in review and "library" in review
    assert (await site.call("DELETE", "/api/participants/p1", "participant")).status == 204


async def test_moving_somebody_is_asked_of_the_live_rooms(site: Site) -> None:
    moved = await site.call("POST", "/api/participants/p1/move", "facilitator", json={"room_id": "r1"})
    assert (moved.status, site.rooms.asked) == (204, [("move", "p1", "r1")])


async def test_review_and_downloads_are_in_the_designs_privacy_mode(site: Site) -> None:
    room = await (await site.call("GET", "/api/rooms/r1", "researcher")).json()
    assert [m["name"] for m in room["view"]["members"].values()] == ["Participant 1", "Participant 2"]
    assert room["view"]["me"]["role"] == "researcher" and room["audio"] == []
    for path in (
        "/api/rooms/r1",
        "/api/rooms/r1/events",
        "/api/rooms/r1/events?format=jsonl",
        *(f"/api/rooms/r1/transcript?format={form}" for form in ("json", "vtt", "srt", "txt", "csv")),
        "/api/rooms/r1/votes.csv",
        "/api/rooms/r1/statements.csv",
        "/api/rooms/r1/ledger",
        "/api/rooms/r1/summary",
    ):
        response = await site.call("GET", path, "researcher")
        body = await response.text()
        assert response.status == 200
        assert "Gudrun" not in body and '"p1"' not in body, path
    events = await (await site.call("GET", "/api/rooms/r1/events?after=14", "researcher")).json()
    assert [event["seq"] for event in events] == [15]  # recordings have left no gap
    assert await code_of(await site.call("GET", "/api/rooms/r1/events?after=x", "researcher")) == "bad_after"
    assert await code_of(await site.call("GET", "/api/rooms/r1/transcript?format=pdf", "researcher")) == "bad_format"


async def test_downloads_have_file_names(site: Site) -> None:
    response = await site.call("GET", "/api/rooms/r1/transcript?format=srt", "researcher")
    assert response.headers["Content-Disposition"] == 'attachment; filename="room-1-transcript.srt"'
    zipped = await site.call("GET", "/api/deliberations/trial/export", "researcher")
    assert (zipped.content_type, (await zipped.read())[:2]) == ("application/zip", b"PK")


async def test_one_export_at_a_time_and_a_client_that_goes_away_leaves_nothing_behind(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def files() -> list[str]:
        return sorted(path.name for path in site.settings.data_dir.iterdir())

    async def large(_store: Store, _id: str, out: IO[bytes]) -> None:
        out.write(os.urandom(32_000_000))  # more than the buffers of a connection hold

    before = files()
    monkeypatch.setattr(downloads, "export_deliberation", large)
    leaving = await site.call("GET", "/api/deliberations/trial/export", "researcher")
    await leaving.content.read(1)
    assert await code_of(await site.call("GET", "/api/deliberations/trial/export", "researcher")) == "export_running"
    leaving.close()
    async with asyncio.timeout(10):
        while site.client.app[keys.EXPORTS]:
            await asyncio.sleep(0)
    again = await site.call("GET", "/api/deliberations/trial/export", "researcher")
    assert len(await again.read()) == 32_000_000 and files() == before


async def test_health_says_what_is_amiss(site: Site) -> None:
    assert await (await site.call("GET", "/healthz")).json() == {"status": "ok"}
    site.problems = {"transcription": "no recogniser is running"}
    serving = await site.call("GET", "/readyz")
    assert (serving.status, (await serving.json())["problems"]) == (200, site.problems)
    site.problems = {"bus": "away"}
    assert (await site.call("GET", "/readyz")).status == 503


async def test_metrics_are_for_this_machine_and_for_the_operator(site: Site) -> None:
    here = await site.call("GET", "/metrics")
    assert here.status == 200 and "parley_http_requests_total" in await here.text()
    through_a_proxy = {"X-Forwarded-For": "203.0.113.9"}
    assert (await site.call("GET", "/metrics", headers=through_a_proxy)).status == 403
    assert (await site.call("GET", "/metrics", "researcher", headers=through_a_proxy)).status == 403
    assert (await site.call("GET", "/metrics", "admin", headers=through_a_proxy)).status == 200


async def test_pages_are_one_shell_and_assets_are_kept(site: Site, tmp_path: Path) -> None:
    missing = await site.call("GET", "/d/trial/join")
    assert missing.status == 503 and "not built" in await missing.text()
    (tmp_path / "dist" / "assets").mkdir(parents=True)
    (tmp_path / "dist" / "index.html").write_text("<!doctype html><title>Parley</title>")
    (tmp_path / "dist" / "assets" / "main-1a2b.js").write_text("export {}")
    for path in ("/", "/docs", "/d/trial/join", "/d/trial/monitor", "/d/trial/review", "/d/trial/outcome"):
        page = await site.call("GET", path)
        assert page.status == 200 and "<title>Parley" in await page.text()
        assert page.headers["Cache-Control"] == "no-cache"
    script = await site.call("GET", "/assets/main-1a2b.js")
    assert "immutable" in script.headers["Cache-Control"] and "javascript" in script.headers["Content-Type"]
    for path in ("/assets/none.js", "/assets/..%2f..%2fparley.db", "/parley.db", "/d/trial/admin"):
        assert (await site.call("GET", path)).status == 404, path


def test_a_model_on_this_machine_is_not_outside(tmp_path: Path) -> None:
    for url, outside in (
        ("http://127.0.0.1:8000/v1", False),
        ("http://localhost/v1", False),
        ("http://[::1]:8000/v1", False),
        ("https://api.example/v1", True),
        ("http://10.0.0.7/v1", True),
    ):
        assert model_is_outside(settings_for(tmp_path, PARLEY_LLM_BASE_URL=url)) is outside, url
