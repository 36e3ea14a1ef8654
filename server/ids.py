"""Names for things that are stored: random, URL-safe, unguessable."""

from __future__ import annotations

import secrets
import string

_ALPHABET = string.ascii_lowercase + string.digits


def new_id(length: int = 14) -> str:
    """Return a random id of lower-case letters and digits; 14 of them carry 72 bits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))
