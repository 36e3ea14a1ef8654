"""libsrtp's functions as they are, through pylibsrtp's cffi handle: in place, on our own buffers, without a copy per packet.

With `aiortc_compat` the only place that touches private names of pylibsrtp, whose version is pinned. libsrtp contexts are not
thread-safe: everything here runs on the event loop's thread.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from pylibsrtp._binding import ffi, lib

protect: Callable[[Any, Any, Any], int] = lib.srtp_protect
unprotect: Callable[[Any, Any, Any], int] = lib.srtp_unprotect
protect_rtcp: Callable[[Any, Any, Any], int] = lib.srtp_protect_rtcp
unprotect_rtcp: Callable[[Any, Any, Any], int] = lib.srtp_unprotect_rtcp
"""`f(context, buffer, length)` work in place, rewrite `length[0]` and return 0 on success."""


class Context(NamedTuple):
    """The keys of one direction. They die with the session that they are of."""

    c: Any
    """For the functions above."""
    pointer: int
    """For C of ours."""


def context_of(session: Any) -> Context:
    """Return the context of a `pylibsrtp.Session`."""
    c = session._srtp[0]
    return Context(c, int(ffi.cast("uintptr_t", c)))


def function_pointers() -> tuple[int, int]:
    """Return the addresses of srtp_protect and srtp_unprotect."""
    protect_, unprotect_ = (int(ffi.cast("uintptr_t", ffi.addressof(lib, f"srtp_{name}"))) for name in ("protect", "unprotect"))
    return protect_, unprotect_
