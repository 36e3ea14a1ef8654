from __future__ import annotations

import json
from collections import Counter
from typing import Any, get_args

import pytest

from deliberation.consent import Erasure, consent_given, echoes, erased, erasures_of
from deliberation.design import Consent, Design, parse_design
from deliberation.errors import Conflict, InvalidInput
from deliberation.events import (
    PAYLOAD_TYPES,
    AiCalled,
    ChatPosted,
    ConsentGiven,
    ConsentWithdrawn,
    Event,
    HandRaised,
    HelpAnswered,
    HelpCalled,
    InterventionAnswered,
    InterventionMade,
    ListenerChanged,
    MemberAway,
    MemberJoined,
    MemberLeft,
    MemberReturned,
    Payload,
    PollAnswered,
    RecordingChanged,
    ReportFiled,
    RoomClosed,
    RoomOpened,
    SafetyAnswered,
    SafetyAsked,
    SafetyDecided,
    Sentence,
    SpeechEnded,
    StageEnded,
    StageStarted,
    StatementAdded,
    SummaryMarked,
    SummaryProposed,
    TurnStarted,
    UtteranceFinal,
    UtteranceRevised,
    UtteranceStruck,
    VoteCast,
    Word,
)
from deliberation.privacy import redact, reviewable
from deliberation.redactor import FIELDS, Mode
from deliberation.room import fold_all
from deliberation.translations import TextTranslated
from deliberation.view import room_view

NAMES = {"prt-7f3a": "Gudrun Aas", "prt-91bc": "Tomek Wolski", "prt-c0de": "Will Marsh", "prt-55aa": "Amina"}
PEOPLE = tuple(NAMES)
AFFILIATIONS = {"Harbour Workers Union", "Ministry of Fisheries"}
SECRET_WORDS = (*PEOPLE, "lnk-facil", "Gudrun", "Aas", "Tomek", "Wolski", "Marsh", "Amina", "Ingeborg", *AFFILIATIONS, "198.51.100.7")


def plan(mode: str, **privacy: Any) -> Design:
    return parse_design(
        {
            "id": "trial",
            "title": "A trial",
            "question": "What should we do?",
            "briefing": [{"title": "By Gudrun Aas", "text": "Some background."}],
            "stages": [{"id": "talk", "title": "Talk"}, {"id": "vote", "kind": "statements", "title": "Vote"}],
            "poll": [{"id": "trust", "text": "I trust it."}],
            "privacy": {"mode": mode, **privacy},
            "segments": {"employer": sorted(AFFILIATIONS)},
            "transcription": {"vocabulary": ["Gudrun", "quota"]},
        }
    )


BASE = 1_700_000_000.0  # room time at which the room opens


def said(n: int, who: str, text: str, after: float, **more: Any) -> Payload:
    start = BASE + after
    words = tuple(
        Word(text=word, start=start + i * 0.4, end=start + i * 0.4 + 0.3, probability=0.93)
        for i, word in enumerate(text.split())
    )
    return UtteranceFinal(
        utterance_id=f"{who}/{n}",  # a recogniser's id may hold the speaker's
        participant_id=who,
        started_at=start,
        ended_at=start + 4.37,
        text=text,
        words=words,
        confidence=0.8734,
        **more,
    )


