"""Masking of people's names in what was said, and flagging of what else may be a name.

Owns the matching; knows nothing of rooms. Used by `privacy` and `consent`. Pure.

A recogniser writes names as it hears them, so a word is taken for a name when it is

- the same but for case, accents, possessive or plural s (`GUDRUN`, `Gudrun's`), whatever its own case, or
- near it, and no everyday word: capitalised inside a sentence, with the same consonants in order (a phonetic key) or one edit away (two from
  seven letters on); opening a sentence or in lower case, where capitals tell nothing, only with four consonants alike or more, or
- in scripts without capitals: the name with a short prefix or suffix, as Arabic, Russian or Turkish attach them; in scripts without
  spaces: the name anywhere.

A name that is an everyday word (Will, Mark, Rose, May) is masked only where it is capitalised inside a sentence, or opens one and reads as
a name there: before a comma or possessive, next to the same person's other name, or before a word that does not follow the everyday one
("Mark thinks", but not "Mark my words", "May I", "Will you"). In lower case it stays. So a lower-case "will" that was meant as a
name can slip through, which `privacy` accepts for the sake of readable texts; `NAME_RULES` in the data dictionary says so.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from deliberation.common_words import COMMON_WORDS, FOLLOWS_A_VERB

_TOKEN = re.compile(r"[^\W\d_]+(?:[\u0300-\u036f\u064b-\u065f]+[^\W\d_]*)*")
_NO_SPACES = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_SPELLED_OUT = str.maketrans(
    {"ß": "ss", "ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "ı": "i", "ة": "ه", "ى": "ي", "ـ": ""}
)
_SOUNDS = (
    ("tsch", "c"), ("sch", "s"), ("tch", "c"), ("ch", "k"), ("sh", "s"), ("ck", "k"), ("ph", "f"), ("gh", "g"), ("th", "t"), ("dh", "d"),
    ("kh", "k"), ("wh", "w"), ("qu", "k"), ("x", "ks"), ("z", "s"), ("v", "f"), ("w", "f"), ("q", "k"), ("c", "k"), ("j", "y"), ("b", "p"),
    ("d", "t"), ("g", "k"),
)  # fmt: skip
_PARTICLES = "al bin da das de del della den der di dos du el ibn la le van von und and the"
_NOBILIARY = frozenset(_PARTICLES.split())


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a text, from `start` to before `end`, and what it is replaced by."""

    start: int
    end: int
    by: str


@dataclass(frozen=True, slots=True)
class _Part:
    """One part of somebody's name. `by` None: several people share it."""

    plain: str
    key: str
    by: str
    everyday: bool


