"""Review and downloads: rooms as they may be seen outside themselves. Everything here is made from `released` rooms."""

from __future__ import annotations

import asyncio
import os
import tempfile
from typing import IO

from aiohttp import web

from deliberation.errors import Conflict, InvalidInput, NotFound
from deliberation.view import room_view
from server.http.auth import Link
from server.http.keys import EXPORTS, SETTINGS, STORE
from server.http.models import ReviewRoom, RoomInfo
from server.storage import formats
from server.storage.export import export_deliberation
from server.storage.released import Released, release

CHUNK_BYTES = 256 * 1024
STALLED_SECONDS = 60.0

async def list_rooms(request: web.Request, link: Link) -> web.Response:
    """List a deliberation's rooms."""
    store = request.app[STORE]
    await store.deliberation(request.match_info["id"])
    rooms = [
        RoomInfo(
            room_id=r.room_id,
            number=r.number,
            round=r.round,
            practice=r.practice,
            opened_at=r.opened_at,
            closed_at=r.closed_at,
            members=r.members,
            utterances=r.utterances,
            statements=r.statements,
            arm=r.arm,
        ).model_dump(mode="json")
        for r in await store.rooms(request.match_info["id"])
    ]
    return web.json_response(rooms)


async def review_room(request: web.Request, link: Link) -> web.Response:
    """Give one room as researchers see it."""
    room = await _room(request)
    review = ReviewRoom(
        view=room_view(room.state, "researcher"),
        audio=room.audio_files(),
        flagged_names=room.flags(),
        consent_quote=room.quotable(),
    )
    return web.Response(text=review.model_dump_json(), content_type="application/json")


async def events(request: web.Request, link: Link) -> web.Response:
    """Give the room's log from `?after=` on: a JSON array of {seq, at, time, actor, payload}, or with `?format=jsonl` one a line."""
    try:
        after = int(request.query.get("after", "0"))
    except ValueError:
        raise InvalidInput("bad_after", "“after” is the number of an event.") from None
    room = await _room(request)
    found = [formats.event_json(event) for event in room.events if event.seq > after]
    if request.query.get("format") == "jsonl":
        return _download(formats.lines(found), "application/jsonl", f"room-{room.record.number}-events.jsonl")
    return web.json_response(found)


async def transcript(request: web.Request, link: Link) -> web.Response:
    """Give the transcript as `?format=` json (default), vtt, srt, txt or csv."""
    form = request.query.get("format", "json")
    room = await _room(request)
    text, content_type = formats.transcript(room, form)
    return _download(text, content_type, f"room-{room.record.number}-transcript.{form}")


async def votes(request: web.Request, link: Link) -> web.Response:
    """Give the room's votes as CSV."""
    return await _table(request, "votes.csv")


async def statements(request: web.Request, link: Link) -> web.Response:
    """Give the room's statements with their tallies as CSV."""
    return await _table(request, "statements.csv")


async def ledger(request: web.Request, link: Link) -> web.Response:
    """Give the AI ledger, one JSON object a line."""
    room = await _room(request)
    return _download(formats.ledger_jsonl(room), "application/jsonl", f"room-{room.record.number}-ledger.jsonl")


async def summary(request: web.Request, link: Link) -> web.Response:
    """Give the summary with what it cites; null before there is one."""
    room = await _room(request)
    return _download(formats.summary_json(room), "application/json", f"room-{room.record.number}-summary.json")


async def audio(request: web.Request, link: Link) -> web.StreamResponse:
    """Give one recording; only what the room's people agreed to is there (ranges are answered)."""
    room = await _room(request)
    path = room.audio.get(request.match_info["file"])
    if path is None:
        raise NotFound("no_such_recording", "There is no such recording.")
    kind = {".wav": "audio/wav", ".opus": "audio/ogg", ".webm": "video/webm"}.get(path.suffix, "audio/ogg")
    return web.FileResponse(path, headers={"Content-Type": kind, "Cache-Control": "no-store"})


async def export(request: web.Request, link: Link) -> web.StreamResponse:
    """Give everything about a deliberation as a zip, one at a time per deliberation.

    It is made in a file without a name, which is gone as soon as it has been sent, or the client has. Raises `Conflict("export_running")`.
    """
    deliberation_id = request.match_info["id"]
    settings, busy = request.app[SETTINGS], request.app[EXPORTS]
    if deliberation_id in busy:
        raise Conflict("export_running", "An export of this deliberation is being made already.", "Try again in a moment.")
    busy.add(deliberation_id)
    try:
        with tempfile.TemporaryFile(dir=settings.data_dir) as file:
            await export_deliberation(request.app[STORE], deliberation_id, file)
            return await _sent(request, file, f"{deliberation_id}.zip")
    finally:
        busy.discard(deliberation_id)


async def _sent(request: web.Request, file: IO[bytes], name: str) -> web.StreamResponse:
    """Send a whole file; a client that takes nothing for `STALLED_SECONDS` is let go."""
    response = web.StreamResponse(headers=_named(name))
    response.content_type = "application/zip"
    response.content_length = file.seek(0, os.SEEK_END)
    file.seek(0)
    await response.prepare(request)
    try:
        while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
            async with asyncio.timeout(STALLED_SECONDS):
                await response.write(chunk)
        await response.write_eof()
    except (ConnectionError, TimeoutError):
        if request.transport is not None:
            request.transport.abort()
    return response


async def _room(request: web.Request) -> Released:
    return await release(request.app[STORE], request.match_info["id"])


async def _table(request: web.Request, name: str) -> web.Response:
    room = await _room(request)
    text = formats.table(name, formats.ROWS[name](room))
    return _download(text, "text/csv", f"room-{room.record.number}-{name}")


def _download(text: str, content_type: str, name: str) -> web.Response:
    return web.Response(text=text, content_type=content_type, charset="utf-8", headers=_named(name))


def _named(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}
