"""The citation check: whether what a sentence says is held by what it cites.

Lexical, in the language of the sentence: content words, numbers, negation, names, and claims about how many agree. Where an embedding model
is configured, the likeness of meaning counts too: it helps a sentence that says the same in other words, and stops one that says something
else in the same words. Pure. Whatever is
shown as the group's or somebody's view has passed it; what fails is dropped and counted, never repaired by guessing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from deliberation.agenda import majority
from deliberation.payload import Sentence
from deliberation.state import RoomState, Statement, Utterance
from facilitator.text import contains_any, content_stems, fold_word, language_words, overlap, sentences, stem, tokens

MIN_SUPPORT = 0.6  # share of a sentence's content words that its sources hold
MIN_QUOTE_SUPPORT = 0.9  # the same for what stands in quotation marks
NEAR, NEAR_SUPPORT = 0.8, 0.35  # this like its sources, a sentence may use so many words of its own (cosine of embeddings)
FAR = 0.3  # less like them, it says something else, whatever its words
MAX_SOURCES = 6  # citations of one sentence that are looked for
MIN_SOURCE_SUPPORT = 0.2  # a source that holds less of the sentence is no source of it
_QUOTE = re.compile(r"[“«\"]([^”»\"]*)[”»\"]")
FIRST_PERSON = ("I", "I'm", "I'd", "I'll", "I've")
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a sentence may be shown, with the citations that hold it, or what was wrong with it."""

    holds: bool
    why: str = ""
    utterances: tuple[str, ...] = ()
    statements: tuple[str, ...] = ()


def cited(state: RoomState, text: str, critiques: Mapping[str, str]) -> Sentence | None:
    """Return a sentence with the utterances, statements and critiques (id → text) that hold it best; None where they do not hold it."""
    language = state.plan.language
    claim = _content(text, language)
    near = {key: _shared(claim, content_stems(words, language)) for key, words in critiques.items()}
    said = {u.utterance_id: _shared(claim, content_stems(u.text, language)) for u in state.utterances.values() if u.usable}
    voted = {s.statement_id: _shared(claim, content_stems(s.text, language)) for s in state.statements.values() if not s.withdrawn}
    best = [sorted((k for k, v in by.items() if v >= MIN_SOURCE_SUPPORT), key=lambda k: -by[k])[:MAX_SOURCES] for by in (said, voted, near)]
    verdict = check(state, text, best[0], best[1], language, [critiques[key] for key in best[2]])
    if not verdict.holds:
        return None
    return Sentence(text=text, utterances=verdict.utterances, statements=verdict.statements, critiques=tuple(best[2]))


def check(
    state: RoomState,
    text: str,
    utterances: Iterable[str],
    statements: Iterable[str],
    language: str,
    written: Sequence[str] = (),
    likeness: float | None = None,
) -> Verdict:
    """Check one sentence against the utterances and statements it cites, and other words that were `written`.

    `likeness` is how like the closest of them it is in meaning (`meaning.closest`), None where that is unknown.
    """
    said = [u for key in dict.fromkeys(utterances) if (u := state.utterances.get(key)) is not None and u.usable]
    voted = [s for key in dict.fromkeys(statements) if (s := state.statements.get(key)) is not None and not s.withdrawn]
    claim = _content(text, language)
    said = [u for u in said if _shared(claim, content_stems(u.text, language)) >= MIN_SOURCE_SUPPORT]
    if not said and not voted and not written:
        return Verdict(False, "cites nothing that holds it")
    sources = [*(u.text for u in said), *(s.text for s in voted), *written]
    problem = (
        _unsupported(text, claim, sources, language, likeness)
        or _numbers(text, sources, said, voted)
        or _names(state, text, sources, said, language)
        or _collective(state, text, said, voted, language)
        or _polarity(text, sources, language)
    )
    if problem:
        return Verdict(False, problem)
    return Verdict(True, "", tuple(u.utterance_id for u in said), tuple(s.statement_id for s in voted))


def _content(text: str, language: str) -> frozenset[str]:
    """Return a sentence's content words without those that only report ("one person said …")."""
    reporting = frozenset(stem(w, language) for phrase in language_words(language, "reporting") for w in tokens(phrase))
    return frozenset(s for s in content_stems(text, language) - reporting if not s.isdigit())


