"""One simulated participant as a machine sees it: holds the WebSocket and the media connection, keeps the room's view.

Owns reconnecting (0.5, 1, 2 s, then every 4 s, with jitter; same seat, new media connection) and the merging of patches. Never decides what
to do in the room: that is `habits`, through `do` and `say`. Written against the published protocol only, so that it tests the server rather
than sharing its code.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from types import TracebackType
from typing import Any, Self, get_args

import websockets
from pydantic import BaseModel

from deliberation.commands import ParticipantCommand
from deliberation.errors import ParleyError, Unavailable
from deliberation.wire import RoomView
from server.signalling.messages import (
    PROTOCOL_VERSION,
    SERVER_MESSAGE,
    Ack,
    Bye,
    ClientMessage,
    Do,
    ErrorMessage,
    Hello,
    Live,
    Lobby,
    MediaAnswer,
    MediaOffer,
    MediaSlots,
    MediaState,
    Ping,
    PracticeRequest,
    ServerMessage,
    SlotView,
    Update,
    Welcome,
)
from simulation.joining import origin, tls
from simulation.media import Line, Media
from simulation.picture import PictureTrack
from simulation.speech import Clip, SpeechTrack, Spoken

RETRY_SECONDS = (0.5, 1.0, 2.0, 4.0)
STEADY_SECONDS = 10.0  # a connection that lasted so long starts over with the first wait
ANSWER_SECONDS = 15.0
COME_BACK = ("stopping", "moved")
MAX_SERVER_MESSAGE_BYTES = 16 * 1024 * 1024


# -- JSON merge patch


def apply_patch(target: Any, patch: Any) -> Any:
    """Return `target` with a JSON merge patch applied (RFC 7396, section 2); the arguments stay as they are."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = apply_patch(merged.get(key), value)
    return merged


def read_view(data: Mapping[str, Any]) -> RoomView:
    """Return a merged view as a `RoomView`; members that the patches left out as null are null again."""
    return RoomView.model_validate(_complete(RoomView, data))


def _complete(model: type[BaseModel], data: Mapping[str, Any]) -> dict[str, Any]:
    whole = dict(data)
    for name, (inner, keyed) in _inner_models(model).items():
        value = whole.setdefault(name, None)
        if inner is not None and isinstance(value, dict):
            whole[name] = (
                {key: _complete(inner, item) for key, item in value.items()} if keyed else _complete(inner, value)
            )
    return whole


@lru_cache(maxsize=64)
def _inner_models(model: type[BaseModel]) -> dict[str, tuple[type[BaseModel] | None, bool]]:
    """Return, for each field that may be null or holds models, which model and whether it is a map of them."""
    found: dict[str, tuple[type[BaseModel] | None, bool]] = {}
    for name, info in model.model_fields.items():
        kinds = get_args(info.annotation)
        inner = next((k for k in (info.annotation, *kinds) if isinstance(k, type) and issubclass(k, BaseModel)), None)
        if inner is not None or type(None) in kinds:
            found[name] = (inner, getattr(info.annotation, "__origin__", None) is dict)
    return found


# -- the participant


@dataclass(slots=True)
class Times:
    """When things happened, Unix seconds; None: not yet."""

    started_at: float | None = None
    seated_at: float | None = None
    media_at: float | None = None
    first_video_at: float | None = None
    connections: int = 0


