"""Take pictures of the client's screens from the mock server, and run axe-core on them where asked. For development only.

Use: `.venv/bin/python web/mock/shots.py 8765 build/shots [--axe] [name[:look] | :look ...]`
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

FLAGS = [
    "--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream=fps=15", "--disable-gpu",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
]
PORT, OUT, ONLY = sys.argv[1], Path(sys.argv[2]), [name for name in sys.argv[3:] if name != "--axe"]
AXE = (Path(__file__).resolve().parent.parent / "node_modules/axe-core/axe.min.js").read_text() if "--axe" in sys.argv else ""
BASE = f"http://127.0.0.1:{PORT}"
SIZES = {"wide": (1280, 800), "phone": (360, 740)}


def consent(page: Page) -> None:
    """Open the join page."""
    page.goto(f"{BASE}/d/demo/join#k=x")
    page.get_by_test_id("consent-continue").wait_for()


def lobby(page: Page) -> None:
    """Go on to the lobby."""
    consent(page)
    page.get_by_test_id("consent-take-part").check()
    page.get_by_test_id("consent-continue").click()
    page.get_by_test_id("lobby-name").fill("Amara")
    page.wait_for_timeout(900)


def seat(scene: str, then: str = "", wait: str = "room"):
    """Return a visit that comes back to a seat in a scene and clicks something there."""

    def visit(page: Page) -> None:
        page.goto(f"{BASE}/nowhere")
        page.evaluate(f"localStorage.setItem('parley.seat.demo', 'participant:{scene}')")
        page.goto(f"{BASE}/d/demo/join#k=x")
        page.get_by_test_id(wait).first.wait_for()
        page.wait_for_timeout(900)
        for step in then.split():
            page.get_by_test_id(step).first.click()
            page.wait_for_timeout(300)

    return visit


def link(path: str, token: str, wait: str, then: str = ""):
    """Return a visit to another page."""

    def visit(page: Page) -> None:
        page.goto(f"{BASE}{path}#k={token}")
        page.get_by_test_id(wait).first.wait_for()
        page.wait_for_timeout(500)
        for step in then.split():
            page.get_by_test_id(step).first.click()
            page.wait_for_timeout(500)

    return visit


SCREENS = {
    "consent": consent,
    "lobby": lobby,
    "waiting": seat("waiting", wait="lobby-waiting"),
    "taken": seat("taken", wait="takeover"),
    "discussion": seat("discussion"),
    "why": seat("discussion", "card-why"),
    "chat": seat("discussion", "tab-chat"),
    "record": seat("discussion", "tab-record"),
    "statements": seat("statements"),
    "closing": seat("closing"),
    "thanks": seat("closed", wait="thanks"),
    "settings": seat("discussion", "settings"),
    "leave": seat("discussion", "leave"),
    "keys": seat("discussion", "captions-toggle"),
    "monitor": link("/d/demo/monitor", "facilitator:all", "monitor-room"),
    "monitor-room": link("/d/demo/monitor", "facilitator:all", "monitor-room", "monitor-open"),
    "review": link("/d/demo/review", "researcher:x", "review-utterance"),
    "organise": link("/", "admin", "design-source"),
    "docs": link("/docs/participant", "", "docs"),
}
LOOKS = {
    "wide": {"size": "wide"},
    "phone": {"size": "phone"},
    "dark": {"size": "wide", "dark": True},
    "arabic": {"size": "wide", "language": "ar"},
    "phone-arabic": {"size": "phone", "language": "ar", "dark": True},
}

OUT.mkdir(parents=True, exist_ok=True)
with sync_playwright() as play:
    browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
    for look, options in LOOKS.items():
        for name, visit in SCREENS.items():
            if ONLY and f"{name}:{look}" not in ONLY and name not in ONLY and f":{look}" not in ONLY:
                continue
            width, height = SIZES[str(options["size"])]
            context = browser.new_context(
                viewport={"width": width, "height": height}, color_scheme="dark" if options.get("dark") else "light", permissions=["camera", "microphone"]
            )
            if "language" in options:
                context.add_init_script(f"localStorage.setItem('parley.language', '{options['language']}')")
            page = context.new_page()
            page.on("console", lambda message, n=name: print(n, message.type, message.text) if message.type in ("error", "warning") else None)
            page.on("pageerror", lambda error, n=name: print(n, "PAGE ERROR", error))
            try:
                visit(page)
                over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
                if over > 0:
                    print(f"{name} {look}: {over} px too wide")
                if AXE:
                    page.evaluate(AXE)
                    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
                    found = page.evaluate("tags => axe.run({ runOnly: tags })", tags)
                    for one in found["violations"]:
                        print(f"{name} {look} axe {one['id']}: {one['help']}", *[node["html"][:160] for node in one["nodes"][:3]], sep="\n    ")
                page.screenshot(path=str(OUT / f"{name}-{look}.png"), full_page=name in ("consent", "thanks", "lobby", "organise", "review"))
            except Exception as error:
                page.screenshot(path=str(OUT / f"{name}-{look}-failed.png"))
                print(name, look, "FAILED", str(error).splitlines()[0])
            context.close()
    browser.close()
