"""From rooms' logs to the common record: who voted what on which statement, over all groups and rounds.

Owns four decisions. Statements with the same words are one item, whichever groups saw them, so that a seed statement and one carried to
other groups are counted as one. People keep one pseudonym over all rounds (under the Chatham House Rule one for their votes and another
for their polls, without segments and without the votes' own times). Whoever withdrew from a deliberation that erases takes their votes
along. Of a ballot stage only options that stood on every group's paper count, since nobody could choose the others everywhere. Texts come from the logs as they may leave the rooms (`privacy.redact`), never from the stored ones. Pure; called by the server,
and the record is what researchers download: every figure can be computed again from it alone.
"""

from __future__ import annotations

import hashlib
import hmac
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import TypeVar

from deliberation import balloting, casework
from deliberation.events import Event, StatementAdded, UtteranceFinal
from deliberation.outcomes import contributions, gather_stages
from deliberation.outcomes.disclosure import OTHER, coarsen
from deliberation.outcomes.record import Ballot, Consent, Item, Judgement, Mode, Participant, Record, content_hash
from deliberation.redactor import Mode as PrivacyMode
from deliberation.room import fold_all
from deliberation.state import RoomState

_Told = TypeVar("_Told", StatementAdded, UtteranceFinal)
_MODES: Mapping[str, Mode] = {"online": "online", "on-site": "on-site", "survey": "survey", "chat": "chat"}


@dataclass(frozen=True, slots=True)
class RoomLog:
    """A room that is over: its stored log, and the same log as it may leave the room (`privacy.redact`)."""

    stored: Sequence[Event]
    released: Sequence[Event]


@dataclass(frozen=True, slots=True)
class Quote:
    """Words that an item rests on, of a speaker who agreed to be quoted; `speaker` is None where the privacy mode names nobody."""

    room: int
    utterance: str
    speaker: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Gathered:
    """The record, what may be quoted for each item, and facts that it was made from. `people`: who took part and has not withdrawn."""

    record: Record
    quotes: Mapping[str, tuple[Quote, ...]]
    rooms: tuple[RoomState, ...]
    released: tuple[RoomState, ...]
    people: int


def no_words(text: str, language: str) -> Collection[str]:
    """Find no theme in any answer."""
    return ()


def gather(
    rooms: Sequence[RoomLog], mode: PrivacyMode, *, key: bytes, withdrawn: Set[str] = frozenset(),
    words_of: Callable[[str, str], Collection[str]] = no_words,
) -> Gathered:
    """Make the record of rooms that are over.

    `key` is secret and makes the pseudonyms; `withdrawn` are the participants whose votes and answers are to be left out. `words_of`
    gives a written answer's content words (of its text and language), from which themes are made.
    """  # fmt: skip
    opened = sorted(((fold_all(log.stored), fold_all(log.released), log) for log in rooms), key=lambda one: (one[0].opened_at, one[0].room_id))
    gathering = _Gathering(mode, key, withdrawn, words_of)
    for state, released, log in opened:
        gathering.room(state, released, log)
    return gathering.done([state for state, _, _ in opened], [released for _, released, _ in opened])


def pseudonym(key: bytes, participant_id: str) -> str:
    """Return a participant's name in the record, where the privacy mode keeps one for all that they did."""
    return _pseudonym(key, "person", "p", participant_id)


def _pseudonym(key: bytes, world: str, prefix: str, participant_id: str) -> str:
    name = f"{world}\0{participant_id}"
    return f"{prefix}-{hmac.new(key, name.encode(), hashlib.sha256).hexdigest()[:10]}"


