"""Links: signed, scoped, expiring, revocable tokens, and what a request's token opens.

Owns the token's form and its checks; never stores or logs a token. Used by the HTTP routes and by the WebSocket's `hello`.

A token is `p1.<payload>.<signature>`, both base64url: the payload is JSON of the role, deliberation, participant, link id and expiry, the
signature HMAC-SHA256 (RFC 2104) under a secret that all nodes share. A forged or expired one costs no database access; what is left is
looked up, so that revoking works at once. Tokens travel in URL fragments and Authorization headers, which neither browsers nor proxies log.

The admin token is no link: it is one secret string of the operator's.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from deliberation.errors import NotAllowed, Unavailable
from deliberation.payload import Role
from server.settings import Settings
from server.storage.records import LinkRecord, LinkRole
from server.storage.store import DAY_SECONDS, Store

PREFIX = "p1"
MAX_TOKEN_CHARACTERS = 2048
ADMIN_LINK_ID = "admin"


@dataclass(frozen=True, slots=True)
class Link:
    """What a token opens. The admin's has no deliberation, since it opens all."""

    link_id: str
    role: LinkRole
    deliberation_id: str | None = None
    participant_id: str | None = None
    cohort: str | None = None

    def opens(self, deliberation_id: str) -> bool:
        """Say whether the link belongs to this deliberation."""
        return self.role == "admin" or self.deliberation_id == deliberation_id

    @property
    def seat_role(self) -> Role:
        """The role in a room. Raises `NotAllowed` for an invitation, or a preview of one, which has no seat yet."""
        if self.role == "invitation" or self.role == "preview":
            raise NotAllowed("join_first", "This is an invitation; join first.", "Open the invitation's page.")
        return self.role


class Auth:
    """Issues and verifies links."""

    def __init__(
        self, store: Store, key: bytes, admin_token: str, link_days: int, clock: Callable[[], float]
    ) -> None:
        """Use `open`. `key` signs, `clock` gives Unix seconds."""
        self._store = store
        self._key = key
        self._admin = hashlib.sha256(admin_token.encode()).digest()
        self._days = link_days
        self._clock = clock

    @classmethod
    async def open(cls, store: Store, settings: Settings, clock: Callable[[], float]) -> Self:
        """Take the secrets from the settings, or from where they were kept at the first start."""
        key = settings.secret_key.get_secret_value() if settings.secret_key else await store.secret("link-key")
        admin, _ = admin_token(settings)
        return cls(store, key.encode(), admin, settings.link_days, clock)

    async def issue(
        self,
        role: LinkRole,
        deliberation_id: str,
        participant_id: str | None = None,
        days: float | None = None,
        seats: int | None = None,
        cohort: str | None = None,
    ) -> str:
        """Make a new link and return its token.

        `days` defaults to the server's setting; `seats` limits how many join by an invitation, `cohort` is whom they belong to.
        """
        now = self._clock()
        record = LinkRecord(
            link_id=secrets.token_urlsafe(12),
            role=role,
            deliberation_id=deliberation_id,
            participant_id=participant_id,
            issued_at=now,
            expires_at=round(now + (self._days if days is None else days) * DAY_SECONDS, 3),
            seats=seats,
            cohort=cohort,
        )
        await self._store.add_link(record)
        return self.token(record)

    async def standing(self, role: LinkRole, deliberation_id: str) -> str:
        """Return the token of the longest-lived link of this role that still opens, or of a new one."""
        now = self._clock()
        known = [
            link
            for link in await self._store.links(deliberation_id)
            if link.role == role and link.participant_id is None and link.revoked_at is None and link.seats is None and link.cohort is None
        ]
        best = max(known, key=lambda link: link.expires_at, default=None)
        if best is None or best.expires_at < now + DAY_SECONDS:
            return await self.issue(role, deliberation_id)
        return self.token(best)

    def token(self, record: LinkRecord) -> str:
        """Return the token of an issued link: the same each time."""
        fields = [record.role, record.deliberation_id, record.participant_id, record.link_id, record.expires_at]
        payload = _b64(json.dumps(fields, separators=(",", ":")).encode())
        return f"{PREFIX}.{payload}.{_b64(self._sign(payload))}"

    async def verify(self, token: str) -> Link:
        """Return what a token opens.

        Raises `NotAllowed` with `link_missing`, `link_invalid`, `link_expired` or `link_revoked`; which, never why.
        """
        if not token:
            raise NotAllowed("link_missing", "This needs a link.", "Open the link you were sent.")
        if hmac.compare_digest(hashlib.sha256(token.encode(errors="replace")).digest(), self._admin):
            return Link(ADMIN_LINK_ID, "admin")
        record = self._read(token)
        if record.expires_at <= self._clock():
            raise NotAllowed("link_expired", "This link has expired.", "Ask the person who invited you for a new one.")
        stored = await self._store.link(record.link_id)
        if stored is None or stored.role != record.role or stored.deliberation_id != record.deliberation_id:
            raise _invalid()
        if stored.revoked_at is not None:
            raise NotAllowed("link_revoked", "This link has been withdrawn.", "Ask the person who invited you.")
        return Link(stored.link_id, stored.role, stored.deliberation_id, stored.participant_id, stored.cohort)

    async def revoke(self, link_id: str) -> None:
        """Make a link open nothing any more. Raises `NotFound`."""
        await self._store.revoke_link(link_id, self._clock())

    def _read(self, token: str) -> LinkRecord:
        parts = token.split(".")
        if len(token) > MAX_TOKEN_CHARACTERS or len(parts) != 3 or parts[0] != PREFIX:
            raise _invalid()
        try:
            signature = _unb64(parts[2])
            if not hmac.compare_digest(signature, self._sign(parts[1])):
                raise _invalid()
            role, deliberation_id, participant_id, link_id, expires_at = json.loads(_unb64(parts[1]))
        except (ValueError, binascii.Error):
            raise _invalid() from None
        return LinkRecord(link_id, role, deliberation_id, participant_id, 0.0, expires_at)

    def _sign(self, payload: str) -> bytes:
        return hmac.new(self._key, f"{PREFIX}.{payload}".encode(errors="replace"), hashlib.sha256).digest()


def admin_token(settings: Settings) -> tuple[str, bool]:
    """Return the operator's token and whether it was made just now, at the first start, and kept in the data folder (mode 0600)."""
    if settings.admin_token:
        return settings.admin_token.get_secret_value(), False
    path = settings.data_dir / "admin-token"
    try:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        made = secrets.token_urlsafe(24)
        draft = path.with_name(f"admin-token.{secrets.token_hex(4)}")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(made)
        try:
            os.link(draft, path)  # of nodes that start together, one wins and all read its token
        except FileExistsError:
            return _kept(path), False
        finally:
            draft.unlink()
        return made, True
    except OSError as error:
        raise Unavailable("data_dir_unusable", f"The data folder cannot be used: {error.strerror}.") from error


def _kept(path: Path) -> str:
    token = path.read_text().strip()
    if not token:
        raise Unavailable("admin_token_empty", "The admin token's file is empty.", "Delete it and start again.")
    return token


def bearer(header: str | None) -> str:
    """Return the token of an `Authorization: Bearer` header; empty without one."""
    scheme, _, token = (header or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _invalid() -> NotAllowed:
    return NotAllowed("link_invalid", "This link is not valid.", "Copy the whole link, to its last character.")


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _unb64(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