def room(mode: str, closed: bool = True, **privacy: Any) -> list[Event]:
    design = plan(mode, **privacy)
    g, t, w, a = PEOPLE
    timed: list[tuple[float, str, Payload]] = [
        (0, "system", RoomOpened(deliberation_id="trial", room_id="room-x", number=3, design=design.model_dump(mode="json")))
    ]
    for seat, person in enumerate(PEOPLE, 1):
        employer = "Ministry of Fisheries" if seat == 1 else "Harbour Workers Union"
        timed += [
            (
                seat,
                person,
                MemberJoined(
                    participant_id=person,
                    seat=seat,
                    name=NAMES[person],
                    language="ar" if seat == 4 else "en",
                    segments={"employer": employer},
                ),
            ),
            (
                seat + 0.5,
                person,
                ConsentGiven(
                    participant_id=person,
                    items={"take_part": True, "record": seat < 3, "quote": seat == 1},
                    version="1",
                    language="en",
                ),
            ),
            (seat + 0.7, person, PollAnswered(participant_id=person, poll="opening", answers={"trust": seat})),
        ]
    timed += [
        (10, "system", StageStarted(stage_id="talk", index=0, ends_at=BASE + 310)),
        (11, g, HandRaised(participant_id=g)),
        (12, "system", TurnStarted(participant_id=g, ends_at=BASE + 60)),
        (17.2, "system", SpeechEnded(participant_id=g, started_at=BASE + 12.1, ended_at=BASE + 16.9)),
        (18, "system", said(1, g, "I work at the harbour, and Tomek knows that", 12.1)),
        (26, "system", SpeechEnded(participant_id=t, started_at=BASE + 20.0, ended_at=BASE + 25.0)),
        (27, "system", said(2, t, "Thank you, Goodrun. Ingeborg will agree, and Will too", 20.0)),
        (28, "system", UtteranceRevised(utterance_id=f"{t}/2", participant_id=t, text="Thank you, Gudrun. Ingeborg will agree, and Will too", by="refine")),
        (30, w, ChatPosted(message_id="msg-1", participant_id=w, text="gudrun is right, write to me at 5")),
        (31, "system", said(3, a, "شكرا", 30.2, language="ar")),
        (33, "ai", InterventionMade(intervention_id="int-1", rule="quiet", text="Amina, what is your view?", to=(a,), about=a, why="Amina has 3 % of the talk", numbers={"share": 0.03}, actions=("speak",))),
        (34, a, InterventionAnswered(intervention_id="int-1", participant_id=a, answer="declined")),
        (35, "system", MemberAway(participant_id=w)),
        (36, "system", MemberReturned(participant_id=w)),
        (37, w, ReportFiled(report_id="rep-1", participant_id=w, about=t, text="Tomek is shouting")),
        (38, w, HelpCalled(participant_id=w, why="asked for by a participant")),
        (39, "lnk-facil", HelpAnswered(by="lnk-facil")),
        (40, "lnk-facil", ListenerChanged(listener_id="lnk-facil", name="Ingeborg Lie", state="listening")),
        (41, "system", said(4, t, "something rude", 40.0)),
        (42, "ai", SafetyAsked(case_id="cas-1", participant_id=t, subject_id=f"{t}/4", asked=(g, w), why="insult")),
        (43, g, SafetyAnswered(case_id="cas-1", participant_id=g, verdict="hide")),
        (44, "system", SafetyDecided(case_id="cas-1", verdict="hide", by="group")),
        (45, "ai", InterventionMade(intervention_id="int-2", rule="safety.distress", text="Would you like to talk to somebody?", to=(w,), about=w, why="words of distress were heard")),
        (46, w, InterventionAnswered(intervention_id="int-2", participant_id=w, answer="declined")),
        (46.5, "ai", TextTranslated(subject_id="int-2", participant_id=None, language="es", text="¿Quieres hablar con alguien?", call_id="cal-0")),
        (47, "system", HelpCalled(participant_id=None, why="a removal was asked for")),
        (50, "system", StageEnded(stage_id="talk", why="time")),
        (50, "system", StageStarted(stage_id="vote", index=1, ends_at=BASE + 350)),
        (51, g, StatementAdded(statement_id="sta-1", participant_id=g, text="Tomek should decide the quota.", supports=(f"{g}/1",))),
        (52, "ai", StatementAdded(statement_id="sta-2", participant_id=None, text="The harbour matters.", supports=(f"{g}/1", "rm2/9"), origin="ai", source_room="room-y")),
        (53.1, g, VoteCast(statement_id="sta-1", participant_id=g, value=1)),
        (54.2, t, VoteCast(statement_id="sta-1", participant_id=t, value=-1)),
        (55.3, a, VoteCast(statement_id="sta-2", participant_id=a, value=1)),
        (55.9, a, VoteCast(statement_id="sta-2", participant_id=a, value=0)),
        (56, "system", RecordingChanged(participant_id=g, recording=True, file="prt-7f3a-1.ogg", started_at=BASE + 5)),
        (56, "system", RecordingChanged(participant_id=w, recording=True, file="prt-c0de-1.ogg", started_at=BASE + 5)),
        (57, "ai", AiCalled(call_id="cal-1", purpose="summary", model="m", prompt="summary-2", prompt_hash="ab", first_seq=1, last_seq=30, output="P1 (prt-7f3a, Gudrun): harbour", latency_ms=9, outcome="ok")),
        (58, "ai", SummaryProposed(summary_id="sum-1", sentences=(Sentence(text="Gudrun named the harbour; Participant 2 agreed.", utterances=(f"{g}/1",), statements=("sta-1",)),), method="model", call_id="cal-1")),
        (59.4, t, SummaryMarked(summary_id="sum-1", participant_id=t, sentence=0, verdict="wrong")),
        (60.6, w, SummaryMarked(summary_id="sum-1", participant_id=w, sentence=None, verdict="missing", text="What Amina said")),
        (61.7, t, PollAnswered(participant_id=t, poll="closing", answers={"trust": 5})),
        (62, "system", MemberLeft(participant_id=a, reason="left")),
    ]  # fmt: skip
    if closed:
        timed.append((70, "system", RoomClosed(reason="finished")))
    return [Event(seq, BASE + at, actor, payload) for seq, (at, actor, payload) in enumerate(timed, 1)]