class _Gathering:
    """Collects room by room. Items are numbered in the order in which they were first put to anybody, so numbers stay as rooms are added."""

    def __init__(
        self, mode: PrivacyMode, key: bytes, withdrawn: Set[str], words_of: Callable[[str, str], Collection[str]]
    ) -> None:
        self._words_of = words_of
        self._from: dict[str, tuple[Mode, str]] = {}  # participant → mode and cohort
        self._strict = mode == "chatham-house"
        self._mode, self._key, self._withdrawn = mode, key, withdrawn
        self._numbers: dict[str, str] = {}  # a text's hash (or the id of one that was erased) → item id
        self._values: dict[str, str] = {}  # the hash of a card's words → item id
        self._items: dict[str, Item] = {}
        self._people: dict[str, Participant] = {}
        self._judgements: list[Judgement] = []
        self._consents: dict[tuple[str, str], Consent] = {}
        self._quotes: dict[str, dict[str, Quote]] = {}
        self._papers: dict[str, set[str]] = {}  # by ballot stage: the items that stood on every paper so far
        self._ballots: dict[tuple[str, str], Ballot] = {}  # by stage and pseudonym
        self._taking_part: set[str] = set()

    def room(self, state: RoomState, released: RoomState, log: RoomLog) -> None:
        """Add one room."""
        for member in state.members.values():
            if member.participant_id in self._withdrawn:
                continue
            self._taking_part.add(member.participant_id)
            self._from[member.participant_id] = _MODES.get(member.mode, "online"), member.cohort
            if self._strict:
                continue
            who = self._pseudonym(member.participant_id)
            self._people[who] = Participant(
                who, mode=_MODES.get(member.mode, "online"), cohort=member.cohort, segments=dict(member.segments)
            )
            for scope, given in member.consent.items():
                if given:
                    self._consents.setdefault((who, scope), Consent(who, scope, at=round(member.joined_at, 3)))
                elif held := self._consents.get((who, scope)):
                    self._consents[who, scope] = replace(held, withdrawn_at=held.withdrawn_at or round(state.at, 3))
        items = self._statements(state, released, log)
        self._votes(state, log, items)
        self._cast(state, released, items)
        self._answers(state, released, log)
        self._stages(gather_stages.Room(state, released, tuple(log.stored), tuple(log.released), self._strict))
        self._contributions(state, released, log, items)

    def done(self, states: Sequence[RoomState], released: Sequence[RoomState]) -> Gathered:
        """Return what was collected, with segments coarsened that would single somebody out."""
        people = _blurred(tuple(self._people.values()), strict=self._strict)
        # Too few experts are not told apart from lay people; their judgements must not count as lay people's then.
        untold = {p.id for p in self._people.values() if p.expert} - {p.id for p in people if p.expert}
        self._judgements = [j for j in self._judgements if j.kind != "rating" or j.participant not in untold]
        record = Record(
            participants=people,
            items=tuple(self._with_papers(item) for item in self._all_items()),
            judgements=tuple(sorted(self._judgements, key=lambda j: (j.at, j.participant, j.item))),
            consents=tuple(self._consents.values()),
        )
        quotes = {item: tuple(found.values()) for item, found in self._quotes.items()}
        cast = tuple(self._on_shared_paper(ballot) for _, ballot in sorted(self._ballots.items()))
        return Gathered(replace(record, ballots=(*ballots_of(record), *cast)), quotes, tuple(states), tuple(released), len(self._taking_part))

    def _stages(self, room: gather_stages.Room) -> None:
        """Add what was written and judged in stages of values and of cases."""
        cards = gather_stages.cards_of(room, self._values, self._items, lambda person: "" if self._strict else self._pseudonym(person))
        for story in gather_stages.stories(room, cards):
            if story.person not in self._withdrawn:
                label = room.released.members.get(story.shown)
                where = f"r{room.state.number}.{story.label}"
                speaker = label.name if label and not self._strict else None
                self._quotes.setdefault(story.item, {})[where] = Quote(room.state.number, where, speaker, story.text)
        gather_stages.cases_of(room, self._items)
        experts = casework.expert_cohorts(room.state.plan)
        for world, found in (("values", gather_stages.compared(room, cards)), ("cases", gather_stages.rated(room))):
            for one in found:
                if one.person in self._withdrawn:
                    continue
                self._judge(one.person, world, one.judgement)
                who = self._judgements[-1].participant
                expert = self._from.get(one.person, ("", ""))[1] in experts
                self._people[who] = replace(self._people[who], expert=(world == "cases" and expert) or self._people[who].expert)

    def _all_items(self) -> list[Item]:
        """Return the items, answers with their themes, and last the outcome of all rooms."""
        found = contributions.with_themes(tuple(self._items.values()), self._words_of)
        licence = next((item.licence for item in found if item.licence), "")
        made = contributions.outcome(found, self._judgements, licence)
        return [*found, made] if made else found

    def _contributions(self, state: RoomState, released: RoomState, log: RoomLog, items: Mapping[str, str]) -> None:
        """Add what the room's statements, summary and (in a survey) answers rest on."""
        spoken = {own.utterance_id: shown.utterance_id for own, shown in _pairs(log, UtteranceFinal)}

        def label(utterance_id: str) -> str | None:
            speaker = state.utterances[utterance_id].participant_id
            return f"r{state.number}.{spoken[utterance_id]}" if utterance_id in spoken and speaker not in self._withdrawn else None

        def author(participant_id: str) -> str:
            return "" if self._strict else self._pseudonym(participant_id)

        def words(kind: str, id: str) -> str:
            if kind == "utterance":
                return released.utterances[spoken[id]].text
            sentences = released.summary.sentences if released.summary else ()
            return sentences[int(id)].text if int(id) < len(sentences) else ""

        for item in contributions.of_room(state, label, items, author, words, whole_seconds=self._strict):
            self._items[item.id] = item

    def _pseudonym(self, participant_id: str, world: str = "votes") -> str:
        if not self._strict:
            return pseudonym(self._key, participant_id)
        return _pseudonym(self._key, world, {"votes": "v", "polls": "q", "ballots": "b", "values": "w", "cases": "r"}[world], participant_id)

    def _statements(self, state: RoomState, released: RoomState, log: RoomLog) -> dict[str, str]:
        """Add the room's statements; return the item of each that still stands, by statement id."""
        pairs = _pairs(log, StatementAdded)
        spoken = {own.utterance_id: shown.utterance_id for own, shown in _pairs(log, UtteranceFinal)}
        found: dict[str, str] = {}
        for own, shown in pairs:
            statement = state.statements[own.statement_id]
            identity = content_hash(own.text) if own.text else f"{state.room_id} {own.statement_id}"
            item = self._numbers.setdefault(identity, f"s{len(self._numbers) + 1}")
            if statement.withdrawn or not statement.text:
                continue
            found[own.statement_id] = item
            rests_on = [u for u in own.supports if u in spoken and state.utterances[u].usable]
            sources = tuple(f"r{state.number}.{spoken[u]}" for u in rests_on)
            voices = {self._from[p][1] for u in rests_on if (p := state.utterances[u].participant_id) in self._from}
            member = state.members.get(own.participant_id or "")
            voices |= {self._from[member.participant_id][1]} if member and member.participant_id in self._from else set()
            known = self._items.get(item)
            author = self._pseudonym(own.participant_id) if own.participant_id and not self._strict else ""
            if known is None:
                self._items[item] = Item(
                    item, text=shown.text or "", author=author, sources=sources,
                    at=round(statement.at, 0 if self._strict else 3),
                    licence=state.plan.consent.licence,
                    scopes=tuple(s for s, given in member.consent.items() if given) if member and not self._strict else (),
                    expires=float(round((state.closed_at or state.at) + state.plan.privacy.retention_days * contributions.DAY_SECONDS)),
                    attributes={
                        "origin": own.origin, "rooms": str(state.number), "rounds": str(state.round), "cohorts": "; ".join(sorted(voices)),
                    },
                )
            else:
                kept = dict(known.attributes)
                kept["rooms"] = f"{kept['rooms']} {state.number}"
                kept["cohorts"] = "; ".join(sorted({*filter(None, kept["cohorts"].split("; ")), *voices}))
                kept["rounds"] = " ".join(dict.fromkeys([*kept["rounds"].split(), str(state.round)]))
                together = tuple(dict.fromkeys((*known.sources, *sources)))
                self._items[item] = replace(known, author=known.author or author, sources=together, attributes=kept)
            for utterance_id in own.supports:
                self._quote(item, utterance_id, spoken, state, released)
        return found

    def _quote(self, item: str, utterance_id: str, spoken: Mapping[str, str], state: RoomState, released: RoomState) -> None:
        said = state.utterances.get(utterance_id)
        shown = released.utterances.get(spoken.get(utterance_id, ""))
        if said is None or shown is None or not said.usable or not shown.usable or said.participant_id in self._withdrawn:
            return
        speaker = state.members.get(said.participant_id)
        if speaker is None or not speaker.consent.get("quote"):
            return
        label = released.members.get(shown.participant_id)
        where = f"r{state.number}.{shown.utterance_id}"
        quote = Quote(state.number, where, label.name if label and not self._strict else None, shown.text)
        self._quotes.setdefault(item, {})[where] = quote

    def _votes(self, state: RoomState, log: RoomLog, items: Mapping[str, str]) -> None:
        if self._strict:
            ended = float(round(state.closed_at or state.at))
            cast = [(s, p, value, ended) for s, one in state.statements.items() for p, value in one.votes.items()]
        else:
            cast = [
                (e.payload.statement_id, e.payload.participant_id, e.payload.value, round(e.at, 3))
                for e in log.stored
                if e.payload.kind == "vote.cast"
            ]
        for statement, person, value, at in cast:
            if statement in items and person not in self._withdrawn:
                self._judge(person, "votes", Judgement("", items[statement], "vote", value, at=at))

    def _cast(self, state: RoomState, released: RoomState, items: Mapping[str, str]) -> None:
        """Add what was cast in the room's ballot stages; a person's later ballot, in a later round, takes the earlier one's place."""
        for stage_id, held in state.ballots.items():
            texts = balloting.paper(released, stage_id)
            named = {option: option for option in texts if option not in released.statements}
            for option in named:
                self._items[option] = Item(option, kind="option", text=texts[option])
            known = {**named, **{own: item for own, item in items.items() if own in held.options}}
            self._papers.setdefault(stage_id, set(known.values())).intersection_update(known.values())
            settings = state.plan.stage(stage_id).ballot
            for person, choice in held.cast.items():
                if person in self._withdrawn:
                    continue
                who = self._pseudonym(person, "ballots")
                self._enlist(who, person)
                power = balloting.power_of(settings, state, person)
                renamed = balloting.Choice(
                    tuple(tuple(known[o] for o in group if o in known) for group in choice.ranking),
                    tuple(known[o] for o in choice.approves if o in known),
                    tuple((known[o], credits) for o, credits in choice.allocation if o in known),
                )
                self._ballots[stage_id, who] = balloting.narrowed(renamed, frozenset(known.values()), who, paper=stage_id, power=power)

    def _with_papers(self, item: Item) -> Item:
        """Say of an item on which ballots everybody could choose it."""
        papers = " ".join(stage for stage, shared in self._papers.items() if item.id in shared)
        return replace(item, attributes={**item.attributes, "papers": papers}) if papers else item

    def _on_shared_paper(self, ballot: Ballot) -> Ballot:
        shared = self._papers[ballot.paper]
        ranking = (tuple(option for option in group if option in shared) for group in ballot.ranking)
        return replace(
            ballot,
            ranking=tuple(group for group in ranking if group),
            approves=tuple(option for option in ballot.approves if option in shared),
            allocation={option: amount for option, amount in ballot.allocation.items() if option in shared},
        )

    def _answers(self, state: RoomState, released: RoomState, log: RoomLog) -> None:
        """Add the polls. The opening poll is told again in each round's room; the first time counts, of the closing polls each."""
        for question in released.plan.poll:
            self._items[f"poll-{question.id}"] = Item(
                f"poll-{question.id}", kind="question", text=question.text,
                attributes={"scale": str(question.scale), "low": question.low, "high": question.high},
            )
        ended = float(round(state.closed_at or state.at))
        for event in log.stored:
            payload = event.payload
            if payload.kind != "poll.answered" or payload.participant_id in self._withdrawn:
                continue
            if payload.poll == "opening" and state.round > 1:
                continue
            for question_id, value in payload.answers.items():
                at = ended if self._strict else round(event.at, 3)
                answer = Judgement("", f"poll-{question_id}", "answer", value, at=at, context=payload.poll)
                self._judge(payload.participant_id, "polls", answer)

    def _enlist(self, who: str, person: str) -> None:
        mode, cohort = self._from.get(person, ("online", "main"))
        self._people.setdefault(who, Participant(who, mode=mode, cohort=cohort))

    def _judge(self, person: str, world: str, judgement: Judgement) -> None:
        who = self._pseudonym(person, world)
        self._enlist(who, person)
        self._judgements.append(replace(judgement, participant=who))


