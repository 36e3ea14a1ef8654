"""A room with real browsers as members."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from playwright.async_api import Browser, Page, async_playwright

from server.media import MediaRoom
from tests.server.media.clients import CHROMIUM, CHROMIUM_FLAGS, PAGE, AiortcClient, media_room, until

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not os.path.exists(CHROMIUM), reason="Chromium is not installed")]


@asynccontextmanager
async def pages(room: MediaRoom) -> AsyncIterator[tuple[Browser, str]]:
    async def page(request: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    async def offer(request: web.Request) -> web.Response:
        return web.Response(text=await room.connect(request.match_info["member"], await request.text()))

    app = web.Application()
    app.add_routes([web.get("/", page), web.post("/offer/{member}", offer)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    address = runner.addresses[0]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        try:
            yield browser, f"http://127.0.0.1:{address[1]}/"
        finally:
            await browser.close()
            await runner.cleanup()


async def member(browser: Browser, url: str, name: str, slots: int) -> Page:
    page = await browser.new_page()
    await page.goto(url)
    await page.evaluate("([name, slots]) => join(name, slots)", [name, slots])
    return page


async def decodes(page: Page, frames: int, beyond: int = 0) -> None:
    await page.wait_for_function(
        f"async () => {{ const r = await received(); return r.frames > {beyond + frames} && r.samples > 24000; }}",
        timeout=20_000,
        polling=200,
    )


async def test_browsers_decode_each_other_and_an_aiortc_member_and_come_back_under_the_same_name() -> None:
    async with media_room() as (room, heard), pages(room) as (browser, url):
        ada = await member(browser, url, "ada", 2)
        ben = await member(browser, url, "ben", 2)
        await decodes(ada, 20)
        await decodes(ben, 20)
        cy = await AiortcClient(room, "cy", slots=2).join()
        await until(lambda: cy.decoded["3"] > 10 and cy.decoded["5"] > 10, 20)
        await ada.evaluate("join('ada', 2)")
        await decodes(ada, 20)
        frames = (await ben.evaluate("received()"))["frames"]
        await decodes(ben, 20, frames)
        assert heard.states("ada")[-1] == "connected"
        levels = {p.level for p in heard.audio if p.participant_id == "ben"}
        assert None not in levels and len(levels) > 1
        stats = room.stats()
        assert len(stats.peers) == 3
        assert all(peer.malformed == 0 and peer.unauthentic == 0 for peer in stats.peers.values())
        await cy.leave()
