from __future__ import annotations

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
        ({"stages": [{"id": "a", "title": "A", "minutes": 0}]}, "stages.0.minutes"),
        ({"stages": [{"id": "A b", "title": "A"}]}, "stages.0.id"),
        ({"groups": {"min_size": 5, "target_size": 3}}, "min_size ≤ target_size ≤ max_size"),
        ({"groups": {"min_size": 1}}, "groups.min_size"),
        ({"groups": {"sise": 3}}, "groups.sise: no such field"),
        ({"privacy": {"mode": "pseudonym", "record_audio": True}}, "record_audio needs mode: named"),
        ({"poll": [{"id": "a", "text": "A"}, {"id": "a", "text": "B"}]}, "poll: every id must be different"),
        ({"question": ""}, "question"),
        ({"facilitation": {"turns": {"seconds": 5}}}, "facilitation.turns.seconds"),
        ({"briefing": [{"title": "x", "url": "javascript:alert(1)"}]}, "briefing.0.url"),
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
def test_text_that_is_no_design_gets_one_clear_line(text: str, says: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_design(text)
    assert says in refused.value.message and "\n" not in refused.value.message


def test_thresholds_have_published_defaults() -> None:
    facilitation = Facilitation()
    assert facilitation.balance.dominant_share_of_even == 1.6
    assert facilitation.budget.any_seconds == 30
    assert facilitation.turns.mute_overtime is False