def _shared(wanted: frozenset[str], held: frozenset[str]) -> float:
    return len(wanted & held) / len(wanted) if wanted else 0.0


def _unsupported(text: str, claim: frozenset[str], sources: Sequence[str], language: str, likeness: float | None) -> str:
    if likeness is not None and likeness < FAR:
        return "means something else than its sources"
    enough = NEAR_SUPPORT if likeness is not None and likeness >= NEAR else MIN_SUPPORT
    held = frozenset[str]().union(*(content_stems(source, language) for source in sources))
    quotes = _QUOTE.findall(text)
    for quote in quotes:
        inside = content_stems(quote, language)
        if inside and len(inside & held) / len(inside) < MIN_QUOTE_SUPPORT:
            return "quotes words that were not said"
    bare = _content(_QUOTE.sub(" ", text), language) if quotes else claim
    if not claim or (bare and _shared(bare, held) < enough):
        return "says what its sources do not hold"
    return ""


def _numbers(text: str, sources: Sequence[str], said: Sequence[Utterance], voted: Sequence[Statement]) -> str:
    known = {n for source in sources for n in _NUMBER.findall(source)}
    known |= {str(len({u.participant_id for u in said}))}
    for statement in voted:
        votes = list(statement.votes.values())
        known |= {str(len(votes)), *(str(votes.count(value)) for value in (-1, 0, 1))}
    return "" if set(_NUMBER.findall(text)) <= known else "holds a number that its sources do not"


def _names(state: RoomState, text: str, sources: Sequence[str], said: Sequence[Utterance], language: str) -> str:
    """Reject a name of somebody who is not cited, and a capitalised word nobody said."""
    held = {fold_word(word) for source in sources for word in tokens(source)}
    speakers = {u.participant_id for u in said}
    for member in state.members.values():
        for part in tokens(member.name or ""):
            named = any(fold_word(word) == fold_word(part) and word[:1].isupper() for word in tokens(text))
            if named and member.participant_id not in speakers and fold_word(part) not in held:
                return "names somebody it does not cite"
    members = {fold_word(part) for member in state.members.values() for part in tokens(member.name or "")}
    known = held | members | {fold_word(word) for word in tokens(state.plan.question)}
    known_stems = {stem(word, language) for word in known}
    for sentence in sentences(_QUOTE.sub(" ", text)):
        words = tokens(sentence)
        for index, word in enumerate(words):
            named = word[:1].isupper() and word not in FIRST_PERSON
            if index == 0:  # every sentence begins with a capital; a name does where a verb of saying follows
                ordinary = not content_stems(word, language) or _reports(word, language)
                named = named and len(words) > 1 and _reports(words[1], language) and not ordinary
            if named and fold_word(word) not in known and stem(word, language) not in known_stems:
                return "names somebody or something that was not mentioned"
    return ""


def _reports(word: str, language: str) -> bool:
    return fold_word(word) in {
        fold_word(part) for phrase in language_words(language, "reporting") for part in tokens(phrase)
    }


def _collective(
    state: RoomState, text: str, said: Sequence[Utterance], voted: Sequence[Statement], language: str
) -> str:
    """Reject "everyone agrees" unless more than half of the seats say so: by the votes cited, or by their own words."""
    if not contains_any(_QUOTE.sub(" ", text), language, "collective"):
        return ""
    seats = len(state.seated)
    by_vote = any(majority(sum(v != 0 for v in s.votes.values()), seats) for s in voted)
    by_word = majority(len({u.participant_id for u in said}), seats)
    return "" if by_vote or by_word else "claims an agreement that is not there"


def _polarity(text: str, sources: Sequence[str], language: str) -> str:
    """Reject a sentence that negates what its closest source affirms, or affirms what it negates."""
    quote = _QUOTE.search(text)
    body = quote.group(1) if quote else text
    stems = content_stems(body, language)
    closest, best = "", 0.0
    for part in (part for source in sources for part in sentences(source)):
        likeness = overlap(stems, content_stems(part, language))
        if likeness > best:
            closest, best = part, likeness
    negated, source_negated = contains_any(body, language, "negation"), contains_any(closest, language, "negation")
    return "turns what was said into its opposite" if best >= 0.5 and negated != source_negated else ""
