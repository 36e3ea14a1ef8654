"""What goes over HTTP as JSON: requests and responses of the API. Wire types only, without behaviour."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from deliberation.design import Briefing, Consent, PollQuestion, Privacy
from deliberation.wire import RoomView


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StageInfo(_Model):
    """One stage, as the join page announces it."""

    title: str
    minutes: float | None


class JoinInfo(_Model):
    """What a page needs before anyone has joined (`GET /api/deliberations/{id}`)."""

    id: str
    title: str
    question: str
    language: str
    briefing: tuple[Briefing, ...]
    stages: tuple[StageInfo, ...]
    poll: tuple[PollQuestion, ...]
    consent: Consent
    privacy: Privacy
    facilitation: Literal["off", "rules", "model"]
    model_outside: bool  # whether words are sent to a language model outside this server
    min_size: int
    target_size: int
    max_size: int
    segments: dict[str, tuple[str, ...]]
    practice: bool
    survey: bool
    opens_at: float | None
    open: bool
    preview: bool  # opened with an organiser's link to try it: who joins counts nowhere


class JoinRequest(_Model):
    """Taking part (`POST /api/deliberations/{id}/participants`). `consent` maps take_part, record, quote to what was ticked.

    `mode`: online (one speaks), chat (one writes only), on-site (several at one microphone), survey (no room: the survey's page).
    """

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40)]
    language: Annotated[str, Field(pattern=r"^[a-z]{2}$")] = "en"
    consent: dict[Literal["take_part", "record", "quote"], bool]
    consent_version: Annotated[str, Field(max_length=200)]
    answers: dict[str, int] = Field(default_factory=dict)
    segments: dict[str, str] = Field(default_factory=dict)
    mode: Literal["online", "on-site", "survey", "chat"] = "online"


class JoinResponse(_Model):
    """The participant's own link: `token` opens their seat from now on."""

    participant_id: str
    token: str


class ParticipantInfo(_Model):
    """Who a participant's link belongs to (`GET /api/participants/me`)."""

    participant_id: str
    deliberation_id: str
    name: str | None
    room_id: str | None
    room_open: bool
    consent: dict[str, bool]


class DeliberationLinks(_Model):
    """The links of a deliberation, each with its signed token in the fragment (which browsers never send to a server)."""

    id: str
    join_url: str
    monitor_url: str
    review_url: str
    outcome_url: str
    survey_url: str  # empty where the design has no survey


class DeliberationInfo(_Model):
    """One deliberation in the organiser's list (`GET /api/deliberations`); practice rooms and simulated partners do not count."""

    id: str
    title: str
    question: str
    created_at: float
    open: bool
    opens_at: float | None
    rounds: int
    rooms: int
    rooms_open: int
    participants: int
    waiting: int
    no_shows: int  # joined, but neither in a room nor waiting
    links: DeliberationLinks


class LinkRequest(_Model):
    """One more link (`POST /api/deliberations/{id}/links`); `days` until it expires, the server's setting when absent.

    `participant` asks for an invitation, as `invitation` does; `preview` for a link to try the join page and the practice room.
    """

    role: Literal["participant", "invitation", "preview", "facilitator", "researcher"]
    days: Annotated[float, Field(gt=0, le=3650)] | None = None
    seats: Annotated[int, Field(ge=1, le=100_000)] | None = None  # for invitations: how many people may join by it
    cohort: Annotated[str, Field(pattern=r"^[\w][\w -]{0,62}$")] | None = None  # for invitations: whom those who join by it belong to
    page: Literal["join", "survey"] = "join"  # for invitations: into a room, or to the survey


class IssuedLink(_Model):
    """A link just issued: the only time its token is shown."""

    link_id: str
    url: str


class LinkInfo(_Model):
    """One issued link, for listing and revoking."""

    link_id: str
    role: str
    deliberation_id: str | None
    participant_id: str | None
    issued_at: float
    expires_at: float
    revoked: bool
    seats: int | None
    used: int
    opened: int  # how often its page was loaded
    cohort: str | None


class RoomInfo(_Model):
    """One room in a list."""

    room_id: str
    number: int
    round: int
    practice: bool
    opened_at: float
    closed_at: float | None
    members: int
    utterances: int
    statements: int
    arm: str


class AudioFile(_Model):
    """One recording, released in `named` mode only; `offset_seconds` from the room's opening. A `picture` is WebM, else it is sound."""

    participant_id: str
    file: str
    offset_seconds: float
    picture: bool = False


class NameFlag(_Model):
    """A word in an utterance that may be somebody's name and was not masked: for a human to review."""

    utterance_id: str
    word: str


class ReviewRoom(_Model):
    """One room as researchers see it (`GET /api/rooms/{id}`), already in the design's privacy mode."""

    view: RoomView
    audio: tuple[AudioFile, ...]
    flagged_names: tuple[NameFlag, ...]
    consent_quote: tuple[str, ...]  # participants who agreed to be quoted, by their label in this mode


class SurveyAnswer(_Model):
    """One thing that somebody wrote in a survey; `text` is empty once struck."""

    utterance_id: str
    text: str
    struck: bool
    language: str


class SurveyStatement(_Model):
    """A statement to vote on: agree (1), pass (0), disagree (-1)."""

    statement_id: str
    text: str
    my_vote: int | None


class SurveyPage(_Model):
    """One person's part of a survey (`GET /api/survey`). `follow_up` is asked about a short answer, once; `followed`: it was answered."""

    participant_id: str
    title: str
    question: str
    answers: tuple[SurveyAnswer, ...]
    follow_up: str | None
    follow_up_why: str
    followed: bool
    statements: tuple[SurveyStatement, ...]
    consent: dict[str, bool]
    done: bool
    open: bool


class CreditUse(_Model):
    """What rests on one thing that a participant said: statements put to the vote, sentences of a group's summary."""

    statements: tuple[str, ...]
    sentences: tuple[str, ...]


class CreditShare(_Model):
    """A participant's share (0..1) of a group's `summary`, or of what was `agreed`: in one room, or (`room` None) over all of them."""

    what: Literal["summary", "agreed"]
    room: int | None
    share: float


class OwnCredit(_Model):
    """Where a participant's words went (`GET /api/participants/me/credit`). `uses` by utterance."""

    licence: str
    uses: dict[str, CreditUse]
    shares: tuple[CreditShare, ...]


class OutcomeQuote(_Model):
    """Words a statement rests on, of a speaker who agreed to be quoted; `speaker` None where the privacy mode names nobody."""

    room: int
    utterance: str
    speaker: str | None
    text: str


class OutcomeItem(_Model):
    """A statement that was put to the vote, in whichever rooms, or a poll's question (with its `scale` from 1 and the names of its ends).

    `origin`: participant, ai, seed, carried; empty for a question. `content_hash`: SHA-256 of the text.
    """

    id: str
    kind: Literal["statement", "question", "option", "value", "case", "template"]
    text: str
    origin: str
    rooms: tuple[int, ...]
    rounds: tuple[int, ...]
    scale: int | None
    low: str
    high: str
    content_hash: str
    quotes: tuple[OutcomeQuote, ...]
    parent: str = ""
    details: dict[str, str] = Field(default_factory=dict)


class OutcomeResult(_Model):
    """One method's result with what is needed to compute it again from the record.

    `figures` are the fields of the dataclass that the method returns (`deliberation/outcomes/<method>.py`). For the public, whatever covers
    fewer than five people has `suppressed` set and no numbers, and nothing is per person (`rows`).
    """

    method: str
    version: str
    parameters: dict[str, Any]
    seed: int | None
    input_hash: str
    title: str = ""  # of the stage that it is about; empty where it is about all of them
    figures: dict[str, Any]


class NewCase(_Model):
    """A case in somebody's own words (`POST /api/deliberations/{id}/precedents`). It is answered and not kept."""

    text: Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=2000)]


class AnsweredPrecedent(_Model):
    """A judged case near the new one, the shared words that made it near, and its templates as in the public figures."""

    case: str
    similarity: float
    words: tuple[str, ...]
    templates: list[dict[str, Any]]


class Answered(_Model):
    """The precedents of a new case, nearest first; `none` where no judged case is near enough."""

    none: bool
    precedents: tuple[AnsweredPrecedent, ...]


class Outcomes(_Model):
    """What all rooms together found (`GET /api/deliberations/{id}/outcomes`). Only rooms that are over count.

    `full`: with rows and small groups, for a researcher's link; `minimum`: fewest people that a public figure covers; `refused`: methods
    without a result, each with why; `drafting`: a model is writing texts that a later answer will hold.
    """

    id: str
    title: str
    question: str
    privacy: Literal["named", "pseudonym", "chatham-house"]
    full: bool
    minimum: int
    people: int
    rooms: int
    rooms_open: int
    rounds: int
    items: tuple[OutcomeItem, ...]
    results: tuple[OutcomeResult, ...]
    refused: dict[str, str]
    drafting: bool = False


class ErrorBody(_Model):
    """The body of every refused request, under `error`."""

    code: str
    message: str
    hint: str = ""
