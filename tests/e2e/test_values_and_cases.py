"""Values and cases from the organisers' page to the public outcome: simulated people who only read and write, around one in a real browser."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest_asyncio
import yaml
from playwright.async_api import Page, Playwright, expect

from deliberation.command import CommandBase
from server.http.models import IssuedLink, JoinInfo, JoinRequest
from simulation.client import read_view
from simulation.habits import Habit, Mind, Person, next_acts
from simulation.joining import JoinLink
from tests.e2e.conftest import write_design
from tests.e2e.people import person as browser_person
from tests.e2e.server import ADMIN_TOKEN, ParleyServer
from tests.e2e.texters import Texter

QUICK = Habit("quick", None, accepts_invitation=0.0, think_seconds=0.4, vote_seconds=0.4, ready_at=0.2)
FAST: dict[str, Any] = {"facilitation": {"mode": "off", "time": {"min_stage_seconds": 1, "overtime_grace_seconds": 0}}, "practice": False}


@dataclass
class Simulated(Texter):
    """Takes part by the habits of the simulation, without voice or picture."""

    mind: Mind = field(default_factory=Mind)
    dice: Random = field(default_factory=Random)

    def _request(self, info: JoinInfo) -> JoinRequest:
        return JoinRequest(name=self.name, consent={"take_part": True, "quote": True}, consent_version=info.consent.version)

    async def _beat(self, socket: Any) -> None:
        """Look at the room as often as a simulated participant does, also when nothing new has come."""
        sent = 0
        while True:
            await asyncio.sleep(0.25)
            sent += 1
            if sent % 20 == 0:
                await socket.send(json.dumps({"type": "ping", "sent_at": 0, "active": True}))
            await self._act(socket)

    async def _act(self, socket: Any) -> None:
        if not self._view or self._view.get("closed_at"):
            return
        view = read_view(self._view)
        acts, self.mind = next_acts(view, time.time(), Person(QUICK), self.mind, self.dice)
        for act in acts:
            if isinstance(act, CommandBase):
                self._numbers += 1
                await socket.send(json.dumps({"type": "do", "id": self._numbers, "command": act.model_dump(mode="json")}))


def crowd(names: range) -> list[Simulated]:
    return [Simulated(f"Person {n}", 0, "", {}, 0, dice=Random(n)) for n in names]


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[ParleyServer]:
    made = ParleyServer(tmp_path, write_design(tmp_path), PARLEY_WORKERS="0")
    await made.start()
    yield made
    await made.stop()


async def organised(server: ParleyServer, page: Page, template: str, changes: Any) -> dict[str, str]:
    """Take a template on the organisers' page, shorten it, create it; return the links."""
    await page.goto(f"{server.url}/#k={ADMIN_TOKEN}")
    await page.get_by_test_id(f"template-{template}").click()
    await page.get_by_test_id("tab-file").click()
    source = page.get_by_test_id("design-source")
    design = yaml.safe_load(await source.input_value())
    changes(design)
    await source.fill(yaml.safe_dump({**design, **FAST}, sort_keys=False))
    await page.get_by_test_id("create").click()
    created = page.get_by_test_id("created")
    await created.wait_for()
    return {name: str(await created.get_by_test_id(f"link-{name}").get_attribute("href")) for name in ("join", "outcome")}


async def test_values_from_the_organisers_page_to_the_moral_graph(server: ParleyServer, playwright: Playwright, shots: Path) -> None:
    someone = await browser_person(playwright, "Noor", None)
    page = someone.page

    def changes(design: dict[str, Any]) -> None:
        design["groups"] = {"min_size": 6, "target_size": 6, "max_size": 6, "wait_seconds": 10}
        design["stages"][1]["minutes"] = 0.05
        design["stages"][0]["minutes"], design["stages"][2]["minutes"], design["stages"][3]["minutes"] = 1, 1, 0.1

    links = await organised(server, page, "values", changes)
    others = crowd(range(5))
    taking_part = [asyncio.create_task(one.take_part(JoinLink.parse(links["join"]), 1)) for one in others]
    await someone.consent(links["join"])
    await someone.enter()
    await someone.in_room()
    await page.get_by_test_id("values-title").fill("Asking before telling")
    await page.get_by_test_id("values-attends").fill("what they want to know\nwhat they know already")
    await page.get_by_test_id("values-submit").click()
    await expect(page.get_by_test_id("values-card").filter(has_text="Asking before telling")).to_be_visible()
    await page.set_viewport_size({"width": 360, "height": 740})
    await page.screenshot(path=str(shots / "values-phone.png"))
    await page.set_viewport_size({"width": 1280, "height": 900})
    await page.get_by_test_id("values-compare").wait_for()
    questions = page.get_by_test_id("values-question")
    for n in range(await questions.count()):
        await questions.nth(n).get_by_test_id("compare-wiser" if n % 3 else "compare-notWiser").click()
    await expect(page.get_by_test_id("values-compare")).to_have_attribute("data-left", "0")
    await page.screenshot(path=str(shots / "values-compare.png"))
    async with asyncio.timeout(60):
        await asyncio.gather(*taking_part)
    assert all(not one.refused or set(one.refused) <= {"card_exists", "stage_over", "already_one"} for one in others), [o.refused for o in others]

    await page.goto(links["outcome"])
    graph = page.get_by_test_id("moral-graph")
    await graph.wait_for()
    outcome = await server.get(links["outcome"].split(str(server.port), 1)[1].replace("/d/", "/api/deliberations/").replace("/outcome", "/outcomes"), token="none")
    figures = next(r for r in outcome["results"] if r["method"] == "moral-graph")["figures"]
    assert len(figures["values"]) >= 2 and all(e["suppressed"] if e["people"] is None else e["people"] >= 5 for e in figures["edges"])
    assert await graph.get_attribute("data-values") == str(len(figures["values"]))
    first = page.get_by_test_id("moral-value").first
    await expect(first).to_contain_text(figures["values"][0]["title"])
    await first.get_by_test_id("evidence").locator("summary").click()
    async with page.expect_download() as downloading:
        await page.get_by_test_id("download-preferences").click()
    pairs = [json.loads(line) for line in Path(await (await downloading.value).path()).read_text().splitlines()]
    assert len(pairs) == len(figures["preferences"]) and set(pairs[0]) == {"context", "chosen", "rejected", "weight"}
    async with page.expect_download() as downloading:
        await page.get_by_test_id("download-graph").click()
    saved = json.loads(Path(await (await downloading.value).path()).read_text())
    assert any(v["title"] == "Asking before telling" for v in saved["values"]) and saved["contexts"]
    await looks(page, shots, "moral-graph")
    assert not someone.errors, someone.errors
    await someone.close()


