"""One WebSocket's life: hello, then messages both ways until one side ends it.

Owns: the bounded outbox, the rate limit, the heartbeat. Never decides anything about a room: it hands messages to `handlers`. When the outbox is
full, ephemeral messages are dropped; when a durable one does not fit, the socket is closed with `bye: slow` and the page comes back for what it
missed. A page whose room lives on another node is passed through to it, from its hello on (`relay`).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import WSMsgType, web
from pydantic import ValidationError

from deliberation.errors import InvalidInput, NotAllowed, ParleyError, TooMany, Unavailable
from deliberation.payload import Role
from server import metrics
from server.http.auth import Link
from server.http.keys import SETTINGS
from server.http.limits import Bucket, Waiting
from server.http.security import client_address
from server.rooms.seating import Seat
from server.signalling.handlers import Handlers
from server.signalling.messages import (
    CLIENT_MESSAGE,
    MAX_MESSAGE_BYTES,
    PROTOCOL_VERSION,
    Bye,
    Caption,
    ClientMessage,
    ErrorMessage,
    Hello,
    Live,
    MediaQuality,
    Overview,
    Pong,
    ServerMessage,
)

log = structlog.get_logger()

OUTBOX = 256  # messages
HELLO_SECONDS = 15.0
STRANGERS_EACH = 100  # sockets of one address that have not said hello: a class behind one address comes at once
STRANGERS_ALL = 2000
TRY_AGAIN_LATER = 1013  # RFC 6455's registry of close codes
IDLE_SECONDS = 45.0  # without any message from the page (it pings every ten) the socket is taken for dead
BURST_SECONDS = 3.0  # of messages at the allowed rate, that may come at once
FLOOD_SECONDS = 10.0  # as many again are refused before the socket is closed
EPHEMERAL = (Caption, Live, MediaQuality, Overview, Pong)


class Session:
    """A connected page. Implements `Attendee`."""

    def __init__(
        self,
        socket: web.WebSocketResponse,
        messages_per_second: float,
        relay: Relay | None = None,
        greeted: Callable[[], None] = lambda: None,
    ) -> None:
        """Without `relay`, every page is served here: the server has one node, or another one has passed the page on.

        `greeted` is called once the page's hello has been taken.
        """
        self._socket = socket
        self._relay = relay
        self._greeted = greeted
        self._outbox: asyncio.Queue[ServerMessage | None] = asyncio.Queue(OUTBOX)
        self._ended = asyncio.Event()
        self._patience = Bucket.full(
            messages_per_second, messages_per_second * (BURST_SECONDS + FLOOD_SECONDS), time.monotonic()
        )
        self.hello: Hello | None = None
        self.link: Link | None = None
        self.seat: Seat | None = None
        self.devices = (False, False)

    # -- as an attendee

    @property
    def role(self) -> Role:
        """What the link allows."""
        assert self.link is not None, "a session attends only after its hello"
        return self.link.seat_role

    @property
    def participant_id(self) -> str | None:
        """Whose seat this is, None for facilitators."""
        return self.link.participant_id if self.link else None

    @property
    def member_id(self) -> str:
        """The participant's id, or one for this facilitator's page."""
        assert self.link is not None and self.hello is not None
        return self.link.participant_id or f"f-{self.link.link_id[:12]}-{self.hello.client_id[:24]}"

    @property
    def client_id(self) -> str:
        """The page's own name."""
        return self.hello.client_id if self.hello else ""

    def send(self, message: ServerMessage) -> None:
        """Queue a message for the page."""
        if self._ended.is_set():
            return
        if self._outbox.qsize() >= OUTBOX - 1:
            if not isinstance(message, EPHEMERAL):
                self.end("slow")
            return
        self._outbox.put_nowait(message)

    def end(self, reason: str, url: str | None = None) -> None:
        """Say bye and close; further messages are dropped."""
        if self._ended.is_set():
            return
        self._ended.set()
        while self._outbox.qsize() >= OUTBOX - 1:
            self._outbox.get_nowait()
        self._outbox.put_nowait(Bye.model_validate({"reason": reason, "url": url}))
        self._outbox.put_nowait(None)

    # -- its life

    async def run(self, handlers: Handlers) -> None:
        """Serve the socket until it ends."""
        writer = asyncio.create_task(self._write())
        try:
            await self._read(handlers)
        finally:
            try:
                await handlers.gone(self)
            except Exception as error:  # the socket is ended all the same
                log.error("a page could not be forgotten in order", error=type(error).__name__)
            if not self._ended.is_set():
                self._ended.set()
                with contextlib.suppress(asyncio.QueueFull):
                    self._outbox.put_nowait(None)
            with contextlib.suppress(Exception, asyncio.CancelledError):
                async with asyncio.timeout(2):
                    await writer
            writer.cancel()
            with contextlib.suppress(Exception):
                await self._socket.close()

    async def _read(self, handlers: Handlers) -> None:
        while not self._ended.is_set():
            limit = HELLO_SECONDS if self.link is None else IDLE_SECONDS
            try:
                frame = await self._socket.receive(timeout=limit)
            except TimeoutError:
                return
            if frame.type in (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR):
                return
            if frame.type is not WSMsgType.TEXT:
                self._refuse(None, InvalidInput("not_text", "Messages on this socket are JSON text."))
                continue
            await self._take(frame.data, handlers)

    async def _take(self, text: str, handlers: Handlers) -> None:
        message_id: int | None = None
        try:
            self._limit()
            message = self._parse(text)
            message_id = getattr(message, "id", None)
            metrics.MESSAGES.labels(type=message.type).inc()
            if isinstance(message, Hello):
                if message.protocol != PROTOCOL_VERSION:
                    raise InvalidInput(
                        "protocol_version", "This page is of another version than the server.", "Reload the page."
                    )
                node_id = await handlers.elsewhere(message) if self._relay and self.link is None else None
                if node_id is not None and self._relay is not None:
                    self._greeted()
                    await self._relay(self._socket, text, node_id)
                    self._ended.set()  # the other node has said what there was to say
                    return
                await handlers.hello(self, message)
                self._greeted()
            elif self.link is None:
                raise NotAllowed("hello_first", "The first message must be hello.")
            else:
                await handlers.handle(self, message)
        except Exception as broken:
            error = broken if isinstance(broken, ParleyError) else _internal()
            if error is not broken:
                log.exception("a message broke", type=type(broken).__name__)
            self._refuse(message_id, error)
            if error.code == "flooding":
                self.end("slow")
            elif self.link is None and error.code.startswith("link_"):
                self.end("revoked")
            elif error.retryable and self.link is None:
                self.end("stopping")  # hello failed: nobody has the room just now, or the store is away

    @staticmethod
    def _parse(text: str) -> ClientMessage:
        if len(text) > MAX_MESSAGE_BYTES:
            raise InvalidInput("too_large", "This message is too large.")
        try:
            return CLIENT_MESSAGE.validate_json(text)
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            where = ".".join(str(part) for part in first["loc"])
            raise InvalidInput("bad_message", f"This message is not understood: {where}: {first['msg']}.") from None

    def _limit(self) -> None:
        """Refuse what comes beyond the burst; far beyond it, close the socket."""
        if not self._patience.take(time.monotonic()):
            raise TooMany("flooding", "This page sends too many messages; it was disconnected.")
        if self._patience.level < self._patience.rate * FLOOD_SECONDS:
            raise TooMany("too_fast", "That was too fast; please wait a moment.")

    def _refuse(self, message_id: int | None, error: ParleyError) -> None:
        metrics.REFUSED.labels(code=error.code).inc()
        self.send(
            ErrorMessage(
                id=message_id, code=error.code, message=error.message, hint=error.hint, retryable=error.retryable
            )
        )

    async def _write(self) -> None:
        while (message := await self._outbox.get()) is not None:
            try:
                await self._socket.send_str(message.model_dump_json())
            except (ConnectionError, RuntimeError):
                self._ended.set()
                return
        with contextlib.suppress(Exception):
            await self._socket.close()


def _internal() -> ParleyError:
    return Unavailable("internal", "Something went wrong on the server; please try again.")


Relay = Callable[[web.WebSocketResponse, str, str], Awaitable[None]]

STRANGERS: web.AppKey[Waiting] = web.AppKey("strangers", Waiting)
HANDLERS: web.AppKey[Handlers] = web.AppKey("handlers", Handlers)
RELAY: web.AppKey[Relay] = web.AppKey("relay")


async def websocket(request: web.Request) -> web.WebSocketResponse:
    """`GET /ws`: serve one page until its socket ends. The Origin has been checked by then."""
    socket = web.WebSocketResponse(max_msg_size=MAX_MESSAGE_BYTES + 1024, heartbeat=20.0, compress=True)
    await socket.prepare(request)
    settings = request.app[SETTINGS]
    greeted = request.app[STRANGERS].enter(client_address(request, settings.trusted_proxies))
    if greeted is None:
        metrics.REFUSED.labels(code="too_many_sockets").inc()
        await socket.close(code=TRY_AGAIN_LATER, message=b"too many connections that have not said hello")
        return socket
    try:
        await Session(socket, settings.messages_per_second, request.app.get(RELAY), greeted).run(request.app[HANDLERS])
    finally:
        greeted()
    return socket
