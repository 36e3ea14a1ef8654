from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from transcription.hypothesis import Agreement


def test_what_two_hypotheses_begin_with_alike_is_solid() -> None:
    agreement = Agreement()
    assert agreement.update("and so my") == ("", "and so my")
    assert agreement.update("And so my fellow") == ("And so my", "fellow")
    assert agreement.update("And so, my fellow Americans") == ("And so my fellow", "Americans")


def test_a_word_that_changes_stays_grey() -> None:
    agreement = Agreement()
    agreement.update("we should tax the")
    assert agreement.update("we should ask them") == ("we should", "ask them")


def test_solid_text_stays_when_a_later_hypothesis_reads_it_otherwise() -> None:
    agreement = Agreement()
    agreement.update("the bus is late again")
    agreement.update("the bus is late again today")
    solid, tail = agreement.update("a bus is late again today and")
    assert solid.startswith("the bus is late again")
    assert tail.endswith("and")
    assert "late" not in tail


def test_an_empty_hypothesis_takes_nothing_back() -> None:
    agreement = Agreement()
    agreement.update("one two three")
    agreement.update("one two three four")
    assert agreement.update("")[0] == "one two three"


@given(st.lists(st.lists(st.sampled_from("abcd"), max_size=8), max_size=8))
def test_the_solid_text_only_grows(hypotheses: list[list[str]]) -> None:
    agreement = Agreement()
    before = ""
    for words in hypotheses:
        solid, _ = agreement.update(" ".join(words))
        assert solid.startswith(before)
        before = solid
