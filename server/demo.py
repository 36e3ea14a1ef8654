"""`parley demo` and `parley simulate`: a server of its own and, in a process beside it, people who are simulated.

The people come over the published protocol like anybody else. Called by the command line.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable
from pathlib import Path

from deliberation.design import Design
from deliberation.errors import InvalidInput, Unavailable
from server import children
from server.app import Ready, serve
from server.settings import Settings


async def demo(settings: Settings, design: Design, size: int, keep: bool, stop: asyncio.Event) -> int:
    """Serve a design, let simulated people deliberate on it, and end at the review link. Returns an exit code."""

    async def after(ready: Ready) -> int:
        links = ready.links[design.id]
        print(f"\nParley listens on {ready.url}. Watch it live: {links['monitor']}\n", flush=True)
        code = await _people(["--size", str(size), "--incidents", links["join"]], stop)
        if code == 0:
            print(f"\nThe deliberation is over. Review it: {links['review']}", flush=True)
            if keep:
                print("Stop with Ctrl-C.", flush=True)
                await stop.wait()
            else:
                print("It is kept in the data folder: `parley serve` shows it again.", flush=True)
        return code

    return await _beside(settings, [design], after)


async def simulate_rooms(
    settings: Settings,
    design: Design,
    rooms: int,
    size: int,
    speech: Path | None,
    server: str | None,
    stop: asyncio.Event,
) -> int:
    """Fill rooms on a running server, or on one of its own with a data folder that is thrown away. Returns an exit code."""
    arguments = ["--rooms", str(rooms), "--size", str(size)]
    if speech is not None:
        arguments += ["--speech", str(speech)]
    if server is not None:
        if settings.admin_token is None:
            raise InvalidInput(
                "no_admin_token", "Making a deliberation needs the server's admin token.", "Set PARLEY_ADMIN_TOKEN."
            )
        links = await asyncio.to_thread(_create, server, settings.admin_token.get_secret_value(), design)
        return await _people([*arguments, links["join_url"]], stop)

    async def after(ready: Ready) -> int:
        return await _people([*arguments, ready.links[design.id]["join"]], stop)

    with tempfile.TemporaryDirectory(prefix="parley-") as folder:
        own = settings.model_copy(update={"port": 0, "data_dir": Path(folder)})
        return await _beside(own, [design], after)


async def _beside(settings: Settings, designs: list[Design], after: Callable[[Ready], Awaitable[int]]) -> int:
    """Run a server until `after(ready)` is done; return what it returned."""
    ready: asyncio.Future[Ready] = asyncio.get_running_loop().create_future()
    server_stop = asyncio.Event()
    serving = asyncio.create_task(serve(settings, designs, server_stop, ready.set_result))
    try:
        waiting: set[asyncio.Future[object]] = {serving, ready}  # type: ignore[arg-type]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            await serving
        return await after(await ready)
    finally:
        server_stop.set()
        await serving


async def _people(arguments: list[str], stop: asyncio.Event) -> int:
    """Run the simulated people in a process of their own; its output is the progress."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "simulation.simulate", *arguments, start_new_session=True
    )
    waiting = asyncio.create_task(process.wait())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({waiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return process.returncode if process.returncode is not None else 130
    finally:
        stopping.cancel()
        await children.end(process)


def _create(server: str, admin_token: str, design: Design) -> dict[str, str]:
    """Make a deliberation on a running server."""
    request = urllib.request.Request(
        server.rstrip("/") + "/api/deliberations",
        data=json.dumps(design.model_dump(mode="json")).encode(),
        headers={"Authorization": f"Bearer {admin_token}", "Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as response:
            links: dict[str, str] = json.load(response)
            return links
    except urllib.error.HTTPError as error:
        body = json.loads(error.read() or b"{}").get("error", {})
        raise Unavailable(
            "refused", body.get("message", f"The server answered {error.code}."), body.get("hint", "")
        ) from None
    except OSError as error:
        raise Unavailable("no_server", f"{server} cannot be reached: {error}.") from None