class Masker:
    """Replaces people's names in texts. Immutable; building it costs, using it is cheap."""

    def __init__(self, names: Iterable[tuple[str, str]], shared: str = "[name]") -> None:
        """Take (name, replacement) pairs; `shared` replaces a name that several of them share."""
        found: dict[str, str] = {}
        for name, by in names:
            for part in name_parts(name):
                found[part] = by if found.get(part, by) == by else shared
        self._parts = {
            plain: _Part(plain, phonetic(plain), by, plain in COMMON_WORDS or plain in _NOBILIARY) for plain, by in found.items()
        }
        self._by_key: dict[str, list[_Part]] = {}
        self._by_start: dict[str, list[_Part]] = {}
        for known in self._parts.values():
            if _latin(known.plain) and not known.everyday:
                self._by_key.setdefault(known.key, []).append(known)
                for start in {known.plain[:1], known.key[:1].upper()}:  # first letters apart from first sounds
                    self._by_start.setdefault(start, []).append(known)
        self._attachable = [known for known in self._parts.values() if not _latin(known.plain)]
        self._unspaced = [known for known in self._parts.values() if _NO_SPACES.search(known.plain)]
        self._near = lru_cache(maxsize=20_000)(self._nearest)

    def mask(self, text: str) -> str:
        """Return the text with all names replaced."""
        return replace_spans(text, self.spans(text))

    def spans(self, text: str) -> list[Span]:
        """Return where names are, in order, without overlaps."""
        if not self._parts:
            return []
        found: list[Span] = []
        tokens = list(_TOKEN.finditer(text))
        for index, token in enumerate(tokens):
            if found and token.start() < found[-1].end:
                continue
            after = tokens[index + 1] if index + 1 < len(tokens) else None
            gap = text[token.end() : after.start()] if after else text[token.end() :]
            part = self._match(token[0], gap, after[0] if after else "", _opens_sentence(text, token.start()))
            if part:
                found.append(Span(token.start(), token.end(), part.by))
            elif after and gap in (" ", "-") and (joined := self._joined(token[0], after[0])):
                found.append(Span(token.start(), after.end(), joined.by))
        found += [
            Span(hit.start(), hit.end(), part.by)
            for part in self._unspaced
            for hit in re.finditer(re.escape(part.plain), text)
        ]
        return list(_merged(text, sorted(found, key=lambda span: (span.start, -span.end))))

    def knows(self, word: str) -> bool:
        """Say whether a capitalised word is one of the names, or near one."""
        return self._near(word, True) is not None

    def _match(self, word: str, gap: str, after: str, opens: bool) -> _Part | None:
        capital = word[0].isupper()
        part: _Part | None = self._near(word, capital and not opens)
        if part is None or not part.everyday:
            return part
        if not capital:
            return None
        if not opens or gap.startswith((",", "'", "’", "-")):
            return part
        beside = self._parts.get(plain(after)) if gap == " " else None
        if beside and beside.by == part.by:
            return part
        return part if gap == " " and plain(after) not in FOLLOWS_A_VERB else None

    def _joined(self, first: str, second: str) -> _Part | None:
        """Match a name that the recogniser has written as two words."""
        if len(first) < 2 or len(second) < 2 or not first[0].isupper():
            return None
        joined = plain(first + second)
        if joined in self._parts:
            return self._parts[joined]
        if len(joined) < 6 or (not second[0].isupper() and plain(first) in COMMON_WORDS):
            return None
        key = phonetic(joined)
        return next((p for p in self._by_key.get(key, ()) if len(key) >= 3 and p.plain[0] == joined[0]), None)

    def _nearest(self, word: str, capital: bool) -> _Part | None:
        exact = plain(word)
        for form in (exact, exact.removesuffix("s")):
            if form in self._parts and (form == exact or exact not in COMMON_WORDS):
                return self._parts[form]
        if exact in COMMON_WORDS:
            return None
        if not _has_case(word):
            return next((p for p in self._attachable if _attached(exact, p.plain)), None)
        for form in dict.fromkeys((exact, exact.removesuffix("s"))):
            key = phonetic(form)
            same_sound: list[_Part] = self._by_key.get(key, [])
            if alike := next((p for p in same_sound if _sounds_like(form, p, capital)), None):
                return alike
            if not capital:
                continue
            same_start: list[_Part] = self._by_start.get(form[:1], []) + self._by_start.get(key[:1].upper(), [])
            if close := next((p for p in same_start if _is_close(form, p)), None):
                return close
        return None


def name_parts(name: str) -> list[str]:
    """Return the parts of a name that identify somebody, in plain form: no initials, no particles; and all of them in one."""
    parts = [plain(token) for token in _TOKEN.findall(name)]
    kept = [part for part in parts if (len(part) > 1 or _NO_SPACES.search(part)) and part not in _NOBILIARY]
    kept = kept or [part for part in parts if len(part) > 1]
    whole = "".join(parts)
    return list(dict.fromkeys([*kept, whole] if len(parts) > 1 and len(whole) > 3 else kept))


@lru_cache(maxsize=20_000)
def plain(word: str) -> str:
    """Return a word without case and accents, and without Arabic vowel signs and letter variants."""
    folded = unicodedata.normalize("NFKD", word.casefold().translate(_SPELLED_OUT))
    bare = "".join(char for char in folded if not unicodedata.combining(char))
    return unicodedata.normalize("NFC", bare).replace("أ", "ا").replace("إ", "ا").replace("آ", "ا")


