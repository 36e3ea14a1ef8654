"""The process card and the run report: what a sceptic needs to judge how an outcome came about.

Owns their shape, representativeness against targets, the limits that follow from the figures, and their Markdown. The card answers: who,
how recruited, how representative, what was asked, what the AI did, how the outcome was computed, what changed, what the limits are. Never gathers facts: the server counts them from the event log and hands
them in. Pure; called by the server.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from deliberation.errors import InvalidInput
from deliberation.outcomes.record import Participant
from deliberation.outcomes.result import Result

NOTABLE_GAP = 0.1
"""A segment ten percentage points off its target is named among the limits."""


@dataclass(frozen=True, slots=True)
class Representation:
    """One value of one segment: how many took part, their share of those who gave an answer, and the target share (both 0–1)."""

    segment: str
    value: str
    people: int
    share: float
    target: float

    @property
    def gap(self) -> float:
        """Share − target."""
        return self.share - self.target


@dataclass(frozen=True, slots=True)
class AiUse:
    """One thing the AI did: how often, with which model and prompt version, and how often people changed or refused it."""

    what: str
    times: int
    model: str
    prompt: str
    overruled: int = 0


@dataclass(frozen=True, slots=True)
class MethodUse:
    """A method with everything needed to compute it again."""

    method: str
    version: str
    parameters: str
    seed: int | None
    input_hash: str


@dataclass(frozen=True, slots=True)
class ProcessCard:
    """The card. `limits` holds the organiser's own words and those that follow from the figures."""

    title: str
    question: str
    organiser: str
    recruited: str
    people: int
    rooms: int
    rounds: int
    representation: tuple[Representation, ...]
    asked: tuple[str, ...]
    ai: tuple[AiUse, ...]
    methods: tuple[MethodUse, ...]
    changed: tuple[str, ...]
    limits: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunReport:
    """What happened when it ran: counts over all rooms. `speaking_gini`: median over rooms, 0 = everybody spoke alike.

    The way in, step by step: `invitations` are links handed out, `offered` the places they gave (None where one was open to anybody),
    `opened` how often their page was loaded, `accepted` who agreed to take part, `joined` who took a seat in a room, `finished` who stayed.
    """

    invitations: int
    offered: int | None
    opened: int
    accepted: int
    joined: int
    finished: int
    no_shows: int
    rooms_opened: int
    rooms_finished: int
    rooms_merged: int
    speaking_gini: float | None
    interventions: Mapping[str, int]
    outages: Mapping[str, int]
    withdrawn: int


def representation(participants: Sequence[Participant], targets: Mapping[str, Mapping[str, float]]) -> tuple[Representation, ...]:
    """Compare who took part with target shares {segment: {value: share}}. Raises InvalidInput where a segment's shares do not sum to 1."""
    compared = []
    for segment, shares in targets.items():
        if abs(sum(shares.values()) - 1) > 0.01:
            raise InvalidInput("bad_targets", f"the target shares of “{segment}” do not sum to 1")
        answers = [person.segments[segment] for person in participants if person.segments.get(segment)]
        for value, target in shares.items():
            people = answers.count(value)
            compared.append(Representation(segment, value, people, people / len(answers) if answers else 0.0, target))
    return tuple(compared)


def dissimilarity(compared: Sequence[Representation], segment: str) -> float:
    """Return the share of participants who would have to be others to meet the target: ½ Σ |share − target| (Duncan & Duncan 1955)."""
    return sum(abs(entry.gap) for entry in compared if entry.segment == segment) / 2


def method_use(result: Result) -> MethodUse:
    """Return a result's provenance for the card."""
    parameters = ", ".join(f"{key} = {value}" for key, value in sorted(result.parameters.items()))
    return MethodUse(result.method, result.version, parameters, result.seed, result.input_hash)


def limits_of(people: int, compared: Sequence[Representation], run: RunReport | None) -> tuple[str, ...]:
    """Name the limits that follow from the figures alone."""
    limits = []
    if people < 30:
        limits.append(f"Only {people} people took part: shares can shift a lot with a few more.")
    limits += [
        f"{entry.segment} “{entry.value}”: {_percent(entry.share)} of participants, {_percent(entry.target)} aimed for."
        for entry in compared if abs(entry.gap) >= NOTABLE_GAP
    ]
    if not compared:
        limits.append("No targets were set, so nothing can be said about whom the participants represent.")
    if run and run.joined and run.finished < 0.8 * run.joined:
        limits.append(f"{run.joined - run.finished} of {run.joined} left before the end.")
    if run and run.outages:
        limits.append("Parts of the system failed for a while: " + ", ".join(f"{k} ({v}×)" for k, v in sorted(run.outages.items())) + ".")
    return tuple(limits)


def card_as_markdown(card: ProcessCard) -> str:
    """Return the process card as Markdown."""
    lines = [
        f"# Process card: {card.title}", "", f"**Question.** {card.question}", "", f"**Organiser.** {card.organiser}", "",
        f"**Who took part.** {card.people} people in {card.rooms} rooms over {card.rounds} round{'s' if card.rounds != 1 else ''}.", "",
        f"**How they were recruited.** {card.recruited}", "",
    ]
    if card.representation:
        rows = [[e.segment, e.value, str(e.people), _percent(e.share), _percent(e.target)] for e in card.representation]
        lines += ["## Representativeness", "", *_table(("Segment", "Value", "People", "Share", "Target"), rows), ""]
    lines += ["## What was asked", "", *_bullets(card.asked), ""]
    ai = [[use.what, str(use.times), use.model or "rules only", use.prompt, str(use.overruled)] for use in card.ai]
    lines += ["## The AI's part", "", *(_table(("What", "Times", "Model", "Prompt", "Overruled"), ai) if ai else ["None."]), ""]
    methods = [[m.method, m.version, m.parameters, "" if m.seed is None else str(m.seed), m.input_hash[:12]] for m in card.methods]
    lines += ["## How the outcome was computed", "", *(_table(("Method", "Version", "Parameters", "Seed", "Input"), methods) if methods else ["—"]), ""]
    lines += ["## What changed", "", *_bullets(card.changed), "", "## Limits", "", *_bullets(card.limits), ""]
    return "\n".join(lines)


def run_as_markdown(run: RunReport) -> str:
    """Return the run report as Markdown."""
    gini = "—" if run.speaking_gini is None else f"{run.speaking_gini:.2f}"
    rows = [
        ["Invitation links", str(run.invitations)], ["Places offered", "no limit" if run.offered is None else str(run.offered)],
        ["Join page opened (times)", str(run.opened)], ["Agreed to take part", str(run.accepted)], ["Took a seat", str(run.joined)], ["Finished", str(run.finished)], ["No-shows", str(run.no_shows)],
        ["Rooms opened", str(run.rooms_opened)], ["Rooms finished", str(run.rooms_finished)], ["Rooms merged", str(run.rooms_merged)],
        ["Speaking time, median Gini", gini], ["Withdrew their data", str(run.withdrawn)],
        *([f"Interventions: {name}", str(times)] for name, times in sorted(run.interventions.items())),
        *([f"Outages: {name}", str(times)] for name, times in sorted(run.outages.items())),
    ]
    return "\n".join(["# Run report", "", *_table(("What", "Count"), rows), ""])


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"


def _bullets(lines: Sequence[str]) -> list[str]:
    return [f"- {line}" for line in lines] or ["—"]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    cells = [list(header), ["---"] * len(header), *rows]
    return ["| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in cells]
