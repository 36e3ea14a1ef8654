"""Real Chromium as members of a room."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from playwright.async_api import Browser, Page, async_playwright

from server.media import MediaRoom
from tests.server.media.links import Network

CHROMIUM = "/usr/bin/chromium"
CHROMIUM_FLAGS = [
    "--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream=fps=15",
    "--autoplay-policy=no-user-gesture-required", "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
]  # fmt: skip
PAGE = """<!doctype html><script>
window.join = async (member, slots) => {
  if (window.pc) window.pc.close();
  const pc = window.pc = new RTCPeerConnection({bundlePolicy: "max-bundle"});
  const media = await navigator.mediaDevices.getUserMedia({audio: true, video: {width: 320, height: 180}});
  pc.addTransceiver(media.getAudioTracks()[0], {direction: "sendonly"});
  pc.addTransceiver(media.getVideoTracks()[0], {direction: "sendonly", sendEncodings: [{scalabilityMode: "L1T3"}]});
  for (let i = 0; i < slots; i++) {
    pc.addTransceiver("audio", {direction: "recvonly"});
    pc.addTransceiver("video", {direction: "recvonly"});
  }
  pc.ontrack = ({track}) => {
    const element = document.createElement(track.kind);
    element.autoplay = true; element.srcObject = new MediaStream([track]); document.body.append(element);
  };
  await pc.setLocalDescription();
  const answer = await (await fetch("/offer/" + member, {method: "POST", body: pc.localDescription.sdp})).text();
  await pc.setRemoteDescription({type: "answer", sdp: answer});
};
window.received = async () => {
  const found = {frames: 0, samples: 0, concealed: 0, energy: 0, lost: 0, freezes: 0, rtx: 0};
  (await window.pc.getStats()).forEach(s => {
    if (s.type !== "inbound-rtp") return;
    found.frames += s.framesDecoded || 0;
    found.samples += s.totalSamplesReceived || 0;
    found.concealed += s.concealedSamples || 0;
    found.rtx += s.retransmittedPacketsReceived || 0;
    found.energy += s.totalAudioEnergy || 0;
    found.lost += s.packetsLost || 0;
    found.freezes += s.totalFreezesDuration || 0;
  });
  return found;
};
</script><body></body>"""


@asynccontextmanager
async def pages(room: MediaRoom, network: Network | None = None) -> AsyncIterator[tuple[Browser, str]]:
    """Serve the page and open Chromium; members named in `network` connect over a bad one."""
    network = network or Network()

    async def page(request: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    async def offer(request: web.Request) -> web.Response:
        name = request.match_info["member"]
        answer = await room.connect(name, await request.text())
        return web.Response(text=await network.through(name, answer))

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
            network.close()


def received(page: Page) -> Callable[[], Awaitable[Any]]:
    """Return a reader of what a page has received."""
    return lambda: page.evaluate("received()")


async def member(browser: Browser, url: str, name: str, slots: int) -> Page:
    page = await browser.new_page()
    await page.goto(url)
    await page.evaluate("([name, slots]) => join(name, slots)", [name, slots])
    return page


async def decodes(received: Callable[[], Awaitable[Any]], frames: int, beyond: int = 0, seconds: float = 30.0) -> None:
    """Wait until a browser has decoded so many more frames, and half a second of sound."""
    found: Any = None
    try:
        async with asyncio.timeout(seconds):
            while True:
                found = await received()
                if found["frames"] >= beyond + frames and found["samples"] > 24_000:
                    return
                await asyncio.sleep(0.2)
    except TimeoutError:
        pytest.fail(f"not decoded: {found}")
