"""A room in which Firefox and Chromium meet."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from server.media import MediaConfig
from server.media.udp import local_addresses
from tests.server.media.browsers import CHROMIUM, decodes, member, pages, received
from tests.server.media.clients import media_room
from tests.server.media.firefox import FIREFOX, firefox

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(not os.path.exists(CHROMIUM), reason="Chromium is not installed"),
    pytest.mark.skipif(FIREFOX is None, reason="Firefox is not installed"),
    pytest.mark.skipif(
        len(local_addresses()) < 2, reason="Firefox gathers no loopback candidates, and there is no other address"
    ),
]


async def test_firefox_and_chromium_decode_each_other(tmp_path: Path) -> None:
    async with (
        media_room(MediaConfig(udp_ports=(0, 0))) as (room, heard),
        pages(room) as (chromium, url),
        firefox(tmp_path, url) as fox,
    ):
        ada = await member(chromium, url, "ada", 2)
        await fox.evaluate("join('fox', 2)")
        await decodes(received(ada), 20)
        await decodes(lambda: fox.evaluate("received()"), 20)
        peers = room.stats().peers
        assert all(peer.malformed == peer.unauthentic == 0 for peer in peers.values())
        levels = {p.level for p in heard.audio if p.participant_id == "fox"}
        assert levels and None not in levels
