"""Summaries and statements hold what was said: ten transcripts with planted points, an honest extraction and an inventive model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deliberation.events import (
    StatementAdded,
    SummaryMarked,
    UtteranceRevised,
    UtteranceStruck,
    VoteCast,
)
from facilitator import drafting, summary
from facilitator.citations import check
from facilitator.extraction import MAX_WORDS, clean, textrank
from facilitator.text import catalogue, content_stems, count_words, language_words, languages, stem, tokens
from tests.facilitator.models import ScriptedModel
from tests.facilitator.rooms import START, Room, design

TRANSCRIPTS = json.loads((Path(__file__).parent / "transcripts.json").read_text("utf-8"))
each_transcript = pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=[f"t{n}" for n in range(len(TRANSCRIPTS))])


def room_of(transcript: dict[str, Any]) -> Room:
    room = Room(4, design(question=transcript["question"], language=transcript["language"]))
    room.talk([(line["who"], line["text"]) for line in transcript["lines"]], language=transcript["language"])
    return room


def planted(transcript: dict[str, Any]) -> set[str]:
    return {f"u{n}" for n, line in enumerate(transcript["lines"], 1) if line["planted"]}


def test_nine_of_ten_planted_points_are_cited_over_all_transcripts() -> None:
    found = wanted = 0
    for transcript in TRANSCRIPTS:
        sentences, dropped = summary.extracted(room_of(transcript).state)
        cited = {key for sentence in sentences for key in sentence.utterances}
        assert dropped == 0
        found += len(cited & planted(transcript))
        wanted += len(planted(transcript))
    assert wanted >= 45
    assert found / wanted >= 0.9


@each_transcript
def test_every_extracted_sentence_is_held_by_what_it_cites_and_small_talk_is_left_out(
    transcript: dict[str, Any],
) -> None:
    room = room_of(transcript)
    sentences, _ = summary.extracted(room.state)
    for sentence in sentences:
        verdict = check(room.state, sentence.text, sentence.utterances, (), transcript["language"])
        assert verdict.holds, (sentence.text, verdict.why)
        assert set(sentence.utterances) & planted(transcript), sentence.text


def inventive(room: Room, transcript: dict[str, Any]) -> tuple[ScriptedModel, list[str], list[str]]:
    """A model that reports the planted points and, between them, things that nobody said."""
    points = [(n, line["text"]) for n, line in enumerate(transcript["lines"], 1) if line["planted"]]
    true = [{"text": text, "utterances": [n]} for n, text in points]
    (first, first_text), (second, _) = points[0], points[1]
    false = [
        {"text": "Zacharias warned that the plan would ruin the Belvedere hotel.", "utterances": [first]},
        {"text": "Everyone agreed on " + first_text[:1].lower() + first_text[1:], "utterances": [first]},
        {"text": first_text, "utterances": [second]},
        {"text": first_text, "utterances": []},
        {"text": first_text, "utterances": [999]},
        {"text": f"97 percent want this: {first_text}", "utterances": [first]},
        {"text": "The participants demanded a new airport and lower taxes for bankers.", "utterances": [first, second]},
    ]
    answer = json.dumps({"sentences": [*true, *false]})
    return ScriptedModel(answer), [s["text"] for s in true], [s["text"] for s in false]


@each_transcript
async def test_what_a_model_invents_is_dropped_and_counted(transcript: dict[str, Any]) -> None:
    room = room_of(transcript)
    model, true, false = inventive(room, transcript)
    made = await summary.summarise(room.state, model, room.new_id, lambda: START)
    shown = [sentence.text for sentence in made.sentences]
    invented = [text for text in shown if text in false and text not in true]
    if transcript["language"] == "en":
        assert invented == []
        assert made.dropped >= 7
    assert "Zacharias" not in " ".join(shown) and "97" not in " ".join(shown)
    assert all(sentence.utterances or sentence.statements for sentence in made.sentences)
    kept = [text for text in true if text in shown]
    assert len(kept) / len(true) >= 0.9
    assert made.method == "model:scripted"


@each_transcript
def test_statements_are_whole_votable_sentences_from_different_people(transcript: dict[str, Any]) -> None:
    room = room_of(transcript)
    drafts = drafting.extracted(room.state, 4)
    assert len(drafts) >= 3
    speakers = [room.state.utterances[d.supports[0]].participant_id for d in drafts]
    assert len(set(speakers)) >= 3
    for item in drafts:
        assert 5 <= count_words(item.text) <= MAX_WORDS
        assert item.text[0].upper() == item.text[0] and item.text[-1] in ".!"
        assert set(item.supports) & planted(transcript)
        assert not item.text.lower().startswith(("well", "i think", "creo que", "أعتقد"))


def talk(*lines: tuple[str, str]) -> Room:
    room = Room(4)
    room.talk(lines)
    return room


@pytest.mark.parametrize(
    ("text", "cited", "holds"),
    [
        ("The centre should be closed to cars.", ["u1"], True),
        ("One person said that closing the centre to cars would help.", ["u1"], True),
        ("The centre should be closed to cars.", ["u2"], False),
        ("The centre should not be closed to cars.", ["u1"], False),  # the opposite
        ("Shops need deliveries in the morning.", ["u2"], True),
        ("Shops do not need deliveries in the morning.", ["u2"], False),
        ("Forty shops need deliveries in the morning, 40 of them.", ["u2"], False),  # a number nobody said
        ("Everyone wants the centre closed to cars.", ["u1"], False),
        ("Everyone wants the centre closed to cars.", ["u1", "u3", "u4"], True),  # three of four said so
        ("Ben said that the centre should be closed to cars.", ["u1"], False),  # Ana did
        ("Ana said that the centre should be closed to cars.", ["u1"], True),
        ("Gustav said that the centre should be closed to cars.", ["u1"], False),
        ("“The centre should be closed to all cars forever.”", ["u1"], False),  # not her words
        ("One person said: “The centre should be closed to cars.”", ["u1"], True),
        ("The crazy plan of “closing to cars” angered the pensioners.", ["u1"], False),
        ("They said so.", ["u1"], False),  # says nothing
        ("The centre should be closed to cars.", [], False),
        ("The centre should be closed to cars.", ["u99"], False),
    ],
)
def test_the_citation_check(text: str, cited: list[str], holds: bool) -> None:
    room = talk(
        ("p1", "I think the centre should be closed to cars."),
        ("p2", "Shops need their deliveries in the morning."),
        ("p3", "Yes, the centre should be closed to cars completely."),
        ("p4", "Close the centre to cars, it is about time."),
    )
    assert check(room.state, text, cited, (), "en").holds is holds


def voted(votes: str, contests: tuple[str, ...] = ()) -> Room:
    """A room in which the seats vote as the letters say: y, n, p, or - for no vote."""
    room = talk(
        ("p1", "The centre should be closed to cars."),
        ("p4", "I disagree, a centre that is closed to cars would kill the small shops."),
    )
    room.start(1, 100)
    text = "The centre should be closed to cars."
    room.add(101, StatementAdded(statement_id="s1", participant_id=None, text=text, contests=contests, origin="ai"))
    values = {"y": 1, "n": -1, "p": 0}
    for seat, letter in enumerate(votes, 1):
        if letter in values:
            room.add(102, VoteCast(statement_id="s1", participant_id=f"p{seat}", value=values[letter]))
    return room


@pytest.mark.parametrize(
    ("votes", "begins"),
    [
        ("yyyy", "All 4 who voted agreed"),
        ("yyyn", "3 of 4 agreed, 1 disagreed, 0 passed"),
        ("yyy-", "All 3 who voted agreed"),
        ("ynnn", "3 of 4 disagreed, 1 agreed"),
        ("yynn", "The group was divided, 2 for and 2 against"),
        ("ypp-", "No majority formed, 1 for"),
        ("y---", "1 of 1 agreed"),
    ],
)
def test_votes_are_counted_exactly(votes: str, begins: str) -> None:
    (sentence,) = summary.vote_sentences(voted(votes).state)
    assert sentence.text.startswith(begins)
    assert sentence.statements == ("s1",)


def test_the_minoritys_words_stand_beside_a_majority() -> None:
    _, dissent = summary.vote_sentences(voted("yyyn", contests=("u2",)).state)
    assert dissent.minority and dissent.utterances == ("u2",) and "small shops" in dissent.text


async def test_who_the_model_left_out_gets_a_sentence() -> None:
    room = room_of(TRANSCRIPTS[0])
    only_one = json.dumps({"sentences": [{"text": TRANSCRIPTS[0]["lines"][1]["text"], "utterances": [2]}]})
    made = await summary.summarise(room.state, ScriptedModel(only_one), room.new_id, lambda: START)
    heard = {room.state.utterances[key].participant_id for s in made.sentences for key in s.utterances}
    assert heard == {"p1", "p2", "p3", "p4"}


async def test_a_model_whose_sentences_all_fail_gives_way_to_extraction_visibly() -> None:
    room = room_of(TRANSCRIPTS[0])
    lies = json.dumps({"sentences": [{"text": "The group wants an airport.", "utterances": [2]}]})
    made = await summary.summarise(room.state, ScriptedModel(lies), room.new_id, lambda: START)
    assert (made.method, made.dropped) == ("extraction:unsupported", 1)
    assert made.sentences and made.calls


def test_a_struck_utterance_takes_its_sentence_with_it() -> None:
    room = room_of(TRANSCRIPTS[0])
    sentences, _ = summary.extracted(room.state)
    room.add(500, summary.Summarised(sentences, "extraction").proposed("sum1"))
    assert summary.recheck(room.state) is None
    gone = sentences[0].utterances[0]
    room.add(501, UtteranceStruck(utterance_id=gone, participant_id=room.state.utterances[gone].participant_id))
    again = summary.recheck(room.state)
    assert again is not None
    assert all(gone not in sentence.utterances for sentence in again.sentences)
    assert len(again.sentences) == len(sentences) - 1 and again.dropped == 1
    room.add(502, again.proposed("sum2"))
    assert summary.recheck(room.state) is None


def test_a_corrected_utterance_is_summarised_as_corrected() -> None:
    room = talk(("p1", "The centre must be closed to cards by next year."))
    better = "The centre must be closed to cars by next year."
    room.add(60, UtteranceRevised(utterance_id="u1", participant_id="p1", text=better, by="speaker"))
    sentences, _ = summary.extracted(room.state)
    assert better in sentences[0].text


def test_marks_do_not_confuse_the_recheck() -> None:
    room = room_of(TRANSCRIPTS[0])
    sentences, _ = summary.extracted(room.state)
    room.add(500, summary.Summarised(sentences, "extraction").proposed("sum1"))
    room.add(501, SummaryMarked(summary_id="sum1", participant_id="p1", sentence=0, verdict="wrong"))
    assert summary.recheck(room.state) is None


@pytest.mark.parametrize("language", languages())
def test_templates_of_the_summary_add_no_content_of_their_own(language: str) -> None:
    reporting = {stem(word, language) for phrase in language_words(language, "reporting") for word in tokens(phrase)}
    for key, variants in catalogue(language).items():
        if key.startswith("summary."):
            for variant in variants:
                bare = variant.split("“")[0].split("«")[0]
                for name in ("{count}", "{agree}", "{of}", "{disagree}", "{passed}"):
                    bare = bare.replace(name, "")
                assert content_stems(bare, language) <= reporting, (key, content_stems(bare, language) - reporting)


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Well, um, I think that the the centre should be closed.", "The centre should be closed."),
        ("So I agree with Maya that somebody must be responsible.", "Somebody must be responsible."),
        ("you know, honestly, buses are better", "Buses are better."),
        ("Right.", "Right."),
        ("No phones at school!", "No phones at school!"),
    ],
)
def test_fillers_and_lead_ins_are_cleaned_away(said: str, shown: str) -> None:
    assert clean(said, "en") == shown


def test_an_unfinished_sentence_goes_on_in_the_speakers_next_utterance() -> None:
    room = Room(2)
    room.speak("p1", 0, 4, "The city should first build the second tram line")
    room.speak("p2", 4, 5, "Mm.")
    room.speak("p1", 5, 8, "and only then close the centre.")
    (item,) = drafting.extracted(room.state, 3)
    assert item.text == "The city should first build the second tram line and only then close the centre."
    assert item.supports == ("u1", "u3")


def test_what_contests_a_statement_is_linked_to_it() -> None:
    room = talk(
        ("p1", "The centre should be closed to cars on Sundays."),
        ("p2", "I disagree, if the centre is closed to cars on Sundays my shop will die."),
    )
    drafts = drafting.extracted(room.state, 5)
    first = next(d for d in drafts if "Sundays" in d.text and "u1" in d.supports)
    assert first.contests == ("u2",)


def test_textrank_puts_the_shared_topic_first() -> None:
    ranks = textrank(["Buses and trams need money.", "Trams need more money.", "My cat sleeps."], ["en"] * 3)
    assert ranks[2] < min(ranks[:2]) and max(ranks) == 1.0
    assert textrank([], []) == []
