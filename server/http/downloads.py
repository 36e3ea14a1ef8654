"""Review and downloads: rooms as they may be seen outside themselves. Everything here is made from `released` rooms."""

from __future__ import annotations

from aiohttp import web

from deliberation.errors import InvalidInput, NotFound
from deliberation.view import room_view
from server.http.auth import Link
from server.http.keys import STORE
from server.http.models import ReviewRoom, RoomInfo
from server.storage import formats
from server.storage.export import export_deliberation
from server.storage.released import Released, release


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
    kind = {".wav": "audio/wav", ".opus": "audio/ogg"}.get(path.suffix, "audio/ogg")
    return web.FileResponse(path, headers={"Content-Type": kind, "Cache-Control": "no-store"})


async def export(request: web.Request, link: Link) -> web.Response:
    """Give everything about a deliberation as a zip."""
    deliberation_id = request.match_info["id"]
    data = await export_deliberation(request.app[STORE], deliberation_id)
    return web.Response(
        body=data, content_type="application/zip", headers=_named(f"{deliberation_id}.zip")
    )


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
