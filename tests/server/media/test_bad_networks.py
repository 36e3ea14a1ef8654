"""Real browsers on networks that lose packets or carry little."""

from __future__ import annotations

import asyncio
import os

import pytest

from server.media import QualityChanged
from tests.server.media.browsers import CHROMIUM, decodes, member, pages, received
from tests.server.media.clients import media_room, until
from tests.server.media.links import Network

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not os.path.exists(CHROMIUM), reason="Chromium is not installed")]


async def test_a_call_holds_while_packets_are_lost_both_ways() -> None:
    network = Network(ada={"loss": 0.05, "seed": 1}, ben={"loss": 0.05, "seed": 2})
    async with media_room() as (room, _), pages(room, network) as (browser, url):
        ada = await member(browser, url, "ada", 1)
        ben = await member(browser, url, "ben", 1)
        for loss, seconds, least_frames, most_concealed in ((0.05, 4, 25, 0.2), (0.20, 5, 5, 0.5)):
            for link in network.links.values():
                link.loss = loss
            await decodes(received(ada), 5)
            await decodes(received(ben), 5)
            before = await ben.evaluate("received()")
            # The network is real here, so that time is, too.
            await asyncio.sleep(seconds)
            after = await ben.evaluate("received()")
            change = {key: after[key] - before[key] for key in after}
            assert change["samples"] > 24_000 * seconds and change["energy"] > 0
            assert change["concealed"] < most_concealed * change["samples"]
            assert change["frames"] > least_frames
            if loss < 0.1:
                assert change["freezes"] < 2.0
        stats = room.stats().peers
        assert after["rtx"] > 0 and stats["ben"].retransmitted > 0
        assert stats["ada"].loss_up > 0


async def test_a_member_with_a_narrow_line_keeps_the_sound_while_others_keep_the_picture() -> None:
    async with media_room() as (room, heard), pages(room, Network(ada={"down_bits": 150_000})) as (browser, url):
        ada = await member(browser, url, "ada", 2)
        ben = await member(browser, url, "ben", 2)
        cy = await member(browser, url, "cy", 2)
        await decodes(received(ben), 10)
        await decodes(received(cy), 10)
        await until(lambda: any(isinstance(c, QualityChanged) and c.member_id == "ada" for c in heard.changes), 30)
        seen = await ben.evaluate("received()")
        # Within a few seconds the line is left to the sound.
        for _ in range(8):
            before = await ada.evaluate("received()")
            await asyncio.sleep(2)
            after = await ada.evaluate("received()")
            concealed, samples = (after[key] - before[key] for key in ("concealed", "samples"))
            if concealed < 0.1 * samples:
                break
        else:
            pytest.fail("the sound did not recover")
        await decodes(received(ben), 10, seen["frames"])
        changed = {c.member_id for c in heard.changes if isinstance(c, QualityChanged)}
        assert changed == {"ada"}
        assert all(c.why == "connection" for c in heard.changes if isinstance(c, QualityChanged) and c.level != "full")
