"""The collective outcome over HTTP: its page's data, the process card, the run report, the record and Polis's files.

The outcome and the card are public; what is row by row needs a researcher's link. Handlers only read and answer: what may be shown is decided
in `server/outcomes` and `deliberation/outcomes/disclosure`.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass

from aiohttp import web

from deliberation.errors import InvalidInput, NotAllowed, NotFound
from deliberation.outcomes import report
from deliberation.outcomes.ballots import write_ballots
from deliberation.outcomes.record import VOTED_KINDS, record_as_json
from deliberation.outcomes.result import as_json
from deliberation.outcomes.votes import Comment, write_comments, write_participants_votes, write_votes
from server.credit import own_credit, provenance_of
from server.http.auth import Link, bearer
from server.http.keys import AUTH, OUTCOMES, STORE
from server.outcomes import Computed, process_card, run_report, view


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A file to save: its text, type and name."""

    text: str
    content_type: str
    name: str

    def response(self) -> web.Response:
        """Return it as an attachment."""
        headers = {"Content-Disposition": f'attachment; filename="{self.name}"'}
        return web.Response(text=self.text, content_type=self.content_type, charset="utf-8", headers=headers)


async def outcomes(request: web.Request) -> web.Response:
    """Give what all rooms together found; with a researcher's link, rows and small groups too."""
    found = await _found(request)
    shown = view(found, full=await _may_see_rows(request), drafting=request.app[OUTCOMES].drafting(found))
    return web.Response(text=shown.model_dump_json(), content_type="application/json")


async def card(request: web.Request) -> web.Response:
    """Give the process card as JSON, or with `?format=md` as Markdown."""
    made = process_card(await _found(request))
    return _told(request, as_json(made), report.card_as_markdown(made), "process-card")


async def run(request: web.Request, link: Link) -> web.Response:
    """Give the run report as JSON, or with `?format=md` as Markdown."""
    links = await request.app[STORE].links(request.match_info["id"])
    made = run_report(await _found(request), links)
    return _told(request, as_json(made), report.run_as_markdown(made), "run-report")


async def record(request: web.Request, link: Link) -> web.Response:
    """Give the record that every figure was computed from; `parley outcomes FILE` reads it."""
    found = await _found(request)
    text = json.dumps(record_as_json(found.gathered.record), ensure_ascii=False, indent=1)
    return Downloaded(text, "application/json", f"{found.design.id}-record.json").response()


async def cast_ballots(request: web.Request, link: Link) -> web.Response:
    """Give every ballot as CSV; `parley outcomes FILE --method ballots` reads it."""
    found = await _found(request)
    return Downloaded(write_ballots(found.gathered.record.ballots), "text/csv", "ballots.csv").response()


async def polis(request: web.Request, link: Link) -> web.Response:
    """Give one of Polis's three files: votes.csv, comments.csv, participants-votes.csv."""
    found, name = await _found(request), request.match_info["file"]
    gathered = found.gathered.record
    log = gathered.vote_log()
    if name == "votes.csv":
        return Downloaded(write_votes(log), "text/csv", name).response()
    if name == "comments.csv":
        tally = log.tally()
        column = {item: index for index, item in enumerate(log.items)}
        comments = [
            Comment(
                item.id, item.text, item.author, int(tally.agrees[column[item.id]]), int(tally.disagrees[column[item.id]]), 1,
                round(item.at * 1000),
            )
            for item in gathered.items
            if item.kind in VOTED_KINDS
        ]  # fmt: skip
        return Downloaded(write_comments(comments), "text/csv", name).response()
    groups = _groups(found)
    matrix = gathered.matrix()
    text = write_participants_votes(matrix, tuple(groups.get(person, "") for person in matrix.participants))
    return Downloaded(text, "text/csv", name).response()


async def provenance(request: web.Request) -> web.Response:
    """Give the outcome's derivations as W3C PROV (JSON); with a researcher's link, with pseudonymous authors."""
    found = await _found(request)
    text = await asyncio.to_thread(provenance_of, found, full=await _may_see_rows(request))
    return Downloaded(text, "application/json", f"{found.design.id}-provenance.json").response()


async def mine(request: web.Request, link: Link) -> web.Response:
    """Tell a participant where their words went."""
    computed = await request.app[OUTCOMES].computed(link.deliberation_id or "")
    shown = await own_credit(request.app[STORE], link.participant_id or "", computed)
    return web.Response(text=shown.model_dump_json(), content_type="application/json")


def _groups(found: Computed) -> dict[str, str]:
    """Return each person's opinion group, where groups were found."""
    for result in found.results:
        if result.method == "opinion-groups":
            rows = result.figures["rows"]
            return dict(zip(rows["participants"], rows["groups"], strict=True))
    return {}


def _told(request: web.Request, data: object, markdown: str, name: str) -> web.Response:
    form = request.query.get("format", "json")
    if form == "md":
        return Downloaded(markdown, "text/markdown", f"{request.match_info['id']}-{name}.md").response()
    if form != "json":
        raise InvalidInput("bad_format", "This comes as json or md.")
    return web.json_response(data)


async def _found(request: web.Request) -> Computed:
    return await request.app[OUTCOMES].computed(request.match_info["id"])


async def _may_see_rows(request: web.Request) -> bool:
    """Say whether the request carries a researcher's link of this deliberation; any other link sees what everybody sees."""
    token = bearer(request.headers.get("Authorization"))
    if not token:
        return False
    try:
        link = await request.app[AUTH].verify(token)
    except (NotAllowed, NotFound):
        return False
    return link.role in ("researcher", "admin") and link.opens(request.match_info["id"])
