"""Language models for tests: one in process that says what it is told, one behind a real socket that misbehaves on demand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from facilitator.llm import ModelFailure, ModelReply, ModelRequest

Script = str | ModelFailure | Callable[[ModelRequest], str]


class ScriptedModel:
    """Answers with the next line of a script (the last one again and again); keeps what it was asked."""

    def __init__(self, *script: Script, max_input_chars: int = 24_000) -> None:
        self.name = "scripted"
        self.deadline_seconds = 8.0
        self.max_input_chars = max_input_chars
        self.asked: list[ModelRequest] = []
        self._script = list(script)

    async def complete(self, request: ModelRequest) -> ModelReply:
        self.asked.append(request)
        line = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        if isinstance(line, ModelFailure):
            raise line
        return ModelReply(line(request) if callable(line) else line, 100, 10)


def chat_answer(content: str | None, **more: Any) -> bytes:
    """Return the body of an OpenAI-compatible answer."""
    message = {"role": "assistant", "content": content, **more}
    body = {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "fake",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18},
    }
    return json.dumps(body).encode()


def http(status: int, body: bytes, *, length: int | None = None) -> bytes:
    """Return a whole HTTP response; a `length` above the body's makes a stream that breaks off."""
    size = len(body) if length is None else length
    head = (
        f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


class FakeServer:
    """Plays one HTTP response after the other (the last again and again); None means that it never answers."""

    def __init__(self, responses: Sequence[bytes | None]) -> None:
        self._responses = list(responses)
        self.requests: list[dict[str, Any]] = []
        self.url = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            size = next(
                int(line.split(":")[1]) for line in head.splitlines() if line.lower().startswith("content-length")
            )
            self.requests.append(json.loads(await reader.readexactly(size)))
            response = self._responses.pop(0) if len(self._responses) > 1 else self._responses[0]
            if response is None:
                await reader.read()  # until the client gives up
            else:
                writer.write(response)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def fake_server(*responses: bytes | None) -> AsyncIterator[FakeServer]:
    """Serve on a free port of 127.0.0.1."""
    fake = FakeServer(responses)
    server = await asyncio.start_server(fake.handle, "127.0.0.1", 0)
    fake.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    try:
        yield fake
    finally:
        server.close()
