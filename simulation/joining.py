"""Taking part over HTTP: what a link says, what the server answers.

Owns the bots' HTTP, on the standard library alone, in a thread. Called by `simulate`, `partner` and benchmarks before a `Participant` is made.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel
from websockets.typing import Origin

from deliberation.errors import InvalidInput, ParleyError, TooMany, Unavailable
from server.http.models import JoinInfo, JoinRequest, JoinResponse

HTTP_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class JoinLink:
    """A participants' link: where the server is, which deliberation, the invitation."""

    server: str
    deliberation_id: str
    token: str

    @classmethod
    def parse(cls, url: str) -> JoinLink:
        """Read `http(s)://host/d/ID/join#k=TOKEN`. Raises `InvalidInput("bad_link")`."""
        parts = urlsplit(url)
        path = parts.path.strip("/").split("/")
        if (
            parts.scheme not in ("http", "https")
            or len(path) < 3
            or path[-3] != "d"
            or not parts.fragment.startswith("k=")
        ):
            raise InvalidInput("bad_link", "A join link looks like https://host/d/some-deliberation/join#k=…")
        base = "/".join(path[:-3])
        return cls(f"{parts.scheme}://{parts.netloc}/{base}".rstrip("/"), path[-2], parts.fragment.removeprefix("k="))


def tls(url: str) -> ssl.SSLContext | None:
    """Return how to check the server's certificate: not at all on this machine (it is self-signed), properly elsewhere."""
    parts = urlsplit(url)
    if parts.scheme not in ("https", "wss"):
        return None
    context = ssl.create_default_context()
    if parts.hostname in ("localhost", "127.0.0.1", "::1"):
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def request(method: Literal["GET", "POST"], url: str, token: str, body: BaseModel | None = None) -> Any:
    """Send one HTTP request and return its JSON. Raises the `ParleyError` the server answered with, or `Unavailable`."""
    return await asyncio.to_thread(_request, method, url, token, body)


def _request(method: str, url: str, token: str, body: BaseModel | None) -> Any:
    data = body.model_dump_json().encode() if body is not None else None
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    call = urllib.request.Request(url, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(call, timeout=HTTP_SECONDS, context=tls(url)) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        with error:
            try:
                told = json.load(error)["error"]
            except (ValueError, KeyError, TypeError):
                told = {"code": f"http_{error.code}", "message": f"The server answered {error.code}."}
        kind = {429: TooMany, 503: Unavailable}.get(error.code, ParleyError)
        raise kind(told["code"], told["message"], told.get("hint", "")) from None
    except OSError as error:
        raise Unavailable("no_server", f"The server cannot be reached: {error}.") from None


async def join(link: JoinLink, want: Callable[[JoinInfo], JoinRequest]) -> JoinResponse:
    """Take part: read what the deliberation is, answer it, and return the participant's own token."""
    url = f"{link.server}/api/deliberations/{link.deliberation_id}"
    info = JoinInfo.model_validate(await request("GET", url, link.token))
    return JoinResponse.model_validate(await request("POST", f"{url}/participants", link.token, want(info)))


def origin(server: str) -> Origin:
    """Return the Origin that a page of this server sends."""
    parts = urlsplit(server)
    return Origin(f"{parts.scheme}://{parts.netloc}")
