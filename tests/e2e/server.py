"""A real server as a child process, on a free port and a data folder of its own."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import sys
import urllib.request
from pathlib import Path
from typing import Any

ADMIN_TOKEN = "end-to-end-admin-token-0123456789"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ParleyServer:
    """`parley serve --design FILE`, started, killed and restarted as an operator (or a power cut) would."""

    def __init__(self, folder: Path, design: Path, **environment: str) -> None:
        self.folder = folder
        self.design = design
        self.port = free_port()
        self.environment = environment
        self.links: dict[str, str] = {}
        self.process: asyncio.subprocess.Process | None = None
        self.log = folder / "server.log"
        self._output: list[str] = []
        self._reader: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    async def start(self, timeout: float = 60) -> None:
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("PARLEY_", "OPENAI_"))},
            "PARLEY_ADMIN_TOKEN": ADMIN_TOKEN,
            "PARLEY_JOINS_PER_MINUTE": "600",
            **self.environment,
        }
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "server", "serve", "--design", str(self.design),
                "--port", str(self.port), "--data-dir", str(self.folder / "data"),
                stdout=asyncio.subprocess.PIPE, stderr=log, env=environment,
            )
        self._output = []
        listening = asyncio.Event()
        self._reader = asyncio.create_task(self._read(listening))
        waiting = asyncio.create_task(listening.wait())
        ended = asyncio.create_task(self.process.wait())
        done, _ = await asyncio.wait({waiting, ended}, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if waiting not in done:
            raise AssertionError(f"the server did not start: {self.log.read_text()[-3000:]}")
        ended.cancel()
        for line in self._output:
            if found := re.match(r"\s+(join|monitor|review|outcome):\s+(\S+)", line):
                self.links[found[1]] = found[2]

    async def _read(self, listening: asyncio.Event) -> None:
        assert self.process is not None and self.process.stdout is not None
        while line := await self.process.stdout.readline():
            self._output.append(line.decode())
            if line.startswith(b"Stop it with"):
                listening.set()

    async def kill(self) -> None:
        """End it without warning, as a crash does."""
        assert self.process is not None
        self.process.kill()
        await self.process.wait()

    async def stop(self, timeout: float = 15) -> int:
        """Ask it to end; return its exit code."""
        if self.process is None or self.process.returncode is not None:
            return self.process.returncode or 0 if self.process else 0
        self.process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(timeout):
                return await self.process.wait()
        except TimeoutError:
            self.process.kill()
            raise AssertionError("the server did not stop in time")  # noqa: B904 - what else failed stays visible
        finally:
            if self._reader is not None:
                self._reader.cancel()

    def worker_pids(self) -> list[int]:
        """The recogniser processes that this server has started."""
        assert self.process is not None
        pids = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                command = (entry / "cmdline").read_bytes().split(b"\0")
            except (OSError, ValueError, IndexError):
                continue
            if parent == self.process.pid and b"worker" in command:
                pids.append(int(entry.name))
        return pids

    async def get(self, path: str, token: str = ADMIN_TOKEN, raw: bool = False) -> Any:
        """Fetch from the API, with the administrator's token unless another is given."""

        def fetch() -> bytes:
            request = urllib.request.Request(self.url + path, headers={"Authorization": f"Bearer {token}"})
            with urllib.request.urlopen(request, timeout=20) as response:
                return bytes(response.read())

        body = await asyncio.to_thread(fetch)
        return body if raw else json.loads(body)

    def token(self, link: str) -> str:
        """The token in one of the printed links."""
        return self.links[link].split("#k=", 1)[1]
