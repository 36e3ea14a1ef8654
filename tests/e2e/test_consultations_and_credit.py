"""Linked consultations and credit, each from the organisers' page to the outcome: writers, a group on site, a survey; and whose words it was."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
import urllib.request
import wave
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from playwright.async_api import Page, Playwright, expect

import simulation
from server.http.models import JoinInfo, JoinRequest
from simulation.joining import JoinLink, join
from tests.e2e.conftest import write_design
from tests.e2e.people import Person, person, samples
from tests.e2e.server import ADMIN_TOKEN, ParleyServer
from tests.e2e.texters import Writer

CLIPS = Path(simulation.__file__).parent / "speech"
MINE = "Every school should teach cooking because it saves families money."
TRAM = "The city should build a tram to the harbour before another road."
SAID = (
    TRAM,
    "We should keep the library open on Sundays because many people work all week.",
    "Night buses must serve the villages too or young people will leave them.",
)
DESIGN: dict[str, Any] = {
    "id": "consult", "title": "What should our town do?", "question": "What should our town do in the next five years?",
    "groups": {"min_size": 3, "target_size": 5, "max_size": 5, "wait_seconds": 60}, "practice": False, "survey": {},
    "stages": [
        {"id": "talk", "title": "Where we stand", "minutes": 4},
        {"id": "vote", "kind": "statements", "title": "What we can say", "minutes": 4},
        {"id": "end", "kind": "closing", "title": "Closing", "minutes": 4},
    ],
    "facilitation": {"mode": "rules", "time": {"min_stage_seconds": 0, "overtime_grace_seconds": 0}, "drafted_statements": 5},
    "consent": {"licence": "CC BY 4.0"},
}  # fmt: skip
VOICE = """
    window.__spoken = [];
    const voice = {
        getVoices: () => [{ name: 'Test', lang: 'en' }],
        cancel: () => {},
        speak: (one) => { window.__spoken.push([one.text, one.lang]); setTimeout(() => one.onend(), 300); },
    };
    Object.defineProperty(window, 'speechSynthesis', { value: voice, configurable: true });
"""


async def organise(page: Page, server: ParleyServer, design: dict[str, Any]) -> dict[str, str]:
    """Make the deliberation on the organisers' page; return its links."""
    await page.goto(f"{server.url}/#k={ADMIN_TOKEN}")
    await page.get_by_test_id("tab-file").click()
    await page.get_by_test_id("design-source").fill(yaml.safe_dump(design, sort_keys=False))
    await page.get_by_test_id("create").click()
    created = page.get_by_test_id("created")
    links = {}
    for name in ("join", "outcome", "review", *(("survey",) if "survey" in design else ())):
        links[name] = await created.get_by_test_id(f"link-{name}").get_attribute("href") or ""
    assert all(links.values()), links
    await page.goto("about:blank")
    return links


async def write_along(someone: Person, link: str) -> None:
    """Join in writing only, by keyboard: no device is ever asked for."""
    await someone.page.add_init_script("navigator.mediaDevices.getUserMedia = () => { window.__asked = true; throw new Error('asked'); };")
    await someone.consent(link)
    await someone.page.get_by_test_id("way-chat").check()
    await someone.page.evaluate("window.__asked = false")
    await someone.enter()
    await someone.in_room()


async def say_in_writing(someone: Person, text: str) -> None:
    page = someone.page
    await page.keyboard.press("r")  # asks to speak, gets the floor, writes there, gives it back
    await expect(page.get_by_test_id("write-input")).to_be_focused()
    await page.keyboard.type(text)
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-testid=caption].own")).to_contain_text(text)


async def vote_and_go_on(page: Page, *, summary: bool = True) -> None:
    """Agree with every statement, and wait until the conversation is over."""
    await page.locator("[data-stage=vote]").wait_for()
    await page.locator("[data-testid=vote-agree]").first.wait_for()
    for button in await page.get_by_test_id("vote-agree").all():
        await button.click()
    await page.get_by_test_id("thanks").wait_for()


def recording(path: Path) -> Path:
    """Mix two speakers of the packaged speech into one meeting, each on a channel."""
    manifest = json.loads((CLIPS / "manifest.json").read_text())["clips"]
    one, two = (samples(str(CLIPS / manifest[i]["file"])) for i in (10, 9))
    pause = np.zeros(16_000, np.int16)
    left = np.concatenate([one, pause, np.zeros_like(two)])
    right = np.concatenate([np.zeros_like(one), pause, two])
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(np.stack([left, right], axis=1).tobytes())
    return path