class Participant:
    """A seat, held by a machine. `async with` it: the connection lives inside, and comes back by itself when it is lost.

    `on_message` is called with every message and its time of arrival, before it takes effect. `hue` colours the picture, `seed` decides the
    jitter of reconnecting.
    """

    def __init__(
        self,
        server: str,
        token: str,
        *,
        seed: int = 0,
        hue: float = 0.6,
        listen_only: bool = False,
        practice: bool = False,
        on_message: Callable[[ServerMessage, float], None] | None = None,
    ) -> None:
        self.server = server
        self.token = token
        self.view: RoomView | None = None
        self.room_id: str | None = None
        self.seq = 0
        self.lobby: Lobby | None = None
        self.participant_id: str | None = None
        self.voice: SpeechTrack | None = None
        self.media: Media | None = None
        self.slots: tuple[SlotView, ...] = ()
        self.live: Live | None = None
        self.ended: str | None = None
        self.error: ErrorMessage | None = None
        self.times = Times()
        self.spoken: list[Spoken] = []
        self._practice = practice
        self._on_message = on_message
        self._random = Random(seed)
        self._client_id = f"bot-{self._random.getrandbits(48):x}"
        self._hue = hue
        self._listen_only = listen_only
        self._data: dict[str, Any] = {}
        self._socket: websockets.ClientConnection | None = None
        self._welcome: Welcome | None = None
        self._answers: dict[int, asyncio.Future[ServerMessage]] = {}
        self._last_id = 0
        self._changed = asyncio.Event()
        self._offer_due = asyncio.Event()
        self.frozen = False
        self._paused = asyncio.Event()
        self._paused.set()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self.times.started_at = time.time()
        self._task = asyncio.create_task(self._live())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the page, as it were: the seat stays, the connections end."""
        self.ended = self.ended or "closed"
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    # -- what habits use

    @property
    def connected(self) -> bool:
        """Whether the socket stands and the server has welcomed us."""
        return self._socket is not None and self._welcome is not None

    @property
    def lines(self) -> Mapping[str, Line]:
        """The receiving lines of the present media connection, by mid."""
        return self.media.lines if self.media else {}

    async def do(self, command: ParticipantCommand) -> None:
        """Carry out a command. Raises the `ParleyError` that refuses it, `Unavailable` when the connection is lost meanwhile."""
        reply = await self._ask(lambda number: Do(id=number, command=command))
        if isinstance(reply, ErrorMessage):
            raise ParleyError(reply.code, reply.message, reply.hint)

    async def say(self, clip: Clip) -> Spoken | None:
        """Begin to speak a clip; None while there is no media connection."""
        if self.voice is None or self.media is None or self.media.state != "connected":
            return None
        spoken = await self.voice.say(clip)
        self.spoken.append(spoken)
        return spoken

    async def until(self, true: Callable[[Participant], bool], seconds: float | None = None) -> None:
        """Wait until something about this participant is so. Raises `TimeoutError` after `seconds`, `Unavailable` once it has ended."""
        async with asyncio.timeout(seconds):
            while not true(self):
                if self._task is None or self._task.done():
                    raise Unavailable("ended", f"The connection has ended: {self.ended}.")
                self._changed.clear()
                await self._changed.wait()

    async def practise(self) -> None:
        """Ask for a practice room."""
        await self._send(PracticeRequest())

    async def drop(self, seconds: float) -> None:
        """Lose the network for so long, then come back."""
        self._paused.clear()
        if self._socket:
            await self._socket.close(1001, "network lost")
        try:
            await asyncio.sleep(seconds)
        finally:
            self._paused.set()

    async def freeze(self, seconds: float) -> None:
        """Stand still for so long: the socket stays open, but no heartbeat and no media come."""
        self.frozen = True
        try:
            await self._close_media()
            await asyncio.sleep(seconds)
        finally:
            self.frozen = False
            self._offer_due.set()
        with contextlib.suppress(Unavailable):
            await self._send(Ping(sent_at=time.time()))

    # -- the connection

    async def _live(self) -> None:
        attempt = 0
        while self.ended is None:
            await self._paused.wait()
            began = time.monotonic()
            try:
                url = f"ws{self.server.removeprefix('http')}/ws"
                async with websockets.connect(
                    url,
                    ssl=tls(url),
                    origin=origin(self.server),
                    max_size=MAX_SERVER_MESSAGE_BYTES,
                    ping_interval=None,
                ) as socket:
                    self._socket = socket
                    await self._converse(socket)
            except* (OSError, TimeoutError, websockets.WebSocketException):
                pass
            finally:
                await self._lose()
            if self.ended is None:
                attempt = 0 if time.monotonic() - began > STEADY_SECONDS else attempt
                delay = RETRY_SECONDS[min(attempt, len(RETRY_SECONDS) - 1)]
                attempt += 1
                await asyncio.sleep(delay * self._random.uniform(0.8, 1.2))
        self._notice()

    async def _converse(self, socket: websockets.ClientConnection) -> None:
        hello = Hello(
            protocol=PROTOCOL_VERSION, token=self.token, client_id=self._client_id, last_seq=self.seq, takeover=False
        )
        await self._send(hello)
        async with asyncio.TaskGroup() as group:
            beside = [group.create_task(self._heartbeat()), group.create_task(self._keep_media())]
            try:
                async for frame in socket:
                    await self._take(SERVER_MESSAGE.validate_json(frame))
            finally:
                for task in beside:
                    task.cancel()

    async def _lose(self) -> None:
        self._socket = None
        self._welcome = None
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(Unavailable("connection_lost", "The connection was lost."))
        self._answers.clear()
        self._offer_due.clear()
        await self._close_media()
        self._notice()

    def _notice(self) -> None:
        self._changed.set()

    async def _take(self, message: ServerMessage) -> None:
        if self._on_message:
            self._on_message(message, time.time())
        match message:
            case Welcome():
                self._welcome = message
                self.participant_id = message.participant_id
                self.times.connections += 1
                if self._practice:
                    self._practice = False
                    await self.practise()
            case Lobby():
                self.lobby = message
            case Update():
                self._update(message)
            case MediaSlots():
                self.slots = message.slots
            case Live():
                self.live = message
            case Ack() | MediaAnswer():
                self._settle(message.id, message)
            case ErrorMessage():
                if message.id is not None:
                    self._settle(message.id, message)
                else:
                    self.error = message
                    if self._welcome is None and not message.retryable:
                        self.ended = message.code
                        await self._hang_up()
            case Bye():
                if message.reason not in COME_BACK:
                    self.ended = message.reason
                await self._hang_up()
        self._notice()

    def _update(self, message: Update) -> None:
        if message.from_seq == 0 or message.room_id != self.room_id:
            self._data = {}
        if message.room_id != self.room_id:
            self._offer_due.set()
        self.room_id = message.room_id
        self.seq = message.seq
        self._data = apply_patch(self._data, message.patch)
        self.view = read_view(self._data)
        self.times.seated_at = self.times.seated_at or time.time()
        if self.media is None and self.view.closed_at is None and not self.frozen:
            self._offer_due.set()

    async def _hang_up(self) -> None:
        if self._socket:
            await self._socket.close()

    async def _send(self, message: ClientMessage) -> None:
        if self._socket is None:
            raise Unavailable("not_connected", "There is no connection.")
        try:
            await self._socket.send(message.model_dump_json())
        except websockets.ConnectionClosed:
            raise Unavailable("connection_lost", "The connection was lost.") from None

    async def _ask(self, make: Callable[[int], ClientMessage]) -> ServerMessage:
        self._last_id = number = self._last_id + 1
        answer: asyncio.Future[ServerMessage] = asyncio.get_running_loop().create_future()
        self._answers[number] = answer
        try:
            await self._send(make(number))
            async with asyncio.timeout(ANSWER_SECONDS):
                return await answer
        except TimeoutError:
            raise Unavailable("no_answer", "The server did not answer in time.") from None
        finally:
            self._answers.pop(number, None)

    def _settle(self, number: int, message: ServerMessage) -> None:
        answer = self._answers.get(number)
        if answer is not None and not answer.done():
            answer.set_result(message)

    async def _heartbeat(self) -> None:
        while True:
            await asyncio.sleep(self._welcome.heartbeat_seconds if self._welcome else 1.0)
            if self._welcome and not self.frozen:
                with contextlib.suppress(Unavailable):
                    await self._send(Ping(sent_at=time.time()))

    # -- media

    async def _keep_media(self) -> None:
        """Offer once per room and connection; offer anew when the media connection fails while the socket stands."""
        while True:
            await self._offer_due.wait()
            self._offer_due.clear()
            await self._close_media()
            if self.view is None or self.view.closed_at is not None:
                continue
            try:
                await self._open_media()
            except ParleyError:
                await asyncio.sleep(RETRY_SECONDS[0])
                self._offer_due.set()

    async def _open_media(self) -> None:
        assert self._welcome is not None, "a room is entered after the welcome"
        voice = None if self._listen_only else SpeechTrack()
        picture = None if voice is None else PictureTrack(self._hue, lambda: voice.level < 127)
        media = Media(self._welcome.slots, voice, picture, self._on_first_frame)
        self.voice, self.media = voice, media

        def on_state() -> None:
            if media.state == "connected":
                self.times.media_at = self.times.media_at or time.time()
            elif media.state in ("failed", "closed") and self.media is media:
                self._offer_due.set()
            self._notice()

        media.peer.on("connectionstatechange", on_state)
        sdp = await media.offer()
        reply = await self._ask(lambda number: MediaOffer(id=number, sdp=sdp))
        if isinstance(reply, ErrorMessage):
            raise ParleyError(reply.code, reply.message, reply.hint)
        assert isinstance(reply, MediaAnswer)
        await media.answer(reply.sdp)
        await self._send(MediaState(microphone=voice is not None, camera=picture is not None))

    def _on_first_frame(self, line: Line) -> None:
        if line.kind == "video" and self.times.first_video_at is None:
            self.times.first_video_at = line.first_frame_at
            self._notice()

    async def _close_media(self) -> None:
        media, self.media, self.voice, self.slots = self.media, None, None, ()
        if media is not None:
            await media.close()
