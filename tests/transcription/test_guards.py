from __future__ import annotations

import pytest

from transcription.guards import Verdict, judge, loops, token_limit
from transcription.language import LanguageLock, whisper_language
from transcription.settings import TranscriptionSettings


def test_plain_speech_is_accepted() -> None:
    assert judge("I think we should vote first.", -0.3, 0.05) is Verdict.ACCEPT


@pytest.mark.parametrize("text", ["", " ", "...", "♪ ♪"])
def test_text_without_letters_is_silence(text: str) -> None:
    assert judge(text, -0.1, 0.0) is Verdict.SILENCE


def test_unlikely_text_where_no_speech_is_likely_is_silence() -> None:
    assert judge("and the other one", -1.2, 0.7) is Verdict.SILENCE


def test_unlikely_text_is_read_again() -> None:
    assert judge("and the other one", -1.2, 0.1) is Verdict.RETRY


def test_a_loop_is_read_again() -> None:
    assert judge("ask what you can do " * 8, -0.2, 0.05) is Verdict.RETRY
    assert judge("the the the the the the the the the the", -0.2, 0.05) is Verdict.RETRY


def test_thanks_are_believed_when_said_clearly_only() -> None:
    assert judge("Thank you.", -0.2, 0.1) is Verdict.ACCEPT
    assert judge("Thank you.", -0.9, 0.3) is Verdict.SILENCE
    assert judge("Thanks for watching!", -0.3, 0.8) is Verdict.SILENCE


def test_emphatic_repetition_is_no_loop() -> None:
    assert not loops(["no", "no", "no", "no", "no", "we", "cannot", "do", "that"])
    assert not loops(["very", "very", "very", "important"])


def test_more_speech_may_be_more_tokens_up_to_the_decoders_limit() -> None:
    assert token_limit(1, "en") < token_limit(5, "en") < token_limit(5, "hi")
    assert token_limit(1000, "en") == token_limit(30, "hi") == 224


def lock(chosen: str | None = None) -> LanguageLock:
    return LanguageLock(TranscriptionSettings(), chosen)


def test_two_agreeing_detections_lock_the_language() -> None:
    language = lock()
    language.heard("de", 0.9, 4)
    assert language.language is None
    language.heard("de", 0.8, 5)
    assert language.language == "de"


def test_short_doubtful_or_differing_detections_do_not() -> None:
    language = lock()
    for code, probability, seconds in [("de", 0.9, 4), ("nl", 0.9, 4), ("de", 0.9, 4), ("de", 0.3, 9), ("de", 0.9, 1)]:
        language.heard(code, probability, seconds)
    assert language.language is None


def test_a_choice_holds_against_detections_and_can_be_undone() -> None:
    language = lock("fr-CA")
    language.heard("de", 0.9, 9)
    language.heard("de", 0.9, 9)
    assert language.language == "fr"
    language.choose(None)
    assert language.language is None


def test_language_tags_become_whispers_names() -> None:
    assert whisper_language("pt-BR") == "pt"
    assert whisper_language("nb_NO") == "no"
    assert whisper_language("tlh") is None
    assert whisper_language(None) is None
