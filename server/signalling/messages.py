"""The messages on a room's WebSocket: one tagged union each way. PROTOCOL.md says when which is sent.

Wire types only, without behaviour: shared by the server, the bots and (as generated TypeScript) the pages.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from deliberation.command import Id
from deliberation.commands import FacilitatorCommand, ParticipantCommand
from deliberation.payload import Role

PROTOCOL_VERSION = 1
MAX_MESSAGE_BYTES = 64 * 1024


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


# -- from the page


class Hello(_Message):
    """The first message. `last_seq` is 0, or the last event this page has seen, to get what it missed.

    `client_id` names this page (kept in the tab); `takeover` lets it take the seat over from another page of the same person.
    `room_id` is for facilitators: watch that room, or all rooms when absent.
    """

    type: Literal["hello"] = "hello"
    protocol: int
    token: Annotated[str, Field(max_length=2048)]
    client_id: Id
    last_seq: int = Field(0, ge=0)
    takeover: bool = False
    room_id: Id | None = None


class Do(_Message):
    """A command; answered by `ack` or `error` with the same `id`. Facilitators on the overview name the rooms."""

    type: Literal["do"] = "do"
    id: int
    command: Annotated[ParticipantCommand | FacilitatorCommand, Field(discriminator="type")]
    room_ids: tuple[Id, ...] = Field((), max_length=500)


class MediaOffer(_Message):
    """A complete SDP offer: own audio and video first, then a pair of receiving lines per other seat. Answered by `media.answer`."""

    type: Literal["media.offer"] = "media.offer"
    id: int
    sdp: Annotated[str, Field(max_length=60_000)]


class MediaCandidate(_Message):
    """One more ICE candidate of the page."""

    type: Literal["media.candidate"] = "media.candidate"
    candidate: Annotated[str, Field(max_length=1000)]
    mid: Annotated[str, Field(max_length=16)]


class MediaState(_Message):
    """Whether microphone and camera are on; told to the others."""

    type: Literal["media.state"] = "media.state"
    microphone: bool
    camera: bool


class MediaWant(_Message):
    """How much video this page wants."""

    type: Literal["media.want"] = "media.want"
    video: Literal["all", "few", "none"]


class Ping(_Message):
    """Heartbeat, every ten seconds; `active` when the person has touched the page since the last one."""

    type: Literal["ping"] = "ping"
    sent_at: float
    active: bool = True


class PracticeRequest(_Message):
    """Waiting alone: meet a simulated partner in a practice room."""

    type: Literal["practice"] = "practice"


ClientMessage = Annotated[
    Hello | Do | MediaOffer | MediaCandidate | MediaState | MediaWant | Ping | PracticeRequest,
    Field(discriminator="type"),
]


# -- from the server


class IceServer(_Message):
    """One STUN or TURN server, as RTCPeerConnection takes it."""

    urls: tuple[str, ...]
    username: str | None = None
    credential: str | None = None


class Welcome(_Message):
    """The link is accepted. `server_time` is Unix seconds; `slots` is how many others a page prepares to receive."""

    type: Literal["welcome"] = "welcome"
    protocol: int = PROTOCOL_VERSION
    role: Role
    participant_id: str | None
    server_time: float
    ice_servers: tuple[IceServer, ...]
    slots: int
    heartbeat_seconds: float = 10.0


class Lobby(_Message):
    """Waiting for a group. `starts_in` is seconds until a smaller group is formed, None while there are too few."""

    type: Literal["lobby"] = "lobby"
    waiting: int
    min_size: int
    target_size: int
    max_size: int
    starts_in: float | None
    opens_at: float | None
    practice: bool


class Update(_Message):
    """The room as this viewer sees it, up to event `seq`.

    `patch` is a JSON merge patch (RFC 7396) on the RoomView that the page holds after `from_seq`; with `from_seq` 0 it is the whole view and
    replaces what the page holds. `events` are the events that led here and that the viewer may see (after a resume: those missed since
    `hello.last_seq`).
    """

    type: Literal["update"] = "update"
    room_id: str
    from_seq: int
    seq: int
    events: tuple[dict[str, Any], ...]
    patch: dict[str, Any]


class Caption(_Message):
    """A partial caption: `solid` is agreed, `tail` may still change. An `utterance.final` with this id replaces it."""

    type: Literal["caption"] = "caption"
    participant_id: str
    utterance_id: str
    started_at: float
    solid: str
    tail: str


class Live(_Message):
    """Ephemeral state of the members: microphone, camera, connection (`new`, `connected`, `disconnected`, `failed`)."""

    type: Literal["live"] = "live"
    members: dict[str, LiveMember]


class LiveMember(_Message):
    """One member's devices and connection."""

    microphone: bool
    camera: bool
    connection: str


