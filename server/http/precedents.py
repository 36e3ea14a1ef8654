"""A new case over HTTP: anyone may ask what has been judged of cases like it. Asked by POST, so that the case stands in no address and no log.

How often an address may ask is limited in `security`; here, how many may wait for an answer at once.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

from deliberation.errors import Unavailable
from server.http.keys import OUTCOMES
from server.http.models import NewCase
from server.precedents import answer

AT_ONCE = 2
WAITING = 20  # who comes on top of them is asked to come back


class Asking:
    """Lets `AT_ONCE` questions be answered at a time. Invariant: at most `WAITING` wait."""

    def __init__(self) -> None:
        self.slots = asyncio.Semaphore(AT_ONCE)
        self.waiting = 0


ASKING: web.AppKey[Asking] = web.AppKey("asking", Asking)


async def precedents(request: web.Request) -> web.Response:
    """Answer a new case with its precedents, or say that there is none."""
    asked = NewCase.model_validate_json(await request.read())
    found = await request.app[OUTCOMES].computed(request.match_info["id"])
    line = request.app[ASKING]
    if line.waiting >= WAITING:
        raise Unavailable("busy", "Too many are asking at once.", "Try again in a moment.")
    line.waiting += 1
    try:
        async with line.slots:
            made = await asyncio.to_thread(answer, found, asked.text)
    finally:
        line.waiting -= 1
    return web.Response(text=made.model_dump_json(), content_type="application/json")
