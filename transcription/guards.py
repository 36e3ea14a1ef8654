"""Is this text what was said, or invented? Pure.

Owns: the tests that a reading must pass: Whisper was trained to write, and fills noise and silence with
plausible words
or loops. Thresholds are those of the Whisper paper's decoding heuristics (Radford et al. 2022, section 4.5:
log
probability -1, compression ratio 2.4, no-speech 0.6), with a test for loops and one for the phrases that
Whisper is
known to invent.
Never does: decoding. Called by: `transcription.recognise`. Voice activity has passed the audio before.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from enum import Enum

_LEAST_MEAN_LOG_PROBABILITY = -1.0
_MOST_COMPRESSION = 2.4
_MOST_NO_SPEECH = 0.6
_INVENTED_BELOW_LOG_PROBABILITY = -0.7
_MOST_LOOPS = 4
_TOKENS_PER_SECOND = {"en": 6.0}
_TOKENS_PER_SECOND_ELSEWHERE = 12.0
_TOKENS_AT_LEAST = 10
_LONGEST_REPLY = 224

_OFTEN_INVENTED = frozenset(
    {
        "amaraorg",
        "bye",
        "byebye",
        "beepbeep",
        "you",
        "thanksforwatching",
        "thankyou",
        "thankyouforwatching",
        "thankyousomuchforwatching",
        "thankyouverymuch",
        "pleasesubscribe",
        "subtitlesbytheamaraorgcommunity",
        "untertitelderamaraorgcommunity",
        "untertitelungdeszdffür",
        "soustitresréalisésparlacommunautédamaraorg",
    }
)


class Verdict(Enum):
    """What to do with a reading."""

    ACCEPT = "accept"
    RETRY = "retry"
    """Read once more with the full window; if that fails too, nothing was said that can be trusted."""
    SILENCE = "silence"
    """Nothing was said."""


def plain(text: str) -> str:
    """Return only the letters and digits of a text, in lower case."""
    return "".join(letter for letter in text.casefold() if letter.isalnum())


def token_limit(seconds: float, language: str) -> int:
    """Return how many tokens that much speech can at most be: a loop is cut off there."""
    rate = _TOKENS_PER_SECOND.get(language, _TOKENS_PER_SECOND_ELSEWHERE)
    return min(_LONGEST_REPLY, _TOKENS_AT_LEAST + round(rate * seconds))


def loops(words: Sequence[str], most: int = _MOST_LOOPS) -> bool:
    """Whether one to six words come again and again: more than `most` times over, directly one after another.

    One word alone may be said more often ("no, no, no, no, no"): twice as often.
    """
    plain_words = [plain(word) for word in words]
    for size in range(1, 7):
        limit = most * 2 if size == 1 else most
        run = 0
        for index in range(size, len(plain_words)):
            run = run + 1 if plain_words[index] == plain_words[index - size] else 0
            if run >= limit * size:
                return True
    return False


def compression(text: str) -> float:
    """Return how many times smaller zlib makes the text; over 2.4 it repeats itself."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 0.0


def judge(text: str, mean_log_probability: float, no_speech_probability: float) -> Verdict:
    """Return the verdict on one reading."""
    content = plain(text)
    if not content:
        return Verdict.SILENCE
    unlikely = mean_log_probability < _LEAST_MEAN_LOG_PROBABILITY
    if no_speech_probability > _MOST_NO_SPEECH and unlikely:
        return Verdict.SILENCE
    if content in _OFTEN_INVENTED and (
        no_speech_probability > _MOST_NO_SPEECH or mean_log_probability < _INVENTED_BELOW_LOG_PROBABILITY
    ):
        return Verdict.SILENCE
    if unlikely or compression(text) > _MOST_COMPRESSION or loops(text.split()):
        return Verdict.RETRY
    return Verdict.ACCEPT