class MediaAnswer(_Message):
    """The SDP answer to offer `id`."""

    type: Literal["media.answer"] = "media.answer"
    id: int
    sdp: str


class MediaSlots(_Message):
    """Which receiving line (by `mid`) carries whom now."""

    type: Literal["media.slots"] = "media.slots"
    slots: tuple[SlotView, ...]


class SlotView(_Message):
    """One receiving line. `paused`: assigned, but not sent at the moment; the connection does not carry it, or the page does not want it."""

    mid: str
    kind: Literal["audio", "video"]
    participant_id: str | None
    paused: bool = False


class MediaQuality(_Message):
    """What is being received at the moment, and why."""

    type: Literal["media.quality"] = "media.quality"
    level: str
    why: str


class RoomCard(_Message):
    """One room on the monitor's overview. Times are Unix seconds."""

    room_id: str
    number: int
    title: str
    open: bool
    stage: str
    stage_ends_at: float | None
    members: dict[str, RoomCardMember]
    speaking: tuple[str, ...]
    gini: float
    silence_seconds: float
    transcription_behind: float
    last_ai_action: str
    last_ai_at: float | None
    facilitation_paused: bool
    help: str | None
    reports: int
    listeners: int
    arm: str


class RoomCardMember(_Message):
    """One member on the overview."""

    name: str
    seat: int
    presence: str
    share: float
    connection: str


Trouble = Literal["bus", "none", "ended", "disk", "behind", "lost"]
"""What can be wrong with speech recognition: the live bus is away, no recogniser runs, one ended in the last minute, audio that waits
cannot be put on disk, captions are late, a room ended before its last words had been read (in the last minute)."""


class Recognition(_Message):
    """How speech recognition fares: the recognisers of all machines, and what the rooms of this node wait for."""

    recognisers: int
    running: tuple[str, ...]
    """Each kind of recogniser once: weights and device, for instance "base, cpu"."""
    waiting: int
    """Utterances whose final text has not come yet."""
    on_disk: int
    """Of those, how many wait on disk."""
    behind: float
    """Seconds that the latest captions are late; 0 unless that is worth saying."""
    troubles: tuple[Trouble, ...]


class Overview(_Message):
    """All rooms, once a second where something changed: a JSON merge patch on `{room_id: RoomCard}`; `waiting` people in the lobby."""

    type: Literal["overview"] = "overview"
    waiting: int
    patch: dict[str, Any]
    recognition: Recognition | None = None


class Pong(_Message):
    """Answer to `ping`, so that a page can tell its clock's offset."""

    type: Literal["pong"] = "pong"
    sent_at: float
    server_time: float


class Ack(_Message):
    """Command `id` is done (its events follow, or came already)."""

    type: Literal["ack"] = "ack"
    id: int


class ErrorMessage(_Message):
    """Command `id` (or the whole socket, when None) was refused; `code` is stable, `message` is for people."""

    type: Literal["error"] = "error"
    id: int | None
    code: str
    message: str
    hint: str = ""
    retryable: bool = False


class Bye(_Message):
    """The server ends this socket. Come back only for `stopping` (after a moment) and `moved` (at once)."""

    type: Literal["bye"] = "bye"
    reason: Literal["takeover", "elsewhere", "stopping", "moved", "removed", "revoked", "left", "slow"]
    url: str | None = None


ServerMessage = Annotated[
    Welcome
    | Lobby
    | Update
    | Caption
    | Live
    | MediaAnswer
    | MediaSlots
    | MediaQuality
    | Overview
    | Pong
    | Ack
    | ErrorMessage
    | Bye,
    Field(discriminator="type"),
]

Live.model_rebuild()
MediaSlots.model_rebuild()
RoomCard.model_rebuild()

CLIENT_MESSAGE: TypeAdapter[ClientMessage] = TypeAdapter(ClientMessage)
SERVER_MESSAGE: TypeAdapter[ServerMessage] = TypeAdapter(ServerMessage)