def written(events: list[Event]) -> str:
    return json.dumps([[e.seq, e.at, e.actor, e.payload.model_dump(mode="json")] for e in events], ensure_ascii=False)


OTHERS = {"prt-else": "Ingeborg Lie"}


def redacted(mode: Mode, key: bytes = b"k") -> list[Event]:
    return redact(room(mode), mode, key=key, names={**NAMES, **OTHERS})


def test_every_field_of_every_event_is_classified() -> None:
    missing = [
        f"{kind}.{name}"
        for kind, cls in PAYLOAD_TYPES.items()
        for name in cls.model_fields
        if f"{kind}.{name}" not in FIELDS and name not in FIELDS
    ]
    assert missing == []


def test_every_personal_field_is_treated_as_words_or_as_a_person() -> None:
    personal = {FIELDS[name] for cls in PAYLOAD_TYPES.values() for name in cls.personal_fields()}
    assert personal == {"text", "texts", "words", "sentences", "name", "speaker", "segments"}


@pytest.mark.parametrize("mode", get_args(Mode))
def test_what_leaves_a_room_is_a_whole_log_that_folds_and_shows(mode: Mode) -> None:
    events = redacted(mode)
    assert [e.seq for e in events] == list(range(1, len(events) + 1))
    assert sorted(e.at for e in events) == [e.at for e in events]
    state = fold_all(events)
    view = room_view(state, "researcher")
    assert len(view.members) == 4 and len(view.utterances) == 4 and len(view.statements) == 2
    assert state.closed_at == 1_700_000_070


@pytest.mark.parametrize("mode", ("pseudonym", "chatham-house"))
def test_no_name_id_or_affiliation_that_singles_out_is_left(mode: Mode) -> None:
    text = written(redacted(mode))
    allowed = AFFILIATIONS if mode == "pseudonym" else set()  # in the design's choices, and where shared
    assert [word for word in SECRET_WORDS if word in text and word not in allowed] == []
    assert "Goodrun" not in text and "gudrun" not in text


@pytest.mark.parametrize("mode", get_args(Mode))
def test_reports_private_answers_and_hidden_words_stay_inside(mode: Mode) -> None:
    text = written(redacted(mode))
    for inside in ("shouting", "rude", "safety.", "help.", "report.", "words of distress", "talk to somebody", "hablar", "removal"):
        assert inside not in text, inside
    assert "safety.distress" in written(room(mode))


@pytest.mark.parametrize("mode", get_args(Mode))
def test_a_researchers_view_of_a_room_shows_nobodys_distress(mode: Mode) -> None:
    for state in (fold_all(redacted(mode)), fold_all(room(mode))):  # even if it was not redacted
        view = room_view(state, "researcher")
        assert view.help is None and view.reports == () and view.safety == {}
        assert not any(card.rule.startswith("safety.") for card in view.cards.values())


