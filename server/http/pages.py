"""The built web client: one shell for every page, and its assets. Knows nothing of what pages show."""

from __future__ import annotations

import asyncio
import mimetypes
from pathlib import Path

from aiohttp import web

from server.http.keys import WEB_DIR

_NOT_BUILT = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Parley</title>
<h1>The web client is not built</h1>
<p>The server runs, but its pages are missing. Build them with <code>make install</code> and reload this page.</p>
</html>
"""


async def shell(request: web.Request) -> web.StreamResponse:
    """Answer with the client's only HTML page; it reads its address and its link's fragment itself."""
    index = request.app[WEB_DIR] / "index.html"
    try:
        html = await asyncio.to_thread(index.read_text)
    except FileNotFoundError:
        return web.Response(text=_NOT_BUILT, content_type="text/html", status=503)
    return web.Response(text=html, content_type="text/html", headers={"Cache-Control": "no-cache"})


async def asset(request: web.Request) -> web.StreamResponse:
    """Answer with a file whose name holds its hash, so that it may be kept for good."""
    return _file(request, request.app[WEB_DIR] / "assets", "public, max-age=31536000, immutable")


async def root_file(request: web.Request) -> web.StreamResponse:
    """Answer with an icon or the like."""
    return _file(request, request.app[WEB_DIR], "public, max-age=3600")


def _file(request: web.Request, folder: Path, cache: str) -> web.StreamResponse:
    name = request.match_info["file"]
    path = folder / name
    if name != path.name or not path.is_file():
        raise web.HTTPNotFound
    kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return web.FileResponse(path, headers={"Cache-Control": cache, "Content-Type": kind})
