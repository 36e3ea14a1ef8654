"""The search for a group's statement: each step, who may do what in it, when it ends, and what each viewer sees of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from deliberation import group_statement
from deliberation.agenda import next_stage
from deliberation.command import Actor
from deliberation.consent import Erasure, erased
from deliberation.decisions import decide
from deliberation.errors import Conflict, InvalidInput
from deliberation.events import MemberLeft
from deliberation.group_statement import (
    CandidateChosen,
    CandidateProposed,
    CritiqueCandidate,
    RankCandidates,
    RankingOpened,
    RevisionBegun,
    TakeStance,
)
from deliberation.payload import Sentence
from deliberation.privacy import redact
from deliberation.room import fold_all
from deliberation.view import room_view, visible_event
from tests.facilitator.rooms import START, Room, design

AGENDA = [
    {"id": "talk", "title": "Talk", "minutes": 10},
    {"id": "ours", "kind": "group-statement", "title": "Ours", "minutes": 10},
]


class Search(Room):
    """A room in its group statement stage, 600 s long, begun at 100 s."""

    def __init__(self, people: int = 4, **changes: Any) -> None:
        super().__init__(people, design(stages=AGENDA, **changes))
        self.speak("p1", 10, 14, "The harbour should be closed to lorries at night.")
        self.speak("p2", 20, 24, "Night work pays the rent of many families.")
        self.start(1, 100)

    def propose(self, seconds: float, round_: int = 1, **texts: str) -> None:
        for key, text in texts.items():
            cite = Sentence(text=text, utterances=("u1",))
            self.add(seconds, CandidateProposed(candidate_id=key, stage_id="ours", round=round_, sentences=(cite,), method="extraction"))
        self.add(seconds, RankingOpened(stage_id="ours", round=round_))

    def do(self, who: str, seconds: float, command: Any) -> None:
        self.add(seconds, *decide(self.state, Actor(who, "participant"), command, START + seconds, self.new_id), actor=who)

    def rank(self, seconds: float, **orders: str) -> None:
        for who, order in orders.items():
            self.do(who, seconds, RankCandidates(stage_id="ours", order=tuple(order)))

    def critique(self, seconds: float, **texts: str) -> None:
        for who, text in texts.items():
            self.do(who, seconds, CritiqueCandidate(stage_id="ours", text=text))

    def tick(self, seconds: float) -> list[Any]:
        made = group_statement.due(self.state, START + seconds)
        self.add(seconds, *made)
        return made

    @property
    def one(self) -> group_statement.GroupStatement:
        found = group_statement.running(self.state)
        assert found is not None
        return found


def test_the_whole_way_from_drafts_to_a_statement_with_its_dissent() -> None:
    room = Search()
    assert room.one.step == "drafting"
    room.propose(110, a="A.", b="B.", c="C.")
    room.rank(120, p1="abc", p2="bac", p3="bca")
    assert room.tick(121) == []  # one has not ranked yet
    room.rank(122, p4="cba")
    (chosen,) = room.tick(123)
    assert (chosen.candidate_id, chosen.ranked, chosen.first, chosen.final) == ("b", 4, 2, False)
    assert room.one.step == "critique"
    room.critique(130, p1="It forgets the buses.", p2="", p3="", p4="Say when.")
    assert isinstance(room.tick(131)[0], RevisionBegun)
    room.propose(140, 2, b2="B.", d="B, except for buses.")
    room.rank(150, p1=["d", "b2"], p2=["d", "b2"], p3=["b2", "d"], p4=["d", "b2"])  # type: ignore[arg-type]
    (final,) = room.tick(151)
    assert (final.candidate_id, final.first, final.last, final.final) == ("d", 3, 1, True)
    room.do("p1", 160, TakeStance(stage_id="ours", value=1))
    room.do("p3", 160, TakeStance(stage_id="ours", value=-1, text="The night shift pays for it."))
    shown = room_view(room.state, "participant", "p2").group_statements["ours"]
    assert shown.winner is not None and shown.winner.sentences[0].text == "B, except for buses."
    assert (shown.behind, shown.against, shown.dissent) == (1, 1, ("The night shift pays for it.",))


def test_a_tie_goes_to_the_text_that_was_put_first() -> None:
    room = Search(2)
    room.propose(110, a="A.", b="B.")
    room.rank(120, p1="ab", p2="ba")
    assert room.tick(121)[0].candidate_id == "a"


# step, what has been answered, seconds since it began → what ends it. A step may take .3, .3 and .2 of the stage's 600 s.
@pytest.mark.parametrize(
    ("answers", "at", "ends"),
    [(0, 110 + 180, False), (0, 690, False), (1, 110 + 179, False), (1, 110 + 180, True), (4, 111, True)],
)
def test_a_ranking_waits_for_all_or_for_its_time_with_one_at_least(answers: int, at: float, ends: bool) -> None:
    room = Search()
    room.propose(110, a="A.", b="B.")
    for seat in range(1, answers + 1):
        room.rank(110, **{f"p{seat}": "ab"})
    assert bool(room.tick(at)) is ends


@pytest.mark.parametrize(
    ("texts", "at", "kind"),
    [
        ({}, 299, None),
        ({}, 300, "chosen"),  # nobody wants a change: the winner is the group's statement
        ({"p1": "", "p2": "", "p3": "", "p4": ""}, 121, "chosen"),
        ({"p1": "Shorter."}, 299, None),
        ({"p1": "Shorter."}, 300, "revising"),
        ({"p1": "Shorter.", "p2": "", "p3": "", "p4": ""}, 121, "revising"),
    ],
)
def test_a_critique_waits_for_all_or_for_its_time(texts: dict[str, str], at: float, kind: str | None) -> None:
    room = Search()
    room.propose(110, a="A.", b="B.")
    room.rank(115, p1="ab", p2="ab", p3="ab", p4="ab")
    room.tick(120)
    room.critique(120, **texts)
    made = room.tick(at)
    assert [m.kind for m in made] == ([f"group_statement.{kind}"] if kind else [])
    if kind == "chosen":
        assert made[0].final and room.one.step == "final"


def test_a_stage_without_a_limit_waits_for_everybody_present() -> None:
    agenda = [AGENDA[0], {**AGENDA[1], "minutes": None}]
    room = Room(3, design(stages=agenda))
    room.start(1, 100)
    room.add(110, *(CandidateProposed(candidate_id=k, stage_id="ours", round=1, sentences=(), method="model") for k in "ab"))
    room.add(110, RankingOpened(stage_id="ours", round=1))
    for who in ("p1", "p2"):
        room.add(120, *decide(room.state, Actor(who, "participant"), RankCandidates(stage_id="ours", order=("a", "b")), START, room.new_id))
    assert group_statement.due(room.state, START + 9_000) == []
    room.add(9_001, MemberLeft(participant_id="p3", reason="left"))
    assert isinstance(group_statement.due(room.state, START + 9_002)[0], CandidateChosen)


def test_one_text_alone_is_not_ranked_and_none_is_no_statement() -> None:
    room = Search()
    room.propose(110, a="A.")
    assert room.tick(111)[0].candidate_id == "a"
    empty = Search()
    empty.propose(110)
    assert empty.one.step == "empty" and empty.tick(500) == [] and group_statement.closing(empty.state) == []


@pytest.mark.parametrize(
    ("until", "candidate"), [("drafting", None), ("unranked", None), ("ranked", "b"), ("critique", "b"), ("revising", "b"), ("again", "b"), ("again-ranked", "d")]
)
def test_a_stage_that_ends_early_keeps_the_best_that_the_group_has_got_to(until: str, candidate: str | None) -> None:
    room = Search(3)
    steps = ("drafting", "unranked", "ranked", "critique", "revising", "again", "again-ranked")
    reached = steps.index(until)
    if reached >= 1:
        room.propose(110, a="A.", b="B.")
    if reached >= 2:
        room.rank(111, p1="ba", p2="ab", p3="ba")
    if reached >= 3:
        room.tick(112)
    if reached >= 4:
        room.critique(113, p1="More.", p2="", p3="")
        room.tick(114)
    if reached >= 5:
        room.propose(115, 2, b2="B.", d="D.")
    if reached >= 6:
        room.rank(116, p1=["d", "b2"])  # type: ignore[arg-type]
    room.add(200, *next_stage(room.state, START + 200, "facilitator"))
    one = room.state.group_statements.get("ours")
    assert (one.chosen.candidate_id if one and one.chosen else None) == candidate
    assert candidate is None or (one is not None and one.step == "final" and one.winner is not None)


def test_nobody_does_what_the_step_is_not_for() -> None:
    room = Search(2)
    for command in (RankCandidates(stage_id="ours", order=("a",)), CritiqueCandidate(stage_id="ours"), TakeStance(stage_id="ours", value=1)):
        with pytest.raises(Conflict):
            room.do("p1", 105, command)
    room.propose(110, a="A.", b="B.")
    for order in (("a", "z"), ("a", "a")):
        with pytest.raises(InvalidInput):
            room.do("p1", 111, RankCandidates(stage_id="ours", order=order))
    room.rank(112, p1="ab")
    before = room.state.seq
    room.rank(113, p1="ab")
    assert room.state.seq == before  # the same again changes nothing
    room.rank(114, p1="ba")
    assert room.one.rankings["p1"] == ("b", "a")


def test_rankings_and_critics_are_private() -> None:
    room = Search()
    room.propose(110, a="A.", b="B.")
    room.rank(112, p1="ab", p2="ba", p3="ab", p4="ab")
    room.tick(113)
    room.critique(114, p1="It forgets the buses.")
    during = room_view(room.state, "participant", "p2").group_statements["ours"]
    assert "buses" not in during.model_dump_json() and during.my_order == ("b", "a") and during.answered == 1
    assert room_view(room.state, "participant", "p1").group_statements["ours"].my_critique == "It forgets the buses."
    for role, who in (("participant", "p2"), ("facilitator", None)):
        seen = [visible_event(e, room.state, role, who) for e in room.events]  # type: ignore[arg-type]
        told = [s for s in seen if s and s["payload"]["kind"].endswith(("ranked", "critiqued"))]
        assert all(s["payload"]["participant_id"] == who for s in told)
    room.critique(115, p2="", p3="", p4="")
    room.tick(116)
    after = room_view(room.state, "participant", "p2").group_statements["ours"]
    assert list(after.critiques.values()) == ["It forgets the buses."] and "p1" not in after.model_dump_json()


def test_nobodys_first_text_is_everybodys_first() -> None:
    room = Search(3)
    room.propose(110, a="A.", b="B.", c="C.")
    firsts = {room_view(room.state, "participant", f"p{seat}").group_statements["ours"].options[0].candidate_id for seat in (1, 2, 3)}
    assert firsts == {"a", "b", "c"}


def finished(mode: str) -> Search:
    room = Search(privacy={"mode": mode})
    room.propose(110, a="The harbour should be closed to lorries at night.", b="B.")
    room.rank(112, p1="ab", p2="ba", p3="ab", p4="ab")
    room.tick(113)
    room.critique(114, p1="Ana wants buses.", p2="", p3="", p4="")
    room.tick(115)
    room.propose(116, 2, a2="The harbour should be closed to lorries at night.")
    room.tick(117)
    room.do("p3", 118, TakeStance(stage_id="ours", value=-1, text="Ben pays for it."))
    room.do("p4", 118, TakeStance(stage_id="ours", value=1))
    room.add(700, *next_stage(room.state, START + 700, "time"))
    room.add(800, *next_stage(room.state, START + 800, "time"))
    return room


@pytest.mark.parametrize("mode", ["named", "pseudonym", "chatham-house"])
def test_the_statement_leaves_the_room_in_the_privacy_mode(mode: Any) -> None:
    room = finished(mode)
    out = redact(room.events, mode, key=b"k")
    one = fold_all(out).group_statements["ours"]
    shown = room_view(fold_all(out), "researcher").group_statements["ours"]
    assert one.step == "final" and shown.winner is not None and shown.winner.sentences[0].utterances
    assert (shown.behind, shown.against) == (1, 1)
    text = json.dumps([e.payload.model_dump(mode="json") for e in out if e.kind.startswith("group_statement.")])
    if mode == "named":
        assert "Ana wants buses." in text and "Ben pays for it." in text
    else:
        assert not any(name in text for name in ("Ana", "Ben ", '"p1"', '"p3"'))
    if mode == "chatham-house":
        assert {s.participant_id for s in one.stances.values()} == {"stance-1", "stance-2"}


def test_words_taken_back_are_gone_from_the_texts_that_rest_on_them() -> None:
    room = finished("named")
    left = erased(room.events, [Erasure("words", "p1")])
    assert "lorries at night" not in json.dumps([e.payload.model_dump(mode="json") for e in left])
    assert "buses" not in json.dumps([e.payload.model_dump(mode="json") for e in left])
    shown = room_view(fold_all(left), "participant", "p2").group_statements["ours"]
    assert shown.winner is not None and shown.winner.sentences == ()
