from __future__ import annotations

import json

import pytest

from deliberation.errors import InvalidInput
from deliberation.outcomes.record import Item, Judgement, Participant, Record, parse_record, record_as_json
from deliberation.outcomes.votes import (
    Comment,
    parse_comments,
    parse_participants_votes,
    parse_votes,
    write_comments,
    write_participants_votes,
    write_votes,
)

VOTES = """timestamp,datetime,comment-id,voter-id,vote
1000,Thu Jan 01 00:00:01 UTC 1970,0,7,1
3000,Thu Jan 01 00:00:03 UTC 1970,0,7,-1
2000,Thu Jan 01 00:00:02 UTC 1970,0,10,0
2000,Thu Jan 01 00:00:02 UTC 1970,10,7,1
2000,Thu Jan 01 00:00:02 UTC 1970,2,10,-1
"""


def test_every_row_is_tallied_revotes_included() -> None:
    log = parse_votes(VOTES)
    assert log.items == ("0", "2", "10")
    tally = log.tally()
    assert tally.agrees.tolist() == [1, 0, 1]
    assert tally.disagrees.tolist() == [1, 1, 0]
    assert tally.seen.tolist() == [3, 1, 1]


def test_the_matrix_keeps_the_latest_vote_and_tells_a_pass_from_the_unseen() -> None:
    matrix = parse_votes(VOTES).latest()
    assert matrix.participants == ("7", "10")
    full = matrix.dense()
    assert full[0, 0] == -1, "the vote of 3000 ms supersedes that of 1000 ms"
    assert full[1, 0] == 0 and full[0, 1] != full[0, 1]
    assert matrix.tally().seen.tolist() == [2, 1, 1]
    assert matrix.where().nnz == 4 and matrix.where(0).nnz == 1
    assert matrix.values().nnz == 4, "a pass stays stored"


def test_of_votes_at_the_same_moment_the_later_row_counts() -> None:
    text = "timestamp,comment-id,voter-id,vote\n5,0,0,1\n5,0,0,-1\n"
    assert parse_votes(text).latest().votes.tolist() == [-1]


def test_polis_files_survive_a_round_trip() -> None:
    log = parse_votes(VOTES)
    assert write_votes(log) == VOTES
    comments = (Comment("0", 'A "quoted", text', "7", 1, 1, 1, 1000),)
    assert parse_comments(write_comments(comments, authors=True)) == comments
    matrix = log.latest()
    text = write_participants_votes(matrix, groups=("0", ""))
    again = parse_participants_votes(text)
    assert again.participants == matrix.participants and again.votes.tolist() == matrix.votes.tolist()
    assert again.segment("group-id") == ("0", "")
    assert text.splitlines()[0] == "participant,group-id,n-comments,n-votes,n-agree,n-disagree,0,2,10"
    assert text.splitlines()[1] == "7,0,0,2,1,1,-1,,1"


def test_authors_are_left_out_of_comments_unless_asked_for() -> None:
    text = write_comments([Comment("0", "A text", "7", 1, 1, 1, 1000)])
    assert parse_comments(text)[0].author == ""


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("comment-id,vote\n0,1\n", "voter-id"),
        ("comment-id,voter-id,vote\n0,1,yes\n", "line 2"),
        ("comment-id,voter-id,vote\n0,1,2\n", "−1"),
        ("comment-id,voter-id,vote\n0,1\n", "line 2"),
    ],
)
def test_a_wrong_line_is_named(text: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        parse_votes(text)


def test_an_unknown_segment_is_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_participants_votes("participant,group-id,0\n1,0,1\n").segment("age")
    assert "group-id" in refused.value.hint


def test_a_record_becomes_a_matrix_and_an_inferred_vote_never_stands_in_for_a_cast_one() -> None:
    record = Record(
        participants=(Participant("a", cohort="x", segments={"age": "old"}), Participant("b", mode="survey", cohort="y")),
        items=(Item("s1"), Item("s2"), Item("v", kind="value")),
        judgements=(
            Judgement("a", "s1", "vote", 1, at=2), Judgement("a", "s1", "vote", -1, at=1),
            Judgement("b", "s1", "vote", 1, at=9, confidence=0.99), Judgement("b", "s2", "approval", 1),
        ),
    )
    matrix = record.matrix()
    assert matrix.items == ("s1", "s2")
    assert matrix.dense().tolist()[0][0] == 1
    assert matrix.where().toarray().tolist() == [[1, 0], [0, 1]], "b's inferred vote is not there"
    assert matrix.segment("mode") == ("online", "survey") and matrix.segment("age") == ("old", "")


def test_a_record_survives_a_round_trip_and_a_wrong_field_is_named() -> None:
    record = Record(participants=(Participant("a"),), items=(Item("s", text="É", sources=("u1",)),))
    assert parse_record(json.dumps(record_as_json(record))) == record
    with pytest.raises(InvalidInput, match=r"participants\.0\.mode"):
        parse_record('{"participants": [{"id": "a", "mode": "phone"}]}')
    with pytest.raises(InvalidInput, match="nonsense"):
        parse_record('{"nonsense": 1}')


def test_the_content_hash_ignores_form_but_not_words() -> None:
    assert Item("a", text="Caf\u00e9 ").content_hash == Item("b", text="Cafe\u0301").content_hash
    assert Item("a", text="Cafe").content_hash != Item("b", text="Café").content_hash


def test_the_input_hash_changes_with_any_vote() -> None:
    first, second = parse_votes(VOTES).latest(), parse_votes(VOTES.replace(",10,-1", ",10,1")).latest()
    assert first.input_hash == parse_votes(VOTES).latest().input_hash != second.input_hash
