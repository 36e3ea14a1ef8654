"""A survey over HTTP: people who meet nobody answer the question, vote on what the groups said, and take back what they wrote."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from deliberation.design import parse_design
from deliberation.errors import Unavailable
from deliberation.room import fold_all
from deliberation.survey import counted
from server.outcomes import OutcomeBook
from server.survey import Surveys
from tests.server.http.conftest import START, Site
from tests.server.storage.logs import design

REASONED = "The library should open on Sundays because many of us work all week."


@pytest.fixture
async def open_survey(site: Site) -> Site:
    plan = design("trial").model_dump(mode="json") | {"survey": {}}
    await site.store.replace_design(parse_design(plan))
    return site


async def arrive(site: Site, name: str = "Ada", invitation: str = "invitation", **more: Any) -> str:
    body = {"name": name, "consent": {"take_part": True, "quote": True}, "consent_version": "1", "mode": "survey", **more}
    response = await site.call("POST", "/api/deliberations/trial/participants", invitation, json=body)
    assert response.status == 201, await response.text()
    return str((await response.json())["token"])


async def do(site: Site, token: str, **command: Any) -> dict[str, Any]:
    response = await site.call("POST", "/api/survey", token, json=command)
    assert response.status == 200, await response.text()
    found: dict[str, Any] = await response.json()
    return found


async def answer(site: Site, name: str, text: str = REASONED, vote: int = 1) -> str:
    token = await arrive(site, name)
    shown = await do(site, token, type="chat.post", text=text)
    for statement in shown["statements"]:
        await do(site, token, type="statement.vote", statement_id=statement["statement_id"], value=vote)
    await do(site, token, type="stage.ready")
    return token


async def survey_log(site: Site) -> Any:
    record = next(room for room in await site.store.rooms("trial") if room.survey)
    return await site.store.events(record.room_id)


async def test_the_groups_statements_are_put_to_a_survey_and_an_answer_with_reasons_is_not_asked_about(open_survey: Site) -> None:
    token = await arrive(open_survey)
    first = await (await open_survey.call("GET", "/api/survey", token)).json()
    meeting = next(room for room in await open_survey.store.rooms("trial") if room.meeting)
    state = fold_all(await open_survey.store.events(meeting.room_id))
    assert len(first["statements"]) == sum(not s.withdrawn and not s.flagged for s in state.statements.values()) > 0
    shown = await do(open_survey, token, type="chat.post", text=REASONED)
    assert [a["text"] for a in shown["answers"]] == [REASONED] and shown["follow_up"] is None
    statement = shown["statements"][0]["statement_id"]
    voted = await do(open_survey, token, type="statement.vote", statement_id=statement, value=-1)
    assert voted["statements"][0]["my_vote"] == -1
    assert (await do(open_survey, token, type="stage.ready"))["done"]


async def test_vague_agreement_is_asked_about_once(open_survey: Site) -> None:
    token = await arrive(open_survey)
    asked = await do(open_survey, token, type="chat.post", text="Sounds good.")
    assert asked["follow_up"] and "2" in asked["follow_up_why"] and not asked["followed"]
    again = await do(open_survey, token, type="chat.post", text="Because yes.")
    assert again["followed"] and again["follow_up"] == asked["follow_up"]
    cards = [e for e in await survey_log(open_survey) if e.kind == "intervention.made"]
    assert len(cards) == 1 and cards[0].payload.numbers == {"words": 2.0, "limit": 6.0}


async def test_who_disagrees_is_not_asked_why_they_agree(open_survey: Site) -> None:
    token = await arrive(open_survey)
    shown = await (await open_survey.call("GET", "/api/survey", token)).json()
    await do(open_survey, token, type="statement.vote", statement_id=shown["statements"][0]["statement_id"], value=-1)
    assert (await do(open_survey, token, type="chat.post", text="No way."))["follow_up"] is None


async def test_nobody_sees_what_others_wrote_or_how_they_voted(open_survey: Site) -> None:
    await answer(open_survey, "Ada", "My neighbour's name is Zebulon and he agrees with the whole of it.")
    shown = await (await open_survey.call("GET", "/api/survey", await arrive(open_survey, "Bo"))).text()
    assert "Zebulon" not in shown and '"my_vote": 1' not in shown and '"my_vote":1' not in shown


async def test_a_survey_has_the_mode_and_cohort_of_its_link_on_every_record(open_survey: Site) -> None:
    made = await open_survey.call(
        "POST", "/api/deliberations/trial/links", "admin", json={"role": "participant", "cohort": "Youth", "page": "survey"}
    )
    url = (await made.json())["url"]
    assert "/survey#k=" in url
    await arrive(open_survey, "Ada", url.split("#k=")[1])
    await arrive(open_survey, "Bo")
    joined = [e.payload for e in await survey_log(open_survey) if e.kind == "member.joined"]
    assert [(p.mode, p.cohort) for p in joined] == [("survey", "Youth"), ("survey", "survey")]


async def test_answers_count_in_lots_of_five_once_ten_are_done(open_survey: Site) -> None:
    plan = parse_design(design("trial").model_dump(mode="json") | {"survey": {}})
    for number in range(9):
        await answer(open_survey, f"P{number}")
    assert fold_all(counted(await survey_log(open_survey), plan)).members == {}
    for number in range(9, 13):
        await answer(open_survey, f"P{number}")
    log = await survey_log(open_survey)
    state = fold_all(counted(log, plan))
    assert len(state.members) == 10 == len({u.participant_id for u in state.utterances.values()})
    first = [e.payload.participant_id for e in log if e.kind == "stage.ready"][:10]
    assert set(state.members) == set(first)
    for number in range(13, 15):
        await answer(open_survey, f"P{number}")
    assert len(fold_all(counted(await survey_log(open_survey), plan)).members) == 15


async def test_a_vote_that_is_changed_counts_with_the_next_lot(open_survey: Site) -> None:
    plan = parse_design(design("trial").model_dump(mode="json") | {"survey": {}})
    token = await arrive(open_survey, "Ada")
    statement = (await do(open_survey, token, type="chat.post", text=REASONED))["statements"][0]["statement_id"]

    async def counts() -> int | None:
        votes = fold_all(counted(await survey_log(open_survey), plan)).statements[statement].votes
        return next(iter(votes.values()), None)

    await do(open_survey, token, type="statement.vote", statement_id=statement, value=-1)
    await do(open_survey, token, type="stage.ready")
    for number in range(9):
        await answer(open_survey, f"P{number}")
    assert await counts() == -1
    await do(open_survey, token, type="statement.vote", statement_id=statement, value=0)
    await do(open_survey, token, type="chat.post", text="And I have thought of something else.")
    assert await counts() == -1
    assert "something else" not in str(fold_all(counted(await survey_log(open_survey), plan)).utterances)
    for number in range(9, 14):
        await answer(open_survey, f"P{number}")
    assert await counts() == 0
    assert "something else" in str(fold_all(counted(await survey_log(open_survey), plan)).utterances)


async def test_an_answer_that_does_not_count_yet_makes_no_outcome_anew(open_survey: Site) -> None:
    book = OutcomeBook(open_survey.store)
    for number in range(10):
        await answer(open_survey, f"P{number}")
    before = await book.computed("trial")
    assert before.gathered.people > 10
    token = await answer(open_survey, "Ada")
    people = await book.computed("trial")  # who has joined is on the process card
    await do(open_survey, token, type="chat.post", text=REASONED)
    assert await book.computed("trial") is people and people.gathered.record == before.gathered.record


async def test_the_end_of_a_survey_does_not_tell_what_the_last_few_said(open_survey: Site) -> None:
    plan = parse_design(design("trial").model_dump(mode="json") | {"survey": {}})
    for number in range(4):
        await answer(open_survey, f"P{number}")
    assert len(fold_all(counted(await survey_log(open_survey), plan, over=True)).members) == 4  # pages hide so few
    for number in range(4, 14):
        await answer(open_survey, f"P{number}")
    assert len(fold_all(counted(await survey_log(open_survey), plan, over=True)).members) == 10
    await arrive(open_survey, "not done")
    assert len(fold_all(counted(await survey_log(open_survey), plan, over=True)).members) == 15


async def test_who_cannot_enter_after_all_leaves_the_invitations_seat(open_survey: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    made = await open_survey.call(
        "POST", "/api/deliberations/trial/links", "admin", json={"role": "participant", "seats": 1, "page": "survey"}
    )
    invitation = (await made.json())["url"].split("#k=")[1]
    body = {"name": "Ada", "consent": {"take_part": True, "quote": True}, "consent_version": "1", "mode": "survey"}

    async def busy(*_: Any) -> None:
        raise Unavailable("survey_busy", "Many people answer just now.")

    with monkeypatch.context() as failing:
        failing.setattr(Surveys, "enter", busy)
        refused = await open_survey.call("POST", "/api/deliberations/trial/participants", invitation, json=body)
        assert refused.status == 503
    assert not [person for person in await open_survey.store.participants("trial") if person.mode == "survey"]
    assert await arrive(open_survey, "Ada", invitation)


async def test_a_preview_link_answers_no_survey(open_survey: Site) -> None:
    body = {"name": "Ada", "consent": {"take_part": True, "quote": True}, "consent_version": "1", "mode": "survey"}
    response = await open_survey.call("POST", "/api/deliberations/trial/participants", "preview", json=body)
    assert (response.status, (await response.json())["error"]["code"]) == (409, "preview_only")
    assert not [room for room in await open_survey.store.rooms("trial") if room.survey]


async def test_what_somebody_withdraws_is_gone_from_a_survey_that_still_runs(open_survey: Site) -> None:
    token = await arrive(open_survey)
    shown = await do(open_survey, token, type="chat.post", text=REASONED)
    me = shown["participant_id"]
    assert (await open_survey.call("DELETE", f"/api/participants/{me}", token)).status == 204
    log = await survey_log(open_survey)
    assert not any(REASONED in e.payload.model_dump_json() for e in log)
    assert (await open_survey.call("GET", "/api/survey", token)).status == 404
    assert REASONED.encode() not in (open_survey.settings.data_dir / "parley.db").read_bytes()


async def test_struck_words_are_gone_at_once_and_only_ones_own_can_be(open_survey: Site) -> None:
    mine, other = await arrive(open_survey), await arrive(open_survey, "Bo")
    said = (await do(open_survey, mine, type="chat.post", text=REASONED))["answers"][0]["utterance_id"]
    refused = await open_survey.call("POST", "/api/survey", other, json={"type": "utterance.strike", "utterance_id": said})
    assert refused.status == 403
    shown = await do(open_survey, mine, type="utterance.strike", utterance_id=said)
    assert shown["answers"] == [{"utterance_id": said, "text": "", "struck": True, "language": "en"}]


async def test_without_a_survey_in_the_design_nobody_answers_one(site: Site) -> None:
    body = {"name": "Ada", "consent": {"take_part": True}, "consent_version": "1", "mode": "survey"}
    response = await site.call("POST", "/api/deliberations/trial/participants", "invitation", json=body)
    assert (response.status, (await response.json())["error"]["code"]) == (409, "no_survey")
    assert (await site.call("GET", "/api/survey", "participant")).status == 404
    assert site.now == START


async def test_a_survey_ends_with_its_deliberation_and_a_new_one_begins_with_it(open_survey: Site) -> None:
    token = await arrive(open_survey)
    await open_survey.call("POST", "/api/deliberations/trial/close", "admin", json={})
    late = await open_survey.call("POST", "/api/survey", token, json={"type": "stage.ready"})
    assert (late.status, (await late.json())["error"]["code"]) == (409, "room_closed")
    await open_survey.call("POST", "/api/deliberations/trial/open", "admin", json={})
    await arrive(open_survey, "Bo")
    assert len([room for room in await open_survey.store.rooms("trial") if room.survey]) == 2


async def test_many_answer_at_once(open_survey: Site) -> None:
    await asyncio.gather(*(answer(open_survey, f"P{n}") for n in range(15)))
    assert len(fold_all(await survey_log(open_survey)).ready) == 15
