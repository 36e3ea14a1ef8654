from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deliberation.errors import InvalidInput
from deliberation.outcomes.credit import Settings, credit, credit_of_record, descendants, permitted, revoke
from deliberation.outcomes.record import Consent, Item, Record

SAID = Item("u1", "contribution", "said", author="ann")
ALSO = Item("u2", "contribution", "said too", author="bob")
STATEMENT = Item("s1", "statement", "merged", author="cem", sources=("u1", "u2"))
DRAFT = Item("o1", "outcome", "drafted by a model", sources=("s1", "u2"))


def test_credit_flows_back_as_in_the_hand_worked_case() -> None:
    # o1 has no author: ½ to s1, ½ to u2. s1 keeps ¼ and passes ⅛ to each of u1, u2.
    assert credit([SAID, ALSO, STATEMENT, DRAFT], "o1") == pytest.approx({"u2": 0.625, "s1": 0.25, "u1": 0.125})
    assert credit([SAID, ALSO, STATEMENT, DRAFT], "s1", own=0.2) == pytest.approx({"s1": 0.2, "u1": 0.4, "u2": 0.4})


@st.composite
def graphs(draw: st.DrawFn) -> list[Item]:
    """Random derivation graphs: an item derives from earlier ones, some from words that are not listed, some without author."""
    size = draw(st.integers(1, 14))
    items = []
    for index in range(size):
        earlier = [f"i{j}" for j in range(index)] + ["unlisted"]
        sources = draw(st.lists(st.sampled_from(earlier), max_size=4))
        items.append(Item(f"i{index}", author=draw(st.sampled_from(["", "ann", "bob", "cem"])), sources=tuple(sources)))
    return items


@settings(max_examples=150, deadline=None)
@given(graphs(), st.floats(0, 1))
def test_credit_sums_to_one_on_every_derivation_graph(items: list[Item], own: float) -> None:
    for item in items:
        kept = credit(items, item.id, own)
        assert sum(kept.values()) == pytest.approx(1.0)
        assert all(share >= 0 for share in kept.values())
    outcome = credit_of_record(Record(items=tuple(items)), Settings(own=own))
    for credited in outcome.outcomes:
        assert sum(share.credit for share in credited.shares) == pytest.approx(1.0)


@settings(max_examples=100, deadline=None)
@given(graphs(), st.data())
def test_nothing_that_is_kept_rests_on_anything_revoked(items: list[Item], data: st.DataObject) -> None:
    revoked = data.draw(st.lists(st.sampled_from([item.id for item in items]), min_size=1, unique=True))
    outcome = credit_of_record(Record(items=tuple(items)), Settings(revoked=tuple(revoked)))
    gone = set(outcome.revocation.removed)
    assert set(revoked) <= gone
    kept = [item for item in items if item.id in outcome.revocation.kept]
    assert {item.id for item in kept} | gone == {item.id for item in items}
    assert not any(source in gone for item in kept for source in item.sources)
    everything = json.dumps([[c.outcome, [s.through for s in c.shares]] for c in outcome.outcomes])
    named = set(json.loads(outcome.prov).get("entity", {}))
    assert not any(f'"{name}"' in everything or f"item:{name}" in named for name in gone)
    assert not any(name in uses.used_in or name == uses.item for uses in outcome.rows.uses for name in gone)


def test_a_revocation_says_what_went_and_what_is_left() -> None:
    said = revoke([SAID, ALSO, STATEMENT, DRAFT], ["u1"], ["o1"])
    assert said.removed == ("o1", "s1", "u1") and said.lost == ("o1",) and said.kept == ("u2",)
    assert revoke([SAID, ALSO], []).removed == ()


def test_people_see_where_their_words_went() -> None:
    assert descendants([SAID, ALSO, STATEMENT, DRAFT], ["u1"]) == ("o1", "s1")
    outcome = credit_of_record(Record(items=(SAID, ALSO, STATEMENT, DRAFT)))
    assert {u.item: u.used_in for u in outcome.rows.uses}["u1"] == ("o1", "s1")
    (credited,) = outcome.outcomes
    assert [(s.author, round(s.credit, 3)) for s in credited.shares] == [("bob", 0.625), ("cem", 0.25), ("ann", 0.125)]
    assert credited.people == 3


def test_a_circle_of_derivations_or_an_unknown_outcome_is_refused() -> None:
    with pytest.raises(InvalidInput, match="itself"):
        credit([Item("a", sources=("b",)), Item("b", sources=("a",))], "a")
    with pytest.raises(InvalidInput):
        credit([SAID], "nothing")


def test_use_needs_scope_consent_and_time_all_along_the_way() -> None:
    def allowed(now: float, consents: tuple[Consent, ...]) -> tuple[str, ...]:
        words = Item("w", "contribution", author="ann", scopes=("train",), expires=100)
        other = Item("x", "contribution", author="ann", scopes=("quote",))
        drafted = Item("d", "statement", sources=("w",))
        return permitted(Record(items=(words, other, drafted), consents=consents), "train", now)

    yes = (Consent("ann", "train", at=10),)
    assert allowed(50, yes) == ("w", "d")
    assert allowed(5, yes) == () and allowed(100, yes) == () and allowed(50, ()) == ()
    assert allowed(50, (Consent("ann", "train", at=10, withdrawn_at=40),)) == ()
    assert allowed(50, (Consent("ann", "train", at=10, until=60),)) == ("w", "d")


def test_the_derivations_are_exported_as_w3c_prov() -> None:
    from prov.model import ProvDocument

    outcome = credit_of_record(Record(items=(SAID, ALSO, STATEMENT, DRAFT)))
    document = json.loads(outcome.prov)
    assert set(document["entity"]) == {"item:u1", "item:u2", "item:s1", "item:o1"}
    derived = {(d["prov:generatedEntity"], d["prov:usedEntity"]) for d in document["wasDerivedFrom"].values()}
    assert derived == {("item:s1", "item:u1"), ("item:s1", "item:u2"), ("item:o1", "item:s1"), ("item:o1", "item:u2")}
    assert {a["prov:agent"] for a in document["wasAttributedTo"].values()} == {"person:ann", "person:bob", "person:cem"}
    again = ProvDocument.deserialize(content=outcome.prov, format="json")
    assert len(again.get_records()) == 4 + 3 + 4 + 3
