"""Words and sentences: splitting, stemming and comparing what was said, in English, Spanish and Arabic.

Pure string work. Owns no wording: fillers, stop words and the like come from the catalogue of each language. Whoever compares texts
(extraction, citation check, safety, audit) does it with these functions.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from importlib.resources import files

DEFAULT_LANGUAGE = "en"
_WORD = re.compile(r"[^\W_]+(?:['’\-][^\W_]+)*")
_END = re.compile(r"(?<=[.!?؟…])[\"”’)]*\s+(?=[\"“¿¡(]*[^\W_])")
_INVISIBLE = re.compile("[\u200b-\u200f\u2060-\u2064\ufeff\u00ad]")
_ARABIC_MARKS = re.compile("[\u064b-\u065f\u0670\u0640]")
_SUFFIXES = {
    "en": ("ations", "ation", "ments", "ment", "ities", "ity", "ness", "ingly", "edly", "ings", "ing", "ies", "ied", "ly", "ed", "es", "s", "e", "y"),
    "es": ("aciones", "ación", "acion", "mente", "iendo", "ando", "adas", "ados", "ada", "ado", "idas", "idos", "ida", "ido", "es", "as", "os", "an", "en", "ar", "er", "ir", "a", "o", "e", "s"),
    "ar": ("ات", "ون", "ين", "ان", "ها", "هم", "نا", "ية", "ه", "ة", "ي"),
}  # fmt: skip
_PREFIXES = {"ar": ("وال", "بال", "كال", "فال", "لل", "ال", "و", "ب", "ل", "ف")}
_SHORTEST_STEM = {"en": 3, "es": 3, "ar": 2}


@lru_cache(maxsize=8)
def catalogue(language: str) -> dict[str, list[str]]:
    """Return a language's catalogue: key → its variants or words. An unknown language gets English."""
    folder = files("facilitator") / "catalogues"
    file = folder / f"{language}.json"
    if not re.fullmatch(r"[a-z]{2}", language) or not file.is_file():
        file = folder / f"{DEFAULT_LANGUAGE}.json"
    data: dict[str, list[str]] = json.loads(file.read_text("utf-8"))
    return data


def languages() -> tuple[str, ...]:
    """Return the languages that have a catalogue."""
    names = (file.name for file in (files("facilitator") / "catalogues").iterdir())
    return tuple(sorted(name.removesuffix(".json") for name in names if name.endswith(".json")))


def language_words(language: str, kind: str) -> tuple[str, ...]:
    """Return one of a language's word lists, by the part of its key after `words.`."""
    return tuple(catalogue(language)[f"words.{kind}"])


def tokens(text: str) -> list[str]:
    """Return the words of a text, as written but for characters that nobody sees."""
    return _WORD.findall(_INVISIBLE.sub("", text))


@lru_cache(maxsize=65_536)
def fold_word(word: str) -> str:
    """Return a word as compared: lower case, without accents or Arabic vowel signs, straight apostrophe."""
    plain = _ARABIC_MARKS.sub("", word.casefold().replace("’", "'"))
    plain = "".join(c for c in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(c))
    return plain.translate(str.maketrans("أإآٱى", "ااااي"))


@lru_cache(maxsize=65_536)
def stem(word: str, language: str) -> str:
    """Return the part of a word that its forms share (light suffix stripping, after Larkey et al. 2002 for Arabic)."""
    plain = fold_word(word).removesuffix("'s")
    shortest = _SHORTEST_STEM.get(language, 3)
    for prefix in _PREFIXES.get(language, ()):
        if plain.startswith(prefix) and len(plain) - len(prefix) >= shortest:
            plain = plain.removeprefix(prefix)
            break
    for suffix in _SUFFIXES.get(language, ()):
        if plain.endswith(suffix) and len(plain) - len(suffix) >= shortest:
            return plain.removesuffix(suffix)
    return plain


@lru_cache(maxsize=16)
def _stop(language: str) -> frozenset[str]:
    return frozenset(fold_word(word) for word in language_words(language, "stop"))


@lru_cache(maxsize=8192)
def content_stems(text: str, language: str) -> frozenset[str]:
    """Return the stems of a text's content words: without stop words, numbers kept."""
    stop = _stop(language)
    words = (word for word in tokens(text) if fold_word(word) not in stop)
    stems = (stem(word, language) for word in words if len(word) > 1 or word.isdigit())
    return frozenset(s for s in stems if s not in stop)


def content_words(text: str, language: str) -> frozenset[str]:
    """Return a text's content words as they are written, folded: without stop words and single letters."""
    stop = _stop(language)
    return frozenset(word for token in tokens(text) if len(word := fold_word(token)) > 1 and word not in stop)


def overlap(some: frozenset[str], others: frozenset[str]) -> float:
    """Return the Jaccard similarity of two sets of stems, 0..1."""
    either = len(some | others)
    return len(some & others) / either if either else 0.0


def support(claim: str, sources: Iterable[str], language: str) -> float:
    """Return the share of a claim's content words that its sources hold, 0..1; 1 for a claim without content words."""
    wanted = content_stems(claim, language)
    held = frozenset[str]().union(*(content_stems(source, language) for source in sources))
    return len(wanted & held) / len(wanted) if wanted else 1.0


def sentences(text: str) -> list[str]:
    """Return the sentences of a text, trimmed, end marks kept."""
    return [part.strip() for part in _END.split(" ".join(text.split())) if part.strip()]


def contains_any(text: str, language: str, kind: str) -> bool:
    """Tell whether a text holds a word or phrase of a language's list."""
    folded = f" {' '.join(fold_word(word) for word in tokens(text))} "
    return any(
        f" {' '.join(fold_word(w) for w in tokens(phrase))} " in folded for phrase in language_words(language, kind)
    )


def shorten(text: str, words: int) -> str:
    """Return the beginning of a text: at most so many words, ended by an ellipsis where something was left out."""
    parts = text.split()
    if len(parts) <= words:
        return text.strip().rstrip(".")
    return " ".join(parts[:words]).rstrip(",;:.") + "…"


def count_words(text: str) -> int:
    """Return how many words a text has."""
    return len(tokens(text))
