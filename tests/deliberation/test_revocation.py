"""Taking words back: what was made of them goes too, and nothing else does."""

from __future__ import annotations

from deliberation.consent import Erasure, erased, erasures_of
from deliberation.events import (
    AI,
    AiCalled,
    Event,
    Sentence,
    StatementAdded,
    StatementWithdrawn,
    SummaryProposed,
    UtteranceStruck,
)
from deliberation.group_statement import CandidateCritiqued, CandidateProposed
from deliberation.room import fold_all
from deliberation.state import RoomState
from tests.deliberation.rooms import Log

PARAPHRASE = "Quayside employees deserve public transport after dark."
SHARED = "Several people want the harbour served better."
OTHERS = "The bridge needs repair before winter."


def room() -> tuple[Log, str, str]:
    log = Log().start(1)
    mine = log.utter("ann", "Night shift workers at the docks cannot get home.")
    theirs = log.utter("ben", "My nurses miss the last bus from the harbour.")
    log.add(
        StatementAdded(statement_id="only", participant_id=None, text=PARAPHRASE, supports=(mine,), origin="ai"),
        StatementAdded(statement_id="both", participant_id=None, text=SHARED, supports=(mine, theirs), origin="ai"),
        StatementAdded(statement_id="cats", participant_id="cat", text=OTHERS, supports=(mine,)),
        AiCalled(
            call_id="k", purpose="statements", model="m", prompt="p@1", prompt_hash="h", first_seq=1, last_seq=2,
            output=f'{{"statements": ["{PARAPHRASE}"]}}', latency_ms=1, outcome="ok",
        ),
        SummaryProposed(
            summary_id="sum", method="model:m", sentences=(
                Sentence(text="One person spoke of dock staff stranded late.", utterances=(mine,)),
                Sentence(text="Two people asked for later service.", utterances=(mine, theirs)),
                Sentence(text="All agreed on transport after dark.", statements=("only",)),
                Sentence(text="A nurse spoke of missed buses.", utterances=(theirs,)),
            ),
        ),
        actor=AI,
    )  # fmt: skip
    return log, mine, theirs


def after(log: Log, *erasures: Erasure) -> tuple[RoomState, str]:
    kept: list[Event] = erased(log.events, erasures)
    return fold_all(kept), " ".join(e.payload.model_dump_json() for e in kept)


def test_statements_made_of_struck_words_alone_and_sentences_that_cite_them_are_gone_from_the_log() -> None:
    log, mine, _ = room()
    log.add(UtteranceStruck(utterance_id=mine, participant_id="ann"))
    state, text = after(log, Erasure("subject", mine))
    assert state.statements["only"].withdrawn and not state.statements["both"].withdrawn
    for lost in (PARAPHRASE, "dock staff", "later service", "transport after dark", "Night shift"):
        assert lost not in text, lost
    assert "missed buses" in text and SHARED in text and OTHERS in text
    assert state.summary is not None and state.summary.flagged >= {0, 1, 2}


def test_withdrawing_takes_the_same_and_one_statement_of_two_authors_goes_with_the_second() -> None:
    log, *_ = room()
    state, _ = after(log, Erasure("words", "ann"))
    assert state.statements["only"].withdrawn and not state.statements["both"].withdrawn
    state, text = after(log, Erasure("words", "ann"), Erasure("words", "ben"))
    assert state.statements["both"].withdrawn and SHARED not in text
    assert not state.statements["cats"].withdrawn  # somebody else's own words


def test_a_statement_its_author_takes_back_is_erased_and_one_a_facilitator_hides_is_kept() -> None:
    back = StatementWithdrawn(statement_id="cats", by="author")
    assert erasures_of(back, "erase") == (Erasure("subject", "cats"),)
    assert erasures_of(StatementWithdrawn(statement_id="cats", by="source"), "erase") == (Erasure("subject", "cats"),)
    assert erasures_of(StatementWithdrawn(statement_id="cats", by="facilitator"), "erase") == ()
    log, *_ = room()
    _, text = after(log.add(back), Erasure("subject", "cats"))
    assert OTHERS not in text


def test_erasing_twice_is_erasing_once() -> None:
    log, mine, _ = room()
    once = erased(log.events, [Erasure("subject", mine)])
    assert erased(once, [Erasure("subject", mine)]) == once


def test_a_groups_text_loses_the_sentences_made_of_struck_words_and_of_a_withdrawn_critique() -> None:
    log, mine, theirs = room()
    log.add(
        CandidateCritiqued(critique_id="c1", stage_id="ours", participant_id="ann", text="Name the ferries as well."),
        CandidateProposed(
            candidate_id="x", stage_id="ours", round=2, method="model", sentences=(
                Sentence(text="Dock staff should get home safely.", utterances=(mine,)),
                Sentence(text="Boats belong to it too.", critiques=("c1",)),
                Sentence(text="A nurse spoke of missed buses.", utterances=(theirs,)),
            ),
        ),
    )  # fmt: skip
    _, text = after(log, Erasure("subject", mine))
    assert "Dock staff should" not in text and "Boats belong" in text and "missed buses" in text
    _, text = after(log, Erasure("words", "ann"))
    assert "Dock staff should" not in text and "Boats belong" not in text and "missed buses" in text
