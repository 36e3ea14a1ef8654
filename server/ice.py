"""STUN and TURN servers as pages get them, with short-lived TURN credentials."""

from __future__ import annotations

import base64
import hashlib
import hmac

from server.ids import new_id
from server.settings import Settings
from server.signalling.messages import IceServer


def ice_servers(settings: Settings, now: float) -> tuple[IceServer, ...]:
    """Return what a page may use from `now` on for `turn_ttl_seconds`.

    TURN: username `expiry:random`, password base64(HMAC-SHA1(secret, username)), as coturn's `use-auth-secret` checks it
    (draft-uberti-behave-turn-rest-00 §2.2).
    """
    servers: list[IceServer] = []
    if settings.stun_urls:
        servers.append(IceServer(urls=settings.stun_urls))
    if settings.turn_urls and settings.turn_secret is not None:
        username = f"{int(now) + settings.turn_ttl_seconds}:{new_id(8)}"
        digest = hmac.new(settings.turn_secret.get_secret_value().encode(), username.encode(), hashlib.sha1).digest()
        servers.append(
            IceServer(urls=settings.turn_urls, username=username, credential=base64.b64encode(digest).decode())
        )
    return tuple(servers)
