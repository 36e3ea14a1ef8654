"""Credit: an outcome belongs to those whose words went into it, and they can take them back.

Owns: how an outcome's credit flows back along derivations, what a revocation removes and how credit then changes, which contributions may
be used for a purpose, and the export as W3C PROV (Ubuntu-AI). Never decides that words were used: derivations are what the record says.
A model's draft has no author and keeps no credit. Pure; called by `registry` and by the server when a participant withdraws.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from urllib.parse import quote

from prov.model import ProvDocument

from deliberation.errors import InvalidInput
from deliberation.outcomes.record import Item, Record

VERSION = "1"
UNATTRIBUTED = ""
"""The name under which credit is kept that no author can be given."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`own`: the share an author keeps of a derived item, the rest goes to its sources in equal parts.

    `outcomes`: the items to credit (default: those of kind "outcome", else all from which nothing was derived). `revoked`: items taken
    back.
    """

    own: float = 0.5
    outcomes: tuple[str, ...] = ()
    revoked: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Share:
    """Credit (0–1) of one author, "" for what nobody can be credited with, and the contributions it came through."""

    author: str
    credit: float
    through: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OutcomeCredit:
    """One outcome's credit; the shares sum to 1. `people` is the number of authors."""

    outcome: str
    people: int
    shares: tuple[Share, ...]


@dataclass(frozen=True, slots=True)
class Uses:
    """Where one contribution went: everything derived from it, directly or in steps."""

    item: str
    author: str
    used_in: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Revocation:
    """What taking items back does: `removed` are those items and all derived from them, `lost` the outcomes among them.

    An outcome that used a revoked item goes with it; it may be made again from what is `kept`.
    """

    revoked: tuple[str, ...]
    removed: tuple[str, ...]
    lost: tuple[str, ...]
    kept: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CreditRows:
    """Row level: where each contribution went."""

    uses: tuple[Uses, ...]


@dataclass(frozen=True, slots=True)
class Credit:
    """The outcome, after revocations; `prov` is the derivation graph as PROV-JSON."""

    outcomes: tuple[OutcomeCredit, ...]
    revocation: Revocation
    prov: str
    rows: CreditRows


def credit_of_record(record: Record, settings: Settings = Settings()) -> Credit:
    """Credit the outcomes of a record once revoked items, and all that rests on them, are gone. Raises InvalidInput for a cycle."""
    wanted = settings.outcomes or _outcomes(record.items)
    revocation = revoke(record.items, settings.revoked, wanted)
    gone = set(revocation.removed)
    items = [item for item in record.items if item.id not in gone]
    credited = tuple(
        _shares(outcome, credit(items, outcome, settings.own), {item.id: item.author for item in items})
        for outcome in wanted if outcome not in gone
    )
    derived = _derived(items)
    uses = tuple(Uses(item.id, item.author, _reached(derived, [item.id])) for item in items)
    return Credit(credited, revocation, provenance(items), CreditRows(uses))


def credit(items: Iterable[Item], outcome: str, own: float = 0.5) -> Mapping[str, float]:
    """Return {item: credit} of one outcome; the values sum to 1.

    From the outcome backwards, an item with an author keeps `own` of what reaches it and passes the rest to its sources in equal
    parts; without an author it passes on all; without sources it keeps all. A source the record does not list is an item without
    author or sources. Raises InvalidInput for a cycle, an unknown outcome, or `own` outside 0–1.
    """
    by_id = {item.id: item for item in items}
    if outcome not in by_id:
        raise InvalidInput("unknown_item", f"there is no item “{outcome}”")
    if not 0 <= own <= 1:
        raise InvalidInput("bad_share", "the own share lies between 0 and 1")
    arriving = {outcome: 1.0}
    kept: dict[str, float] = {}
    for name in reversed(_sources_first(by_id)):
        amount = arriving.pop(name, 0.0)
        if not amount:
            continue
        item = by_id.get(name)
        sources = tuple(dict.fromkeys(item.sources)) if item else ()
        keeps = amount if not sources else amount * own if item and item.author else 0.0
        if keeps:
            kept[name] = keeps
        for source in sources:
            arriving[source] = arriving.get(source, 0.0) + (amount - keeps) / len(sources)
    return kept


def descendants(items: Iterable[Item], of: Iterable[str]) -> tuple[str, ...]:
    """Return everything derived from those items, directly or in steps, without them."""
    return _reached(_derived(items), of)