def ballots_of(record: Record) -> tuple[Ballot, ...]:
    """Read a ballot off each person's votes: what they agree with is approved and ranked first, then passes, then what they disagree with.

    On the ballot paper stands what more than half of all voters have seen: a rule that counts the unseen as last would punish the rest.
    """
    matrix = record.matrix()
    voters = int((matrix.votes_per_person() > 0).sum())
    paper = {item for item, seen in zip(matrix.items, matrix.tally().seen, strict=True) if 2 * int(seen) > voters}
    cast: dict[str, dict[int, list[str]]] = {}
    for row, col, vote in zip(matrix.rows, matrix.cols, matrix.votes, strict=True):
        if matrix.items[col] in paper:
            cast.setdefault(matrix.participants[row], {}).setdefault(int(vote), []).append(matrix.items[col])
    return tuple(
        Ballot(person, tuple(tuple(votes[value]) for value in (1, 0, -1) if value in votes), tuple(votes.get(1, ())))
        for person, votes in sorted(cast.items())
    )


def _pairs(log: RoomLog, kind: type[_Told]) -> list[tuple[_Told, _Told]]:
    """Return payloads of one kind as stored and as released; redaction keeps their number and order."""
    stored = [e.payload for e in log.stored if isinstance(e.payload, kind)]
    released = [e.payload for e in log.released if isinstance(e.payload, kind)]
    return list(zip(stored, released, strict=True))


def _blurred(people: tuple[Participant, ...], *, strict: bool) -> tuple[Participant, ...]:
    """Coarsen segments; whoever would stand out by mode and cohort alone has none, and under the Chatham House Rule appears as most do."""
    kept = {person.id: person for person in coarsen(people)}
    if len(kept) == len(people):
        return tuple(kept[person.id] for person in people)
    if not strict:
        return tuple(kept.get(person.id) or replace(person, segments={}) for person in people)
    usual = Counter((person.mode, person.cohort) for person in people).most_common(1)[0][0]
    return tuple(kept.get(person.id) or Participant(person.id, mode=usual[0], cohort=usual[1] or OTHER) for person in people)
