from __future__ import annotations

import json

import numpy as np
import pytest

from deliberation.errors import InvalidInput
from deliberation.outcomes.record import Ballot, Item, Judgement, Participant, Record, parse_record, record_as_json
from deliberation.outcomes.registry import METHODS, compute, read, recompute, run
from deliberation.outcomes.result import as_json, hash_of
from deliberation.outcomes.votes import write_participants_votes
from tests.deliberation.outcomes.helpers import camps


def full_record() -> Record:
    matrix, camp = camps(30, 12, 2, seed=1, seen=0.9)
    people = tuple(Participant(name, cohort="c", segments={"camp": str(c)}) for name, c in zip(matrix.participants, camp, strict=True))
    items = tuple(Item(name, text=f"statement {name}", author=people[i].id) for i, name in enumerate(matrix.items))
    extra = (
        Item("v1", "value", "Honesty"), Item("v2", "value", "Kindness"), Item("case", "case", "A tenant asks for a letter"),
        Item("out", "outcome", "The summary", sources=(matrix.items[0],)),
    )
    votes = tuple(
        Judgement(matrix.participants[r], matrix.items[c], "vote", int(v), at=1)
        for r, c, v in zip(matrix.rows, matrix.cols, matrix.votes, strict=True)
    )
    more = (
        Judgement(people[0].id, "v1", "wiser", 1, versus="v2", context="x"), Judgement(people[1].id, "v1", "wiser", 1, versus="v2", context="x"),
        Judgement(people[0].id, "template", "rating", 4, context="case"),
        *(Judgement(person.id, matrix.items[0], "vote", 1, at=9) for person in people[:6]),
    )
    ballots = tuple(Ballot(p.id, ranking=(("a",), ("b",))) for p in people[:3])
    return Record(people, (*items, *extra), (*votes, *more), ballots)


@pytest.mark.parametrize("method", list(METHODS))
def test_every_method_runs_on_a_record_file_and_can_be_recomputed(method: str) -> None:
    text = json.dumps(record_as_json(full_record()))
    result = run(method, {"record.json": text})
    plain = json.loads(json.dumps(result.as_dict(), allow_nan=False))
    assert plain["method"] == method and len(plain["input_hash"]) == 64 and plain["figures"]
    assert set(plain) == {"method", "version", "parameters", "seed", "input_hash", "derived_from", "figures"}
    assert plain["derived_from"]["participants"] == 30
    assert recompute(result, parse_record(text))


def test_a_changed_input_is_noticed() -> None:
    record = full_record()
    result = compute("bridging", record)
    changed = Record(record.participants, record.items, record.judgements[:-1], record.ballots)
    assert recompute(result, record) and not recompute(result, changed)


def test_votes_run_from_polis_files_and_published_groups_are_used() -> None:
    matrix, camp = camps(30, 12, 2, seed=1, seen=0.9)
    text = write_participants_votes(matrix, groups=[str(c) for c in camp])
    result = run("opinion-groups", {"participants-votes.csv": text}, {"groups_from": "group-id"})
    assert sorted(g["people"] for g in result.figures["groups"]) == sorted(np.bincount(camp).tolist())
    assert run("agreement", {"participants-votes.csv": text}).figures["segment"] == "group-id"
    both = {"votes.csv": "timestamp,datetime,comment-id,voter-id,vote\n1,,0,0,1\n", "participants-votes.csv": text}
    assert run("opinion-groups", both).derived_from["participants"] == 30


def test_agreement_on_bare_votes_takes_the_opinion_groups_as_segments() -> None:
    matrix, _ = camps(40, 14, 2, seed=2, seen=0.9)
    figures = compute("agreement", matrix).figures
    assert figures["segment"] == "opinion-group" and figures["segments"] == ["0", "1"]


def test_parameters_are_checked_and_kept_in_the_result() -> None:
    record = full_record()
    result = compute("ballots", record, {"rule": "irv"})
    assert result.parameters["rule"] == "irv" and result.parameters["power"] == "equal" and result.seed is None
    assert compute("slate", record, {"size": 2}).figures["size"] == 2
    for wrong in ({"rule": "dice"}, {"colour": "red"}):
        with pytest.raises(InvalidInput):
            compute("ballots", record, wrong)
    with pytest.raises(InvalidInput, match="no method"):
        compute("tea-leaves", record)


def test_a_file_is_known_by_its_content_and_an_unknown_one_is_refused() -> None:
    assert isinstance(read("x.csv", "voter,ranking\na,x > y\n"), Record)
    for text in ("a,b\n1,2\n", "", "hello"):
        with pytest.raises(InvalidInput, match=r"strange\.txt"):
            read("strange.txt", text)
    with pytest.raises(InvalidInput, match="reads a record"):
        run("credit", {"v.csv": "comment-id,voter-id,vote\n0,0,1\n"})
    with pytest.raises(InvalidInput):
        run("credit", {})


def test_hashes_are_the_same_on_every_machine() -> None:
    assert hash_of({"b": 1, "a": [1.5, None]}, np.array([1, -1], np.int8)) == (
        "37037e82f7f30917f04c7eeb0da25b8e2f513637195ad61375784f6b4d6441fb"
    )
    assert hash_of(np.array([1, 2], ">i4")) == hash_of(np.array([1, 2], "<i4")) != hash_of(np.array([1, 2], "<i8"))
    assert as_json(float("nan")) is None and as_json({1: (np.float64(2), np.bool_(True))}) == {"1": [2.0, True]}
    with pytest.raises(TypeError):
        as_json(object())
