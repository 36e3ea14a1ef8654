"""A room with real browsers as members."""

from __future__ import annotations

import os

import pytest

from tests.server.media.browsers import CHROMIUM, decodes, member, pages, received
from tests.server.media.clients import AiortcClient, media_room, until

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not os.path.exists(CHROMIUM), reason="Chromium is not installed")]


async def test_browsers_decode_each_other_and_an_aiortc_member_and_come_back_under_the_same_name() -> None:
    async with media_room() as (room, heard), pages(room) as (browser, url):
        ada = await member(browser, url, "ada", 2)
        ben = await member(browser, url, "ben", 2)
        await decodes(received(ada), 20)
        await decodes(received(ben), 20)
        cy = await AiortcClient(room, "cy", slots=2).join()
        await until(lambda: cy.decoded["3"] > 10 and cy.decoded["5"] > 10)
        await ada.evaluate("join('ada', 2)")
        await decodes(received(ada), 20)
        frames = (await ben.evaluate("received()"))["frames"]
        await decodes(received(ben), 20, frames)
        assert heard.states("ada")[-1] == "connected"
        levels = {p.level for p in heard.audio if p.participant_id == "ben"}
        assert None not in levels and len(levels) > 1
        stats = room.stats()
        assert {"ada", "ben"} <= set(stats.peers)
        assert all(peer.malformed == 0 and peer.unauthentic == 0 for peer in stats.peers.values())
        await cy.leave()
