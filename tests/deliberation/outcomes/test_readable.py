from __future__ import annotations

import pytest

from deliberation.outcomes.readable import MANY, as_text
from deliberation.outcomes.registry import METHODS, compute
from deliberation.outcomes.result import Result
from tests.deliberation.outcomes.test_registry import full_record


def result(**figures: object) -> Result:
    return Result("slate", "1", {"size": 2}, None, "ab" * 32, {"people": 3}, figures)


@pytest.mark.parametrize("method", list(METHODS))
def test_every_method_reads_as_text_without_a_trace_of_its_data_structures(method: str) -> None:
    made = compute(method, full_record())
    text = as_text(made)
    assert text.startswith(f"{method} (version ") and made.input_hash[:12] in text and text.endswith("\n")
    assert not {"{", "}", "[", "]", "None", "True"} & set(text.split())
    assert len(text.splitlines()) < 120


def test_tables_are_aligned_and_long_ones_say_what_is_left_out() -> None:
    lines = as_text(result(seats=[{"item": f"s{i}", "people": i, "rows": [1]} for i in range(MANY + 5)])).splitlines()
    start = lines.index("seats:")
    assert lines[start + 1 : start + 3] == ["  item  people", "  s0    0"]
    assert lines[-1].strip() == "… and 5 more (in --json)"


def test_what_has_a_row_per_person_is_left_to_json_and_nothing_is_a_dash() -> None:
    text = as_text(result(rows={"p1": [1, 2]}, gini=None, justified=True, share=0.12345, points=[[1.0, 2.0]]))
    assert "rows: 1 entries (in --json)" in text and "p1" not in text
    assert "gini: –" in text and "justified: yes" in text and "share: 0.123" in text and "points: 1 × 2 figures" in text
