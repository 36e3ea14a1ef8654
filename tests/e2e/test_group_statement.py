"""Two people with different languages and one model: each reads the other in translation, and together they come to a text with its dissent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiohttp import web
from playwright.async_api import Page, Playwright, expect

from tests.e2e.conftest import write_design
from tests.e2e.people import Person, person
from tests.e2e.server import ParleyServer

BUSES = "The buses must run through the whole night."
SHOPS = "Las tiendas necesitan reparto por la mañana."
TRANSLATED = "[es] "
STAGES = [
    {"id": "statements", "kind": "statements", "title": "What we say", "minutes": None},
    {"id": "ours", "kind": "group-statement", "title": "What we can stand behind", "prompt": "Find words for all of you.", "minutes": 20},
    {"id": "closing", "kind": "closing", "title": "Closing", "minutes": 6},
]


def answer(asked: dict[str, Any]) -> dict[str, Any]:
    """Play a model: it joins the members' own words, takes up critiques, and translates by a mark in front."""
    data = json.loads(asked["messages"][1]["content"])
    if "texts" in data:
        return {"translations": [{"n": t["n"], "text": TRANSLATED + t["text"]} for t in data["texts"]]}
    if "views" in data:
        views = [view["text"] for view in data["views"]]
        if data.get("critiques"):
            return {"statements": [" ".join([*views, *data["critiques"]])]}
        return {"statements": [" ".join(views), views[0]]}
    return {"sentences": [], "statements": []}


@asynccontextmanager
async def model() -> AsyncIterator[str]:
    """Serve an OpenAI-compatible model on a free port."""

    async def complete(request: web.Request) -> web.Response:
        message = {"role": "assistant", "content": json.dumps(answer(await request.json()))}
        return web.json_response({
            "id": "c", "object": "chat.completion", "created": 1, "model": "played",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        })  # fmt: skip

    app = web.Application()
    app.router.add_post("/v1/chat/completions", complete)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