async def test_cases_from_the_organisers_page_to_precedents_of_a_new_case(server: ParleyServer, playwright: Playwright, shots: Path) -> None:
    someone = await browser_person(playwright, "Noor", None)
    page = someone.page

    def changes(design: dict[str, Any]) -> None:
        design["groups"] = {"min_size": 3, "target_size": 6, "max_size": 6, "wait_seconds": 4}
        design["stages"] = [{**design["stages"][0], "minutes": 1}, {**design["stages"][2], "minutes": 0.1}]

    links = await organised(server, page, "cases", changes)
    deliberation = re.search(r"/d/([^/]+)/", links["join"])
    assert deliberation
    experts_link = await invitation(server, deliberation[1], "experts")
    await someone.consent(links["join"])
    await someone.enter()
    lay, experts = crowd(range(5)), crowd(range(10, 15))
    taking_part = [asyncio.create_task(one.take_part(JoinLink.parse(links["join"]), 1)) for one in lay]
    taking_part += [asyncio.create_task(one.take_part(JoinLink.parse(experts_link), 1)) for one in experts]
    await someone.in_room()
    for template, value in (("refuse", 2), ("do", 1), ("advise", 5)):
        for case in ("heater", "heater-old", "gems"):
            await page.get_by_test_id(f"rate-{case}-{template}").locator(f"input[value='{value}']").check(force=True)
    await expect(page.get_by_test_id("cases")).to_have_attribute("data-left", "0")
    await page.screenshot(path=str(shots / "cases-room.png"))
    async with asyncio.timeout(70):
        await asyncio.gather(*taking_part)

    await page.goto(links["outcome"])
    await page.get_by_test_id("law-cases").wait_for()
    path = f"/api/deliberations/{deliberation[1]}/outcomes"
    outcome = await server.get(path, token="none")
    seed = next(c for c in next(r for r in outcome["results"] if r["method"] == "cases")["figures"]["cases"] if c["case"] == "case-heater")
    advise = next(t for t in seed["templates"] if t["template"].endswith("advise"))
    assert (advise["expert"]["people"], advise["lay"]["people"]) == (5, 6)
    await expect(page.locator("[data-item=case-heater]").first).to_contain_text(f"{advise['lay']['mean']:.2f}".rstrip("0").rstrip("."))
    await page.get_by_test_id("law-ask").fill("My landlord leaves the heater broken; write that I will go to court.")
    await page.get_by_test_id("law-ask-send").click()
    await expect(page.get_by_test_id("law-precedent").first).to_have_attribute("data-item", re.compile("case-heater"))
    await expect(page.get_by_test_id("law-precedent").first).to_contain_text("heater")
    await looks(page, shots, "case-law")
    await page.get_by_test_id("law-ask").fill("Quarterly rainfall over northern reservoirs")
    await page.get_by_test_id("law-ask-send").click()
    await expect(page.get_by_test_id("law-answer")).to_contain_text("There is no precedent")
    assert not someone.errors, someone.errors
    await someone.close()


async def invitation(server: ParleyServer, deliberation: str, cohort: str) -> str:
    """Make an invitation for a cohort, as the organiser does on the page."""
    import urllib.request

    def ask() -> str:
        request = urllib.request.Request(
            f"{server.url}/api/deliberations/{deliberation}/links", method="POST",
            data=json.dumps({"role": "participant", "days": 1, "cohort": cohort}).encode(),
            headers={"Authorization": f"Bearer {ADMIN_TOKEN}", "Content-Type": "application/json"},
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=20) as response:
            return IssuedLink.model_validate_json(response.read()).url

    return await asyncio.to_thread(ask)


async def looks(page: Page, shots: Path, name: str) -> None:
    """Keep the page as a whole: on a desk, in the dark, on a phone, and in Arabic on a phone; nothing may run over the edge."""
    await page.screenshot(path=str(shots / f"{name}.png"), full_page=True)
    await page.emulate_media(color_scheme="dark")
    await page.screenshot(path=str(shots / f"{name}-dark.png"), full_page=True)
    await page.emulate_media(color_scheme="light")
    await page.set_viewport_size({"width": 360, "height": 740})
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    await page.screenshot(path=str(shots / f"{name}-phone.png"), full_page=True)
    await page.get_by_test_id("language").select_option("ar")
    await expect(page.locator("html")).to_have_attribute("dir", "rtl")
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    await page.screenshot(path=str(shots / f"{name}-arabic.png"), full_page=True)
    await page.get_by_test_id("language").select_option("en")
    await page.set_viewport_size({"width": 1280, "height": 900})