async def import_group(server: ParleyServer, file: Path) -> str:
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PARLEY_", "OPENAI_"))}
    command = ["import", str(file), "--deliberation", "consult", "--cohort", "Village hall", "--speakers", "Ode, Pia"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "server", *command, "--data-dir", str(server.folder / "data"),
        env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, stdin=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    out, problems = await process.communicate()
    assert process.returncode == 0, problems.decode()[-2000:]
    return out.decode()


async def answer_survey(link: JoinLink, number: int) -> None:
    """Answer by HTTP as the survey's page does: with a reason, voting for everything."""

    def want(info: JoinInfo) -> JoinRequest:
        consent = {"take_part": True, "quote": True}
        return JoinRequest(name=f"R{number}", consent=consent, consent_version=info.consent.version, mode="survey")  # type: ignore[arg-type]

    token = (await join(link, want)).token

    def do(command: dict[str, Any]) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{link.server}/api/survey", json.dumps(command).encode(), headers, method="POST")
        with urllib.request.urlopen(request, timeout=20) as response:
            found: dict[str, Any] = json.load(response)
            return found

    shown = await asyncio.to_thread(do, {"type": "chat.post", "text": f"The tram matters most to me since reason {number} keeps coming back."})
    for statement in shown["statements"]:
        await asyncio.to_thread(do, {"type": "statement.vote", "statement_id": statement["statement_id"], "value": 1})
    await asyncio.to_thread(do, {"type": "stage.ready", "ready": True})


async def looks(page: Page, shots: Path, name: str) -> None:
    """Keep screenshots: wide, dark, Arabic, and as narrow as a phone, where nothing may stick out."""
    await page.screenshot(path=str(shots / f"{name}.png"), full_page=True)
    await page.emulate_media(color_scheme="dark")
    await page.set_viewport_size({"width": 360, "height": 740})
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    await page.screenshot(path=str(shots / f"{name}-phone-dark.png"), full_page=True)
    await page.emulate_media(color_scheme="light")
    await page.set_viewport_size({"width": 1280, "height": 800})


async def test_rooms_a_group_on_site_and_a_survey_are_one_consultation(tmp_path: Path, playwright: Playwright, shots: Path) -> None:
    server = ParleyServer(tmp_path, write_design(tmp_path), PARLEY_WORKERS="0")
    await server.start()
    writer = await person(playwright, "Wren", None)
    writer.page.set_default_timeout(25_000)
    listener = await person(playwright, "Sol", None, "--use-fake-device-for-media-stream=fps=5")
    try:
        links = await organise(writer.page, server, DESIGN)
        importing = asyncio.create_task(import_group(server, recording(tmp_path / "hall.wav")))
        await listener.page.add_init_script(VOICE)
        bots = [Writer(f"Bot {n}", 1, "", {}, 1, says=text, heard=4) for n, text in enumerate(SAID)]
        async with asyncio.timeout(85), asyncio.TaskGroup() as group:
            for bot in bots:
                group.create_task(bot.take_part(JoinLink.parse(links["join"]), rounds=1))
            await listener.consent(links["join"])
            await listener.enter()
            await write_along(writer, links["join"])
            await listener.in_room()
            await say_in_writing(writer, MINE)
            await writer.shot(shots, "writing-room")
            written = listener.page.locator("[data-testid=caption]", has_text=MINE)
            await expect(written).to_contain_text("Wren")
            await expect(written).to_contain_text("(in writing)")
            await listener.page.wait_for_function("text => window.__spoken.some(([said]) => said.includes(text))", arg=MINE)
            assert [f"Wren: {MINE}", "en"] in await listener.page.evaluate("window.__spoken")
            assert not await writer.page.evaluate("window.__asked") and await writer.page.get_by_test_id("microphone").count() == 0
            await asyncio.gather(vote_and_go_on(writer.page), vote_and_go_on(listener.page))
        said = await importing
        assert "of consult now" in said, said

        survey = await writer.context.new_page()
        await survey.goto(links["survey"])
        await survey.get_by_test_id("consent-take-part").check()
        await survey.get_by_test_id("consent-continue").click()
        await survey.get_by_test_id("lobby-name").fill("Ann")
        await survey.get_by_test_id("lobby-join").click()
        await survey.get_by_test_id("survey-text").fill("Sounds fine.")
        await survey.get_by_test_id("survey-send").click()
        await expect(survey.get_by_test_id("follow-up")).to_be_visible()
        await survey.get_by_test_id("survey-text").fill("A tram would spare me two buses on the way to work.")
        await survey.get_by_test_id("survey-send").click()
        await expect(survey.get_by_test_id("follow-up")).to_have_count(0)
        for vote in await survey.get_by_test_id("survey-vote-1").all():
            await vote.check()
        await looks(survey, shots, "survey")
        await survey.get_by_test_id("survey-done").click()
        await expect(survey.get_by_test_id("survey-thanks")).to_be_visible()
        join_link = JoinLink.parse(links["survey"].replace("/survey#", "/join#"))
        await asyncio.gather(*(answer_survey(join_link, n) for n in range(10)))

        page = await writer.context.new_page()
        await page.goto(links["outcome"])
        cohorts = page.get_by_test_id("cohorts")
        await expect(cohorts).to_contain_text("survey")
        await expect(cohorts.locator("li", has_text="Village hall")).to_contain_text("fewer than 5")
        await expect(page.get_by_test_id("cohorts-common")).to_contain_text(TRAM.rstrip("."))
        await expect(page.get_by_test_id("themes").first).to_contain_text("tram")
        await looks(page, shots, "outcome-cohorts")
        token = links["review"].split("#k=")[1]
        record = await server.get("/api/deliberations/consult/record", token)
        people = {(p["mode"], p["cohort"]): 0 for p in record["participants"]}
        for p in record["participants"]:
            people[p["mode"], p["cohort"]] += 1
        assert people == {("online", "main"): 1, ("chat", "main"): 4, ("on-site", "Village hall"): 2, ("survey", "survey"): 10}
        full = await server.get("/api/deliberations/consult/outcomes", token)
        figures = next(r["figures"] for r in full["results"] if r["method"] == "cohorts")
        assert any("Village hall" in one["said_in"] for one in figures["statements"])
        await page.goto("about:blank")
        await page.goto(f"{links['outcome']}#k={token}")
        await expect(page.get_by_test_id("cohorts").locator("li", has_text="Village hall")).to_contain_text("on site")
        assert not [e for e in (*writer.errors, *listener.errors) if "asked" not in e], (writer.errors, listener.errors)
    finally:
        await writer.close()
        await listener.close()
        await server.stop()


async def test_participants_see_where_their_words_went_and_take_them_back(tmp_path: Path, playwright: Playwright, shots: Path) -> None:
    server = ParleyServer(tmp_path, write_design(tmp_path), PARLEY_WORKERS="0")
    await server.start()
    writer = await person(playwright, "Wren", None)
    writer.page.set_default_timeout(25_000)
    try:
        links = await organise(writer.page, server, DESIGN)
        more = (*SAID, "The council must publish what every street repair costs before it starts.")
        bots = [Writer(f"Bot {n}", 1, "", {}, 1, says=text, heard=5) for n, text in enumerate(more)]
        async with asyncio.timeout(80), asyncio.TaskGroup() as group:
            for bot in bots:
                group.create_task(bot.take_part(JoinLink.parse(links["join"]), rounds=1))
            await write_along(writer, links["join"])
            await say_in_writing(writer, MINE)
            await vote_and_go_on(writer.page)
        token = links["review"].split("#k=")[1]
        page = writer.page
        credit = page.get_by_test_id("credit")
        await expect(credit.get_by_test_id("credit-use").first).to_contain_text(MINE)
        await expect(credit).to_contain_text("CC BY 4.0")
        await expect(credit.get_by_test_id("credit-share").first).to_contain_text("%")
        await looks(page, shots, "credit-own")

        outcome = await writer.context.new_page()
        await outcome.goto(links["outcome"])
        await expect(outcome.get_by_test_id("credits")).to_contain_text("5 people")
        async with outcome.expect_download() as saved:
            await outcome.get_by_test_id("download-prov").click()
        prov = json.loads(Path(await (await saved.value).path()).read_text())
        assert len(prov["wasDerivedFrom"]) >= 5 and "agent" not in prov
        await looks(outcome, shots, "outcome-credit")
        assert MINE.rstrip(".").encode() in await reachable(server, token)

        own = page.get_by_test_id("own-utterance").first
        await own.get_by_test_id("strike").click()
        await own.get_by_test_id("strike-confirm").click()
        await expect(credit.get_by_test_id("credit-use")).to_have_count(0)
        async with asyncio.timeout(20):
            while b"teach cooking" in await reachable(server, token):
                await asyncio.sleep(0.2)
        await outcome.reload()
        await expect(outcome.get_by_test_id("credits")).to_be_visible()
        assert "teach cooking" not in await outcome.content() and TRAM.rstrip(".") in await outcome.content()
        await outcome.evaluate("localStorage.setItem('parley.language', 'ar')")
        await outcome.reload()
        await expect(outcome.get_by_test_id("credits")).to_be_visible()
        await outcome.screenshot(path=str(shots / "outcome-credit-arabic.png"), full_page=True)
        assert not [e for e in writer.errors if "asked" not in e], writer.errors
    finally:
        await writer.close()
        await server.stop()


async def reachable(server: ParleyServer, token: str) -> bytes:
    """Return everything that researchers and the public can get of the deliberation."""
    base = "/api/deliberations/consult"
    held = b""
    for path in ("outcomes", "process-card", "provenance", "record", "run-report"):
        held += await server.get(f"{base}/{path}", token, raw=True)
    rooms = await server.get(f"{base}/rooms", token)
    for room in rooms:
        for path in ("", "/events?after=0", "/transcript?format=json", "/statements.csv", "/summary", "/ledger"):
            held += await server.get(f"/api/rooms/{room['room_id']}{path}", token, raw=True)
    with zipfile.ZipFile(io.BytesIO(await server.get(f"{base}/export", token, raw=True))) as archive:
        for name in archive.namelist():
            held += archive.read(name)
    return held