def phonetic(word: str) -> str:
    """Return a plain word's consonants by sound, voiced and voiceless ones alike: gudrun, goodrun → ktrn.

    After Soundex (Russell 1918), but with all consonants in order: a recogniser confuses vowels and voicing, seldom order.
    """
    first = "a" if word[:1] and word[0] in "aeiouy" else ""
    for written, heard in _SOUNDS:
        word = word.replace(written, heard)
    word = re.sub(r"[aeiouyh]", "", word)
    return first + re.sub(r"(.)\1+", r"\1", word)


def distance(one: str, other: str, limit: int) -> int:
    """Return the edit distance with swaps of neighbours (optimal string alignment), or `limit + 1` where it is more than `limit`."""
    if abs(len(one) - len(other)) > limit:
        return limit + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        last, before, row = before, row, [i]
        for j, b in enumerate(other, 1):
            cost = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (a != b))
            if last and j > 1 and a == other[j - 2] and one[i - 2] == b:
                cost = min(cost, last[j - 2] + 1)
            row.append(cost)
        if min(row) > limit:
            return limit + 1
    return row[-1]


def likely_names(text: str, masker: Masker, known: Iterable[str] = ()) -> list[str]:
    """Return words that may be names of people and were not masked: capitalised inside a sentence, and no everyday word.

    `known` are words that stand in the design (places, institutions), which are no secret.
    """
    spared = {plain(token) for words in known for token in _TOKEN.findall(words)}
    found: dict[str, None] = {}
    for token in _TOKEN.finditer(text):
        word = token[0]
        form = plain(word)
        if len(word) < 2 or not word[0].isupper() or word.isupper() or form in COMMON_WORDS or form in spared:
            continue
        if _opens_sentence(text, token.start()) or text[max(0, token.start() - 1)] in "'’[" or form == "participant":
            continue
        if form.removesuffix("s") not in COMMON_WORDS and not masker.knows(word):
            found[word] = None
    return list(found)


def replace_spans(text: str, spans: Iterable[Span]) -> str:
    """Return the text with each span replaced."""
    pieces, at = [], 0
    for span in spans:
        pieces += [text[at : span.start], span.by]
        at = span.end
    return "".join([*pieces, text[at:]])


def _sounds_like(word: str, part: _Part, capital: bool) -> bool:
    """Match a word whose phonetic key is the name's; a long key suffices, a short one needs near spelling and a capital."""
    if len(part.key) >= 4 and capital:
        return abs(len(word) - len(part.plain)) <= 3
    if len(part.key) >= 4 or (capital and len(part.key) >= 2 and min(len(word), len(part.plain)) >= 3):
        return distance(word, part.plain, 2) <= 2
    return False


def _is_close(word: str, part: _Part) -> bool:
    """Match a word that is one edit away from a name of four letters, two from seven letters on."""
    length = min(len(word), len(part.plain))
    limit = 2 if length >= 7 else 1 if length >= 4 else 0
    return limit > 0 and distance(word, part.plain, limit) <= limit


def _attached(word: str, name: str) -> bool:
    """Match a name with a short prefix (Arabic wa-, bi-, li-, ya-) or a changed ending (Russian, Georgian, Hindi cases)."""
    if len(name) >= 3 and word.endswith(name) and len(word) - len(name) <= 2:
        return True
    return len(name) >= 4 and word.startswith(name[:-1]) and -1 <= len(word) - len(name) <= 2


def _has_case(word: str) -> bool:
    return word[0].lower() != word[0].upper() and _latin(plain(word))


@lru_cache(maxsize=20_000)
def _latin(word: str) -> bool:
    return all("LATIN" in unicodedata.name(char, "") for char in word)


def _opens_sentence(text: str, start: int) -> bool:
    before = text[:start].rstrip(" \t\n\"'“”‘’«»([")
    return not before or before[-1] in ".!?:…\n؟。" or text[:start].endswith(("“", "\n"))


def _merged(text: str, spans: Iterable[Span]) -> Iterator[Span]:
    """Join neighbouring spans of one person ("Gudrun Aas") and drop those inside others."""
    held: Span | None = None
    for span in spans:
        if held and span.start < held.end:
            continue
        if held and span.by == held.by and not text[held.end : span.start].strip(" -‐.'’"):
            held = Span(held.start, span.end, held.by)
            continue
        if held:
            yield held
        held = span
    if held:
        yield held
