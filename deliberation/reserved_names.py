"""Names that nobody may take, because the others would take their words for the facilitator's or the service's. Pure; called where people join.

Names are compared as they look: case, accents, spaces, punctuation and a number at the end aside; letters of other alphabets, and digits, that
look like Latin letters are read as these.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import product

# Looks like → read as. i, l and 1 are one letter here.
_ALIKE = str.maketrans(
    {
        **dict(zip("аеорсухіјѕԁһӏкмтвн", "aeopcyxijsdhikmtbh", strict=True)),  # Cyrillic
        **dict(zip("αεικνορτυχ", "aeiknoptyx", strict=True)),  # Greek
        **dict(zip("013457$@|l", "oieastsaii", strict=True)),
    }
)
_ROLES = (
    *("facilitator", "moderator", "host facilitator"),
    *("facilitador", "facilitadora", "moderador", "moderadora", "persona que facilita", "ia que facilita"),
    *("ميسر", "الميسر", "ميسرة", "الميسرة", "مشرف", "المشرف"),
)
_KINDS = ("", "ai", "a", "the", "human", "parley", "ia", "de ia", "el", "la", "una", "humano", "humana", "بالذكاء الاصطناعي", "بشري", "البشري")
_OTHERS = ("parley", "parley ai", "ai assistant", "system", "asistente de ia", "sistema", "بارلي", "النظام", "مساعد الذكاء الاصطناعي")


def looks(name: str) -> str:
    """Return what a name comes to for somebody who reads it quickly."""
    bare = re.sub(r"[\W\d_]+$", "", unicodedata.normalize("NFKC", name))
    parts = unicodedata.normalize("NFKD", bare.casefold()).translate(_ALIKE)
    return "".join(char for char in parts if char.isalnum() and char != "\u0640")


_RESERVED = frozenset(
    looks(name) for role, kind in product(_ROLES, _KINDS) for name in (f"{kind} {role}", f"{role} {kind}")
) | frozenset(map(looks, _OTHERS))


def impersonates(name: str) -> bool:
    """Say whether a name would pass for the facilitator's or the service's."""
    return looks(name) in _RESERVED
