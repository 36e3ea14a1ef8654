"""Two people of whom one agrees to be recorded: her picture, and only hers, is seen beside her voice in the review."""

from __future__ import annotations

import asyncio
from pathlib import Path

import av
from playwright.async_api import Playwright, expect

from simulation.speech import load_library
from tests.e2e.conftest import write_design
from tests.e2e.people import Person, person, speech_file
from tests.e2e.server import ParleyServer


async def test_a_recorded_picture_plays_in_the_review_beside_its_voice(tmp_path: Path, playwright: Playwright, shots: Path) -> None:
    library = {speaker.name: speaker for speaker in load_library(None)}
    privacy = {"mode": "named", "record_audio": True, "record_video": True}
    groups = {"min_size": 2, "target_size": 2, "max_size": 2, "wait_seconds": 60}
    server = ParleyServer(tmp_path, write_design(tmp_path, privacy=privacy, groups=groups))
    await server.start()
    people: list[Person] = []
    try:
        for name in ("Maya", "Daniel"):
            audio = speech_file(tmp_path / f"{name}.wav", [str(library[name].clips[0].path)], 1, 1, 1)
            people.append(await person(playwright, name, audio, viewport={"width": 720, "height": 520}))
        maya, daniel = people
        await maya.page.goto(server.links["join"])
        await expect(maya.page.locator(".facts")).to_contain_text("The voices and the pictures of those who agree below are recorded.")
        await expect(maya.page.locator(".consent-form")).to_contain_text("My voice and my picture may be recorded")
        await maya.consent(server.links["join"], record=True)
        await daniel.consent(server.links["join"])
        await asyncio.gather(*(p.enter() for p in people))
        await asyncio.gather(*(p.in_room(60_000) for p in people))
        for someone in people:
            await expect(someone.page.locator(".banners")).to_contain_text("The picture of 1 person")
            await expect(someone.page.locator(".banners")).to_contain_text("The voice of 1 person")
        await maya.shot(shots, "recorded-room")
        folder = tmp_path / "data" / "audio"
        for _ in range(120):
            film = next(folder.rglob("*.webm"), None)
            if film is not None and film.stat().st_size > 60_000:
                break
            await asyncio.sleep(0.5)
        assert film is not None and film.stat().st_size > 60_000

        # a reviewer sees it, in time with the voice
        reviewer = await person(playwright, "reviewer", None, viewport={"width": 900, "height": 900})
        people.append(reviewer)
        await reviewer.page.goto(server.links["review"])
        pictures = reviewer.page.get_by_test_id("review-pictures")
        await expect(pictures.locator("video")).to_have_count(1)
        await expect(pictures).to_contain_text("Maya")
        await reviewer.page.get_by_test_id("audio-play").click()
        await reviewer.page.wait_for_function(
            """() => {
                const video = document.querySelector('[data-testid=review-pictures] video');
                return video.videoWidth > 0 && video.currentTime > 1.5 && video.getVideoPlaybackQuality().totalVideoFrames > 3;
            }"""
        )
        await reviewer.shot(shots, "review-pictures")
        unexpected = {p.name: p.errors for p in people if p.errors}
        assert not unexpected, unexpected
    finally:
        for someone in people:
            await someone.close()
        assert await server.stop() == 0
    with av.open(str(film)) as container:
        assert container.duration is not None, "the file was not finished"
        times = [frame.time for frame in container.decode(video=0)]
    assert len(times) > 10 and times == sorted(times)
    assert len(list(folder.rglob("*.ogg"))) == 1
