"""One error tree for everything Parley raises on purpose.

Each error has a stable `code` (part of the HTTP and WebSocket contract), a sentence for a person, an optional hint that says what to
do next, and `retryable`: whether the same request may succeed later without being changed.

    ParleyError
    ├── InvalidInput    the request is malformed or breaks a rule of the design      (HTTP 400)
    ├── NotAllowed      the link does not open this, or the member may not do it now (HTTP 403)
    ├── NotFound        no such deliberation, room, statement, …                     (HTTP 404)
    ├── Conflict        true a moment ago, no longer                                 (HTTP 409)
    ├── TooMany         a rate or size limit                                         (HTTP 429)
    └── Unavailable     a part that Parley depends on is down; try again             (HTTP 503)
"""

from __future__ import annotations


class ParleyError(Exception):
    """Base of every deliberate error."""

    status = 500
    retryable = False

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    def as_dict(self) -> dict[str, str]:
        """Return the wire form: code, message, hint."""
        return {"code": self.code, "message": self.message, "hint": self.hint}


class InvalidInput(ParleyError):
    """The request is malformed, or breaks a rule that was knowable beforehand."""

    status = 400


class NotAllowed(ParleyError):
    """The link does not open this, or the member may not do it now."""

    status = 403


class NotFound(ParleyError):
    """What the request names does not exist, or no longer."""

    status = 404


class Conflict(ParleyError):
    """The request came too late: the state has moved on."""

    status = 409


class TooMany(ParleyError):
    """A rate or size limit was reached."""

    status = 429
    retryable = True


class Unavailable(ParleyError):
    """A part that Parley depends on is down or overloaded."""

    status = 503
    retryable = True
