from __future__ import annotations

from server.http.security import PRECEDENT_BURST
from tests.server.http.conftest import Site

PATH = "/api/deliberations/trial/precedents"


async def test_anyone_may_ask_and_is_told_where_there_are_no_cases(site: Site) -> None:
    for role in (None, "participant", "admin"):
        answer = await site.call("POST", PATH, role, json={"text": "A tenant's heater is broken."})
        assert answer.status == 404 and (await answer.json())["error"]["code"] == "no_cases"
    assert (await site.call("POST", "/api/deliberations/nowhere/precedents", json={"text": "A case."})).status == 404


async def test_a_case_without_words_or_too_long_is_refused_without_repeating_it(site: Site) -> None:
    for text in ("", "x" * 2001):
        answer = await site.call("POST", PATH, json={"text": text})
        assert answer.status == 400 and "xxx" not in await answer.text()


async def test_one_address_may_ask_so_many_at_once_and_again_after_a_while(site: Site) -> None:
    for _ in range(int(PRECEDENT_BURST)):
        assert (await site.call("POST", PATH, json={"text": "A case."})).status == 404
    assert (await site.call("POST", PATH, json={"text": "A case."})).status == 429
    site.now += 4
    assert (await site.call("POST", PATH, json={"text": "A case."})).status == 404
