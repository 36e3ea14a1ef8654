"""What successive readings of a growing utterance agree on. Pure.

Owns: the line between the solid and the grey part of a live caption: LocalAgreement-2 (Macháček et al. 2023,
"Turning
Whisper into Real-Time Transcription System"): words that two successive hypotheses begin with alike are
solid.
Never does: decoding, timing. Called by: `transcription.stream`, once for each partial result.

Invariant: the solid text only grows.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher


def _plain(word: str) -> str:
    return "".join(letter for letter in word.casefold() if letter.isalnum())


class Agreement:
    """The hypotheses of one utterance."""

    def __init__(self) -> None:
        self._solid: list[str] = []
        self._tail: list[str] = []

    @property
    def solid(self) -> str:
        """What no longer changes."""
        return " ".join(self._solid)

    @property
    def tail(self) -> str:
        """What still may."""
        return " ".join(self._tail)

    def update(self, text: str) -> tuple[str, str]:
        """Take the next hypothesis for the whole utterance; return solid and tail."""
        words = text.split()
        fresh = words[self._reach(words) :]
        agreed = 0
        for before, now in zip(self._tail, fresh, strict=False):
            if _plain(before) != _plain(now):
                break
            agreed += 1
        self._solid += fresh[:agreed]
        self._tail = fresh[agreed:]
        return self.solid, self.tail

    def _reach(self, words: Sequence[str]) -> int:
        """Return how many of the hypothesis's words the solid text already covers."""
        ours = [_plain(word) for word in self._solid]
        theirs = [_plain(word) for word in words]
        if theirs[: len(ours)] == ours:
            return len(ours)
        blocks = SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks()
        last = max((block for block in blocks if block.size), key=lambda block: block.a, default=None)
        if last is None:
            return min(len(ours), len(theirs))
        unmatched = len(ours) - (last.a + last.size)
        return min(last.b + last.size + unmatched, len(theirs))
