"""What people notice when things break: next to nothing."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Playwright, expect

from simulation.speech import load_library
from tests.e2e.conftest import write_design
from tests.e2e.people import Person, person, speech_file
from tests.e2e.server import ParleyServer
from tests.e2e.test_deliberation import sees_moving

BACK_SECONDS = 10.0


async def log_of(server: ParleyServer) -> list[dict[str, object]]:
    rooms = await server.get("/api/deliberations/e2e/rooms")
    events: list[dict[str, object]] = await server.get(f"/api/rooms/{rooms[0]['room_id']}/events?after=0")
    return events if isinstance(events, list) else events["events"]


async def test_four_people_are_back_in_their_seats_soon_after_the_server_was_killed(
    tmp_path: Path, playwright: Playwright, shots: Path
) -> None:
    server = ParleyServer(tmp_path, write_design(tmp_path))
    await server.start()
    silence = speech_file(tmp_path / "silence.wav", [], 10, 0, 0)
    people: list[Person] = []
    try:
        for name in ("Ann", "Bob", "Cyn", "Dan"):
            people.append(await person(playwright, name, silence))
        for someone in people:
            await someone.consent(server.links["join"])
            await someone.enter()
        await asyncio.gather(*(someone.in_room(60_000) for someone in people))
        await people[0].page.get_by_test_id("raise-hand").click()
        await people[1].page.get_by_test_id("tab-chat").click()
        await people[1].page.get_by_test_id("chat-input").fill("Before the crash")
        await people[1].page.get_by_test_id("chat-send").click()
        await expect(people[1].page.get_by_text("Before the crash").first).to_be_visible()
        await people[1].page.get_by_test_id("chat-input").fill("a draft that must survive")
        seats = [await p.page.evaluate("document.querySelectorAll('[data-testid^=tile-]').length") for p in people]
        assert seats == [4, 4, 4, 4]
        await server.kill()
        await expect(people[0].page.get_by_test_id("reconnecting")).to_be_visible(timeout=5_000)
        await people[0].shot(shots, "reconnecting")
        await server.start()
        listening = time.monotonic()
        for someone in people:
            await expect(someone.page.get_by_test_id("reconnecting")).to_be_hidden(timeout=BACK_SECONDS * 1000)
        back = time.monotonic() - listening
        assert back <= BACK_SECONDS, f"{back:.1f} s"
        print(f"all four back after {back:.1f} s")
        assert await people[1].page.get_by_test_id("chat-input").input_value() == "a draft that must survive"
        for someone in people:
            await expect(someone.page.locator("[data-testid^=tile-]")).to_have_count(4)
        for someone in people:  # and pictures move again
            await sees_moving(someone, 3)
        events = await log_of(server)
        assert [e["seq"] for e in events] == list(range(1, len(events) + 1))
        joined = [e for e in events if e["payload"]["kind"] == "member.joined"]  # type: ignore[index]
        assert len(joined) == 4
    finally:
        for someone in people:
            await someone.close()
        await server.stop()


async def test_a_final_arrives_although_the_recogniser_is_killed_while_it_is_being_said(
    tmp_path: Path, playwright: Playwright
) -> None:
    clip = load_library(None)[0].clips[0]
    audio = speech_file(tmp_path / "one.wav", [str(clip.path)], 8, 0, 60)
    silence = speech_file(tmp_path / "silence.wav", [], 10, 0, 0)
    server = ParleyServer(tmp_path, write_design(tmp_path, groups={"min_size": 2, "target_size": 2, "max_size": 2}))
    await server.start()
    people = [await person(playwright, "Maya", audio), await person(playwright, "Bob", silence)]
    try:
        for someone in people:
            await someone.consent(server.links["join"])
            await someone.enter()
        await asyncio.gather(*(someone.in_room(60_000) for someone in people))
        partial = people[1].page.locator("[data-testid=caption].partial")
        await expect(partial.first).to_be_visible(timeout=60_000)
        for pid in server.worker_pids():
            os.kill(pid, signal.SIGKILL)
        last = clip.text.rstrip(".").split()[-1].lower()
        await expect(people[1].page.locator("[data-testid=caption]:not(.partial)").last).to_contain_text(last, timeout=60_000, ignore_case=True)
        events = await log_of(server)
        finals = [e["payload"]["utterance_id"] for e in events if e["payload"]["kind"] == "utterance.final"]  # type: ignore[index]
        assert len(finals) == len(set(finals)), "a final came twice"
    finally:
        for someone in people:
            await someone.close()
        await server.stop()


@asynccontextmanager
async def broken_model(how: str) -> AsyncIterator[str]:
    """An OpenAI-compatible endpoint that hangs, answers garbage, or fails."""
    asked = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        try:
            await reader.readuntil(b"\r\n\r\n")
            asked += 1
            if how == "hangs":
                await asyncio.sleep(60)
            body = json.dumps({"choices": [{"message": {"content": "}{ not json"}}]}) if how == "garbage" else "oops"
            status = "200 OK" if how == "garbage" else "500 Internal Server Error"
            head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
            writer.write((head + body).encode())
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        assert asked, "the model was never asked"
    finally:
        server.close()


@pytest.mark.parametrize("how", ["hangs", "garbage", "fails"])
async def test_the_room_goes_on_when_the_language_model(how: str, tmp_path: Path) -> None:
    """Bots talk, vote and get their summary; the ledger says what became of the model."""
    async with broken_model(how) as url:
        stages = [
            {"id": "talk", "kind": "discussion", "title": "Talk", "minutes": 0.4},
            {"id": "statements", "kind": "statements", "title": "Statements", "minutes": 0.2},
            {"id": "closing", "kind": "closing", "title": "Closing", "minutes": 0.4},
        ]
        design = write_design(
            tmp_path, stages=stages, groups={"min_size": 2, "target_size": 2, "max_size": 2},
            facilitation={"time": {"min_stage_seconds": 10}},
        )
        server = ParleyServer(
            tmp_path, design, PARLEY_LLM_BASE_URL=url, PARLEY_LLM_MODEL="broken", PARLEY_LLM_TIMEOUT_SECONDS="3"
        )
        await server.start()
        try:
            from simulation.simulate import simulate

            async with asyncio.timeout(150):
                report = await simulate(server.links["join"], 1, 2)
            assert report.finished == 2, report
            assert report.summaries == 1, report
            assert report.utterances > 0, report
            events = await log_of(server)
            outcomes = {e["payload"]["outcome"] for e in events if e["payload"]["kind"] == "ai.called"}  # type: ignore[index]
            assert outcomes <= {"timeout", "invalid", "unavailable", "open_circuit"}, outcomes
            assert outcomes
        finally:
            await server.stop()