def revoke(items: Sequence[Item], revoked: Sequence[str], outcomes: Sequence[str] = ()) -> Revocation:
    """Say what taking items back removes. Nothing that is kept derives from anything removed."""
    removed = {*revoked, *descendants(items, revoked)} if revoked else set()
    return Revocation(
        tuple(sorted(revoked)), tuple(sorted(removed)), tuple(name for name in outcomes if name in removed),
        tuple(item.id for item in items if item.id not in removed),
    )


def permitted(record: Record, scope: str, now: float) -> tuple[str, ...]:
    """Return the items that may be used for `scope` at `now` (seconds).

    The item's own scopes name it, it has not expired, its author's consent holds, and so for everything it was derived from.
    """
    allowed = {(consent.participant, consent.scope) for consent in record.consents if consent.holds(now)}
    by_id = {item.id: item for item in record.items}
    fine: set[str] = set()
    for name in _sources_first(by_id):
        item = by_id.get(name)
        if item is None:
            continue
        current = item.expires is None or now < item.expires
        own = not item.author or (scope in item.scopes and (item.author, scope) in allowed)
        if current and own and all(source in fine for source in item.sources):
            fine.add(name)
    return tuple(item.id for item in record.items if item.id in fine)


def provenance(items: Iterable[Item], *, anonymous: bool = False) -> str:
    """Return the derivations as PROV-JSON (W3C PROV-DM): items are entities, authors agents by pseudonym.

    `anonymous`: without authors, and without the hashes of what single people said, from which short words could be guessed.
    """
    document = ProvDocument()
    document.add_namespace("item", "urn:parley:item:")
    document.add_namespace("person", "urn:parley:person:")
    document.add_namespace("parley", "urn:parley:term:")
    listed = list(items)
    for item in listed:
        told = {"prov:type": item.kind, "parley:licence": item.licence}
        if not (anonymous and item.kind in ("contribution", "response")):
            told["parley:contentHash"] = item.content_hash
        document.entity(f"item:{quote(item.id, safe='')}", told)
    for author in sorted({item.author for item in listed if item.author and not anonymous}):
        document.agent(f"person:{quote(author, safe='')}")
    for item in listed:
        if item.author and not anonymous:
            document.wasAttributedTo(f"item:{quote(item.id, safe='')}", f"person:{quote(item.author, safe='')}")
        for source in dict.fromkeys(item.sources):
            document.wasDerivedFrom(f"item:{quote(item.id, safe='')}", f"item:{quote(source, safe='')}")
    return str(document.serialize(format="json"))


def _outcomes(items: Sequence[Item]) -> tuple[str, ...]:
    named = tuple(item.id for item in items if item.kind == "outcome")
    used = {source for item in items for source in item.sources}
    return named or tuple(item.id for item in items if item.id not in used)


def _derived(items: Iterable[Item]) -> Mapping[str, Sequence[str]]:
    derived: dict[str, list[str]] = {}
    for item in items:
        for source in item.sources:
            derived.setdefault(source, []).append(item.id)
    return derived


def _reached(derived: Mapping[str, Sequence[str]], of: Iterable[str]) -> tuple[str, ...]:
    start = set(of)
    reached: set[str] = set()
    waiting = list(start)
    while waiting:
        new = set(derived.get(waiting.pop(), ())) - reached
        reached |= new
        waiting.extend(new)
    return tuple(sorted(reached - start))


def _sources_first(by_id: Mapping[str, Item]) -> list[str]:
    try:
        return list(TopologicalSorter({name: item.sources for name, item in by_id.items()}).static_order())
    except CycleError:
        raise InvalidInput("derivation_cycle", "an item cannot be derived from itself, even in steps") from None


def _shares(outcome: str, kept: Mapping[str, float], author_of: Mapping[str, str]) -> OutcomeCredit:
    through: dict[str, list[str]] = {}
    for item in kept:
        through.setdefault(author_of.get(item, UNATTRIBUTED), []).append(item)
    shares = [Share(author, sum(kept[item] for item in items), tuple(sorted(items))) for author, items in through.items()]
    return OutcomeCredit(outcome, sum(bool(s.author) for s in shares), tuple(sorted(shares, key=lambda s: (-s.credit, s.author))))
