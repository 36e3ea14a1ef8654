"""The API of organisers and of people: deliberations, links, joining, moving, withdrawing; health and metrics.

Handlers read a request, call the store, the links or the live rooms, and answer; who may call them stands in `routes`.
"""

from __future__ import annotations

import asyncio
import ipaddress
import json
from datetime import UTC, datetime
from urllib.parse import urlsplit

import yaml
from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from deliberation.command import Id
from deliberation.consent import consent_given
from deliberation.design import Design
from deliberation.errors import Conflict, InvalidInput, NotAllowed, NotFound, Unavailable
from deliberation.reserved_names import impersonates
from server import metrics
from server.designs import checked
from server.http.auth import Link, bearer
from server.http.calendars import calendar_file
from server.http.keys import AUTH, CLOCK, PUBLIC_URL, READY, ROOMS, SETTINGS, STORE, SURVEYS
from server.http.models import (
    DeliberationInfo,
    DeliberationLinks,
    IssuedLink,
    JoinInfo,
    JoinRequest,
    JoinResponse,
    LinkInfo,
    LinkRequest,
    ParticipantInfo,
    StageInfo,
)
from server.ids import new_id
from server.settings import Settings
from server.storage.records import LinkRecord, LinkRole, ParticipantRecord
from server.survey import SurveyCommand

_PAGES: dict[LinkRole, str] = {"invitation": "join", "preview": "join", "facilitator": "monitor", "researcher": "review"}


COHORTS: dict[str, str] = {"online": "main", "chat": "main", "on-site": "on-site", "survey": "survey"}
"""By how somebody takes part: whom they belong to where their link says nothing. A room's writers sit among its speakers."""


_SURVEY: TypeAdapter[SurveyCommand] = TypeAdapter(SurveyCommand)