def test_named_mode_keeps_who_said_what_and_the_audio_of_those_who_agreed() -> None:
    state = fold_all(redacted("named"))
    assert state.utterances["prt-91bc/2"].text.startswith("Thank you, Gudrun")
    assert [r.participant_id for r in state.recordings] == ["prt-7f3a"]


def test_named_mode_lets_go_of_audio_when_consent_is_withdrawn() -> None:
    events = room("named")
    gone = ConsentWithdrawn(participant_id="prt-7f3a", items=("record",))
    events.append(Event(len(events) + 1, 1_700_000_080, "prt-7f3a", gone))
    assert fold_all(redact(events, "named")).recordings == ()


def test_pseudonym_mode_says_who_by_seat_and_masks_names_in_texts_and_words() -> None:
    state = fold_all(redacted("pseudonym"))
    assert [m.name for m in state.members.values()] == [f"Participant {n}" for n in (1, 2, 3, 4)]
    first, second = state.utterances["u1"], state.utterances["u2"]
    assert (first.participant_id, first.text) == ("participant-1", "I work at the harbour, and Participant 2 knows that")
    assert second.text == "Thank you, Participant 1. [name] will agree, and Participant 3 too"
    assert " ".join(w.text for w in second.words).startswith("Thank you, Participant 1. [name] will agree")
    assert state.statements["s1"].supports == ("u1",)
    assert state.statements["s2"].supports == ("u1", "elsewhere")
    assert state.statements["s1"].votes == {"participant-1": 1, "participant-2": -1}
    assert state.summary and state.summary.sentences[0].utterances == ("u1",)
    assert state.ledger["k1"].output == "P1 (participant-1, Participant 1): harbour"
    assert state.recordings == ()


def test_pseudonym_mode_keeps_segments_only_where_two_share_all_of_them() -> None:
    members = fold_all(redacted("pseudonym")).members
    assert [bool(m.segments) for m in members.values()] == [False, True, True, True]


def test_pseudonym_mode_points_the_ledger_at_the_same_events() -> None:
    whole, masked = room("pseudonym"), redacted("pseudonym")
    entry = fold_all(masked).ledger["k1"]
    assert [e.kind for e in whole[:30]][-4:] == ["member.returned", "report.filed", "help.called", "help.answered"]
    assert masked[entry.last_seq - 1].kind == "member.returned"  # the last before it that leaves the room


def test_chatham_house_tells_nobody_apart_in_what_was_said() -> None:
    events = redacted("chatham-house")
    spoken = [e for e in events if e.kind in ("utterance.final", "utterance.revised", "chat.posted")]
    assert {e.payload.participant_id for e in spoken} == {"someone"}  # type: ignore[union-attr]
    state = fold_all(events)
    assert {s.participant_id for s in state.statements.values()} == {"someone", None}
    card = state.interventions["i1"]
    assert (card.about, card.to, card.numbers) == (None, ("someone",), {})
    assert all(u.words == () and u.confidence == 0.9 for u in state.utterances.values())
    assert {u.language for u in state.utterances.values()} == {"en"}
    assert state.ledger["k1"].output == ""


def test_chatham_house_keeps_no_timing_that_joins_people_with_words() -> None:
    events = redacted("chatham-house")
    gone = {"hand.raised", "turn.started", "member.away", "member.left", "consent.given", "help.called", "safety.asked"}
    assert gone.isdisjoint(e.kind for e in events)
    tied = [e for e in events if e.kind in ("speech.ended", "vote.cast", "poll.answered", "summary.marked")]
    assert {e.at for e in tied} == {1_700_000_070.0}
    assert {e.at for e in events if e.kind == "member.joined"} == {1_700_000_000.0}
    assert all(e.at == round(e.at) for e in events)
    speech = [e.payload for e in events if isinstance(e.payload, SpeechEnded)]
    assert all(s.started_at == 1_700_000_000.0 and (s.ended_at - s.started_at) % 10 == 0 for s in speech)


def test_chatham_house_splits_people_into_worlds_that_share_no_label() -> None:
    worlds: dict[str, set[str]] = {}
    for event in redacted("chatham-house"):
        person = getattr(event.payload, "participant_id", None)
        if person not in (None, "someone"):
            worlds.setdefault(event.kind, set()).add(person)
    assert worlds.pop("speech.ended") == worlds.pop("member.joined")
    labels = Counter(label for world in worlds.values() for label in world)
    assert set(worlds) == {"vote.cast", "poll.answered", "summary.marked", "intervention.answered"}
    assert max(labels.values()) == 1


