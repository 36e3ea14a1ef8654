"""Between nodes: calls about rooms that live on another node, and sockets passed through to it.

Owns the wire between the nodes of one server: `POST /call` and `GET /ws` on an address of each node's own, both under a key that only nodes
share. Never decides where anything lives (`rooms.placement` does). Used by the registry (calls) and by sessions (relay).

A relayed socket is carried frame by frame; media goes straight to the right node, so this is a few messages a second for each person.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import WSMsgType, web

from deliberation.errors import Conflict, InvalidInput, NotAllowed, NotFound, ParleyError, TooMany, Unavailable
from server.rooms.placement import Placement
from server.signalling.messages import MAX_MESSAGE_BYTES

CALL_SECONDS = 15.0
CONNECT_SECONDS = 2.0
MAX_FRAME = 4 * 1024 * 1024  # a whole room's view

Call = Callable[..., Awaitable[Any]]
_CLASSES = {cls.status: cls for cls in (InvalidInput, NotAllowed, NotFound, Conflict, TooMany, Unavailable)}


class Peers:
    """The way to the other nodes. `async with` it."""

    def __init__(self, placement: Placement, key: str) -> None:
        self._placement = placement
        self._headers = {"Authorization": f"Bearer {key}"}
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Open the connections."""
        timeout = aiohttp.ClientTimeout(total=CALL_SECONDS, connect=CONNECT_SECONDS)
        self._http = aiohttp.ClientSession(headers=self._headers, timeout=timeout)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close them."""
        if self._http is not None:
            await self._http.close()

    async def call(self, node_id: str, name: str, arguments: Mapping[str, Any]) -> Any:
        """Have another node do something. Raises the `ParleyError` that it answers with, or `Unavailable("node_gone")`."""
        assert self._http is not None, "peers are opened before they are called"
        url = await self._placement.url_of(node_id)
        try:
            async with self._http.post(f"{url}/call", json={"name": name, "arguments": dict(arguments)}) as response:
                answer = await response.json()
        except (aiohttp.ClientError, TimeoutError, ValueError):
            raise _gone() from None
        if response.status == 200:
            return answer["result"]
        error = answer["error"]
        raise _CLASSES.get(response.status, ParleyError)(error["code"], error["message"], error["hint"])

    async def relay(self, page: web.WebSocketResponse, hello: str, node_id: str) -> None:
        """Carry a page's socket to another node, from its hello on, until either side ends. Raises `Unavailable("node_gone")`."""
        assert self._http is not None, "peers are opened before they are called"
        url = await self._placement.url_of(node_id)
        try:
            far = await self._http.ws_connect(f"{url}/ws", max_msg_size=MAX_FRAME, heartbeat=20.0)
        except (aiohttp.ClientError, TimeoutError):
            raise _gone() from None
        async with far:
            with suppress(ConnectionError):
                await far.send_str(hello)
                await _either(_carry(page, far), _carry(far, page))


async def _carry(source: Any, target: Any) -> None:
    """Pass text on until the source ends; a slow target slows the source."""
    async for frame in source:
        if frame.type is not WSMsgType.TEXT:
            return
        await target.send_str(frame.data)


async def _either(*ways: Awaitable[None]) -> None:
    """Run until the first has ended, then end the others."""
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def inner_application(
    key: str, calls: Mapping[str, Call], serve_socket: Callable[[web.WebSocketResponse], Awaitable[None]]
) -> web.Application:
    """Return what a node answers to other nodes: calls by name, and sockets of pages that another node has passed on."""

    @web.middleware
    async def only_nodes(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        given = request.headers.get("Authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {key}".encode()):
            raise web.HTTPForbidden
        return await handler(request)

    async def call(request: web.Request) -> web.StreamResponse:
        asked = await request.json()
        try:
            result = await calls[asked["name"]](**asked["arguments"])
        except ParleyError as error:
            return web.json_response({"error": error.as_dict()}, status=error.status)
        return web.json_response({"result": result})

    async def socket(request: web.Request) -> web.StreamResponse:
        page = web.WebSocketResponse(max_msg_size=MAX_MESSAGE_BYTES + 1024, heartbeat=20.0)
        await page.prepare(request)
        await serve_socket(page)
        return page

    app = web.Application(middlewares=[only_nodes])
    app.router.add_post("/call", call)
    app.router.add_get("/ws", socket)
    return app


def _gone() -> Unavailable:
    return Unavailable("node_gone", "A part of the server is being restarted.", "Please try again in a moment.")
