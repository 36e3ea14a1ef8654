"""Participants in real headless Chromium, each a process of its own with its own speech as microphone."""

from __future__ import annotations

import shutil
import wave
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np
from playwright.async_api import Browser, BrowserContext, Page, Playwright, expect

RATE = 16_000
expect.set_options(timeout=60_000)  # a busy machine makes slow pages, not wrong ones


def chromium() -> str | None:
    """Return the system's Chromium; None lets playwright use its own."""
    return next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None)


FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns,MediaRouter,OptimizationHints,Translate",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--no-first-run",
    "--no-pings",
)


def samples(clip: str) -> np.ndarray[Any, Any]:
    """Decode a packaged clip to 16 kHz mono."""
    parts = []
    with av.open(clip) as container:
        resampler = av.AudioResampler("s16", "mono", RATE)
        for frame in container.decode(audio=0):
            parts += [out.to_ndarray()[0] for out in resampler.resample(frame)]
        parts += [out.to_ndarray()[0] for out in resampler.resample(None)]
    return np.concatenate(parts)


def speech_file(path: Path, clips: Sequence[str], lead: float, gap: float, tail: float) -> Path:
    """Write a WAV that is silent for `lead` seconds, says the clips with `gap` between, and is silent for `tail`; Chromium repeats it."""
    silence = lambda seconds: np.zeros(int(seconds * RATE), np.int16)  # noqa: E731
    parts = [silence(lead)]
    for clip in clips:
        parts += [samples(clip), silence(gap)]
    parts.append(silence(tail))
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(np.concatenate(parts).tobytes())
    return path


@dataclass
class Person:
    """One participant's browser."""

    name: str
    browser: Browser
    context: BrowserContext
    page: Page
    said: str = ""
    errors: list[str] = field(default_factory=list)

    async def consent(self, join_url: str, *, record: bool = False, quote: bool = True) -> None:
        """Open the link and agree."""
        page = self.page
        await page.goto(join_url)
        await page.get_by_test_id("consent-take-part").check()
        if record and await page.get_by_test_id("consent-record").count():
            await page.get_by_test_id("consent-record").check()
        if quote:
            await page.get_by_test_id("consent-quote").check()
        await page.get_by_test_id("consent-continue").click()

    async def enter(self) -> None:
        """Give a name in the lobby, answer the opening poll, join."""
        page = self.page
        await page.get_by_test_id("lobby-name").fill(self.name)
        for question in await page.locator("[data-testid^=poll-]").all():
            options = question.locator("input[type=radio]")
            if await options.count():
                await options.nth(1).check(force=True)
        await page.get_by_test_id("lobby-join").click()

    async def in_room(self, timeout: float = 30_000) -> None:
        """Wait until the room is there."""
        await expect(self.page.get_by_test_id("room")).to_be_visible(timeout=timeout)

    async def frames_decoded(self) -> list[int]:
        """Frames decoded so far, per received video that carries anything."""
        found = await self.page.evaluate(
            """async () => {
                const stats = await window.__parley.pc.getStats();
                return [...stats.values()].filter(s => s.type === 'inbound-rtp' && s.kind === 'video' && s.framesDecoded > 0)
                    .map(s => s.framesDecoded);
            }"""
        )
        return [int(count) for count in found]

    async def shot(self, folder: Path, what: str) -> None:
        """Keep a screenshot."""
        folder.mkdir(parents=True, exist_ok=True)
        await self.page.screenshot(path=str(folder / f"{what}.png"))

    async def close(self) -> None:
        """Close the browser."""
        await self.browser.close()


async def person(playwright: Playwright, name: str, audio: Path | None, *flags: str, **context: Any) -> Person:
    """Start a browser for somebody who speaks with the given file."""
    arguments = [*FLAGS, *flags]
    if audio is not None:
        arguments += ["--use-fake-device-for-media-stream=fps=5", f"--use-file-for-fake-audio-capture={audio}"]
    browser = await playwright.chromium.launch(executable_path=chromium(), args=arguments)
    made = await browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **context})
    page = await made.new_page()
    page.set_default_timeout(90_000)
    someone = Person(name, browser, made, page)
    page.on("pageerror", lambda error: someone.errors.append(str(error)))
    page.on("console", lambda m: someone.errors.append(m.text) if m.type == "error" else None)
    return someone