def test_chatham_house_orders_labels_by_the_key_alone() -> None:
    def order(key: bytes) -> list[int]:
        state = fold_all(redacted("chatham-house", key))
        return [answers["trust"] for answers in state.polls["opening"].values()]

    orders = {tuple(order(bytes([n]))) for n in range(12)}
    assert len(orders) > 3
    assert order(b"a") == order(b"a")
    assert all(sorted(o) == [1, 2, 3, 4] for o in orders)


def test_chatham_house_keeps_the_tallies_and_the_change_of_opinion() -> None:
    state = fold_all(redacted("chatham-house"))
    assert sorted(state.statements["s1"].votes.values()) == [-1, 1]
    assert list(state.statements["s2"].votes.values()) == [0]
    [closing] = state.polls["closing"]
    assert (state.polls["opening"][closing], state.polls["closing"][closing]) == ({"trust": 2}, {"trust": 5})
    assert state.summary and {m.verdict for m in state.summary.marks} == {"wrong", "missing"}
    assert state.summary.sentences[0].text == "[name] named the harbour; someone agreed."


def test_chatham_house_hides_the_only_speaker_of_a_language() -> None:
    assert {m.language for m in fold_all(redacted("chatham-house")).members.values()} == {"en"}


def test_chatham_house_is_not_shown_while_the_room_runs() -> None:
    running = fold_all(room("chatham-house", closed=False))
    assert not reviewable("chatham-house", running) and reviewable("pseudonym", running)
    assert reviewable("chatham-house", fold_all(room("chatham-house")))


def test_the_vocabulary_and_the_choices_of_affiliation_leave_with_nothing_personal() -> None:
    opened = redacted("chatham-house")[0].payload
    assert isinstance(opened, RoomOpened)
    assert opened.design["segments"] == {} and opened.design["transcription"]["vocabulary"] == []
    assert opened.design["briefing"][0]["title"] == "By [name]"


# -- consent and erasure


def test_consent_needs_taking_part_and_the_text_of_today() -> None:
    text = Consent(version="2")
    given = consent_given("p", {"take_part": True}, "2", "en", text)
    assert given.items == {"take_part": True, "record": False, "quote": False}
    with pytest.raises(InvalidInput):
        consent_given("p", {"take_part": False, "record": True}, "2", "en", text)
    with pytest.raises(InvalidInput):
        consent_given("p", {"take_part": True, "everything": True}, "2", "en", text)
    with pytest.raises(Conflict):
        consent_given("p", {"take_part": True}, "1", "en", text)


def test_what_is_erased_follows_from_the_event_and_the_design() -> None:
    leaving = ConsentWithdrawn(participant_id="p", items=("take_part", "record"))
    assert erasures_of(leaving, "erase") == (Erasure("words", "p"), Erasure("audio", "p"))
    assert erasures_of(leaving, "pseudonymise") == (Erasure("name", "p"), Erasure("audio", "p"))
    assert erasures_of(ConsentWithdrawn(participant_id="p", items=("quote",)), "erase") == ()
    assert erasures_of(UtteranceStruck(utterance_id="u", participant_id="p"), "erase") == (Erasure("subject", "u"),)


def test_erasing_a_person_takes_the_name_from_what_others_said() -> None:
    text = written(erased(room("named"), [Erasure("words", "prt-7f3a")])[1:])
    assert "Gudrun" not in text and "Goodrun" not in text
    assert "Thank you, Participant 1" in text and "Tomek Wolski" in text
    assert "I work at" not in text


@pytest.mark.parametrize(
    ("text", "original", "repeats"),
    [
        ("One said the school should stay open for all.", "I think the school should stay open", True),
        ("The school came up.", "I think the school should stay open", False),
        ("“Not now!”", "not now", True),
        ("No.", "No", False),
    ],
)
def test_repetition_is_a_run_of_words_in_common(text: str, original: str, repeats: bool) -> None:
    assert echoes(text, original) is repeats
