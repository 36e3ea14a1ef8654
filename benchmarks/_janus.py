"""Janus 1.1.2 (Debian's package) as `media.py` runs it: VideoRoom, multistream subscribers, loopback only."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks._light_peer import LightPeer
from benchmarks._media_load import Load, Sender

MEMBERS = 5
_PLUGINS = (
    "audiobridge", "duktape", "echotest", "lua", "nosip", "recordplay", "sip", "streaming", "textroom", "videocall", "voicemail",
)  # fmt: skip
_MAIN = """
general: {{
    configs_folder = "{folder}"
    plugins_folder = "{library}/plugins"
    transports_folder = "{library}/transports"
    events_folder = "{library}/events"
    loggers_folder = "{library}/loggers"
    debug_level = 2
    session_timeout = 0
    {loops}
}}
media: {{ rtp_port_range = "20000-39999" }}
nat: {{ ice_enforce_list = "{address}" }}
plugins: {{ disable = "{plugins}" }}
transports: {{ disable = "libjanus_http.so,libjanus_mqtt.so,libjanus_nanomsg.so,libjanus_pfunix.so,libjanus_rabbitmq.so" }}
loggers: {{ disable = "libjanus_jsonlog.so" }}
"""


def routable_address() -> str:
    """Return an IPv4 address of this machine that is not loopback, since Janus gathers no loopback; packets stay on the loopback device."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("203.0.113.1", 9))
        return str(probe.getsockname()[0])


def _library() -> Path:
    return next(iter(Path("/usr/lib").glob("*/janus")))


class JanusRooms:
    """Signalling over one WebSocket: a publisher handle and a subscriber handle per member."""

    def __init__(self, socket_: aiohttp.ClientWebSocketResponse, address: str) -> None:
        self._socket = socket_
        self._address = address
        self._replies: dict[str, asyncio.Queue[dict[str, Any]]] = {}
        self._numbers = itertools.count()
        self._feeds: dict[int, list[tuple[int, int]]] = {}
        self._session: int | None = None

    async def listen(self) -> None:
        """Sort replies by transaction."""
        async for message in self._socket:
            reply = message.json()
            queue = self._replies.get(reply.get("transaction", ""))
            if queue is not None:
                queue.put_nowait(reply)

    async def _ask(self, body: dict[str, Any], *, event: bool = False) -> dict[str, Any]:
        transaction = f"t{next(self._numbers)}"
        queue = self._replies[transaction] = asyncio.Queue(8)
        if self._session is not None:
            body["session_id"] = self._session
        await self._socket.send_json({**body, "transaction": transaction})
        async with asyncio.timeout(10):
            while True:
                reply = await queue.get()
                if reply["janus"] == "error":
                    raise RuntimeError(reply["error"]["reason"])
                if not event or reply["janus"] == "event":
                    data = reply.get("plugindata", {}).get("data", {})
                    if "error" in data:
                        raise RuntimeError(data["error"])
                    return reply

    async def _attach(self) -> int:
        reply = await self._ask({"janus": "attach", "plugin": "janus.plugin.videoroom"})
        return int(reply["data"]["id"])

    async def _message(
        self, handle: int, body: dict[str, Any], jsep: dict[str, Any] | None = None, *, event: bool = True
    ) -> dict[str, Any]:
        message: dict[str, Any] = {"janus": "message", "handle_id": handle, "body": body}
        if jsep is not None:
            message["jsep"] = jsep
        return await self._ask(message, event=event)

    async def join(self, room: int, member: int, load: Load) -> None:
        """Let a member publish; with the last one, all subscribe to the others."""
        if self._session is None:
            self._session = int((await self._ask({"janus": "create"}))["data"]["id"])
        handle = await self._attach()
        if member == 0:
            options = {
                "publishers": MEMBERS, "audiocodec": "opus", "videocodec": "vp8", "bitrate": 0, "fir_freq": 0,
                "transport_wide_cc_ext": True, "audiolevel_ext": True, "videoorient_ext": False, "playoutdelay_ext": False,
            }  # fmt: skip
            await self._message(handle, {"request": "create", "room": room + 1, **options}, event=False)
            self._feeds[room] = []
        joined = await self._message(handle, {"request": "join", "ptype": "publisher", "room": room + 1})
        peer = LightPeer(slots=0, address=self._address)
        offer = {"type": "offer", "sdp": await peer.offer(), "trickle": False}
        reply = await self._message(handle, {"request": "publish"}, offer)
        await peer.connect(reply["jsep"]["sdp"])
        load.add(peer, sender=Sender(peer))
        self._feeds[room].append((member, int(joined["plugindata"]["data"]["id"])))
        if member == MEMBERS - 1:
            for viewer in range(MEMBERS):
                await self._subscribe(room, viewer, load)

    async def _subscribe(self, room: int, viewer: int, load: Load) -> None:
        handle = await self._attach()
        streams = [{"feed": feed} for member, feed in self._feeds[room] if member != viewer]
        reply = await self._message(
            handle, {"request": "join", "ptype": "subscriber", "room": room + 1, "streams": streams}
        )
        peer = LightPeer(publish=False, address=self._address)
        answer = {"type": "answer", "sdp": await peer.answer(reply["jsep"]["sdp"]), "trickle": False}
        started = asyncio.create_task(self._message(handle, {"request": "start"}, answer))
        await peer.connect()
        await started
        load.add(peer, sender=None)


@asynccontextmanager
async def janus_server(kind: str, core: int) -> AsyncIterator[tuple[int, JanusRooms]]:
    """Run Janus on one core, with event loops (`janus-loops`) or a thread per handle (`janus-threads`)."""
    address = routable_address()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        library = _library()
        (folder / "janus.jcfg").write_text(
            _MAIN.format(
                folder=folder,
                library=library,
                address=address,
                loops="event_loops = 2" if kind == "janus-loops" else "",
                plugins=",".join(f"libjanus_{plugin}.so" for plugin in _PLUGINS),
            )
        )
        (folder / "janus.transport.websockets.jcfg").write_text(
            f'general: {{ ws = true\n ws_port = {port}\n ws_ip = "127.0.0.1" }}\n'
        )
        (folder / "janus.plugin.videoroom.jcfg").write_text("general: { }\n")
        process = await asyncio.create_subprocess_exec(
            "taskset", "-c", str(core), "janus", "-C", str(folder / "janus.jcfg"), "-F", str(folder),
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            async with aiohttp.ClientSession() as session:
                for _ in range(100):
                    try:
                        websocket = await session.ws_connect(f"ws://127.0.0.1:{port}", protocols=("janus-protocol",))
                        break
                    except aiohttp.ClientError:
                        await asyncio.sleep(0.1)
                else:
                    raise RuntimeError("Janus did not start")
                rooms = JanusRooms(websocket, address)
                listener = asyncio.create_task(rooms.listen())
                yield process.pid, rooms
                listener.cancel()
                await websocket.close()
        finally:
            os.kill(process.pid, signal.SIGKILL)
            await process.wait()
