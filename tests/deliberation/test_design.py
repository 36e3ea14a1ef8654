from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deliberation.design import Facilitation, parse_design
from deliberation.errors import InvalidInput
from tests.deliberation.rooms import DESIGN

EXAMPLES = Path(__file__).parents[2] / "examples"
SMALL = "title: Trams\nquestion: Build it?\nstages:\n  - {id: talk, title: Talk}\n"


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_examples_are_designs(path: Path) -> None:
    design = parse_design(path.read_text("utf-8"))
    assert design.agenda[-1].kind == "closing"


def test_yaml_json_and_mappings_are_read_alike_and_ids_come_from_titles() -> None:
    import json

    design = parse_design(SMALL)
    assert design.id == "trams"
    assert parse_design(json.dumps(yaml.safe_load(SMALL))) == design == parse_design(yaml.safe_load(SMALL))
    assert parse_design(SMALL.encode()) == design
    assert parse_design(SMALL.replace("Trams", "«¿?»")).id == "deliberation"


def test_a_design_survives_its_own_dump() -> None:
    design = parse_design(DESIGN)
    assert parse_design(design.model_dump(mode="json")) == design


def test_a_closing_stage_is_added_when_missing() -> None:
    assert [stage.kind for stage in parse_design(SMALL).agenda] == ["discussion", "closing"]
    assert len(parse_design(DESIGN).agenda) == 3


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"stages": []}, "stages"),
        ({"stages": [{"id": "a", "title": "A"}, {"id": "a", "title": "B"}]}, "every id must be different"),
        (
            {"stages": [{"id": "a", "title": "A", "kind": "closing"}, {"id": "b", "title": "B"}]},
            "closing stage must be the last",
        ),
        ({"stages": [{"id": "a", "title": "A", "minutes": 0}]}, "stages → entry 1 → minutes: must be more than 0, not “0”"),
        ({"stages": [{"id": "A b", "title": "A"}]}, "stages → entry 1 → id: may have lower-case letters"),
        ({"groups": {"min_size": 5, "target_size": 3}}, "min_size ≤ target_size ≤ max_size"),
        ({"groups": {"min_size": 1}}, "groups → min_size: must be at least"),
        ({"groups": {"sise": 3}}, "groups → sise: there is no such field here"),
        ({"privacy": {"mode": "pseudonym", "record_audio": True}}, "record_audio needs mode: named"),
        ({"privacy": {"mode": "named", "record_video": True}}, "record_video needs record_audio: true"),
        ({"privacy": {"record_audio": True, "record_video": True}}, "record_audio needs mode: named"),
        ({"poll": [{"id": "a", "text": "A"}, {"id": "a", "text": "B"}]}, "poll: every id must be different"),
        ({"question": ""}, "question"),
        ({"facilitation": {"turns": {"seconds": 5}}}, "facilitation → turns → seconds: must be at least"),
        ({"briefing": [{"title": "x", "url": "javascript:alert(1)"}]}, "briefing → entry 1 → url: must be a web address"),
    ],
)
def test_a_mistake_is_named_by_field_and_reason(change: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_design({**DESIGN, **change})
    assert refused.value.code == "design_invalid"
    assert says in refused.value.message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("title: [unclosed\nquestion: x", "line 2"),
        ("- a list", "mapping"),
        ("", "mapping"),
        ("just words", "mapping"),
        ("title: x", "question"),
    ],
)
def test_text_that_is_no_design_is_told_so_in_a_few_lines(text: str, says: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_design(text)
    assert says in refused.value.message and len(refused.value.message.splitlines()) <= 3


def test_thresholds_have_published_defaults() -> None:
    facilitation = Facilitation()
    assert facilitation.balance.dominant_share_of_even == 1.6
    assert facilitation.budget.any_seconds == 30
    assert facilitation.turns.mute_overtime is False


MISTAKEN = """\
title: Trams
question: 12
groups:
  target_sise: 4
  min_size: many
stages:
  - id: talk
    title: Talk
    minutes: -3
  - {id: vote, kind: voting}
"""


def test_mistakes_in_a_file_are_told_in_sentences_with_their_lines() -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_design(MISTAKEN)
    first, *mistakes, last = refused.value.message.split("\n  ")
    assert (first, last) == ("The design has 6 mistakes:", "And 1 more.")
    assert sorted(mistakes) == [
        "line 10, stages → entry 2 → kind: must be 'discussion', 'statements', " + mistakes[-1].partition("'statements', ")[2],
        "line 2, question: must be text (in quotes, if it looks like a number, a date, yes or no).",
        "line 4, groups → target_sise: there is no such field here; do you mean “target_size”?",
        "line 5, groups → min_size: must be a whole number, not “many”.",
        "line 9, stages → entry 1 → minutes: must be more than 0, not “-3”.",
    ]
    assert mistakes[-1].endswith("not “voting”.")


def test_no_mistake_is_told_in_the_words_of_a_validator() -> None:
    """Every kind of mistake that the models can find in a design is worded here, not by their library."""
    odd: list[Any] = [None, "x", "", -1, 10**9, 1.5, True, [], [1], {}, {"x": 1}, "2027-13-01"]

    def twisted(value: Any) -> Iterator[Any]:
        if isinstance(value, dict):
            for key, inner in value.items():
                yield from ({**value, key: other} for other in (*odd, *twisted(inner)))
        elif isinstance(value, list) and value:
            yield from ([other, *value[1:]] for other in (*odd, *twisted(value[0])))

    library = ("Input should", "Field required", "Extra inputs", "valid ", "ensure", "String should")
    for design in twisted(parse_design(DESIGN).model_dump(mode="json")):
        try:
            parse_design(design)
        except InvalidInput as refused:
            assert not [phrase for phrase in library if phrase in refused.message], refused.message
