"""What holds for every request: headers, origin, sizes, rates, and errors in one form.

Owns the middlewares, in the order in which `middlewares` lists them; decides nothing about what a link opens (that is `routes`).
"""

from __future__ import annotations

import ipaddress
import time
import traceback
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import structlog
from aiohttp import web
from aiohttp.typedefs import Middleware
from pydantic import ValidationError

from deliberation.errors import InvalidInput, NotAllowed, ParleyError, TooMany
from server import metrics
from server.http.keys import CLOCK, PUBLIC_URL, SETTINGS
from server.http.limits import Limiter
from server.settings import Settings

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MAX_BODY_BYTES = 512 * 1024  # the largest body is a design file; give it to web.Application(client_max_size=…)
REQUESTS_PER_SECOND = 30.0  # per address, since a whole class may share one
REQUEST_BURST = 600.0
GUESSES_PER_SECOND = 0.5  # refused links per address
GUESS_BURST = 30.0
PRECEDENTS_PER_SECOND = 0.5  # new cases per address: each takes a comparison with all judged ones
PRECEDENT_BURST = 20.0

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob: mediastream:",
        "font-src 'self'",
        "connect-src 'self' blob:",
        "worker-src 'self' blob:",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self), microphone=(self), speaker-selection=(self), geolocation=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

_log = structlog.get_logger("http")


def middlewares(settings: Settings) -> list[Middleware]:
    """Return the middlewares of one application, outermost first."""
    return [_timed, _headers, _errors, _rates(settings), _origin]


def error_response(error: ParleyError, status: int | None = None) -> web.Response:
    """Return `{"error": {code, message, hint}}` with the error's status."""
    metrics.REFUSED.labels(code=error.code).inc()
    headers = {"Retry-After": "2"} if error.retryable else {}
    return web.json_response({"error": error.as_dict()}, status=status or error.status, headers=headers)


def client_address(request: web.BaseRequest, trusted_proxies: int) -> str:
    """Return the address a request comes from: what the last `trusted_proxies` proxies say, never what the client itself claims."""
    remote = request.remote or ""
    if trusted_proxies:
        hops = [hop.strip() for hop in request.headers.get("X-Forwarded-For", "").split(",") if hop.strip()]
        remote = hops[-trusted_proxies] if len(hops) >= trusted_proxies else remote
    try:
        address = ipaddress.ip_address(remote)
    except ValueError:
        return remote
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False).network_address)  # one subscriber, one /64
    return str(address)


def same_origin(request: web.BaseRequest, public_url: str) -> bool:
    """Say whether a browser's request comes from a page of this server. Without an Origin header it comes from no browser."""
    origin = request.headers.get("Origin")
    if origin is None:
        return True
    claimed = urlsplit(origin)
    public = urlsplit(public_url)
    if (claimed.scheme, claimed.netloc) == (public.scheme, public.netloc):
        return True
    return claimed.scheme in ("http", "https") and bool(claimed.netloc) and claimed.netloc == request.host


@web.middleware
async def _timed(request: web.Request, handler: Handler) -> web.StreamResponse:
    started = time.perf_counter()
    response = await handler(request)
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else "unknown"
    metrics.REQUESTS.labels(route=route, status=str(response.status)).inc()
    metrics.REQUEST_SECONDS.labels(route=route).observe(time.perf_counter() - started)
    return response


@web.middleware
async def _headers(request: web.Request, handler: Handler) -> web.StreamResponse:
    response = await handler(request)
    if not response.prepared:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        if request.path.startswith("/api/"):
            response.headers["Cache-Control"] = "no-store"
        if urlsplit(request.app[PUBLIC_URL]).scheme == "https":
            response.headers["Strict-Transport-Security"] = "max-age=31536000"
    return response


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except ParleyError as error:
        if error.status >= 500:
            _log.error("request failed", code=error.code)
        return error_response(error)
    except ValidationError as error:
        return error_response(_invalid(error))
    except web.HTTPRequestEntityTooLarge:
        return error_response(InvalidInput("body_too_large", "This is too large to be accepted."), 413)
    except web.HTTPMethodNotAllowed as error:
        response = error_response(InvalidInput("method_not_allowed", "This address does not take that method."), 405)
        response.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
        return response
    except web.HTTPNotFound:
        return error_response(InvalidInput("no_such_page", "There is nothing at this address."), 404)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        return error_response(InvalidInput("bad_request", "The request could not be understood."), error.status)
    except ConnectionError:
        raise
    except Exception as error:  # a bug: told without details, since they may hold what people said
        stack = "".join(traceback.format_tb(error.__traceback__))
        _log.error("request broke", error=type(error).__name__, route=request.match_info.route.name, stack=stack)
        return error_response(ParleyError("internal", "Something went wrong on the server.", "Please try again."))


def _rates(settings: Settings) -> Middleware:
    requests = Limiter(REQUESTS_PER_SECOND, REQUEST_BURST)
    guesses = Limiter(GUESSES_PER_SECOND, GUESS_BURST)
    cases = Limiter(PRECEDENTS_PER_SECOND, PRECEDENT_BURST)
    joins = Limiter(settings.joins_per_minute / 60, float(settings.joins_per_minute))

    @web.middleware
    async def rates(request: web.Request, handler: Handler) -> web.StreamResponse:
        address, now = client_address(request, request.app[SETTINGS].trusted_proxies), request.app[CLOCK]()
        if not requests.allow(address, now):
            raise TooMany("too_many_requests", "Too many requests from your network.", "Wait a moment.")
        if request.match_info.route.name == "join" and not joins.allow(address, now):
            raise TooMany("too_many_joins", "Too many people are joining from your network at once.", "Wait a minute.")
        if request.match_info.route.name == "precedents" and not cases.allow(address, now):
            raise TooMany("too_many_cases", "That were many cases at once.", "Wait a minute.")
        try:
            return await handler(request)
        except NotAllowed as refused:
            if refused.code in ("link_invalid", "link_missing") and not guesses.allow(address, now):
                raise TooMany("too_many_attempts", "Too many links that are not valid.", "Wait a minute.") from None
            raise

    return rates


@web.middleware
async def _origin(request: web.Request, handler: Handler) -> web.StreamResponse:
    upgrading = "websocket" in request.headers.get("Upgrade", "").lower()
    if (upgrading or request.method not in ("GET", "HEAD")) and not same_origin(request, request.app[PUBLIC_URL]):
        raise NotAllowed("origin_not_allowed", "This request comes from another site.", "Open Parley's own page.")
    return await handler(request)


def _invalid(error: ValidationError) -> InvalidInput:
    """Name the first mistakes by field, without repeating the values, which may be personal."""
    problems = [f"{'.'.join(str(p) for p in e['loc']) or 'body'}: {e['msg']}" for e in error.errors(include_input=False)[:3]]
    return InvalidInput("invalid_request", f"The request has a mistake: {'; '.join(problems)}.")