async def fits(page: Page) -> None:
    wide = await page.evaluate("() => document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0, f"the page is {wide} px too wide"


async def test_two_languages_come_to_one_text_with_its_dissent(tmp_path: Path, playwright: Playwright, shots: Path) -> None:
    groups = {"min_size": 2, "target_size": 2, "max_size": 4, "wait_seconds": 60}
    design = write_design(tmp_path, groups=groups, stages=STAGES, poll=[], privacy={"mode": "pseudonym"}, practice=False)
    people: list[Person] = []
    async with model() as url:
        server = ParleyServer(tmp_path, design, PARLEY_LLM_BASE_URL=url, PARLEY_LLM_MODEL="played")
        await server.start()
        try:
            maya = await person(playwright, "Maya", None, viewport={"width": 1280, "height": 800}, locale="en-GB")
            tomas = await person(playwright, "Tomás", None, viewport={"width": 360, "height": 740}, locale="es-ES")
            people += [maya, tomas]
            for someone, code in ((maya, "en"), (tomas, "es")):
                await someone.page.add_init_script(f"localStorage.getItem('parley.language') ?? localStorage.setItem('parley.language', '{code}')")
                await someone.consent(server.links["join"])
                await someone.enter()
            await asyncio.gather(*(p.in_room() for p in people))
            await deliberate(maya, tomas, shots)
            await review(server, maya, shots)
            assert [p.errors for p in people] == [[], []]
        finally:
            await asyncio.gather(*(p.close() for p in people))
            await server.stop()


async def deliberate(maya: Person, tomas: Person, shots: Path) -> None:
    for someone, text in ((maya, BUSES), (tomas, SHOPS)):
        await someone.page.get_by_test_id("statement-new").fill(text)
        await someone.page.get_by_test_id("statement-submit").click()

    # each reads the other in their own language, with the original at hand
    buses = tomas.page.get_by_test_id("statement").filter(has_text=BUSES)
    await expect(buses.get_by_test_id("translated")).to_have_text(TRANSLATED + BUSES)
    await buses.locator("details.original summary").click()
    await expect(buses.locator("details.original p")).to_have_text(BUSES)
    await tomas.shot(shots, "translated-360")
    await tomas.page.reload()
    await expect(tomas.page.get_by_test_id("statement").filter(has_text=BUSES).get_by_test_id("translated")).to_be_visible()
    await expect(maya.page.get_by_test_id("statement").filter(has_text=SHOPS).get_by_test_id("translated")).to_be_visible()

    for someone in (maya, tomas):
        await someone.page.get_by_test_id("ready").click()

    # two texts to rank: by keyboard, and in private
    for someone in (maya, tomas):
        await expect(someone.page.get_by_test_id("group-option")).to_have_count(2)
        await fits(someone.page)
    await maya.shot(shots, "group-ranking")
    await tomas.shot(shots, "group-ranking-360")
    whole = maya.page.get_by_test_id("group-option").filter(has_text=SHOPS)
    await expect(whole).to_contain_text(BUSES)
    for someone in (maya, tomas):
        options = someone.page.get_by_test_id("group-option")
        if SHOPS not in await options.nth(0).inner_text():
            down = options.nth(0).locator(".ballot-moves button:enabled")
            await down.focus()
            await someone.page.keyboard.press("Enter")
        await expect(options.nth(0)).to_contain_text(SHOPS)
        await someone.page.get_by_test_id("group-rank").focus()
        await someone.page.keyboard.press("Enter")

    # one asks for a change, the other does not
    await maya.page.get_by_test_id("group-critique-text").fill("Somebody must pay the night drivers.")
    await maya.shot(shots, "group-critique")
    await maya.page.get_by_test_id("group-critique").click()
    await expect(maya.page.get_by_test_id("group-critique-done")).to_be_visible()
    await tomas.page.get_by_test_id("group-critique-none").click()

    # the revision against what it revises; then the result, with its dissent
    for someone in (maya, tomas):
        await expect(someone.page.locator('[data-testid="group-statement"][data-round="2"]')).to_be_visible()
        options = someone.page.get_by_test_id("group-option")
        if "night drivers" not in await options.nth(0).inner_text():
            await options.nth(0).locator(".ballot-moves button:enabled").click()
        await expect(options.nth(0)).to_contain_text("night drivers")
        await someone.page.get_by_test_id("group-rank").click()
    for someone in (maya, tomas):
        await expect(someone.page.locator('[data-testid="group-statement"][data-step="final"]')).to_be_visible()
    await maya.page.get_by_test_id("group-behind").click()
    await tomas.page.get_by_test_id("group-words").fill("Falta la mañana de los mercados.")
    await tomas.page.get_by_test_id("group-against").click()
    await expect(maya.page.get_by_test_id("group-dissent")).to_contain_text("Falta la mañana")
    await expect(maya.page.get_by_test_id("group-tally")).to_have_attribute("data-behind", "1")
    await fits(tomas.page)
    await maya.shot(shots, "group-result")
    await tomas.shot(shots, "group-result-360")
    for someone in (maya, tomas):
        await someone.page.get_by_test_id("ready").click()
    await expect(maya.page.locator(".closing").get_by_test_id("group-dissent")).to_be_visible()


async def review(server: ParleyServer, maya: Person, shots: Path) -> None:
    """The text stays with its dissent, without names, where the record is read."""
    (room,) = await server.get("/api/deliberations/e2e/rooms")
    page = await maya.context.new_page()
    await page.goto(server.links["review"])
    await page.get_by_test_id("tab-group").click()
    await expect(page.get_by_test_id("group-dissent")).to_contain_text("Falta la mañana")
    await expect(page.get_by_test_id("group-text").first).to_contain_text("night drivers")
    await page.screenshot(path=str(shots / "group-review.png"))
    events = await server.get(f"/api/rooms/{room['room_id']}/events?after=0")
    kinds = [e["payload"]["kind"] for e in events]
    assert kinds.count("group_statement.chosen") == 2 and "text.translated" in kinds
