from __future__ import annotations

from tests.transcription.fakes import result_for, spread, work_item
from transcription.refine import Gathering, Member, context_of, place, revisions
from transcription.settings import TranscriptionSettings
from transcription.utterances import Utterance
from transcription.work import Piece, WorkItem

SETTINGS = TranscriptionSettings()


def member(name: str, text: str, at: float, seconds: float, language: str = "en") -> Member:
    words = place(spread(text, seconds), at)
    utterance = Utterance(name, "ada", at + 0.25, at + seconds - 0.2, text, words, 0.7, language)
    return Member(utterance, Piece(0, round(seconds * 48000), ()), at)


def item(members: tuple[Member, ...]) -> WorkItem:
    return work_item("r", "refine", pieces=tuple(each.piece for each in members))


def test_utterances_gather_until_the_window_is_full() -> None:
    gathering = Gathering(SETTINGS)
    first, second, third = (member(name, "words", 100 + i * 30, 12) for i, name in enumerate("abc"))
    assert gathering.add(first) == ()
    assert gathering.add(second) == ()
    assert gathering.add(third) == (first, second)
    assert gathering.close() == (third,)
    assert gathering.close() == ()


def test_a_long_silence_closes_the_group() -> None:
    gathering = Gathering(SETTINGS)
    only = member("a", "words", 100, 4)
    gathering.add(only)
    assert gathering.idle(105) == ()
    assert gathering.idle(115) == (only,)


def test_languages_are_not_mixed() -> None:
    gathering = Gathering(SETTINGS)
    english, german = member("a", "words", 100, 3), member("b", "Wörter", 110, 3, "de")
    gathering.add(english)
    assert gathering.add(german) == (english,)


def test_each_word_goes_to_the_utterance_in_which_it_was_said() -> None:
    members = (member("a", "and so my fellow", 100, 4), member("b", "asked not what", 200, 3))
    result = result_for(item(members), "And so, my fellow Americans, ask not")
    changed = revisions(members, result)
    assert [(each.utterance_id, each.text) for each in changed] == [
        ("a", "And so, my fellow"),
        ("b", "Americans, ask not"),
    ]
    assert [word.text for word in changed[1].words] == ["Americans,", "ask", "not"]
    assert changed[0].words[0].start == 100
    assert all(200 <= word.start < word.end <= 203 for word in changed[1].words)


def test_an_utterance_that_reads_the_same_is_not_revised() -> None:
    members = (member("a", "one two", 100, 2), member("b", "three four", 110, 2))
    assert [each.utterance_id for each in revisions(members, result_for(item(members), "one two three for"))] == ["b"]


def test_a_reading_that_lost_most_of_an_utterance_does_not_replace_it() -> None:
    members = (member("a", "this was said at some length", 100, 6), member("b", "and this", 110, 2))
    assert revisions(members, result_for(item(members), "")) == []
    changed = revisions(members, result_for(item(members), "no"))
    assert changed == []


def test_the_context_is_the_end_of_what_was_said_in_whole_words() -> None:
    members = (member("a", "word " * 100, 100, 6),)
    context = context_of([each.utterance for each in members])
    assert len(context) <= 200
    assert set(context.split()) == {"word"}
