from __future__ import annotations

from typing import Any

import pytest
from aiohttp.test_utils import make_mocked_request

from deliberation.errors import Unavailable
from server.http.limits import Bucket, Limiter
from server.http.security import GUESS_BURST, MAX_BODY_BYTES, REQUEST_BURST, client_address, same_origin
from tests.server.http.conftest import Site


async def error_of(response: Any) -> tuple[int, str]:
    return response.status, (await response.json())["error"]["code"]


@pytest.mark.parametrize("path", ["/", "/api/deliberations/trial", "/healthz", "/assets/none.js", "/nowhere"])
async def test_every_answer_carries_the_strict_policy(site: Site, path: str) -> None:
    headers = (await site.call("GET", path)).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "script-src 'self'" in policy
    assert "unsafe" not in policy and "*" not in policy and "http" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "camera=(self)" in headers["Permissions-Policy"]


async def test_answers_of_the_api_are_not_kept_by_caches(site: Site) -> None:
    assert (await site.call("GET", "/api/rooms/r1", "researcher")).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("origin", ["http://evil.test", "https://parley.test", "null", "http://parley.test.evil.test"])
async def test_a_websocket_from_another_site_is_refused(site: Site, origin: str) -> None:
    headers = {"Origin": origin, "Upgrade": "websocket", "Connection": "Upgrade"}
    assert await error_of(await site.call("GET", "/ws", headers=headers)) == (403, "origin_not_allowed")


async def test_a_change_asked_for_by_another_sites_page_is_refused(site: Site) -> None:
    response = await site.call("DELETE", "/api/participants/p1", "admin", headers={"Origin": "http://evil.test"})
    assert await error_of(response) == (403, "origin_not_allowed")
    assert site.rooms.asked == []


def test_the_servers_own_pages_and_programs_without_a_browser_are_of_the_same_origin() -> None:
    def asks(origin: str | None, host: str = "localhost:8080") -> bool:
        headers = {"Host": host, **({"Origin": origin} if origin else {})}
        return same_origin(make_mocked_request("GET", "/ws", headers=headers), "https://parley.example")

    assert asks(None) and asks("https://parley.example") and asks("http://localhost:8080")
    assert not asks("http://parley.example") and not asks("http://localhost:9090") and not asks("null")


async def test_errors_have_one_form(site: Site) -> None:
    assert await error_of(await site.call("GET", "/nowhere")) == (404, "no_such_page")
    assert await error_of(await site.call("PUT", "/api/deliberations", "admin")) == (405, "method_not_allowed")
    assert await error_of(await site.call("GET", "/api/deliberations/none", "admin")) == (404, "no_such_deliberation")
    assert await error_of(await site.call("POST", "/api/participants/p1/move", "admin", data=b"{")) == (400, "bad_json")
    nested = await site.call("POST", "/api/participants/p1/move", "admin", data=b"[" * 100_000)
    assert await error_of(nested) == (400, "bad_json")
    wrong = await site.call("POST", "/api/participants/p1/move", "admin", json={"room": "my secret words"})
    assert await error_of(wrong) == (400, "invalid_request")
    assert "my secret words" not in await wrong.text() and "room_id" in await wrong.text()


async def test_a_body_that_is_too_large_is_refused(site: Site) -> None:
    big = await site.call("POST", "/api/designs/check", "admin", data=b"x" * (MAX_BODY_BYTES + 1))
    assert await error_of(big) == (413, "body_too_large")


async def test_a_bug_is_told_without_details(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def breaks(*_: object) -> None:
        raise RuntimeError("what Gudrun said")

    monkeypatch.setattr(site.store, "rooms", breaks)
    response = await site.call("GET", "/api/deliberations/trial/rooms", "admin")
    assert await error_of(response) == (500, "internal")
    assert "Gudrun" not in await response.text()


async def test_a_database_that_is_away_is_a_503_that_may_be_tried_again(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise Unavailable("storage_unavailable", "The database cannot be reached just now.")

    monkeypatch.setattr(site.store, "rooms", away)
    response = await site.call("GET", "/api/deliberations/trial/rooms", "admin")
    assert (response.status, response.headers["Retry-After"]) == (503, "2")


async def test_joins_are_limited_by_address(site: Site) -> None:
    body = {"name": "Ada", "consent": {"take_part": True}, "consent_version": "old"}
    codes = [
        await error_of(await site.call("POST", "/api/deliberations/trial/participants", "invitation", json=body))
        for _ in range(site.settings.joins_per_minute + 1)
    ]
    assert codes[-2:] == [(409, "consent_changed"), (429, "too_many_joins")]
    site.now += 2
    again = await site.call("POST", "/api/deliberations/trial/participants", "invitation", json=body)
    assert await error_of(again) == (409, "consent_changed")


async def test_guessing_links_is_slowed_down_and_nobody_elses_link_suffers(site: Site) -> None:
    codes = [await error_of(await site.call("GET", "/api/rooms/r1", f"p1.guess.{n}")) for n in range(int(GUESS_BURST) + 2)]
    assert codes[0] == (403, "link_invalid")
    assert codes[-1] == (429, "too_many_attempts")
    assert (await site.call("GET", "/api/rooms/r1", "researcher")).status == 200


def test_a_bucket_allows_a_burst_and_then_its_rate() -> None:
    bucket = Bucket.full(rate=2, burst=3, now=0)
    assert [bucket.take(0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(0.5), bucket.take(0.5)] == [True, False]
    assert [bucket.take(100) for _ in range(4)] == [True, True, True, False]
    assert not bucket.take(50)  # a clock that steps back gives nothing


def test_a_limiter_remembers_a_bounded_number_of_keys() -> None:
    limiter = Limiter(rate=0.001, burst=1, size=2)
    assert limiter.allow("a", 0) and not limiter.allow("a", 0)
    assert limiter.allow("b", 0) and limiter.allow("c", 0)
    assert limiter.allow("a", 0)  # forgotten, since two others came after it
    assert REQUEST_BURST > 100


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "203.0.113.9", "192.0.2.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "10.0.0.1, 203.0.113.9", "203.0.113.9"),
        (2, "203.0.113.9, 10.0.0.1", "203.0.113.9"),
        (2, "203.0.113.9", "192.0.2.1"),
        (1, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        (1, "::ffff:203.0.113.9", "203.0.113.9"),
        (1, "not an address", "not an address"),
    ],
)
def test_an_address_is_what_trusted_proxies_say(proxies: int, forwarded: str, address: str) -> None:
    request = make_mocked_request("GET", "/", headers={"X-Forwarded-For": forwarded}).clone(remote="192.0.2.1")
    assert client_address(request, proxies) == address
