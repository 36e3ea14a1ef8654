"""Real Firefox (the system's) as a member of a room, driven over Marionette."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

FIREFOX = shutil.which("firefox-esr") or shutil.which("firefox")
_PREFERENCES = {
    "media.navigator.permission.disabled": True,
    "media.navigator.streams.fake": True,
    "media.peerconnection.ice.obfuscate_host_addresses": False,
    "media.autoplay.default": 0,
    "media.gmp-manager.updateEnabled": False,
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "services.settings.server": "http://127.0.0.1:9/",
    "toolkit.telemetry.enabled": False,
}


class Firefox:
    """One window; speaks Marionette, version 3: `length:[kind, id, name or error, parameters or result]`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._number = 0

    async def read(self) -> Any:
        size = (await self._reader.readuntil(b":"))[:-1]
        return json.loads(await self._reader.readexactly(int(size)))

    async def command(self, name: str, **parameters: object) -> Any:
        self._number += 1
        body = json.dumps([0, self._number, name, parameters]).encode()
        self._writer.write(str(len(body)).encode() + b":" + body)
        _, _, error, result = await self.read()
        assert error is None, error
        return result

    async def evaluate(self, expression: str) -> Any:
        """Return the value of an expression, awaited if it is a promise."""
        script = (
            f"const done = arguments[0]; Promise.resolve({expression}).then(v => done(v), e => done('failed: ' + e))"
        )
        result = await self.command("WebDriver:ExecuteAsyncScript", script=script, args=[], sandbox=None)
        assert not str(result["value"]).startswith("failed: "), result["value"]
        return result["value"]


@asynccontextmanager
async def firefox(folder: Path, url: str) -> AsyncIterator[Firefox]:
    """Open Firefox on a page, with a fresh profile in `folder`."""
    assert FIREFOX is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    preferences = {**_PREFERENCES, "marionette.port": port}
    (folder / "user.js").write_text(
        "".join(f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in preferences.items())
    )
    process = await asyncio.create_subprocess_exec(
        FIREFOX, "--headless", "--marionette", "--no-remote", "--profile", str(folder),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    try:
        async with asyncio.timeout(120):
            while True:
                try:
                    reader, writer = await asyncio.open_connection("127.0.0.1", port)
                    break
                except OSError:
                    assert process.returncode is None, "Firefox ended at once"
                    await asyncio.sleep(0.2)
            browser = Firefox(reader, writer)
            await browser.read()
            await browser.command("WebDriver:NewSession")
            await browser.command("WebDriver:SetTimeouts", script=30_000)
            await browser.command("WebDriver:Navigate", url=url)
        yield browser
        writer.close()
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(10):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
