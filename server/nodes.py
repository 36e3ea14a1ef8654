"""`parley serve --nodes N`: one public port, N processes that share the rooms.

Owns: the public port's socket, which all nodes accept on; the live bus, the recognisers and the nodes as child processes. A node that dies is
started again; its rooms are folded again from their logs by whichever node gets them, and their people come back by themselves. Never serves
anything itself. Called by the command line.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import Any

from deliberation.design import Design
from deliberation.errors import InvalidInput, ParleyError, Unavailable
from server import children, metrics, tls
from server.app import Among, Ready, base_url, bind, ensure, live_bus, serve, standing_links, worker_environment
from server.bus import Bus
from server.clock import now
from server.http.auth import Auth, admin_token
from server.ids import new_id
from server.parts import database_url
from server.settings import Settings
from server.storage.store import Store

NODE_ID = "PARLEY_NODE_ID"
NODE_SOCKET = "PARLEY_NODE_SOCKET"
START_SECONDS = 60.0
NODE_END_SECONDS = 9.0  # a stopping node tells its rooms, and flushes them
MIN_PORTS = 10  # UDP ports that a node must have


async def serve_nodes(
    settings: Settings,
    designs: Sequence[Design],
    stop: asyncio.Event,
    on_ready: Callable[[Ready], None] = lambda _: None,
) -> None:
    """Run all nodes until `stop` is set. Raises `ParleyError` where they cannot start."""
    ports = udp_shares(settings)
    listening = bind(settings)
    try:
        listening.listen(256)  # people may come already: the first node that is ready accepts them
        async with AsyncExitStack() as stack:
            redis_url = await stack.enter_async_context(live_bus(settings))
            ready = await _prepare(settings, designs, listening.getsockname()[1])
            bus = await stack.enter_async_context(Bus(redis_url))
            figures = stack.enter_context(tempfile.TemporaryDirectory(prefix="parley-metrics-"))
            fleet = _Fleet(settings, redis_url, listening, bus, figures)
            async with asyncio.TaskGroup() as group:
                nodes = [group.create_task(fleet.keep(*shares)) for shares in ports]
                beside = []
                if settings.workers:
                    environment = worker_environment(settings, redis_url)
                    workers = children.keep_running(["server", "worker"], environment, settings.workers)
                    beside.append(group.create_task(workers))
                await _either(fleet.all_there(), stop.wait())
                if not stop.is_set():
                    fleet.started = True
                    on_ready(ready)
                await stop.wait()
                for tasks in (nodes, beside):  # the rooms' last words are still recognised
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        listening.close()


def udp_shares(settings: Settings) -> list[tuple[int, int]]:
    """Return each node's own range of UDP ports. Raises `InvalidInput("too_few_ports")`."""
    first, last = settings.udp_port_min, settings.udp_port_max
    each = (last - first + 1) // settings.nodes
    if each < MIN_PORTS:
        raise InvalidInput(
            "too_few_ports",
            f"The UDP ports {first} to {last} are too few for {settings.nodes} nodes.",
            "Widen PARLEY_UDP_PORT_MIN and PARLEY_UDP_PORT_MAX, or use fewer --nodes.",
        )
    return [(first + index * each, first + (index + 1) * each - 1) for index in range(settings.nodes)]


async def run_node(settings: Settings, stop: asyncio.Event) -> None:
    """Run one node, in a process that `serve_nodes` has started."""
    if NODE_SOCKET not in os.environ or settings.redis_url is None:
        raise InvalidInput("not_a_node", "Nodes are started by `parley serve --nodes N`.")
    listening = socket.socket(fileno=int(os.environ[NODE_SOCKET]))
    async with asyncio.TaskGroup() as group:
        watch = group.create_task(children.ends_with_parent(stop.set))
        await serve(settings, [], stop, among=Among(os.environ[NODE_ID], listening))
        watch.cancel()


async def _prepare(settings: Settings, designs: Sequence[Design], port: int) -> Ready:
    """Do once what all nodes rely on: schema, secrets, certificate, designs; return the links."""
    if settings.tls == "auto":
        await asyncio.to_thread(tls.self_signed, settings.data_dir / "tls")
    store = await Store.open(database_url(settings), settings.data_dir / "audio")
    try:
        token, fresh = admin_token(settings)
        auth = await Auth.open(store, settings, now)
        await store.secret("node-key")
        url = base_url(settings, port)
        links = {}
        for design in designs:
            await ensure(store, design)
            links[design.id] = await standing_links(auth, design.id, url)
        return Ready(url, links, f"{url}/#k={token}", fresh)
    finally:
        await store.close()


class _Fleet:
    """The node processes. `started`: all have been there once, so that one that ends has crashed."""

    def __init__(self, settings: Settings, redis_url: str, listening: socket.socket, bus: Bus, figures: str) -> None:
        """`figures` is a folder in which the nodes keep their metrics, so that each can show the sums."""
        self._figures = figures
        self.started = False
        self._settings = settings
        self._redis_url = redis_url
        self._listening = listening
        self._bus = bus
        self._ids: set[str] = set()

    async def keep(self, first_port: int, last_port: int) -> None:
        """Keep one node running until cancelled. Raises `Unavailable("node_failed")` where it does not even start."""

        async def run_one() -> int:
            node_id = new_id()
            environment = self._environment(node_id, first_port, last_port)
            process = await children.start(["server", "node"], environment, inherit=[self._listening.fileno()])
            self._ids.add(node_id)
            try:
                code = await process.wait()
            finally:
                await asyncio.shield(self._forget(node_id, process))
            if not self.started:
                raise Unavailable("node_failed", "A node did not start.", "Its message is above.")
            return code

        await children.again_and_again(run_one, "node")

    async def all_there(self) -> None:
        """Wait for all nodes to have entered the registry. Raises `Unavailable("node_failed")` after a minute."""
        for _ in range(round(START_SECONDS * 10)):
            with contextlib.suppress(ParleyError):
                there = {node.node_id for node in await self._bus.nodes()}
                if len(self._ids) == self._settings.nodes and self._ids <= there:
                    return
            await asyncio.sleep(0.1)
        raise Unavailable("node_failed", "The nodes did not start in time.")

    async def _forget(self, node_id: str, process: asyncio.subprocess.Process) -> None:
        await children.end(process, NODE_END_SECONDS)
        self._ids.discard(node_id)
        metrics.node_ended(process.pid, self._figures)
        with contextlib.suppress(ParleyError):
            await self._bus.withdraw(node_id)  # its rooms are free at once

    def _environment(self, node_id: str, first_port: int, last_port: int) -> dict[str, str]:
        settings = self._settings
        return {
            NODE_ID: node_id,
            metrics.SHARED_FOLDER: self._figures,
            NODE_SOCKET: str(self._listening.fileno()),
            "PARLEY_HOST": settings.host,
            "PARLEY_PORT": str(self._listening.getsockname()[1]),
            "PARLEY_TLS": settings.tls,
            "PARLEY_DATA_DIR": str(settings.data_dir.resolve()),
            "PARLEY_REDIS_URL": self._redis_url,
            "PARLEY_NODES": str(settings.nodes),
            "PARLEY_WORKERS": "0",
            "PARLEY_UDP_PORT_MIN": str(first_port),
            "PARLEY_UDP_PORT_MAX": str(last_port),
        }


async def _either(*ways: Coroutine[Any, Any, object]) -> None:
    """Wait for the first to end, and end the others; raise what it raises."""
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