class _Move(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    room_id: Id = Field()


# -- deliberations


async def check_design(request: web.Request, link: Link) -> web.Response:
    """Say whether a design (YAML or JSON) is sound, and what is wrong with it if not; `given` is what was sent, as JSON."""
    design = await _design(request)
    return web.json_response({"ok": True, "design": design.model_dump(mode="json"), "given": yaml.safe_load(await request.read())})


async def create_deliberation(request: web.Request, link: Link) -> web.Response:
    """Make a deliberation from a design (YAML or JSON) and return its links."""
    design = await _design(request)
    await request.app[STORE].create_deliberation(design, request.app[CLOCK]())
    links = await deliberation_links(request.app, design.id)
    return web.Response(text=links.model_dump_json(), content_type="application/json", status=201)


async def list_deliberations(request: web.Request, link: Link) -> web.Response:
    """List all deliberations with their links, oldest first."""
    store, found = request.app[STORE], []
    for record in await store.deliberations():
        people = [p for p in await store.participants(record.deliberation_id) if not p.simulated]
        rooms = [room for room in await store.rooms(record.deliberation_id) if room.meeting]
        waiting = request.app[ROOMS].waiting(record.deliberation_id)
        seatless = sum(p.room_id is None and p.withdrawn_at is None for p in people)
        info = DeliberationInfo(
            id=record.deliberation_id,
            title=record.design.title,
            question=record.design.question,
            created_at=record.created_at,
            open=record.open,
            opens_at=_opens_at(record.design),
            rounds=record.design.rounds,
            rooms=len(rooms),
            rooms_open=sum(room.closed_at is None for room in rooms),
            participants=len(people),
            waiting=waiting,
            no_shows=max(0, seatless - waiting),
            links=await deliberation_links(request.app, record.deliberation_id),
        )
        found.append(info.model_dump(mode="json"))
    return web.json_response(found)


async def close_deliberation(request: web.Request, link: Link) -> web.Response:
    """Let nobody join any more."""
    store, deliberation_id = request.app[STORE], request.match_info["id"]
    await store.deliberation(deliberation_id)
    await store.close_deliberation(deliberation_id, request.app[CLOCK]())
    await request.app[SURVEYS].close(deliberation_id)
    return web.Response(status=204)


async def open_deliberation(request: web.Request, link: Link) -> web.Response:
    """Let people join again."""
    store, deliberation_id = request.app[STORE], request.match_info["id"]
    await store.deliberation(deliberation_id)
    await store.reopen_deliberation(deliberation_id)
    return web.Response(status=204)


async def begin_deliberation(request: web.Request, link: Link) -> web.Response:
    """Form groups now of those who wait, without waiting for the opening time or for more people; whoever comes later finds it open."""
    store = request.app[STORE]
    design = (await store.deliberation(request.match_info["id"])).design
    waiting = await request.app[ROOMS].begin(request.match_info["id"])
    if design.opens_at is not None:
        await store.replace_design(design.model_copy(update={"opens_at": None}))
    return web.json_response({"waiting": waiting})


async def rebalance(request: web.Request, link: Link) -> web.Response:
    """Move people out of groups that have become too small, where others have places."""
    await request.app[STORE].deliberation(request.match_info["id"])
    moved = await request.app[ROOMS].rebalance(request.match_info["id"])
    return web.json_response({"moved": moved})


async def calendar(request: web.Request, link: Link) -> web.Response:
    """Give the opening time as a calendar file. Raises `NotFound` for a deliberation that is open all the time."""
    record = await request.app[STORE].deliberation(request.match_info["id"])
    opens_at = _opens_at(record.design)
    if opens_at is None:
        raise NotFound("no_opening_time", "This deliberation has no opening time.")
    text = calendar_file(record.design, opens_at, request.app[CLOCK]())
    headers = {"Content-Disposition": f'attachment; filename="{record.deliberation_id}.ics"'}
    return web.Response(text=text, content_type="text/calendar", charset="utf-8", headers=headers)


async def join_info(request: web.Request, link: Link) -> web.Response:
    """Give what a page needs before anyone has joined."""
    record = await request.app[STORE].deliberation(request.match_info["id"])
    design, settings = record.design, request.app[SETTINGS]
    if link.role == "invitation":
        await request.app[STORE].note_opened(link.link_id)
    facilitation = design.facilitation.mode
    if facilitation == "model" and not settings.llm_model:
        facilitation = "rules"
    info = JoinInfo(
        id=design.id,
        title=design.title,
        question=design.question,
        language=design.language,
        briefing=design.briefing,
        stages=tuple(StageInfo(title=stage.title, minutes=stage.minutes) for stage in design.agenda),
        poll=design.poll,
        consent=design.consent,
        privacy=design.privacy,
        facilitation=facilitation,
        model_outside=facilitation == "model" and model_is_outside(settings),
        min_size=design.groups.min_size,
        target_size=design.groups.target_size,
        max_size=design.groups.max_size,
        segments=dict(design.segments),
        practice=design.practice,
        survey=design.survey is not None,
        opens_at=_opens_at(design),
        open=record.open,
        preview=link.role == "preview",
    )
    return web.Response(text=info.model_dump_json(), content_type="application/json")


# -- links


async def list_links(request: web.Request, link: Link) -> web.Response:
    """List a deliberation's links, without their tokens."""
    links = await request.app[STORE].links(request.match_info["id"])
    return web.json_response([_link_info(record).model_dump(mode="json") for record in links])


async def issue_link(request: web.Request, link: Link) -> web.Response:
    """Issue one more link."""
    deliberation_id = request.match_info["id"]
    await request.app[STORE].deliberation(deliberation_id)
    wanted = LinkRequest.model_validate(await _json(request))
    role: LinkRole = "invitation" if wanted.role == "participant" else wanted.role
    if (wanted.seats or wanted.cohort or wanted.page != "join") and role != "invitation":
        raise InvalidInput("bad_seats", "Only invitations have a number of seats, a cohort or a survey's page.")
    token = await request.app[AUTH].issue(
        role, deliberation_id, days=wanted.days, seats=wanted.seats, cohort=wanted.cohort
    )
    page = wanted.page if role == "invitation" else _PAGES[role]
    issued = IssuedLink(
        link_id=(await request.app[AUTH].verify(token)).link_id,
        url=f"{request.app[PUBLIC_URL]}/d/{deliberation_id}/{page}#k={token}",
    )
    return web.Response(text=issued.model_dump_json(), content_type="application/json", status=201)


async def revoke_link(request: web.Request, link: Link) -> web.Response:
    """Make a link open nothing any more, and end what it has opened."""
    link_id = request.match_info["link_id"]
    await request.app[AUTH].revoke(link_id)
    await request.app[ROOMS].drop_link(link_id)
    return web.Response(status=204)


async def deliberation_links(app: web.Application, deliberation_id: str) -> DeliberationLinks:
    """Return a deliberation's standing links."""
    base, auth = f"{app[PUBLIC_URL]}/d/{deliberation_id}", app[AUTH]
    invitation = await auth.standing("invitation", deliberation_id)
    surveyed = (await app[STORE].deliberation(deliberation_id)).design.survey is not None
    return DeliberationLinks(
        id=deliberation_id,
        join_url=f"{base}/join#k={invitation}",
        monitor_url=f"{base}/monitor#k={await auth.standing('facilitator', deliberation_id)}",
        review_url=f"{base}/review#k={await auth.standing('researcher', deliberation_id)}",
        outcome_url=f"{base}/outcome",
        survey_url=f"{base}/survey#k={invitation}" if surveyed else "",
    )


# -- people


async def join(request: web.Request, link: Link) -> web.Response:
    """Take part: check consent, answers and segments against the design, and give the person a seat's token."""
    store = request.app[STORE]
    record = await store.deliberation(request.match_info["id"])
    if not record.open and link.role != "preview":
        raise Conflict("deliberation_closed", "This deliberation is over; nobody can join any more.")
    wanted = JoinRequest.model_validate(await _json(request))
    design, participant_id = record.design, new_id()
    ticked = {str(item): agreed for item, agreed in wanted.consent.items()}
    consent = consent_given(participant_id, ticked, wanted.consent_version, wanted.language, design.consent)
    segments, answers = _segments(design, wanted.segments), _answers(design, wanted.answers)
    if wanted.mode == "survey" and design.survey is None:
        raise Conflict("no_survey", "This deliberation has no survey.", "Join a room instead.")
    if wanted.mode == "survey" and link.role == "preview":
        raise Conflict("preview_only", "This link shows what participants see; a survey's answers would count.", "Ask for a survey link.")
    person = ParticipantRecord(
        participant_id=participant_id,
        deliberation_id=design.id,
        joined_at=request.app[CLOCK](),
        name=_name(wanted.name),
        language=wanted.language,
        consent=consent.items,
        consent_version=consent.version,
        segments=segments,
        answers=answers,
        mode=wanted.mode,
        cohort=link.cohort or COHORTS[wanted.mode],
        simulated=link.role == "preview",
    )
    await store.take_seat(link.link_id)
    try:
        await store.add_participant(person)
        if person.mode == "survey":
            await request.app[SURVEYS].enter(person)
    except Exception:
        await store.undo_join(link.link_id, participant_id)
        raise
    token = await request.app[AUTH].issue("participant", design.id, participant_id)
    response = JoinResponse(participant_id=participant_id, token=token)
    return web.Response(text=response.model_dump_json(), content_type="application/json", status=201)


async def me(request: web.Request, link: Link) -> web.Response:
    """Say whom a participant's link belongs to."""
    store = request.app[STORE]
    person = await store.participant(link.participant_id or "")
    room = await store.room(person.room_id) if person.room_id else None
    info = ParticipantInfo(
        participant_id=person.participant_id,
        deliberation_id=person.deliberation_id,
        name=person.name,
        room_id=person.room_id,
        room_open=room is not None and room.closed_at is None,
        consent=dict(person.consent),
    )
    return web.Response(text=info.model_dump_json(), content_type="application/json")


async def survey(request: web.Request, link: Link) -> web.Response:
    """Give a participant their part of the survey."""
    shown = await request.app[SURVEYS].page(link.participant_id or "")
    return web.Response(text=shown.model_dump_json(), content_type="application/json")


async def answer_survey(request: web.Request, link: Link) -> web.Response:
    """Do what a participant asks for in the survey: write, vote, be done, take back."""
    command = _SURVEY.validate_python(await _json(request))
    shown = await request.app[SURVEYS].do(link.participant_id or "", command)
    return web.Response(text=shown.model_dump_json(), content_type="application/json")


async def withdraw(request: web.Request, link: Link) -> web.Response:
    """Erase a participant's data as the design provides: in the rooms that run, then in all others."""
    participant_id = request.match_info["id"]
    await request.app[STORE].participant(participant_id)
    await request.app[ROOMS].withdraw(participant_id)
    await request.app[STORE].withdraw(participant_id, request.app[CLOCK]())
    return web.Response(status=204)


async def move(request: web.Request, link: Link) -> web.Response:
    """Seat somebody in another room of the same deliberation."""
    store, participant_id = request.app[STORE], request.match_info["id"]
    wanted = _Move.model_validate(await _json(request))
    person = await store.participant(participant_id)
    room = await store.room(wanted.room_id)
    if room.deliberation_id != person.deliberation_id:
        raise NotAllowed("not_in_scope", "That room belongs to another deliberation.")
    await request.app[ROOMS].move(participant_id, wanted.room_id)
    return web.Response(status=204)


# -- health


async def healthz(request: web.Request) -> web.Response:
    """Say that the process answers."""
    return web.json_response({"status": "ok"})


async def readyz(request: web.Request) -> web.Response:
    """Say whether people can be served (503 if not), and what is amiss; without a recogniser they can."""
    problems = dict(request.app[READY]())
    try:
        await request.app[STORE].ready()
    except Unavailable as error:
        problems["storage"] = error.message
    serving = not problems.keys() & {"storage", "bus"}
    return web.json_response({"ready": serving, "problems": problems}, status=200 if serving else 503)


async def metrics_page(request: web.Request) -> web.Response:
    """Give the metrics to this machine itself, and to whoever holds the admin token."""
    if not _is_local(request):
        link = await request.app[AUTH].verify(bearer(request.headers.get("Authorization")))
        if link.role != "admin":
            raise NotAllowed("role_not_allowed", "Metrics are for the operator.")
    return web.Response(body=metrics.exposition(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})


# -- reading requests


async def _design(request: web.Request) -> Design:
    try:
        text = (await request.read()).decode()
    except UnicodeDecodeError:
        raise InvalidInput("design_invalid", "The design is not written in UTF-8.") from None
    return await asyncio.to_thread(checked, text)


async def _json(request: web.Request) -> object:
    try:
        return json.loads(await request.read())
    except (ValueError, RecursionError):
        raise InvalidInput("bad_json", "The request is not valid JSON.") from None


def _name(name: str) -> str:
    """Return a name without characters that cannot be seen (controls, direction marks), which could disguise one as another."""
    seen = " ".join("".join(char if char.isprintable() else " " for char in name).split())
    if not any(char.isalnum() for char in seen):
        raise InvalidInput("name_missing", "Please enter a name that others can call you by.")
    if impersonates(seen):
        raise InvalidInput("name_reserved", "That name is the facilitator's, or this service's.", "Please enter your own.")
    return seen


def _segments(design: Design, given: dict[str, str]) -> dict[str, str]:
    for key, value in given.items():
        if value not in design.segments.get(key, ()):
            raise InvalidInput("bad_segment", "An answer about yourself is not among the choices.")
    return given


def _answers(design: Design, given: dict[str, int]) -> dict[str, int]:
    scales = {question.id: question.scale for question in design.poll}
    for question, value in given.items():
        if not 1 <= value <= scales.get(question, 0):
            raise InvalidInput("bad_answer", "An answer does not fit its question's scale.")
    return given


def _opens_at(design: Design) -> float | None:
    if design.opens_at is None:
        return None
    moment = datetime.fromisoformat(design.opens_at)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _link_info(record: LinkRecord) -> LinkInfo:
    """Describe a link; an invitation is a participants' link that belongs to nobody yet."""
    return LinkInfo(
        link_id=record.link_id,
        role="participant" if record.role == "invitation" else record.role,
        deliberation_id=record.deliberation_id,
        participant_id=record.participant_id,
        issued_at=record.issued_at,
        expires_at=record.expires_at,
        revoked=record.revoked_at is not None,
        seats=record.seats,
        used=record.used,
        opened=record.opened,
        cohort=record.cohort,
    )


def model_is_outside(settings: Settings) -> bool:
    """Say whether words are sent to a language model on another machine."""
    if settings.llm_base_url is None:
        return True
    host = urlsplit(settings.llm_base_url).hostname or ""
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"


def _is_local(request: web.Request) -> bool:
    """Say whether a request comes from this machine itself, through no proxy."""
    if "X-Forwarded-For" in request.headers or "Forwarded" in request.headers:
        return False
    try:
        return ipaddress.ip_address(request.remote or "").is_loopback
    except ValueError:
        return False
