"""Four people in real browsers, each with their own speech, from consent to the cited summary; then those who watch and those who review."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
import zipfile
from pathlib import Path

from playwright.async_api import Playwright, expect

from simulation.speech import load_library
from tests.e2e.conftest import write_design
from tests.e2e.people import Person, person, speech_file
from tests.e2e.server import ParleyServer

NAMES = ("Maya", "Daniel", "Amara", "Tom")


def words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def overlap(said: str, heard: str) -> float:
    """The share of the words said (long enough to mean something) that were heard."""
    wanted = {w for w in words(said) if len(w) > 3}
    return len(wanted & set(words(heard))) / max(1, len(wanted))


async def sees_moving(someone: Person, others: int) -> None:
    """Wait until frames of so many videos are decoded, and then more of each."""
    first: list[int] = []
    for _ in range(90):
        now = await someone.frames_decoded()
        if len(now) == others and len(first) == others and all(b > a for a, b in zip(first, now, strict=True)):
            return
        first = first if len(first) == others else now
        await asyncio.sleep(0.5)
    raise AssertionError(f"{someone.name} sees {len(first)} of {others} others move")


async def test_four_people_deliberate_from_consent_to_the_cited_summary(
    tmp_path: Path, playwright: Playwright, shots: Path
) -> None:
    library = {speaker.name: speaker for speaker in load_library(None)}
    server = ParleyServer(tmp_path, write_design(tmp_path))
    await server.start()
    people: list[Person] = []
    try:
        for index, name in enumerate(NAMES):
            clips = library[name].clips[:1]
            audio = speech_file(tmp_path / f"{name}.wav", [str(c.path) for c in clips], 6 + 13 * index, 2, 60 - 13 * index)
            size = {"width": 1280, "height": 800} if index == 0 else {"width": 720, "height": 520}
            someone = await person(playwright, name, audio, viewport=size)
            someone.said = " ".join(c.text for c in clips)
            people.append(someone)
        join = server.links["join"]

        # consent comes before any device is asked for
        await people[0].page.goto(join)
        await expect(people[0].page.get_by_test_id("consent-take-part")).to_be_visible()
        assert not await people[0].page.get_by_test_id("consent-take-part").is_checked()
        await people[0].shot(shots, "consent")
        await asyncio.gather(*(p.consent(join, record=True) for p in people))
        await people[0].shot(shots, "lobby")
        await asyncio.gather(*(p.enter() for p in people))
        await asyncio.gather(*(p.in_room(60_000) for p in people))

        # everyone sees the other three move
        for someone in people:
            await sees_moving(someone, 3)

        # captions of every speaker under the right name, on every page
        async def captions_of(someone: Person) -> dict[str, str]:
            found = await someone.page.evaluate(
                """() => {
                    const names = Object.fromEntries([...document.querySelectorAll('[data-testid^=tile-]')].map(
                        tile => [tile.dataset.participant, tile.dataset.name]));
                    const said = {};
                    for (const line of document.querySelectorAll('[data-testid=caption]:not(.partial)')) {
                        const name = names[line.dataset.participant];
                        said[name] = (said[name] ?? '') + ' ' + (line.querySelector('.words')?.textContent ?? '');
                    }
                    return said;
                }"""
            )
            return dict(found)

        for someone in people:
            heard: dict[str, str] = {}
            for _ in range(300):
                heard = await captions_of(someone)
                if all(overlap(p.said, heard.get(p.name, "")) >= 0.7 for p in people):
                    break
                await asyncio.sleep(0.5)
            for speaker in people:
                assert overlap(speaker.said, heard.get(speaker.name, "")) >= 0.7, (
                    f"on {someone.name}'s page {speaker.name} said {heard.get(speaker.name)!r}"
                )
                for other in people:
                    if other is not speaker:
                        assert overlap(speaker.said, heard[speaker.name]) > overlap(other.said, heard[speaker.name])

        # a facilitator's card, with its reason
        await expect(people[0].page.get_by_test_id("card").first).to_be_visible()
        await people[0].page.get_by_test_id("card-why").first.locator("summary").click()
        assert len(words(await people[0].page.get_by_test_id("card-why").first.inner_text())) > 5
        await people[0].shot(shots, "room")

        # a facilitator watches
        monitor = await person(playwright, "monitor", None)
        people.append(monitor)
        await monitor.page.goto(server.links["monitor"])
        await expect(monitor.page.get_by_test_id("monitor-room").first).to_be_visible()
        for name in NAMES:
            await expect(monitor.page.get_by_test_id("monitor-room").first).to_contain_text(name)
        await monitor.shot(shots, "monitor")
        await monitor.close()
        people.pop()

        # moving on together, voting, counted alike for all
        for someone in people[:3]:
            await someone.page.get_by_test_id("ready").click()
        for someone in people:
            await expect(someone.page.get_by_test_id("statement").first).to_be_visible()
        seed = "[data-testid=statement][data-statement='statements-seed-1']"
        for someone, vote in zip(people, ("agree", "agree", "disagree", "pass"), strict=True):
            await someone.page.locator(seed).get_by_test_id(f"vote-{vote}").click()
        for someone in people:
            tally = someone.page.locator(seed).get_by_test_id("tally")
            await expect(tally).to_have_attribute("data-agree", "2")
            await expect(tally).to_have_attribute("data-disagree", "1")
            await expect(tally).to_have_attribute("data-pass", "1")
        await people[0].shot(shots, "statements")

        # the closing: every cited utterance holds words of the sentence that cites it
        for someone in people[:3]:
            await someone.page.get_by_test_id("ready").click()
        await expect(people[0].page.get_by_test_id("summary-sentence").first).to_be_visible()
        sentences = await people[0].page.evaluate(
            """() => [...document.querySelectorAll('[data-testid=summary-sentence]')].map(s => ({
                text: s.querySelector('.sentence-text').textContent,
                cited: [...s.querySelectorAll('[data-testid^=citation]')].map(c => c.textContent),
            }))"""
        )
        assert sentences
        for sentence in sentences:
            assert sentence["cited"], f"uncited: {sentence['text']!r}"
            assert overlap(sentence["text"], " ".join(sentence["cited"])) >= 0.5, sentence
        for someone in people:
            await someone.page.get_by_test_id("mark-right").first.click()
            await someone.page.get_by_test_id("poll-trust").locator("input").nth(3).check(force=True)
            await someone.page.get_by_test_id("poll-submit").click()
        await people[0].shot(shots, "closing")
        for someone in people[:3]:
            await someone.page.get_by_test_id("ready").click()
        for someone in people:
            await expect(someone.page.get_by_test_id("thanks")).to_be_visible()
        await people[0].shot(shots, "thanks")
        unexpected = {p.name: p.errors for p in people if p.errors}
        assert not unexpected, unexpected
        for someone in people:
            await someone.close()
        people.clear()

        # the researcher's page shows the same, and every download parses
        reviewer = await person(playwright, "reviewer", None)
        people.append(reviewer)
        await reviewer.page.goto(server.links["review"])
        await expect(reviewer.page.get_by_test_id("review-utterance").first).to_be_visible()
        text = await reviewer.page.locator("body").inner_text()
        for name in NAMES:
            assert name in text
        await reviewer.page.get_by_test_id("tab-summary").click()
        await expect(reviewer.page.get_by_test_id("summary-sentence").first).to_contain_text(sentences[0]["text"])
        await reviewer.shot(shots, "review")
        await check_downloads(server, sentences)
    finally:
        for someone in people:
            await someone.close()
        assert await server.stop() == 0


async def check_downloads(server: ParleyServer, sentences: list[dict[str, str]]) -> None:
    token = server.token("review")
    rooms = await server.get("/api/deliberations/e2e/rooms", token)
    room_id = rooms[0]["room_id"]

    async def fetch(form: str) -> str:
        return (await server.get(f"/api/rooms/{room_id}/transcript?format={form}", token, raw=True)).decode()

    said = json.loads(await fetch("json"))
    utterances = said["utterances"] if isinstance(said, dict) else said
    assert len(utterances) >= 4
    assert (await fetch("vtt")).startswith("WEBVTT")
    assert re.match(r"1\r?\n\d\d:\d\d:\d\d,\d\d\d --> ", await fetch("srt"))
    assert "Maya" in await fetch("txt")
    rows = list(csv.DictReader(io.StringIO(await fetch("csv"))))
    assert len(rows) == len(utterances)
    archive = zipfile.ZipFile(io.BytesIO(await server.get("/api/deliberations/e2e/export", token, raw=True)))
    assert archive.testzip() is None
    names = archive.namelist()
    for wanted in ("events.jsonl", "votes.csv", ".vtt", ".ogg", "README"):
        assert any(wanted in name for name in names), f"{wanted} is not in {names}"
    votes = next(name for name in names if name.endswith("votes.csv"))
    assert len(list(csv.DictReader(io.StringIO(archive.read(votes).decode())))) >= 4
    events = next(name for name in names if name.endswith("events.jsonl"))
    seqs = [json.loads(line)["seq"] for line in archive.read(events).decode().splitlines()]
    assert seqs == list(range(1, len(seqs) + 1)), "the log has a gap"
    assert sentences[0]["text"] in archive.read(next(n for n in names if "summary" in n)).decode()
