"""Every screen passes axe-core (WCAG 2.2 AA) and can be worked by keyboard alone; looked at wide, on a phone, dark, and right to left."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from playwright.async_api import Page, Playwright, expect

from deliberation.commands import CastVote, PostChat, Ready
from server.http.models import JoinRequest
from simulation.client import Participant
from simulation.joining import JoinLink, join
from tests.e2e.conftest import write_design
from tests.e2e.people import Person, person, speech_file
from tests.e2e.server import ADMIN_TOKEN, ParleyServer

AXE = (Path(__file__).parents[2] / "web/node_modules/axe-core/axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
LOOKS: tuple[tuple[str, dict[str, int], str], ...] = (
    ("wide", {"width": 1280, "height": 800}, "light"),
    ("wide-dark", {"width": 1280, "height": 800}, "dark"),
    ("phone", {"width": 360, "height": 740}, "light"),
    ("phone-dark", {"width": 360, "height": 740}, "dark"),
)
FOCUSABLE = "a[href], button:not([disabled]), input:not([disabled]), select:not([disabled]), textarea:not([disabled]), summary, [tabindex='0']"


async def check(page: Page, what: str, shots: Path, problems: list[str]) -> None:
    """Run axe on a screen in every look, keep its picture, and see that nothing is wider than the window."""
    await expect(page.get_by_text("One moment…")).to_have_count(0)
    for look, size, scheme in LOOKS:
        await page.set_viewport_size(size)  # type: ignore[arg-type]
        await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        await page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        await page.screenshot(path=str(shots / f"{what}-{look}.png"))
        if not await page.evaluate("typeof axe !== 'undefined'"):
            await page.evaluate(AXE)
        result: dict[str, Any] = await page.evaluate(
            "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']})", RULES
        )
        problems += [
            f"{what} ({look}): {v['id']}: {v['help']}: " + "; ".join(" ".join(n["target"]) for n in v["nodes"][:3])
            for v in result["violations"]
        ]
        wider = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wider > 1:
            problems.append(f"{what} ({look}): {wider} px wider than the window")
    await page.set_viewport_size({"width": 1280, "height": 800})
    await page.emulate_media(color_scheme="light")


async def unreachable(page: Page) -> list[str]:
    """Press Tab through the page; return the visible controls that never got the focus."""
    wanted: list[str] = await page.evaluate(
        """selector => {
            let n = 0;
            return [...document.querySelectorAll(selector)].filter(e => {
                const box = e.getBoundingClientRect();
                const radio = e.type === 'radio';
                return box.width > 0 && getComputedStyle(e).visibility !== 'hidden' && !e.closest('[inert]') && e.tabIndex >= 0 && !radio
                    && !(e.tagName === 'SUMMARY' ? e.parentElement.parentElement : e)?.closest('details:not([open])');
            }).map(e => { e.dataset.tabWanted = String(++n); return `${e.dataset.tabWanted} ${e.tagName} ${e.dataset.testid ?? e.textContent.trim().slice(0, 30)}`; });
        }""",
        FOCUSABLE,
    )
    await page.evaluate("document.activeElement?.blur()")
    seen: set[str] = set()
    for _ in range(len(wanted) * 2 + 20):
        await page.keyboard.press("Tab")
        seen.add(await page.evaluate("document.activeElement?.dataset?.tabWanted ?? ''"))
        if len(seen - {""}) >= len(wanted):
            break
    return [w for w in wanted if w.split()[0] not in seen]


async def bot_joins(server: ParleyServer) -> str:
    link = JoinLink.parse(server.links["join"])
    answer = await join(
        link,
        lambda info: JoinRequest(
            name="Bob", consent={"take_part": True, "quote": True}, consent_version=info.consent.version, answers={"trust": 2}
        ),
    )
    return answer.token


async def test_every_screen_is_accessible_and_every_control_works_by_keyboard(
    tmp_path: Path, playwright: Playwright, shots: Path
) -> None:
    problems: list[str] = []
    server = ParleyServer(tmp_path, write_design(tmp_path, groups={"min_size": 2, "target_size": 2, "max_size": 2}))
    await server.start()
    ann: Person | None = None
    try:
        ann = await person(playwright, "Ann", speech_file(tmp_path / "silence.wav", [], 5, 0, 0))
        page = ann.page
        await page.goto(server.links["join"])
        await expect(page.get_by_test_id("consent-take-part")).to_be_visible()
        await check(page, "consent", shots, problems)
        assert not await unreachable(page)
        # consent, lobby and joining by keyboard alone
        await page.get_by_test_id("consent-take-part").focus()
        await page.keyboard.press("Space")
        await page.get_by_test_id("consent-continue").focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_test_id("lobby-name")).to_be_visible()
        await page.get_by_test_id("lobby-name").fill("Ann")
        await check(page, "lobby", shots, problems)
        assert not await unreachable(page)
        await page.get_by_test_id("poll-trust").locator("input").first.focus()
        await page.keyboard.press("ArrowRight")
        await page.get_by_test_id("lobby-join").focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_test_id("lobby-waiting")).to_be_visible()
        await check(page, "waiting", shots, problems)

        async with Participant(f"http://127.0.0.1:{server.port}", await bot_joins(server), seed=1, listen_only=True) as bob:
            await bob.until(lambda p: p.view is not None, 40)
            await ann.in_room(40_000)
            await bob.do(PostChat(text="Hello Ann"))
            await expect(page.get_by_test_id("card").first).to_be_visible()
            await check(page, "room", shots, problems)
            assert not (missed := await unreachable(page)), missed

            # the keys of the room
            await page.evaluate("document.activeElement?.blur()")
            await page.keyboard.press("r")
            await bob.until(lambda p: p.view is not None and (bool(p.view.queue) or p.view.turn is not None), 10)
            await page.keyboard.press("m")
            await expect(page.get_by_test_id("microphone")).to_have_attribute("data-on", "false")
            await page.keyboard.press("m")
            await page.keyboard.press("v")
            await expect(page.get_by_test_id("camera")).to_have_attribute("data-on", "false")
            await page.keyboard.press("v")
            await page.keyboard.press("c")
            await expect(page.get_by_test_id("captions-toggle")).to_have_attribute("aria-pressed", "false")
            await page.keyboard.press("c")
            await page.keyboard.press("?")
            await expect(page.get_by_role("dialog")).to_be_visible()
            await check(page, "keys", shots, problems)
            await page.keyboard.press("Escape")
            await expect(page.get_by_role("dialog")).to_be_hidden()
            await page.keyboard.press("h")
            await expect(page.get_by_role("dialog")).to_be_visible()
            await page.keyboard.press("Escape")
            for tab in ("tab-chat", "tab-record"):
                await page.get_by_test_id(tab).focus()
                await page.keyboard.press("Enter")
                await check(page, tab, shots, problems)
            await page.get_by_test_id("settings").click()
            await check(page, "settings", shots, problems)
            await page.keyboard.press("Escape")

            # right to left
            await page.get_by_test_id("settings").click()
            picker = page.get_by_role("dialog").get_by_test_id("language")
            await picker.select_option("ar")
            await expect(page.locator("html")).to_have_attribute("dir", "rtl")
            await page.keyboard.press("Escape")
            await check(page, "room-arabic", shots, problems)
            await page.get_by_test_id("settings").click()
            await page.get_by_role("dialog").get_by_test_id("language").select_option("en")
            await page.keyboard.press("Escape")

            # monitors
            watch = await ann.context.new_page()
            await watch.goto(server.links["monitor"])
            await expect(watch.get_by_test_id("monitor-room").first).to_be_visible()
            await check(watch, "monitor", shots, problems)
            await watch.get_by_test_id("monitor-open").first.click()
            await expect(watch.get_by_test_id("extend")).to_be_visible()
            await check(watch, "monitor-room", shots, problems)
            assert not (missed := await unreachable(watch)), missed
            await watch.close()

            # voting by keyboard
            await bob.do(Ready())
            await page.get_by_test_id("ready").focus()
            await page.keyboard.press("Enter")
            await expect(page.get_by_test_id("statement").first).to_be_visible()
            await page.get_by_test_id("vote-agree").first.focus()
            await page.keyboard.press("Enter")
            await expect(page.get_by_test_id("vote-agree").first).to_have_attribute("aria-pressed", "true")
            await bob.do(CastVote(statement_id="statements-seed-1", value=-1))
            await check(page, "statements", shots, problems)
            problems += [f"statements: not reached by Tab: {control}" for control in await unreachable(page)]
            await asyncio.sleep(4)  # as old as this design lets a stage be before it may end
            await bob.do(Ready())
            await page.get_by_test_id("ready").focus()
            await page.keyboard.press("Enter")
            await expect(page.get_by_test_id("poll-submit")).to_be_visible()
            await check(page, "closing", shots, problems)
            problems += [f"closing: not reached by Tab: {control}" for control in await unreachable(page)]
            await asyncio.sleep(4)
            await bob.do(Ready())
            await page.get_by_test_id("ready").focus()
            await page.keyboard.press("Enter")
            await expect(page.get_by_test_id("thanks")).to_be_visible()
            await check(page, "thanks", shots, problems)
            problems += [f"thanks: not reached by Tab: {control}" for control in await unreachable(page)]

        review = await ann.context.new_page()
        await review.goto(server.links["review"])
        await expect(review.get_by_test_id("review")).to_be_visible()
        await check(review, "review", shots, problems)
        problems += [f"review: not reached by Tab: {control}" for control in await unreachable(review)]
        await review.goto(server.links["outcome"])
        await expect(review.get_by_test_id("outcome")).to_be_visible()
        await check(review, "outcome", shots, problems)
        problems += [f"outcome: not reached by Tab: {control}" for control in await unreachable(review)]
        await review.goto(f"{server.url}/#k={ADMIN_TOKEN}")
        await review.get_by_test_id("tab-file").click()
        await expect(review.get_by_test_id("design-source")).to_be_visible()
        await check(review, "organise", shots, problems)
        problems += [f"organise: not reached by Tab: {control}" for control in await unreachable(review)]
        assert not problems, "\n" + "\n".join(problems)
        assert not ann.errors, json.dumps(ann.errors)
    finally:
        if ann is not None:
            await ann.close()
        await server.stop()
